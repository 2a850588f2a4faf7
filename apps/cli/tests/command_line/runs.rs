//! Run folders and configuration files.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::place::Place;

const FIT: &str = "forecast fit series.csv --model mlp --horizon 3 --lookback 6 --max-steps 30 --set hidden=8 \
                   --validation 9 --validate-every 10 --quiet";

/// A command that keeps its run.
fn keeping(place: &Place, arguments: &str) -> Command {
    let mut command = place.command(arguments);
    command.env_remove("BESSEMER_RUNS");
    command
}

fn succeed(place: &Place, arguments: &str) -> String {
    let output = keeping(place, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn runs(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(place.path("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_training_keeps_all_that_is_known_of_it() {
    let place = Place::new();
    succeed(&place, FIT);
    let names = runs(&place);
    assert!(names.len() == 1 && names[0].ends_with("-fit-mlp"), "{names:?}");
    let run = format!("runs/{}", names[0]);
    let mut files: Vec<String> = std::fs::read_dir(place.path(&run))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert!(files[1].starts_with("events.out.tfevents."), "{files:?}");
    files.remove(1);
    let expected =
        ["config.toml", "log.txt", "metrics.csv", "metrics.jsonl", "model", "report.html", "run.toml"];
    assert_eq!(files, expected);
    let metrics = place.read(&format!("{run}/metrics.jsonl"));
    assert_eq!(metrics.lines().filter(|line| line.contains("\"loss\"")).count(), 30);
    assert_eq!(metrics.lines().filter(|line| line.contains("\"validation_loss\"")).count(), 3);
    let log = place.read(&format!("{run}/log.txt"));
    assert!(log.contains("step 10: validation loss") && log.trim_end().ends_with("finished"), "{log}");
    let report = place.read(&format!("{run}/report.html"));
    assert!(report.contains("seasonal-naive") && report.contains("beta1 = 0.9"), "baselines and settings");

    // The list, one run, and the JSON of all.
    let listed = succeed(&place, "runs list");
    assert!(listed.contains(&names[0]) && listed.contains("finished") && listed.contains("mlp"), "{listed}");
    let shown = succeed(&place, &format!("runs show {}", names[0]));
    assert!(shown.contains("bessemer forecast fit series.csv") && shown.contains("metrics.csv"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&succeed(&place, "runs list --json -")).unwrap();
    assert!(json[0]["results"]["mlp"]["mae"].is_f64() && json[0]["results"]["naive"]["mae"].is_f64());
}

#[test]
fn a_run_can_be_had_again_from_its_folder() {
    let place = Place::new();
    succeed(&place, &format!("{FIT} --run first --seed 5 --threads 1"));
    let again = succeed(&place, "runs repeat first");
    assert!(again.contains("model/weights.safetensors: the same bytes"), "{again}");
    let weights = |folder: &str| std::fs::read(place.path(&format!("{folder}/weights.safetensors"))).unwrap();
    // Its settings alone are enough, too.
    succeed(&place, "forecast fit series.csv --config first/config.toml --out second --quiet --no-run");
    assert!(weights("first/model") == weights("second"));
    // What the command line says comes last.
    succeed(
        &place,
        "forecast fit series.csv --config first/config.toml --run third --seed 6 --set optimizer.lr=1e-2 --quiet",
    );
    assert!(weights("first/model") != weights("third/model"));
    let compared = succeed(&place, "runs compare first third");
    let row =
        |name: &str| compared.lines().find(|line| line.trim().starts_with(name)).unwrap_or("").to_string();
    let differing: Vec<&str> = compared.lines().skip_while(|line| !line.contains("fit.train")).collect();
    assert!(row("fit.train.seed").contains('5') && row("fit.train.seed").contains('6'), "{compared}");
    assert!(row("fit.train.learning_rate").contains("0.01"), "{compared}");
    assert!(differing.len() < 6 && !compared.contains("fit.horizon"), "{compared}");
    // A backtest has a folder for each model.
    succeed(
        &place,
        "forecast backtest series.csv --models mlp,nlinear --horizon 3 --max-steps 5 --set hidden=8 --quiet --run test",
    );
    for file in ["mlp/config.toml", "nlinear/metrics.csv", "mlp/weights.safetensors", "report.html"] {
        assert!(place.path(&format!("test/{file}")).exists(), "{file}");
    }
    // What was measured of a training lies with it.
    succeed(&place, &format!("profile {FIT} --run measured"));
    assert!(place.path("measured/profile/mlp/flame.svg").exists());
    let again = succeed(&place, "runs repeat measured --to measured-again");
    assert!(again.contains("model/weights.safetensors: the same bytes"), "{again}");
    let again = succeed(&place, "runs repeat test --to test-again");
    assert_eq!(again.matches("the same bytes").count(), 2, "{again}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_in_its_folder() {
    let place = Place::new();
    let fit = FIT.replace("--max-steps 30", "--max-steps 1000000").replace("--quiet", "");
    let child = keeping(&place, &fit).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let at_work = || {
        let name = std::fs::read_dir(place.path("runs")).ok()?.flatten().next()?.file_name();
        let metrics = place.path("runs").join(name).join("log.txt");
        std::fs::read_to_string(metrics).ok().filter(|log| log.contains("step 150:"))
    };
    while at_work().is_none() {
        assert!(Instant::now() < until, "no step in a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    let name = runs(&place).remove(0);
    let stopped = succeed(&place, "runs list");
    assert!(stopped.contains("stopped"), "{stopped}");
    let command = said.trim_end().rsplit("go on with: ").next().unwrap();
    let words = command.split_once(' ').unwrap().1;
    assert!(words.contains(&format!("--run=runs/{name} --resume")), "{said}");
    let steps = |metrics: &str| -> Vec<u64> {
        let lines = metrics.lines().filter(|line| line.contains("\"loss\""));
        lines
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["step"].as_u64().unwrap())
            .collect()
    };
    let metrics = || place.read(&format!("runs/{name}/metrics.jsonl"));
    let done = *steps(&metrics()).last().unwrap();
    // As many more steps as there are between two that are written down.
    let more = format!("--max-steps {}", done + 300);
    succeed(&place, &words.replace("--max-steps 1000000", &more));
    let written = steps(&metrics());
    assert_eq!(*written.last().unwrap(), done + 300);
    assert!(written.windows(2).all(|pair| pair[0] < pair[1]), "every step once");
    assert_eq!(runs(&place).len(), 1);
    assert!(succeed(&place, "runs list").contains("finished"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_backtest_goes_on_with_the_model_at_work() {
    let place = Place::new();
    let backtest = "forecast backtest series.csv --models nlinear,mlp --horizon 3 --lookback 6 --max-steps 20000 --set hidden=8 --threads 1 --run test";
    let child = keeping(&place, backtest).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    // The first model is done.
    while !place.path("test/nlinear/weights.safetensors").exists() {
        assert!(Instant::now() < until, "no model in a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let whole = backtest.replace("--run test", "--run whole");
    succeed(&place, &format!("{whole} --json whole.json"));
    assert_eq!(output.status.code(), Some(130), "{said}");
    let report = place.read("test/report.html");
    for expected in
        ["This run was stopped: interrupted while mlp was at", "--run test --resume", "All settings of mlp"]
    {
        assert!(report.contains(expected), "{expected}");
    }
    let command = said.trim_end().rsplit("go on with: ").next().unwrap();
    succeed(&place, &format!("{} --json again.json", command.split_once(' ').unwrap().1));
    for name in ["nlinear", "mlp"] {
        let weights =
            |run: &str| std::fs::read(place.path(&format!("{run}/{name}/weights.safetensors"))).unwrap();
        assert!(weights("test") == weights("whole"), "{name}");
    }
    let losses = |file: &str| {
        let json: serde_json::Value = serde_json::from_str(&place.read(file)).unwrap();
        let of = |name: &str| {
            let models = json["models"].as_array().unwrap();
            models
                .iter()
                .find(|model| model["name"] == name)
                .map(|model| [&model["losses"], &model["mse"]].map(Clone::clone))
        };
        ["nlinear", "mlp"].map(of)
    };
    assert_eq!(losses("again.json"), losses("whole.json"));
}

#[cfg(unix)]
#[test]
fn a_killed_run_is_told_from_one_at_work_and_goes_on() {
    let place = Place::new();
    let fit = FIT.replace("--max-steps 30", "--max-steps 1000000");
    let mut child = keeping(&place, &format!("{fit} --checkpoint-every 50")).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !runs_of(&place).iter().any(|run| place.path(&format!("runs/{run}/checkpoints")).exists()) {
        assert!(Instant::now() < until, "no checkpoint in a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(succeed(&place, "runs list").contains("started"));
    let run = runs(&place).remove(0);
    let at_work = succeed(&place, &format!("runs show {run}"));
    assert!(!at_work.contains("--resume"), "{at_work}");
    while latest_checkpoint(&place, &run).is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(succeed(&place, "runs list").contains("killed"));
    assert!(succeed(&place, "runs list --json -").contains("\"killed\""));
    let shown = succeed(&place, &format!("runs show {run}"));
    let step = latest_checkpoint(&place, &run).unwrap();
    assert!(shown.contains(&format!("after step {step}.")), "{shown}");
    let command =
        shown.lines().find_map(|line| line.split_once("bessemer ").filter(|_| line.contains("--resume")));
    let end = format!("--max-steps {}", step + 100);
    succeed(&place, &command.unwrap().1.replace("--max-steps 1000000", &end));
    assert!(succeed(&place, "runs list").contains("finished"));
}

/// Those that there are by now.
fn runs_of(place: &Place) -> Vec<String> {
    if place.path("runs").exists() { runs(place) } else { Vec::new() }
}

/// Its step.
fn latest_checkpoint(place: &Place, run: &str) -> Option<u64> {
    let names = std::fs::read_dir(place.path(&format!("runs/{run}/checkpoints"))).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()).max()
}

#[test]
fn a_failed_run_has_a_report_of_how_far_it_got() {
    let place = Place::new();
    let failed = keeping(&place, &format!("{FIT} --run run --learning-rate 1e38")).output().unwrap();
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(2), "{said}");
    let report = place.read("run/report.html");
    for expected in [
        "This run failed:",
        "the loss is NaN at step 2",
        "It left no checkpoint",
        "bessemer runs repeat run",
        "hidden = 8",
        "<svg",
    ] {
        assert!(report.contains(expected), "{expected}: {said}");
    }
    assert!(succeed(&place, "runs show run").contains("bessemer runs repeat run"));
    // What is refused before it begins leaves no folder, and so no report.
    place.refuse(&format!("{FIT} --run other --set hidden=0"), "hidden is 0");
}

#[test]
fn one_fit_at_a_time_writes_into_a_folder() {
    let place = Place::new();
    let fit = FIT.replace("--max-steps 30", "--max-steps 10000000");
    let mut child = place.command(&format!("{fit} --out models/sales")).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !place.path("models/sales").exists() {
        assert!(Instant::now() < until, "no folder in a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    place.refuse(&format!("{FIT} --out models/sales"), "models/sales: another command is at work");
    child.kill().unwrap();
    child.wait().unwrap();
    // Its lock keeps nobody out.
    place.succeed(&format!("{FIT} --out models/sales"));
    let mut names: Vec<_> = std::fs::read_dir(place.path("models/sales"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["model.toml", "weights.safetensors"]);
    // Its own checkpoints and its run may be there, too.
    place.succeed(&format!("{FIT} --out together --checkpoints together --checkpoint-every 10"));
    place.succeed(&format!("{FIT} --out run/within --run run"));
    assert!(place.path("run/within/weights.safetensors").exists() && place.path("run/report.html").exists());
    // Nor does one that failed leave anything.
    let fails = format!("{FIT} --learning-rate 1e38 --out other/model");
    place.refuse(&fails, "the loss is NaN");
}

#[test]
fn what_is_refused_changes_nothing_of_a_run() {
    let place = Place::new();
    let fit = format!("{FIT} --run run --checkpoint-every 10");
    succeed(&place, &fit);
    let files = || {
        let mut names = Vec::new();
        for folder in ["run", "run/checkpoints"] {
            let entries = std::fs::read_dir(place.path(folder)).unwrap().flatten();
            names.extend(entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())));
        }
        names.sort();
        (names, place.read("run/run.toml"))
    };
    let before = files();
    for (more, expected) in [
        ("--resume --learning-rate 0.5", "its learning_rate is 0.001, but 0.5 is asked for"),
        ("--resume --max-steps 10", "its step is 30, but an end after 10 is asked for"),
        ("--resume --set hidden=16", "other"),
        ("", "holds a run already"),
    ] {
        let fit = if more.contains("--max-steps") { fit.replace("--max-steps 30", "") } else { fit.clone() };
        place.refuse(&format!("{fit} {more}"), expected);
        assert_eq!(files(), before, "{more}");
    }
    // With more steps it goes on from its end.
    succeed(&place, &format!("{} --resume", fit.replace("--max-steps 30", "--max-steps 40")));
    let record = place.read("run/run.toml");
    assert!(record.contains("\"40\"") && !record.contains("--resume"), "{record}");

    let long =
        keeping(&place, &format!("{} --run long", FIT.replace("--max-steps 30", "--max-steps 10000000")));
    let mut child = { long }.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(place.path("long/log.txt")).is_ok_and(|log| log.contains("step")) {
        assert!(Instant::now() < until, "no step in a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    place.refuse(&format!("{FIT} --run long --resume"), "another process is at work in this folder");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_keeps_the_configuration_it_was_given() {
    let place = Place::new();
    place.write("given.toml", "[model]\nhidden = 4\n");
    let fit = FIT.replace("--set hidden=8", "--config given.toml");
    succeed(&place, &format!("{fit} --run run --out model"));
    place.write("given.toml", "[model]\nhidden = 5\n");
    let again = succeed(&place, "runs repeat run --to again");
    assert!(again.contains("model/weights.safetensors: the same bytes"), "{again}");
    let series = place.read("series.csv");
    place.write("series.csv", series.replace("a,2024-01-05,", "a,2024-01-05,1"));
    assert_ne!(place.read("series.csv"), series);
    let other = keeping(&place, "runs repeat run --to other").output().unwrap();
    let said = String::from_utf8(other.stderr).unwrap();
    let length = series.len();
    let change =
        format!("the data in series.csv have changed since: {length} bytes then, {} now", length + 1);
    assert!(said.contains(&format!("note: {change}")), "{said}");
    assert!(other.status.code() == Some(2), "{said}");
    assert!(said.contains(&format!("its weights are others than those of the new run; {change}")), "{said}");
    let shown = succeed(&place, "runs show run");
    assert!(shown.contains(&format!("series.csv, {length} bytes, SHA-256 ")), "{shown}");
}

#[test]
fn folders_that_are_no_runs_are_refused() {
    let place = Place::new();
    std::fs::create_dir(place.path("full")).unwrap();
    place.write("full/thesis.tex", "");
    place.write("bad.toml", "[fit.train]\nlearning_rat = 1\n");
    for (arguments, expected) in [
        (format!("{FIT} --run full"), "is no empty folder"),
        (format!("{FIT} --run none --resume"), "is this the folder of a run?"),
        (format!("{FIT} --resume --out model"), "--run or --checkpoints"),
        (format!("{FIT} --no-run"), "--out"),
        (format!("{FIT} --out model --checkpoint-every 5"), "name one with --checkpoints"),
        (format!("{FIT} --config bad.toml --out model"), "did you mean `learning_rate`?"),
        (format!("{FIT} --config none.toml --out model"), "none.toml"),
        (format!("{FIT} --set optimizer.beta3=1 --out model"), "`beta3` is unknown; did you mean `beta2`?"),
        (format!("{FIT} --set optimizer.beta1=1.5 --out model"), "beta1 is 1.5"),
        (format!("{FIT} --set schedule.kind=exponential --set schedule.gamma=0 --out model"), "gamma = 0"),
        (format!("{FIT} --set min_change=-1 --out model"), "min_change is -1"),
        (format!("{FIT} --set lanes=0 --out model"), "lanes"),
        (format!("{FIT} --set stebs=1 --out model"), "no setting `stebs`"),
        ("runs list nowhere".into(), "nowhere"),
        ("runs show full".into(), "is this the folder of a run?"),
        ("runs compare full".into(), "2"),
        ("runs repeat full".into(), "is this the folder of a run?"),
        ("runs list".into(), "no runs are kept"),
    ] {
        place.refuse(&arguments, expected);
    }
    assert!(!place.path("model").exists() && !place.path("none").exists());
}

#[test]
fn all_settings_are_printed_and_nothing_trained() {
    let place = Place::new();
    let printed = place.succeed(&format!(
        "{FIT} --out model --print-config --set schedule.kind=exponential --set schedule.gamma=0.9"
    ));
    for line in [
        "validation = 9",
        "kind = \"mlp\"",
        "hidden = 8",
        "horizon = 3",
        "steps = 30",
        "beta1 = 0.9",
        "gamma = 0.9",
        "# clip_norm is not set",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    assert!(!place.path("model").exists());
    place.write("fit.toml", printed);
    let again = place.succeed("forecast fit series.csv --config fit.toml --out model --print-config --quiet");
    assert_eq!(again, place.read("fit.toml"));
}
