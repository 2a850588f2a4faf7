//! Phase graphs, from samples to an exported file.

use crate::place::Place;

/// Two clouds of points, labelled.
fn points() -> String {
    let noise = |i: usize, by: usize| (i * by % 97) as f64 / 97.0;
    let row = |i: usize| {
        let kind = ["near", "far"][i % 2];
        format!("{},{kind},{}\n", noise(i, 37) + 1.5 * (i % 2) as f64, noise(i, 53) - (i % 2) as f64)
    };
    format!("x,kind,y\n{}", (0..480).map(row).collect::<String>())
}

const TRAIN: &str = "phase train points.csv --label kind --epochs 15 --set inputs=8 --set intermediate=8 \
                     --set outputs=8 --set batch=8 --quiet";

fn json(place: &Place, name: &str) -> serde_json::Value {
    serde_json::from_str(&place.read(name)).unwrap()
}

#[test]
fn a_graph_is_trained_scored_explained_and_exported() {
    let place = Place::new();
    place.write("points.csv", points());
    place.succeed(&format!("{TRAIN} --out model --json trained.json --threads 2"));
    let trained = json(&place, "trained.json");
    for score in ["test_accuracy", "validation_accuracy"] {
        assert!(trained[score].as_f64().unwrap() > 0.9, "{trained}");
    }
    assert!(trained["seconds"].as_f64().unwrap() > 0.0);
    assert!(trained["baselines"]["majority"]["test_accuracy"].as_f64().unwrap() < 0.8);
    assert_eq!(trained["baselines"].as_object().unwrap().len(), 4);

    place.succeed("phase evaluate model points.csv --json scored.json");
    assert!(json(&place, "scored.json")["accuracy"].as_f64().unwrap() > 0.9);
    let told = place.succeed("phase explain model points.csv --label kind --sample 2 --svg route.svg");
    assert!(told.contains("sample 2 is `far`, labelled `far`"), "{told}");
    assert!(place.read("route.svg").contains("</svg>"));
    place.succeed("phase export model --out points.phase --c-header points.h");
    assert_eq!(
        std::fs::read(place.path("points.phase")).unwrap(),
        std::fs::read(place.path("model/graph.phase")).unwrap()
    );
    let header = place.read("points.h");
    for part in ["#ifndef POINTS_H", "#define POINTS_CLASSES 2", "int points_classify(", "\"far\","] {
        assert!(header.contains(part), "no {part} in the header");
    }
    place.succeed("phase export model --c-header points.h --prefix Clouds");
    assert!(place.read("points.h").contains("int Clouds_classify("));
    place.refuse("phase export model --c-header a.h --prefix 2a", "prefix is 2a: names in C begin with it");
    place.refuse("phase export model --out a --prefix a", "--c-header");

    // Ten times as many messages are drawn, or all there are.
    for rows in [0, 3, 100] {
        place.succeed(&format!(
            "phase explain model points.csv --rows {rows} --svg route.svg --json told.json"
        ));
        let messages = json(&place, "told.json")["messages"].as_array().unwrap().len();
        let drawing = place.read("route.svg");
        assert_eq!(drawing.matches("<path ").count(), messages.min(10 * rows), "--rows {rows}");
        assert!(drawing.contains(">Sample 1: answered `near`, labelled `near`</text>"), "{drawing}");
    }
}

