//! What a phase graph is compared with: on the same rows, levels and classes.

use std::ops::ControlFlow;

use bessemer_kernels::pool::Pool;
use bessemer_nn::layers::{Activation, Linear};
use bessemer_nn::{GraphError, Loss, Trace, initialize};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions};
use bessemer_train::data::{Permutation, Split};
use bessemer_train::{Event, Schedule, Task, TrainError, TrainOptions, train};
use serde::Serialize;

use crate::classifier::samples;
use crate::data::{Scaler, Table};
use crate::error::Result;
use crate::samples::Samples;

/// Samples of a step of gradient descent.
const BATCH: usize = 64;
/// Neighbours that are tried.
const NEIGHBOURS: [usize; 4] = [1, 3, 5, 9];

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// Its name.
    pub name: String,
    /// The part of the rows for validation that it gets right, if there are any.
    pub validation_accuracy: Option<f64>,
    /// The part of the rows for testing that it gets right, if there are any.
    pub test_accuracy: Option<f64>,
    /// What it must remember, in bytes.
    pub bytes: u64,
}

/// The most frequent class, the nearest neighbours, logistic regression, and a perceptron with a hidden layer as
/// wide as `bytes` allow. Gradient descent goes on for `epochs`, and keeps the epoch that is best on the rows for
/// validation; the number of neighbours is chosen by them, too. `go_on` is asked now and then, and may end it.
///
/// # Errors
/// If a network cannot be trained, or `go_on` ends it, which is [`TrainError::Stopped`].
pub fn baselines(
    table: &Table,
    split: &Split,
    bytes: u64,
    epochs: usize,
    seed: u64,
    pool: &Pool,
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Vec<Baseline>> {
    let samples = samples(table, &Scaler::fit(table, &split.train));
    let classes = table.classes.len();
    let held_out =
        |rows: &[usize], answers: &[usize]| (!rows.is_empty()).then(|| accuracy(&samples, rows, answers));
    let of = |name: String, bytes: u64, answers: [Vec<usize>; 2]| Baseline {
        name,
        validation_accuracy: held_out(&split.validation, &answers[0]),
        test_accuracy: held_out(&split.test, &answers[1]),
        bytes,
    };
    let mut counts = vec![0usize; classes];
    split.train.iter().for_each(|row| counts[samples.labels[*row] as usize] += 1);
    let most = (0..classes).rev().max_by_key(|class| counts[*class]).unwrap_or(0);
    let always = |rows: &[usize]| vec![most; rows.len()];
    let mut found = vec![of("majority".into(), 2, [always(&split.validation), always(&split.test)])];

    let [validation, test] =
        [&split.validation, &split.test].map(|rows| nearest(&samples, &split.train, rows, pool));
    let votes = |found: &[Vec<usize>], k: usize| -> Vec<usize> {
        found.iter().map(|nearest| vote(&samples, &nearest[..k.min(nearest.len())], classes)).collect()
    };
    let score = |k: &usize| accuracy(&samples, &split.validation, &votes(&validation, *k));
    let best = NEIGHBOURS.into_iter().rev().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap_or(1);
    let kept = (split.train.len() * (samples.features + 2)) as u64;
    found.push(of(format!("{best} nearest"), kept, [votes(&validation, best), votes(&test, best)]));

    let row = samples.features + classes + 1;
    let wide = ((bytes / 4).saturating_sub(classes as u64) / row as u64).clamp(1, 1 << 14) as usize;
    for (name, hidden) in [("logistic regression", 0), ("MLP of equal bytes", wide)] {
        let mut learner = Perceptron { samples: &samples, split, hidden, classes, seed, run: None };
        let parameters = learner.fit(epochs, pool, go_on)?;
        let answers = [
            learner.answers(&split.validation, &parameters, pool)?,
            learner.answers(&split.test, &parameters, pool)?,
        ];
        found.push(of(name.into(), 4 * parameters.count() as u64, answers));
    }
    Ok(found)
}

fn accuracy(samples: &Samples, rows: &[usize], answers: &[usize]) -> f64 {
    let right = rows.iter().zip(answers).filter(|(row, class)| samples.labels[**row] as usize == **class);
    right.count() as f64 / rows.len().max(1) as f64
}

/// The training rows nearest to each of `rows`, the nearest first: by the squared distance of levels, of equals
/// the one that comes first.
fn nearest(samples: &Samples, train: &[usize], rows: &[usize], pool: &Pool) -> Vec<Vec<usize>> {
    let found: Vec<std::sync::Mutex<Vec<usize>>> = rows.iter().map(|_| Default::default()).collect();
    pool.run(rows.len(), &|task| {
        let here = samples.sample(rows[task]);
        let mut best: Vec<(u32, usize)> = Vec::new();
        for &row in train {
            let gaps = here.iter().zip(samples.sample(row)).map(|(a, b)| u32::from(a.abs_diff(*b)));
            let distance: u32 = gaps.map(|gap| gap * gap).sum();
            let place = best.partition_point(|(other, _)| *other <= distance);
            if place < NEIGHBOURS[NEIGHBOURS.len() - 1] {
                best.truncate(NEIGHBOURS[NEIGHBOURS.len() - 1] - 1);
                best.insert(place, (distance, row));
            }
        }
        let rows = best.into_iter().map(|(_, row)| row).collect();
        *found[task].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = rows;
    });
    found.into_iter().map(|rows| rows.into_inner().unwrap_or_default()).collect()
}

/// The most frequent class of some rows, of equals the one whose first row comes first.
fn vote(samples: &Samples, rows: &[usize], classes: usize) -> usize {
    let mut counts = vec![0usize; classes];
    let mut best = 0;
    for row in rows.iter().rev() {
        counts[samples.labels[*row] as usize] += 1;
    }
    for row in rows.iter().rev() {
        let class = samples.labels[*row] as usize;
        if counts[class] >= counts[best] {
            best = class;
        }
    }
    best
}

/// Layers of a perceptron: a hidden one of ReLU, if it has any width, and a linear one.
struct Perceptron<'a> {
    samples: &'a Samples,
    split: &'a Split,
    hidden: usize,
    classes: usize,
    seed: u64,
    run: Option<Executable>,
}

