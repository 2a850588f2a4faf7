//! A profile in the terminal.

use bessemer::plan::{Entry, Profile};
use bessemer::train::TrainProfile;

use super::others;
use crate::machine::Machine;
use crate::number;
use crate::table::plain;

/// Rows of layers and of single calls.
const LONGEST: usize = 16;

/// A training's time by operation and by layer.
pub fn training(model: &str, profile: &TrainProfile, machine: &Machine) -> String {
    let total = profile.core_seconds();
    let steps = profile.steps.max(1) as f64;
    let rest: Vec<(String, f64)> = others(profile).map(|(name, seconds)| (name.to_string(), seconds)).into();
    let operations = profile.calls.by_operation();
    let shown: f64 =
        operations.iter().map(|e| e.seconds).sum::<f64>() + rest.iter().map(|r| r.1).sum::<f64>();
    format!(
        "{model}: {} steps in {} on {}, by operation\n{}\n{model}: by layer\n{}\n{:.1} % accounted for",
        profile.steps,
        number::seconds(profile.elapsed.as_secs_f64()),
        number::counted(profile.threads, "thread"),
        entries("operation", &operations, &rest, total, steps, machine),
        entries("layer", &profile.calls.by_layer(), &rest, total, steps, machine),
        100.0 * shown / total,
    )
}

/// The time of a step by operation, by layer, and of the slowest calls.
pub fn step(profile: &Profile, machine: &Machine) -> String {
    let total = profile.seconds();
    let mut calls = profile.entries.clone();
    calls.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    calls.truncate(LONGEST);
    for call in &mut calls {
        // One column says which.
        call.scope = match &call.within {
            Some(within) => format!("{within} / {} ({}) {}", call.operation, call.kernel, call.scope),
            None => format!("{} ({}) {}", call.operation, call.kernel, call.scope),
        };
    }
    format!(
        "{}\n\n{}\n\n{}",
        entries("operation", &profile.by_operation(), &[], total, 1.0, machine),
        entries("layer", &profile.by_layer(), &[], total, 1.0, machine),
        entries("slowest calls", &calls, &[], total, 1.0, machine),
    )
}

/// Entries, and parts that are no calls, slowest first.
fn entries(
    title: &str,
    entries: &[Entry],
    others: &[(String, f64)],
    total: f64,
    steps: f64,
    machine: &Machine,
) -> String {
    let by_operation = title == "operation";
    let mut rows: Vec<(f64, [String; 7])> = Vec::new();
    let mut floors = (0.0, 0.0);
    for e in entries {
        let floor = machine.floor(e);
        floors = (floors.0 + e.seconds, floors.1 + floor);
        let seconds = e.seconds.max(1e-12);
        let name = match (by_operation, e.scope.as_str()) {
            (true, _) => e.operation,
            (false, "") => "the model itself",
            (false, scope) => scope,
        };
        rows.push((
            e.seconds,
            [
                name.to_string(),
                e.kernel.to_string(),
                format!("{:.3}", e.seconds * 1e3 / steps),
                format!("{:.1}", 100.0 * e.seconds / total),
                format!("{:.0}", e.flops / seconds * 1e-9),
                format!("{:.0}", e.bytes / seconds * 1e-9),
                if floor > 0.0 { format!("{:.1}", e.seconds / floor) } else { "-".into() },
            ],
        ));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    if !by_operation && rows.len() > LONGEST {
        let seconds: f64 = rows[LONGEST..].iter().map(|r| r.0).sum();
        let name = format!("{} others", rows.len() - LONGEST);
        rows.truncate(LONGEST);
        rows.push((seconds, other(&name, seconds, total, steps)));
    }
    for (name, seconds) in others.iter().filter(|(_, seconds)| *seconds > 0.0) {
        rows.push((*seconds, other(name, *seconds, total, steps)));
    }
    let header = [title, "kernel", "core ms a step", "%", "GFLOP/s", "GB/s", "× floor"];
    // A layer has many kernels.
    let shown = |i: usize| by_operation || i != 1;
    let cells = |(_, cells): (f64, [String; 7])| {
        cells.into_iter().enumerate().filter(|(i, _)| shown(*i)).map(|(_, cell)| cell).collect::<Vec<_>>()
    };
    let header = header.into_iter().enumerate().filter(|(i, _)| shown(*i)).map(|(_, title)| title);
    plain(header.collect(), rows.into_iter().map(cells)).to_string()
}

fn other(name: &str, seconds: f64, total: f64, steps: f64) -> [String; 7] {
    let (ms, share) = (format!("{:.3}", seconds * 1e3 / steps), format!("{:.1}", 100.0 * seconds / total));
    [name.to_string(), String::new(), ms, share, String::new(), String::new(), String::new()]
}
