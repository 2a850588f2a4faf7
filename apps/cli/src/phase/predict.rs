//! `bessemer phase predict`.

use std::path::PathBuf;

use bessemer::phase::data::ReadOptions;
use bessemer::phase::{Classifier, Prediction};
use bessemer::train::write_whole;
use serde::Serialize;

use super::data::ModelDataArgs;
use crate::error::{CliError, Result};
use crate::run::RunArgs;
use crate::{interrupt, number, output};

/// Say of which class each sample is, without labels
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  bessemer phase predict digits-model new-digits.csv --out classes.csv

The CSV has a line for each sample, in their order: its class, and the probability that the softmax of the
training gives it: the more, the surer, but not how often it is right. It is empty where no output answered, and
the class is the one that was most frequent in training. With --json:
  {\"samples\", \"silent\", \"predictions\": [{\"class\", \"probability\"}]}")]
pub struct Predict {
    /// Folder of the model
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    data: ModelDataArgs,
    /// CSV file to write [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Serialize)]
struct Predicted {
    samples: usize,
    silent: usize,
    predictions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    class: String,
    probability: Option<f32>,
}

impl Predict {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        self.out.iter().try_for_each(|path| output::check_file(path))?;
        let json = self.run.json.as_ref().and_then(output::JsonTarget::path);
        let out = self.out.as_deref();
        output::check_distinct(&[("the data", Some(&*self.data.data)), ("--out", out), ("--json", json)])?;
        let classifier = Classifier::load(&self.model)?;
        let options = ReadOptions { labelled: false, ..self.data.options(None) };
        let samples = classifier.read(&self.data.data, &options)?;
        let row = |said: Prediction| Row {
            class: classifier.classes[said.class].clone(),
            probability: said.probability,
        };
        let predictions: Vec<Row> = classifier.predict(&samples, &pool)?.into_iter().map(row).collect();
        let silent = predictions.iter().filter(|row| row.probability.is_none()).count();
        let predicted = Predicted { samples: predictions.len(), silent, predictions };
        if let Some(path) = &self.out {
            let _hold = interrupt::writing();
            let text = written(&predicted.predictions);
            write_whole(path, |file| file.write_all(&text))
                .map_err(CliError::output(path, "write the file"))?;
        }
        if let Some(json) = &self.run.json {
            json.write(&predicted)?;
        }
        match &self.out {
            None => self.run.print(&String::from_utf8_lossy(&written(&predicted.predictions))),
            Some(path) => self.run.print(&format!(
                "{} in {}, of which no output answered {}\n",
                number::counted(predicted.samples, "sample"),
                path.display(),
                number::count(silent),
            )),
        }
    }
}

/// Rows as CSV.
fn written(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Memory takes all that it is given.
    rows.iter().for_each(|row| _ = writer.serialize(row));
    writer.into_inner().unwrap_or_default()
}
