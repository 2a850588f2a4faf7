//! The models: one file each, and a line in `models!`.

mod finer;
mod gaussian;
mod grid;
mod interference;
mod layers;
mod packets;
mod quasimoto;
mod rff;
mod siren;
mod wire;
mod wire_real;

pub use finer::Finer;
pub use gaussian::Gaussian;
pub use grid::Grid;
pub use interference::Interference;
pub(crate) use packets::Packet;
pub use packets::Packets;
pub use quasimoto::Quasimoto;
pub use rff::Rff;
pub use siren::Siren;
pub use wire::Wire;
pub use wire_real::WireReal;

use bessemer_nn::{GraphError, Trace, Value};
use bessemer_plan::Parameters;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, shorten};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Coordinates of a point.
    pub axes: usize,
    /// Values of a point.
    pub channels: usize,
    /// The training's seed, of which fixed random numbers are a function: it is saved with the model.
    pub seed: u64,
}

/// A network from points to the values there.
pub trait Network {
    /// Points `[samples, axes]`, as scaled, to values `[samples, channels]`.
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> std::result::Result<Value, GraphError>;

    /// Writes initial values that are not drawn as the trace says.
    fn start(&self, _parameters: &mut Parameters, _shape: Shape) {}

    /// What is wrong with the settings for this shape, if anything.
    fn check(&self, shape: Shape) -> Option<String>;

    /// The setting by which the model grows: with each step of it, it has more parameters.
    fn size_mut(&mut self) -> &mut usize;

    /// How many rows of tables the network looks up at each point.
    ///
    /// If any, `forward` declares the inputs `rows`, integers, and `shares`, `[samples, so many]` each.
    fn look_ups(&self, _axes: usize) -> usize {
        0
    }

    /// Writes the rows that a point, as scaled, looks up, by number, and how much of each it takes.
    fn look_up(&self, _point: &[f32], _rows: &mut [i32], _shares: &mut [f32]) {}
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

            fn network_mut(&mut self) -> &mut dyn Network {
                match self { $(Model::$variant(model) => model,)* }
            }

            /// A model with its default settings.
            ///
            /// # Errors
            /// If there is none of this name; the error suggests the nearest.
            pub fn by_name(name: &str) -> Result<Model> {
                match name.to_lowercase().replace(['_', ' '], "-").as_str() {
                    $($name => Ok(Model::$variant($variant::default())),)*
                    _ => Err(Error::unknown("model", name, Model::NAMES)),
                }
            }
        }
    };
}

models! {
    "packets" => Packets,
    "quasimoto" => Quasimoto,
    "siren" => Siren,
    "rff" => Rff,
    "gaussian" => Gaussian,
    "wire-real" => WireReal,
    "wire" => Wire,
    "finer" => Finer,
    "grid" => Grid,
    "interference" => Interference,
}

/// Numbers that a model may learn, at most: 1 GiB of them.
pub const MAX_PARAMETERS: u128 = 1 << 28;

/// The largest width that is set.
const MAX_WIDTH: usize = 1 << 16;

/// Layers beyond which a model is a slip of the keyboard.
const MAX_LAYERS: usize = 64;

impl Model {
    /// How many numbers the model learns for signals of a shape.
    ///
    /// ```
    /// use bessemer_waves::models::{Model, Shape};
    ///
    /// let shape = Shape { axes: 1, channels: 1, seed: 1 };
    /// assert_eq!(Model::by_name("siren")?.parameter_count(shape)?, 4353);
    /// # Ok::<(), bessemer_waves::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the settings make no sense for this shape, or ask for more than [`MAX_PARAMETERS`].
    pub fn parameter_count(&self, shape: Shape) -> Result<usize> {
        let failed = |problem| Error::ModelSettings { model: self.name(), problem };
        if let Some(problem) = self.network().check(shape) {
            return Err(failed(problem));
        }
        let mut t = Trace::new(1, 1, false);
        let points = t.input("points", &[shape.axes]);
        self.network().forward(&mut t, points, shape).map_err(bessemer_train::TrainError::from)?;
        let numbers = |shape: &Vec<usize>| shape.iter().map(|n| *n as u128).product::<u128>();
        let count: u128 = t.graph.parameters().iter().map(|p| numbers(&p.shape)).sum();
        if count > MAX_PARAMETERS {
            return Err(failed(format!(
                "it would have {count} parameters, more than {MAX_PARAMETERS}; make it smaller"
            )));
        }
        Ok(count as usize)
    }

