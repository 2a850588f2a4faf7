//! Sequences that are padded to the longest of their batch, and no further: a plan for each length.

use std::ops::ControlFlow;
use std::path::Path;

use bessemer_graph::ops::reduce::Reduction;
use bessemer_nn::layers::{Embedding, Linear};
use bessemer_nn::{GraphError, Loss, Trace, initialize};
use bessemer_plan::{Executable, Parameters, PlanOptions, Pool};
use bessemer_train::data::{BatchSize, BucketOptions, LengthBuckets, Source, pad};
use bessemer_train::{
    Checkpoints, Event, History, OnNotFinite, Optimizer, Task, TrainError, TrainOptions, train,
};

const ROWS: usize = 8;
const MULTIPLE: usize = 4;
const LONGEST: usize = 12;
const STEPS: u64 = 54;

/// Texts of 1 to 12 tokens, and whether most of them are above 5.
struct Texts;

impl Source for Texts {
    type Item<'a> = (Vec<i32>, i32);

    fn len(&self) -> usize {
        72
    }

    fn item(&self, number: usize) -> Result<(Vec<i32>, i32), TrainError> {
        let tokens: Vec<i32> =
            (0..self.tokens(number)).map(|i| 1 + (number * 7 + i * i) as i32 % 10).collect();
        let above = tokens.iter().filter(|token| **token > 5).count();
        Ok((tokens.clone(), i32::from(2 * above > tokens.len())))
    }

    fn tokens(&self, number: usize) -> usize {
        1 + number * 5 % LONGEST
    }
}

/// Batches of texts of like length.
struct Batches {
    buckets: LengthBuckets,
    /// Lengths become multiples of this.
    multiple: usize,
}

impl Batches {
    fn new(multiple: usize) -> Batches {
        let options =
            BucketOptions { size: BatchSize::Samples(ROWS), window: 2 * ROWS, multiple: MULTIPLE, seed: 5 };
        Batches { buckets: LengthBuckets::new(&Texts, options).unwrap(), multiple }
    }
}

impl Task for Batches {
    fn batch(&mut self, number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        let mut items = Vec::new();
        self.buckets.items(number, &mut items);
        let texts: Vec<_> = items.iter().map(|item| Texts.item(*item)).collect::<Result<_, _>>()?;
        let [ids, weights, labels] = inputs else { unreachable!("the model has three inputs") };
        let length = pad(texts.iter().map(|(tokens, _)| &tokens[..]), ROWS, self.multiple, ids, weights);
        for (weights, (tokens, _)) in weights.chunks_exact_mut(length).zip(&texts) {
            weights[..tokens.len()].fill(1.0 / tokens.len() as f32);
        }
        labels.clear();
        labels.extend(texts.iter().map(|(_, label)| f32::from_bits(*label as u32)));
        labels.resize(ROWS, f32::from_bits(-1i32 as u32));
        Ok(1.0 / texts.len() as f32)
    }

    fn epoch(&self) -> Option<u64> {
        Some(self.buckets.epoch())
    }

    fn validate(&mut self, _: &Pool, _: &Parameters) -> Result<Option<f64>, TrainError> {
        Ok(None)
    }
}

/// The mean of the tokens' vectors, and a layer.
fn trace(samples: usize, length: usize) -> Result<Trace, GraphError> {
    let mut t = Trace::new(samples, ROWS, true);
    let ids = t.input_indices("ids", &[length]);
    let weights = t.input("weights", &[length]);
    let labels = t.input_indices("labels", &[]);
    let words = t.scope("words", |t| Embedding::new(11, 6).forward(t, ids))?;
    let weights = t.graph.reshape(weights, &[samples, length, 1])?;
    let weighted = t.graph.mul(words, weights)?;
    let text = t.graph.reduce(weighted, Reduction::Sum, 1)?;
    let text = t.graph.reshape(text, &[samples, 6])?;
    let logits = t.scope("head", |t| Linear::new(6, 2).forward(t, text))?;
    let loss = Loss::CrossEntropy { label_smoothing: 0.0 }.sum(&mut t, logits, labels, None)?;
    t.graph.set_loss(loss);
    Ok(t)
}

fn plan(length: usize) -> Executable {
    let options = PlanOptions { micro_batch: Some(3), lanes: Some(2), ..PlanOptions::TRAIN };
    Executable::compile(&|samples| Ok(trace(samples, length)?.graph), ROWS, &options).unwrap()
}

