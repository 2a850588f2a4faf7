//! `bessemer waves`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::Place;

/// Small, so that it is quick.
const FIT: &str = "waves fit glitchy-chirp --size 200 --packets 6 --rounds 2 --steps 60";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The mean squared error on a part of the points.
fn mse(result: &Value, part: &str) -> f64 {
    let scores = result["scores"].as_array().unwrap();
    scores.iter().find(|score| score["part"] == part).unwrap()["mse"].as_f64().unwrap()
}

#[test]
fn a_signal_is_fitted_scored_saved_and_had_again() {
    let place = Place::new();
    let fitted = json(&place.succeed(&format!("{FIT} --out model --reconstruction again.csv --json -")));
    assert_eq!((fitted["parameters"].as_u64(), fitted["bytes"].as_u64()), (Some(37), Some(148)));
    let of_mean = fitted["scores"][2]["mean_mse"].as_f64().unwrap();
    assert_eq!(fitted["scores"][2]["part"], "interleaved");
    assert!(mse(&fitted, "interleaved") < 0.5 * of_mean, "{fitted}");
    assert_eq!(fitted["packets"].as_array().unwrap().len(), 6);
    let shares: Vec<f64> =
        fitted["packets"].as_array().unwrap().iter().map(|p| p["energy_share"].as_f64().unwrap()).collect();
    assert!(shares.is_sorted_by(|a, b| a >= b) && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);

    // All of it can be had from the folder alone.
    place.succeed("waves render model --out rendered.csv --quiet");
    assert_eq!(place.read("rendered.csv"), place.read("again.csv"));
    let evaluated = json(&place.succeed("waves evaluate model glitchy-chirp --size 200 --json -"));
    let parts = ["training", "validation", "interleaved"];
    let points = [144.0, 16.0, 40.0];
    let together: f64 = parts.iter().zip(points).map(|(part, n)| n / 200.0 * mse(&fitted, part)).sum();
    assert_eq!(evaluated["scores"][1]["part"], "window", "which of it was held out is not known here");
    assert!((mse(&evaluated, "all") - together).abs() < 1e-6 * together, "{evaluated}");
}

#[test]
fn threads_change_no_byte_of_a_model() {
    let place = Place::new();
    for threads in [1, 3] {
        place.succeed(&format!("{FIT} --out model-{threads} --threads {threads} --quiet"));
    }
    for file in ["model.toml", "weights.safetensors"] {
        let bytes = |threads| std::fs::read(place.path(&format!("model-{threads}/{file}"))).unwrap();
        assert_eq!(bytes(1), bytes(3), "{file}");
    }
}

#[cfg(unix)]
#[test]
fn a_fit_that_is_stopped_goes_on_with_the_same_bytes() {
    let place = Place::new();
    let fit = "waves fit glitchy-chirp --packets 8 --rounds 0 --steps 40000 --quiet";
    place.succeed(&format!("{fit} --out whole"));
    let begun = Instant::now();
    let mut child = place.command(&format!("{fit} --run run")).stderr(Stdio::null()).spawn().unwrap();
    // Its metrics tell when it is at work.
    while !place.path("run/metrics.jsonl").exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let process = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    place.succeed(&format!("{fit} --run run --resume"));
    for file in ["model.toml", "weights.safetensors"] {
        let bytes = |folder| std::fs::read(place.path(&format!("{folder}/{file}"))).unwrap();
        assert_eq!(bytes("run/model"), bytes("whole"), "{file}");
    }
}

