//! A flame graph: the model's layers, and the kernels within them, as wide as they took long.

use bessemer::train::TrainProfile;
use inferno::flamegraph::{Options, TextTruncateDirection, from_lines};

use super::others;

/// The graph as SVG.
pub fn svg(model: &str, profile: &TrainProfile) -> std::io::Result<Vec<u8>> {
    let stacks = stacks(profile);
    let mut options = Options::default();
    options.title = format!("{model}: {} steps, core time by layer and kernel", profile.steps);
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.count_name = "µs".into();
    let mut svg = Vec::new();
    from_lines(&mut options, stacks.iter().map(String::as_str), &mut svg)
        .map_err(|problem| std::io::Error::other(problem.to_string()))?;
    Ok(svg)
}

/// Lines of frames from the outside to the inside, and microseconds.
fn stacks(profile: &TrainProfile) -> Vec<String> {
    let frames = |scope: &str| -> String {
        scope.split('.').filter(|part| !part.is_empty()).map(|part| format!("{part};")).collect()
    };
    let mut stacks = Vec::new();
    for e in &profile.calls.entries {
        let outside =
            e.within.as_deref().map(|within| format!("{}scan;", frames(within))).unwrap_or_default();
        let micros = (e.seconds * 1e6).round() as u64;
        stacks.push(format!("steps;{outside}{}{} ({}) {micros}", frames(&e.scope), e.operation, e.kernel));
    }
    stacks
        .extend(others(profile).iter().map(|(name, seconds)| format!("{name} {}", (seconds * 1e6).round())));
    stacks.sort_unstable();
    stacks
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bessemer::plan::{Entry, Profile};
    use bessemer::train::Phase;

    use super::*;

    #[test]
    fn layers_are_frames() {
        let entry = |scope: &str, within: Option<&str>| Entry {
            operation: "linear",
            kernel: "gemm",
            scope: scope.into(),
            within: within.map(str::to_string),
            calls: 1.0,
            seconds: 1.5e-3,
            flops: 0.0,
            bytes: 0.0,
        };
        let profile = TrainProfile {
            steps: 1,
            threads: 1,
            elapsed: Duration::from_millis(4),
            phases: vec![(Phase::Steps, Duration::from_millis(4))],
            calls: Profile { entries: vec![entry("layers.0.out", None), entry("cell", Some("lstm"))] },
            noted: Vec::new(),
            noted_phases: Vec::new(),
        };
        let stacks = stacks(&profile);
        assert!(stacks.contains(&"steps;layers;0;out;linear (gemm) 1500".to_string()), "{stacks:?}");
        assert!(stacks.contains(&"steps;lstm;scan;cell;linear (gemm) 1500".to_string()));
        assert!(stacks.contains(&"packing and waiting 1000".to_string()));
        let svg = String::from_utf8(svg("small", &profile).unwrap()).unwrap();
        assert!(svg.contains("linear (gemm)") && svg.contains("small: 1 steps"));
    }
}
