//! Commands that measure: what they find is the machine's business, but not its form.

use serde_json::Value;

use crate::place::Place;

fn json(arguments: &str) -> Value {
    serde_json::from_str(&Place::new().succeed(&format!("{arguments} --json -"))).unwrap()
}

#[test]
fn the_machine_is_described() {
    let machine = json("machine --threads 2");
    for name in ["cores", "threads", "f32_gflops"] {
        assert!(machine[name].as_f64().unwrap() >= 1.0, "{name} of {machine}");
    }
    for name in ["cached", "one", "all"] {
        assert!(machine["read_gb_per_s"][name].as_f64().unwrap() > 0.1, "{name} of {machine}");
    }
}

#[test]
fn kernels_are_compared() {
    let results = json("bench kernels --only norm --threads 1");
    let rows = results["kernels"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["layer_norm", "layer_norm_backward", "rms_norm", "rms_norm_backward"]);
    for row in rows {
        for value in ["us", "gflops", "peak_percent", "oracle_gain"] {
            assert!(row[value].as_f64().unwrap() > 0.0, "{value} of {row}");
        }
    }
}

#[test]
fn kernels_that_there_are_not() {
    Place::new().refuse("bench kernels --only abacus --threads 1", "no kernel's name contains that");
}

#[test]
fn the_ladder_begins_with_plain_loops_and_stays_exact() {
    let place = Place::new();
    let arguments =
        "bench ladder --model mlp --threads 2 --seconds 0.01 --quiet --report ladder.html --json -";
    let ladder: Value = serde_json::from_str(&place.succeed(arguments)).unwrap();
    let rungs = ladder["rungs"].as_array().unwrap();
    let names: Vec<&str> = rungs.iter().map(|rung| rung["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["scalar", "simd", "fusion", "attention", "lanes", "memory", "bf16"]);
    for (i, rung) in rungs.iter().enumerate() {
        let value = |name: &str| rung[name].as_f64().unwrap();
        let below = if i > 0 { &rungs[i - 1] } else { rung };
        let gain = below["step_ms"].as_f64().unwrap() / value("step_ms");
        assert!((value("gain") / gain - 1.0).abs() < 1e-6, "{rung}");
        let (least, most) = if names[i] == "bf16" { (1e-4, 5e-2) } else { (1e-9, 1e-5) };
        assert!((least..most).contains(&value("deviation")), "{rung}");
    }
    let page = place.read("ladder.html");
    assert!(page.contains("Over the rung below") && page.contains("bench ladder --model mlp"));

    let scalar = json("bench step --model mlp --rung scalar --threads 2 --seconds 0.01");
    assert_eq!((&scalar["isa"], &scalar["threads"]), (&"scalar".into(), &1.into()));
    place.refuse("bench step --model mlp --rung simd --precision bf16", "cannot be used with");
    place.refuse("bench ladder --model abacus", "possible values: encoder");
}

#[test]
fn steps_of_loops_and_of_long_attention_are_timed() {
    for (arguments, kernel) in [
        ("lstm --batch 4", "scan"),
        ("attention-1k --batch 1 --precision bf16", "bf16_attention_backward"),
        ("nhits --batch 256 --precision f16", "f16_gemm_packed"),
    ] {
        let step = json(&format!("bench step --model {arguments} --seconds 0.01 --profile"));
        let calls = step["profile"].as_array().unwrap();
        assert!(calls.iter().any(|call| call["kernel"] == kernel), "{kernel} of {calls:?}");
    }
    let place = Place::new();
    let output = place.run("bench step --model mlp --precision bf16 --seconds 0.01");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("kinds of products run in bf16; the others stay in f32"), "{said}");
    place.refuse("bench step --model attention-16k --batch 1048576", "are free");
}

#[test]
fn passes_are_timed_in_every_precision() {
    for precision in ["f32", "bf16", "int8"] {
        let step =
            json(&format!("bench step --model mlp --inference --precision {precision} --seconds 0.01"));
        assert_eq!((&step["precision"], &step["inference"]), (&precision.into(), &true.into()));
        assert!(step["step_ms"]["min"].as_f64().unwrap() > 0.0);
    }
    let place = Place::new();
    place.refuse("bench step --model mlp --precision int8", "add --inference");
    place.refuse(
        "forecast fit series.csv --model mlp --horizon 7 --out model --precision int8",
        "possible values: f32, bf16, f16",
    );
}

#[test]
fn dropped_activations_are_listed() {
    let all = json("bench step --model encoder --batch 8 --seconds 0.01 --threads 1");
    let less = json("bench step --model encoder --batch 8 --seconds 0.01 --threads 1 --activations 50");
    let megabytes = |step: &Value| step["activations_mb"].as_f64().unwrap();
    assert!(megabytes(&less) < 0.6 * megabytes(&all), "{} of {}", megabytes(&less), megabytes(&all));
    assert!(all.get("recomputed").is_none());
    assert!(less["recomputed"]["share"].as_f64().unwrap() <= 0.5);
    let layers =
        less["recomputed"]["values"].as_array().unwrap().iter().map(|r| r["layer"].as_str().unwrap());
    assert!(layers.filter(|layer| layer.starts_with("layers.")).count() > 3);
    let place = Place::new();
    place.refuse("bench step --model encoder --activations 0", "from 1 to 100");
    place.refuse("bench step --model encoder --activations 101", "from 1 to 100");
    place.refuse("bench step --model patchtst --activations 50", "leave the memory of activations unlimited");
}

#[test]
fn a_fit_says_what_it_dropped_and_what_overflowed() {
    let place = Place::new();
    let fit = "forecast fit series.csv --model nhits --horizon 7 --max-steps 6 --threads 2";
    let text = place.succeed(&format!("{fit} --activations 60 --precision f16 --out model"));
    assert!(text.contains("computed again") && text.contains("stack"), "{text}");
    assert!(text.contains("gradients scaled by 65536 at the end; 6 updates, 0 skipped"), "{text}");
    place.succeed("forecast predict model series.csv --out forecast.csv");
    let whole: Value = serde_json::from_str(&place.succeed(&format!("{fit} --out whole --json -"))).unwrap();
    let less = place.succeed(&format!("{fit} --activations 60 --out less --json -"));
    let less: Value = serde_json::from_str(&less).unwrap();
    assert_eq!(whole["loss"], less["loss"]);
    assert!(whole.get("recomputed").is_none());
    assert!(!less["recomputed"]["values"].as_array().unwrap().is_empty());
    let text = place.succeed(&format!("{fit} --activations 1 --out least"));
    assert!(text.contains("1 % asked for, which can't be had"), "{text}");
    assert!(whole.get("grad_scaler").is_none());
}

#[test]
fn a_training_is_profiled() {
    let place = Place::new();
    let fit = "forecast fit series.csv --model nhits --horizon 7 --max-steps 6 --threads 2 --out model";
    let text = place.succeed(&format!("profile --out where {fit}"));
    assert!(text.contains("nhits: by layer") && text.contains("optimiser"), "{text}");
    assert!(text.contains("% of the time is that of a call or of a named part"), "{text}");
    let profile: Value = serde_json::from_str(&place.read("where/nhits/profile.json")).unwrap();
    let parts = profile["parts"].as_array().unwrap();
    let sum = |name: &str| parts.iter().map(|part| part[name].as_f64().unwrap()).sum::<f64>();
    assert!((sum("share") - 1.0).abs() < 1e-6);
    let core_seconds = profile["seconds"].as_f64().unwrap() * 2.0;
    assert!((sum("core_seconds") / core_seconds - 1.0).abs() < 1e-6);
    let silent = place.succeed(&format!("profile --out where {fit} --json -"));
    assert!(serde_json::from_str::<Value>(&silent).unwrap()["steps"] == 6, "{silent}");
    let products = parts.iter().filter(|part| part["layer"] == "stack0.hidden0" && part["calls"] != 0.0);
    assert!(products.count() > 1, "{profile}");
    let trace: Value = serde_json::from_str(&place.read("where/nhits/trace.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |name: &str| events.iter().filter(|event| event["name"] == name).count();
    assert_eq!(of("optimiser"), 3, "the steps after the first");
    assert!(of("linear") > 0);
    assert!(place.read("where/nhits/flame.svg").contains("stack0"));
    assert_eq!(place.names(), ["model", "series.csv", "where"]);
    place.refuse("profile --out other forecast predict model series.csv --out f.csv", "it trains no model");
    place.refuse("profile --out series.csv demo", "series.csv");
    assert_eq!(place.names(), ["model", "series.csv", "where"]);
}
