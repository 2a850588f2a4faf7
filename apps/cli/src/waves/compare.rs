//! `bessemer waves compare`.

use bessemer::study::{Jobs, Spread};
use bessemer::waves::models::Shape;
use bessemer::waves::{FitOptions, Model, Outcome, Part, Signal, WaveFitter, fit_seeds};
use serde::Serialize;

use super::signal::{SignalArgs, SplitArgs};
use super::training::{SizeArgs, Steps, WaveTrainArgs};
use crate::error::{CliError, Result};
use crate::interrupt;
use crate::number;
use crate::output::{self, JsonTarget};
use crate::report;
use crate::run::RunArgs;
use crate::runs::RunFolderArgs;
use crate::table::plain;

/// Fit models of like size to a signal, each from several seeds, and compare them on points held out
///
/// Fits run side by side, one on each thread, with the same results on any number of them. `faithful` among the
/// models is the reference's own, trained as there.
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  bessemer waves compare glitchy-chirp --models packets,siren,rff,faithful --parameters 145 --seeds 5

With --json:
  {\"signal\", \"points\", \"seeds\", \"threads\",
   \"models\": [{\"name\", \"parameters\", \"steps\", \"seconds_fit\",
               \"parts\": [{\"part\", \"points\", \"mse\": {\"mean\", \"deviation\"}, \"interval\": [low, high], \"each\",
                          \"mean_mse\"}]}]}
All models take as many steps, for packets those of their rounds among them; only `faithful` has its own, unless
--steps says how many. steps are those of one fit, in the mean. Models are sorted by their mean error on the points
held out. The interval is where the mean lies with 95 % probability, by Student's t, but not below 0; mean_mse is the
error of predicting the mean of the training values."
)]
pub struct Compare {
    #[command(flatten)]
    signal: SignalArgs,
    /// Models, separated by commas, each with settings of its own if need be, such as siren:w0=10
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "packets,siren,rff")]
    models: Vec<String>,
    #[command(flatten)]
    size: SizeArgs,
    /// Fits of each model, from seeds that follow --seed
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", default_value_t = 5)]
    seeds: u64,
    #[command(flatten)]
    split: SplitArgs,
    #[command(flatten)]
    train: WaveTrainArgs,
    #[command(flatten)]
    run_folder: RunFolderArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// What `--json` writes.
#[derive(Serialize)]
pub struct Compared {
    pub signal: String,
    pub points: usize,
    pub seeds: Vec<u64>,
    pub threads: usize,
    pub models: Vec<ComparedModel>,
}

/// A model over all seeds.
#[derive(Serialize)]
pub struct ComparedModel {
    pub name: String,
    pub parameters: usize,
    /// Of one fit, in the mean, those of the rounds of packets among them.
    pub steps: usize,
    /// Of one fit, in the mean.
    pub seconds_fit: f64,
    pub parts: Vec<ComparedPart>,
}

/// Its errors on a part of the points.
#[derive(Serialize)]
pub struct ComparedPart {
    pub part: String,
    pub points: usize,
    pub mse: Spread,
    /// Where the mean lies with 95 % probability; none of a single seed.
    pub interval: Option<[f64; 2]>,
    /// Of each seed.
    pub each: Vec<f64>,
    pub mean_mse: f64,
}

/// The most fits of a model.
const SEEDS_MAX: u64 = 1000;

impl ComparedModel {
    fn of(name: &str, model: &Model, asked: &FitOptions, fits: &[(WaveFitter, Outcome)]) -> ComparedModel {
        let first = &fits[0].1;
        let parts = first.scores.iter().map(|first| {
            let scores = fits.iter().filter_map(|(_, outcome)| outcome.score(first.part));
            let each: Vec<f64> = scores.map(|score| score.mse).collect();
            let mse = Spread::of(&each);
            // No squared error is below 0.
            let interval =
                mse.half_interval(each.len()).map(|half| [(mse.mean - half).max(0.0), mse.mean + half]);
            let (part, points, mean_mse) = (first.part.to_string(), first.points, first.mean_mse);
            ComparedPart { part, points, mse, interval, each, mean_mse }
        });
        let mean = |of: &dyn Fn(&WaveFitter) -> f64| {
            fits.iter().map(|(fitted, _)| of(fitted)).sum::<f64>() / fits.len() as f64
        };
        ComparedModel {
            name: name.to_string(),
            parameters: first.parameters,
            steps: mean(&|fitted| steps_of(fitted, model, asked) as f64).round() as usize,
            seconds_fit: mean(&|fitted| fitted.history.elapsed.as_secs_f64()),
            parts: parts.collect(),
        }
    }

    /// Its errors between the points that were learned from, or else on these.
    pub fn held_out(&self) -> &ComparedPart {
        let held_out = Part::Interleaved.to_string();
        self.parts.iter().find(|part| part.part == held_out).unwrap_or(&self.parts[0])
    }
}

/// The steps that a fit took: of packets those of the rounds as well, and of the one after some were left out.
fn steps_of(fitted: &WaveFitter, model: &Model, asked: &FitOptions) -> u64 {
    let rounds = asked.greedy.map_or(0, |greedy| {
        let again = u64::from(fitted.model() != model);
        (greedy.rounds as u64 + again) * greedy.steps
    });
    rounds + fitted.history.losses.len() as u64
}