impl Perceptron<'_> {
    fn trace(&self, samples: usize, trains: bool) -> Result<Trace, GraphError> {
        let mut t = Trace::new(samples, BATCH, trains);
        let mut x = t.input("levels", &[self.samples.features]);
        let mut width = self.samples.features;
        if self.hidden > 0 {
            x = t.scope("hidden", |t| Linear::new(width, self.hidden).forward(t, x))?;
            x = Activation::Relu.forward(&mut t, x)?;
            width = self.hidden;
        }
        let logits = t.scope("out", |t| Linear::new(width, self.classes).forward(t, x))?;
        if trains {
            let label = t.input_indices("label", &[]);
            let loss = Loss::CrossEntropy { label_smoothing: 0.0 }.sum(&mut t, logits, label, None)?;
            t.graph.set_loss(loss);
        } else {
            t.graph.output("logits", logits);
        }
        Ok(t)
    }

    fn fit(
        &mut self,
        epochs: usize,
        pool: &Pool,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Parameters> {
        let first = self.trace(1, true).map_err(TrainError::from)?;
        let compiled = Executable::compile(&|n| Ok(self.trace(n, true)?.graph), BATCH, &PlanOptions::TRAIN);
        let mut step = compiled.map_err(TrainError::from)?;
        let mut parameters = Parameters::new(step.parameters());
        initialize(&mut parameters, first.inits(), self.seed);
        let each = self.epoch().unwrap_or(1);
        let steps = each * epochs as u64;
        let options = TrainOptions {
            steps,
            schedule: Schedule::Cosine { warmup: 0, total: steps, floor: 0.01 },
            seed: self.seed,
            validate_every: if self.split.validation.is_empty() { 0 } else { each },
            ..TrainOptions::default()
        };
        let plans = std::slice::from_mut(&mut step);
        let watch = &mut |_: Event| go_on();
        train(self, plans, &mut parameters, first.buffers(), &options, None, pool, watch)?;
        Ok(parameters)
    }

    /// Levels of the rows as numbers from 0 to 1.
    fn fill(&self, rows: impl Iterator<Item = usize>, out: &mut Vec<f32>) {
        out.clear();
        rows.for_each(|row| {
            out.extend(self.samples.sample(row).iter().map(|level| f32::from(*level) / 255.0))
        });
    }

    /// The logits of rows, `[rows, classes]`.
    fn logits(
        &mut self,
        rows: &[usize],
        parameters: &Parameters,
        pool: &Pool,
    ) -> Result<Vec<f32>, TrainError> {
        let mut run = match self.run.take() {
            Some(run) => run,
            None => Executable::compile(&|n| Ok(self.trace(n, false)?.graph), BATCH, &PlanOptions::INFER)?,
        };
        let (mut all, mut levels) = (Vec::with_capacity(rows.len() * self.classes), Vec::new());
        for batch in rows.chunks(BATCH) {
            // The last batch is filled up with its own first row.
            let filled = batch.iter().copied().chain(std::iter::repeat(batch[0])).take(BATCH);
            self.fill(filled, &mut levels);
            run.run(pool, parameters, &Batch { inputs: &[&levels], loss_scale: 0.0, seed: 0, step: 0 })?;
            let logits = run.output("logits").unwrap_or(&[]);
            all.extend_from_slice(&logits[..batch.len() * self.classes]);
        }
        self.run = Some(run);
        Ok(all)
    }

    fn answers(&mut self, rows: &[usize], parameters: &Parameters, pool: &Pool) -> Result<Vec<usize>> {
        let logits = self.logits(rows, parameters, pool)?;
        let best = |row: &[f32]| (0..row.len()).rev().max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0);
        Ok(logits.chunks_exact(self.classes).map(best).collect())
    }
}

impl Task for Perceptron<'_> {
    fn batch(&mut self, batch: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        let [levels, labels] = inputs else { unreachable!("the model is traced with two inputs") };
        let each = self.epoch().unwrap_or(1);
        let rows = &self.split.train;
        let order = Permutation::new(rows.len(), self.seed, batch / each);
        let from = (batch % each) as usize * BATCH;
        // Fewer rows than a batch holds are taken several times.
        let chosen: Vec<usize> =
            (from..from + BATCH).map(|place| rows[order.get(place % rows.len())]).collect();
        self.fill(chosen.iter().copied(), levels);
        labels.clear();
        labels.extend(chosen.iter().map(|row| f32::from_bits(u32::from(self.samples.labels[*row]))));
        Ok(1.0 / BATCH as f32)
    }

    fn epoch(&self) -> Option<u64> {
        Some(((self.split.train.len() / BATCH) as u64).max(1))
    }

    /// The part that is wrong.
    fn validate(&mut self, pool: &Pool, parameters: &Parameters) -> Result<Option<f64>, TrainError> {
        let rows = &self.split.validation;
        if rows.is_empty() {
            return Ok(None);
        }
        let answers =
            self.answers(rows, parameters, pool).map_err(|e| TrainError::Validation(e.to_string()))?;
        Ok(Some(1.0 - accuracy(self.samples, rows, &answers)))
    }
}
