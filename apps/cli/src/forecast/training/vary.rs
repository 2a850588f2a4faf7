//! Training options that a search varies.

use clap::{Args, Command, FromArgMatches};

use super::TrainArgs;
use crate::error::{CliError, Result};

impl TrainArgs {
    /// The same with one option as if it had been given as `--name value`; `None` if there is no such option.
    pub fn with(&self, name: &str, value: &str) -> Option<Result<TrainArgs>> {
        let command = TrainArgs::augment_args_for_update(Command::new("search").no_binary_name(true));
        // A default would be taken for something that is given.
        let command = command.mut_args(|arg| arg.default_value(None::<&'static str>));
        if !command.get_arguments().any(|arg| arg.get_long() == Some(name)) {
            return None;
        }
        Some(self.updated(command, name, value))
    }

    fn updated(&self, command: Command, name: &str, value: &str) -> Result<TrainArgs> {
        let place = || format!("--vary {name}={value}");
        let refuse = |problem: clap::Error| {
            let text = problem.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
            CliError::argument(place(), line, "give values that the option takes, or vary another")
        };
        if matches!(name, "validation" | "tune" | "config" | "set" | "print-config") {
            return Err(CliError::argument(place(), "it is the same for all trials", "vary another setting"));
        }
        let mut varied = self.clone();
        // What is varied stands in the place of what it excludes.
        match name {
            "epochs" => varied.max_steps = None,
            "swa-start" => varied.ema = None,
            _ => {}
        }
        let matches = command.try_get_matches_from([format!("--{name}={value}")]).map_err(refuse)?;
        varied.update_from_arg_matches(&matches).map_err(refuse)?;
        varied.check()?;
        Ok(varied)
    }

    /// Refuses `--tune`, for commands that have every core busy with trainings of their own.
    pub fn check_untuned(&self) -> Result<()> {
        match self.division.tune {
            true => Err(CliError::argument(
                "--tune",
                "several models are trained at a time here, so that none can be timed",
                "leave it out, or tune a single model with `forecast fit`",
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        train: TrainArgs,
    }

    #[test]
    fn one_option_changes_and_the_others_stay() {
        let given = ["x", "--max-steps", "50", "--optimizer", "sgd", "--accumulate", "3", "--ema", "0.5"];
        let train = Line::parse_from(given).train;
        let mut expected = train.clone();
        expected.learning_rate = Some(0.02);
        let with = |name, value| format!("{:?}", train.with(name, value).unwrap().unwrap());
        assert_eq!(with("learning-rate", "0.02"), format!("{expected:?}"));
        assert!(with("optimizer", "adamw").contains("optimizer: Some(Adamw)"));
        assert!(with("epochs", "4").contains("max_steps: None, epochs: Some(4)"));
        assert!(with("swa-start", "4").contains("ema: None, swa_start: Some(4)"));
        assert!(train.with("hidden", "4").is_none());
        for (name, value, problem) in [
            ("learning-rate", "fast", "invalid value 'fast'"),
            ("learning-rate", "-1", "it must be a positive number"),
            ("batch-windows", "1.5", "invalid value '1.5'"),
            ("validation", "9", "the same for all trials"),
            ("tune", "9", "the same for all trials"),
        ] {
            let error = train.with(name, value).unwrap().unwrap_err().to_string();
            assert!(error.contains(problem), "{name}={value}: {error}");
        }
    }
}
