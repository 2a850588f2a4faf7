//! Cross-validation, search, and forecasts of many kinds.

use serde_json::Value;

use crate::place::Place;

const CROSS: &str = "forecast cross-validate series.csv --models nlinear,mlp --set hidden=16 --horizon 3 \
                     --lookback 14 --folds 3 --max-steps 20 --quiet";
const SEARCH: &str = "forecast search series.csv --model mlp --set layers=1 --horizon 7 --lookback 14 \
                      --max-steps 20 --quiet";

fn json(place: &Place, arguments: &str) -> Value {
    serde_json::from_str(&place.succeed(&format!("{arguments} --json -"))).unwrap()
}

/// Without what depends on the clock or was only asked for.
pub fn timeless(mut value: Value) -> Value {
    match &mut value {
        Value::Object(form) => {
            form.retain(|key, _| !key.starts_with("seconds") && key != "threads");
            form.values_mut().for_each(|value| *value = timeless(value.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = timeless(value.take())),
        _ => {}
    }
    value
}

#[test]
fn folds_are_scored_beside_the_baselines() {
    let place = Place::new();
    let whole =
        json(&place, &format!("{CROSS} --validation 6 --ensemble weights --step 4 --test-rows 5 --gap 1"));
    // Two series, three windows of 3 steps in 5 rows.
    assert_eq!(whole["windows"], serde_json::json!([6, 6, 6]));
    let models = whole["models"].as_array().unwrap();
    let named = |name: &str| models.iter().find(|model| model["name"] == name).unwrap();
    assert_eq!(models.len(), 7);
    let errors: Vec<f64> = models.iter().map(|model| model["mae"]["mean"].as_f64().unwrap()).collect();
    assert!(errors.is_sorted(), "{errors:?}");
    for fold in named("ensemble-weights")["folds"].as_array().unwrap() {
        let weights: Vec<f64> =
            fold["weights"].as_array().unwrap().iter().map(|w| w.as_f64().unwrap()).collect();
        assert!(weights.len() == 2 && (weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
    assert!(named("mlp")["folds"][0].get("weights").is_none());
    assert_eq!((&named("naive")["baseline"], &named("mlp")["baseline"]), (&true.into(), &false.into()));

    // The number of threads changes nothing, not even the last digit.
    let [one, three] = [1, 3].map(|threads| timeless(json(&place, &format!("{CROSS} --threads {threads}"))));
    assert_eq!(one, three);
    let table = place.succeed(&format!("{CROSS} --ensemble median"));
    for part in ["ensemble-median", "naive (baseline)", " ± ", "MAE of fold", "3 folds, 3 steps ahead"] {
        assert!(table.contains(part), "{part} in {table}");
    }
}

#[test]
fn the_best_trial_is_scored_on_rows_that_did_not_choose_it() {
    let place = Place::new();
    let grid = format!("{SEARCH} --vary hidden=8,16 --vary learning-rate=log:1e-3..1e-2 --points 2");
    let found = json(&place, &grid);
    assert_eq!(found["settings"], serde_json::json!(["hidden", "learning-rate"]));
    let trials = found["trials"].as_array().unwrap();
    let scores: Vec<f64> = trials.iter().map(|trial| trial["score"].as_f64().unwrap()).collect();
    assert!(trials.len() == 4 && scores.is_sorted(), "{found}");
    let names: Vec<&str> =
        found["test"]["models"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert!(names.len() == 5 && names.contains(&"mlp") && names.contains(&"seasonal-naive"));

    // What it says fits the same model: its test error is that of a backtest.
    let options = found["options"].as_str().unwrap();
    let backtest = json(
        &place,
        &format!(
            "forecast backtest series.csv --models mlp --set layers=1 --horizon 7 --lookback 14 --max-steps 20 \
             --validation 7 --quiet {options}"
        ),
    );
    let mae = |results: &Value| {
        let models = results["models"].as_array().unwrap();
        models.iter().find(|m| m["name"] == "mlp").unwrap()["mae"].as_f64().unwrap()
    };
    assert_eq!(mae(&backtest), mae(&found["test"]));

    let random =
        format!("{SEARCH} --trials 5 --vary hidden=4..32 --vary lookback=7..21 --vary optimizer=adam,sgd");
    let [one, three] = [1, 3].map(|threads| timeless(json(&place, &format!("{random} --threads {threads}"))));
    assert_eq!(one, three);
    assert_ne!(timeless(json(&place, &format!("{random} --seed 2")))["trials"], one["trials"]);
    let table = place.succeed(&grid);
    for part in ["validation MAE", "4 trials.", "test rows that chose nothing", "and --set hidden="] {
        assert!(table.contains(part), "{part} in {table}");
    }
}

#[test]
fn a_trial_that_diverges_ends_no_search() {
    let place = Place::new();
    let found = json(&place, &format!("{SEARCH} --vary learning-rate=0.001,1e30"));
    assert!(found["trials"][0]["score"].is_number());
    assert!(found["trials"][1]["score"].is_null());
    assert!(found["trials"][1]["problem"].as_str().unwrap().contains("lower the learning rate"), "{found}");
    place.refuse(&format!("{SEARCH} --vary learning-rate=1e30"), "no trial has a score");
}

#[test]
fn arguments_of_cross_validate_and_search() {
    let place = Place::new();
    let cross = [
        ("--horizon 0", "horizon is 0"),
        ("--horizon 7 --folds 0", "series `a`: folds is 0; it must be at least 1"),
        ("--horizon 7 --folds 9", "series `a`: 60 rows, but 9 folds of 7 test rows"),
        ("--horizon 7 --folds 3 --train-rows 50", "series `a`: 60 rows, but 3 folds"),
        ("--horizon 7 --folds 2 --lookback 40 --train-rows 5", "lookback 40"),
        ("--horizon 7 --test-rows 6", "--test-rows 6: no window of 7 steps fits"),
        ("--horizon 7 --ensemble weights", "there are no validation rows to fit weights on"),
        ("--horizon 7 --folds 2 --validation 46", "holding out 46 rows of the first fold"),
        ("--horizon 7 --ensemble best", "possible values: mean, median, weights"),
        ("--horizon 7 --tune", "several models are trained at a time"),
        ("--horizon 7 --folds 2 --step 0", "step is 0"),
        ("--horizon 7 --patience 3", "there are no validation rows"),
    ];
    for (arguments, message) in cross {
        let command = "forecast cross-validate series.csv --models mlp,nlinear --json scores.json";
        place.refuse(&format!("{command} {arguments}"), message);
    }
    place.refuse(
        "forecast cross-validate series.csv --models mlp --horizon 7 --ensemble mean",
        "an ensemble of one model is that model",
    );
    let search = [
        ("", "required arguments were not provided: --vary"),
        ("--vary hidden", "it must be name=values"),
        ("--vary hidden=9..4", "its first number is larger than its last"),
        ("--vary hidden=4,8 --vary hidden=9", "`hidden` is varied twice"),
        ("--vary hiden=4,8", "--vary hiden=4: mlp has no setting `hiden`; did you mean `hidden`?"),
        ("--vary hidden=4,wide", "the default of mlp is 512"),
        ("--vary hidden=4,0", "hidden is 0, but layers need a width"),
        ("--vary learning-rate=-1,1", "--learning-rate -1: it must be a positive number"),
        ("--vary optimizer=adam,eve", "invalid value 'eve'"),
        ("--vary validation=3,4", "the same for all trials"),
        ("--vary lookback=3.5,4", "--vary lookback=3.5: it must be a whole number"),
        ("--vary lookback=3,50", "lookback 50"),
        (
            "--vary hidden=1..9999 --points 9999 --vary layers=1..200 --vary batch-windows=1..99",
            "is the most there may be",
        ),
        ("--vary hidden=1..9 --trials 0", "at least 1"),
        ("--vary hidden=4,1000000", "20 TB"),
        ("--vary hidden=4,8 --validation 0", "trials are scored on validation rows"),
        ("--vary hidden=4,8 --test-rows 3", "with targets in rows"),
        ("--vary hidden=4,8 --tune", "several models are trained at a time"),
    ];
    for (arguments, message) in search {
        let command = "forecast search series.csv --model mlp --horizon 7 --json found.json";
        place.refuse(&format!("{command} {arguments}"), message);
    }
}

#[test]
fn forecasts_with_dropout_and_of_many_series_at_a_time() {
    let place = Place::new();
    let fit = |model: &str| {
        place.succeed(&format!(
            "forecast fit series.csv --horizon 7 --lookback 14 --max-steps 20 --model {model} --out {model} --quiet"
        ));
    };
    fit("patchtst");
    fit("mlp");
    let samples = "forecast predict patchtst series.csv --samples 20";
    let json = json(&place, &format!("{samples} --seed 3 --out a.csv"));
    assert_eq!((&json["samples"], &json["seed"]), (&20.into(), &3.into()));
    let text = place.read("a.csv");
    assert_eq!(text.lines().next(), Some("unique_id,ds,patchtst-mean,patchtst-deviation"));
    let deviations =
        text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse::<f64>().unwrap());
    assert!(text.lines().count() == 15 && deviations.into_iter().all(|d| d > 0.0), "{text}");
    place.succeed(&format!("{samples} --seed 3 --out b.csv --threads 3"));
    assert_eq!(place.read("b.csv"), text);
    place.succeed(&format!("{samples} --seed 4 --out b.csv"));
    assert_ne!(place.read("b.csv"), text);

    place.succeed("forecast predict mlp series.csv --out b.csv --batch 8");
    assert_eq!(place.read("b.csv").lines().count(), 15);
    for (arguments, message) in [
        ("mlp series.csv --samples 20", "model `mlp`: it has no dropout"),
        ("patchtst series.csv --samples 1", "samples is 1; it must be at least 2"),
        ("patchtst series.csv --seed 1", "--samples"),
        ("patchtst series.csv --samples 5 --batch 2", "cannot be used with"),
        ("mlp series.csv --batch 0", "batch is 0; it must be at least 1"),
    ] {
        place.refuse(&format!("forecast predict {arguments} --out x.csv"), message);
    }
}
