//! Models on disk: fitted, used, and damaged.

use crate::place::Place;

const FIT: &str = "forecast fit series.csv --horizon 7 --lookback 14 --model nhits --set hidden=16 \
                   --max-steps 30 --out model --quiet";
const PREDICT: &str = "forecast predict model series.csv --out forecast.csv --quiet";

#[test]
fn a_fitted_model_forecasts_every_series() {
    let place = Place::new();
    assert_eq!(place.succeed(FIT), "");
    assert_eq!(place.succeed(PREDICT), "");
    let text = place.read("forecast.csv");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (15, "unique_id,ds,nhits"));
    assert!(lines[1].starts_with("a,2024-03-01,") && lines[14].starts_with("b,2024-03-07,"), "{text}");

    // The number of threads changes nothing, not even the last digit.
    for threads in [1, 3] {
        place.succeed(&FIT.replace("--out model", &format!("--out again-{threads} --threads {threads}")));
        place.succeed(
            &PREDICT.replace("model", &format!("again-{threads}")).replace("forecast.csv", "again.csv"),
        );
        assert_eq!(place.read("again.csv"), text, "{threads} threads");
    }

    place.succeed(&PREDICT.replace("forecast.csv", "forecast.parquet"));
    place.succeed("forecast predict model series.csv --out x.csv --json x.json");
    let json: serde_json::Value = serde_json::from_str(&place.read("x.json")).unwrap();
    assert_eq!((&json["model"], &json["series"]), (&"nhits".into(), &2.into()));
}

#[test]
fn forecasts_of_several_models_are_combined() {
    let place = Place::new();
    place.succeed(FIT);
    place.succeed(
        &FIT.replace("--model nhits --set hidden=16", "--model nlinear")
            .replace("--out model", "--out second")
            .replace("--lookback 14", "--lookback 21"),
    );
    let values = |models: &str| -> Vec<f64> {
        place.succeed(&format!("forecast predict {models} series.csv --out forecast.csv --quiet"));
        let text = place.read("forecast.csv");
        text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect()
    };
    let [first, second] = ["model", "second"].map(values);
    let mean = values("model second --ensemble mean");
    assert!(place.read("forecast.csv").starts_with("unique_id,ds,ensemble-mean\n"));
    assert_eq!(mean.len(), 14);
    for ((mean, a), b) in mean.iter().zip(first).zip(second) {
        // Written in single precision.
        assert!((mean - (a + b) / 2.0).abs() < 1e-5 * mean.abs(), "{mean} of {a} and {b}");
    }
    let json =
        place.succeed("forecast predict model second series.csv --ensemble median --out x.csv --json -");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["model"], &json["members"][1]), (&"ensemble-median".into(), &"second".into()));

    place.succeed(&FIT.replace("--horizon 7", "--horizon 6").replace("--out model", "--out third"));
    for (arguments, problem) in [
        ("model second series.csv --out y.csv", "add --ensemble mean or --ensemble median"),
        ("model third series.csv --out y.csv --ensemble mean", "`third` forecasts 6 steps, but `model` 7"),
        ("model --out y.csv", "a model's folder and a file of series are needed"),
        ("model none series.csv --out y.csv --ensemble mean", "none/model.toml"),
        ("model second series.csv --out y.csv --ensemble mean --samples 9", "cannot be used with"),
    ] {
        place.refuse(&format!("forecast predict {arguments}"), problem);
    }
}

