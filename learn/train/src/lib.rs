//! Optimisers, schedules, the trainer, weights on disk and reports.

pub mod report;
