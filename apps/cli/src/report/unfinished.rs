//! The report of a training that was stopped, or failed.

use std::path::Path;

use bessemer::train::report::{Block, Report};
use bessemer::train::{Metric, RunRecord, RunStatus, read_metrics};

use super::course::course;
use super::{footer, losses, phase, settings};
use crate::number;
use crate::runs::{GoingOn, command_of, name_of, trains_phases};

/// What there is in the folder of a run that got no further.
pub fn unfinished(folder: &Path, record: &RunRecord) -> Report {
    let trainings = trainings(folder);
    let problem = record.problem.as_deref().unwrap_or("it is not known why");
    let how = match record.status {
        RunStatus::Failed => format!("This run failed: {problem}."),
        // How it goes on is said below.
        _ => format!("This run was stopped: {}.", problem.split("; go on with: ").next().unwrap_or(problem)),
    };
    let mut training = Vec::new();
    if trainings.iter().all(|(_, metrics)| metrics.is_empty()) {
        training.push(Block::note("No step was taken."));
    } else if trains_phases(record) {
        training.extend(trainings.iter().map(|(_, metrics)| phase::losses_so_far(metrics).into()));
    } else {
        training.push(losses::grid_so_far(&trainings).into());
    }
    let in_steps = trainings.iter().enumerate().filter(|(_, (_, m))| !m.is_empty() && !trains_phases(record));
    for (place, (name, metrics)) in in_steps {
        let mut charts = course(place, name, metrics);
        if !name.is_empty() {
            charts.title = format!("Learning rate and gradient of {name} by step");
        }
        training.push(charts.into());
    }
    let GoingOn { from, command } = GoingOn::of(folder, record);
    let steps = |(name, metrics): &(String, Vec<Metric>)| {
        let steps = metrics.last().map_or(0, |metric| metric.step);
        let label = match name.as_str() {
            "" if trains_phases(record) => "epochs done".to_string(),
            "" => "steps taken".to_string(),
            name => format!("steps of {name}"),
        };
        (label, number::count(steps as usize))
    };
    let mut facts: Vec<(String, String)> = trainings.iter().map(steps).collect();
    facts.push(("time".into(), number::seconds(record.seconds)));
    facts.push(("seed".into(), record.seed.to_string()));
    let mut made = vec![Block::key_values("Training", facts), settings::machine(record.threads)];
    made.push(Block::code("The command", command_of(record)));
    for (name, _) in &trainings {
        let settings = std::fs::read_to_string(folder.join(name).join("config.toml")).unwrap_or_default();
        let of = if name.is_empty() { String::new() } else { format!(" of {name}") };
        made.push(Block::code(format!("All settings{of}"), settings));
    }
    Report::new(format!("{}, {}", name_of(folder), record.status.name()))
        .subtitle("The training as far as it got.")
        .section("What happened", [Block::warning(how), Block::paragraph(from), Block::code("", command)])
        .section("Training", training)
        .section("How this was made", made)
        .footer(footer())
}

/// The trainings in a folder, by the name of the model where each has a folder of its own, with what is known of
/// their steps.
fn trainings(folder: &Path) -> Vec<(String, Vec<Metric>)> {
    let within = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        within.filter_map(|entry| entry.file_name().into_string().ok()).chain([String::new()]).collect();
    names.sort();
    names.retain(|name| folder.join(name).join("config.toml").is_file());
    names
        .into_iter()
        .map(|name| (name.clone(), read_metrics(&folder.join(&name)).unwrap_or_default()))
        .collect()
}
