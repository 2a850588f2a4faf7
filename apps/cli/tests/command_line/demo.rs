//! `demo` and `forecast backtest`: scores as a table, as JSON and as a page.

use serde_json::Value;

use crate::place::Place;

fn names(json: &Value) -> Vec<&str> {
    let models = json["models"].as_array().unwrap();
    let mut names: Vec<&str> = models.iter().map(|model| model["name"].as_str().unwrap()).collect();
    let errors: Vec<f64> = models.iter().map(|model| model["mae"].as_f64().unwrap()).collect();
    assert!(errors.is_sorted(), "best first: {json}");
    names.sort_unstable();
    names
}

#[test]
fn demo_prints_json_and_nothing_else() {
    let place = Place::new();
    let output = place.run("demo --quiet --max-steps 10 --threads 2 --json -");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(names(&json), ["dlinear", "mlp", "naive", "nhits", "nlinear", "seasonal-naive"]);
    assert_eq!((&json["windows"], &json["horizon"], &json["threads"]), (&13.into(), &12.into(), &2.into()));
    assert!(place.read("bessemer-demo.html").contains("airline passengers"));
}

#[test]
fn demo_is_the_same_for_any_number_of_threads() {
    let place = Place::new();
    let errors = |threads: usize| {
        let text = place.succeed(&format!("demo --quiet --max-steps 10 --threads {threads} --json -"));
        let json: Value = serde_json::from_str(&text).unwrap();
        json["models"].as_array().unwrap().iter().map(|model| model["mse"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(errors(1), errors(3));
}

#[test]
fn the_models_beat_repeating_last_year() {
    let place = Place::new();
    place.succeed("demo --quiet --json scores.json --report page.html");
    let json: Value = serde_json::from_str(&place.read("scores.json")).unwrap();
    let models = json["models"].as_array().unwrap();
    let (neural, baselines) = models.split_at(4);
    assert!(neural.iter().all(|model| model["baseline"] == false), "{json}");
    assert!(baselines.iter().all(|model| model["baseline"] == true), "{json}");
}

#[test]
fn progress_is_told_in_plain_lines_where_nobody_watches() {
    let place = Place::new();
    let output = place.run("forecast backtest series.csv --models nlinear --horizon 7 --max-steps 20");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let ended = |line: &str| {
        line.starts_with("nlinear: 20 steps in ") && line.contains(", loss ") && line.ends_with(" samples/s")
    };
    assert!(stderr.lines().any(ended), "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    for name in ["nlinear", "seasonal-naive (baseline)", "drift (baseline)"] {
        assert!(stdout.contains(name), "{stdout}");
    }
}

#[test]
fn backtest_scores_models_beside_all_baselines() {
    let place = Place::new();
    let arguments = "forecast backtest series.csv --models nlinear,mlp --horizon 7 --test-rows 14 \
                     --validation 7 --patience 2 --max-steps 40 --set mlp.hidden=16 --quiet";
    let text = place.succeed(&format!("{arguments} --report page.html --json -"));
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(names(&json), ["drift", "mean", "mlp", "naive", "nlinear", "seasonal-naive"]);
    assert_eq!((&json["windows"], &json["protocol"]), (&16.into(), &"holdout".into()));
    assert!(place.read("page.html").contains("seasonal-naive"));
}

#[test]
fn backtest_follows_the_published_protocol() {
    let place = Place::new();
    let arguments = "forecast backtest series.csv --models dlinear --horizon 3 --lookback 12 \
                     --protocol ltsf --set moving_average=5 --batch-windows 8 --quiet --json -";
    let json: Value = serde_json::from_str(&place.succeed(arguments)).unwrap();
    // 60 rows: 42 train and the last 12 test, in 10 windows for each of 2 series.
    assert_eq!((&json["windows"], &json["seed"]), (&20.into(), &2021.into()));
    let dropped: Value = serde_json::from_str(&place.succeed(&format!("{arguments} --drop-last 8"))).unwrap();
    assert_eq!(dropped["windows"], 16);
}
