//! `bessemer bench phase`: what phase graphs learn, and what they cost.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bessemer::phase::baselines::baselines;
use bessemer::phase::data::{ReadOptions, Table, read};
use bessemer::phase::{Classifier, Credit, FitOptions, Settings};
use bessemer::plan::Pool;
use bessemer::study::Spread;
use bessemer::train::data::Split;
use serde::Serialize;

use crate::error::{CliError, Result};
use crate::phase::measure::{Costs, SEARCHES, Searches, costs, render, searches};
use crate::phase::settings::production;
use crate::run::RunArgs;
use crate::{interrupt, number, table};

/// Train phase graphs on digits and MNIST with several seeds, and time what they are made of
///
/// Needs small/optdigits.tra and .tes (8 x 8 points) and mnist/t10k-…-ubyte.gz in one folder. Of the digits
/// 10 % of the training file validates and the other file tests; of MNIST's 10,000 images, 1,000 validate and
/// 2,000 test, drawn anew for each seed. Of the digits, more variants of the graph are trained.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  bessemer bench phase --data data --threads 2 --json phase.json

With --json:
  {\"threads\", \"learning\": [{\"data\", \"model\", \"test_accuracies\", \"mean\", \"interval\", \"seconds\", \"bytes\"}],
   \"costs\", \"searches\"}, the latter two as of phase benchmark; interval is half of one of 95 % (Student's t).")]
pub struct PhaseArgs {
    /// Folder of the files [default: what BESSEMER_DATA names]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Only one of the two
    #[arg(long, value_enum)]
    only: Option<Samples>,
    /// Seeds, from 1 on
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = number::whole::<u64>)]
    seeds: u64,
    #[command(flatten)]
    run: RunArgs,
}

/// What is learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Samples {
    Digits,
    Mnist,
}

#[derive(Serialize)]
struct PhaseResult {
    threads: usize,
    learning: Vec<Learned>,
    costs: Costs,
    searches: Vec<Searches>,
}

/// One model on one set of samples.
#[derive(Serialize)]
struct Learned {
    data: &'static str,
    model: String,
    test_accuracies: Vec<f64>,
    mean: f64,
    interval: f64,
    seconds: f64,
    bytes: u64,
}

