//! How a phase graph is trained.

use serde::{Deserialize, Serialize};

use crate::error::{Result, setting};
use crate::radiation::Search;
use crate::schedule::Schedule;
use crate::settings::{MAX_NODES, Settings};
use crate::trainer::LANE;

/// The most indices of all lanes together: each takes some 60 bytes.
const MAX_PLANES: usize = 1 << 25;
/// The most answers that caches of all lanes keep.
const MAX_ANSWERS: usize = 1 << 22;
/// The most bytes that neighbours and candidates take in caches of all lanes.
const MAX_LISTS: usize = 1 << 30;

/// How nodes that are no outputs learn what to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credit {
    /// By the chain rule through all messages that arrived: exact, as long as none begins or ceases to arrive.
    #[default]
    Chain,
    /// Each active node for itself: it turns towards the code of the right class.
    Local,
}

/// Options of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitOptions {
    /// Times that all samples are learned from.
    pub epochs: usize,
    /// Samples whose slopes are worked out together.
    pub batch: usize,
    /// Batches whose slopes are added up before anything changes.
    pub accumulate: usize,
    /// What cosines are divided by before the softmax.
    pub temperature: f32,
    /// How nodes learn what to change.
    pub credit: Credit,
    /// What outputs' indices turn by in a step of Adam if all nodes that count there turn the same way, by
    /// [`Ways`](crate::Ways); 0 leaves them as they are.
    pub rate_nodes: f32,
    /// Steps of Adam of the adapter, in 8-bit steps of a weight; 0 leaves it as it was drawn.
    pub rate_adapter: f32,
    /// Steps of Adam of the classes' codes, in indices; 0 leaves them at the corners of the cross-polytope.
    pub rate_codes: f32,
    /// AdamW's decay of the adapter's weights.
    pub weight_decay: f32,
    /// What must have gathered before an index moves by one, at the beginning.
    pub threshold: f32,
    /// The same at the end.
    pub threshold_end: f32,
    /// The way from one to the other.
    pub threshold_schedule: Schedule,
    /// Whether an index may move by more than one at a time.
    pub several: bool,
    /// The part of the rates that is left in the end; they fall on half a cosine.
    pub floor: f32,
    /// Standard deviation of outputs' phases from sample to sample at the beginning, as a part of a circle: that
    /// of the adapter's indices is as many times smaller as there are [`Ways`](crate::Ways).
    pub swing: f32,
    /// How the nodes to radiate to are found while training; where a graph is scored, they are found exactly.
    pub search: Search,
    /// Neighbours of a node in an approximate index.
    pub hnsw_m: usize,
    /// Candidates at any time of a search in it.
    pub hnsw_ef: usize,
    /// Answers of radiation that each lane keeps, by sender and context; 0 for none.
    pub cache: usize,
    /// While training, answers are kept by contexts floored to multiples of so many indices; 1 keeps them exact.
    pub pattern_width: usize,
    /// Senders whose neighbours each lane keeps, as bits; 0 for none.
    pub cache_neighbours: usize,
    /// Senders whose candidates each lane keeps, as lists; 0 for none.
    pub cache_candidates: usize,
    /// Of everything random.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            epochs: 30,
            batch: 32,
            accumulate: 1,
            temperature: 0.1,
            credit: Credit::Chain,
            rate_nodes: 30.0,
            rate_adapter: 1.0,
            rate_codes: 0.0,
            weight_decay: 0.0,
            threshold: 1.0,
            threshold_end: 1.0,
            threshold_schedule: Schedule::Constant,
            several: true,
            floor: 0.02,
            swing: 0.006,
            search: Search::Auto,
            hnsw_m: 16,
            hnsw_ef: 16,
            cache: 0,
            pattern_width: 1,
            cache_neighbours: 0,
            cache_candidates: 0,
            seed: 42,
        }
    }
}

impl FitOptions {
    /// Refuses what makes no sense, also for graphs of these settings.
    ///
    /// # Errors
    /// Names the setting, its value and what it may be.
    pub fn check(&self, settings: &Settings) -> Result<()> {
        let counts = [
            ("epochs", self.epochs, 1, 100_000),
            ("batch", self.batch, 1, 65_536),
            ("accumulate", self.accumulate, 1, 65_536),
            ("hnsw-m", self.hnsw_m, 2, 48),
            ("hnsw-ef", self.hnsw_ef, 1, 4096),
            ("cache", self.cache, 0, 1 << 24),
            ("pattern-width", self.pattern_width, 1, settings.phases),
            ("cache-neighbours", self.cache_neighbours, 0, MAX_NODES),
            ("cache-candidates", self.cache_candidates, 0, MAX_NODES),
        ];
        for (name, value, least, most) in counts {
            if !(least..=most).contains(&value) {
                return setting(name, value, format!("it must be from {least} to {most}"));
            }
        }
        let numbers = [
            ("temperature", self.temperature, 1e-4, 1e4),
            ("rate-nodes", self.rate_nodes, 0.0, 1e4),
            ("rate-adapter", self.rate_adapter, 0.0, 1e2),
            ("rate-codes", self.rate_codes, 0.0, 1e3),
            ("weight-decay", self.weight_decay, 0.0, 1.0),
            ("threshold", self.threshold, 1e-4, 1e4),
            ("threshold-end", self.threshold_end, 1e-4, 1e4),
            ("floor", self.floor, 0.0, 1.0),
            ("swing", self.swing, 1e-5, 1.0),
        ];
        for (name, value, least, most) in numbers {
            if !(least..=most).contains(&value) {
                return setting(name, value, format!("it must be from {least} to {most}"));
            }
        }
        let lanes = self.batch.div_ceil(LANE);
        let each = settings.nodes().saturating_mul(settings.dimensions);
        if lanes > 1 && lanes.saturating_mul(each) > MAX_PLANES {
            let most = (MAX_PLANES / each.max(1)).max(1) * LANE;
            let nodes = settings.nodes();
            return setting("batch", self.batch, format!("it may be at most {most} with {nodes} nodes"));
        }
        if lanes.saturating_mul(self.cache) > MAX_ANSWERS {
            let most = MAX_ANSWERS / lanes;
            return setting("cache", self.cache, format!("it may be at most {most} with such a batch"));
        }
        let nodes = settings.nodes();
        let lists = [
            ("cache-neighbours", self.cache_neighbours, nodes.div_ceil(8)),
            ("cache-candidates", self.cache_candidates, nodes.saturating_mul(2)),
        ];
        for (name, senders, bytes) in lists {
            let each = lanes.saturating_mul(bytes).max(1);
            if senders.min(nodes).saturating_mul(each) > MAX_LISTS {
                let most = MAX_LISTS / each;
                return setting(
                    name,
                    senders,
                    format!("it may be at most {most} with such a batch and {nodes} nodes"),
                );
            }
        }
        Ok(())
    }
}
