//! Forecasts of many series at a time.

use bessemer_plan::Pool;

use crate::error::{Error, Result};
use crate::forecaster::Forecaster;
use crate::frame::Frame;
use crate::last_window::LastWindow;
use crate::predictor::Predictor;
use crate::write::SeriesPredictions;

impl Forecaster {
    /// [`Forecaster::predict`] of `batch` series at a time, which is faster where there are many.
    ///
    /// Products of one row are summed in another order than those of many, so last digits may differ from
    /// forecasts one by one. They don't depend on which other series there are, nor on the number of threads.
    ///
    /// # Errors
    /// As [`Forecaster::predict`], and if `batch` is 0.
    ///
    /// ```
    /// use bessemer_forecast::{FitOptions, Forecaster, Model, air_passengers};
    /// use bessemer_plan::Pool;
    ///
    /// let (frame, pool) = (air_passengers::frame(), Pool::new(1));
    /// let mut options = FitOptions::new(12, 24);
    /// options.train.steps = 50;
    /// let forecaster = Forecaster::fit(&frame, &Model::by_name("nlinear")?, &options, &pool)?;
    /// let forecasts = forecaster.predict_batches(&frame, 64, &pool)?;
    /// assert_eq!(forecasts[0].values[0].len(), 12);
    /// # Ok::<(), bessemer_forecast::Error>(())
    /// ```
    pub fn predict_batches(
        &self,
        frame: &Frame,
        batch: usize,
        pool: &Pool,
    ) -> Result<Vec<SeriesPredictions>> {
        if batch == 0 {
            return Err(Error::TooSmall { what: "batch", value: 0, minimum: 1 });
        }
        self.check_frequency(frame)?;
        let (lookback, horizon) = (self.options.lookback, self.options.horizon);
        // Every batch is of one size, so that a forecast doesn't depend on how many series there are: a short
        // one is filled up with zeros.
        let batch = batch.min(SERIES_MAX);
        let mut predictor = Predictor::new(&self.model, &self.options, batch)?;
        let mut lags = vec![0.0; batch * lookback];
        let mut predictions = Vec::with_capacity(frame.series.len());
        let mut scalers = Vec::with_capacity(batch);
        for some in frame.series.chunks(batch) {
            scalers.clear();
            lags.fill(0.0);
            for (series, place) in some.iter().zip(lags.chunks_exact_mut(lookback)) {
                let LastWindow { start, scaler, lags } = self.last_window(frame, series)?;
                place.copy_from_slice(&lags);
                scalers.push((start, scaler, self.scale_lags(scaler, place)));
            }
            let forecasts = predictor.run(pool, &self.parameters, &lags)?.chunks_exact(horizon);
            for ((series, (start, scaler, window)), forecast) in some.iter().zip(&scalers).zip(forecasts) {
                let mut forecast = forecast.to_vec();
                window.inverse(&mut forecast);
                scaler.inverse(&mut forecast);
                let (id, start) = (series.id.clone(), *start);
                predictions.push(SeriesPredictions { id, cutoff: None, start, values: vec![forecast] });
            }
        }
        Ok(predictions)
    }
}

/// More at a time gain nothing.
const SERIES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Model;
    use crate::options::FitOptions;
    use crate::{Series, air_passengers};

    /// Stretches of the built-in series, of several lengths and with gaps.
    fn frame() -> Frame {
        let mut frame = air_passengers::frame();
        let whole = frame.series[0].clone();
        frame.series = (0..11)
            .map(|n| {
                let mut values = whole.values()[n..144 - 3 * n].to_vec();
                if n % 4 == 1 {
                    values[100] = f32::NAN;
                }
                Series::new(format!("s{n}"), whole.start, values)
            })
            .collect();
        frame
    }

    fn fitted(model: &str, frame: &Frame) -> Forecaster {
        let mut options = FitOptions::new(6, 24);
        options.train.steps = 20;
        Forecaster::fit(frame, &Model::by_name(model).unwrap(), &options, &Pool::new(2)).unwrap()
    }

    #[test]
    fn forecasts_are_those_of_one_by_one_but_for_the_order_of_sums() {
        let (frame, pool) = (frame(), Pool::new(2));
        for model in Model::NAMES {
            let mut forecaster = fitted(model, &frame);
            let one_by_one = forecaster.predict(&frame, &pool).unwrap();
            // A batch of one is the same plan, and gives the same bits.
            assert_eq!(forecaster.predict_batches(&frame, 1, &pool).unwrap(), one_by_one, "{model}");
            for batch in [4, 64] {
                let batched = forecaster.predict_batches(&frame, batch, &pool).unwrap();
                assert_eq!(batched.len(), one_by_one.len());
                for (a, b) in batched.iter().zip(&one_by_one) {
                    assert_eq!((&a.id, a.start), (&b.id, b.start));
                    // The order of sums of a few hundred products in f32.
                    let close = |(x, y): (&f32, &f32)| (x - y).abs() <= 1e-5 * y.abs();
                    assert!(a.values[0].iter().zip(&b.values[0]).all(close), "{model}: {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn a_forecast_does_not_depend_on_the_other_series_or_on_threads() {
        let frame = frame();
        let mut some = frame.clone();
        some.series = [7, 2, 9].map(|n| frame.series[n].clone()).into();
        for model in Model::NAMES {
            let forecaster = fitted(model, &frame);
            let all = forecaster.predict_batches(&frame, 4, &Pool::new(1)).unwrap();
            assert_eq!(forecaster.predict_batches(&frame, 4, &Pool::new(3)).unwrap(), all, "{model}");
            let some = forecaster.predict_batches(&some, 4, &Pool::new(1)).unwrap();
            for (forecast, n) in some.iter().zip([7, 2, 9]) {
                assert_eq!(*forecast, all[n], "{model}");
            }
        }
    }

    #[test]
    fn what_cannot_be_forecast_is_refused() {
        let frame = frame();
        let forecaster = fitted("nlinear", &frame);
        let refused = |frame: &Frame, batch| {
            forecaster.predict_batches(frame, batch, &Pool::new(1)).unwrap_err().to_string()
        };
        assert_eq!(refused(&frame, 0), "batch is 0; it must be at least 1");
        let mut short = frame.clone();
        short.series[3] = Series::new("s3", 0, vec![1.0; 23]);
        assert!(refused(&short, 4).contains("series `s3`: 23 rows, but lookback 24 needs at least 24"));
        short.series[3] = Series::new("other", 0, vec![1.0; 24]);
        assert!(refused(&short, 4).contains("series `other` was not in the data"));
    }
}
