//! Compiled work: plans for the micro-batches of a batch, run in lanes.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use bessemer_graph::{Graph, GraphError, differentiate, passes};
use bessemer_kernels::arena::Arena;
use bessemer_kernels::chunks::for_parts;
use bessemer_kernels::pool::Pool;

use crate::batching::{Batching, divide};
use crate::error::PlanError;
use crate::exchange::Exchange;
use crate::folds::{Folds, tensor};
use crate::frame::{Frame, Place, Randomness};
use crate::options::{PlanOptions, Precision};
use crate::packs::Packs;
use crate::parameters::{Parameters, ranges};
use crate::plan::{Plan, is_integer};
use crate::profile::Profile;
use crate::stashes::Stashes;

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

/// One lane's memory.
struct Lane {
    gradients: Arena,
    stash: Arena,
    stashed: Vec<usize>,
    scratch: Vec<f32>,
    losses: Vec<f32>,
    outputs: Vec<Vec<f32>>,
    nanos: [Vec<u64>; 2],
    fault: Option<String>,
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
    parameters: Vec<bessemer_graph::Parameter>,
    folds: Folds,
    packs: Packs,
    packed: Arena,
    packed_version: u64,
    lanes: Vec<Mutex<Lane>>,
    /// One per thread, whichever lane it runs, so that it stays in the thread's cache.
    arenas: Vec<Mutex<Arena>>,
    /// One per micro-batch if values live on from segment to segment, else none.
    kept: Vec<Mutex<Arena>>,
    arena_len: usize,
    outputs: Vec<(String, Vec<f32>)>,
    input_names: Vec<String>,
    integer_inputs: Vec<bool>,
    exchange: Vec<f64>,
    /// Floats of the model's own parameters.
    own_len: usize,
    trains: bool,
    timed: bool,
}

/// Builds the graph of a micro-batch of so many samples.
pub type Trace<'a> = dyn Fn(usize) -> Result<Graph, GraphError> + 'a;

impl Executable {
    /// Compiles `trace` for batches of `batch` samples.
    pub fn compile(trace: &Trace, batch: usize, options: &PlanOptions) -> Result<Executable, PlanError> {
        if options.training && options.precision == Precision::Int8 {
            return Err(PlanError::NotTrainable);
        }
        let batch = batch.max(1);
        let (one, _) = prepare(trace(1)?, 1, batch, options)?;
        let (two, _) = prepare(trace(2)?, 2, batch, options)?;
        let batching = divide(&one, &two, batch, options);
        Executable::with_batching(trace, batching, options)
    }

