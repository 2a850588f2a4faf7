//! How a phase graph is made.

use serde::{Deserialize, Serialize};

use crate::error::{Result, setting};

/// The most nodes that a graph may have: their numbers take 16 bits.
pub const MAX_NODES: usize = 65_535;
/// The most features, so that no sum of the adapter leaves 32 bits.
pub const MAX_FEATURES: usize = 32_768;
/// The most dimensions, so that no strength leaves 32 bits.
pub const MAX_DIMENSIONS: usize = 64;
/// The most steps of a circle.
pub const MAX_CIRCLE: usize = 16_384;
/// The most weights of an adapter: inputs · 2D · features.
pub const MAX_WEIGHTS: usize = 1 << 28;

/// Sizes and rules of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Nodes between inputs and outputs.
    pub intermediate: usize,
    /// Nodes that the adapter feeds.
    pub inputs: usize,
    /// Nodes that are read.
    pub outputs: usize,
    /// Layers that the intermediate nodes are divided into.
    pub layers: usize,
    /// Edges that lead to a node.
    pub cardinality: usize,
    /// Phases of a node, and as many magnitudes: D.
    pub dimensions: usize,
    /// Steps of the phases' circle: N.
    pub phases: usize,
    /// Steps of the magnitudes' circle: M.
    pub magnitudes: usize,
    /// Nodes that an active node radiates to; 0 for none.
    pub radiation: usize,
    /// What is left of a strength after a step.
    pub decay: f64,
    /// A node of less strength falls silent.
    pub strength_min: f64,
    /// An active output ends the spreading from this step on.
    pub steps_min: u32,
    /// Steps beyond the mean length of the paths that are waited for, too.
    pub steps_after_path: u32,
    /// The last step.
    pub steps_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            intermediate: 100,
            inputs: 64,
            outputs: 50,
            layers: 2,
            cardinality: 6,
            dimensions: 5,
            phases: 4096,
            magnitudes: 4096,
            radiation: 1,
            decay: 0.6,
            strength_min: 1.0,
            steps_min: 1,
            steps_after_path: 1,
            steps_max: 40,
        }
    }
}

impl Settings {
    /// All nodes.
    pub fn nodes(&self) -> usize {
        self.inputs.saturating_add(self.intermediate).saturating_add(self.outputs)
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// Names the setting, its value and what it may be.
    pub fn check(&self) -> Result<()> {
        let bounds = [
            ("inputs", self.inputs, 1, MAX_NODES),
            ("outputs", self.outputs, 1, MAX_NODES),
            ("inputs + intermediate + outputs", self.nodes(), 2, MAX_NODES),
            ("layers", self.layers, 1, self.intermediate.max(1)),
            ("cardinality", self.cardinality, 1, self.inputs.min(256)),
            ("dimensions", self.dimensions, 1, MAX_DIMENSIONS),
            ("phases", self.phases, 4, MAX_CIRCLE),
            ("magnitudes", self.magnitudes, 4, MAX_CIRCLE),
            ("radiation", self.radiation, 0, self.nodes().saturating_sub(1).min(256)),
            ("steps-max", self.steps_max as usize, 1, 10_000),
            ("steps-min", self.steps_min as usize, 0, self.steps_max as usize),
            ("steps-after-path", self.steps_after_path as usize, 0, 10_000),
        ];
        for (name, value, min, max) in bounds {
            if !(min..=max).contains(&value) {
                return setting(name, value, format!("it must be from {min} to {max}"));
            }
        }
        if !self.phases.is_multiple_of(4) {
            return setting(
                "phases",
                self.phases,
                "it must be a multiple of 4, so that codes can be at right angles",
            );
        }
        if !(self.decay > 0.0 && self.decay <= 1.0) {
            return setting("decay", self.decay, "it must be above 0 and at most 1");
        }
        if !(self.strength_min > 0.0 && self.strength_min <= 1000.0) {
            return setting("strength-min", self.strength_min, "it must be above 0 and at most 1000");
        }
        Ok(())
    }
}
