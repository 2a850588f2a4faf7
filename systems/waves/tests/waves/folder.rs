//! Models on disk.

use std::path::Path;

use bessemer_plan::Pool;
use bessemer_waves::WaveFitter;

use crate::{packet, small_models, steps};

fn files(folder: &Path) -> Vec<Vec<u8>> {
    ["model.toml", "weights.safetensors"].map(|name| std::fs::read(folder.join(name)).unwrap()).to_vec()
}

#[test]
fn a_saved_model_predicts_the_same_bits_and_has_the_same_bytes() {
    let (signal, split) = packet();
    let (place, pool) = (tempfile::tempdir().unwrap(), Pool::new(2));
    for model in small_models() {
        let [first, again] = ["first", "again"].map(|name| place.path().join(model.name()).join(name));
        let mut fitted = WaveFitter::fit(&signal, &split, &model, &steps(3), &pool).unwrap();
        std::fs::create_dir_all(place.path().join(model.name())).unwrap();
        fitted.save(&first).unwrap();
        let mut loaded = WaveFitter::load(&first).unwrap();
        let values = |fitted: &mut WaveFitter| fitted.predict(signal.points(), &pool).unwrap();
        assert_eq!(values(&mut loaded), values(&mut fitted), "{}", model.name());
        assert_eq!((loaded.model(), loaded.options()), (&model, fitted.options()));
        assert!(loaded.axes().eq(["x", "t"]) && loaded.channels().eq(["y"]));
        assert_eq!(
            loaded.evaluate(&signal, &split, &pool).unwrap(),
            fitted.evaluate(&signal, &split, &pool).unwrap()
        );
        loaded.save(&again).unwrap();
        assert_eq!(files(&first), files(&again), "{}", model.name());
        let repeated = WaveFitter::fit(&signal, &split, &model, &steps(3), &Pool::new(1)).unwrap();
        repeated.save(&again).unwrap();
        assert_eq!(files(&first), files(&again), "{}", model.name());
    }
}

/// Each change of a description is refused, with the file and what is wrong.
#[test]
fn descriptions_that_make_no_sense_are_refused() {
    let (signal, split) = packet();
    let place = tempfile::tempdir().unwrap();
    let siren = &small_models().into_iter().find(|model| model.name() == "siren").unwrap();
    WaveFitter::fit(&signal, &split, siren, &steps(1), &Pool::new(1)).unwrap().save(place.path()).unwrap();
    let path = place.path().join("model.toml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let refused = |text: &str| {
        std::fs::write(&path, text).unwrap();
        WaveFitter::load(place.path()).err().map_or("loaded".into(), |error| {
            error.to_string().replace(&place.path().display().to_string(), "")
        })
    };
    let width = whole.lines().find(|line| line.starts_with("width")).unwrap();
    let mut messages = Vec::new();
    for (from, to) in [
        ("", ""),
        ("format = 1", "format = 2"),
        ("kind = \"siren\"", "kind = \"sirens\""),
        (width, "width = 60000"),
        (width, "width = 0"),
        (width, "width = 3"),
        ("w0 = 30.0", "w0 = nan"),
        ("loss = \"mse\"", "loss = \"mse\"\nmore = 1"),
        ("scale = 2.0", "scale = 0.0"),
        ("name = \"x\"", "name = \"z\""),
        ("precision = \"f32\"", "precision = \"int8\""),
        ("[[channels]]", "[[axes]]"),
    ] {
        assert!(whole.contains(from), "there is no `{from}` in {whole}");
        messages.push(format!("{to:?}: {}", refused(&whole.replacen(from, to, 1))));
    }
    messages.push(format!("cut: {}", refused(&whole[..whole.len() - 4])));
    std::fs::write(&path, &whole).unwrap();
    std::fs::write(place.path().join("weights.safetensors"), [0; 600]).unwrap();
    messages.push(format!("zeros: {}", refused(&whole)));
    std::fs::remove_file(&path).unwrap();
    messages.push(
        format!("none: {}", WaveFitter::load(place.path()).err().unwrap())
            .replace(&place.path().display().to_string(), ""),
    );
    insta::assert_snapshot!(messages.join("\n"));
}
