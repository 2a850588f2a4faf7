//! Trainings that are stopped and go on.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bessemer_kernels::pool::Pool;
use bessemer_train::data::Split;
use bessemer_train::{Checkpoints, State};

use super::learning::table;
use crate::classifier::Classifier;
use crate::course::{Event, History};
use crate::data::Table;
use crate::error::{Error, Result};
use crate::options::FitOptions;
use crate::settings::Settings;

/// All that can be carried: codes that learn, batches that are added up, and a last one that is shorter.
fn options() -> FitOptions {
    FitOptions { epochs: 4, batch: 16, accumulate: 3, rate_codes: 1.0, ..FitOptions::default() }
}

fn settings() -> Settings {
    Settings { inputs: 12, intermediate: 12, outputs: 10, ..Settings::default() }
}

/// 180 samples to learn from.
fn split(table: &Table) -> Split {
    Split::by_fraction(table.len(), 0.2, 0.2, 5).unwrap()
}

fn checkpoints(folder: &Path, resume: bool) -> Checkpoints {
    Checkpoints { folder: folder.into(), every: 1, keep: 1, resume, about: String::new() }
}

fn fit(
    checkpoints: Option<&Checkpoints>,
    threads: usize,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<(Classifier, History)> {
    let table = table();
    let pool = Pool::new(threads);
    Classifier::fit_watched(&table, &split(&table), &settings(), &options(), checkpoints, &pool, watch)
}

/// Everything that must be the same: all bytes of the model's folder, and what is told of it but the time.
fn told((classifier, history): (Classifier, History)) -> (Vec<u8>, Vec<u8>, String) {
    let folder = tempfile::tempdir().unwrap();
    classifier.save(folder.path()).unwrap();
    let file = |name| std::fs::read(folder.path().join(name)).unwrap();
    (file("model.toml"), file("graph.phase"), format!("{} {:?}", history.best_epoch, history.epochs))
}

/// Stops at the first event that `stops`, which must come, and gives the epochs done.
fn stop(checkpoints: &Checkpoints, threads: usize, stops: &mut dyn FnMut(&Event) -> bool) -> usize {
    let watch = &mut |event: Event| match stops(&event) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    match fit(Some(checkpoints), threads, watch) {
        Err(Error::Stopped { epochs, checkpoint: Some(path) }) if path.is_file() => epochs,
        other => panic!("{:?}", other.map(|(_, history)| history)),
    }
}

fn never(_: Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn stopped_after_any_step_it_ends_with_the_same_bits() {
    let mut steps = 0;
    let expected = told(
        fit(None, 1, &mut |event| {
            steps += usize::from(matches!(event, Event::Step));
            ControlFlow::Continue(())
        })
        .unwrap(),
    );
    assert_eq!(steps, 4 * 180usize.div_ceil(16 * 3));
    for at in 1..=steps {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = 0;
        let stops = &mut |event: &Event| {
            seen += usize::from(matches!(event, Event::Step));
            seen == at
        };
        let threads = [1, 2, 4][at % 3];
        let epochs = stop(&checkpoints(folder.path(), false), threads, stops);
        assert_eq!(epochs, (at - 1) / (steps / 4));
        let mut resumed = None;
        let watch = &mut |event: Event| {
            if let Event::Resumed { epochs } = event {
                resumed = Some(epochs);
            }
            ControlFlow::Continue(())
        };
        let went_on = fit(Some(&checkpoints(folder.path(), true)), 1 + at % 2, watch).unwrap();
        assert_eq!(resumed, Some(epochs));
        assert!(told(went_on) == expected, "after step {at}: other bits");
        // It is over, and says the same again.
        let over = fit(Some(&checkpoints(folder.path(), true)), 1, &mut never).unwrap();
        assert!(told(over) == expected, "after step {at}: other bits in the end");
    }
}

#[test]
fn stopped_after_every_epoch_or_killed_it_ends_with_the_same_bits() {
    let expected = told(fit(None, 2, &mut never).unwrap());
    let folder = tempfile::tempdir().unwrap();
    for epoch in 1..=4 {
        let stops = &mut |event: &Event| matches!(event, Event::Epoch(_));
        assert_eq!(stop(&checkpoints(folder.path(), epoch > 1), 2, stops), epoch);
    }
    assert!(told(fit(Some(&checkpoints(folder.path(), true)), 1, &mut never).unwrap()) == expected);

    // What a kill leaves after any epoch is the latest checkpoint, and nothing of what came after it.
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let watch = &mut |event: Event| {
        if let Event::Checkpoint { epochs } = event {
            let name = format!("step-{epochs:010}.safetensors");
            let copy = copies.path().join(epochs.to_string());
            std::fs::create_dir(&copy).unwrap();
            std::fs::copy(folder.path().join(&name), copy.join(&name)).unwrap();
            std::fs::write(copy.join(format!(".{name}.1-2.draft")), "half").unwrap();
        }
        ControlFlow::Continue(())
    };
    assert!(told(fit(Some(&checkpoints(folder.path(), false)), 2, watch).unwrap()) == expected);
    for epoch in 1..=4 {
        let copy = checkpoints(&copies.path().join(epoch.to_string()), true);
        for _ in 0..2 {
            assert!(told(fit(Some(&copy), 1, &mut never).unwrap()) == expected, "after epoch {epoch}");
        }
        assert_eq!(std::fs::read_dir(&copy.folder).unwrap().count(), 1, "the draft is gone");
    }
}

/// A training that was stopped in its second epoch.
fn stopped(folder: &Path) -> PathBuf {
    let mut seen = 0;
    let stops = &mut |event: &Event| {
        seen += usize::from(matches!(event, Event::Step));
        seen == 6
    };
    stop(&checkpoints(folder, false), 1, stops);
    checkpoints(folder, true).files().unwrap().remove(0)
}

#[test]
fn what_is_of_another_training_is_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = stopped(folder.path());
    let resume = checkpoints(folder.path(), true);
    let said = |table: Table, settings: Settings, options: FitOptions| {
        let (split, pool) = (split(&table), Pool::new(1));
        Classifier::fit_watched(&table, &split, &settings, &options, Some(&resume), &pool, &mut never)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let mut other = table();
    let row = split(&other).train[7];
    other.values[4 * row] += 0.25;
    assert!(said(other, settings(), options()).contains("the data are not those that it learned from"));
    let mut other = table();
    other.classes[1] = "one".into();
    assert!(said(other, settings(), options()).contains("the data are not those that it learned from"));
    let wider = said(table(), Settings { inputs: 14, ..settings() }, options());
    assert!(wider.contains("its inputs is 12, but 14 is asked for; go on with the same settings"), "{wider}");
    let longer = said(table(), settings(), FitOptions { epochs: 9, ..options() });
    assert!(longer.contains("its epochs is 4, but 9 is asked for"), "{longer}");
    let anew = fit(Some(&checkpoints(folder.path(), false)), 1, &mut never).map(|_| ()).unwrap_err();
    assert!(anew.to_string().contains("holds checkpoints already"), "{anew}");
    let none = checkpoints(&folder.path().join("none"), true);
    let none = fit(Some(&none), 1, &mut never).map(|_| ()).unwrap_err().to_string();
    assert!(none.contains("no checkpoint to go on from"), "{none}");

    let (text, state) = read(&resume);
    let version = format!("version = \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    write(&resume, state, &text.replace(&version, "version = \"9.9.9\""));
    let said = fit(Some(&resume), 1, &mut never).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("its version is \"9.9.9\""), "{said}");
    assert!(path.is_file(), "what is refused stays");
}

