//! Baselines and metrics against the M4 competition's published scores (Makridakis, Spiliotis and
//! Assimakopoulos, "The M4 Competition", 2020).

use bessemer_forecast::{History, baselines, metrics};

use crate::read_data;

type Baseline = fn(History<'_>, usize, usize) -> Option<Vec<f32>>;

#[test]
fn baselines_score_what_was_published() {
    let naive: Baseline = |history, _, horizon| baselines::naive(history, horizon);
    let seasonal: Baseline = baselines::seasonal_naive;
    // Horizon, season, sMAPE and MASE.
    for (train, test, baseline, horizon, season, smape, mase) in [
        ("m4/Hourly-train.csv", "m4/Hourly-test.csv", seasonal, 48, 24, 13.912, 1.193),
        ("m4/yearly-train.parquet", "m4/yearly-test.parquet", naive, 6, 1, 16.342, 3.974),
    ] {
        let (Some(train), Some(test)) = (read_data(train), read_data(test)) else { return };
        assert_eq!(train.series.len(), test.series.len());
        let (mut smape_sum, mut mase_sum) = (0.0, 0.0);
        for (past, future) in train.series.iter().zip(&test.series) {
            assert_eq!((&past.id, horizon), (&future.id, future.len()));
            let forecast = baseline(past.history(), season, horizon).unwrap();
            let errors = metrics::errors(future.values(), &forecast, None);
            let scale = metrics::mase_scale(past.history(), season).unwrap();
            smape_sum += errors.smape().unwrap();
            mase_sum += errors.mase(scale).unwrap();
        }
        let count = train.series.len() as f64;
        let found = (smape_sum / count, mase_sum / count);
        assert!((found.0 - smape).abs() < 0.000_6, "sMAPE {found:?} is not {smape}");
        assert!((found.1 - mase).abs() < 0.000_6, "MASE {found:?} is not {mase}");
    }
}
