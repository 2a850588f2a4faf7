//! A graph laid out: a straight list of kernel calls over one arena.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bessemer_graph::ops::fused::Instruction;
use bessemer_graph::ops::source::Source;
use bessemer_graph::{Cost, DType, Graph, Node, Op, ValueId};

use crate::error::PlanError;
use crate::exchange::Exchange;
use crate::finite::{NotFinite, Origin, first_not_finite};
use crate::frame::{Accumulate, Call, Frame, Place};
use crate::layout::{Buffer, lay_out, line_up};
use crate::lower::{Lowered, Site, accumulates, batch_moments, lower};
use crate::options::PlanOptions;
use crate::order::Order;
use crate::packs::Packs;
use crate::profile::{Clock, Noted};
use crate::stashes::Stashes;

/// One kernel call of a plan.
pub struct Step {
    call: Call,
    /// The operation, as the graph names it.
    pub operation: &'static str,
    /// The kernel that runs.
    pub kernel: &'static str,
    /// Whether idle threads help when a step has work for one only.
    pub shared: bool,
    /// Where in the model it stands.
    pub scope: String,
    /// Its work.
    pub cost: Cost,
    /// What a loop runs at each of its steps.
    pub inner: Arc<[Step]>,
    /// What it does, by name: one operation, or those of a fused group.
    parts: Vec<&'static str>,
    /// Where its floats go.
    writes: Vec<Place>,
    /// Time while [`Frame::timed`].
    pub(crate) clock: Clock,
}

impl Step {
    /// Makes the call.
    pub(crate) fn run(&self, frame: &mut Frame) {
        if frame.timed {
            let start = Instant::now();
            (self.call)(frame);
            self.clock.add(start.elapsed().as_nanos() as u64);
        } else {
            (self.call)(frame);
        }
        if frame.checked && frame.culprit.is_none() {
            let bad = self.writes.iter().find_map(|place| first_not_finite(frame.read(place)));
            frame.culprit = bad.map(|value| NotFinite {
                value,
                origin: Origin::Operation { names: self.parts.clone(), scope: self.scope.clone() },
            });
        }
    }
}

/// What lies around a graph that is laid out.
pub(crate) struct Surroundings<'a> {
    /// Where each parameter is found.
    pub parameters: &'a [Place],
    /// Where each input is found.
    pub inputs: &'a [Place],
    /// Where outputs go; where this is `Nowhere`, or of those past the end, anywhere.
    pub outputs: &'a [Place],
    /// The memory of everything else.
    pub memory: fn(Range<usize>) -> Place,
}

/// A straight list of kernel calls for micro-batches of one size.
pub struct Plan {
    /// The calls, in order.
    pub steps: Vec<Step>,
    /// Ranges of `steps` between which micro-batches wait for each other.
    pub(crate) segments: Vec<Range<usize>>,
    /// After each segment but the last, what micro-batches tell each other.
    pub(crate) exchanges: Vec<Vec<Exchange>>,
    /// Floats of the arena.
    pub arena_len: usize,
    /// Floats that each micro-batch keeps from segment to segment.
    pub kept_len: usize,
    /// Floats of the arena of loops.
    pub loop_len: usize,
    /// Floats of scratch.
    pub scratch_len: usize,
    pub(crate) constants: Vec<f32>,
    pub(crate) loss: Option<Place>,
    pub(crate) outputs: Vec<(String, Place)>,
    /// New values of parameters: (range among the parameters, value).
    pub(crate) buffers: Vec<(Range<usize>, Place)>,
    /// Floats of each input for one micro-batch.
    pub(crate) input_lens: Vec<usize>,
}

impl Plan {
    /// Lays a graph out, one of so many micro-batches of a step. `parameters` says where each
    /// parameter lies.
    pub(crate) fn new(
        graph: &Graph,
        parameters: &[Range<usize>],
        packs: &mut Packs,
        stashes: &mut Stashes,
        options: &PlanOptions,
        micro_batches: usize,
    ) -> Result<Plan, PlanError> {
        let places: Vec<Place> = parameters.iter().cloned().map(Place::Parameter).collect();
        let inputs: Vec<Place> = (0..graph.inputs().len()).map(Place::Input).collect();
        let around =
            Surroundings { parameters: &places, inputs: &inputs, outputs: &[], memory: Place::Arena };
        let mut constants = Vec::new();
        let mut plan =
            Plan::within(&around, graph, parameters, &mut constants, packs, stashes, options, micro_batches)?;
        plan.constants = constants;
        Ok(plan)
    }