/// Stopped as packets are found, it says in which round, and what goes on from there.
#[cfg(unix)]
#[test]
fn rounds_that_are_stopped_go_on_with_the_same_bytes() {
    let place = Place::new();
    // So many candidates and points that a round takes a while.
    let fit = "waves fit glitchy-chirp --size 1000 --packets 20 --rounds 20 --steps 20 --threads 2 --quiet";
    let begun = Instant::now();
    let child = place.command(&format!("{fit} --run run")).stderr(Stdio::piped()).spawn().unwrap();
    let has_round = || {
        let files = std::fs::read_dir(place.path("run/checkpoints")).into_iter().flatten().flatten();
        files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("step-"))
    };
    while !has_round() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let process = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("packets was in round") && said.contains(" of 20, which it begins again"),
        "{said}"
    );
    assert!(said.contains("go on with: ") && said.contains("--run run --resume"), "{said}");
    let report = place.read("run/report.html");
    assert!(!report.contains("validation windows") && !report.contains("series scaler"));
    assert!(place.succeed("runs show run").contains("--resume"));

    // With other settings it does not go on.
    for (other, message) in [
        ("--hold-out 4", "its points.hold_out is 5, but 4 is asked for"),
        ("--learning-rate 0.01", "its train.learning_rate is 0.003, but 0.01 is asked for"),
        ("--clip-norm 1", "its train.clip_norm is not set, but 1.0 is asked for"),
    ] {
        place.refuse(&format!("{fit} {other} --run run --resume"), message);
    }
    place.succeed(&format!("{fit} --run run --resume"));
    place.succeed(&format!("{fit} --out whole"));
    for file in ["model.toml", "weights.safetensors"] {
        let bytes = |folder| std::fs::read(place.path(&format!("{folder}/{file}"))).unwrap();
        assert_eq!(bytes("run/model"), bytes("whole"), "{file}");
    }
}

/// A run that left no checkpoint has its settings in config.toml, which is to stay true.
#[test]
fn other_settings_are_refused_where_there_is_no_checkpoint() {
    let place = Place::new();
    place.succeed(&format!("{FIT} --run run --quiet"));
    std::fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    let config = place.read("run/config.toml");
    place.refuse(
        &format!("{FIT} --seed 2 --run run --resume --quiet"),
        "its train.seed is 1, but 2 is asked for; go on with the same settings",
    );
    let other = FIT.replace("--packets 6", "--packets 7");
    place.refuse(&format!("{other} --run run --resume --quiet"), "its count is 6, but 7 is asked for");
    assert_eq!(place.read("run/config.toml"), config);
}

#[test]
fn runs_are_repeated_with_the_same_bytes() {
    let place = Place::new();
    place.succeed(&format!("{FIT} --run fit --quiet --reconstruction again.csv"));
    std::fs::remove_file(place.path("again.csv")).unwrap();
    let said = place.succeed("runs repeat fit --to fit-again");
    assert!(said.contains("model/weights.safetensors: the same bytes"), "{said}");
    assert!(!place.path("again.csv").exists(), "what the first run wrote elsewhere is left alone");
    place.succeed(
        "waves compare step --size 60 --models siren,rff --steps 9 --seeds 2 --run compare --quiet --json j",
    );
    let said = place.succeed("runs repeat compare --to compare-again");
    assert!(said.contains("errors: the same numbers"), "{said}");
    // What is compared is really looked at.
    let record = place.read("compare/run.toml");
    let place_of = record.find("\"mse, interleaved\" = ").unwrap() + 21;
    place.write("compare/run.toml", format!("{}9{}", &record[..place_of], &record[place_of..]));
    let output = place.run("runs repeat compare --to compare-third");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("its errors are others than those of the new run"), "{said}");
}

/// A table of an instrument: seconds since 1970, in a file without a line of names.
#[test]
fn tables_far_from_0_and_without_names_are_fitted_and_had_again() {
    let place = Place::new();
    let rows: String =
        (0..100).map(|n| format!("{},{:.3}\n", 1_700_000_000 + 60 * n, f64::from(n % 10) * 0.1)).collect();
    place.write("log.csv", rows);
    place.refuse("waves fit log.csv", "its first line holds nothing but numbers");
    let fit = "waves fit log.csv --header no --packets 6 --rounds 2 --steps 60 --run run";
    let text = place.succeed(fit);
    assert!(text.contains("1,700,00"), "centres to their width, not 1.700e9: {text}");
    assert!(place.read("run/report.html").contains("1, counted from 1700000000"));
    place.succeed("waves render run/model --out again.csv --quiet");
    let again = place.read("again.csv");
    let times = again.lines().skip(1).map(|line| line.split(',').next().unwrap().parse::<u64>().unwrap());
    assert!(times.eq((0..100).map(|n| 1_700_000_000 + 60 * n)), "{again}");

    // Unevenly spaced, too, a table along one axis has as many points, and one of two needs to be told.
    place.write("two.csv", "x,t,y\n0,0,1\n1,0,2\n0,1,3\n1,3,4\n");
    place.succeed("waves fit two.csv --packets 1 --rounds 0 --steps 2 --hold-out 0 --validation 0 --out two");
    place.refuse(
        "waves render two --out two-again.csv",
        "--size: the 4 points it was fitted to are on no grid",
    );
    place.succeed("waves render two --size 3,2 --out two-again.csv --quiet");
}

