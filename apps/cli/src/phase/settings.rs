//! What a configuration file and `--set` may change.

use std::path::PathBuf;

use bessemer::phase::{FitOptions, Settings};
use bessemer::train::read_whole;
use serde::{Deserialize, Serialize};

use crate::error::{CliError, Result};

/// The largest configuration file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The graph's settings and the options of training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[graph]`
    pub graph: Settings,
    /// `[fit]`
    pub fit: FitOptions,
}

/// Where they come from.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Settings")]
pub struct ConfigArgs {
    /// TOML file with [graph] and [fit], as a run's folder holds it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Change a setting of the graph or an option of training, such as --set radiation=0
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// A graph of 1,000 nodes: 200 inputs, 790 between in four layers, 10 outputs; 5 steps, no radiation
    #[arg(long)]
    production: bool,
    /// Few epochs, to see whether anything works
    #[arg(long)]
    quick: bool,
    /// Times to learn from all samples
    #[arg(long, value_name = "N", value_parser = crate::number::whole::<usize>)]
    epochs: Option<usize>,
    /// Seed of everything random
    #[arg(long, value_name = "N", value_parser = crate::number::whole::<u64>)]
    seed: Option<u64>,
}

/// The graph of `--production`. It does not radiate: in so many steps, targets that change from sample to sample
/// keep it from learning.
pub fn production() -> Settings {
    Settings {
        inputs: 200,
        intermediate: 790,
        outputs: 10,
        layers: 4,
        steps_min: 5,
        steps_after_path: 2,
        radiation: 0,
        ..Settings::default()
    }
}

impl ConfigArgs {
    /// All settings: of the file, then of switches, then of `--set`.
    pub fn config(&self) -> Result<Config> {
        self.refuse_twice()?;
        let mut config = match &self.config {
            Some(path) => {
                let place = format!("--config {}", path.display());
                let refuse = |problem: String| {
                    CliError::argument(&place, problem, "give a file as a run's folder holds it")
                };
                let bytes = read_whole(path, MAX_BYTES).map_err(|e| refuse(e.to_string()))?;
                let text = String::from_utf8(bytes).map_err(|e| refuse(e.to_string()))?;
                toml::from_str(&text).map_err(|e| refuse(e.message().to_string()))?
            }
            None => Config::default(),
        };
        if self.production {
            config.graph = production();
        }
        if self.quick {
            config.fit.epochs = 5;
        }
        config.fit.epochs = self.epochs.unwrap_or(config.fit.epochs);
        config.fit.seed = self.seed.unwrap_or(config.fit.seed);
        for change in &self.set {
            config = changed(&config, change)?;
        }
        config.graph.check()?;
        config.fit.check(&config.graph)?;
        Ok(config)
    }
}

impl ConfigArgs {
    /// Refuses a setting that is given twice: one of the two would do nothing.
    fn refuse_twice(&self) -> Result<()> {
        let mut given: Vec<(String, String)> = Vec::new();
        given.extend(self.quick.then(|| ("epochs".into(), "--quick".into())));
        given.extend(self.epochs.map(|n| ("epochs".into(), format!("--epochs {n}"))));
        given.extend(self.seed.map(|n| ("seed".into(), format!("--seed {n}"))));
        given.extend(self.set.iter().map(|change| (name_of(change), format!("--set {change}"))));
        for (place, (name, option)) in given.iter().enumerate() {
            if let Some((_, other)) = given[..place].iter().find(|(earlier, _)| earlier == name) {
                let problem = format!("`{name}` is given by {other} as well");
                return Err(CliError::argument(option, problem, "give it once"));
            }
        }
        Ok(())
    }
}

/// The name of a setting in `NAME=VALUE`.
fn name_of(change: &str) -> String {
    change.split('=').next().unwrap_or(change).trim().replace('-', "_")
}

/// With one setting of another value.
fn changed(config: &Config, change: &str) -> Result<Config> {
    let refuse =
        |problem: String, remedy: String| CliError::argument(format!("--set {change}"), problem, remedy);
    let bug = |problem: String| refuse(problem, "give it in a configuration file".into());
    let (_, value) = change
        .split_once('=')
        .ok_or_else(|| refuse("there is no `=` in it".into(), "write it as NAME=VALUE".into()))?;
    let name = name_of(change);
    let mut all = toml::Table::try_from(config).map_err(|e| bug(e.to_string()))?;
    let parts = || ["graph", "fit"].into_iter();
    let names: Vec<String> =
        parts().filter_map(|part| all.get(part)?.as_table()).flat_map(|part| part.keys().cloned()).collect();
    let part = parts()
        .find(|part| {
            all.get(*part).and_then(toml::Value::as_table).is_some_and(|part| part.contains_key(&name))
        })
        .ok_or_else(|| {
            refuse("there is no such setting".into(), format!("there are {}", names.join(", ")))
        })?;
    let parsed = format!("x = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("x"));
    let mut parsed = parsed.unwrap_or_else(|| toml::Value::String(value.to_string()));
    if let Some(part) = all.get_mut(part).and_then(toml::Value::as_table_mut) {
        if let (Some(toml::Value::Float(_)), toml::Value::Integer(whole)) = (part.get(&name), &parsed) {
            parsed = toml::Value::Float(*whole as f64);
        }
        part.insert(name, parsed);
    }
    all.try_into()
        .map_err(|e: toml::de::Error| refuse(e.message().to_string(), "give a value of its kind".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_wherever_they_are() {
        let base = Config::default();
        let radiating = changed(&base, "radiation=3").unwrap();
        assert_eq!(radiating.graph, Settings { radiation: 3, ..Settings::default() });
        let local = changed(&base, "credit=local").unwrap();
        assert_eq!(local.fit.credit, bessemer::phase::Credit::Local);
        assert_eq!(changed(&base, "rate-nodes=2").unwrap().fit.rate_nodes, 2.0);
        let falling = changed(&base, "threshold-schedule=linear").unwrap();
        assert_eq!(falling.fit.threshold_schedule, bessemer::phase::Schedule::Linear);
        for (change, part) in [
            ("radiation", "there is no `=` in it"),
            ("colour=3", "there is no such setting; there are cardinality, decay"),
            ("radiation=many", "invalid type"),
        ] {
            let said = changed(&base, change).unwrap_err().to_string();
            assert!(said.contains(part), "{said}");
        }
    }
}
