//! The signal that a command works on, and which of its points are held out.

use std::path::Path;

use bessemer::waves::{Extrapolated, Generator, ReadOptions, Signal, Split, SplitOptions, read};

use crate::error::{CliError, Result};
use crate::number;
use crate::phase::Header;

/// The signal.
#[derive(clap::Args, Debug)]
pub struct SignalArgs {
    /// File (.csv, .tsv, .parquet, .npy, .wav or .png), or a signal that is made: glitchy-chirp, step,
    /// multi-tone, noisy-chirp, moving-packet, field-4d, field-6d
    #[arg(value_name = "SIGNAL")]
    pub signal: String,
    /// Columns of a table that are axes, separated by commas [default: all but the last]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    axes: Option<Vec<String>>,
    /// Columns of a table that are values [default: the last]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    values: Option<Vec<String>>,
    /// Whether the first line of a CSV file holds names; without, columns are numbered from 1 [default: it does, but
    /// one of nothing but numbers is refused]
    #[arg(long, value_enum, value_name = "YES|NO", hide_possible_values = true)]
    header: Option<Header>,
    /// Points along each axis of space of a signal that is made [default: its own]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    size: Option<usize>,
    /// Points in time of a signal that is made and can move [default: its own]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    times: Option<usize>,
}

impl SignalArgs {
    /// The signal, read or made.
    pub fn signal(&self) -> Result<Signal> {
        match self.generator()? {
            Some(generator) => {
                if self.axes.is_some() || self.values.is_some() || self.header.is_some() {
                    let problem = format!("`{}` is made, and has no columns", self.signal);
                    return Err(CliError::argument(
                        "--axes, --values and --header",
                        problem,
                        "leave them out",
                    ));
                }
                Ok(generator.signal()?)
            }
            None => {
                if self.size.is_some() || self.times.is_some() {
                    let problem = format!("`{}` is a file, whose points are what they are", self.signal);
                    return Err(CliError::argument("--size and --times", problem, "leave them out"));
                }
                let header = self.header.map(|header| matches!(header, Header::Yes));
                let options = ReadOptions { axes: self.axes.clone(), values: self.values.clone(), header };
                Ok(read(&self.signal, &options)?)
            }
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        self.generator().ok().flatten().is_none().then(|| Path::new(&self.signal))
    }

    /// Its settings, by the names of the options.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let number = |number: &usize| number.to_string();
        let columns = |names: &Vec<String>| format!("{names:?}");
        let header = self.header.map(|header| matches!(header, Header::Yes).to_string());
        let given = [
            ("axes", self.axes.as_ref().map(columns)),
            ("values", self.values.as_ref().map(columns)),
            ("header", header),
            ("size", self.size.as_ref().map(number)),
            ("times", self.times.as_ref().map(number)),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        [("signal", format!("{:?}", self.name()))].into_iter().chain(given).collect()
    }

    /// What makes it, if it is no file.
    fn generator(&self) -> Result<Option<Generator>> {
        let path = Path::new(&self.signal);
        if path.exists() || path.extension().is_some() {
            return Ok(None);
        }
        let mut generator = Generator::by_name(&self.signal)?;
        if let Some(size) = self.size {
            generator = generator.with_size(size);
        }
        match self.times {
            None => Ok(Some(generator)),
            Some(times) => generator.with_times(times).map(Some).ok_or_else(|| {
                let problem = format!("`{}` does not move", self.signal);
                CliError::argument(format!("--times {times}"), problem, "leave it out")
            }),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        let path = Path::new(&self.signal);
        path.file_name().map_or(self.signal.clone(), |name| name.to_string_lossy().into_owned())
    }
}

/// Which points are held out.
#[derive(clap::Args, Debug)]
pub struct SplitArgs {
    /// Hold every N-th point out, to score the model between those it learned from; 0 for none
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", default_value_t = 5, help_heading = "Points")]
    hold_out: usize,
    /// Hold out the end of an axis as well, such as x:0.1 for the last tenth of its width
    #[arg(long, value_name = "AXIS:SHARE", value_parser = extrapolated, help_heading = "Points")]
    extrapolate: Option<(String, f64)>,
    /// Share of the other points that chooses the weights; 0 keeps the last ones
    #[arg(long, value_parser = number::decimal::<f64>, value_name = "SHARE", default_value_t = 0.1, help_heading = "Points")]
    validation: f64,
}

/// For clap.
fn extrapolated(text: &str) -> std::result::Result<(String, f64), String> {
    let split = text.rsplit_once(':').and_then(|(axis, share)| Some((axis.to_string(), share.parse().ok()?)));
    split.ok_or_else(|| "it must be the name of an axis and a share, such as x:0.1".to_string())
}

impl SplitArgs {
    /// Its settings, by the names of the options.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let extrapolate = self.extrapolate.as_ref().map(|(axis, share)| format!("\"{axis}:{share}\""));
        let usual =
            [("hold_out", self.hold_out.to_string()), ("validation", format!("{:?}", self.validation))];
        usual.into_iter().chain(extrapolate.map(|value| ("extrapolate", value))).collect()
    }

    /// The parts of the signal.
    pub fn split(&self, signal: &Signal, seed: u64) -> Result<Split> {
        let options = SplitOptions {
            extrapolated: self.extrapolate.clone().map(|(axis, share)| Extrapolated { axis, share }),
            interleaved: (self.hold_out > 0).then_some(self.hold_out),
            random: 0.0,
            validation: self.validation,
            seed,
        };
        Ok(Split::new(signal, &options)?)
    }
}