#[test]
fn classes_are_predicted_without_labels() {
    let place = Place::new();
    place.write("points.csv", points());
    let train = format!("{TRAIN} --no-baselines --out model").replace("--epochs 15", "--epochs 3");
    place.succeed(&train);
    // In another order, with a column more and no label.
    let turned = turned();
    let unlabelled = turned.lines().map(|line| line.split_once(',').unwrap().1.to_string() + "\n");
    place.write("new.csv", unlabelled.collect::<String>());
    let printed = place.succeed("phase predict model new.csv --threads 2");
    let said = place.succeed("phase predict model new.csv --out classes.csv --json said.json");
    assert!(said.starts_with("480 samples in classes.csv, of which no output answered 0"), "{said}");
    assert_eq!(place.read("classes.csv"), printed);
    assert_eq!(place.succeed("phase predict model points.csv"), printed);
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("class,probability"));
    let rows: Vec<(&str, f64)> = lines
        .map(|line| line.split_once(',').map(|(class, part)| (class, part.parse().unwrap())).unwrap())
        .collect();
    assert!(rows.iter().all(|(_, probability)| (0.5..=1.0).contains(probability)));
    let right =
        rows.iter().zip(points().lines().skip(1)).filter(|((class, _), line)| line.contains(class)).count();
    place.succeed("phase evaluate model points.csv --json scored.json");
    assert_eq!(json(&place, "scored.json")["accuracy"].as_f64().unwrap(), right as f64 / 480.0);
    let all = json(&place, "said.json");
    assert_eq!((&all["samples"], &all["silent"]), (&480.into(), &0.into()));
    assert_eq!(all["predictions"].as_array().unwrap().len(), 480);

    // Without names, as many columns as there are features, in their order.
    place.write(
        "plain.csv",
        place
            .read("points.csv")
            .lines()
            .skip(1)
            .map(|line| {
                let cells: Vec<&str> = line.split(',').collect();
                format!("{},{}\n", cells[0], cells[2])
            })
            .collect::<String>(),
    );
    assert_eq!(place.succeed("phase predict model plain.csv"), printed);
    place.write("wide.csv", "1,2,3\n");
    place.refuse("phase predict model wide.csv", "`wide.csv`: 3 features, but the model has 2");
    place.refuse("phase predict model new.csv --out new.csv", "it is the same file as the data");
    place.write("lacking.csv", "x\n1\n");
    place.refuse("phase predict model lacking.csv", "`lacking.csv`: no feature `y`; there are x");
}

#[test]
fn a_run_can_be_had_again_and_does_not_depend_on_threads() {
    let place = Place::new();
    place.write("points.csv", points());
    place.succeed(&format!("{TRAIN} --no-baselines --run first --threads 1"));
    place.succeed(&format!("{TRAIN} --no-baselines --no-run --out second --threads 3"));
    let bytes = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("first/model/graph.phase"), bytes("second/graph.phase"));
    assert!(place.read("first/run.toml").contains("test_accuracy"));
    let report = place.read("first/report.html");
    for part in ["Mean loss by epoch", "Right by epoch", "threshold_schedule"] {
        assert!(report.contains(part), "no {part} in the report");
    }
    let again = place.succeed("runs repeat first --to again");
    assert!(again.contains("model/graph.phase: the same bytes"), "{again}");
    // A model that was saved elsewhere is compared with what lies there.
    place.write("test.csv", turned());
    let kept = format!("{TRAIN} --no-baselines --test test.csv").replace("--epochs 15", "--epochs 2");
    place.succeed(&format!("{kept} --run elsewhere --out digits"));
    let again = place.succeed("runs repeat elsewhere --to elsewhere-again");
    for file in ["model/graph.phase", "model/model.toml"] {
        assert!(again.contains(&format!("{file}: the same bytes")), "{again}");
    }
    let shown = place.succeed("runs show elsewhere");
    assert!(shown.contains("\ntest data") && shown.contains("test.csv, "), "{shown}");
    let listed = place.succeed("runs list .");
    let line = listed.lines().find(|line| line.contains("elsewhere ")).unwrap();
    assert!(line.contains("phase-graph of points.csv") && line.matches(" % right").count() == 2, "{listed}");
    // Other samples to test on are noticed.
    place.write("test.csv", points());
    place.refuse(
        &format!("{kept} --run elsewhere --out digits --resume"),
        "the data to test on of the run are `test.csv` of ",
    );
    let output = place.run("runs repeat elsewhere --to elsewhere-later");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the data in test.csv have changed since"), "{said}");
}

/// Of 480 samples, 48 validate.
#[test]
fn fewer_samples_may_validate_or_be_scored() {
    let place = Place::new();
    place.write("points.csv", points());
    for (most, number) in [(7, 7), (1000, 48)] {
        place.succeed(&format!(
            "{TRAIN} --no-baselines --out model --eval-samples {most} --json trained.json"
        ));
        assert_eq!(json(&place, "trained.json")["samples"]["validation"], number);
        place.succeed("phase evaluate model points.csv --label kind --eval-samples 5 --json scored.json");
        assert_eq!(json(&place, "scored.json")["samples"], 5);
    }
}

