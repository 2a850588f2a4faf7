//! Learning from batches of samples.

mod state;

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bessemer_kernels::optimizer::Adam;
use bessemer_kernels::pool::Pool;
use bessemer_phase_reader::{decide, propagate};
use bessemer_train::data::Permutation;

use crate::adapter::Shadow;
use crate::credit::{Chain, local_slopes};
use crate::loss::Loss;
use crate::memory::Memory;
use crate::network::Network;
use crate::options::{Credit, FitOptions};
use crate::radiation::{CacheStatistics, Finder, Index, Search};
use crate::route::Route;
use crate::samples::Samples;
use crate::schedule::Schedule;
use crate::steps::Steps;

pub(crate) use state::{put_network, take_network};

/// Samples that a lane works on, one after another. Slopes are added up lane by lane in order, so that sums
/// do not depend on which thread runs which lane.
pub(crate) const LANE: usize = 8;

/// What was seen of some samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Samples.
    pub samples: usize,
    /// Of them, those whose class was found.
    pub correct: usize,
    /// Those that no output answered.
    pub silent: usize,
    /// Sum of their losses; of a silent one, that of an even guess.
    pub loss: f64,
    /// Steps that signals spread for.
    pub steps: u64,
    /// Messages that arrived.
    pub messages: u64,
    /// Messages that were worked out.
    pub considered: u64,
}

impl Tally {
    /// Numbers of [`Tally::words`].
    pub(crate) const WORDS: usize = 7;

    /// The part that was found.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }

    /// The mean loss.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.samples.max(1) as f64
    }

    /// All of it, as a checkpoint holds it.
    pub(crate) fn words(&self) -> [u64; Tally::WORDS] {
        let Tally { samples, correct, silent, loss, steps, messages, considered } = *self;
        [samples as u64, correct as u64, silent as u64, loss.to_bits(), steps, messages, considered]
    }

    /// The tally of these words, unless one is too large to count on from.
    pub(crate) fn of_words(words: &[u64]) -> Option<Tally> {
        let [samples, correct, silent, loss, steps, messages, considered] = *words else { return None };
        let counts = [samples, correct, silent, steps, messages, considered];
        let tally = Tally {
            samples: samples as usize,
            correct: correct as usize,
            silent: silent as usize,
            loss: f64::from_bits(loss),
            steps,
            messages,
            considered,
        };
        counts.iter().all(|count| *count < 1 << 60).then_some(tally)
    }

    fn add(&mut self, other: &Tally) {
        self.samples += other.samples;
        self.correct += other.correct;
        self.silent += other.silent;
        self.loss += other.loss;
        self.steps += other.steps;
        self.messages += other.messages;
        self.considered += other.considered;
    }
}

/// A class that outputs gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub class: usize,
    /// Of the softmax that is learned by.
    pub probability: f32,
}

/// How far an epoch got, between two steps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Batches that were learned from.
    pub batches: usize,
    /// What was seen of them.
    pub tally: Tally,
}

/// What one lane works in.
struct Lane {
    memory: Memory,
    finder: Finder,
    route: Route,
    chain: Chain,
    tally: Tally,
    answers: Vec<Option<Answer>>,
    /// Slopes of the nodes' indices, `[nodes, 2, D]`, and of the codes', `[classes, 2, D]`.
    own: Vec<f32>,
    codes: Vec<f32>,
    /// Slopes of the input nodes' first indices, `[samples, inputs, 2, D]`.
    inputs: Vec<f32>,
    outputs: Vec<u16>,
    phase: Vec<i16>,
    magnitude: Vec<i16>,
    slopes: Vec<f32>,
    logits: Vec<f32>,
}

/// A network at work on samples, many at a time.
pub(crate) struct Trainer {
    pub network: Network,
    options: FitOptions,
    /// Where nodes radiate to.
    exact: Index,
    /// While learning, if it may be found approximately.
    approximate: Option<Index>,
    lanes: Vec<Mutex<Lane>>,
    shadow: Shadow,
    nodes: Steps,
    codes: Steps,
    held: Held,
}

