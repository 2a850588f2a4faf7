//! Calls one by one, in the format of Chrome's trace viewer, which Perfetto reads too: complete events
//! with times in microseconds (Google, "Trace Event Format").

use std::time::Instant;

use bessemer::train::{Phase, TrainProfile};
use serde_json::{Value, json};

/// The events of the steps that were noted down.
pub fn chrome(model: &str, profile: &TrainProfile) -> Value {
    let starts = profile.noted.iter().map(|c| c.start).chain(profile.noted_phases.iter().map(|p| p.1));
    let Some(origin) = starts.min() else { return json!({ "traceEvents": [] }) };
    let since = |start: Instant| start.duration_since(origin).as_nanos() as f64 * 1e-3;
    // The training itself is the first row, threads those below it.
    let name = |row: usize, name: String| json!({ "name": "thread_name", "ph": "M", "pid": 1, "tid": row, "args": { "name": name } });
    let mut events = vec![
        json!({ "name": "process_name", "ph": "M", "pid": 1, "args": { "name": format!("bessemer: {model}") } }),
        name(0, "training".into()),
    ];
    let threads = profile.noted.iter().map(|c| c.thread + 1).max().unwrap_or(0);
    events.extend((0..threads).map(|i| name(i + 1, format!("thread {i}"))));
    events.extend(profile.noted_phases.iter().map(|(phase, start, time)| {
        let name = match phase {
            Phase::Batches => "making a batch",
            Phase::Steps => "forward and backward",
            Phase::Optimizer => "optimiser",
            Phase::Validation => "validation",
        };
        let dur = time.as_nanos() as f64 * 1e-3;
        json!({ "name": name, "cat": "training", "ph": "X", "ts": since(*start), "dur": dur, "pid": 1, "tid": 0 })
    }));
    events.extend(profile.noted.iter().map(|call| {
        json!({
            "name": call.operation, "cat": "call", "ph": "X", "ts": since(call.start),
            "dur": call.nanos as f64 * 1e-3, "pid": 1, "tid": call.thread + 1,
            "args": { "kernel": call.kernel, "layer": call.scope, "lane": call.lane },
        })
    }));
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}
