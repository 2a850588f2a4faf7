//! A profile in the terminal.

use bessemer::plan::{Entry, Profile};
use bessemer::train::TrainProfile;

use super::others;
use crate::machine::Machine;
use crate::number;
use crate::table::plain;

/// Rows of layers and of single calls.
const LONGEST: usize = 16;

/// Calls that are shown as one.
struct Row {
    name: String,
    kernel: &'static str,
    seconds: f64,
    flops: f64,
    bytes: f64,
    floor: f64,
}

impl Row {
    fn of(name: String, kernel: &'static str, entry: &Entry, machine: &Machine) -> Row {
        let Entry { seconds, flops, bytes, .. } = *entry;
        Row { name, kernel, seconds, flops, bytes, floor: machine.floor(entry) }
    }
}

/// By operation and kernel.
fn operations(profile: &Profile, machine: &Machine) -> Vec<Row> {
    joined(profile.entries.iter().map(|e| Row::of(e.operation.into(), e.kernel, e, machine)))
}

/// By layer; what runs within a loop is part of its layer.
fn layers(profile: &Profile, machine: &Machine) -> Vec<Row> {
    joined(profile.entries.iter().map(|e| {
        let names = [e.within.as_deref().unwrap_or_default(), &e.scope];
        let name = names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(".");
        Row::of(if name.is_empty() { "the model itself".into() } else { name }, "", e, machine)
    }))
}

/// Rows of the same name joined, slowest first.
fn joined(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    let mut joined: Vec<Row> = Vec::new();
    for row in rows {
        match joined.iter_mut().find(|j| (&j.name, j.kernel) == (&row.name, row.kernel)) {
            Some(j) => {
                j.seconds += row.seconds;
                j.flops += row.flops;
                j.bytes += row.bytes;
                j.floor += row.floor;
            }
            None => joined.push(row),
        }
    }
    joined.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    joined
}

/// A training's time by operation and by layer.
pub fn training(model: &str, profile: &TrainProfile, machine: &Machine) -> String {
    let total = profile.core_seconds();
    let steps = profile.steps.max(1) as f64;
    let rest = others(profile);
    let named = 1.0 - profile.rest() / total;
    format!(
        "{model}: {} steps in {} on {}, by operation\n{}\n{model}: by layer\n{}\n{:.1} % of the time is that of a call or of a named part",
        profile.steps,
        number::seconds(profile.elapsed.as_secs_f64()),
        number::counted(profile.threads, "thread"),
        rendered("operation", operations(&profile.calls, machine), &rest, total, steps),
        rendered("layer", layers(&profile.calls, machine), &rest, total, steps),
        100.0 * named,
    )
}

/// The time of a step by operation, by layer, and of the slowest calls.
pub fn step(profile: &Profile, machine: &Machine) -> String {
    let total = profile.seconds();
    let calls = profile.entries.iter().map(|e| {
        let within = e.within.as_ref().map(|within| format!("{within} / ")).unwrap_or_default();
        Row::of(format!("{within}{} ({}) {}", e.operation, e.kernel, e.scope), "", e, machine)
    });
    format!(
        "{}\n\n{}\n\n{}",
        rendered("operation", operations(profile, machine), &[], total, 1.0),
        rendered("layer", layers(profile, machine), &[], total, 1.0),
        rendered("call", joined(calls), &[], total, 1.0),
    )
}

/// Rows, and parts that are no calls, of `total` core-seconds and so many steps. Only operations have one
/// kernel, and are all shown.
fn rendered(title: &str, mut rows: Vec<Row>, others: &[(&str, f64)], total: f64, steps: f64) -> String {
    let by_operation = title == "operation";
    let part = |name: &str, kernel: &str, seconds: f64, rates: [String; 3]| {
        let (ms, share) =
            (format!("{:.3}", seconds * 1e3 / steps), format!("{:.1}", 100.0 * seconds / total));
        let kernel = by_operation.then(|| kernel.to_string());
        [name.to_string()].into_iter().chain(kernel).chain([ms, share]).chain(rates).collect::<Vec<_>>()
    };
    let mut hidden = 0.0;
    let count = rows.len();
    if !by_operation && count > LONGEST {
        hidden = rows.drain(LONGEST..).map(|row| row.seconds).sum();
    }
    let mut cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let rate = |amount: f64| format!("{:.0}", amount / row.seconds.max(1e-12) * 1e-9);
            let floor = if row.floor > 0.0 { format!("{:.1}", row.seconds / row.floor) } else { "-".into() };
            part(&row.name, row.kernel, row.seconds, [rate(row.flops), rate(row.bytes), floor])
        })
        .collect();
    let nothing = || [const { String::new() }; 3];
    if hidden > 0.0 {
        cells.push(part(&format!("{} others", count - LONGEST), "", hidden, nothing()));
    }
    cells.extend(others.iter().map(|(name, seconds)| part(name, "", *seconds, nothing())));
    let kernel = by_operation.then_some("kernel");
    let header = [title].into_iter().chain(kernel);
    let header = header.chain(["core ms a step", "%", "GFLOP/s", "GB/s", "× floor"]);
    plain(header.collect(), cells).to_string()
}
