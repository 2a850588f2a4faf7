//! The neural models: one file each, and a line in `models!`.

mod dlinear;
mod mlp;
mod nhits;
mod nlinear;
mod patchtst;

pub use dlinear::DLinear;
pub use mlp::Mlp;
pub use nhits::NHits;
pub use nlinear::NLinear;
pub use patchtst::PatchTst;

use bessemer_nn::{GraphError, Trace, Value};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A network from a window of the past to a forecast, one series at a time.
pub trait Network {
    /// Lags `[samples, lookback]` to a forecast `[samples, horizon]`.
    fn forward(&self, t: &mut Trace, lags: Value, horizon: usize) -> std::result::Result<Value, GraphError>;

    /// What is wrong with the settings for these lengths, if anything.
    fn check(&self, _lookback: usize, _horizon: usize) -> Option<String> {
        None
    }
}

macro_rules! models {
    ($($name:literal => $variant:ident),* $(,)?) => {
        /// A model with its settings.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Model {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $variant($variant),)*
        }

        impl Model {
            /// The names by which models are asked for.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name of this model.
            pub fn name(&self) -> &'static str {
                match self { $(Model::$variant(_) => $name,)* }
            }

            /// The network behind the settings.
            pub fn network(&self) -> &dyn Network {
                match self { $(Model::$variant(model) => model,)* }
            }

            /// A model with its default settings.
            ///
            /// # Errors
            /// If there is none of this name; the error suggests the nearest.
            pub fn by_name(name: &str) -> Result<Model> {
                match name.to_lowercase().replace(['-', '_'], "").as_str() {
                    $($name => Ok(Model::$variant($variant::default())),)*
                    _ => Err(Error::UnknownModel {
                        name: name.to_string(),
                        nearest: crate::error::nearest(name, Model::NAMES),
                        known: Model::NAMES.join(", "),
                    }),
                }
            }
        }
    };
}

models! {
    "mlp" => Mlp,
    "nlinear" => NLinear,
    "dlinear" => DLinear,
    "nhits" => NHits,
    "patchtst" => PatchTst,
}

/// Layers beyond which a model is a slip of the keyboard.
const MAX_LAYERS: usize = 256;

/// The largest width or length that is set; products of three such still fit into a machine word.
const MAX_SIZE: usize = 1 << 20;

/// What is wrong with settings, if one is larger than any width or length may be.
fn too_large(settings: &[(&str, usize)]) -> Option<String> {
    let (name, value) = settings.iter().find(|(_, value)| *value > MAX_SIZE)?;
    Some(format!("{name} is {value}, but at most {MAX_SIZE} makes sense"))
}

/// What is wrong with so many layers, if anything is.
fn too_deep(layers: usize) -> Option<String> {
    (layers > MAX_LAYERS).then(|| format!("layers is {layers}, but at most {MAX_LAYERS} make sense"))
}
