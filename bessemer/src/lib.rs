//! Train and serve small and mid-size neural networks, fast, on a CPU.