/// Nothing that was held out is not the same as nothing that was right.
#[test]
fn without_samples_there_is_no_accuracy() {
    let place = Place::new();
    place.write("points.csv", points());
    let train = TRAIN.replace(" --quiet", " --epochs 1");
    let train = train.replace(" --epochs 15", "");
    let said =
        place.succeed(&format!("{train} --out model --test-part 0 --validation-part 0 --json trained.json"));
    assert!(said.contains("n/a") && said.contains("0 samples to test"), "{said}");
    let trained = json(&place, "trained.json");
    for scored in [&trained, &trained["baselines"]["majority"]] {
        assert!(scored["test_accuracy"].is_null() && scored["validation_accuracy"].is_null(), "{scored}");
    }
    assert_eq!(trained["samples"]["train"], 480, "all are learned from");
    for command in [format!("{TRAIN} --out other"), "phase evaluate model points.csv".into()] {
        place.refuse(&format!("{command} --eval-samples 0"), "--eval-samples 0: ");
    }
}

/// The columns of the points in another order, one more, and the label in front.
fn turned() -> String {
    let points = points();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        format!("{},{},7,{}\n", cells[1], cells[2], cells[0])
    };
    points
        .lines()
        .enumerate()
        .map(|(i, line)| if i == 0 { "kind,y,id,x\n".into() } else { row(line) })
        .collect()
}