#[test]
fn models_are_compared_over_seeds() {
    let place = Place::new();
    let compared = json(&place.succeed(
        "waves compare glitchy-chirp --size 200 --models packets,siren,faithful --parameters 37 --seeds 3 \
         --steps 60 --rounds 2 --run run --json -",
    ));
    let models = compared["models"].as_array().unwrap();
    assert_eq!(models[0]["name"], "packets", "{compared}");
    for model in models {
        assert_eq!(model["steps"], 60, "all take as many, rounds among them");
        let part = &model["parts"][2];
        assert_eq!(part["part"], "interleaved");
        let [low, high] = [0, 1].map(|end| part["interval"][end].as_f64().unwrap());
        let mean = part["mse"]["mean"].as_f64().unwrap();
        assert!(0.0 <= low && low < mean && mean < high && part["each"].as_array().unwrap().len() == 3);
    }
    let page = place.read("run/report.html");
    // Narrow enough for the page: what all parts have in common stands in a table of its own.
    let headers = |table: &str| table.matches("<th scope=\"col\"").count();
    let tables: Vec<usize> = page.split("<table>").skip(1).map(headers).collect();
    assert!(tables.len() > 3 && tables.iter().all(|columns| *columns <= 5), "{tables:?}");
    assert!(page.contains("3 models compared on glitchy-chirp") && !page.contains("<script"));
}

/// The reference's packets keep two of their numbers as they were, and it is said.
#[test]
fn what_the_reference_cannot_learn_is_told() {
    let place = Place::new();
    let text = place
        .succeed("waves fit glitchy-chirp --faithful --steps 50 --hold-out 0 --validation 0 --out model");
    assert!(text.contains("145 parameters"), "{text}");
    assert!(text.contains("note: omega and v of all 16 packets are as they began"), "{text}");
}

#[test]
fn a_sound_and_an_image_come_back() {
    let place = Place::new();
    let mut wav = Vec::new();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(std::io::Cursor::new(&mut wav), spec).unwrap();
    (0..2400).for_each(|n| writer.write_sample((8000.0 * (f64::from(n) * 0.3).sin()) as i16).unwrap());
    writer.finalize().unwrap();
    place.write("tone.wav", &wav);
    let text = place.succeed(
        "waves fit tone.wav --packets 2 --rounds 2 --steps 200 --out tone --reconstruction again.wav --run sound",
    );
    assert!(place.read("sound/report.html").contains("One in 2 points, the model behind the signal."));
    assert!(text.contains("times smaller") && text.contains("PSNR"), "{text}");
    let again = hound::WavReader::open(place.path("again.wav")).unwrap();
    assert_eq!((again.spec().sample_rate, again.len()), (8000, 2400));
    place.succeed("waves render tone --size 4799 --out slower.wav --quiet");
    let slower = hound::WavReader::open(place.path("slower.wav")).unwrap();
    assert_eq!((slower.spec().sample_rate, slower.len()), (16_000, 4799));

    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, 16, 12);
    encoder.set_color(png::ColorType::Grayscale);
    let pixels: Vec<u8> = (0..16 * 12).map(|n| (n % 16 * 16) as u8).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    place.write("ramp.png", &png);
    place.succeed("waves fit ramp.png --packets 3 --rounds 1 --steps 50 --out ramp --quiet --run run");
    place.succeed("waves render ramp --size 24,32 --out larger.png --quiet");
    let larger = std::fs::File::open(place.path("larger.png")).unwrap();
    let larger = png::Decoder::new(std::io::BufReader::new(larger)).read_info().unwrap();
    assert_eq!((larger.info().width, larger.info().height), (32, 24));
    assert!(place.read("run/report.html").contains("data:image/png;base64,"));
}

