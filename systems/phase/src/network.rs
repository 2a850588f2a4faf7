//! A phase graph: its edges, its nodes' indices, its adapter and its classes' codes.

use bessemer_kernels::random::{Stream, uniform_at};
use bessemer_phase_reader::{DECAY_BITS, Model, STRENGTH_BITS, Shape};

use crate::adapter::Adapter;
use crate::codes::Codes;
use crate::graph::Graph;
use crate::phases::Phases;
use crate::settings::Settings;
use crate::tables::Tables;

#[cfg(target_endian = "big")]
compile_error!("numbers are handed to the reader as they lie in memory, least byte first");

const SITE_PHASES: u32 = 0x5048_0005;

/// All that makes a classifier, but for its options of training.
#[derive(Clone, Debug)]
pub struct Network {
    /// How it was made.
    pub settings: Settings,
    /// Static edges.
    pub graph: Graph,
    /// The nodes' own phases, `[nodes, D]`.
    pub phase: Phases,
    /// The nodes' own magnitudes, `[nodes, D]`.
    pub magnitude: Vec<i16>,
    /// From samples to input nodes.
    pub adapter: Adapter,
    /// What outputs are to signal.
    pub codes: Codes,
    /// What indices stand for.
    pub tables: Tables,
    /// [`Codes::fixed`], kept.
    pub(crate) fixed: Vec<i16>,
    pub(crate) shape: Shape,
}

impl Network {
    /// Puts a network together. Settings have been checked, and lengths fit them.
    pub(crate) fn assemble(
        settings: Settings,
        graph: Graph,
        (phase, magnitude): (Vec<i16>, Vec<i16>),
        adapter: Adapter,
        codes: Codes,
        fallback: usize,
    ) -> Network {
        let tables = Tables::new(settings.phases, settings.magnitudes);
        let waited = graph.mean_path(settings.inputs, settings.outputs) as u32 + settings.steps_after_path;
        let shape = Shape {
            features: adapter.weights.len() / adapter.bias.len(),
            classes: codes.classes(),
            nodes: settings.nodes(),
            inputs: settings.inputs,
            outputs: settings.outputs,
            dimensions: settings.dimensions,
            phases: settings.phases,
            magnitudes: settings.magnitudes,
            edges: graph.targets.len(),
            radiation: settings.radiation,
            steps_min: waited.max(settings.steps_min),
            steps_max: settings.steps_max,
            decay: (settings.decay * f64::from(1 << DECAY_BITS)).round() as u32,
            strength_min: (settings.strength_min * f64::from(1 << STRENGTH_BITS)).round() as i32,
            shift: adapter.shift,
            fallback,
        };
        let (fixed, phase) = (codes.fixed(&tables), Phases::new(phase));
        Network { settings, graph, phase, magnitude, adapter, codes, tables, fixed, shape }
    }

    /// Nodes' indices to begin with.
    ///
    /// Whether a message arrives depends on the sign of its strength, and of a message whose strength is near 0
    /// it changes from sample to sample, which turns all that follows by any angle. So phases begin where cosines
    /// are 1 or -1 and hardly change with a small angle, and magnitudes where they are 1: with an odd number
    /// of dimensions, no strength is near 0. Outputs begin anywhere, as slopes vanish at these places.
    pub(crate) fn first_indices(settings: &Settings, seed: u64) -> (Vec<i16>, Vec<i16>) {
        let stream = Stream { seed, step: 0, site: SITE_PHASES };
        let at = |i: usize| uniform_at(stream, i as u64);
        let d = settings.dimensions;
        let outputs = (settings.nodes() - settings.outputs) * d;
        let phase = (0..settings.nodes() * d).map(|i| match i < outputs {
            true => half_turns(at(i), settings.phases),
            false => (at(i) * settings.phases as f32) as i16,
        });
        (phase.collect(), vec![0; settings.nodes() * d])
    }

    /// As inference sees it.
    pub fn view(&self) -> Model<'_> {
        Model {
            shape: self.shape,
            cosines: bytemuck::cast_slice(&self.tables.cosines),
            sizes: bytemuck::cast_slice(&self.tables.sizes),
            first: bytemuck::cast_slice(&self.graph.first),
            targets: bytemuck::cast_slice(&self.graph.targets),
            phase: bytemuck::cast_slice(&self.phase),
            magnitude: bytemuck::cast_slice(&self.magnitude),
            weights: bytemuck::cast_slice(&self.adapter.weights),
            bias: bytemuck::cast_slice(&self.adapter.bias),
            codes: bytemuck::cast_slice(&self.fixed),
        }
    }
}

/// 0 or half a circle, by a uniform number.
pub(crate) fn half_turns(uniform: f32, steps: usize) -> i16 {
    if uniform < 0.5 { 0 } else { (steps / 2) as i16 }
}
