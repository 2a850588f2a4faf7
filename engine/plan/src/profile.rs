//! Where a step's time goes, by kernel call.

use crate::plan::Plan;

/// Time and work of one operation of the model.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Entry {
    /// The operation, as the graph names it.
    pub operation: &'static str,
    /// The kernel that ran.
    pub kernel: &'static str,
    /// Where in the model it stands.
    pub scope: String,
    /// Seconds, summed over lanes.
    pub seconds: f64,
    /// Floating-point operations per run.
    pub flops: f64,
    /// Bytes read and written per run.
    pub bytes: f64,
}

/// Time by operation, summed over lanes.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Profile {
    /// One per call of the plan.
    pub entries: Vec<Entry>,
}

/// What one core of the machine can do, as measured.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Roofline {
    /// Floating-point operations per second.
    pub flops: f64,
    /// Bytes per second.
    pub bytes: f64,
}

impl Entry {
    /// The least time in seconds that the roofline allows for `runs` runs.
    pub fn floor(&self, roofline: Roofline, runs: usize) -> f64 {
        (self.flops / roofline.flops).max(self.bytes / roofline.bytes) * runs as f64
    }
}

impl Profile {
    pub(crate) fn add(&mut self, plan: &Plan, nanos: &[u64], micro_batches: usize) {
        for (step, &ns) in plan.steps.iter().zip(nanos) {
            let same = |e: &&mut Entry| {
                (e.operation, e.kernel, e.scope.as_str()) == (step.operation, step.kernel, &step.scope)
            };
            let seconds = ns as f64 * 1e-9;
            let (flops, bytes) =
                (step.cost.flops * micro_batches as f64, step.cost.bytes * micro_batches as f64);
            match self.entries.iter_mut().find(same) {
                Some(entry) => {
                    entry.seconds += seconds;
                    entry.flops += flops;
                    entry.bytes += bytes;
                }
                None => self.entries.push(Entry {
                    operation: step.operation,
                    kernel: step.kernel,
                    scope: step.scope.clone(),
                    seconds,
                    flops,
                    bytes,
                }),
            }
        }
    }

    /// Total time in seconds, over lanes.
    pub fn seconds(&self) -> f64 {
        self.entries.iter().map(|e| e.seconds).sum()
    }

    /// Entries of the same operation and kernel joined, slowest first.
    pub fn by_operation(&self) -> Vec<Entry> {
        let mut joined: Vec<Entry> = Vec::new();
        for e in &self.entries {
            match joined.iter_mut().find(|j| (j.operation, j.kernel) == (e.operation, e.kernel)) {
                Some(j) => {
                    j.seconds += e.seconds;
                    j.flops += e.flops;
                    j.bytes += e.bytes;
                }
                None => joined.push(Entry { scope: String::new(), ..e.clone() }),
            }
        }
        joined.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        joined
    }
}