#[test]
fn bad_input_is_refused() {
    let place = Place::new();
    place.write("nan.csv", "x,y\n0,1\n1,NaN\n2,3\n");
    place.write("one.csv", "x,y\n0,1\n");
    place.write("uneven.csv", "x,y\n0,1\n1\n");
    place.write("not.png", "no image");
    place.write("not.wav", "RIFF\x7f\x7f\x7f\x7fWAVE");
    for (arguments, message) in [
        ("waves fit nan.csv", "nan.csv"),
        ("waves fit uneven.csv", "uneven.csv"),
        ("waves fit not.png", "not.png"),
        ("waves fit not.wav", "not.wav"),
        ("waves fit absent.csv", "absent.csv"),
        ("waves fit glitchy-chrip", "did you mean `glitchy-chirp`?"),
        ("waves fit glitchy-chirp --model sirn", "did you mean `siren`?"),
        ("waves fit glitchy-chirp --model siren --set widht=3", "did you mean `width`?"),
        (
            "waves fit glitchy-chirp --model siren --set width=wide",
            "width is `wide`; it must be a whole number",
        ),
        ("waves fit glitchy-chirp --model siren --packets 3", "`siren` has no packets"),
        ("waves fit glitchy-chirp --model siren --rounds 3", "`siren` is no model of packets"),
        ("waves fit glitchy-chirp --packets 0", "count is 0"),
        ("waves fit glitchy-chirp --size 0", "no points"),
        ("waves fit step --times 3", "`step` does not move"),
        ("waves fit glitchy-chirp --hold-out 1", "interleaved: holding out one point in 1"),
        ("waves fit glitchy-chirp --extrapolate z:0.1", "no axis `z`"),
        ("waves fit glitchy-chirp --validation 0 --patience 2", "no validation points"),
        ("waves fit glitchy-chirp --parameters 0", "no size has about 0 parameters; ask for 7 to"),
        ("waves fit glitchy-chirp --parameters 1000000000", "ask for 7 to"),
        (
            "waves fit glitchy-chirp --set count=3 --packets 5",
            "--set count=3: it sets the same as --packets 5",
        ),
        ("waves fit glitchy-chirp --set count=3 --set count=4", "it sets the same as --set count=3"),
        ("waves fit glitchy-chirp --set count=-3", "it must be a whole number that is not below 0"),
        ("waves fit glitchy-chirp --swa-start 5000", "--swa-start 5000: the training ends after 2000"),
        ("waves fit glitchy-chirp --patience 0", "--patience 0: the training would end"),
        ("waves fit glitchy-chirp --validation 0.9999", "leaves 1 of 800 points to train on"),
        ("waves fit glitchy-chirp --clip-norm -1", "clip norm is -1: it must be above 0, or left out"),
        ("waves fit glitchy-chirp --max-seconds 0", "max seconds is 0: it must be above 0, or left out"),
        ("waves fit glitchy-chirp --reconstruction a.wav --packets 99999999", "comes from no sound"),
        ("waves compare glitchy-chirp --seeds 0", "--seeds 0: it must be from 1 to 1000"),
        ("waves render absent --out x.csv", "absent"),
        ("waves evaluate absent glitchy-chirp", "absent"),
    ] {
        place.refuse(arguments, message);
    }
    // So is a folder in which the model could not be written in the end.
    place.write("model", "a file");
    place.refuse("waves fit glitchy-chirp --packets 99999999 --no-run", "`model` is a file");
    std::fs::remove_file(place.path("model")).unwrap();
    // What can be done is done, and said.
    let text = place
        .succeed("waves fit one.csv --model grid --parameters 145 --hold-out 0 --validation 0 --steps 3");
    assert!(text.contains("no `grid` of these settings has 145 parameters; the nearest has 199"), "{text}");
    let text =
        place.succeed("waves fit one.csv --packets 2 --hold-out 0 --validation 0 --steps 3 --out model");
    assert!(text.contains("note: the model has 13 parameters for 1 training values"), "{text}");
}
