//! From a graph to an executable.

use std::sync::Mutex;

use bessemer_graph::{Graph, GraphError, differentiate, passes};
use bessemer_kernels::arena::Arena;

use super::lane::{Arenas, Lane};
use super::{Executable, MAX_INPUTS};
use crate::batching::{Batching, divide};
use crate::error::PlanError;
use crate::exchange::Exchange;
use crate::folds::Folds;
use crate::options::{PlanOptions, Precision};
use crate::packs::Packs;
use crate::parameters::ranges;
use crate::plan::{Plan, is_exchange, is_integer};
use crate::stashes::Stashes;

/// What a micro-batch drops and computes again, see [`PlanOptions::activations`].
#[derive(Clone, Debug, PartialEq)]
pub struct Recomputing {
    /// What, in the order of choice.
    pub choices: Vec<passes::Recomputed>,
    /// Floats of values alive at once, at most, if all were kept.
    pub before: usize,
    /// The same as it is. More than the budget if that can't be had.
    pub after: usize,
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
        // What is computed again is not for the cost model.
        let whole = PlanOptions { activations: None, ..*options };
        let one = prepare(trace(1)?, 1, batch, &whole)?.graph;
        let two = prepare(trace(2)?, 2, batch, &whole)?.graph;
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
        let Prepared { graph, folds, recomputing } =
            prepare(traced, batching.micro_batch, batching.batch, options)?;
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
                let graph = prepare(trace(samples)?, samples, batching.batch, options)?.graph;
                Some(Plan::new(&graph, &places, &mut packs, &mut stashes, options, batching.count())?)
            }
            None => None,
        };
        if let Some(tail) = &tail {
            assert_eq!(plan.exchanges.len(), tail.exchanges.len(), "a model is traced alike for every size");
        }
        let longest = |f: fn(&Plan) -> usize| f(&plan).max(tail.as_ref().map_or(0, f));
        let arena_lens = (longest(|p| p.arena_len), longest(|p| p.loop_len));
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
                    noted: Vec::new(),
                    fault: None,
                    culprit: None,
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
            arenas: vec![Mutex::new(Arenas::new(arena_lens))],
            kept: (0..kept).map(|_| Mutex::new(Arena::new(kept_len))).collect(),
            arena_lens,
            outputs,
            input_names: graph.inputs().iter().map(|i| i.name.clone()).collect(),
            integer_inputs: (0..graph.inputs().len()).map(|i| is_integer(&graph, i)).collect(),
            exchange: vec![0.0; exchange],
            own_len: base,
            trains: options.training,
            timed: false,
            traced: false,
            checked: false,
            parameters: own,
            plan,
            tail,
            recomputing,
        })
    }
}

/// The graph of a batch after differentiation and every pass: what plans are made of.
pub fn prepared(graph: Graph, options: &PlanOptions) -> Result<Graph, PlanError> {
    Ok(prepare(graph, 1, 1, options)?.graph)
}

/// What a plan is made of.
struct Prepared {
    graph: Graph,
    folds: Vec<passes::Fold>,
    recomputing: Option<Recomputing>,
}

/// Differentiates and rewrites the graph of `samples` samples of a batch as the options say.
fn prepare(graph: Graph, samples: usize, batch: usize, options: &PlanOptions) -> Result<Prepared, PlanError> {
    let graph = if options.attention { graph } else { passes::materialise_attention(&graph)? };
    // Of a folded pair, neither weight would be kept as integers.
    let (mut graph, folds) = match options.fold && options.precision != Precision::Int8 {
        true => passes::fold_linear(&graph, batch as f64 / samples as f64)?,
        false => (graph, Vec::new()),
    };
    if options.training {
        differentiate(&mut graph)?;
    }
    let graph = rewritten(graph, options)?;
    let Some(percent) = options.activations.filter(|_| options.training) else {
        return Ok(Prepared { graph, folds, recomputing: None });
    };
    // Micro-batches keep what later segments read, whenever that was computed.
    if let Some(node) = graph.nodes().iter().find(|node| is_exchange(&node.op)) {
        return Err(PlanError::Unsupported {
            operation: node.op.operation().name(),
            scope: node.scope.to_string(),
            problem: "needs the whole batch between forward and backward, so that nothing can be dropped; \
                      leave the memory of activations unlimited"
                .into(),
        });
    }
    let passes::Recompute { graph, choices, before, after } =
        passes::recompute(&graph, f64::from(percent) / 100.0)?;
    Ok(Prepared { graph, folds, recomputing: Some(Recomputing { choices, before, after }) })
}

/// The passes that change no parameter.
pub(crate) fn rewritten(mut graph: Graph, options: &PlanOptions) -> Result<Graph, GraphError> {
    if options.simplify {
        graph = passes::simplify(&graph)?;
    }
    match options.fuse {
        true => passes::fuse_elementwise(&passes::fuse_linear(&graph)?),
        false => passes::lower_elementwise(&graph),
    }
}
