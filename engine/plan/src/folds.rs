//! Linear layers folded into one: their weights' product once a step, and the gradients back.

use std::ops::Range;
use std::sync::Mutex;

use bessemer_graph::Parameter;
use bessemer_graph::passes::Fold;
use bessemer_kernels::arena::Arena;
use bessemer_kernels::chunks::{for_chunks, for_parts};
use bessemer_kernels::gemm::{Epilogue, gemm, gemm_scratch};
use bessemer_kernels::optimizer::sum_lanes;
use bessemer_kernels::pool::Pool;

/// Rows of a weight that a task computes.
const ROWS: usize = 256;
/// Floats of the gradients' sum that a task computes.
const CHUNK: usize = 16_384;

/// A tensor among parameters and what was derived from them, which lies behind them.
pub(crate) fn tensor<'a>(parameters: &'a [f32], derived: &'a [f32], range: &Range<usize>) -> &'a [f32] {
    match range.start.checked_sub(parameters.len()) {
        None => &parameters[range.clone()],
        Some(start) => &derived[start..start + range.len()],
    }
}

/// Where the tensors of a folded pair lie; see [`Fold`].
#[derive(Clone, Debug)]
struct Pair {
    a: Range<usize>,
    a_bias: Option<Range<usize>>,
    b: Range<usize>,
    b_bias: Option<Range<usize>>,
    weight: Range<usize>,
    bias: Option<Range<usize>>,
    out: usize,
    mid: usize,
    inside: usize,
}

/// What a task computes.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// Rows of B·A, from the first on.
    Weight(usize),
    /// B·a + b
    Bias,
    /// Rows of the gradient of A.
    A(usize),
    /// The gradient of a.
    ABias,
    /// Rows of the gradient of B.
    B(usize),
    /// The gradient of b.
    BBias,
}

/// Tasks and the parts of a buffer that they write, in order.
#[derive(Default)]
struct Tasks {
    list: Vec<(usize, Target)>,
    parts: Vec<Range<usize>>,
    scratch: Vec<Mutex<Vec<f32>>>,
}

impl Tasks {
    fn new(mut all: Vec<(Range<usize>, usize, Target)>, pairs: &[Pair]) -> Tasks {
        all.sort_by_key(|(part, ..)| part.start);
        let longest = pairs.iter().map(|p| p.out.max(p.mid).max(p.inside)).max().unwrap_or(0);
        let scratch = gemm_scratch(longest);
        Tasks {
            list: all.iter().map(|(_, pair, target)| (*pair, *target)).collect(),
            scratch: all.iter().map(|_| Mutex::new(vec![0.0; scratch])).collect(),
            parts: all.into_iter().map(|(part, ..)| part).collect(),
        }
    }
}

/// The folded layers of a model.
pub(crate) struct Folds {
    pairs: Vec<Pair>,
    /// Floats of the parameters, behind which derived tensors lie.
    base: usize,
    derive: Tasks,
    spread: Tasks,
    derived: Arena,
    /// The gradients of derived tensors, summed over lanes.
    sums: Arena,
}

impl Folds {
    /// For a graph's folds, with its tensors at `places`, the first `base` floats being the model's own
    /// parameters.
    pub fn new(folds: &[Fold], parameters: &[Parameter], places: &[Range<usize>], base: usize) -> Folds {
        let pairs: Vec<Pair> = folds
            .iter()
            .map(|f| Pair {
                a: places[f.inner.0].clone(),
                a_bias: f.inner.1.map(|i| places[i].clone()),
                b: places[f.outer.0].clone(),
                b_bias: f.outer.1.map(|i| places[i].clone()),
                weight: places[f.folded.0].clone(),
                bias: f.folded.1.map(|i| places[i].clone()),
                out: parameters[f.outer.0].shape[0],
                mid: parameters[f.outer.0].shape[1],
                inside: parameters[f.inner.0].shape[1],
            })
            .collect();
        let (mut derive, mut spread) = (Vec::new(), Vec::new());
        for (i, p) in pairs.iter().enumerate() {
            let behind = |r: &Range<usize>| r.start - base..r.end - base;
            derive.extend(rows(&behind(&p.weight), p.inside).map(|(r, row)| (r, i, Target::Weight(row))));
            derive.extend(p.bias.iter().map(|r| (behind(r), i, Target::Bias)));
            spread.extend(rows(&p.a, p.inside).map(|(r, row)| (r, i, Target::A(row))));
            spread.extend(rows(&p.b, p.mid).map(|(r, row)| (r, i, Target::B(row))));
            spread.extend(p.a_bias.iter().map(|r| (r.clone(), i, Target::ABias)));
            spread.extend(p.b_bias.iter().map(|r| (r.clone(), i, Target::BBias)));
        }
        let len = if pairs.is_empty() { 0 } else { places.last().map_or(0, |r| r.end) - base };
        let len = len.next_multiple_of(16);
        Folds {
            derive: Tasks::new(derive, &pairs),
            spread: Tasks::new(spread, &pairs),
            pairs,
            base,
            derived: Arena::new(len),
            sums: Arena::new(len),
        }
    }

