//! Compiled work: plans for the micro-batches of a batch, run in lanes.

mod compile;
mod lane;

pub(crate) use compile::rewritten;
pub use compile::{Recomputing, Trace, prepared};

use std::ops::Range;
use std::sync::Mutex;

use bessemer_kernels::arena::Arena;
use bessemer_kernels::chunks::for_parts;
use bessemer_kernels::pool::Pool;

use self::lane::{Arenas, Lane};
use crate::batching::Batching;
use crate::error::PlanError;
use crate::finite::NotFinite;
use crate::folds::{Folds, tensor};
use crate::frame::Place;
use crate::options::Precision;
use crate::packs::Packs;
use crate::parameters::{Parameters, ranges};
use crate::plan::Plan;
use crate::profile::{Call, Profile};

/// What a run needs besides the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// One slice per input, the first axis the sample. Integers are passed as their bits (see
    /// [`as_words`]).
    pub inputs: &'a [&'a [f32]],
    /// The factor on the summed loss, such as 1 / (elements of the batch).
    pub loss_scale: f32,
    /// The run's seed, for dropout.
    pub seed: u64,
    /// The step, for dropout.
    pub step: u64,
}

/// Integers as the words in which inputs are passed.
pub fn as_words(integers: &[i32]) -> &[f32] {
    bytemuck::cast_slice(integers)
}

/// A compiled graph for batches of one size: a training step or a prediction.
///
/// ```
/// use bessemer_graph::{Graph, Type};
/// use bessemer_kernels::pool::Pool;
/// use bessemer_plan::{Batch, Executable, Parameters, PlanOptions};
///
/// // y = x·Wᵀ
/// let trace = |samples: usize| {
///     let mut g = Graph::new();
///     let x = g.input("x", Type::f32([samples, 2]));
///     let w = g.parameter("w", &[1, 2])?;
///     let y = g.linear(x, w, None)?;
///     g.output("y", y);
///     Ok(g)
/// };
/// let mut predict = Executable::compile(&trace, 3, &PlanOptions::INFER)?;
/// let mut parameters = Parameters::new(predict.parameters());
/// parameters.get_mut(0).copy_from_slice(&[1.0, 10.0]);
/// let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// predict.run(&Pool::new(1), &parameters, &Batch { inputs: &[&x], loss_scale: 1.0, seed: 0, step: 0 })?;
/// assert_eq!(predict.output("y").unwrap(), [21.0, 43.0, 65.0]);
/// # Ok::<(), bessemer_plan::PlanError>(())
/// ```
pub struct Executable {
    batching: Batching,
    plan: Plan,
    tail: Option<Plan>,
    recomputing: Option<Recomputing>,
    parameters: Vec<bessemer_graph::Parameter>,
    folds: Folds,
    packs: Packs,
    packed: Arena,
    packed_version: u64,
    lanes: Vec<Mutex<Lane>>,
    /// One per thread, whichever lane it runs, so that it stays in the thread's cache.
    arenas: Vec<Mutex<Arenas>>,
    /// One per micro-batch if values live on from segment to segment, else none.
    kept: Vec<Mutex<Arena>>,
    arena_lens: (usize, usize),
    outputs: Vec<(String, Vec<f32>)>,
    input_names: Vec<String>,
    integer_inputs: Vec<bool>,
    exchange: Vec<f64>,
    /// Floats of the model's own parameters.
    own_len: usize,
    trains: bool,
    timed: bool,
    traced: bool,
    checked: bool,
}

impl Executable {
    /// Names and shapes of the parameters.
    pub fn parameters(&self) -> &[bessemer_graph::Parameter] {
        &self.parameters
    }

    /// The parameters that are multiplied as 8-bit integers, by number.
    pub fn int8_parameters(&self) -> Vec<usize> {
        let places = ranges(&self.parameters);
        let is_int8 = |place: &Range<usize>| {
            self.packs.list.iter().any(|p| p.precision == Precision::Int8 && p.parameter == *place)
        };
        (0..places.len()).filter(|&i| is_int8(&places[i])).collect()
    }

    /// How batches are divided.
    pub fn batching(&self) -> Batching {
        self.batching
    }

    /// The plan of a full micro-batch.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What a full micro-batch drops and computes again, if its memory has a budget.
    pub fn recomputing(&self) -> Option<&Recomputing> {
        self.recomputing.as_ref()
    }

