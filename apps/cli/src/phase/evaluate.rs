//! `bessemer phase evaluate`.

use std::path::PathBuf;

use bessemer::phase::Classifier;
use serde::Serialize;

use super::data::LabelledArgs;
use crate::error::{CliError, Result};
use crate::run::RunArgs;
use crate::{number, table};

/// Score a trained phase graph on samples
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  bessemer phase evaluate digits-model optdigits.tes

With --json:
  {\"samples\", \"accuracy\", \"loss\", \"silent\", \"steps\", \"messages\", \"confusion\": {CLASS: {CLASS: N}}}
  steps and messages are means of a sample; of confusion, the outer class is the right one.")]
pub struct Evaluate {
    /// Folder of the model
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    data: LabelledArgs,
    /// Samples to look at, from the first on [default: all]
    #[arg(long, value_name = "N", value_parser = number::whole::<usize>)]
    eval_samples: Option<usize>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Serialize)]
struct Evaluated {
    samples: usize,
    accuracy: f64,
    loss: f64,
    silent: usize,
    steps: f64,
    messages: f64,
    confusion: std::collections::BTreeMap<String, std::collections::BTreeMap<String, usize>>,
}

impl Evaluate {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        if self.eval_samples == Some(0) {
            let remedy = "give how many to look at, or leave it out for all";
            return Err(CliError::argument("--eval-samples 0", "there would be nothing to score", remedy));
        }
        let classifier = Classifier::load(&self.model)?;
        let samples = self.data.read(&classifier)?;
        let rows: Vec<usize> = (0..self.eval_samples.unwrap_or(samples.len()).min(samples.len())).collect();
        let (classes, tally) = classifier.classify(&samples, &rows, &pool)?;
        let mut confusion = vec![vec![0; classifier.classes.len()]; classifier.classes.len()];
        rows.iter()
            .zip(&classes)
            .for_each(|(row, class)| confusion[samples.labels[*row] as usize][*class] += 1);
        let name = |class: usize| classifier.classes[class].clone();
        let each = tally.samples.max(1) as f64;
        let evaluated = Evaluated {
            samples: tally.samples,
            accuracy: tally.accuracy(),
            loss: tally.mean_loss(),
            silent: tally.silent,
            steps: tally.steps as f64 / each,
            messages: tally.messages as f64 / each,
            confusion: confusion
                .iter()
                .enumerate()
                .map(|(right, row)| {
                    (name(right), row.iter().enumerate().map(|(at, n)| (name(at), *n)).collect())
                })
                .collect(),
        };
        if let Some(json) = &self.run.json {
            json.write(&evaluated)?;
        }
        let header: Vec<String> = (0..classifier.classes.len()).map(name).collect();
        let header = std::iter::once("right").chain(header.iter().map(String::as_str)).collect();
        let rows = confusion.iter().enumerate().map(|(right, row)| {
            std::iter::once(name(right)).chain(row.iter().map(|n| n.to_string())).collect::<Vec<_>>()
        });
        self.run.print(&format!(
            "{}\n{:.2} % of {} right, loss {}; {} unanswered; {:.1} steps and {:.0} messages a sample\n",
            table::plain(header, rows),
            100.0 * evaluated.accuracy,
            number::counted(evaluated.samples, "sample"),
            number::digits(evaluated.loss),
            evaluated.silent,
            evaluated.steps,
            evaluated.messages,
        ))
    }
}