#[test]
fn columns_are_found_by_name_wherever_they_are() {
    let place = Place::new();
    place.write("points.csv", points());
    place.write("turned.csv", turned());
    place.write("lacking.csv", turned().replace("kind,y,", "kind,z,"));
    let train = format!("{TRAIN} --no-baselines --epochs 3").replace(" --epochs 15", "");
    place.succeed(&format!("{train} --out model"));
    for data in ["points.csv", "turned.csv", "points.csv --label kind --features y,x"] {
        place.succeed(&format!("phase evaluate model {data} --json scored.json"));
        let scored = json(&place, "scored.json");
        place.succeed(&format!("phase explain model {data} --sample 5 --json told.json"));
        let told = json(&place, "told.json");
        if data == "points.csv" {
            std::fs::rename(place.path("scored.json"), place.path("expected.json")).unwrap();
            std::fs::rename(place.path("told.json"), place.path("expected_told.json")).unwrap();
        } else {
            assert_eq!(scored, json(&place, "expected.json"), "{data}");
            assert_eq!(told, json(&place, "expected_told.json"), "{data}");
        }
    }
    // So that one part of a file may test another, whatever its columns are called in which order.
    let half = |text: &str, skip: usize| {
        let mut lines = text.lines();
        let first = lines.next().unwrap();
        std::iter::once(first)
            .chain(lines.skip(skip).take(240))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    place.write("learn.csv", half(&points(), 0));
    place.write("test.csv", half(&points(), 240));
    place.write("test-turned.csv", half(&turned(), 240));
    for test in ["test", "test-turned"] {
        let train = train.replace("points.csv", "learn.csv");
        place.succeed(&format!("{train} --test {test}.csv --out {test} --json {test}.json"));
    }
    assert_eq!(json(&place, "test.json")["test_accuracy"], json(&place, "test-turned.json")["test_accuracy"]);
    let lacks = "`lacking.csv`: no feature `y`; there are kind, z, id, x";
    place.refuse("phase evaluate model lacking.csv", lacks);
    place.refuse("phase explain model lacking.csv", lacks);
    place.refuse(&format!("{train} --test lacking.csv --out other"), lacks);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::new();
    place.write("points.csv", points());
    place.write("one.csv", "x,kind\n1,odd\n".to_string() + &"2,odd\n".repeat(30));
    place.write("other.csv", "x,kind,y\n1,odd,2\n2,even,2\n");
    place.write("few.csv", "x,kind\n1,odd\n2,even\n2,odd\n");
    place.write("plain.csv", "x,y\n1,2\n");
    place.write("wide.csv", "1,2,3,far\n");
    place.write("a-images-idx3-ubyte", [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6]);
    place.succeed(&format!("{TRAIN} --no-baselines --out model"));
    for (arguments, message) in [
        ("phase train points.csv", "row 2, column `kind`: \"near\" is not a number"),
        ("phase train points.csv --label colour", "no column `colour`; there are x, kind, y"),
        ("phase train points.csv --label kind --set decay=2", "decay is 2: it must be above 0 and at most 1"),
        ("phase train none.csv", "none.csv"),
        ("phase train one.csv", "`one.csv`: all samples are of one class, `odd`"),
        ("phase train one.csv --test-part 1.5", "--test-part 1.5: it is no such part; it must be at least 0"),
        ("phase train one.csv --validation-part -1", "--validation-part -1: it is no such part"),
        (
            "phase train few.csv --label kind",
            "--validation-part 0.1 and --test-part 0.2: of 3 samples none is left for validation; choose other parts",
        ),
        (
            "phase train few.csv --label kind --test points.csv",
            "--validation-part 0.1: of 3 samples none is left",
        ),
        ("phase train points.csv --label kind --test ./points.csv", "it is the file that is learned from"),
        (
            "phase train points.csv --label kind --test other.csv --test-part 0.1",
            "'--test <DATA>' cannot be used with '--test-part <PART>'",
        ),
        (
            "phase train points.csv --label kind --set epochs=7 --epochs 2",
            "--set epochs=7: `epochs` is given by --epochs 2 as well; give it once",
        ),
        (
            "phase train points.csv --label kind --set rate-nodes=7 --set rate_nodes=2",
            "--set rate_nodes=2: `rate_nodes` is given by --set rate-nodes=7 as well",
        ),
        ("phase train points.csv --label kind --seed 1 --set seed=2", "`seed` is given by --seed 1 as well"),
        ("phase train a-images-idx3-ubyte --label kind", "an idx file has no columns"),
        (
            "phase train a-images-idx3-ubyte",
            "a-labels-idx1-ubyte: the labels of the images must lie beside them",
        ),
        ("phase evaluate model plain.csv", "`plain.csv`: no label column `kind`; there are x, y"),
        ("phase evaluate model wide.csv", "`wide.csv`: 3 features, but the model has 2"),
        ("phase evaluate model other.csv --label kind", "class `odd` is not among those to learn from"),
        ("phase evaluate points.csv points.csv", "points.csv/model.toml"),
        ("phase explain model points.csv --label kind --sample 0", "there are samples 1 to 480"),
        ("phase export model --out a --c-header a", "it is the same file as --out"),
    ] {
        place.refuse(arguments, message);
    }
}

/// Long enough to be met at work.
#[cfg(unix)]
const LONG: &str = "phase train points.csv --label kind --epochs 60 --set inputs=8 --set intermediate=8 \
                    --set outputs=8 --set batch=8 --quiet";

/// What must be the same however it came about: the model's bytes, and the scores without times and places.
#[cfg(unix)]
fn results(place: &Place, run: &str) -> (Vec<u8>, Vec<u8>, serde_json::Value) {
    let bytes = |name: &str| std::fs::read(place.path(&format!("{run}/model/{name}"))).unwrap();
    let mut scores = json(place, &format!("{run}.json"));
    for name in ["seconds", "out", "threads"] {
        scores.as_object_mut().unwrap().remove(name).unwrap();
    }
    (bytes("model.toml"), bytes("graph.phase"), scores)
}

/// The epochs of a run's latest checkpoint, 0 if there is none.
#[cfg(unix)]
fn epochs(place: &Place, run: &str) -> u64 {
    let names = std::fs::read_dir(place.path(&format!("{run}/checkpoints"))).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter_map(|name| name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok())
        .max()
        .unwrap_or(0)
}

/// Begins a training, and gives it once it has done so many epochs.
#[cfg(unix)]
fn at_work(place: &Place, arguments: &str, run: &str, done: u64) -> std::process::Child {
    use std::time::{Duration, Instant};

    let mut command = place.command(arguments);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while epochs(place, run) < done {
        assert!(child.try_wait().unwrap().is_none(), "it was over before it could be met at work");
        assert!(Instant::now() < until, "no checkpoint in a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[cfg(unix)]
#[test]
fn killed_at_any_moment_it_ends_with_the_same_bytes() {
    let place = Place::new();
    place.write("points.csv", points());
    place.write("other.csv", points());
    place.succeed(&format!("{LONG} --run whole --json whole.json --threads 2"));
    let expected = results(&place, "whole");
    for (trial, (first, second)) in [(1, 2), (7, 30), (20, 21)].into_iter().enumerate() {
        let run = format!("killed-{trial}");
        let arguments = format!("{LONG} --run {run} --json {run}.json");
        let mut more = "";
        for done in [first, second] {
            let mut child = at_work(&place, &format!("{arguments} --threads 1{more}"), &run, done);
            child.kill().unwrap();
            child.wait().unwrap();
            let shown = place.succeed(&format!("runs show {run}"));
            let from = format!("after epoch {}.", epochs(&place, &run));
            assert!(
                shown.contains("killed") && shown.contains(&from) && shown.contains("--resume"),
                "{shown}"
            );
            more = " --resume";
        }
        place.succeed(&format!("{arguments} --threads {} --resume", 2 + 2 * (trial % 2)));
        assert!(results(&place, &run) == expected, "trial {trial}: other bytes or scores");
        let metrics = place.read(&format!("{run}/metrics.csv"));
        assert_eq!(metrics.lines().count(), 1 + 2 * 60, "each epoch's losses once: {metrics}");
        assert!(place.succeed(&format!("runs show {run}")).contains("finished"));
        assert!(place.read(&format!("{run}/report.html")).contains("Mean loss by epoch"));
    }
    for (arguments, message) in [
        (format!("{LONG} --run whole --json a.json --resume --seed 7"), "its seed is 42, but 7 is asked for"),
        (format!("{LONG} --run whole --json a.json"), "holds a run already"),
        (format!("{LONG} --json a.json --resume"), "--run"),
        (format!("{LONG} --no-run --out b --resume"), "'--no-run' cannot be used with '--resume'"),
        (
            format!("{LONG} --run whole --json a.json --resume --validation-part 0.2"),
            "its validation-part is 0.1, but 0.2 is asked for",
        ),
        (
            format!("{LONG} --run whole --json a.json --resume --eval-samples 9"),
            "its eval-samples is \"all\", but 9 is asked for",
        ),
        (
            format!("{LONG} --run whole --json a.json --resume --features x"),
            "the data are not those that it learned from",
        ),
        (
            format!("{LONG} --run whole --json a.json --resume --test other.csv"),
            "the data to test on of the run are none, but `other.csv` of ",
        ),
        (format!("{LONG} --no-run --out b --checkpoint-every 2"), "there is no folder for checkpoints"),
    ] {
        place.refuse(&arguments, message);
    }
    place.write("points.csv", points().replace("0.5", "0.6"));
    place.refuse(
        &format!("{LONG} --run whole --json a.json --resume"),
        "the data of the run are `points.csv` of ",
    );
    assert!(results(&place, "whole") == expected, "what is refused changes nothing");
}

#[cfg(unix)]
#[test]
fn a_polite_end_leaves_a_checkpoint_and_says_how_to_go_on() {
    let place = Place::new();
    place.write("points.csv", points());
    place.succeed(&format!("{LONG} --run whole --json whole.json"));
    for signal in ["INT", "TERM"] {
        let arguments = format!("{LONG} --run {signal} --json {signal}.json --threads 1");
        let child = at_work(&place, &arguments, signal, 3);
        let id = child.id().to_string();
        std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("error: interrupted while training, after "), "{said}");
        assert!(said.trim_end().ends_with("--resume"), "{said}");
        assert!(!place.path(&format!("{signal}/model")).exists(), "the model is not there yet");
        assert!(place.succeed(&format!("runs show {signal}")).contains("stopped"));
        let report = place.read(&format!("{signal}/report.html"));
        assert!(report.contains("Mean loss by epoch") && report.contains("This run was stopped"));
        let command = said.trim_end().rsplit("go on with: ").next().unwrap();
        place.succeed(command.split_once(' ').unwrap().1);
        assert!(results(&place, signal) == results(&place, "whole"), "{signal}: other bytes or scores");
    }
}
