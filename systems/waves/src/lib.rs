//! Signals and the compact models that are fitted to them: implicit neural representations.
//!
//! A [`Signal`] is N points of some axes with values of some channels there: a sound, an image, a field, the
//! columns of a table. A model from a point to its values is fitted to some of the points, and scored on those
//! held out: between the others and beyond them, beside the error of predicting the mean.
//!
//! ```
//! use bessemer_plan::Pool;
//! use bessemer_waves::{FitOptions, Generator, Part, Split, SplitOptions, WaveFitter, models};
//!
//! let signal = Generator::by_name("glitchy-chirp")?.with_size(300).signal()?;
//! let every_fifth = SplitOptions { interleaved: Some(5), ..SplitOptions::default() };
//! let split = Split::new(&signal, &every_fifth)?;
//! let siren = models::Model::Siren(models::Siren { width: 32, ..Default::default() });
//! let mut options = FitOptions::default();
//! options.train.steps = 150;
//! let pool = Pool::new(2);
//! let mut fitted = WaveFitter::fit(&signal, &split, &siren, &options, &pool)?;
//! let outcome = fitted.evaluate(&signal, &split, &pool)?;
//! let held_out = outcome.score(Part::Interleaved).unwrap();
//! assert!(held_out.mse < 0.5 * held_out.mean_mse);
//! # Ok::<(), bessemer_waves::Error>(())
//! ```

#![forbid(unsafe_code)]

mod error;
mod exact;
mod fitter;
mod folder;
mod found;
pub mod generate;
mod greedy;
mod inputs;
mod lesson;
pub mod models;
mod options;
mod predictor;
mod read;
mod rounds;
mod scale;
mod scores;
mod seeds;
mod signal;
mod source;
mod split;
mod task;
mod together;
pub mod toys;
mod write;

pub use error::{Error, Result};
pub use fitter::WaveFitter;
pub use found::FoundPacket;
pub use generate::Generator;
pub use greedy::Greedy;
pub use models::Model;
pub use options::{FitOptions, Loss};
pub use read::{ReadOptions, read};
pub use scale::{AxisScale, Scale, ValueScale};
pub use scores::{Note, Outcome, Part, Score};
pub use seeds::fit_seeds;
pub use signal::{MAX_AXES, MAX_CHANNELS, MAX_NUMBERS, Merged, Origin, Signal};
pub use split::{Extrapolated, Split, SplitOptions};
pub use together::fit_together;
pub use write::{check_writing, write};