#[test]
fn settings_and_training_are_saved() {
    let place = Place::new();
    let json = place.succeed(&format!("{FIT} --validation 0.2 --patience 2 --loss mae --json -"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["model"], &json["lookback"]), (&"nhits".into(), &14.into()));
    assert!(json["validation_loss"].is_number(), "{json}");
    let text = place.read("model/model.toml");
    for line in ["hidden = 16", "loss = \"mae\"", "patience = 2"] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[test]
fn a_tuned_division_is_saved_and_can_be_had_again() {
    let place = Place::new();
    let json = place.succeed(&format!("{FIT} --tune --json -"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let tuned = &json["tuned"];
    let used = |what: &str| tuned[what].as_u64().unwrap();
    let candidates = tuned["candidates"].as_array().unwrap();
    let is_used =
        |c: &&serde_json::Value| c["micro_batch"] == used("micro_batch") && c["lanes"] == used("lanes");
    assert_eq!(candidates.iter().filter(is_used).count(), 1, "{tuned}");
    let division = format!("micro_batch = {}\nlanes = {}\n", used("micro_batch"), used("lanes"));
    assert!(place.read("model/model.toml").contains(&division), "{division}");

    place.succeed(PREDICT);
    let forecast = place.read("forecast.csv");
    let again = format!("{FIT} --micro-batch {} --lanes {}", used("micro_batch"), used("lanes"));
    place.succeed(&again.replace("--out model", "--out again"));
    place.succeed(&PREDICT.replace("model", "again"));
    assert_eq!(place.read("forecast.csv"), forecast);
    place.refuse(&again.replace("--lanes ", "--tune --lanes "), "--tune");
    place.refuse(&format!("{FIT} --lanes 0"), "--lanes 0");
}

#[test]
fn averages_several_batches_a_step_and_limits_are_asked_for() {
    let place = Place::new();
    let json = |more: &str| -> serde_json::Value {
        serde_json::from_str(&place.succeed(&format!("{FIT} {more} --json -"))).unwrap()
    };
    let plain = json("");
    assert_eq!((&plain["steps"], &plain["skipped"]), (&30.into(), &0.into()));
    json("--ema 0.9");
    let text = place.read("model/model.toml");
    assert!(text.contains("kind = \"ema\"") && text.contains("decay = 0.9"), "{text}");
    json("--swa-start 10 --swa-every 5 --swa-rate 0.0002 --on-not-finite skip");
    let text = place.read("model/model.toml");
    assert!(text.contains("kind = \"swa\"") && text.contains("on_not_finite = \"skip\""), "{text}");
    assert_ne!(json("--accumulate 2")["loss"], plain["loss"]);
    let short = json("--max-seconds 0.000001");
    assert_eq!(short["steps"], 1);
    place.succeed(PREDICT);
    for (more, message) in [
        ("--ema 1", "--ema 1"),
        ("--ema 0.9 --swa-start 3", "--swa-start"),
        ("--swa-every 3", "--swa-start"),
        ("--accumulate 0", "--accumulate 0"),
        ("--max-seconds 0", "--max-seconds 0"),
        ("--max-seconds NaN", "--max-seconds NaN"),
        ("--on-not-finite perhaps", "possible values: stop, skip, continue"),
    ] {
        place.refuse(&format!("{FIT} {more}"), message);
    }
}

#[test]
fn a_model_is_rounded_to_integers() {
    let place = Place::new();
    place.succeed(&FIT.replace("hidden=16", "hidden=64"));
    let json = place.succeed("forecast quantize model series.csv --test-rows 20 --out small --json -");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let number = |side: &str, what: &str| json[side][what].as_f64().unwrap();
    assert!(json["windows"] == 28 && number("int8", "bytes") < 0.5 * number("before", "bytes"), "{json}");
    assert!(number("before", "mse") != number("int8", "mse"), "{json}");
    assert!(json["mse_change"].as_f64().unwrap().abs() < 0.05, "{json}");

    let forecast = |model: &str, out: &str| -> Vec<f64> {
        place.succeed(&format!("forecast predict {model} series.csv --out {out} --quiet"));
        place
            .read(out)
            .lines()
            .skip(1)
            .map(|line| line.rsplit(',').next().unwrap().parse().unwrap())
            .collect()
    };
    let (whole, rounded) = (forecast("model", "a.csv"), forecast("small", "b.csv"));
    assert_ne!(whole, rounded);
    assert!(whole.iter().zip(&rounded).all(|(a, b)| (a - b).abs() < 0.05 * a.abs()), "{whole:?} {rounded:?}");

    place.refuse("forecast quantize small series.csv --out again", "its weights are 8-bit integers already");
    place.refuse(
        "forecast quantize model series.csv --out model",
        "--out model: it is the same file as the model",
    );
    place.refuse("forecast quantize model series.csv --frequency 12h --out x", "fitted at `D`");
    place.refuse("forecast quantize model series.csv --test-rows 3 --out x", "with targets in rows 58 to 60");
    place.succeed(&FIT.replace("nhits --set hidden=16", "nlinear"));
    place.refuse("forecast quantize model series.csv --out x", "no weight is as large as 32 by 32");
}

#[test]
fn a_damaged_model_is_refused() {
    let place = Place::new();
    place.succeed(FIT);
    let description = place.read("model/model.toml");
    let weights = std::fs::read(place.path("model/weights.safetensors")).unwrap();
    let infinite = {
        let mut bytes = weights.clone();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
        bytes
    };
    let changed = {
        let mut bytes = weights.clone();
        let last = bytes.len() - 1;
        bytes[last] ^= 0x80;
        bytes
    };
    let damages: [(&str, Vec<u8>, &str); 10] = [
        ("weights.safetensors", weights[..weights.len() / 2].into(), "weights.safetensors"),
        ("weights.safetensors", vec![], "weights.safetensors"),
        ("weights.safetensors", vec![0xff; 4096], "weights.safetensors"),
        ("weights.safetensors", infinite, "weights.safetensors"),
        ("model.toml", description.replace("hidden = 16", "hidden = 32").into(), "weights.safetensors"),
        ("weights.safetensors", changed, "the values are not those that were saved"),
        ("model.toml", description.replace("seed = 1", "seed = 2").into(), "saved with another description"),
        ("model.toml", description.replace("format = 1", "format = 7").into(), "format 7, but this version"),
        ("model.toml", description.replace("horizon = 7", "horizon = 0").into(), "horizon is 0"),
        ("model.toml", b"[[[".into(), "no valid TOML"),
    ];
    for (file, content, message) in damages {
        place.write("model/model.toml", &description);
        place.write("model/weights.safetensors", &weights);
        place.write(&format!("model/{file}"), content);
        place.refuse(PREDICT, message);
    }
}

#[test]
fn predictions_that_cannot_be_made_are_refused() {
    let place = Place::new();
    place.succeed(FIT);
    place.write("other.csv", place.read("series.csv").replace("\nb,", "\nc,"));
    place.write("short.csv", "unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,2\n");
    let hours: String = (0..20).map(|hour| format!("a,2024-01-01 {hour:02}:00:00,{hour}\n")).collect();
    place.write("hourly.csv", format!("unique_id,ds,y\n{hours}"));
    let cases = [
        ("forecast predict model hourly.csv --out x.csv", "the model was fitted at `D`; give data of that"),
        ("forecast predict none series.csv --out x.csv", "is this a folder that `fit` wrote?"),
        ("forecast predict model none.csv --out x.csv", "`none.csv`: cannot open the file"),
        ("forecast predict model other.csv --out x.csv", "series `c` was not in the data"),
        ("forecast predict model short.csv --out x.csv", "2 rows, but lookback 14 needs at least 14"),
        ("forecast predict model series.csv --out x.txt", "`x.txt`: unknown extension"),
        ("forecast predict model series.csv --out no/x.csv", "`no/x.csv`: cannot write the file"),
    ];
    for (arguments, message) in cases {
        place.refuse(arguments, message);
    }
}
