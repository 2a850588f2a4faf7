//! A trained classifier.

use std::ops::ControlFlow;
use std::path::Path;

use bessemer_kernels::pool::Pool;
use bessemer_train::Checkpoints;
use bessemer_train::data::Split;

use crate::adapter::Adapter;
use crate::codes::Codes;
use crate::course::{Course, Epoch, Event, History, about};
use crate::data::{Columns, ReadOptions, Scaler, Table, read_like};
use crate::error::{DATA, Error, Result, setting};
use crate::graph::Graph;
use crate::network::Network;
use crate::options::FitOptions;
use crate::samples::Samples;
use crate::settings::{MAX_FEATURES, MAX_WEIGHTS, Settings};
use crate::trainer::{Answer, Tally, Trainer};
use crate::ways::Ways;

/// A phase graph with all that is needed to answer: the scale of the features and the names of the classes.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// Integers.
    pub network: Network,
    /// From values to levels.
    pub scaler: Scaler,
    /// Where its samples came from: the names of the features and of the label.
    pub columns: Columns,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// How it was trained.
    pub options: FitOptions,
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
        let watch = &mut |event: Event| match event {
            Event::Epoch(epoch) => watch(epoch),
            _ => ControlFlow::Continue(()),
        };
        Classifier::fit_watched(table, split, settings, options, None, pool, watch)
    }

    /// [`Classifier::fit`] with checkpoints: with them, all that the training carries is written after every so many
    /// epochs, at the end, and where `watch`, which sees every event, ends it after a step or an epoch. One that
    /// goes on from there ends with the same bits as one that was never interrupted.
    ///
    /// # Errors
    /// As [`Classifier::fit`], and if there is no checkpoint to go on from, or only such as are damaged or of other
    /// data, settings or versions.
    pub fn fit_watched(
        table: &Table,
        split: &Split,
        settings: &Settings,
        options: &FitOptions,
        checkpoints: Option<&Checkpoints>,
        pool: &Pool,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(Classifier, History)> {
        settings.check()?;
        options.check(settings)?;
        let features = table.features();
        if split.train.is_empty() || features == 0 || features > MAX_FEATURES {
            let problem = format!(
                "{} samples to learn from, of {features} features; there must be some, of at most {MAX_FEATURES}",
                split.train.len()
            );
            return Err(Error::Data { place: DATA.into(), problem });
        }
        if let [] | [_] = table.classes[..] {
            let class = table.classes.first().map_or(String::new(), |class| format!(", `{class:.40}`"));
            let problem = format!("all samples are of one class{class}; there must be two to tell apart");
            return Err(Error::Data { place: DATA.into(), problem });
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
        let checkpoints = checkpoints.map(|checkpoints| Checkpoints {
            about: about(table, split, settings, options, &checkpoints.about),
            ..checkpoints.clone()
        });
        let rate_nodes = options.rate_nodes / ways.from_nodes as f32;
        let trainer = Trainer::new(network, FitOptions { rate_nodes, ..options.clone() });
        let course = Course::new(trainer, &samples, split, options, pool);
        let (network, history) = course.run(checkpoints.as_ref(), watch)?;
        let classifier = Classifier {
            network,
            scaler,
            columns: table.columns.clone(),
            classes: table.classes.clone(),
            options: options.clone(),
        };
        Ok((classifier, history))
    }

    /// Reads samples to be classified: columns are found by the names of those that were learned from (see
    /// [`read_like`]), and classes, where labels are read, are numbered as here.
    ///
    /// # Errors
    /// If the file cannot be read, lacks a column, or has classes that the model does not know.
    pub fn read(&self, path: &Path, options: &ReadOptions) -> Result<Table> {
        let table = read_like(path, options, &self.columns)?;
        let place = format!("`{}`", path.display());
        if table.features() != self.columns.features.len() {
            let problem = format!(
                "{} features, but the model has {}; give data like that it learned from",
                table.features(),
                self.columns.features.len()
            );
            return Err(Error::Data { place, problem });
        }
        if !options.labelled {
            return Ok(table);
        }
        let mut known = Table {
            columns: table.columns.clone(),
            values: Vec::new(),
            classes: self.classes.clone(),
            labels: Vec::new(),
            is_image: table.is_image,
        };
        known.append(table, &place)?;
        Ok(known)
    }

    /// The classes of samples, by number, and how they compare with the table's labels. A sample that no
    /// output answers is of the class that was most frequent in training.
    ///
    /// # Errors
    /// If the table has other features or classes.
    pub fn classify(&self, table: &Table, rows: &[usize], pool: &Pool) -> Result<(Vec<usize>, Tally)> {
        let features = self.columns.features.len();
        if table.features() != features || table.classes != self.classes {
            let problem = format!(
                "{} features and {} classes, but the model has {features} and {}; give data like that it learned from",
                table.features(),
                table.classes.len(),
                self.classes.len()
            );
            return Err(Error::Data { place: DATA.into(), problem });
        }
        let samples = samples(table, &self.scaler);
        let mut trainer = Trainer::new(self.network.clone(), self.options.clone());
        let (answers, tally) = trainer.classify(&samples, rows, pool);
        let fallback = self.network.shape.fallback;
        Ok((
            answers.into_iter().map(|answer| answer.map_or(fallback, |answer| answer.class)).collect(),
            tally,
        ))
    }

    /// What the model says of all samples of a table, which needs no labels.
    ///
    /// # Errors
    /// If the table has other features.
    pub fn predict(&self, table: &Table, pool: &Pool) -> Result<Vec<Prediction>> {
        let features = self.columns.features.len();
        if table.features() != features {
            let problem = format!("{} features, but the model has {features}", table.features());
            return Err(Error::Data { place: DATA.into(), problem });
        }
        let samples = Samples { labels: vec![0; table.len()], ..samples(table, &self.scaler) };
        let rows: Vec<usize> = (0..table.len()).collect();
        let mut trainer = Trainer::new(self.network.clone(), self.options.clone());
        let answers = trainer.classify(&samples, &rows, pool).0;
        let silent = Prediction { class: self.network.shape.fallback, probability: None };
        let said = |answer: Answer| Prediction {
            class: answer.class,
            probability: Some(answer.probability.clamp(0.0, 1.0)),
        };
        Ok(answers.into_iter().map(|answer| answer.map_or(silent, said)).collect())
    }
}

/// What a model says of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The class, by number.
    pub class: usize,
    /// What the softmax that it was trained by gives this class, from 0 to 1: the more, the surer, but not how often
    /// it is right. `None` where no output answers, and the class is the one that was most frequent in training.
    pub probability: Option<f32>,
}

/// All samples of a table as levels.
pub(crate) fn samples(table: &Table, scaler: &Scaler) -> Samples {
    let mut levels = Vec::with_capacity(table.values.len());
    (0..table.len()).for_each(|row| scaler.levels(table.row(row), &mut levels));
    Samples { features: table.features(), levels, labels: table.labels.clone() }
}
