//! `bessemer profile`: any training command, and where its time went.

mod flame;
pub mod table;
mod trace;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bessemer::plan::{Entry, Pool};
use bessemer::train::{Phase, TrainProfile, write_whole};
use clap::Subcommand;
use serde::Serialize;

use crate::demo::Demo;
use crate::error::{CliError, Result};
use crate::forecast::Forecast;
use crate::machine::Machine;
use crate::{interrupt, output};

/// Run a training command and show where its time goes
///
/// Prints, for every model that is trained, the time by operation and by layer; all shares together are
/// the whole training. Writes a folder with profile.json, trace.json (a few early steps, call by call, for
/// Perfetto or chrome://tracing) and flame.svg for each model.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  bessemer profile --out profile forecast fit sales.csv --model nhits --horizon 12 --out sales-model

profile.json:
  {\"model\", \"steps\", \"threads\", \"seconds\", \"machine\",
   \"parts\": [{\"operation\", \"kernel\", \"layer\", \"loop\", \"core_seconds\", \"share\", \"calls\",
              \"gflop_per_s\", \"gb_per_s\", \"over_floor\"}]}
  A part without a kernel is what is not spent in calls of the model.")]
pub struct ProfileCommand {
    /// The folder to write into, one below it for each model [default: `profile` in the run's folder]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The command
    #[command(subcommand)]
    command: Profiled,
}

/// What trains.
#[derive(Subcommand)]
enum Profiled {
    Demo(Demo),
    #[command(subcommand)]
    Forecast(Box<Forecast>),
}

/// What was measured so far.
#[derive(Default)]
struct Collected {
    /// The folder of the run, if it has one.
    run: Option<PathBuf>,
    /// Profiles of the models.
    profiles: Vec<(String, TrainProfile)>,
}

/// Nothing if nobody asked for it.
static COLLECTED: Mutex<Option<Collected>> = Mutex::new(None);

/// Whether trainings are to be measured.
pub fn requested() -> bool {
    COLLECTED.lock().expect("nobody panics with it").is_some()
}

/// Keeps what a training measured, whose run has that folder.
pub fn collect(model: &str, profile: TrainProfile, run: Option<&Path>) {
    if let Some(collected) = &mut *COLLECTED.lock().expect("nobody panics with it") {
        collected.run = run.map(Path::to_path_buf);
        collected.profiles.push((model.to_string(), profile));
    }
}

/// One part of a training's time.
#[derive(Serialize)]
struct Part {
    operation: String,
    kernel: Option<&'static str>,
    layer: String,
    r#loop: Option<String>,
    core_seconds: f64,
    share: f64,
    calls: f64,
    gflop_per_s: f64,
    gb_per_s: f64,
    over_floor: Option<f64>,
}

#[derive(Serialize)]
struct Written<'a> {
    model: &'a str,
    steps: u64,
    threads: usize,
    seconds: f64,
    machine: &'a Machine,
    parts: Vec<Part>,
}

impl ProfileCommand {
    /// Runs the command, then prints and writes.
    pub fn run(&self) -> Result<()> {
        if matches!(&self.command, Profiled::Forecast(command) if !command.trains()) {
            let problem = "it trains no model, or several at a time";
            return Err(CliError::argument("the command", problem, "profile a fit, a backtest or the demo"));
        }
        self.out.iter().try_for_each(|out| output::check_folder(out))?;
        *COLLECTED.lock().expect("nobody panics with it") = Some(Collected::default());
        match &self.command {
            Profiled::Demo(demo) => demo.run(),
            Profiled::Forecast(command) => command.run(),
        }?;
        let collected = COLLECTED.lock().expect("nobody panics with it").take().unwrap_or_default();
        let machine = Machine::measure(&Pool::new(1));
        let run = match &self.command {
            Profiled::Demo(demo) => &demo.run,
            Profiled::Forecast(command) => command.run_args(),
        };
        let within = |run: PathBuf| run.join("profile");
        let out = self.out.clone().or(collected.run.map(within)).unwrap_or_else(|| "profile".into());
        for (model, profile) in &collected.profiles {
            run.print(&format!("\n{}\n", table::training(model, profile, &machine)))?;
            write(&out, model, profile, &machine)?;
        }
        if run.quiet { Ok(()) } else { run.print(&format!("\nwritten: {}\n", out.display())) }
    }
}

