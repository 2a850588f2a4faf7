//! The description in a saved model's folder, `model.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use bessemer_forecast::{FitOptions, Forecaster, Frame, Frequency, Model, Series, TimeKind};
use bessemer_nn::Trace;
use bessemer_plan::{Parameters, Pool};
use bessemer_train::weights;
use serde::Deserialize;

/// Lags and steps up to which a forecast is made.
const LENGTH: usize = 512;
/// Numbers up to which weights are made, and up to which a forecast is computed.
const NUMBERS: usize = 1 << 18;

/// What is said of a folder with this description, and weights that go with it unless they would be large.
/// Where it is a model, it forecasts.
pub fn read(text: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("model.toml"), text).expect("a file");
    let is_small = write_weights(folder.path(), text).is_some();
    let mut forecaster =
        Forecaster::load(folder.path()).map_err(|error| error.to_string().replace(&place(&folder), ""))?;
    assert!(forecaster.parameter_count() > 0);
    if is_small {
        let frame = frame(text, forecaster.options()).expect("it was read");
        if let Ok(forecasts) = forecaster.predict(&frame, &Pool::new(1)) {
            let horizon = forecaster.options().horizon;
            assert!(forecasts.iter().all(|forecast| forecast.values[0].len() == horizon));
        }
    }
    Ok(())
}

/// Zeros for the model that is described, if it is small enough.
fn write_weights(folder: &Path, text: &[u8]) -> Option<()> {
    let path = folder.join("weights.safetensors");
    // What is refused is refused for its settings, not as there is no such file.
    std::fs::write(&path, [0; 100]).expect("a file");
    let mut table: toml::Table = std::str::from_utf8(text).ok()?.parse().ok()?;
    let model: Model = table.remove("model")?.try_into().ok()?;
    let options: FitOptions = table.remove("fit")?.try_into().ok()?;
    let (lookback, horizon) = (options.lookback, options.horizon);
    let lengths = 1..=LENGTH;
    if !(lengths.contains(&lookback) && lengths.contains(&horizon) && lengths.contains(&options.windows)) {
        return None;
    }
    if model.network().check(lookback, horizon).is_some() {
        return None;
    }
    let mut t = Trace::new(1, 1, false);
    let lags = t.input("lags", &[lookback]);
    model.network().forward(&mut t, lags, horizon).ok()?;
    let numbers: usize = t.graph.types().iter().map(|ty| ty.len()).sum();
    if numbers > NUMBERS {
        return None;
    }
    let parameters = Parameters::new(t.graph.parameters());
    let stamp = BTreeMap::from([("model.toml".to_string(), weights::fingerprint(text))]);
    weights::save(&path, &parameters, &[], stamp).expect("weights are written");
    Some(())
}

/// A rising series of the frequency that the model was fitted at.
fn frame(text: &[u8], options: &FitOptions) -> Option<Frame> {
    #[derive(Deserialize)]
    struct Described {
        frequency: String,
        series: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let described: Described = toml::from_str(std::str::from_utf8(text).ok()?).ok()?;
    let monthly = Frequency::Months { count: 1, day: 1 };
    let id = described.series.first().map_or(String::new(), |series| series.id.clone());
    let values = (0..options.lookback).map(|row| row as f32).collect();
    Some(Frame {
        series: vec![Series::new(id, 0, values)],
        frequency: described.frequency.parse().unwrap_or(monthly),
        time: TimeKind::detect("1949-01-01")?.0,
        notes: Vec::new(),
    })
}

/// Where the file is, which no message is compared by.
fn place(folder: &tempfile::TempDir) -> String {
    folder.path().display().to_string()
}
