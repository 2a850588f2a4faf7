//! Forecasts with dropout, again and again: how sure a model is.

use bessemer_plan::Pool;

use crate::error::{Error, Result};
use crate::forecaster::Forecaster;
use crate::frame::Frame;
use crate::last_window::LastWindow;
use crate::predictor::Predictor;
use crate::write::SeriesPredictions;

/// Passes that are made at a time.
const BATCH: usize = 64;
/// The most passes: their spread is known well before.
const PASSES_MAX: usize = 100_000;

impl Forecaster {
    /// The mean and the standard deviation of `passes` forecasts with dropout of every series of a frame
    /// (Gal and Ghahramani, "Dropout as a Bayesian approximation", 2016): two rows of values, in the unit of
    /// the series.
    ///
    /// What is dropped is a function of the seed, the place of the series in the frame, the pass and the
    /// position, so the first passes are the same however many there are. The deviation is that of what the
    /// model has learned, and lacks the noise of the series itself: it is no interval that future values
    /// keep to.
    ///
    /// # Errors
    /// As [`Forecaster::predict`], if the model has no dropout, or with fewer than 2 or more than 100,000
    /// passes.
    ///
    /// ```
    /// use bessemer_forecast::{FitOptions, Forecaster, Model, air_passengers};
    /// use bessemer_plan::Pool;
    ///
    /// let (frame, pool) = (air_passengers::frame(), Pool::new(1));
    /// let mut options = FitOptions::new(12, 24);
    /// options.train.steps = 20;
    /// let patchtst = Forecaster::fit(&frame, &Model::by_name("patchtst")?, &options, &pool)?;
    /// let values = &patchtst.predict_samples(&frame, 50, 1, &pool)?[0].values;
    /// let (mean, deviation) = (&values[0], &values[1]);
    /// assert!(mean[0] > 0.0 && deviation[0] > 0.0);
    /// # Ok::<(), bessemer_forecast::Error>(())
    /// ```
    pub fn predict_samples(
        &self,
        frame: &Frame,
        passes: usize,
        seed: u64,
        pool: &Pool,
    ) -> Result<Vec<SeriesPredictions>> {
        if passes < 2 {
            return Err(Error::TooSmall { what: "samples", value: passes, minimum: 2 });
        }
        if passes > PASSES_MAX {
            let problem = format!("{passes} is more than {PASSES_MAX}");
            return Err(Error::Option { what: "samples", problem, remedy: "take fewer" });
        }
        self.check_frequency(frame)?;
        let horizon = self.options.horizon;
        let mut predictor = Predictor::with_dropout(&self.model, &self.options, BATCH)?;
        let mut predictions = Vec::with_capacity(frame.series.len());
        for (place, series) in frame.series.iter().enumerate() {
            let LastWindow { start, scaler, mut lags } = self.last_window(frame, series)?;
            let window = self.scale_lags(scaler, &mut lags);
            let lags = lags.repeat(BATCH);
            let mut spread = Spread::new(horizon);
            for first in (0..passes).step_by(BATCH) {
                let step = (place as u64) << 32 | (first / BATCH) as u64;
                let forecasts = predictor.run_at(pool, &self.parameters, &lags, seed, step)?;
                for forecast in forecasts.chunks_exact(horizon).take(passes - first) {
                    let mut forecast = forecast.to_vec();
                    window.inverse(&mut forecast);
                    scaler.inverse(&mut forecast);
                    spread.add(&forecast);
                }
            }
            let (id, values) = (series.id.clone(), spread.mean_and_deviation().into());
            predictions.push(SeriesPredictions { id, cutoff: None, start, values });
        }
        Ok(predictions)
    }
}

/// Means and sums of squared distances from them, value by value (Welford, 1962).
struct Spread {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Spread {
    fn new(len: usize) -> Spread {
        Spread { count: 0.0, mean: vec![0.0; len], squares: vec![0.0; len] }
    }

    fn add(&mut self, values: &[f32]) {
        self.count += 1.0;
        for ((mean, squares), value) in self.mean.iter_mut().zip(&mut self.squares).zip(values) {
            let before = f64::from(*value) - *mean;
            *mean += before / self.count;
            *squares += before * (f64::from(*value) - *mean);
        }
    }