    /// Lays a graph out amid another one: its constants are appended to `constants`. `parameters` are the
    /// ranges of those that have gradients or statistics.
    pub(crate) fn within(
        around: &Surroundings,
        graph: &Graph,
        parameters: &[Range<usize>],
        constants: &mut Vec<f32>,
        packs: &mut Packs,
        stashes: &mut Stashes,
        options: &PlanOptions,
        micro_batches: usize,
    ) -> Result<Plan, PlanError> {
        let order = Order::new(graph);
        let alias = aliases(graph);
        let constant_ranges: Vec<Range<usize>> = graph
            .constants()
            .iter()
            .map(|c| {
                let start = constants.len();
                constants.extend_from_slice(c);
                start..constants.len()
            })
            .collect();

        // Where a value lies, by its alias root.
        let mut place: Vec<Option<Place>> = vec![None; graph.types().len()];
        for node in graph.nodes() {
            if let Op::Source(source) = &node.op {
                place[node.outputs[0].index()] = Some(match source {
                    Source::Input(i) => around.inputs[*i].clone(),
                    Source::Parameter(i) => around.parameters[*i].clone(),
                    Source::Constant(i) => Place::Constant(constant_ranges[*i].clone()),
                    Source::LossScale => Place::LossScale,
                });
            }
        }
        let mut read_count = vec![0usize; graph.types().len()];
        for node in graph.nodes().iter().filter(|n| !matches!(n.op, Op::Reshape(_))) {
            node.inputs.iter().for_each(|v| read_count[alias[v.index()]] += 1);
        }
        graph.roots().iter().for_each(|v| read_count[alias[v.index()]] += 1);

        // Gradients that their operation can write straight into the lane's accumulator.
        let mut how = vec![Accumulate::Never; graph.types().len()];
        let mut contributed = vec![false; parameters.len()];
        let mut whole_gradient = vec![false; graph.types().len()];
        let mut copies: Vec<(usize, usize, Accumulate)> = Vec::new();
        let position_of = |v: usize| order.position.get(&v).copied().unwrap_or(usize::MAX);
        let mut gradients: Vec<(usize, usize)> =
            graph.gradients().iter().map(|(p, v)| (*p, alias[v.index()])).collect();
        gradients.sort_by_key(|(_, v)| position_of(*v));
        // Copies run after everything else, so contributions written directly come first.
        let direct = |v: usize| {
            place[v].is_none()
                && read_count[v] == 1
                && order.producer(graph, v).is_some_and(|n| accumulates(&n.op))
        };
        let is_direct: Vec<bool> = gradients.iter().map(|(_, v)| direct(*v)).collect();
        for pass in [true, false] {
            for ((p, v), _) in gradients.iter().zip(&is_direct).filter(|(_, d)| **d == pass) {
                let mode = if std::mem::replace(&mut contributed[*p], true) {
                    Accumulate::Always
                } else {
                    Accumulate::AfterFirst
                };
                if pass {
                    place[*v] = Some(Place::Gradient(parameters[*p].clone()));
                    how[*v] = mode;
                    whole_gradient[*v] = gradients.iter().filter(|(other, _)| other == p).count() == 1;
                } else {
                    copies.push((*p, *v, mode));
                }
            }
        }

        // Outputs that are asked for in some place are made there, if they are made at all.
        for ((_, v), to) in graph.outputs().iter().zip(around.outputs) {
            let place = &mut place[alias[v.index()]];
            if place.is_none() && *to != Place::Nowhere {
                *place = Some(to.clone());
            }
        }

        // Everything else gets a buffer in the arena.
        let end = order.nodes.len();
        let keep: Vec<usize> = graph.roots().iter().map(|v| alias[v.index()]).collect();
        let statistics: Vec<usize> = graph.buffers().iter().map(|(_, v)| alias[v.index()]).collect();
        // Values of one segment share an arena that stays in the cache; the others are kept.
        let mut within = Values::default();
        let mut kept = Values::default();
        // What micro-batches give for moments, by node.
        let mut given: HashMap<usize, usize> = HashMap::new();
        for (position, &n) in order.nodes.iter().enumerate() {
            let node = &graph.nodes()[n];
            if matches!(node.op, Op::Reshape(_)) {
                continue;
            }
            if let Op::BatchMoments(_) = node.op {
                // Written before anything is exchanged for this segment.
                let first = order.start_of(order.segment[n]);
                given.insert(n, kept.buffers.len());
                kept.owners.push(None);
                kept.buffers.push(Buffer { len: 2 * graph.ty(node.outputs[0]).len(), first, last: position });
            }
            for (i, v) in node.outputs.iter().enumerate() {
                let v = v.index();
                let optional = match &node.op {
                    Op::Linear(_) => i == 1,
                    Op::Scan(scan) => i >= scan.states(),
                    Op::WavePackets(waves) => i > waves.order,
                    _ => false,
                };
                if place[v].is_some() {
                    continue;
                }
                if read_count[v] == 0 && optional {
                    place[v] = Some(Place::Nowhere);
                    continue;
                }
                let last =
                    if keep.contains(&v) { end } else { order.last_read(graph, &alias, v).max(position) };
                let lasts = order.segment_at(position) != order.segment_at(last)
                    || is_exchange(&node.op)
                    || statistics.contains(&v);
                let list = if lasts { &mut kept } else { &mut within };
                list.owners.push(Some(v));
                list.buffers.push(Buffer { len: graph.types()[v].len(), first: position, last });
            }
        }
        let (_, arena_len) = within.lay_out(&mut place, around.memory, options.reuse);
        let (kept_ranges, kept_len) = kept.lay_out(&mut place, Place::Kept, options.reuse);
        let at = |v: &ValueId| place[alias[v.index()]].clone().expect("every value was placed");

        // Calls.
        let mut plan = Plan {
            steps: Vec::new(),
            segments: Vec::new(),
            exchanges: Vec::new(),
            arena_len,
            kept_len,
            loop_len: 0,
            scratch_len: 0,
            constants: Vec::new(),
            loss: graph.loss().as_ref().map(at),
            outputs: graph.outputs().iter().map(|(n, v)| (n.clone(), at(v))).collect(),
            buffers: graph.buffers().iter().map(|(p, v)| (parameters[*p].clone(), at(v))).collect(),
            input_lens: graph.inputs().iter().map(|i| i.ty.len()).collect(),
        };
        let mut segment_start = 0;
        let mut current_segment = 0;
        for &n in &order.nodes {
            let node = &graph.nodes()[n];
            if is_exchange(&node.op) {
                while plan.exchanges.len() < order.segment[n] {
                    plan.exchanges.push(Vec::new());
                }
                let kept = |v: &ValueId| match at(v) {
                    Place::Kept(range) => Ok(range),
                    _ => Err(PlanError::Unsupported {
                        operation: node.op.operation().name(),
                        scope: node.scope.to_string(),
                        problem: "joins something that is no result of the micro-batch".into(),
                    }),
                };
                let exchange = match given.get(&n) {
                    None => Exchange::Sum { from: kept(&node.inputs[0])?, to: kept(&node.outputs[0])? },
                    Some(given) => {
                        while current_segment + 1 < order.segment[n] {
                            plan.segments.push(segment_start..plan.steps.len());
                            segment_start = plan.steps.len();
                            current_segment += 1;
                        }
                        let (from, shape) = (kept_ranges[*given].clone(), graph.shape(node.inputs[0]));
                        let local =
                            batch_moments::local(shape, at(&node.inputs[0]), Place::Kept(from.clone()));
                        plan.push(local, node, graph.cost(node), vec![Place::Kept(from.clone())]);
                        let values = shape.iter().product::<usize>() / shape[1].max(1);
                        let (mean, variance) = (kept(&node.outputs[0])?, kept(&node.outputs[1])?);
                        Exchange::Moments { from, values, mean, variance }
                    }
                };
                plan.exchanges[order.segment[n] - 1].push(exchange);
                continue;
            }
            if matches!(node.op, Op::Source(_) | Op::Reshape(_)) {
                continue;
            }
            while current_segment < order.segment[n] {
                plan.segments.push(segment_start..plan.steps.len());
                segment_start = plan.steps.len();
                current_segment += 1;
            }
            let mut site = Site {
                graph,
                node,
                reads: node.inputs.iter().map(at).collect(),
                writes: node.outputs.iter().map(at).collect(),
                accumulate: node.outputs.iter().map(|v| how[v.index()]).collect(),
                whole_gradient: node.outputs.iter().map(|v| whole_gradient[v.index()]).collect(),
                packs,
                stashes,
                constants,
                options,
                micro_batches,
            };
            let lowered = lower(&mut site)?;
            let numbers = match &node.op {
                // Attention's sums of exponentials are -infinity where nothing is to be seen.
                Op::Attention(_) => &node.outputs[..1],
                // There are gaps in what is kept of waves.
                Op::WavePackets(waves) => &node.outputs[..=waves.order],
                _ => &node.outputs[..],
            };
            let floats = numbers.iter().filter(|v| graph.ty(**v).dtype == DType::F32);
            plan.push(lowered, node, graph.cost(node), floats.map(at).collect());
        }
        for (p, v, mode) in copies {
            let from = place[v].clone().expect("placed");
            let to = Place::Gradient(parameters[p].clone());
            let scope = graph.parameters()[p].name.clone();
            plan.steps.push(copy_step("gradient_copy", scope, parameters[p].len(), from, to, mode));
        }
        for ((name, v), to) in graph.outputs().iter().zip(around.outputs) {
            let from = at(v);
            if from != *to && *to != Place::Nowhere {
                let len = graph.ty(*v).len();
                plan.steps.push(copy_step("copy", name.clone(), len, from, to.clone(), Accumulate::Never));
            }
        }
        plan.segments.push(segment_start..plan.steps.len());
        while plan.exchanges.len() + 1 > plan.segments.len() {
            // A sum that only the outside reads still ends a segment.
            plan.segments.push(plan.steps.len()..plan.steps.len());
        }
        Ok(plan)
    }

