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
        let part = &model["parts"][2];
        assert_eq!(part["part"], "interleaved");
        let [low, high] = [0, 1].map(|end| part["interval"][end].as_f64().unwrap());
        let mean = part["mse"]["mean"].as_f64().unwrap();
        assert!(low < mean && mean < high && part["each"].as_array().unwrap().len() == 3);
    }
    let page = place.read("run/report.html");
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
    (0..800).for_each(|n| writer.write_sample((8000.0 * (f64::from(n) * 0.3).sin()) as i16).unwrap());
    writer.finalize().unwrap();
    place.write("tone.wav", &wav);
    let text = place.succeed(
        "waves fit tone.wav --packets 2 --rounds 2 --steps 200 --out tone --reconstruction again.wav",
    );
    assert!(text.contains("times smaller") && text.contains("PSNR"), "{text}");
    let again = hound::WavReader::open(place.path("again.wav")).unwrap();
    assert_eq!((again.spec().sample_rate, again.len()), (8000, 800));
    place.succeed("waves render tone --size 1599 --out slower.wav --quiet");
    let slower = hound::WavReader::open(place.path("slower.wav")).unwrap();
    assert_eq!((slower.spec().sample_rate, slower.len()), (16_000, 1599));

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
        ("waves fit glitchy-chirp --hold-out 1", "interleaved: every 1. point"),
        ("waves fit glitchy-chirp --extrapolate z:0.1", "no axis `z`"),
        ("waves fit glitchy-chirp --validation 0 --patience 2", "no validation points"),
        ("waves compare glitchy-chirp --seeds 0", "--seeds 0: it must be from 1 to 1000"),
        ("waves render absent --out x.csv", "absent"),
        ("waves evaluate absent glitchy-chirp", "absent"),
    ] {
        place.refuse(arguments, message);
    }
    // What can be done is done, and said.
    let text =
        place.succeed("waves fit one.csv --packets 2 --hold-out 0 --validation 0 --steps 3 --out model");
    assert!(text.contains("note: the model has 13 parameters for 1 training values"), "{text}");
}