fn read(checkpoints: &Checkpoints) -> (String, State) {
    let read = checkpoints.latest_state(1 << 30, &mut |mut state| Ok((state.take_text()?, state)));
    read.unwrap().unwrap().0
}

fn write(checkpoints: &Checkpoints, mut state: State, text: &str) {
    state.put("text", text.as_bytes());
    checkpoints.write_state(1, &state).unwrap();
}

#[test]
fn damaged_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = stopped(folder.path());
    let resume = checkpoints(folder.path(), true);
    let said = || fit(Some(&resume), 1, &mut never).map(|_| ()).unwrap_err().to_string();
    let whole = std::fs::read(&path).unwrap();
    let mut damages: Vec<Vec<u8>> =
        [0, 8, 100, whole.len() / 2, whole.len() - 1].map(|cut| whole[..cut].to_vec()).into();
    for place in (0..whole.len()).step_by(whole.len() / 50) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        damages.push(flipped);
    }
    for damaged in damages {
        std::fs::write(&path, damaged).unwrap();
        let said = said();
        assert!(said.contains("step-0000000001") && said.ends_with("use an earlier one"), "{said}");
    }
    // One that is far longer than such a training's is not even read.
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(said().contains("bytes, more than the"));

    // Whole, but wrong.
    std::fs::write(&path, &whole).unwrap();
    let (text, state) = read(&resume);
    for (change, part) in [
        (&|state: &mut State| state.put("now.phase", &[4096i16; 34 * 5]) as (), "index 4096 of `now.phase`"),
        (
            &|state: &mut State| state.put("now.phase", &[0i16; 3]),
            "`now.phase` is 3 of I16, but this training has 170",
        ),
        (&|state: &mut State| state.put("now.bias", &[i32::MIN; 120]), "is beyond 30 bits"),
        (&|state: &mut State| state.put("taken", &[u64::MAX; 3]), "steps that were taken make no sense"),
        (
            &|state: &mut State| state.put("tally", &[u64::MAX; 7]),
            "what it says of its epochs makes no sense",
        ),
        (&|state: &mut State| state.put("epochs", &[2u64; 16]), "what it says of its epochs makes no sense"),
        (&|state: &mut State| drop(state.take::<i8>("best.weights", 480)), "lacks `best.weights`"),
    ] as [(&dyn Fn(&mut State), &str); 7]
    {
        let mut state = state.clone();
        change(&mut state);
        write(&resume, state, &text);
        let said = said();
        assert!(said.contains(part), "{said}");
    }
    for (from, to) in [
        ("\nepochs = 1", "\nepochs = 5"),
        ("batches = ", "batches = 9"),
        ("best_epoch = 1", "best_epoch = 2"),
        ("best_epoch = 1", "best_epoch = 0"),
        ("seconds = ", "seconds = -"),
    ] {
        assert!(text.contains(from), "{text}");
        let place = text.rfind(from).unwrap();
        let changed = text[..place].to_string() + &text[place..].replacen(from, to, 1);
        write(&resume, state.clone(), &changed);
        assert!(said().contains("its counters contradict each other"), "{from}");
    }
    write(&resume, state, &text);
    assert!(fit(Some(&resume), 1, &mut never).is_ok());
}