    fn mean_and_deviation(&self) -> [Vec<f32>; 2] {
        let deviation = |squares: &f64| (squares / (self.count - 1.0)).sqrt() as f32;
        [self.mean.iter().map(|mean| *mean as f32).collect(), self.squares.iter().map(deviation).collect()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Model, PatchTst};
    use crate::options::FitOptions;
    use crate::{Series, air_passengers};

    fn frame() -> Frame {
        let mut frame = air_passengers::frame();
        let whole = frame.series[0].clone();
        frame.series.push(Series::new("same", whole.start, whole.values().to_vec()));
        frame
    }

    fn fitted(dropout: f32) -> Forecaster {
        let model = Model::PatchTst(PatchTst { dropout, ..PatchTst::PAPER });
        let mut options = FitOptions::new(6, 24);
        options.train.steps = 20;
        Forecaster::fit(&frame(), &model, &options, &Pool::new(2)).unwrap()
    }

    #[test]
    fn spread_is_the_standard_deviation() {
        let mut spread = Spread::new(2);
        [[1.0, 5.0], [3.0, 5.0], [8.0, 5.0]].iter().for_each(|values| spread.add(values));
        assert_eq!(spread.mean_and_deviation(), [vec![4.0, 5.0], vec![13f32.sqrt(), 0.0]]);
    }

    #[test]
    fn samples_are_functions_of_the_seed_and_the_place() {
        let (frame, forecaster) = (frame(), fitted(0.3));
        let samples = |passes, seed, threads| {
            forecaster.predict_samples(&frame, passes, seed, &Pool::new(threads)).unwrap()
        };
        let one = samples(70, 1, 1);
        assert_eq!(samples(70, 1, 3), one);
        assert_ne!(samples(70, 2, 1)[0].values, one[0].values);
        assert_ne!(samples(64, 1, 1)[0].values, one[0].values);
        assert_ne!(one[0].values, one[1].values, "two series with the same values drop alike");
        // The spread of a few samples and of many is the same, within the error of such an estimate.
        let many = samples(1000, 1, 2);
        for (few, many) in one[0].values[1].iter().zip(&many[0].values[1]) {
            assert!((0.6..1.6).contains(&(few / many)) && *many > 0.0, "{few} {many}");
        }
    }

    /// With hardly any dropout, samples are the forecast without it: batch statistics are those that were
    /// learned, not those of the samples.
    #[test]
    fn only_dropout_is_as_in_training() {
        let frame = frame();
        let mut forecaster = fitted(0.3);
        let plain = forecaster.predict(&frame, &Pool::new(1)).unwrap();
        forecaster.model = Model::PatchTst(PatchTst { dropout: 1e-7, ..PatchTst::PAPER });
        let samples = forecaster.predict_samples(&frame, 10, 1, &Pool::new(1)).unwrap();
        for (sample, plain) in samples.iter().zip(&plain) {
            for (mean, value) in sample.values[0].iter().zip(&plain.values[0]) {
                assert!((mean / value - 1.0).abs() < 1e-4, "{mean} {value}");
            }
        }
    }

    #[test]
    fn models_without_dropout_and_numbers_of_samples_that_make_no_sense_are_refused() {
        let (frame, pool) = (frame(), Pool::new(1));
        let mut options = FitOptions::new(6, 24);
        options.train.steps = 1;
        let refused = |forecaster: &Forecaster, passes| {
            forecaster.predict_samples(&frame, passes, 1, &pool).unwrap_err().to_string()
        };
        for model in ["mlp", "nhits", "nlinear", "dlinear"] {
            let model = Model::by_name(model).unwrap();
            let forecaster = Forecaster::fit(&frame, &model, &options, &pool).unwrap();
            assert!(
                refused(&forecaster, 9).starts_with(&format!("model `{}`: it has no dropout", model.name()))
            );
        }
        assert!(refused(&fitted(0.0), 9).starts_with("model `patchtst`: it has no dropout"));
        let forecaster = fitted(0.3);
        assert_eq!(refused(&forecaster, 1), "samples is 1; it must be at least 2");
        assert!(refused(&forecaster, usize::MAX).contains("is more than 100000"));
    }
}
