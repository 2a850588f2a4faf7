//! Where a step's time goes: by kernel call, and call after call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bessemer_graph::Cost;

use crate::plan::{Plan, Step};

/// Time and work of one call of a plan, over all its runs.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Entry {
    /// The operation, as the graph names it.
    pub operation: &'static str,
    /// The kernel that ran.
    pub kernel: &'static str,
    /// Where in the model it stands.
    pub scope: String,
    /// The loop that it belongs to, if any: where that stands.
    pub within: Option<String>,
    /// How often it ran.
    pub calls: f64,
    /// Seconds, summed over lanes; of a loop, what is not spent in the calls within.
    pub seconds: f64,
    /// Floating-point operations.
    pub flops: f64,
    /// Bytes read and written, each operand once.
    pub bytes: f64,
}

/// Time by call, summed over lanes and runs.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Profile {
    /// One per call of the plan, and of the loops in it.
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

/// One call at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The operation, as the graph names it.
    pub operation: &'static str,
    /// The kernel that ran.
    pub kernel: &'static str,
    /// Where in the model it stands.
    pub scope: String,
    /// The lane that ran it.
    pub lane: usize,
    /// Which of the threads at work.
    pub thread: usize,
    /// When it began.
    pub start: Instant,
    /// How long it took, in nanoseconds.
    pub nanos: u64,
}

/// A call that a lane noted down.
pub(crate) struct Noted {
    pub step: usize,
    pub is_tail: bool,
    pub thread: usize,
    pub start: Instant,
    pub nanos: u64,
}

impl Noted {
    pub fn call(self, plan: &Plan, lane: usize) -> Call {
        let Noted { step, thread, start, nanos, .. } = self;
        let step = &plan.steps[step];
        let scope = step.scope.clone();
        Call { operation: step.operation, kernel: step.kernel, scope, lane, thread, start, nanos }
    }
}

/// A clock that several lanes add to.
#[derive(Default)]
pub(crate) struct Clock {
    nanos: AtomicU64,
    calls: AtomicU64,
}

impl Clock {
    pub fn add(&self, nanos: u64) {
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Seconds and calls so far; starts again.
    fn take(&self) -> (f64, f64) {
        let nanos = self.nanos.swap(0, Ordering::Relaxed);
        (nanos as f64 * 1e-9, self.calls.swap(0, Ordering::Relaxed) as f64)
    }
}

fn times(cost: Cost, calls: f64) -> Cost {
    Cost { flops: cost.flops * calls, bytes: cost.bytes * calls }
}

impl Entry {
    /// The least time in seconds that the roofline allows.
    pub fn floor(&self, roofline: Roofline) -> f64 {
        (self.flops / roofline.flops).max(self.bytes / roofline.bytes)
    }

    fn add(&mut self, other: &Entry) {
        self.calls += other.calls;
        self.seconds += other.seconds;
        self.flops += other.flops;
        self.bytes += other.bytes;
    }
}

impl Profile {
    pub(crate) fn add(&mut self, plan: &Plan) {
        for step in &plan.steps {
            let (mut seconds, calls) = step.clock.take();
            let mut cost = times(step.cost, calls);
            for inner in step.inner.iter() {
                let (within, runs) = inner.clock.take();
                let part = times(inner.cost, runs);
                self.note(inner, Some(step.scope.clone()), within, part, runs);
                // A loop keeps what the calls within don't account for, such as its first step.
                seconds -= within;
                cost.flops -= part.flops;
                cost.bytes -= part.bytes;
            }
            let own = Cost { flops: cost.flops.max(0.0), bytes: cost.bytes.max(0.0) };
            self.note(step, None, seconds.max(0.0), own, calls);
        }
    }

    fn note(&mut self, step: &Step, within: Option<String>, seconds: f64, cost: Cost, calls: f64) {
        self.merge(Entry {
            operation: step.operation,
            kernel: step.kernel,
            scope: step.scope.clone(),
            within,
            calls,
            seconds,
            flops: cost.flops,
            bytes: cost.bytes,
        });
    }

    /// Adds what other plans' runs took, call by call.
    pub fn join(&mut self, other: Profile) {
        other.entries.into_iter().for_each(|entry| self.merge(entry));
    }

    fn merge(&mut self, entry: Entry) {
        let same = |e: &&mut Entry| {
            (e.operation, e.kernel, &e.scope, &e.within)
                == (entry.operation, entry.kernel, &entry.scope, &entry.within)
        };
        match self.entries.iter_mut().find(same) {
            Some(found) => found.add(&entry),
            None => self.entries.push(entry),
        }
    }

    /// Total time in seconds, over lanes.
    pub fn seconds(&self) -> f64 {
        self.entries.iter().map(|e| e.seconds).sum()
    }

    /// The same for each of so many runs.
    pub fn each(mut self, runs: usize) -> Profile {
        for e in &mut self.entries {
            let share = 1.0 / runs as f64;
            e.calls *= share;
            (e.seconds, e.flops, e.bytes) = (e.seconds * share, e.flops * share, e.bytes * share);
        }
        self
    }
}