impl Compare {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        output::check_distinct(&[("the signal", self.signal.file()), ("--json", json)])?;
        if !(1..=SEEDS_MAX).contains(&self.seeds) {
            let problem = format!("it must be from 1 to {SEEDS_MAX}");
            return Err(CliError::argument(format!("--seeds {}", self.seeds), problem, "5 are usual"));
        }
        let signal = self.signal.signal()?;
        let seed = self.train.seed;
        let split = self.split.split(&signal, seed)?;
        let seeds: Vec<u64> = (seed..).take(self.seeds as usize).collect();
        let asked = self.models.iter().map(|name| self.asked(name, &signal, !split.validation.is_empty()));
        let asked = asked.collect::<Result<Vec<_>>>()?;
        let (arguments, data) = (interrupt::arguments(""), self.signal.file());
        let mut kept =
            self.run_folder.begin("waves-compare", arguments, seed, &pool, false, data.as_slice())?;
        let work = || -> Result<Compared> {
            let _hold = interrupt::training();
            let mut models = Vec::new();
            for (name, model, options) in &asked {
                let jobs = Jobs { pool: &pool, stop: &interrupt::requested };
                let fits = fit_seeds(&signal, &split, model, options, &seeds, &jobs)?;
                let model = ComparedModel::of(name, model, options, &fits);
                self.run.note(&format!(
                    "{name}: {}, MSE {}",
                    number::counted(seeds.len(), "fit"),
                    number::digits(model.held_out().mse.mean)
                ));
                models.push(model);
            }
            models.sort_by(|a, b| a.held_out().mse.mean.total_cmp(&b.held_out().mse.mean));
            Ok(Compared {
                signal: self.signal.name(),
                points: signal.len(),
                seeds: seeds.clone(),
                threads: pool.threads(),
                models,
            })
        };
        let result = work().and_then(|compared| {
            for model in &compared.models {
                let scores: Vec<(String, f64)> =
                    model.parts.iter().map(|part| (format!("mse, {}", part.part), part.mse.mean)).collect();
                let scores: Vec<(&str, Option<f64>)> =
                    scores.iter().map(|(name, mse)| (name.as_str(), Some(*mse))).collect();
                kept.end_training(&model.name, &scores)?;
            }
            if let Some(json) = &self.run.json {
                json.write(&compared)?;
            }
            kept.write("results.json", &serde_json::to_string_pretty(&compared).unwrap_or_default())?;
            kept.report(&report::waves_compared(&compared, pool.threads()))?;
            self.run.print(&render(&compared))?;
            kept.print_report(&self.run)
        });
        kept.end(result)
    }

    /// A model by name, at the size asked for, and its training.
    fn asked(&self, name: &str, signal: &Signal, validates: bool) -> Result<(String, Model, FitOptions)> {
        let name = name.trim();
        if name == "faithful" {
            let asked = self.train.of_others().faithful(signal)?;
            return Ok((name.to_string(), asked.model, asked.options));
        }
        let (kind, settings) = name.split_once(':').unwrap_or((name, ""));
        let settings = settings.split(':').filter(|setting| !setting.is_empty()).map(str::to_string);
        let model = self.size.with(settings).model(kind, signal, self.train.seed)?;
        let shape =
            Shape { axes: signal.axes().len(), channels: signal.channels().len(), seed: self.train.seed };
        if let Some(note) = self.size.note(&model, shape)? {
            self.run.note(&format!("note: {note}"));
        }
        let options = self.train.of(&model).options(&model, validates, Steps::InAll)?;
        Ok((name.to_string(), model, options))
    }
}

fn render(compared: &Compared) -> String {
    let mut text = String::new();
    let parts = compared.models.first().map_or(&[][..], |model| &model.parts);
    for (place, part) in parts.iter().enumerate() {
        let header =
            vec!["model", "parameters", "steps", "MSE", "95 % interval", "beside the mean", "fit, each"];
        let rows = compared.models.iter().map(|model| {
            let part = &model.parts[place];
            let deviation = part.mse.deviation.map_or(String::new(), |d| format!(" ± {}", number::digits(d)));
            let interval = part.interval.map_or("n/a".into(), |[low, high]| {
                format!("{} to {}", number::digits(low), number::digits(high))
            });
            let ratio = if part.mean_mse > 0.0 {
                number::digits(part.mse.mean / part.mean_mse)
            } else {
                "n/a".into()
            };
            [
                model.name.clone(),
                number::count(model.parameters),
                number::count(model.steps),
                format!("{}{deviation}", number::digits(part.mse.mean)),
                interval,
                ratio,
                number::seconds(model.seconds_fit),
            ]
        });
        text += &format!(
            "{}: {}, predicting their mean has an MSE of {}\n\n{}\n\n",
            part.part,
            number::counted(part.points, "point"),
            number::digits(part.mean_mse),
            plain(header, rows)
        );
    }
    text += &format!(
        "{} of each model, mean ± standard deviation.\n",
        number::counted(compared.seeds.len(), "fit")
    );
    text
}