/// Slopes of batches that are waiting for others.
#[derive(Default)]
struct Held {
    batches: usize,
    samples: usize,
    levels: Vec<f32>,
    inputs: Vec<f32>,
    own: Vec<f32>,
    codes: Vec<f32>,
}

fn lock(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Trainer {
    pub fn new(network: Network, options: FitOptions) -> Trainer {
        let (indices, codes) = (2 * network.phase.len(), 2 * network.codes.phase.len());
        let (nodes, d) = (network.shape.nodes, network.shape.dimensions);
        let lane = || {
            Mutex::new(Lane {
                memory: Memory::new(&network.shape),
                finder: Finder::new(nodes, &options),
                route: Route::default(),
                chain: Chain::new(nodes, d),
                tally: Tally::default(),
                answers: Vec::new(),
                own: vec![0.0; indices],
                codes: vec![0.0; codes],
                inputs: Vec::new(),
                outputs: Vec::new(),
                phase: Vec::new(),
                magnitude: Vec::new(),
                slopes: Vec::new(),
                logits: vec![0.0; network.shape.classes],
            })
        };
        Trainer {
            lanes: (0..options.batch.div_ceil(LANE)).map(|_| lane()).collect(),
            exact: Index::exact(&network, &options),
            approximate: None,
            shadow: Shadow::new(&network.adapter),
            nodes: Steps::new(indices),
            codes: Steps::new(codes),
            held: Held::default(),
            network,
            options,
        }
    }

    /// Learns from all `rows` once, in an order that is a function of the seed and the epoch. After every step
    /// `go_on` may end it, as far as `place` then says, from where it can be gone on with.
    pub fn epoch(
        &mut self,
        samples: &Samples,
        rows: &[usize],
        epoch: usize,
        place: &mut Place,
        pool: &Pool,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let order = Permutation::new(rows.len(), self.options.seed, epoch as u64);
        let order: Vec<usize> = order.iter().map(|place| rows[place]).collect();
        let batches = rows.len().div_ceil(self.options.batch);
        for (number, batch) in order.chunks(self.options.batch).enumerate().skip(place.batches) {
            let levels = self.run(samples, batch, true, pool);
            self.hold(levels, batch.len());
            let lanes = &self.lanes[..batch.len().div_ceil(LANE)];
            lanes.iter().for_each(|lane| place.tally.add(&lock(lane).tally));
            if self.held.batches == self.options.accumulate || number + 1 == batches {
                let done = (epoch as f64 + number as f64 / batches as f64) / self.options.epochs as f64;
                self.update(done, pool);
                place.batches = number + 1;
                go_on()?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The answers to samples, `None` where no output gives one, and how many are those of the labels.
    pub fn classify(
        &mut self,
        samples: &Samples,
        rows: &[usize],
        pool: &Pool,
    ) -> (Vec<Option<Answer>>, Tally) {
        let (mut answers, mut tally) = (Vec::with_capacity(rows.len()), Tally::default());
        for batch in rows.chunks(self.options.batch) {
            self.run(samples, batch, false, pool);
            for lane in &self.lanes[..batch.len().div_ceil(LANE)] {
                let lane = lock(lane);
                answers.extend_from_slice(&lane.answers);
                tally.add(&lane.tally);
            }
        }
        (answers, tally)
    }

    /// How often radiation was found in caches.
    pub fn cache(&self) -> CacheStatistics {
        self.lanes.iter().map(|lane| lock(lane).finder.statistics()).fold(Default::default(), |a, b| a + b)
    }

    /// Lets all samples of a batch spread and, if they are to be learned from, leaves slopes in the lanes. Gives
    /// the samples' levels as floats.
    fn run(&mut self, samples: &Samples, rows: &[usize], learn: bool, pool: &Pool) -> Vec<f32> {
        let network = &self.network;
        let index = match learn && self.options.search == Search::Approximate {
            true => self.approximate.get_or_insert_with(|| Index::new(network, &self.options)),
            false => &mut self.exact,
        };
        index.refresh(network);
        let index = &*index;
        let width = network.adapter.bias.len();
        let levels: Vec<f32> =
            rows.iter().flat_map(|row| samples.sample(*row)).map(|level| f32::from(*level)).collect();
        let mut indices = Vec::new();
        network.adapter.indices(&network.settings, &levels, pool, &mut indices);
        let units = network.codes.units(&network.tables);
        let loss = Loss {
            tables: &network.tables,
            units: &units,
            dimensions: network.shape.dimensions,
            temperature: self.options.temperature,
        };
        let credit = learn.then_some(self.options.credit);
        pool.run(rows.len().div_ceil(LANE), &|task| {
            let mut lane = lock(&self.lanes[task]);
            let from = task * LANE;
            let rows = &rows[from..(from + LANE).min(rows.len())];
            lane.begin(rows.len() * width);
            lane.finder.begin(index, !learn);
            for (place, &row) in rows.iter().enumerate() {
                let indices = &indices[(from + place) * width..][..width];
                lane.sample(network, index, &loss, indices, samples.labels[row] as usize, place, credit);
            }
        });
        levels
    }

    /// Adds the slopes that lanes hold, in their order.
    fn hold(&mut self, levels: Vec<f32>, samples: usize) {
        let held = &mut self.held;
        if held.batches == 0 {
            held.own = vec![0.0; 2 * self.network.phase.len()];
            held.codes = vec![0.0; 2 * self.network.codes.phase.len()];
            held.samples = 0;
            held.inputs.clear();
            held.levels.clear();
        }
        for lane in &self.lanes[..samples.div_ceil(LANE)] {
            let lane = lock(lane);
            held.inputs.extend_from_slice(&lane.inputs);
            held.own.iter_mut().zip(&lane.own).for_each(|(sum, slope)| *sum += slope);
            held.codes.iter_mut().zip(&lane.codes).for_each(|(sum, slope)| *sum += slope);
        }
        held.levels.extend(levels);
        held.batches += 1;
        held.samples += samples;
    }

    /// One step of everything that learns, with this part of the training done.
    fn update(&mut self, done: f64, pool: &Pool) {
        let options = &self.options;
        let factor = Schedule::Cosine.at(1.0, options.floor, done);
        let threshold = options.threshold_schedule.at(options.threshold, options.threshold_end, done);
        let scale = 1.0 / self.held.samples as f32;
        for slopes in [&mut self.held.inputs, &mut self.held.own, &mut self.held.codes] {
            slopes.iter_mut().for_each(|slope| *slope *= scale);
        }
        let adam = |rate: f32| Adam {
            learning_rate: rate * factor,
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
        };
        let Network { settings, phase, magnitude, adapter, codes, tables, fixed, .. } = &mut self.network;
        if options.rate_adapter > 0.0 {
            let rule = Adam { weight_decay: options.weight_decay, ..adam(options.rate_adapter) };
            self.shadow.step(adapter, settings, &self.held.levels, &self.held.inputs, rule, pool);
        }
        let circles = [settings.phases as i64, settings.magnitudes as i64];
        let d = settings.dimensions;
        let rule = |rate: f32| (adam(rate), threshold, options.several);
        if options.rate_nodes > 0.0 {
            self.nodes.step(rule(options.rate_nodes), &self.held.own, [phase.write(), magnitude], circles, d);
        }
        if options.rate_codes > 0.0 {
            let indices = [&mut codes.phase, &mut codes.magnitude];
            self.codes.step(rule(options.rate_codes), &self.held.codes, indices, circles, d);
            *fixed = codes.fixed(tables);
        }
        self.held.batches = 0;
    }
}

impl Lane {
    fn begin(&mut self, inputs: usize) {
        self.tally = Tally::default();
        self.answers.clear();
        self.own.fill(0.0);
        self.codes.fill(0.0);
        self.inputs.clear();
        self.inputs.resize(inputs, 0.0);
    }

    fn sample(
        &mut self,
        network: &Network,
        index: &Index,
        loss: &Loss,
        indices: &[i16],
        label: usize,
        place: usize,
        credit: Option<Credit>,
    ) {
        let view = network.view();
        let d = network.shape.dimensions;
        let mut state = self.memory.state();
        self.route.clear();
        let mut radiation = self.finder.on(index);
        let spread = match credit {
            Some(Credit::Chain) => propagate(&view, indices, &mut state, &mut radiation, &mut self.route),
            _ => propagate(&view, indices, &mut state, &mut radiation, &mut ()),
        };
        let answer = decide(&view, &state, &spread);
        let tally = &mut self.tally;
        tally.samples += 1;
        tally.correct += usize::from(answer.unwrap_or(network.shape.fallback) == label);
        tally.steps += u64::from(spread.steps);
        tally.messages += spread.messages;
        tally.considered += spread.considered;
        let Some(class) = answer else {
            tally.silent += 1;
            tally.loss += (network.shape.classes as f64).ln();
            self.answers.push(None);
            return;
        };
        let gather = |nodes: &[u16], from: &[i16], to: &mut Vec<i16>| {
            to.clear();
            nodes.iter().for_each(|node| to.extend_from_slice(&from[*node as usize * d..][..d]));
        };
        let active = &state.active[..spread.active];
        self.outputs.clear();
        self.outputs.extend(active.iter().filter(|node| view.is_output(**node as usize)));
        gather(&self.outputs, state.phase, &mut self.phase);
        gather(&self.outputs, state.magnitude, &mut self.magnitude);
        loss.logits(&self.phase, &self.magnitude, &mut self.logits);
        tally.loss += f64::from(loss.of(&mut self.logits, label));
        // Softmax less the label is what is left there.
        let probability = self.logits[class] + f32::from(u8::from(class == label));
        self.answers.push(Some(Answer { class, probability }));
        let Some(credit) = credit else { return };
        let slopes_len = self.outputs.len() * 2 * d;
        self.slopes.clear();
        self.slopes.resize(slopes_len, 0.0);
        loss.slopes(&self.phase, &self.magnitude, &self.logits, &mut self.slopes);
        loss.slopes_of_codes(&network.codes, &self.phase, &self.magnitude, &self.logits, &mut self.codes);
        let inputs = &mut self.inputs[place * indices.len()..][..indices.len()];
        match credit {
            Credit::Chain => {
                self.chain.take_back(&self.route, &self.outputs, &self.slopes, &mut self.own, inputs);
            }
            Credit::Local => {
                // Outputs by the loss; all others turn towards the code of the label, by what they hold in the
                // end, and inputs by what they were given.
                for (node, slopes) in self.outputs.iter().zip(self.slopes.chunks_exact(2 * d)) {
                    let own = &mut self.own[*node as usize * 2 * d..][..2 * d];
                    own.iter_mut().zip(slopes).for_each(|(own, slope)| *own += slope);
                }
                let away: Vec<f32> = loss.units[label * d..][..d].iter().map(|unit| -unit).collect();
                self.outputs.clear();
                self.outputs.extend(active.iter().filter(|node| !view.is_output(**node as usize)));
                gather(&self.outputs, state.phase, &mut self.phase);
                gather(&self.outputs, state.magnitude, &mut self.magnitude);
                self.slopes.resize(self.outputs.len() * 2 * d, 0.0);
                local_slopes(loss.tables, &self.phase, &self.magnitude, &away, &mut self.slopes);
                for (node, slopes) in self.outputs.iter().zip(self.slopes.chunks_exact(2 * d)) {
                    let own = &mut self.own[*node as usize * 2 * d..][..2 * d];
                    own.iter_mut().zip(slopes).for_each(|(own, slope)| *own += slope);
                }
                self.phase.clear();
                self.magnitude.clear();
                for input in indices.chunks_exact(2 * d) {
                    self.phase.extend_from_slice(&input[..d]);
                    self.magnitude.extend_from_slice(&input[d..]);
                }
                local_slopes(loss.tables, &self.phase, &self.magnitude, &away, inputs);
            }
        }
    }
}
