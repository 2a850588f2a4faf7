//! Optimisers: one fused sweep over all parameters, after the lanes' gradients have been summed.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bessemer_kernels::arena::Arena;
use bessemer_kernels::chunks::for_chunks;
use bessemer_kernels::optimizer as kernel;
use bessemer_plan::{Executable, Parameters, Pool};
use serde::{Deserialize, Serialize};

use crate::groups::{ParameterGroup, Piece, pieces};

/// Floats that one task of the sweep handles; part of the result, as norms are summed by chunk.
const CHUNK: usize = 16_384;

/// An update rule with its constants; defaults and formulas as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd {
        /// Share of the last update that is kept.
        momentum: f32,
        /// Share of the gradient that momentum leaves out.
        dampening: f32,
        /// Look ahead (Nesterov).
        nesterov: bool,
        /// L2 penalty.
        weight_decay: f32,
    },
    /// Adam (Kingma & Ba 2015); weight decay is an L2 penalty.
    Adam {
        /// Decay of the mean.
        beta1: f32,
        /// Decay of the mean square.
        beta2: f32,
        /// Added to the deviation.
        eps: f32,
        /// L2 penalty.
        weight_decay: f32,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    #[serde(alias = "adamw")]
    AdamW {
        /// Decay of the mean.
        beta1: f32,
        /// Decay of the mean square.
        beta2: f32,
        /// Added to the deviation.
        eps: f32,
        /// Share of the weight, times the learning rate, taken off at each step.
        weight_decay: f32,
    },
    /// RMSprop (Hinton 2012).
    #[serde(alias = "rmsprop")]
    RmsProp {
        /// Decay of the mean square.
        alpha: f32,
        /// Added to the deviation.
        eps: f32,
        /// Share of the last update that is kept.
        momentum: f32,
        /// Subtract the squared mean.
        centered: bool,
        /// L2 penalty.
        weight_decay: f32,
    },
}

impl Optimizer {
    /// Adam with PyTorch's defaults.
    pub const ADAM: Optimizer = Optimizer::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 };
    /// AdamW with PyTorch's defaults.
    pub const ADAMW: Optimizer = Optimizer::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 };
    /// Plain gradient descent.
    pub const SGD: Optimizer =
        Optimizer::Sgd { momentum: 0.0, dampening: 0.0, nesterov: false, weight_decay: 0.0 };
    /// RMSprop with PyTorch's defaults.
    pub const RMSPROP: Optimizer =
        Optimizer::RmsProp { alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 };

    /// A constant that makes no sense, if there is one.
    pub(crate) fn problem(&self) -> Option<(&'static str, f32)> {
        let (shares, others): (Vec<(&'static str, f32)>, _) = match *self {
            Optimizer::Sgd { momentum, dampening, .. } => {
                (vec![("momentum", momentum)], vec![("dampening", dampening)])
            }
            Optimizer::Adam { beta1, beta2, eps, .. } | Optimizer::AdamW { beta1, beta2, eps, .. } => {
                (vec![("beta1", beta1), ("beta2", beta2)], vec![("eps", eps)])
            }
            Optimizer::RmsProp { alpha, eps, momentum, .. } => {
                (vec![("alpha", alpha), ("momentum", momentum)], vec![("eps", eps)])
            }
        };
        let wrong_share = shares.into_iter().find(|(_, share)| !(0.0..1.0).contains(share));
        let all = others.into_iter().chain([("weight_decay", self.weight_decay())]);
        wrong_share.or_else(|| all.into_iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)))
    }

    fn weight_decay(&self) -> f32 {
        match *self {
            Optimizer::Sgd { weight_decay, .. }
            | Optimizer::Adam { weight_decay, .. }
            | Optimizer::AdamW { weight_decay, .. }
            | Optimizer::RmsProp { weight_decay, .. } => weight_decay,
        }
    }
}

/// An optimiser with what it remembers of a set of parameters.
pub struct OptimizerState {
    optimizer: Optimizer,
    /// Neighbouring learned parameters, as ranges of the buffer.
    spans: Vec<Range<usize>>,
    /// The same, cut where settings change.
    pieces: Vec<Piece>,
    gradient: Arena,
    /// The sum of what was held, if anything is.
    held: Arena,
    holds: bool,
    memory: [Arena; 3],
    steps: u64,
    squares: Vec<AtomicU64>,
}