/// Writes the three files of a model.
fn write(out: &Path, model: &str, profile: &TrainProfile, machine: &Machine) -> Result<()> {
    let folder = out.join(model);
    let _hold = interrupt::writing();
    std::fs::create_dir_all(&folder).map_err(CliError::output(&folder, "make the folder"))?;
    let file = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        write_whole(&path, |f| f.write_all(text)).map_err(CliError::output(&path, "write the file"))
    };
    let written = Written {
        model,
        steps: profile.steps,
        threads: profile.threads,
        seconds: profile.elapsed.as_secs_f64(),
        machine,
        parts: parts(profile, machine),
    };
    let json = serde_json::to_vec_pretty(&written).map_err(|e| std::io::Error::other(e.to_string()));
    file("profile.json", &json.map_err(CliError::output(&folder, "write the profile"))?)?;
    file("trace.json", trace::chrome(model, profile).to_string().as_bytes())?;
    file("flame.svg", &flame::svg(model, profile).map_err(CliError::output(&folder, "draw the flame graph"))?)
}

/// All parts of a training; their shares add up to 1.
fn parts(profile: &TrainProfile, machine: &Machine) -> Vec<Part> {
    let total = profile.core_seconds();
    let call = |e: &Entry| Part {
        operation: e.operation.to_string(),
        kernel: Some(e.kernel),
        layer: e.scope.clone(),
        r#loop: e.within.clone(),
        core_seconds: e.seconds,
        share: e.seconds / total,
        calls: e.calls,
        gflop_per_s: e.flops / e.seconds.max(1e-12) * 1e-9,
        gb_per_s: e.bytes / e.seconds.max(1e-12) * 1e-9,
        over_floor: Some(e.seconds / machine.floor(e)).filter(|x| x.is_finite()),
    };
    let other = |(operation, core_seconds): (&str, f64)| Part {
        operation: operation.to_string(),
        kernel: None,
        layer: String::new(),
        r#loop: None,
        core_seconds,
        share: core_seconds / total,
        calls: 0.0,
        gflop_per_s: 0.0,
        gb_per_s: 0.0,
        over_floor: None,
    };
    profile.calls.entries.iter().map(call).chain(others(profile).into_iter().map(other)).collect()
}

/// What is not spent in calls: name and core-seconds.
fn others(profile: &TrainProfile) -> [(&'static str, f64); 5] {
    [
        ("packing and waiting", profile.waiting()),
        ("optimiser", profile.phase(Phase::Optimizer)),
        ("making batches", profile.phase(Phase::Batches)),
        ("validation", profile.phase(Phase::Validation)),
        ("everything else", profile.rest()),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bessemer::plan::Profile;

    use super::*;

    #[test]
    fn shares_are_the_whole() {
        let entry = |operation, seconds| Entry {
            operation,
            kernel: "k",
            scope: "layer".into(),
            within: None,
            calls: 3.0,
            seconds,
            flops: 6e9,
            bytes: 1e6,
        };
        let profile = TrainProfile {
            steps: 3,
            threads: 2,
            elapsed: Duration::from_secs(10),
            phases: vec![
                (Phase::Batches, Duration::from_secs(1)),
                (Phase::Steps, Duration::from_secs(6)),
                (Phase::Optimizer, Duration::from_secs(2)),
            ],
            calls: Profile { entries: vec![entry("linear", 7.0), entry("softmax", 3.0)] },
            noted: Vec::new(),
            noted_phases: Vec::new(),
        };
        let machine = Machine::measure(&Pool::new(1));
        let parts = parts(&profile, &machine);
        assert!((parts.iter().map(|p| p.share).sum::<f64>() - 1.0).abs() < 1e-12);
        let of = |name: &str| parts.iter().find(|p| p.operation == name).unwrap().core_seconds;
        assert_eq!((of("linear"), of("packing and waiting"), of("optimiser")), (7.0, 2.0, 4.0));
        assert_eq!((of("validation"), of("everything else")), (0.0, 2.0));
    }
}