    fn push(&mut self, lowered: Lowered, node: &Node, cost: Cost, writes: Vec<Place>) {
        self.scratch_len = self.scratch_len.max(lowered.scratch);
        self.loop_len = self.loop_len.max(lowered.loop_len);
        self.steps.push(Step {
            call: lowered.call,
            operation: node.op.operation().name(),
            kernel: lowered.kernel,
            shared: lowered.shared,
            scope: node.scope.to_string(),
            cost: Cost { bytes: cost.bytes - lowered.saved_bytes, ..cost },
            inner: lowered.inner,
            parts: parts(&node.op),
            writes,
            clock: Clock::default(),
        });
    }

    /// Runs one segment.
    pub(crate) fn run(&self, segment: usize, frame: &mut Frame) {
        for step in &self.steps[self.segments[segment].clone()] {
            step.run(frame);
        }
    }

    /// Runs one segment, and notes every call down.
    pub(crate) fn run_noted(
        &self,
        segment: usize,
        frame: &mut Frame,
        (thread, is_tail): (usize, bool),
        noted: &mut Vec<Noted>,
    ) {
        for step in self.segments[segment].clone() {
            let start = Instant::now();
            self.steps[step].run(frame);
            noted.push(Noted { step, is_tail, thread, start, nanos: start.elapsed().as_nanos() as u64 });
        }
    }

