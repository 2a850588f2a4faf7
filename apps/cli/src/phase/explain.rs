//! `bessemer phase explain`.

use std::path::PathBuf;

use bessemer::phase::{Classifier, strength};
use bessemer::train::write_whole;
use serde::Serialize;

use super::data::LabelledArgs;
use crate::error::{CliError, Result};
use crate::run::RunArgs;
use crate::{interrupt, number, output, table};

/// Show the way of a sample through a phase graph, and what its features count for
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  bessemer phase explain digits-model optdigits.tes --sample 3 --svg route.svg

With --json:
  {\"class\", \"label\", \"logits\", \"messages\": [{\"step\", \"source\", \"target\", \"strength\", \"radiated\"}],
   \"saliency\": {FEATURE: SLOPE}}
  A slope is what the class's logit rises by with a level of the feature, of 255.")]
pub struct Explain {
    /// Folder of the model
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    data: LabelledArgs,
    /// Number of the sample, from 1
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::whole::<usize>)]
    sample: usize,
    /// Rows to show of each table
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = number::whole::<usize>)]
    rows: usize,
    /// Draw the route: its strongest messages, ten times as many as --rows
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

/// Messages that are drawn for each row of the table of messages.
const DRAWN: usize = 10;

#[derive(Serialize)]
struct Explained {
    class: String,
    label: String,
    logits: Vec<f32>,
    messages: Vec<MessageRow>,
    saliency: std::collections::BTreeMap<String, f32>,
}

#[derive(Serialize)]
struct MessageRow {
    step: usize,
    source: u16,
    target: u16,
    strength: f64,
    radiated: bool,
}

impl Explain {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        self.run.pool()?;
        self.svg.iter().try_for_each(|path| output::check_file(path))?;
        let classifier = Classifier::load(&self.model)?;
        let samples = self.data.read(&classifier)?;
        let Some(row) = self.sample.checked_sub(1).filter(|row| *row < samples.len()) else {
            let problem = format!("there are samples 1 to {}", samples.len());
            return Err(CliError::argument(
                format!("--sample {}", self.sample),
                problem,
                "choose one of them",
            ));
        };
        let explanation = classifier.explain(samples.row(row))?;
        let class = classifier.classes[explanation.class].clone();
        let label = samples.classes[samples.labels[row] as usize].clone();
        if let Some(path) = &self.svg {
            let title = format!("Sample {}: answered `{class}`, labelled `{label}`", self.sample);
            let most = self.rows.saturating_mul(DRAWN);
            let drawing = explanation.svg(&classifier.network, most, &title);
            let _hold = interrupt::writing();
            write_whole(path, |file| file.write_all(drawing.as_bytes()))
                .map_err(CliError::output(path, "write the file"))?;
        }
        let mut messages: Vec<MessageRow> = explanation
            .messages
            .iter()
            .map(|(step, message)| MessageRow {
                step: *step,
                source: message.source,
                target: message.target,
                strength: strength(message),
                radiated: message.radiated,
            })
            .collect();
        let count = messages.len();
        let name = |feature: usize| classifier.columns.features[feature].clone();
        let mut order: Vec<usize> = (0..explanation.saliency.len()).collect();
        order.sort_by(|a, b| explanation.saliency[*b].abs().total_cmp(&explanation.saliency[*a].abs()));
        let salient = order.iter().take(self.rows).map(|feature| {
            let slope = explanation.saliency[*feature];
            vec![name(*feature), format!("{:+.5}", slope), number::digits(samples.row(row)[*feature].into())]
        });
        let salient = table::plain(vec!["feature", "slope", "value"], salient);
        if let Some(json) = &self.run.json {
            let saliency =
                explanation.saliency.iter().enumerate().map(|(i, slope)| (name(i), *slope)).collect();
            let (class, label, logits) = (class.clone(), label.clone(), explanation.logits);
            let explained = Explained { class, label, logits, messages, saliency };
            json.write(&explained)?;
            messages = explained.messages;
        }
        messages.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        messages.truncate(self.rows);
        messages.sort_by_key(|message| message.step);
        let route = messages.iter().map(|message| {
            let way = if message.radiated { "radiation" } else { "edge" };
            vec![
                way.to_string(),
                message.step.to_string(),
                message.source.to_string(),
                message.target.to_string(),
                format!("{:.2}", message.strength),
            ]
        });
        self.run.print(&format!(
            "sample {} is `{class}`, labelled `{label}`; {} had a part in it, the strongest of them:\n{}\nfeatures that count most:\n{salient}\n",
            self.sample,
            number::counted(count, "message"),
            table::plain(vec!["by", "step", "from", "to", "strength"], route),
        ))
    }
}
