//! Phase graphs on small devices: integers only, no allocation, no standard library.

#![no_std]
#![forbid(unsafe_code)]

mod adapt;
mod decide;
mod model;
mod propagate;
mod radiate;

pub use adapt::{adapt, index};
pub use decide::decide;
pub use model::{COSINE_BITS, DECAY_BITS, Long, MAGNITUDE_BITS, Model, STRENGTH_BITS, Shape, Word};
pub use propagate::{Spread, State, Watch, propagate};
pub use radiate::{Radiate, Scan, score};
