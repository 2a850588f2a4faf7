//! Where a training's time went.

use std::time::{Duration, Instant};

use bessemer_plan::{Call, Executable, Profile};

/// Steps whose calls are noted down one by one: those after the first, in which memory is new.
const NOTED: std::ops::Range<u64> = 1..4;

/// What a training spends time on, besides the calls of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Making batches.
    Batches,
    /// Forward and backward.
    Steps,
    /// Summing gradients and updating weights.
    Optimizer,
    /// Scoring held-out data.
    Validation,
}

/// The time of a training, by phase and by call.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainProfile {
    /// Steps taken.
    pub steps: u64,
    /// Threads at work.
    pub threads: usize,
    /// From the first step to the end.
    pub elapsed: Duration,
    /// Time of each phase.
    pub phases: Vec<(Phase, Duration)>,
    /// Time by call, over all steps and lanes.
    pub calls: Profile,
    /// Every call of a few early steps, one by one.
    pub noted: Vec<Call>,
    /// The phases of those steps: when they began, and how long they took.
    pub noted_phases: Vec<(Phase, Instant, Duration)>,
}

impl TrainProfile {
    /// Core-seconds: what all threads had.
    pub fn core_seconds(&self) -> f64 {
        self.elapsed.as_secs_f64() * self.threads as f64
    }

    /// Core-seconds of a phase; threads that had nothing to do in it count too.
    pub fn phase(&self, phase: Phase) -> f64 {
        let time = self.phases.iter().find(|(p, _)| *p == phase).map_or(Duration::ZERO, |(_, time)| *time);
        time.as_secs_f64() * self.threads as f64
    }

    /// Core-seconds within steps in which no call ran: waiting for other lanes, packing weights,
    /// exchanges.
    pub fn waiting(&self) -> f64 {
        (self.phase(Phase::Steps) - self.calls.seconds()).max(0.0)
    }

    /// Core-seconds outside every phase.
    pub fn rest(&self) -> f64 {
        let phases: Duration = self.phases.iter().map(|(_, time)| *time).sum();
        self.elapsed.saturating_sub(phases).as_secs_f64() * self.threads as f64
    }
}

/// Measures while a training runs, if it is to.
pub(crate) struct Stopwatch {
    profile: Option<TrainProfile>,
}

impl Stopwatch {
    pub fn new(wanted: bool, threads: usize, plans: &mut [Executable]) -> Stopwatch {
        plans.iter_mut().for_each(|plan| plan.set_timed(wanted));
        let profile = TrainProfile {
            steps: 0,
            threads,
            elapsed: Duration::ZERO,
            phases: Vec::new(),
            calls: Profile::default(),
            noted: Vec::new(),
            noted_phases: Vec::new(),
        };
        Stopwatch { profile: wanted.then_some(profile) }
    }

    /// To be called before each step.
    pub fn begin(&mut self, done: u64, plans: &mut [Executable]) {
        if let Some(profile) = &mut self.profile {
            profile.steps = done + 1;
            plans.iter_mut().for_each(|plan| plan.set_traced(NOTED.contains(&done)));
        }
    }

    /// Runs something as part of a phase.
    pub fn time<R>(&mut self, phase: Phase, work: impl FnOnce() -> R) -> R {
        let Some(profile) = &mut self.profile else { return work() };
        let start = Instant::now();
        let result = work();
        let time = start.elapsed();
        match profile.phases.iter_mut().find(|(p, _)| *p == phase) {
            Some((_, total)) => *total += time,
            None => profile.phases.push((phase, time)),
        }
        if NOTED.contains(&(profile.steps - 1)) {
            profile.noted_phases.push((phase, start, time));
        }
        result
    }

    pub fn finish(self, elapsed: Duration, plans: &mut [Executable]) -> Option<TrainProfile> {
        let (mut calls, mut noted) = (Profile::default(), Vec::new());
        for plan in plans {
            calls.join(plan.take_profile());
            noted.append(&mut plan.take_calls());
            plan.set_timed(false);
            plan.set_traced(false);
        }
        self.profile.map(|profile| TrainProfile { elapsed, calls, noted, ..profile })
    }
}