    /// Work of one micro-batch.
    pub fn flops(&self) -> f64 {
        self.steps.iter().map(|s| s.cost.flops).sum()
    }
}

/// The operations that a node stands for.
fn parts(op: &Op) -> Vec<&'static str> {
    let Op::Fused(fused) = op else { return vec![op.operation().name()] };
    let mut names: Vec<&'static str> = fused.instructions.iter().filter_map(Instruction::name).collect();
    names.dedup();
    names
}

/// A copy of `len` floats.
fn copy_step(
    operation: &'static str,
    scope: String,
    len: usize,
    from: Place,
    to: Place,
    mode: Accumulate,
) -> Step {
    let cost = Cost { flops: 0.0, bytes: 8.0 * len as f64 };
    let writes = vec![to.clone()];
    let call = Box::new(move |f: &mut Frame| copy(f, &from, &to, mode));
    Step {
        call,
        operation,
        kernel: "copy",
        shared: false,
        scope,
        cost,
        inner: Arc::default(),
        parts: vec![operation],
        writes,
        clock: Clock::default(),
    }
}

fn copy(f: &mut Frame, from: &Place, to: &Place, mode: Accumulate) {
    let add = f.accumulates(mode);
    let x = f.operands([from], [to]);
    let ([from], [to]) = (x.reads, x.writes);
    match add {
        true => to.iter_mut().zip(from).for_each(|(to, from)| *to += from),
        false => to.copy_from_slice(from),
    }
}

/// For every value the one whose memory it shares: itself, unless it is a reshape.
fn aliases(graph: &Graph) -> Vec<usize> {
    let mut alias: Vec<usize> = (0..graph.types().len()).collect();
    for node in graph.nodes() {
        if let Op::Reshape(_) = node.op {
            alias[node.outputs[0].index()] = alias[node.inputs[0].index()];
        }
    }
    alias
}

/// Values that share a memory, with their lifetimes.
#[derive(Default)]
struct Values {
    /// The value of the graph, if it is one.
    owners: Vec<Option<usize>>,
    buffers: Vec<Buffer>,
}

impl Values {
    /// Places all of them; where, and how much memory they need.
    fn lay_out(
        self,
        place: &mut [Option<Place>],
        of: fn(Range<usize>) -> Place,
        reuse: bool,
    ) -> (Vec<Range<usize>>, usize) {
        let (ranges, len) = if reuse { lay_out(&self.buffers) } else { line_up(&self.buffers) };
        for (owner, range) in self.owners.into_iter().zip(&ranges) {
            if let Some(v) = owner {
                place[v] = Some(of(range.clone()));
            }
        }
        (ranges, len)
    }
}

/// Whether an operation joins what micro-batches hold, and so begins a segment.
pub(crate) fn is_exchange(op: &Op) -> bool {
    matches!(op, Op::BatchSum(_) | Op::BatchMoments(_))
}

/// Whether an input's words are integers.
pub(crate) fn is_integer(graph: &Graph, input: usize) -> bool {
    graph.inputs()[input].ty.dtype == DType::I32
}