/// Trains, until a step if one is given, with plans for these lengths.
fn run(
    (multiple, lengths): (usize, &[usize]),
    options: &TrainOptions,
    folder: Option<(&Path, bool)>,
    stop: Option<u64>,
    threads: usize,
) -> Result<(History, Vec<f32>), TrainError> {
    let mut plans: Vec<Executable> = lengths.iter().map(|length| plan(*length)).collect();
    let first = trace(1, MULTIPLE)?;
    let mut parameters = Parameters::new(first.graph.parameters());
    initialize(&mut parameters, first.inits(), 1);
    let checkpoints = folder.map(|(folder, resume)| Checkpoints {
        folder: folder.into(),
        every: 5,
        keep: 2,
        resume,
        about: "the same".into(),
    });
    let mut watch = |event: Event| match event {
        Event::Step { step, .. } if stop == Some(step) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let history = train(
        &mut Batches::new(multiple),
        &mut plans,
        &mut parameters,
        first.buffers(),
        options,
        checkpoints.as_ref(),
        &Pool::new(threads),
        &mut watch,
    )?;
    Ok((history, parameters.as_slice().to_vec()))
}

const DYNAMIC: (usize, &[usize]) = (MULTIPLE, &[4, 8, 12]);

fn options() -> TrainOptions {
    let optimizer = Optimizer::Sgd { momentum: 0.9, dampening: 0.0, nesterov: false, weight_decay: 0.0 };
    TrainOptions { steps: STEPS, optimizer, learning_rate: 0.1, ..TrainOptions::default() }
}

fn bits(weights: &[f32]) -> Vec<u32> {
    weights.iter().map(|weight| weight.to_bits()).collect()
}

#[test]
fn padding_to_the_longest_of_a_batch_learns_what_padding_to_the_longest_of_all_does() {
    for options in [options(), TrainOptions { accumulate: 2, clip_norm: Some(0.3), ..options() }] {
        let (little, all) =
            (run(DYNAMIC, &options, None, None, 2), run((12, &[12]), &options, None, None, 2));
        let ((little, weights), (all, others)) = (little.unwrap(), all.unwrap());
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        assert!(mean(&all.losses[45..]) < 0.8 * mean(&all.losses[..9]), "something is learned");
        // A sum over more zeros may be rounded elsewhere.
        for (a, b) in little.losses.iter().zip(&all.losses) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        for (a, b) in weights.iter().zip(&others) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}

#[test]
fn threads_and_interruptions_change_no_bit() {
    let options = TrainOptions { accumulate: 2, ..options() };
    let (_, expected) = run(DYNAMIC, &options, None, None, 1).unwrap();
    for threads in [2, 3] {
        let (_, weights) = run(DYNAMIC, &options, None, None, threads).unwrap();
        assert_eq!(bits(&weights), bits(&expected));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(DYNAMIC, &options, Some((folder, false)), Some(7), 2).unwrap_err();
    run(DYNAMIC, &options, Some((folder, true)), Some(16), 1).unwrap_err();
    let (_, weights) = run(DYNAMIC, &options, Some((folder, true)), None, 2).unwrap();
    assert_eq!(bits(&weights), bits(&expected));
}

#[test]
fn time_is_told_over_all_plans() {
    let options = TrainOptions { profile: true, on_not_finite: OnNotFinite::Continue, ..options() };
    let (history, _) = run(DYNAMIC, &options, None, None, 2).unwrap();
    let calls = history.profile.unwrap().calls;
    let gather = calls.entries.iter().find(|entry| entry.operation == "embedding").unwrap();
    // Each batch of 8 texts is divided into micro-batches of 3, 3 and 2.
    assert_eq!(gather.calls, 3.0 * STEPS as f64);
}

#[test]
fn what_no_plan_fits_is_named() {
    let error = run((MULTIPLE, &[4, 8]), &options(), None, None, 1).unwrap_err().to_string();
    let said = "has inputs of [96, 96, 8] numbers, for which none of the 2 plans is made; compile one of that \
                shape, too";
    assert!(error.starts_with("the batch of step ") && error.ends_with(said), "{error}");
    let error = run((MULTIPLE, &[]), &options(), None, None, 1).unwrap_err().to_string();
    assert_eq!(error, "number of plans is 0: compile one for each shape of a batch");
}