impl PhaseArgs {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        if !(2..=10).contains(&self.seeds) {
            let place = format!("--seeds {}", self.seeds);
            return Err(CliError::argument(place, "it must be from 2 to 10", "5 give an interval"));
        }
        let named = self.data.clone().or_else(|| std::env::var_os("BESSEMER_DATA").map(PathBuf::from));
        let folder = named.ok_or_else(|| {
            CliError::argument(
                "--data",
                "it is not given",
                "name the folder of the files, or set BESSEMER_DATA",
            )
        })?;
        let wanted = |samples: Samples| self.only.is_none_or(|only| only == samples);
        let digits = wanted(Samples::Digits).then(|| digits(&folder)).transpose()?;
        let images = folder.join("mnist/t10k-images-idx3-ubyte.gz");
        let images = wanted(Samples::Mnist).then(|| read(&images, &ReadOptions::default())).transpose()?;
        // These two come first: they are the only ones that care whether other programs run.
        let costs = costs(&Settings { radiation: 1, ..production() })?;
        let searches: Vec<Searches> = SEARCHES.map(searches).into();
        let mut learning = Vec::new();
        if let Some((digits, count)) = &digits {
            let split = |seed: u64| {
                let split = Split::by_fraction(*count, 0.1, 0.0, seed)?;
                Ok(Split { test: (*count..digits.len()).collect(), ..split })
            };
            self.learn("digits", digits, &split, (30, 7), &pool, &mut learning)?;
        }
        if let Some(images) = &images {
            let split = |seed: u64| Ok(Split::by_fraction(images.len(), 0.1, 0.2, seed)?);
            self.learn("MNIST", images, &split, (12, 3), &pool, &mut learning)?;
        }
        let result = PhaseResult { threads: pool.threads(), learning, costs, searches };
        if let Some(json) = &self.run.json {
            json.write(&result)?;
        }
        let rows = result.learning.iter().map(|learned| {
            vec![
                learned.data.to_string(),
                learned.model.clone(),
                format!("{:.2} ± {:.2}", 100.0 * learned.mean, 100.0 * learned.interval),
                number::seconds(learned.seconds),
                number::bytes(learned.bytes.into()),
            ]
        });
        let table = table::words(vec!["data", "model", "test, %", "a training", "size"], 2, rows);
        self.run.print(&format!(
            "{table}\n{} each; ± is half of a 95 % interval\n\n",
            number::counted(self.seeds as usize, "seed")
        ))?;
        self.run.print(&render(&result.costs, &result.searches))
    }

    /// Learns for so many epochs, with the first so many variants.
    fn learn(
        &self,
        data: &'static str,
        samples: &Table,
        split: &dyn Fn(u64) -> Result<Split>,
        (epochs, variants): (usize, usize),
        pool: &Pool,
        found: &mut Vec<Learned>,
    ) -> Result<()> {
        let base = || (Settings::default(), FitOptions { epochs, ..FitOptions::default() });
        let without = |change: &dyn Fn(&mut Settings, &mut FitOptions)| {
            let (mut settings, mut options) = base();
            change(&mut settings, &mut options);
            (settings, options)
        };
        let all = [
            ("phase graph", base()),
            ("without radiation", without(&|settings, _| settings.radiation = 0)),
            ("adapter as drawn", without(&|_, options| options.rate_adapter = 0.0)),
            ("radiating to 4", without(&|settings, _| settings.radiation = 4)),
            ("adapter only", without(&|_, options| options.rate_nodes = 0.0)),
            ("local credit", without(&|_, options| options.credit = Credit::Local)),
            ("1,000 nodes", without(&|settings, _| *settings = production())),
        ];
        let mut sizes = Vec::new();
        for (model, (settings, options)) in all.into_iter().take(variants) {
            let (mut accuracies, mut seconds, mut bytes) = (Vec::new(), 0.0, 0);
            for seed in 1..=self.seeds {
                let options = FitOptions { seed, ..options.clone() };
                let split = split(seed)?;
                let watch = &mut |_: &_| go_on();
                let (classifier, history) =
                    Classifier::fit(samples, &split, &settings, &options, pool, watch)?;
                accuracies.push(classifier.classify(samples, &split.test, pool)?.1.accuracy());
                seconds += history.elapsed.as_secs_f64() / self.seeds as f64;
                bytes = classifier.export().len() as u64;
            }
            self.take(found, data, model, accuracies, seconds, bytes);
            sizes.push(bytes);
        }
        let start = Instant::now();
        let mut others: Vec<(String, Vec<f64>, u64)> = Vec::new();
        for seed in 1..=self.seeds {
            let baselines = baselines(samples, &split(seed)?, sizes[0], epochs, seed, pool, &mut go_on)?;
            for (place, baseline) in baselines.into_iter().enumerate() {
                if others.len() == place {
                    let name = if place == 1 { "nearest neighbours".to_string() } else { baseline.name };
                    others.push((name, Vec::new(), baseline.bytes));
                }
                others[place].1.push(baseline.test_accuracy.unwrap_or(f64::NAN));
            }
        }
        let seconds = start.elapsed().as_secs_f64() / (self.seeds as usize * others.len().max(1)) as f64;
        for (name, accuracies, bytes) in others {
            self.take(found, data, &name, accuracies, seconds, bytes);
        }
        Ok(())
    }

    fn take(
        &self,
        found: &mut Vec<Learned>,
        data: &'static str,
        model: &str,
        accuracies: Vec<f64>,
        seconds: f64,
        bytes: u64,
    ) {
        let spread = Spread::of(&accuracies);
        // At least two seeds were asked for.
        let (mean, interval) = (spread.mean, spread.half_interval(accuracies.len()).unwrap_or_default());
        self.run.note(&format!("{data}, {model}: {:.2} ± {:.2} %", 100.0 * mean, 100.0 * interval));
        let model = model.to_string();
        found.push(Learned { data, model, test_accuracies: accuracies, mean, interval, seconds, bytes });
    }
}

/// The digits of both files, and how many of them are those to learn from.
fn digits(folder: &Path) -> Result<(Table, usize)> {
    let options = ReadOptions::default();
    let mut digits = read(&folder.join("small/optdigits.tra"), &options)?;
    let count = digits.len();
    digits.append(read(&folder.join("small/optdigits.tes"), &options)?, "optdigits.tes")?;
    Ok((digits, count))
}

fn go_on() -> ControlFlow<()> {
    if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
