//! A trained classifier.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bessemer_kernels::pool::Pool;
use bessemer_train::data::Split;

use crate::adapter::Adapter;
use crate::codes::Codes;
use crate::data::{Scaler, Table};
use crate::error::setting;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::network::Network;
use crate::options::FitOptions;
use crate::radiation::CacheStatistics;
use crate::samples::Samples;
use crate::settings::{MAX_FEATURES, MAX_WEIGHTS, Settings};
use crate::trainer::{Tally, Trainer};
use crate::ways::Ways;

/// A phase graph with all that is needed to answer: the scale of the features and the names of the classes.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// Integers.
    pub network: Network,
    /// From values to levels.
    pub scaler: Scaler,
    /// Names of the features.
    pub features: Vec<String>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// How it was trained.
    pub options: FitOptions,
}

/// An epoch that is over.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    /// Its number, counted from 1.
    pub epoch: usize,
    /// Epochs asked for.
    pub epochs: usize,
    /// What was seen of the samples to learn from, while learning.
    pub train: Tally,
    /// What was seen of those held out for validation, if there are any.
    pub validation: Option<Tally>,
    /// Whether it is the best so far.
    pub best: bool,
}

/// What a training did.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// All epochs.
    pub epochs: Vec<Epoch>,
    /// The epoch whose indices were kept.
    pub best_epoch: usize,
    /// Time, without reading data.
    pub elapsed: Duration,
    /// Radiation's caches, all together.
    pub cache: CacheStatistics,
}

impl Classifier {
    /// Learns from `split.train` and keeps the epoch with the most correct on `split.validation`, of equals the
    /// one with the lower loss, or the last epoch where nothing validates. `watch` sees every epoch and may end
    /// the training.
    ///
    /// The result has the same bits for any number of threads.
    ///
    /// # Errors
    /// If settings or options make no sense, there is nothing to learn from, or `watch` ends it.
    pub fn fit(
        table: &Table,
        split: &Split,
        settings: &Settings,
        options: &FitOptions,
        pool: &Pool,
        watch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<(Classifier, History)> {
        settings.check()?;
        options.check(settings)?;
        let features = table.names.len();
        if split.train.is_empty() || features == 0 || features > MAX_FEATURES {
            let problem = format!(
                "{} samples to learn from, of {features} features; there must be some, of at most {MAX_FEATURES}",
                split.train.len()
            );
            return Err(Error::Data { place: "data".into(), problem });
        }
        if table.classes.len() < 2 {
            let problem = "all samples are of one class; there must be two to tell apart".into();
            return Err(Error::Data { place: "data".into(), problem });
        }
        let weights = (settings.inputs * 2 * settings.dimensions).saturating_mul(features);
        if weights > MAX_WEIGHTS {
            return setting(
                "inputs",
                settings.inputs,
                format!(
                    "with {features} features they make {weights} weights; at most {MAX_WEIGHTS} are possible"
                ),
            );
        }
        let start = Instant::now();
        let scaler = Scaler::fit(table, &split.train);
        let samples = samples(table, &scaler);
        let graph = Graph::random(settings, options.seed);
        let indices = Network::first_indices(settings, options.seed);
        let ways = Ways::at_rest(settings, options.seed);
        let swing = options.swing / ways.from_inputs as f32;
        let adapter = Adapter::random(settings, &samples, &split.train, swing, options.seed);
        let classes = table.classes.len();
        let codes = Codes::cross_polytope(classes, settings.dimensions, settings.phases, options.seed);
        let mut counts = vec![0usize; classes];
        split.train.iter().for_each(|row| counts[samples.labels[*row] as usize] += 1);
        let most = counts.iter().max().copied().unwrap_or(0);
        let fallback = counts.iter().position(|count| *count == most).unwrap_or(0);
        let network = Network::assemble(settings.clone(), graph, indices, adapter, codes, fallback);
        let rate_nodes = options.rate_nodes / ways.from_nodes as f32;
        let mut trainer = Trainer::new(network, FitOptions { rate_nodes, ..options.clone() });
        let mut history = History::default();
        let mut best: Option<(Tally, Network)> = None;
        for epoch in 0..options.epochs {
            let train = trainer.epoch(&samples, &split.train, epoch, pool);
            let validates = !split.validation.is_empty();
            let validation = validates.then(|| trainer.classify(&samples, &split.validation, pool).1);
            let is_best = match (&validation, &best) {
                (Some(tally), Some((before, _))) => {
                    let rank = |tally: &Tally| (tally.correct, -tally.loss);
                    rank(tally).partial_cmp(&rank(before)).is_some_and(|order| order.is_gt())
                }
                _ => true,
            };
            if is_best {
                best = Some((validation.unwrap_or(train), trainer.network.clone()));
                history.best_epoch = epoch + 1;
            }
            let event = Epoch { epoch: epoch + 1, epochs: options.epochs, train, validation, best: is_best };
            history.epochs.push(event);
            if watch(&event).is_break() {
                return Err(Error::Stopped { epochs: epoch + 1 });
            }
        }
        history.cache = trainer.cache();
        history.elapsed = start.elapsed();
        let network = best.map_or(trainer.network, |(_, network)| network);
        let classifier = Classifier {
            network,
            scaler,
            features: table.names.clone(),
            classes: table.classes.clone(),
            options: options.clone(),
        };
        Ok((classifier, history))
    }

    /// A table with its labels numbered as this model numbers its classes.
    ///
    /// # Errors
    /// If there are classes that the model does not know; `place` is where the table is from.
    pub fn relabelled(&self, table: Table, place: &str) -> Result<Table> {
        let mut known = Table {
            names: table.names.clone(),
            values: Vec::new(),
            classes: self.classes.clone(),
            labels: Vec::new(),
            is_image: table.is_image,
        };
        known.append(table, place)?;
        Ok(known)
    }

    /// The classes of samples, by number, and how they compare with the table's labels. A sample that no
    /// output answers is of the class that was most frequent in training.
    ///
    /// # Errors
    /// If the table has other features or classes.
    pub fn classify(&self, table: &Table, rows: &[usize], pool: &Pool) -> Result<(Vec<usize>, Tally)> {
        if table.names.len() != self.features.len() || table.classes != self.classes {
            let problem = format!(
                "{} features and {} classes, but the model has {} and {}; give data like that it learned from",
                table.names.len(),
                table.classes.len(),
                self.features.len(),
                self.classes.len()
            );
            return Err(Error::Data { place: "data".into(), problem });
        }
        let samples = samples(table, &self.scaler);
        let mut trainer = Trainer::new(self.network.clone(), self.options.clone());
        let (classes, tally) = trainer.classify(&samples, rows, pool);
        let fallback = self.network.shape.fallback;
        Ok((classes.into_iter().map(|class| class.unwrap_or(fallback)).collect(), tally))
    }
}

/// All samples of a table as levels.
pub(crate) fn samples(table: &Table, scaler: &Scaler) -> Samples {
    let mut levels = Vec::with_capacity(table.values.len());
    (0..table.len()).for_each(|row| scaler.levels(table.row(row), &mut levels));
    Samples { features: table.names.len(), levels, labels: table.labels.clone() }
}
