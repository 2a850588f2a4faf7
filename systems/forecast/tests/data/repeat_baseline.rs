//! The harness against published numbers: "Repeat", which forecasts the last value of the lookback, needs
//! no training, so that split, scaling, windows and metrics alone decide its score (Zeng et al., 2023,
//! table 2).

use bessemer_forecast::metrics::Errors;
use bessemer_forecast::{ScalerKind, Split, WindowIndex, WindowOptions, baselines, fit_scalers, scale_frame};

use crate::read_data;

const LOOKBACK: usize = 336;

/// (MSE, MAE) of all test windows, and of those left when the last incomplete batch of 32 is dropped.
fn score(name: &str, horizon: usize) -> Option<([f64; 2], [f64; 2])> {
    let mut frame = read_data(name)?;
    let splits = Split::ltsf(&frame);
    let train: Vec<_> = splits.iter().map(|split| split.train.clone()).collect();
    let test: Vec<_> = splits.iter().map(|split| split.test.clone()).collect();
    let scalers = fit_scalers(ScalerKind::Standard, &frame, &train).unwrap();
    scale_frame(&mut frame, &scalers).unwrap();
    let options = WindowOptions { lookback: LOOKBACK, horizon, ..WindowOptions::default() };
    let index = WindowIndex::new(&frame, &test, &options).unwrap();

    let (mut all, mut full_batches) = (Errors::default(), Errors::default());
    let (mut x, mut y, mut mask) = (vec![0.0; LOOKBACK], vec![0.0; horizon], vec![0.0; horizon]);
    for series in 0..frame.series.len() {
        let windows = index.of_series(series);
        let kept = windows.start + windows.len() / 32 * 32;
        for number in windows {
            index.gather(&frame, &[number], &mut x, &mut y, &mut mask);
            let forecast = baselines::naive(bessemer_forecast::History::complete(&x), horizon).unwrap();
            all.add(&y, &forecast, Some(&mask));
            if number < kept {
                full_batches.add(&y, &forecast, Some(&mask));
            }
        }
    }
    let pair = |errors: Errors| [errors.mse().unwrap(), errors.mae().unwrap()];
    Some((pair(all), pair(full_batches)))
}

#[test]
fn repeat_reproduces_the_published_table() {
    // File, horizon, published MSE and MAE (last batch dropped), and the same over all windows where the
    // third decimal differs.
    let table = [
        ("ett/ETTh1.csv", 96, [1.295, 0.713], [1.294, 0.713]),
        ("ett/ETTh1.csv", 192, [1.325, 0.733], [1.325, 0.733]),
        ("ett/ETTh1.csv", 336, [1.323, 0.744], [1.330, 0.746]),
        ("ett/ETTh1.csv", 720, [1.339, 0.756], [1.335, 0.755]),
        ("ett/ETTh2.csv", 96, [0.432, 0.422], [0.432, 0.422]),
        ("ett/ETTh2.csv", 192, [0.534, 0.473], [0.534, 0.473]),
        ("ett/ETTh2.csv", 336, [0.591, 0.508], [0.597, 0.511]),
        ("ett/ETTh2.csv", 720, [0.588, 0.517], [0.594, 0.519]),
        ("ett/ETTm1.csv", 96, [1.214, 0.665], [1.214, 0.665]),
        ("ett/ETTm1.csv", 336, [1.283, 0.707], [1.287, 0.707]),
    ];
    for (name, horizon, published, honest) in table {
        let Some((all, full_batches)) = score(name, horizon) else { return };
        for metric in 0..2 {
            let close = |found: f64, expected: f64| (found - expected).abs() <= 0.000_5 + 1e-6;
            assert!(
                close(full_batches[metric], published[metric]),
                "{name} {horizon}: {full_batches:?}, {published:?}"
            );
            assert!(
                close(all[metric], honest[metric]),
                "{name} {horizon}: {all:?}, {honest:?} with all windows"
            );
        }
    }
}