impl OptimizerState {
    /// For parameters of which `buffers` says which follow statistics and are left alone, and `groups` which
    /// have settings of their own.
    pub fn new(
        optimizer: Optimizer,
        groups: &[ParameterGroup],
        parameters: &Parameters,
        buffers: &[bool],
    ) -> OptimizerState {
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut joins = false;
        for (range, &buffer) in parameters.ranges().iter().zip(buffers) {
            match spans.last_mut() {
                _ if buffer => joins = false,
                Some(last) if joins => last.end = range.end,
                _ => {
                    spans.push(range.clone());
                    joins = true;
                }
            }
        }
        let len = parameters.as_slice().len();
        let used = match optimizer {
            Optimizer::Sgd { momentum, .. } => usize::from(momentum != 0.0),
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
            Optimizer::RmsProp { momentum, centered, .. } => {
                if centered || momentum != 0.0 {
                    3
                } else {
                    1
                }
            }
        };
        let chunks: usize = spans.iter().map(|s| s.len().div_ceil(CHUNK)).sum();
        OptimizerState {
            optimizer,
            spans,
            pieces: pieces(parameters, buffers, groups, optimizer.weight_decay()),
            gradient: Arena::new(len),
            held: Arena::new(0),
            holds: false,
            memory: std::array::from_fn(|i| Arena::new(if i < used { len } else { 0 })),
            steps: 0,
            squares: (0..chunks).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What the optimiser remembers, laid out as the parameters; empty where it needs no more.
    pub(crate) fn memory(&self) -> [&[f32]; 3] {
        self.memory.each_ref().map(Arena::as_slice)
    }

    /// Goes on from what an optimiser of the same kind remembered after so many steps; whether it fits.
    pub(crate) fn restore(&mut self, steps: u64, memory: &[Vec<f32>; 3]) -> bool {
        let fits = self.memory.iter().zip(memory).all(|(own, given)| own.len() == given.len());
        if fits {
            self.steps = steps;
            for (own, given) in self.memory.iter_mut().zip(memory) {
                own.as_mut_slice().copy_from_slice(given);
            }
        }
        fits
    }

    /// Adds the gradients that the last run left in its lanes to those of the next step.
    pub fn hold(&mut self, pool: &Pool, run: &mut Executable) {
        if self.held.is_empty() {
            self.held = Arena::new(self.gradient.len());
        }
        let (gradient, held) = (&mut self.gradient, self.holds.then(|| self.held.as_slice()));
        run.with_gradients(|lanes| {
            for_chunks(pool, [gradient.as_mut_slice()], CHUNK, &|start, [sum]| {
                kernel::sum_lanes(views(lanes, held, start, sum.len()).as_slice(), sum);
            });
        });
        std::mem::swap(&mut self.gradient, &mut self.held);
        self.holds = true;
    }

    /// Sums the gradients that the last run left in its lanes and updates the parameters. A global
    /// norm above `clip_norm` is scaled down to it. Gives the norm before clipping.
    ///
    /// Gradients that are `scaled` are so many times too large: they are divided by it, and where any of
    /// them is not finite, neither is the norm, and nothing changes.
    pub fn step(
        &mut self,
        pool: &Pool,
        parameters: &mut Parameters,
        run: &mut Executable,
        learning_rate: f32,
        clip_norm: Option<f32>,
        scaled: Option<f32>,
    ) -> f64 {
        let steps = self.steps + 1;
        let weights = parameters.as_mut_slice();
        let (spans, pieces) = (&self.spans, self.pieces.as_slice());
        let held = self.holds.then(|| self.held.as_slice());
        self.holds = false;
        run.with_gradients(|lanes| {
            // Without clipping and scaling each chunk is updated while its gradient is in the cache.
            let fused = clip_norm.is_none() && scaled.is_none();
            let mut first_chunk = 0;
            for span in spans {
                let squares = &self.squares[first_chunk..];
                first_chunk += span.len().div_ceil(CHUNK);
                let update =
                    Update { optimizer: self.optimizer, pieces, learning_rate, step: steps, scale: 1.0 };
                let [m, v, w] = &mut self.memory;
                let gradient = &mut self.gradient.as_mut_slice()[span.clone()];
                let [m, v, w] = [part(m, span), part(v, span), part(w, span)];
                let sum = |start: usize, gradient: &mut [f32]| {
                    let parts = views(lanes, held, span.start + start, gradient.len());
                    let square = kernel::sum_lanes_and_squares(parts.as_slice(), gradient);
                    squares[start / CHUNK].store(square.to_bits(), Ordering::Relaxed);
                };
                if fused {
                    update.sweep(pool, span.start, &mut weights[span.clone()], gradient, [m, v, w], &sum);
                } else {
                    for_chunks(pool, [gradient], CHUNK, &|start, [g]| sum(start, g));
                }
            }
            let square: f64 = self.squares.iter().map(|s| f64::from_bits(s.load(Ordering::Relaxed))).sum();
            let unscaled = 1.0 / scaled.unwrap_or(1.0);
            let norm = square.sqrt() * f64::from(unscaled);
            if scaled.is_some() && !norm.is_finite() {
                return norm;
            }
            self.steps = steps;
            if !fused {
                let clipped = match clip_norm {
                    Some(limit) if norm > f64::from(limit) => (f64::from(limit) / (norm + 1e-6)) as f32,
                    _ => 1.0,
                };
                let scale = clipped * unscaled;
                let update = Update { optimizer: self.optimizer, pieces, learning_rate, step: steps, scale };
                for span in spans {
                    let [m, v, w] = &mut self.memory;
                    let gradient = &mut self.gradient.as_mut_slice()[span.clone()];
                    let memory = [part(m, span), part(v, span), part(w, span)];
                    update.sweep(pool, span.start, &mut weights[span.clone()], gradient, memory, &|_, _| {});
                }
            }
            norm
        })
    }
}

/// Parts of the lanes' gradients, and of what is held.
struct Views<'a> {
    parts: [&'a [f32]; bessemer_plan::MAX_LANES + 1],
    count: usize,
}

impl<'a> Views<'a> {
    fn as_slice(&self) -> &[&'a [f32]] {
        &self.parts[..self.count]
    }
}

/// So many floats from a place on of every lane, and of what is held.
fn views<'a>(lanes: &[&'a [f32]], held: Option<&'a [f32]>, start: usize, len: usize) -> Views<'a> {
    let mut parts = [&[] as &[f32]; bessemer_plan::MAX_LANES + 1];
    let all = lanes.iter().copied().chain(held);
    let mut count = 0;
    for (part, whole) in parts.iter_mut().zip(all) {
        *part = &whole[start..][..len];
        count += 1;
    }
    Views { parts, count }
}

/// The part of a memory that belongs to a span; empty if the optimiser has none.
fn part<'a>(memory: &'a mut Arena, span: &Range<usize>) -> &'a mut [f32] {
    match memory.is_empty() {
        true => &mut [],
        false => &mut memory.as_mut_slice()[span.clone()],
    }
}