    fn with_batching(
        trace: &Trace,
        batching: Batching,
        options: &PlanOptions,
    ) -> Result<Executable, PlanError> {
        let traced = trace(batching.micro_batch)?;
        let own = traced.parameters().to_vec();
        let (graph, folds) = prepare(traced, batching.micro_batch, batching.batch, options)?;
        if graph.inputs().len() > MAX_INPUTS {
            return Err(PlanError::TooManyInputs { got: graph.inputs().len(), limit: MAX_INPUTS });
        }
        let places = ranges(graph.parameters());
        let base = places[..own.len()].last().map_or(0, |r| r.end.next_multiple_of(16));
        let folds = Folds::new(&folds, graph.parameters(), &places, base);
        let mut packs = Packs::default();
        let longest_lane = (0..batching.lanes).map(|lane| batching.lane(lane).len()).max().unwrap_or(0);
        let mut stashes = Stashes::new(longest_lane);
        let plan = Plan::new(&graph, &places, &mut packs, &mut stashes, options, batching.count())?;
        let tail = match batching.tail() {
            Some(samples) => {
                let (graph, _) = prepare(trace(samples)?, samples, batching.batch, options)?;
                Some(Plan::new(&graph, &places, &mut packs, &mut stashes, options, batching.count())?)
            }
            None => None,
        };
        if let Some(tail) = &tail {
            assert_eq!(plan.exchanges.len(), tail.exchanges.len(), "a model is traced alike for every size");
        }
        let longest = |f: fn(&Plan) -> usize| f(&plan).max(tail.as_ref().map_or(0, f));
        let arena_len = longest(|p| p.arena_len);
        let kept_len = longest(|p| p.kept_len);
        let scratch_len = longest(|p| p.scratch_len);
        let gradient_len = match options.training {
            true => places.last().map_or(0, |r| r.end.next_multiple_of(16)),
            false => 0,
        };
        let output_len = |value: &str| {
            let (_, v) = graph.outputs().iter().find(|(n, _)| n == value).expect("its own name");
            graph.ty(*v).len()
        };
        let lanes = (0..batching.lanes)
            .map(|lane| {
                let count = batching.lane(lane).len();
                Mutex::new(Lane {
                    gradients: Arena::new(gradient_len),
                    stash: Arena::new(stashes.len()),
                    stashed: vec![0; stashes.count()],
                    scratch: vec![0.0; scratch_len],
                    losses: vec![0.0; count],
                    outputs: graph.outputs().iter().map(|(n, _)| vec![0.0; count * output_len(n)]).collect(),
                    nanos: [vec![0; plan.steps.len()], vec![0; tail.as_ref().map_or(0, |t| t.steps.len())]],
                    fault: None,
                })
            })
            .collect();
        let kept = if kept_len > 0 { batching.count() } else { 0 };
        let outputs = graph
            .outputs()
            .iter()
            .map(|(n, _)| (n.clone(), vec![0.0; output_len(n) / batching.micro_batch * batching.batch]))
            .collect();
        let exchange = plan.exchanges.iter().flatten().map(Exchange::len).max().unwrap_or(0);
        Ok(Executable {
            batching,
            folds,
            packed: Arena::new(packs.len()),
            packs,
            packed_version: 0,
            lanes,
            arenas: vec![Mutex::new(Arena::new(arena_len))],
            kept: (0..kept).map(|_| Mutex::new(Arena::new(kept_len))).collect(),
            arena_len,
            outputs,
            input_names: graph.inputs().iter().map(|i| i.name.clone()).collect(),
            integer_inputs: (0..graph.inputs().len()).map(|i| is_integer(&graph, i)).collect(),
            exchange: vec![0.0; exchange],
            own_len: base,
            trains: options.training,
            timed: false,
            parameters: own,
            plan,
            tail,
        })
    }

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

    /// Numbers in each input of a whole batch.
    pub fn input_lens(&self) -> impl Iterator<Item = usize> + '_ {
        self.plan.input_lens.iter().map(|len| len / self.batching.micro_batch * self.batching.batch)
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

