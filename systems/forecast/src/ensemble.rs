//! Forecasts of several fitted models combined to one.

use bessemer_plan::Pool;
use bessemer_study::Ensemble;

use crate::error::{Error, Result};
use crate::forecaster::Forecaster;
use crate::frame::Frame;
use crate::write::SeriesPredictions;

/// Forecasts the steps after the end of every series of a frame with each member, `batch` series at a time as
/// [`Forecaster::predict_batches`] does, and combines them step by step. Members have names, by which errors tell
/// them apart; they have one horizon and one frequency, and each its own lookback and scaling.
///
/// ```
/// use bessemer_forecast::{FitOptions, Forecaster, Model, air_passengers, predict_ensemble};
/// use bessemer_plan::Pool;
/// use bessemer_study::Ensemble;
///
/// let (frame, pool) = (air_passengers::frame(), Pool::new(1));
/// let mut members = Vec::new();
/// for (name, lookback) in [("nlinear", 24), ("dlinear", 36)] {
///     let mut options = FitOptions::new(12, lookback);
///     options.train.steps = 20;
///     let fitted = Forecaster::fit(&frame, &Model::by_name(name)?, &options, &pool)?;
///     members.push((name.to_string(), fitted));
/// }
/// let forecasts = predict_ensemble(&members, &Ensemble::Mean, &frame, 1, &pool)?;
/// assert_eq!(forecasts[0].values[0].len(), 12);
/// # Ok::<(), bessemer_forecast::Error>(())
/// ```
///
/// # Errors
/// If there is no member, horizons differ, there are more or fewer weights than members, or as
/// [`Forecaster::predict_batches`] for any of them.
pub fn predict_ensemble(
    members: &[(String, Forecaster)],
    ensemble: &Ensemble,
    frame: &Frame,
    batch: usize,
    pool: &Pool,
) -> Result<Vec<SeriesPredictions>> {
    if let Some((first, others)) = members.split_first() {
        let expected = first.1.options().horizon;
        let other = others.iter().find(|(_, forecaster)| forecaster.options().horizon != expected);
        if let Some((member, forecaster)) = other {
            let (member, first) = (member.clone(), first.0.clone());
            let horizon = forecaster.options().horizon;
            return Err(Error::OtherHorizon { member, horizon, first, expected });
        }
    }
    let forecast = |(name, forecaster): &(String, Forecaster)| {
        let of_member = |error| Error::Member { member: name.clone(), source: Box::new(error) };
        forecaster.predict_batches(frame, batch, pool).map_err(of_member)
    };
    let forecasts = members.iter().map(forecast).collect::<Result<Vec<_>>>()?;
    let combine = |place: usize| {
        let values: Vec<&[f32]> = forecasts.iter().map(|member| &*member[place].values[0]).collect();
        let combined = ensemble.combine(&values)?;
        let series = &frame.series[place];
        // All go on from the same row.
        let start = forecasts[0][place].start;
        Ok(SeriesPredictions { id: series.id.clone(), cutoff: None, start, values: vec![combined] })
    };
    // Without members there is nothing to go through, and an error all the same.
    ensemble.combine(&vec![[].as_slice(); members.len()])?;
    (0..frame.series.len()).map(combine).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FitOptions, Frequency, Model, Series, air_passengers};

    fn member(name: &str, horizon: usize, lookback: usize, frame: &Frame) -> (String, Forecaster) {
        let mut options = FitOptions::new(horizon, lookback);
        options.train.steps = 10;
        let fitted = Forecaster::fit(frame, &Model::by_name(name).unwrap(), &options, &Pool::new(1)).unwrap();
        (format!("{name}-{lookback}"), fitted)
    }

    /// Two series.
    fn frame() -> Frame {
        let mut frame = air_passengers::frame();
        let whole = frame.series[0].clone();
        frame.series.push(Series::new("short", whole.start, whole.values()[..100].to_vec()));
        frame
    }

    #[test]
    fn members_forecasts_are_combined_step_by_step() {
        let (frame, pool) = (frame(), Pool::new(2));
        let mut members: Vec<_> = [("nlinear", 12), ("dlinear", 30), ("mlp", 24)]
            .map(|(name, lookback)| member(name, 6, lookback, &frame))
            .into();
        let alone: Vec<_> =
            members.iter_mut().map(|(_, member)| member.predict(&frame, &pool).unwrap()).collect();
        let mean = predict_ensemble(&members, &Ensemble::Mean, &frame, 1, &pool).unwrap();
        let median = predict_ensemble(&members, &Ensemble::Median, &frame, 1, &pool).unwrap();
        for (place, series) in frame.series.iter().enumerate() {
            assert_eq!((&mean[place].id, mean[place].start), (&series.id, alone[0][place].start));
            for step in 0..6 {
                let mut values: Vec<f32> = alone.iter().map(|member| member[place].values[0][step]).collect();
                values.sort_by(f32::total_cmp);
                let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
                assert_eq!(median[place].values[0][step], values[1]);
                assert!((f64::from(mean[place].values[0][step]) - sum / 3.0).abs() < 1e-4);
            }
        }
        let other_threads = predict_ensemble(&members, &Ensemble::Mean, &frame, 1, &Pool::new(1)).unwrap();
        assert_eq!(other_threads, mean);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let frame = frame();
        let mut members = vec![member("nlinear", 6, 12, &frame)];
        let refused = |members: &[(String, Forecaster)], frame: &Frame| {
            let pool = Pool::new(1);
            predict_ensemble(members, &Ensemble::Mean, frame, 1, &pool).unwrap_err().to_string()
        };
        assert!(refused(&[], &frame).contains("no members"));
        members.push(member("nlinear", 6, 36, &frame));
        let mut short = frame.clone();
        let whole = &frame.series[1];
        short.series[1] = Series::new("short", whole.start, whole.values()[..20].to_vec());
        assert_eq!(
            refused(&members, &short),
            "`nlinear-36`: series `short`: 20 rows, but lookback 36 needs at least 36; shorten the lookback or the \
             horizon, hold out fewer rows, or drop the series"
        );
        let mut quarterly = frame.clone();
        quarterly.frequency = Frequency::Months { count: 3, day: 1 };
        assert!(refused(&members, &quarterly).starts_with("`nlinear-12`: the rows follow each other"));
        members.push(member("mlp", 3, 12, &frame));
        assert_eq!(
            refused(&members, &frame),
            "`mlp-12` forecasts 3 steps, but `nlinear-12` 6; combine models of one horizon"
        );
    }
}