/// One update, with its numbers.
struct Update<'a> {
    optimizer: Optimizer,
    pieces: &'a [Piece],
    learning_rate: f32,
    step: u64,
    scale: f32,
}

impl Update<'_> {
    /// Updates every chunk of a span that begins at `place`, after `prepare` has made its gradient ready.
    fn sweep(
        &self,
        pool: &Pool,
        place: usize,
        weights: &mut [f32],
        gradient: &mut [f32],
        [m, v, w]: [&mut [f32]; 3],
        prepare: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        // Memories that the optimiser doesn't have stay empty.
        match (m.is_empty(), v.is_empty(), w.is_empty()) {
            (true, ..) => for_chunks(pool, [weights, gradient], CHUNK, &|start, [p, g]| {
                prepare(start, g);
                self.apply(place + start, p, g, &mut [], &mut [], &mut []);
            }),
            (_, true, _) => for_chunks(pool, [weights, gradient, m], CHUNK, &|start, [p, g, m]| {
                prepare(start, g);
                self.apply(place + start, p, g, m, &mut [], &mut []);
            }),
            (.., true) => for_chunks(pool, [weights, gradient, m, v], CHUNK, &|start, [p, g, m, v]| {
                prepare(start, g);
                self.apply(place + start, p, g, m, v, &mut []);
            }),
            _ => for_chunks(pool, [weights, gradient, m, v, w], CHUNK, &|start, [p, g, m, v, w]| {
                prepare(start, g);
                self.apply(place + start, p, g, m, v, w);
            }),
        }
    }

    /// Updates what lies from `place` on, piece by piece.
    fn apply(&self, place: usize, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], w: &mut [f32]) {
        let end = place + p.len();
        let first = self.pieces.partition_point(|piece| piece.range.end <= place);
        for piece in self.pieces[first..].iter().take_while(|piece| piece.range.start < end) {
            let part = piece.range.start.max(place) - place..piece.range.end.min(end) - place;
            let [m, v, w] = [&mut *m, &mut *v, &mut *w].map(|memory| match memory.is_empty() {
                true => memory,
                false => &mut memory[part.clone()],
            });
            self.apply_piece(piece, &mut p[part.clone()], &g[part], m, v, w);
        }
    }

    fn apply_piece(
        &self,
        piece: &Piece,
        p: &mut [f32],
        g: &[f32],
        m: &mut [f32],
        v: &mut [f32],
        w: &mut [f32],
    ) {
        let (learning_rate, scale) = (self.learning_rate * piece.rate, self.scale);
        let weight_decay = piece.weight_decay;
        match self.optimizer {
            Optimizer::Sgd { momentum, dampening, nesterov, .. } => {
                let settings = kernel::Sgd { learning_rate, momentum, dampening, nesterov, weight_decay };
                kernel::sgd(settings, self.step == 1, scale, p, g, m);
            }
            Optimizer::Adam { beta1, beta2, eps, .. } => {
                let settings = kernel::Adam { learning_rate, beta1, beta2, eps, weight_decay };
                kernel::adam(settings, self.step, scale, p, g, m, v);
            }
            Optimizer::AdamW { beta1, beta2, eps, .. } => {
                let settings = kernel::Adam { learning_rate, beta1, beta2, eps, weight_decay };
                kernel::adamw(settings, self.step, scale, p, g, m, v);
            }
            Optimizer::RmsProp { alpha, eps, momentum, centered, .. } => {
                let settings =
                    kernel::RmsProp { learning_rate, alpha, eps, weight_decay, momentum, centered };
                kernel::rmsprop(settings, scale, p, g, m, v, w);
            }
        }
    }
}
