//! What cross-validation and search keep of their trainings, and how they go on.

use std::time::{Duration, Instant};

use crate::place::Place;
use crate::studies::timeless;

const CROSS: &str = "forecast cross-validate series.csv --models nlinear,mlp --set hidden=16 --horizon 3 \
                     --lookback 14 --folds 3 --max-steps 60 --validation 6 --ensemble weights";
const SEARCH: &str = "forecast search series.csv --model mlp --set layers=1 --horizon 7 --lookback 14 \
                      --max-steps 60 --trials 6 --vary hidden=4..32 --vary learning-rate=log:1e-3..1e-1";
const STUDIES: [(&str, &str, usize); 2] = [("fold-3/mlp", CROSS, 6), ("trial-6", SEARCH, 6)];

fn scores(place: &Place, file: &str) -> serde_json::Value {
    timeless(serde_json::from_str(&place.read(file)).unwrap())
}

/// The folders in a run that hold what a training gave.
fn trained(place: &Place, run: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![run.to_string()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(place.path(&folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(format!("{folder}/{name}")),
                false if name == "trained.toml" => found.push(folder.clone()),
                false => {}
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_training_has_its_metrics_and_all_have_a_report() {
    let place = Place::new();
    for (last, study, count) in STUDIES {
        let run = last.split('-').next().unwrap();
        place.succeed(&format!("{study} --run {run} --quiet"));
        let folders = trained(&place, run);
        assert_eq!(folders.len(), count);
        for folder in folders {
            let metrics = place.read(&format!("{folder}/metrics.jsonl"));
            assert_eq!(metrics.lines().filter(|line| line.contains("\"loss\"")).count(), 60, "{folder}");
            assert!(
                metrics.contains("\"validation_loss\"")
                    && place.path(&format!("{folder}/metrics.csv")).exists()
            );
            let names = std::fs::read_dir(place.path(&folder)).unwrap().flatten();
            let names: Vec<String> = names.map(|name| name.file_name().into_string().unwrap()).collect();
            assert!(names.iter().any(|name| name.starts_with("events.out.tfevents.")), "{names:?}");
        }
        let report = place.read(&format!("{run}/report.html"));
        for part in ["seasonal-naive", "To make it again", "processor", "<svg"] {
            assert!(report.contains(part), "{run}: {part}");
        }
        let log = place.read(&format!("{run}/log.txt"));
        assert!(log.contains(" MAE ") && log.trim_end().ends_with("finished"), "{log}");
        let shown = place.succeed(&format!("runs show {run}"));
        assert!(shown.contains(&format!("{run}-*/")) && shown.contains("report.html"), "{shown}");
    }
    assert!(place.read("fold/report.html").contains("ensemble-weights"));
    assert!(place.read("trial/report.html").contains("best so far"));
    let again = place.succeed("runs repeat fold --to fold-again");
    assert_eq!(again.matches("weights.safetensors: the same bytes").count(), 6, "{again}");
}

#[test]
fn without_a_terminal_each_training_has_a_line() {
    let place = Place::new();
    for (run, study, beginning) in
        [("cross", CROSS, "fold 3, mlp: MAE "), ("search", SEARCH, "trial 6 (hidden=")]
    {
        let said = |more: &str| {
            let output = place.run(&format!("{study} --run {run}{more}"));
            String::from_utf8(output.stderr).unwrap()
        };
        let text = said("");
        let lines = text.lines().filter(|line| line.contains("; trained ")).collect::<Vec<_>>();
        assert_eq!(lines.len(), 6, "{text}");
        assert!(
            lines.iter().any(|line| line.starts_with(beginning))
                && lines[5].contains("trained 6 of 6 models")
        );
        let again = said(" --resume");
        assert!(again.contains("6 of 6 models trained before") && !again.contains("; trained "), "{again}");
        assert_eq!(said("-quiet --quiet"), "");
    }
    // Of many, only those that are better than all before, and one now and then.
    let many = SEARCH.replace("--trials 6", "--trials 150").replace("--max-steps 60", "--max-steps 1");
    let text = String::from_utf8(place.run(&many).stderr).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("; trained ")).collect();
    assert!(lines.len() < 50 && lines.last().unwrap().contains("trained 150 of 150 models"), "{text}");
    assert!(lines.iter().any(|line| line.contains("the best so far")), "{text}");
}

/// Numbers without a pattern.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn killed_at_random_moments_they_end_with_the_same_scores() {
    let place = Place::new();
    let (mut seed, mut interrupted) = (20_261_122, 0);
    let kills = std::env::var("BESSEMER_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(3);
    for (last, study, count) in STUDIES {
        let kind = last.split('-').next().unwrap();
        let begun = Instant::now();
        place.succeed(&format!("{study} --quiet --run {kind}-whole --json {kind}.json --threads 1"));
        let whole = begun.elapsed();
        for trial in 0..kills {
            let run = format!("{kind}-{trial}");
            let mut patience = 200;
            loop {
                let resume = if place.path(&format!("{run}/run.toml")).exists() { "--resume" } else { "" };
                let threads = 1 + random(&mut seed) % 4;
                let arguments =
                    format!("{study} --quiet --run {run} --json again.json --threads {threads} {resume}");
                let mut command = place.command(&arguments);
                let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
                let until =
                    Instant::now() + Duration::from_nanos(random(&mut seed) % (whole.as_nanos() as u64));
                let status = loop {
                    match child.try_wait().unwrap() {
                        Some(status) => break Some(status),
                        None if Instant::now() >= until => break None,
                        None => std::thread::sleep(Duration::from_micros(200)),
                    }
                };
                if let Some(status) = status {
                    assert!(status.success(), "{arguments}: {status}");
                    break;
                }
                child.kill().unwrap();
                child.wait().unwrap();
                interrupted += 1;
                if !place.path(&format!("{run}/run.toml")).exists() {
                    _ = std::fs::remove_dir_all(place.path(&run));
                }
                patience -= 1;
                assert!(patience > 0, "it never came to its end");
            }
            assert_eq!(scores(&place, "again.json"), scores(&place, &format!("{kind}.json")), "{run}");
            for folder in trained(&place, &run) {
                let metrics = place.read(&format!("{folder}/metrics.jsonl"));
                assert_eq!(metrics.lines().filter(|line| line.contains("\"loss\"")).count(), 60, "{folder}");
            }
            assert_eq!(trained(&place, &run).len(), count);
        }
    }
    eprintln!("{interrupted} kills");
    assert!(interrupted > 0 || kills == 0);
}

#[cfg(unix)]
#[test]
fn a_polite_end_loses_no_finished_training_and_says_how_to_go_on() {
    let place = Place::new();
    // Long enough to be met at work; the last trial would go on for hours.
    let cross = CROSS.replace("--max-steps 60", "--max-steps 4000");
    let search = "forecast search series.csv --model mlp --set hidden=8 --horizon 7 --lookback 14 \
                  --vary max-steps=2,3,1000000000";
    for (run, study, signal, first) in
        [("cross", &cross[..], "INT", "fold-1/nlinear"), ("search", search, "TERM", "trial-2")]
    {
        let mut command = place.command(&format!("{study} --run {run} --threads 2"));
        let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while !place.path(&format!("{run}/{first}/trained.toml")).exists() {
            assert!(Instant::now() < until, "no training in a minute");
            std::thread::sleep(Duration::from_millis(2));
        }
        let kill = [&format!("-{signal}"), &child.id().to_string()];
        assert!(std::process::Command::new("kill").args(kill).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("error: interrupted while training, after "), "{said}");
        assert!(last.ends_with(&format!("--run {run} --threads 2 --resume")), "{said}");
        assert!(place.read(&format!("{run}/run.toml")).contains("status = \"stopped\""));
        let kept = trained(&place, run);
        assert!(kept.contains(&format!("{run}/{first}")) && kept.len() < 6, "{kept:?}");
        if run == "cross" {
            let command = last.rsplit("go on with: ").next().unwrap();
            place.succeed(&format!("{} --json again.json", command.split_once(' ').unwrap().1));
            place.succeed(&format!("{study} --json whole.json"));
            assert_eq!(scores(&place, "again.json"), scores(&place, "whole.json"));
        }
    }
}

#[test]
fn what_is_not_its_own_is_refused_by_name_and_changes_nothing() {
    let place = Place::new();
    place.succeed(&format!("{CROSS} --run cross --quiet"));
    place.succeed(&format!("{SEARCH} --run search --quiet"));
    place.succeed("forecast fit series.csv --model nlinear --horizon 3 --max-steps 2 --run fit --quiet");
    let series = place.read("series.csv");
    place.write("other.csv", series.replace("a,2024-01-05,", "a,2024-01-05,1"));
    let state = |run: &str| (place.read(&format!("{run}/run.toml")), trained(&place, run));
    let before = ["cross", "search", "fit"].map(state);
    let swap = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    for (arguments, expected) in [
        (format!("{CROSS} --run cross"), "holds a run already"),
        (format!("{CROSS} --resume"), "--run"),
        (format!("{CROSS} --run none --resume"), "is this the folder of a run?"),
        (format!("{CROSS} --run fit --resume"), "study.toml"),
        (
            format!("{CROSS} --run search --resume"),
            "its command is \"search\", but \"cross-validate\" is asked for",
        ),
        (
            format!("{CROSS} --run cross --resume --learning-rate 0.5"),
            "learning_rate is 0.001, but 0.5 is asked for",
        ),
        (format!("{CROSS} --run cross --resume --seed 9"), "seed is 1, but 9 is asked for"),
        (format!("{CROSS} --run cross --resume --gap 1"), "its gap is 0, but 1 is asked for"),
        (
            swap(&format!("{CROSS} --run cross --resume"), "--folds 3", "--folds 4"),
            "its folds is 3, but 4 is asked for",
        ),
        (
            swap(&format!("{CROSS} --run cross --resume"), "hidden=16", "hidden=8"),
            "model.mlp.hidden is 16, but 8 is asked for",
        ),
        (
            swap(&format!("{CROSS} --run cross --resume"), "weights", "mean"),
            "its ensemble is \"weights\", but \"mean\"",
        ),
        (swap(&format!("{CROSS} --run cross --resume"), "series.csv", "other.csv"), "its data is"),
        (
            swap(&format!("{SEARCH} --run search --resume"), "--trials 6", "--trials 7"),
            "its trials is 6, but 7 is asked for",
        ),
        (swap(&format!("{SEARCH} --run search --resume"), "4..32", "4..31"), "hidden=4..31"),
        (
            swap(&format!("{SEARCH} --run search --resume"), "layers=1", "layers=2"),
            "model.mlp.layers is 1, but 2",
        ),
    ] {
        place.refuse(&arguments, expected);
        assert_eq!(["cross", "search", "fit"].map(state), before, "{arguments}");
    }
    // Records that were damaged, or are those of other trainings.
    let (record, of_search) =
        (place.read("cross/fold-1/mlp/trained.toml"), place.read("search/trial-2/trained.toml"));
    for (file, text, expected) in [
        ("cross/fold-1/mlp/trained.toml", "format = ".to_string(), "no valid TOML"),
        ("cross/fold-1/mlp/trained.toml", "format = 1".into(), "missing field"),
        ("cross/fold-1/mlp/trained.toml", swap(&record, "format = 1", "format = 2"), "format 2"),
        (
            "cross/fold-1/mlp/trained.toml",
            swap(&record, "hidden = 16", "hidden = 17"),
            "its model.hidden is 17, but 16",
        ),
        (
            "cross/fold-1/mlp/trained.toml",
            swap(&record, "seconds = ", "seconds = -"),
            "no training gives that",
        ),
        ("cross/fold-1/mlp/trained.toml", swap(&record, "mae = ", "maw = "), "unknown field `maw`"),
        (
            "cross/fold-1/mlp/trained.toml",
            place.read("cross/fold-2/mlp/trained.toml"),
            "it is of `fold-2/mlp`",
        ),
        (
            "cross/fold-1/mlp/trained.toml",
            swap(&place.read("cross/fold-2/mlp/trained.toml"), "fold-2/mlp", "fold-1/mlp"),
            "its rows is",
        ),
        ("search/trial-1/trained.toml", of_search, "it is of `trial-2`"),
    ] {
        let whole = place.read(file);
        place.write(file, text);
        let study = if file.starts_with("cross") { CROSS } else { SEARCH };
        let run = file.split('/').next().unwrap();
        place.refuse(&format!("{study} --run {run} --resume"), expected);
        place.write(file, whole);
    }
    let weights = "cross/fold-1/mlp/weights.safetensors";
    let whole = std::fs::read(place.path(weights)).unwrap();
    place.write(weights, std::fs::read(place.path("cross/fold-2/mlp/weights.safetensors")).unwrap());
    place.refuse(&format!("{CROSS} --run cross --resume"), "does not hold the weights that were trained");
    place.write(weights, whole);
    assert_eq!(["cross", "search", "fit"].map(state), before);
    // What is removed is trained again.
    std::fs::remove_dir_all(place.path("cross/fold-1/mlp")).unwrap();
    place.succeed(&format!("{CROSS} --run cross --resume --quiet --json again.json"));
    place.succeed(&format!("{CROSS} --run whole --quiet --json whole.json"));
    assert_eq!(scores(&place, "again.json"), scores(&place, "whole.json"));
}