    /// What was derived from the parameters.
    pub fn derived(&self) -> &[f32] {
        self.derived.as_slice()
    }

    /// Floating-point operations of a step.
    pub fn flops(&self, training: bool) -> f64 {
        let product = |p: &Pair| 2.0 * (p.out * p.mid * p.inside) as f64;
        self.pairs.iter().map(product).sum::<f64>() * if training { 3.0 } else { 1.0 }
    }

    /// Multiplies the weights anew.
    pub fn derive(&mut self, pool: &Pool, parameters: &[f32]) {
        let Folds { pairs, derive, derived, .. } = self;
        for_parts(pool, derived.as_mut_slice(), &derive.parts, &|task, out| {
            let (pair, target) = derive.list[task];
            let p = &pairs[pair];
            let mut scratch = derive.scratch[task].lock().expect("no task panicked");
            let (a, b) = (&parameters[p.a.clone()], &parameters[p.b.clone()]);
            let epilogue = Epilogue::default();
            match target {
                Target::Weight(first) => {
                    let (rows, n) = (out.len() / p.inside, p.inside);
                    let b = &b[first * p.mid..];
                    gemm(rows, n, p.mid, b, (p.mid, 1), a, (n, 1), out, n, epilogue, &mut scratch);
                }
                _ => {
                    out.fill(0.0);
                    if let Some(bias) = &p.b_bias {
                        out.copy_from_slice(&parameters[bias.clone()]);
                    }
                    if let Some(bias) = &p.a_bias {
                        let a = &parameters[bias.clone()];
                        let add = Epilogue::accumulate();
                        gemm(1, p.out, p.mid, a, (p.mid, 1), b, (1, p.mid), out, p.out, add, &mut scratch);
                    }
                }
            }
        });
    }

    /// Writes the gradients of the layers that were folded to `lanes[0]`, from what all lanes hold for
    /// the folded ones. The other lanes hold zeros for them.
    pub fn spread(&mut self, pool: &Pool, parameters: &[f32], lanes: &mut [&mut [f32]]) {
        let Folds { pairs, base, spread, sums, .. } = self;
        if pairs.is_empty() {
            return;
        }
        let behind = *base..*base + sums.len();
        for_chunks(pool, [sums.as_mut_slice()], CHUNK, &|start, [out]| {
            let mut views = [&[] as &[f32]; crate::step::MAX_LANES];
            for (view, lane) in views.iter_mut().zip(lanes.iter()) {
                *view = &lane[behind.start + start..][..out.len()];
            }
            sum_lanes(&views[..lanes.len()], out);
        });
        let sum_of = |r: &Range<usize>| &sums.as_slice()[r.start - *base..r.end - *base];
        for_parts(pool, lanes[0], &spread.parts, &|task, out| {
            let (pair, target) = spread.list[task];
            let p = &pairs[pair];
            let mut scratch = spread.scratch[task].lock().expect("no task panicked");
            let (a, b) = (&parameters[p.a.clone()], &parameters[p.b.clone()]);
            let gradient = sum_of(&p.weight);
            let bias_gradient = p.bias.as_ref().map(sum_of);
            let epilogue = Epilogue::default();
            match (target, bias_gradient) {
                (Target::A(first), _) => {
                    let (rows, n) = (out.len() / p.inside, p.inside);
                    let b = &b[first..];
                    gemm(rows, n, p.out, b, (1, p.mid), gradient, (n, 1), out, n, epilogue, &mut scratch);
                }
                (Target::B(first), bias_gradient) => {
                    let (rows, n, k) = (out.len() / p.mid, p.mid, p.inside);
                    let gradient = &gradient[first * k..];
                    gemm(rows, n, k, gradient, (k, 1), a, (1, k), out, n, epilogue, &mut scratch);
                    if let (Some(g), Some(bias)) = (bias_gradient, &p.a_bias) {
                        let bias = &parameters[bias.clone()];
                        for (row, g) in out.chunks_exact_mut(n).zip(&g[first..]) {
                            row.iter_mut().zip(bias).for_each(|(x, a)| *x += g * a);
                        }
                    }
                }
                (Target::ABias, Some(g)) => {
                    let (n, k) = (p.mid, p.out);
                    gemm(1, n, k, g, (k, 1), b, (n, 1), out, n, epilogue, &mut scratch);
                }
                (_, Some(g)) => out.copy_from_slice(g),
                (_, None) => unreachable!("a layer with a bias was folded into one with a bias"),
            }
        });
    }
}

/// A tensor's rows of `row` floats, some at a time: where they lie, and the first.
fn rows(range: &Range<usize>, row: usize) -> impl Iterator<Item = (Range<usize>, usize)> {
    let (start, end) = (range.start, range.end);
    (0..range.len() / row.max(1)).step_by(ROWS).map(move |first| {
        let from = start + first * row;
        (from..(from + ROWS * row).min(end), first)
    })
}
