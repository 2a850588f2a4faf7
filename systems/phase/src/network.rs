//! A phase graph: its edges, its nodes' indices, its adapter and its classes' codes.

use bessemer_kernels::random::{Stream, uniform_at};
use bessemer_phase_reader::{DECAY_BITS, Model, STRENGTH_BITS, Shape};

use crate::adapter::Adapter;
use crate::codes::Codes;
use crate::graph::Graph;
use crate::settings::Settings;
use crate::tables::Tables;

#[cfg(target_endian = "big")]
compile_error!("numbers are handed to the reader as they lie in memory, least byte first");

const SITE_PHASES: u32 = 0x5048_0005;
const SITE_MAGNITUDES: u32 = 0x5048_0006;

/// All that makes a classifier, but for its options of training.
#[derive(Clone, Debug)]
pub struct Network {
    /// How it was made.
    pub settings: Settings,
    /// Static edges.
    pub graph: Graph,
    /// The nodes' own phases, `[nodes, D]`.
    pub phase: Vec<i16>,
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
        let fixed = codes.fixed(&tables);
        Network { settings, graph, phase, magnitude, adapter, codes, tables, fixed, shape }
    }

    /// Nodes' indices drawn evenly from their circles.
    pub(crate) fn random_indices(settings: &Settings, seed: u64) -> (Vec<i16>, Vec<i16>) {
        let draw = |site: u32, steps: usize| -> Vec<i16> {
            let stream = Stream { seed, step: 0, site };
            let at = |i: usize| (uniform_at(stream, i as u64) * steps as f32) as i16;
            (0..settings.nodes() * settings.dimensions).map(at).collect()
        };
        (draw(SITE_PHASES, settings.phases), draw(SITE_MAGNITUDES, settings.magnitudes))
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
