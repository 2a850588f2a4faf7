//! The measuring loop, the same as in `measure.py`: warm up, then time single
//! steps for a while and keep the median.

use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(1000);
const WARM_UP_STEPS_MIN: usize = 3;
const MEASURE: Duration = Duration::from_millis(3000);
const MEASURE_STEPS_MIN: usize = 10;

/// What one run found.
pub struct Report {
    step_ms: Vec<f64>,
    /// The loss of the first step and of the last, as a sign that it learned.
    losses: (f32, f32),
    parameters: usize,
}

/// Runs `step` until it is warm, then times it; `step` returns its loss only
/// when asked, since reading it may cost a copy.
pub fn measure(parameters: usize, mut step: impl FnMut() -> f32) -> Report {
    let first_loss = step();
    run(&mut step, WARM_UP, WARM_UP_STEPS_MIN);
    let step_ms = run(&mut step, MEASURE, MEASURE_STEPS_MIN);
    Report { step_ms, losses: (first_loss, step()), parameters }
}

fn run(step: &mut impl FnMut() -> f32, long_enough: Duration, steps_min: usize) -> Vec<f64> {
    let begin = Instant::now();
    let mut step_ms = Vec::new();
    while begin.elapsed() < long_enough || step_ms.len() < steps_min {
        let start = Instant::now();
        step();
        step_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    step_ms
}

impl Report {
    /// One line of JSON in the shape that every side prints.
    pub fn to_json(&self, framework: &str, model: &str) -> String {
        let mut sorted = self.step_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let version = match framework {
            "burn" => "0.22.1, flex, x86-v4",
            _ => "0.11.1",
        };
        let threads = std::env::var("RAYON_NUM_THREADS").unwrap_or_else(|_| "null".into());
        format!(
            concat!(
                r#"{{"model":"{}","precision":"f32","threads":{},"#,
                r#""step_ms":{{"median":{},"min":{},"max":{}}},"steps":{},"#,
                r#""peak_memory_mb":{:.1},"parameters":{},"losses":[{},{}],"#,
                r#""versions":{{"{}":"{}"}}}}"#
            ),
            model,
            threads,
            median(&sorted),
            sorted[0],
            sorted[sorted.len() - 1],
            sorted.len(),
            peak_memory_mb(),
            self.parameters,
            self.losses.0,
            self.losses.1,
            framework,
            version,
        )
    }
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// The largest resident set so far, in MiB; 0 where `/proc` does not tell.
fn peak_memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
