//! Trainings that are killed and go on.

use std::time::{Duration, Instant};

use crate::place::Place;

/// Validated, so that there is more to remember than weights.
const FIT: &str = "forecast fit series.csv --model nhits --set hidden=32 --horizon 7 --lookback 14 \
                   --max-steps 400 --validation 0.2 --validate-every 20 --schedule plateau --optimizer adamw";

/// Numbers without a pattern.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// How many kills: `BESSEMER_KILLS` has more of them.
fn kills() -> usize {
    std::env::var("BESSEMER_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(5)
}

#[test]
fn killed_at_random_moments_it_ends_with_the_same_bytes() {
    let place = Place::new();
    let begun = Instant::now();
    place.succeed(&format!(
        "{FIT} --out whole --quiet --threads 1 --checkpoints whole-steps --checkpoint-every 1"
    ));
    let whole = begun.elapsed();
    let files = ["model.toml", "weights.safetensors"];
    let read =
        |folder: &str| files.map(|file| std::fs::read(place.path(&format!("{folder}/{file}"))).unwrap());
    let expected = read("whole");
    let (mut seed, mut interrupted) = (20_261_121, 0);
    for trial in 0..kills() {
        let (out, steps) = (format!("out-{trial}"), format!("steps-{trial}"));
        // A checkpoint at every step: most kills meet one being written.
        let mut resume = "";
        let mut patience = 100;
        loop {
            let threads = 1 + random(&mut seed) % 4;
            let arguments = format!(
                "{FIT} --out {out} --quiet --threads {threads} --checkpoints {steps} --checkpoint-every 1 {resume}"
            );
            let mut child = place.command(&arguments).spawn().unwrap();
            let wait = Duration::from_nanos(random(&mut seed) % (whole.as_nanos() as u64));
            let until = Instant::now() + wait;
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
            let any = std::fs::read_dir(place.path(&steps)).is_ok_and(|names| {
                names.flatten().any(|name| name.file_name().to_string_lossy().starts_with("step-"))
            });
            resume = if any { "--resume" } else { "" };
            patience -= 1;
            assert!(patience > 0, "it never came to its end");
        }
        assert!(read(&out) == expected, "trial {trial}: other bytes");
        let drafts = std::fs::read_dir(place.path(&steps)).unwrap().flatten();
        assert_eq!(drafts.filter(|f| f.file_name().to_string_lossy().ends_with(".draft")).count(), 0);
    }
    eprintln!("{interrupted} kills in {} trainings", kills());
    assert!(interrupted > 0 || kills() == 0);
}

#[cfg(unix)]
#[test]
fn a_polite_end_leaves_a_checkpoint_and_says_how_to_go_on() {
    use std::os::unix::process::ExitStatusExt;
    let place = Place::new();
    let fit = FIT.replace("--max-steps 400", "--max-steps 100000");
    for (signal, more) in [("INT", ""), ("TERM", " --tune")] {
        let steps = format!("steps-{signal}");
        let arguments =
            format!("{fit} --out out --threads 1 --checkpoints {steps} --checkpoint-every 50{more}");
        let mut command = place.command(&arguments);
        let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while !std::fs::read_dir(place.path(&steps)).is_ok_and(|mut files| files.next().is_some()) {
            assert!(Instant::now() < until, "no checkpoint in a minute");
            std::thread::sleep(Duration::from_millis(5));
        }
        let id = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success()
        );
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.status.signal()), (Some(130), None), "{signal}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("go on with:") && said.trim_end().ends_with("--resume"), "{said}");
        assert!(!place.path("out").exists(), "the model is not there yet");
        let command = said.trim_end().rsplit("go on with: ").next().unwrap();
        let words = command.split_once(' ').unwrap().1;
        assert!(!words.contains("--tune") && words.contains("--lanes") != more.is_empty(), "{words}");
        // What it says goes on, here to an end.
        let again = words.replace("--max-steps 100000", "--max-steps 300");
        place.succeed(&again.replace("--out out", &format!("--out out-{signal}")));
        assert!(place.path(&format!("out-{signal}/model.toml")).exists());
        if !more.is_empty() {
            place.refuse(&format!("{arguments} --resume"), "cannot be used with");
            continue;
        }
        place.refuse(&arguments, "holds checkpoints already");
        place.refuse(
            &format!("{arguments} --resume --learning-rate 0.5"),
            "its learning_rate is 0.001, but 0.5 is asked for",
        );
        place.refuse(&format!("{arguments} --resume --set hidden=64"), "other");
    }
    place.refuse(&format!("{fit} --out out --resume"), "--checkpoints");
    place.refuse(&format!("{fit} --out out --checkpoints none --resume"), "no checkpoint to go on from");
}
