//! Half a million short pairs of texts on their way to a small model: how much of what is computed is padding,
//! how many batches a second, and how long the training waits for them.
//!
//! `cargo run --release -p bessemer-train --example pipeline -- [THREADS]`

use std::ops::ControlFlow;

use bessemer_graph::ops::reduce::Reduction;
use bessemer_nn::layers::{Activation, Embedding, Linear};
use bessemer_nn::{GraphError, Loss, Trace, initialize};
use bessemer_plan::{Executable, Parameters, PlanOptions, Pool};
use bessemer_train::data::{
    BatchSize, BucketOptions, Duplicates, LengthBuckets, Prefetch, Source, Split, Start, Subset,
    WeightedSampling, pad, prefetch,
};
use bessemer_train::{Event, History, Task, TrainError, TrainOptions, train};

const PAIRS: usize = 500_000;
const VOCABULARY: usize = 8000;
const SEPARATOR: i32 = 1;
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=60;
const ROWS: usize = 64;
const MULTIPLE: usize = 4;

/// Two texts each, joined by a separator, one pair after the other, and what they are about.
struct Pairs {
    tokens: Vec<i32>,
    ends: Vec<usize>,
    subjects: Vec<i32>,
}

impl Pairs {
    /// Two subjects, whose texts use the same words, but not equally often.
    fn generate() -> Result<Pairs, TrainError> {
        let lengths = WeightedSampling::new(&[1.0; 60 - 3 + 1], 1)?;
        // The n-th most frequent word is drawn with a share of 1 / n (Zipf's law); 0 and 1 are no words.
        let shares: Vec<f64> = (2..VOCABULARY).map(|rank| 1.0 / rank as f64).collect();
        let words = WeightedSampling::new(&shares, 2)?;
        let mut pairs = Pairs { tokens: Vec::new(), ends: Vec::new(), subjects: Vec::new() };
        for pair in 0..PAIRS {
            let length = LENGTHS.start() + lengths.item(0, pair as u64);
            let subject = pair as i32 % 2;
            for place in 0..length {
                let word = words.item(pair as u64, place as u64) as i32 + 2;
                pairs.tokens.push(match subject {
                    _ if place == length / 2 => SEPARATOR,
                    0 => word,
                    _ => VOCABULARY as i32 + 1 - word,
                });
            }
            pairs.ends.push(pairs.tokens.len());
            pairs.subjects.push(subject);
        }
        Ok(pairs)
    }
}

impl Source for Pairs {
    type Item<'a> = (&'a [i32], i32);

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn item(&self, number: usize) -> Result<(&[i32], i32), TrainError> {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        Ok((&self.tokens[start..self.ends[number]], self.subjects[number]))
    }

    fn tokens(&self, number: usize) -> usize {
        self.ends[number] - if number == 0 { 0 } else { self.ends[number - 1] }
    }
}

/// Batches of pairs: words, their weights in the mean of a text, and labels.
#[derive(Clone)]
struct Batches<'a> {
    pairs: &'a Subset<'a, Pairs>,
    buckets: &'a LengthBuckets,
    items: Vec<usize>,
}

impl Task for Batches<'_> {
    fn batch(&mut self, number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        self.buckets.items(number, &mut self.items);
        let pairs: Vec<_> = self.items.iter().map(|item| self.pairs.item(*item)).collect::<Result<_, _>>()?;
        let [ids, weights, labels] = inputs else { unreachable!("three inputs are made below") };
        let length = pad(pairs.iter().map(|(tokens, _)| *tokens), ROWS, MULTIPLE, ids, weights);
        for (weights, (tokens, _)) in weights.chunks_exact_mut(length).zip(&pairs) {
            weights[..tokens.len()].fill(1.0 / tokens.len() as f32);
        }
        labels.clear();
        labels.extend(pairs.iter().map(|(_, subject)| f32::from_bits(*subject as u32)));
        // Rows that the last batch lacks count for nothing.
        labels.resize(ROWS, f32::from_bits(-1i32 as u32));
        Ok(1.0 / pairs.len() as f32)
    }

    fn validate(&mut self, _: &Pool, _: &Parameters) -> Result<Option<f64>, TrainError> {
        Ok(None)
    }
}

/// The mean of the words' vectors, and two layers.
fn trace(samples: usize, length: usize) -> Result<Trace, GraphError> {
    let mut t = Trace::new(samples, ROWS, true);
    let ids = t.input_indices("ids", &[length]);
    let weights = t.input("weights", &[length]);
    let labels = t.input_indices("labels", &[]);
    let words = t.scope("words", |t| Embedding::new(VOCABULARY, 32).forward(t, ids))?;
    let weights = t.graph.reshape(weights, &[samples, length, 1])?;
    let weighted = t.graph.mul(words, weights)?;
    let text = t.graph.reduce(weighted, Reduction::Sum, 1)?;
    let text = t.graph.reshape(text, &[samples, 32])?;
    let h = t.scope("first", |t| Linear::new(32, 64).forward(t, text))?;
    let h = Activation::Relu.forward(&mut t, h)?;
    let logits = t.scope("second", |t| Linear::new(64, 2).forward(t, h))?;
    let loss = Loss::CrossEntropy { label_smoothing: 0.0 }.sum(&mut t, logits, labels, None)?;
    t.graph.set_loss(loss);
    Ok(t)
}