    /// Numbers in each input of a whole batch.
    pub fn input_lens(&self) -> impl Iterator<Item = usize> + '_ {
        self.plan.input_lens.iter().map(|len| len / self.batching.micro_batch * self.batching.batch)
    }

    /// Floats of the arenas that a run on so many threads needs: most of its memory.
    pub fn arena_floats(&self, threads: usize) -> usize {
        let (values, loops) = self.arena_lens;
        threads.min(self.lanes.len()) * (values + loops) + self.kept.len() * self.plan.kept_len
    }

    /// Products with weights, and attention, of a micro-batch: how many run in the precision asked for, and how
    /// many there are. Others run in f32: those of few rows or with a short side, as rounding would cost more
    /// than it saves.
    pub fn products(&self, precision: Precision) -> (usize, usize) {
        let prefix = match precision {
            Precision::F32 => "",
            Precision::Bf16 => "bf16_",
            Precision::F16 => "f16_",
            Precision::Int8 => "int8_",
        };
        let inner = self.plan.steps.iter().flat_map(|step| step.inner.iter());
        let kernels = self.plan.steps.iter().chain(inner).map(|step| step.kernel);
        let is_product = |name: &&str| {
            let name = name.split_once('_').map_or(*name, |(first, rest)| match first {
                "bf16" | "f16" | "int8" => rest,
                _ => name,
            });
            ["gemm", "deferred_gemm", "attention"].iter().any(|start| name.starts_with(start))
        };
        let all: Vec<&str> = kernels.filter(is_product).collect();
        (all.iter().filter(|name| name.starts_with(prefix)).count(), all.len())
    }

    /// Floating-point operations of a run.
    pub fn flops(&self) -> f64 {
        let full = self.batching.batch / self.batching.micro_batch;
        let tail = self.tail.as_ref().map_or(0.0, Plan::flops);
        full as f64 * self.plan.flops() + tail + self.folds.flops(self.trains)
    }

    /// Starts (or stops) measuring the time of every call.
    pub fn set_timed(&mut self, timed: bool) {
        self.timed = timed;
    }

    /// Starts (or stops) noting down every call, see [`Executable::take_calls`].
    pub fn set_traced(&mut self, traced: bool) {
        self.traced = traced;
    }

    /// Runs one batch; the scaled loss, or 0 if the graph has none.
    ///
    /// Gradients are left in the lanes (see [`Executable::with_gradients`]); outputs are read with
    /// [`Executable::output`].
    pub fn run(&mut self, pool: &Pool, parameters: &Parameters, batch: &Batch) -> Result<f64, PlanError> {
        self.check(batch)?;
        self.refresh(pool, parameters);
        while self.arenas.len() < pool.threads().min(self.lanes.len()) {
            self.arenas.push(Mutex::new(Arenas::new(self.arena_lens)));
        }
        let segments = self.plan.segments.len();
        for segment in 0..segments {
            if segment > 0 {
                self.exchange(segment - 1);
            }
            let this = &*self;
            // A single lane is run by this thread, and may share out what it does.
            let idle = (this.lanes.len() == 1 && pool.threads() > 1).then_some(pool);
            pool.run(this.lanes.len(), &|lane| this.run_lane(idle, lane, segment, parameters, batch));
        }
        if self.trains {
            self.spread_gradients(pool, parameters);
        }
        self.collect(batch)
    }

    /// Runs one batch; the first call, lane after lane, that wrote something that is no number.
    pub(crate) fn run_checked(
        &mut self,
        pool: &Pool,
        parameters: &Parameters,
        batch: &Batch,
    ) -> Result<Option<NotFinite>, PlanError> {
        self.checked = true;
        let run = self.run(pool, parameters, batch);
        self.checked = false;
        let culprits =
            self.lanes.iter_mut().map(|lane| lane.get_mut().expect("no run panicked").culprit.take());
        let first = culprits.collect::<Vec<_>>().into_iter().flatten().next();
        run.map(|_| first)
    }

    /// The name of every input, if it holds floats.
    pub(crate) fn float_inputs(&self) -> impl Iterator<Item = Option<&str>> {
        let names = self.input_names.iter().map(String::as_str);
        names.zip(&self.integer_inputs).map(|(name, integers)| (!integers).then_some(name))
    }

    /// Takes the gradients of folded layers back to those that were folded.
    fn spread_gradients(&mut self, pool: &Pool, parameters: &Parameters) {
        let mut views = [(); MAX_LANES].map(|()| &mut [] as &mut [f32]);
        let count = self.lanes.len();
        for (view, lane) in views.iter_mut().zip(&mut self.lanes) {
            *view = lane.get_mut().expect("no run panicked").gradients.as_mut_slice();
        }
        self.folds.spread(pool, parameters.as_slice(), &mut views[..count]);
    }

    fn check(&self, batch: &Batch) -> Result<(), PlanError> {
        if batch.inputs.len() != self.input_names.len() {
            return Err(PlanError::InputCount {
                got: batch.inputs.len(),
                expected: self.input_names.len(),
                names: self.input_names.join(", "),
            });
        }
        for ((input, name), expected) in batch.inputs.iter().zip(&self.input_names).zip(self.input_lens()) {
            if input.len() != expected {
                return Err(PlanError::Input {
                    name: name.clone(),
                    got: input.len(),
                    batch: self.batching.batch,
                    expected,
                });
            }
        }
        Ok(())
    }

    /// Folds and packs the weights anew if the parameters changed.
    fn refresh(&mut self, pool: &Pool, parameters: &Parameters) {
        if self.packed_version == parameters.version() {
            return;
        }
        self.folds.derive(pool, parameters.as_slice());
        let (list, derived) = (&self.packs.list, self.folds.derived());
        let packed = self.packed.as_mut_slice();
        for_parts(pool, packed, &self.packs.ranges, &|i, out| {
            list[i].refresh(tensor(parameters.as_slice(), derived, &list[i].parameter), out);
        });
        self.packed_version = parameters.version();
    }

    /// Joins what all micro-batches hold, in order, for the segment after `boundary`.
    fn exchange(&mut self, boundary: usize) {
        let count = self.batching.count();
        let plan_of = |micro: usize| match &self.tail {
            Some(tail) if micro + 1 == count => tail,
            _ => &self.plan,
        };
        for e in 0..self.plan.exchanges[boundary].len() {
            let total = &mut self.exchange[..self.plan.exchanges[boundary][e].len()];
            let mut values = 0;
            total.fill(0.0);
            for (micro, kept) in self.kept.iter_mut().enumerate() {
                let exchange = &plan_of(micro).exchanges[boundary][e];
                values += exchange.values();
                exchange.add(kept.get_mut().expect("no run panicked").as_slice(), total);
            }
            let count = values as f64;
            for (micro, kept) in self.kept.iter_mut().enumerate() {
                let exchange = &plan_of(micro).exchanges[boundary][e];
                exchange.add_distances(kept.get_mut().expect("no run panicked").as_slice(), count, total);
            }
            for (micro, kept) in self.kept.iter_mut().enumerate() {
                let exchange = &plan_of(micro).exchanges[boundary][e];
                exchange.give(total, count, kept.get_mut().expect("no run panicked").as_mut_slice());
            }
        }
    }

    /// Sums losses in order and puts outputs side by side.
    fn collect(&mut self, batch: &Batch) -> Result<f64, PlanError> {
        let mut loss = 0.0f64;
        for lane in 0..self.lanes.len() {
            let memory = self.lanes[lane].get_mut().expect("no run panicked");
            if let Some(problem) = memory.fault.take() {
                return Err(PlanError::Index { scope: "model".into(), problem });
            }
            loss += memory.losses.iter().map(|&x| x as f64).sum::<f64>();
            let range = self.batching.lane(lane);
            for (out, (_, full)) in memory.outputs.iter().zip(&mut self.outputs) {
                let each = full.len() / self.batching.batch;
                let start = range.start * self.batching.micro_batch;
                let end = (range.end * self.batching.micro_batch).min(self.batching.batch);
                full[start * each..end * each].copy_from_slice(&out[..(end - start) * each]);
            }
        }
        Ok(loss * batch.loss_scale as f64)
    }

    /// A named result of the last run, all samples in order.
    pub fn output(&self, name: &str) -> Option<&[f32]> {
        self.outputs.iter().find(|(n, _)| n == name).map(|(_, data)| data.as_slice())
    }

    /// Calls `f` with the gradients of every lane, laid out as the parameters are. Their sum is the
    /// gradient of the last run's loss.
    pub fn with_gradients<R>(&mut self, f: impl FnOnce(&[&[f32]]) -> R) -> R {
        let mut views = [&[] as &[f32]; MAX_LANES];
        let count = self.lanes.len();
        for (view, lane) in views.iter_mut().zip(&mut self.lanes) {
            let gradients = lane.get_mut().expect("no run panicked").gradients.as_slice();
            *view = &gradients[..gradients.len().min(self.own_len)];
        }
        f(&views[..count])
    }

    /// Statistics that the last run computed for parameters that follow no gradient: (where among
    /// the parameters, new value).
    pub fn for_each_buffer(&mut self, mut f: impl FnMut(std::ops::Range<usize>, &[f32])) {
        let Some(kept) = self.kept.first_mut() else { return };
        let kept = kept.get_mut().expect("no run panicked").as_slice();
        for (range, place) in &self.plan.buffers {
            if let Place::Kept(r) = place {
                f(range.clone(), &kept[r.clone()]);
            }
        }
    }

    /// Which inputs hold integers.
    pub fn integer_inputs(&self) -> &[bool] {
        &self.integer_inputs
    }

    /// Time by call since [`Executable::set_timed`], cleared by this call.
    pub fn take_profile(&mut self) -> Profile {
        let mut profile = Profile::default();
        [Some(&self.plan), self.tail.as_ref()].into_iter().flatten().for_each(|plan| profile.add(plan));
        profile
    }

    /// Every call since [`Executable::set_traced`], lane after lane, cleared by this call.
    pub fn take_calls(&mut self) -> Vec<Call> {
        let mut calls = Vec::new();
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            for noted in lane.get_mut().expect("no run panicked").noted.drain(..) {
                let tail = self.tail.as_ref().filter(|_| noted.is_tail);
                calls.push(noted.call(tail.unwrap_or(&self.plan), number));
            }
        }
        calls
    }
}

/// The most inputs a graph may have.
pub const MAX_INPUTS: usize = 16;
/// The most lanes.
pub const MAX_LANES: usize = 64;