    /// Runs one batch; the scaled loss, or 0 if the graph has none.
    ///
    /// Gradients are left in the lanes (see [`Executable::with_gradients`]); outputs are read with
    /// [`Executable::output`].
    pub fn run(&mut self, pool: &Pool, parameters: &Parameters, batch: &Batch) -> Result<f64, PlanError> {
        self.check(batch)?;
        self.refresh(pool, parameters);
        while self.arenas.len() < pool.threads().min(self.lanes.len()) {
            self.arenas.push(Mutex::new(Arena::new(self.arena_len)));
        }
        let segments = self.plan.segments.len();
        for segment in 0..segments {
            if segment > 0 {
                self.exchange(segment - 1);
            }
            let this = &*self;
            pool.run(this.lanes.len(), &|lane| this.run_lane(lane, segment, parameters, batch));
        }
        if self.trains {
            self.spread_gradients(pool, parameters);
        }
        self.collect(batch)
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

    fn run_lane(&self, lane: usize, segment: usize, parameters: &Parameters, batch: &Batch) {
        let mut memory = self.lanes[lane].lock().expect("no run panicked");
        let memory = &mut *memory;
        let range = self.batching.lane(lane);
        let mut arena = self.free_arena();
        let mut nothing = Arena::new(0);
        let mut input_ranges = [const { 0..0 }; MAX_INPUTS];
        for (position, micro) in range.clone().enumerate() {
            let samples = micro * self.batching.micro_batch;
            let is_tail = samples + self.batching.micro_batch > self.batching.batch;
            let plan =
                if is_tail { self.tail.as_ref().expect("compiled with the batching") } else { &self.plan };
            for (to, len) in input_ranges.iter_mut().zip(&self.plan.input_lens) {
                let each = len / self.batching.micro_batch;
                let end = (samples + self.batching.micro_batch).min(self.batching.batch);
                *to = samples * each..end * each;
            }
            let mut kept = self.kept.get(micro).map(|kept| kept.lock().expect("no run panicked"));
            let kept = kept.as_deref_mut().unwrap_or(&mut nothing);
            let mut frame = Frame {
                memories: [&mut arena, kept, &mut memory.gradients, &mut memory.stash],
                scratch: &mut memory.scratch,
                parameters: parameters.as_slice(),
                derived: self.folds.derived(),
                packed: self.packed.as_slice(),
                constants: &plan.constants,
                inputs: batch.inputs,
                input_ranges: &input_ranges,
                loss_scale: &[batch.loss_scale],
                first: position == 0,
                last: position + 1 == range.len(),
                stashed: &mut memory.stashed,
                randomness: Randomness { seed: batch.seed, step: batch.step, first_sample: samples as u64 },
                fault: None,
            };
            match self.timed {
                true => plan.run_timed(segment, &mut frame, &mut memory.nanos[usize::from(is_tail)]),
                false => plan.run(segment, &mut frame),
            }
            if let Some(fault) = frame.fault.take() {
                memory.fault.get_or_insert(fault);
            }
            if segment + 1 == self.plan.segments.len() {
                memory.losses[position] = plan.loss.as_ref().map_or(0.0, |place| frame.read(place)[0]);
                for (out, ((_, place), (_, full))) in
                    memory.outputs.iter_mut().zip(plan.outputs.iter().zip(&self.outputs))
                {
                    let stride = full.len() / self.batching.batch * self.batching.micro_batch;
                    let value = frame.read(place);
                    out[position * stride..][..value.len()].copy_from_slice(value);
                }
            }
        }
    }

    /// An arena that no other lane is using. There is one for every thread.
    fn free_arena(&self) -> MutexGuard<'_, Arena> {
        loop {
            if let Some(free) = self.arenas.iter().find_map(|arena| arena.try_lock().ok()) {
                return free;
            }
            std::hint::spin_loop();
        }
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
        let batching = self.batching;
        for (lane, memory) in self.lanes.iter_mut().enumerate() {
            let memory = memory.get_mut().expect("no run panicked");
            let micro = batching.lane(lane);
            let has_tail = self.tail.is_some() && micro.end == batching.count();
            let full = micro.len() - usize::from(has_tail);
            profile.add(&self.plan, &memory.nanos[0], full);
            if let (Some(tail), true) = (&self.tail, has_tail) {
                profile.add(tail, &memory.nanos[1], 1);
            }
            memory.nanos.iter_mut().for_each(|n| n.fill(0));
        }
        profile
    }
}

/// The most inputs a graph may have.
pub const MAX_INPUTS: usize = 16;
/// The most lanes.
pub const MAX_LANES: usize = 64;

/// Differentiates and rewrites the graph of `samples` samples of a batch as the options say.
/// The graph of a batch after differentiation and every pass: what plans are made of.
pub fn prepared(graph: Graph, options: &PlanOptions) -> Result<Graph, PlanError> {
    prepare(graph, 1, 1, options).map(|(graph, _)| graph)
}

fn prepare(
    graph: Graph,
    samples: usize,
    batch: usize,
    options: &PlanOptions,
) -> Result<(Graph, Vec<passes::Fold>), PlanError> {
    let graph = if options.attention { graph } else { passes::materialise_attention(&graph)? };
    // Of a folded pair, neither weight would be kept as integers.
    let (mut graph, folds) = match options.fold && options.precision != Precision::Int8 {
        true => passes::fold_linear(&graph, batch as f64 / samples as f64)?,
        false => (graph, Vec::new()),
    };
    if options.training {
        differentiate(&mut graph)?;
    }
    if options.simplify {
        graph = passes::simplify(&graph)?;
    }
    let graph = if options.fuse {
        passes::fuse_elementwise(&passes::fuse_linear(&graph)?)?
    } else {
        passes::lower_elementwise(&graph)?
    };
    Ok((graph, folds))
}