/// A plan for every padded length; the weights are the same.
fn compile() -> Result<Vec<Executable>, TrainError> {
    let lengths = (1..=LENGTHS.end().div_ceil(MULTIPLE)).map(|n| n * MULTIPLE);
    let compiled = lengths.map(|length| {
        Executable::compile(&|samples| Ok(trace(samples, length)?.graph), ROWS, &PlanOptions::TRAIN)
    });
    Ok(compiled.collect::<Result<_, _>>()?)
}

/// What an epoch of training came to, and the bits of its weights.
fn epoch(
    task: &mut dyn Task,
    steps: u64,
    plans: &mut [Executable],
    pool: &Pool,
) -> Result<(History, Vec<u32>), TrainError> {
    let first = trace(1, MULTIPLE)?;
    let mut parameters = Parameters::new(plans[0].parameters());
    initialize(&mut parameters, first.inits(), 1);
    let options = TrainOptions { steps, learning_rate: 1e-3, ..TrainOptions::default() };
    let mut watch = |_: Event| ControlFlow::Continue(());
    let history = train(task, plans, &mut parameters, first.buffers(), &options, None, pool, &mut watch)?;
    Ok((history, parameters.as_slice().iter().map(|weight| weight.to_bits()).collect()))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(2), |threads| threads.parse())?;
    let pairs = Pairs::generate()?;
    // Short pairs come several times; all copies of one stay on one side.
    let contents: Vec<_> = (0..pairs.len()).map(|pair| pairs.item(pair)).collect::<Result<_, _>>()?;
    let split = Split::by_group(&contents, 0.0, 0.01, 1)?;
    split.check(&pairs, Duplicates::Refuse)?;
    let training = Subset::new(&pairs, split.train);
    println!(
        "{PAIRS} pairs of {} to {} tokens, {} of them held back",
        LENGTHS.start(),
        LENGTHS.end(),
        split.test.len()
    );

    let samples =
        BucketOptions { size: BatchSize::Samples(ROWS), window: 100 * ROWS, multiple: MULTIPLE, seed: 1 };
    let buckets = LengthBuckets::new(&training, samples)?;
    println!("\nbatches                            batches an epoch   padding, %");
    for (name, options) in [
        ("64 pairs, shuffled", BucketOptions { window: training.len(), ..samples }),
        ("64 pairs of like length", samples),
        (
            "2,048 tokens, shuffled",
            BucketOptions { size: BatchSize::Tokens(2048), window: training.len(), ..samples },
        ),
        ("2,048 tokens, pairs of like length", BucketOptions { size: BatchSize::Tokens(2048), ..samples }),
    ] {
        let buckets = LengthBuckets::new(&training, options)?;
        println!("{name:<34} {:>16} {:>12.1}", buckets.epoch(), 100.0 * buckets.padding(0).share());
    }

    let (mut plans, pool) = (compile()?, Pool::new(threads));
    let mut task = Batches { pairs: &training, buckets: &buckets, items: Vec::new() };
    let steps = buckets.epoch();
    println!("\n{threads} threads compute    batches a second   waited, %   loss at the end");
    let mut weights = None;
    for (name, start) in [
        ("made in between", None),
        ("made ahead", Some(Start::AtOnce)),
        ("decided by time", Some(Start::Measured)),
    ] {
        let (History { losses, elapsed, waited, .. }, bits) = match start {
            None => epoch(&mut task, steps, &mut plans, &pool)?,
            Some(start) => {
                let mut ahead = task.clone();
                let makers = vec![move |number: u64, inputs: &mut [Vec<f32>]| ahead.batch(number, inputs)];
                let options = Prefetch { start, ..Prefetch::default() };
                prefetch(&mut task, makers, &options, |task| epoch(task, steps, &mut plans, &pool))??
            }
        };
        let rate = steps as f64 / elapsed.as_secs_f64();
        let share = 100.0 * waited.as_secs_f64() / elapsed.as_secs_f64();
        let last_losses = losses.iter().rev().take(100).sum::<f64>() / 100.0;
        println!("{name:<20} {rate:>16.0} {share:>11.2} {last_losses:>17.4}");
        if *weights.get_or_insert_with(|| bits.clone()) != bits {
            return Err("batches made ahead gave other weights".into());
        }
    }
    println!("The weights have the same bits.");
    Ok(())
}
