//! Phase graphs on small devices: integers only, no allocation, no standard library.
//!
//! [`parse`] takes a file where it lies, in flash memory for example; [`classify`] answers in buffers that the
//! caller gives, as long as [`Needs`] says. There are no floats anywhere, so that answers are the same, bit for
//! bit, on every machine; training runs the same code.
//!
//! ```
//! use bessemer_phase_reader::{Needs, Problem, classify, parse};
//!
//! fn answer(file: &[u8], levels: &[u8]) -> Result<usize, Problem> {
//!     let model = parse(file)?;
//!     let needs = Needs::of(&model.shape);
//!     // A device would have arrays of fixed lengths here.
//!     let (mut indices, mut strengths) = (vec![0; needs.indices], vec![0; needs.strengths]);
//!     let mut lists = vec![0; needs.lists];
//!     Ok(classify(&model, levels, &mut indices, &mut strengths, &mut lists).0)
//! }
//! assert_eq!(answer(b"something else", &[0; 64]), Err(Problem::NoGraph));
//! ```

#![no_std]
#![forbid(unsafe_code)]

mod adapt;
mod classify;
mod decide;
mod file;
mod model;
mod propagate;
mod radiate;

pub use adapt::{adapt, index};
pub use classify::{Needs, classify};
pub use decide::decide;
pub use file::{HEADER, MAGIC, NUMBERS, Problem, parse};
pub use model::{COSINE_BITS, DECAY_BITS, Long, MAGNITUDE_BITS, Model, STRENGTH_BITS, Shape, Word};
pub use propagate::{Spread, State, Watch, propagate};
pub use radiate::{Radiate, Scan, score};