    /// The same model with a setting of its own changed, given by name and as text.
    ///
    /// ```
    /// use bessemer_waves::Model;
    ///
    /// let narrow = Model::by_name("siren")?.with("width", "32")?;
    /// let error = narrow.with("widht", "32").unwrap_err().to_string();
    /// assert!(error.contains("did you mean `width`?"), "{error}");
    /// # Ok::<(), bessemer_waves::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it has no such setting, or the value is not of its kind.
    pub fn with(&self, name: &str, value: &str) -> Result<Model> {
        let failed = |problem: String| Error::ModelSettings { model: self.name(), problem };
        let mut settings = toml::Table::try_from(self).map_err(|error| failed(error.to_string()))?;
        let known: Vec<&str> = settings.keys().map(String::as_str).filter(|key| *key != "kind").collect();
        let Some(place) = settings.get(name).filter(|_| name != "kind") else {
            return Err(Error::unknown("setting", name, &known));
        };
        let number = |text: &str| text.parse::<f64>().ok().filter(|x| x.is_finite());
        let parsed = match place {
            toml::Value::Integer(_) => value.parse().ok().map(toml::Value::Integer),
            toml::Value::Float(_) => number(value).map(toml::Value::Float),
            toml::Value::Boolean(_) => value.parse().ok().map(toml::Value::Boolean),
            _ => None,
        };
        let kind = match place {
            toml::Value::Integer(_) => "a whole number",
            toml::Value::Boolean(_) => "true or false",
            _ => "a number",
        };
        let parsed =
            parsed.ok_or_else(|| failed(format!("{name} is `{}`; it must be {kind}", shorten(value))))?;
        settings.insert(name.to_string(), parsed);
        let refused = |_: toml::de::Error| {
            failed(format!("{name} is `{}`; it must be {kind} that is not below 0", shorten(value)))
        };
        settings.try_into().map_err(refused)
    }

    /// The same model at the size whose number of parameters is nearest to `wanted`, so that models can be
    /// compared at equal sizes; of two that are as near, the smaller.
    ///
    /// ```
    /// use bessemer_waves::models::{Model, Shape};
    ///
    /// let shape = Shape { axes: 1, channels: 1, seed: 1 };
    /// let siren = Model::by_name("siren")?.with_parameters(1100, shape)?;
    /// assert_eq!(siren.parameter_count(shape)?, 1086); // 31 wide; 32 would be 1,153
    /// # Ok::<(), bessemer_waves::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the other settings make no sense for this shape, or no size has more than half and less than twice as many.
    pub fn with_parameters(&self, wanted: usize, shape: Shape) -> Result<Model> {
        let sized = |size| {
            let mut model = self.clone();
            *model.network_mut().size_mut() = size;
            model
        };
        let smallest = sized(1);
        let least = smallest.parameter_count(shape)?;
        let mut best = (least.abs_diff(wanted), smallest);
        // The largest size with no more than is wanted, by bisection; what is refused is too large.
        let (mut fits, mut too_large) = (1, MAX_WIDTH + 1);
        while fits + 1 < too_large {
            let middle = fits.midpoint(too_large);
            let model = sized(middle);
            let count = model.parameter_count(shape).unwrap_or(usize::MAX);
            if count.abs_diff(wanted) < best.0 || (count.abs_diff(wanted) == best.0 && count < wanted) {
                best = (count.abs_diff(wanted), model);
            }
            if count <= wanted { fits = middle } else { too_large = middle }
        }
        let nearest = best.1.parameter_count(shape)?;
        if nearest >= wanted.saturating_mul(2) || wanted >= nearest.saturating_mul(2) {
            // Only at an end of the range are the nearest so far away.
            let most = if nearest > wanted { self.most_parameters(shape) } else { nearest };
            let problem = format!("no size has about {wanted} parameters; ask for {least} to {most}");
            return Err(Error::ModelSettings { model: self.name(), problem });
        }
        Ok(best.1)
    }

    /// The parameters of the largest size.
    fn most_parameters(&self, shape: Shape) -> usize {
        let count = |size| {
            let mut model = self.clone();
            *model.network_mut().size_mut() = size;
            model.parameter_count(shape).ok()
        };
        let (mut fits, mut too_large) = (1, MAX_WIDTH + 1);
        while fits + 1 < too_large {
            let middle = fits.midpoint(too_large);
            if count(middle).is_some() { fits = middle } else { too_large = middle }
        }
        count(fits).unwrap_or(0)
    }
}

/// What is wrong with counts, each at least 1 and bounded: `(name, value, most)`.
fn out_of_bounds(settings: &[(&str, usize, usize)]) -> Option<String> {
    let (name, value, most) = settings.iter().find(|(_, value, most)| !(1..=*most).contains(value))?;
    Some(format!("{name} is {value}; it must be from 1 to {most}"))
}

/// What is wrong with factors, each positive and finite.
fn not_positive(settings: &[(&str, f32)]) -> Option<String> {
    let (name, value) = settings.iter().find(|(_, value)| !(value.is_normal() && *value > 0.0))?;
    Some(format!("{name} is {value}; it must be a positive number"))
}

#[cfg(test)]
mod tests;
