//! Train and serve small and mid-size neural networks, fast, on a CPU.

pub use bessemer_forecast as forecast;
pub use bessemer_graph as graph;
pub use bessemer_kernels as kernels;
pub use bessemer_nn as nn;
pub use bessemer_plan as plan;
pub use bessemer_train as train;
