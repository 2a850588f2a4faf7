//! Scores over several folds in the order of time.

use bessemer_study::{Combination, Ensemble, Jobs, Spread};
use serde::Serialize;

use crate::backtest::{Backtest, Baseline, Score, backtest};
use crate::contender::Contender;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::split::Split;

/// Errors on one fold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoldScore {
    /// Mean squared error.
    pub mse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Symmetric mean absolute percentage error, 0 to 200.
    pub smape: f64,
    /// Mean absolute error beside that of the seasonal naive forecast within the training rows.
    pub mase: Option<f64>,
    /// Time to fit, on one thread.
    pub seconds_fit: f64,
    /// An ensemble's fitted weights, in the order of the models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Vec<f64>>,
}

/// Scores of one model, baseline or ensemble over all folds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrossScore {
    /// Its name.
    pub name: String,
    /// Whether it needs no training.
    pub baseline: bool,
    /// Mean squared error.
    pub mse: Spread,
    /// Mean absolute error.
    pub mae: Spread,
    /// Symmetric mean absolute percentage error, 0 to 200.
    pub smape: Spread,
    /// Mean absolute error beside the seasonal naive forecast's, over the folds where that is defined.
    pub mase: Option<Spread>,
    /// Numbers learned.
    pub parameters: usize,
    /// The errors on each fold, earliest first.
    pub folds: Vec<FoldScore>,
}

/// What a cross-validation found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrossValidation {
    /// Windows scored in each fold, earliest first.
    pub windows: Vec<usize>,
    /// Models in their order, then the ensemble if there is one, then baselines.
    pub models: Vec<CrossScore>,
}

/// Fits and scores models on several folds, a model and a fold on each core, beside every baseline.
///
/// `contenders` has, for each fold, the same models in the same order, all of one lookback and horizon. An
/// ensemble of all of them is scored too if it is asked for; weights are fitted on the validation rows of each
/// fold, which needs some.
///
/// # Errors
/// Where a series has too few rows for a window, a training fails, or all are stopped.
///
/// ```
/// use bessemer_forecast::{Contender, FitOptions, Model, ScalerKind, Split, air_passengers, cross_validate};
/// use bessemer_plan::Pool;
/// use bessemer_study::{Combination, Jobs, TimeSeriesFolds};
///
/// let frame = air_passengers::frame();
/// let folds = Split::time_series(&frame, &TimeSeriesFolds::new(3, 12), &|_| 0)?;
/// let mut options = FitOptions::new(12, 24);
/// options.window_scaler = ScalerKind::Standard;
/// options.train.steps = 200;
/// let contender = |name| Model::by_name(name).map(|model| Contender { model, options: options.clone() });
/// let contenders = vec![vec![contender("nlinear")?, contender("dlinear")?]; folds.len()];
/// let pool = Pool::new(2); // two trainings at a time; the result is the same for any number
/// let scores = cross_validate(&frame, &folds, &contenders, Some(Combination::Mean), &Jobs::new(&pool))?;
/// assert_eq!(scores.models[2].name, "ensemble-mean");
/// assert!(scores.models[2].mae.mean < scores.models.last().unwrap().mae.mean); // the mean of the window
/// # Ok::<(), bessemer_forecast::Error>(())
/// ```
pub fn cross_validate(
    frame: &Frame,
    folds: &[Vec<Split>],
    contenders: &[Vec<Contender>],
    ensemble: Option<Combination>,
    jobs: &Jobs,
) -> Result<CrossValidation> {
    let Some(first) = contenders.first().and_then(|of_fold| of_fold.first()) else {
        return Err(Error::TooSmall { what: "the number of models", value: 0, minimum: 1 });
    };
    if contenders.len() != folds.len() {
        let problem = format!("lists for {} folds where there are {}", contenders.len(), folds.len());
        return Err(Error::Option { what: "contenders", problem, remedy: "give a list for each fold" });
    }
    let shape = (first.options.lookback, first.options.horizon);
    let names = |all: &[Contender]| all.iter().map(|c| c.model.name()).collect::<Vec<_>>();
    for all in contenders {
        let alike = all.iter().all(|c| (c.options.lookback, c.options.horizon) == shape);
        if !alike || names(all) != names(&contenders[0]) {
            let problem = "models, lookbacks or horizons differ from fold to fold or model to model".into();
            return Err(Error::Option { what: "contenders", problem, remedy: "take the same throughout" });
        }
    }
    let weighs = ensemble == Some(Combination::Weights);
    let stages = folds.iter().map(|splits| Stage::new(frame, splits, shape, weighs));
    let stages = stages.collect::<Result<Vec<Stage>>>()?;

    let trainings: Vec<(usize, &Contender)> =
        contenders.iter().enumerate().flat_map(|(fold, all)| all.iter().map(move |c| (fold, c))).collect();
    let members = jobs.run(&trainings, |(fold, contender), job| {
        let forecaster = contender.fit(frame, &folds[*fold], job)?;
        let stage = &stages[*fold];
        let score = stage.test.score(&forecaster, &job.pool)?;
        let on_test = match ensemble {
            Some(_) => stage.test.forecasts(&forecaster, &job.pool)?,
            None => Vec::new(),
        };
        let on_validation = match &stage.validation {
            Some(validation) => validation.forecasts(&forecaster, &job.pool)?,
            None => Vec::new(),
        };
        Ok::<Member, Error>(Member { score, on_test, on_validation })
    })?;
    let members: Vec<&[Member]> = members.chunks(contenders[0].len()).collect();

    // What is left takes no training.
    let quiet = Jobs { finished: &|_, _| {}, ..*jobs };
    let numbers: Vec<usize> = (0..folds.len()).collect();
    let by_fold = quiet.run(&numbers, |fold, _| {
        let mut scores: Vec<(Score, Option<Vec<f64>>)> =
            members[*fold].iter().map(|member| (member.score.clone(), None)).collect();
        if let Some(combination) = ensemble {
            scores.push(stages[*fold].score_ensemble(combination, members[*fold])?);
        }
        scores.extend(Baseline::ALL.map(|baseline| (stages[*fold].test.score_baseline(baseline), None)));
        Ok::<_, Error>(scores)
    })?;
    let models = (0..by_fold[0].len()).map(|place| {
        let folds: Vec<_> = by_fold.iter().map(|scores| scores[place].clone()).collect();
        CrossScore::of(&folds)
    });
    Ok(CrossValidation {
        windows: stages.iter().map(|stage| stage.test.windows).collect(),
        models: models.collect(),
    })
}

/// What a trained model gave on one fold.
struct Member {
    score: Score,
    /// Forecasts for an ensemble; empty where there is none.
    on_test: Vec<f32>,
    /// Likewise, where it has weights.
    on_validation: Vec<f32>,
}

/// The windows of one fold.
struct Stage {
    test: Backtest,
    /// Where weights are fitted.
    validation: Option<Backtest>,
}

impl Stage {
    fn new(
        frame: &Frame,
        splits: &[Split],
        (lookback, horizon): (usize, usize),
        weighs: bool,
    ) -> Result<Stage> {
        let test = backtest(frame, splits, lookback, horizon, false, None)?;
        let validation = || backtest(frame, &on_validation(splits), lookback, horizon, false, None);
        Ok(Stage { test, validation: weighs.then(validation).transpose()? })
    }

    fn score_ensemble(
        &self,
        combination: Combination,
        members: &[Member],
    ) -> Result<(Score, Option<Vec<f64>>)> {
        let on_validation: Vec<&[f32]> = members.iter().map(|member| &member.on_validation[..]).collect();
        let (ensemble, name) = match (&self.validation, combination) {
            (Some(validation), _) => {
                let (targets, observed) = validation.targets();
                (Ensemble::fit(combination, &on_validation, &targets, Some(&observed))?, "ensemble-weights")
            }
            (None, Combination::Median) => (Ensemble::Median, "ensemble-median"),
            (None, _) => (Ensemble::Mean, "ensemble-mean"),
        };
        let on_test: Vec<&[f32]> = members.iter().map(|member| &member.on_test[..]).collect();
        let mut score = self.test.score_forecasts(name, &ensemble.combine(&on_test)?);
        score.seconds_fit = members.iter().map(|member| member.score.seconds_fit).sum();
        score.parameters = members.iter().map(|member| member.score.parameters).sum();
        let weights = if let Ensemble::Weights(weights) = ensemble { Some(weights) } else { None };
        Ok((score, weights))
    }
}

/// The same splits with the validation rows as those that are scored on.
pub(crate) fn on_validation(splits: &[Split]) -> Vec<Split> {
    splits.iter().map(|split| Split { test: split.validation.clone(), ..split.clone() }).collect()
}

impl CrossScore {
    fn of(folds: &[(Score, Option<Vec<f64>>)]) -> CrossScore {
        let spread = |of: fn(&Score) -> f64| {
            Spread::of(&folds.iter().map(|(score, _)| of(score)).collect::<Vec<f64>>())
        };
        let mases: Vec<f64> = folds.iter().filter_map(|(score, _)| score.mase).collect();
        let (first, _) = &folds[0];
        let fold = |(score, weights): &(Score, Option<Vec<f64>>)| FoldScore {
            mse: score.mse,
            mae: score.mae,
            smape: score.smape,
            mase: score.mase,
            seconds_fit: score.seconds_fit,
            weights: weights.clone(),
        };
        CrossScore {
            name: first.name.clone(),
            baseline: first.baseline,
            mse: spread(|score| score.mse),
            mae: spread(|score| score.mae),
            smape: spread(|score| score.smape),
            mase: (!mases.is_empty()).then(|| Spread::of(&mases)),
            parameters: first.parameters,
            folds: folds.iter().map(fold).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use bessemer_plan::Pool;
    use bessemer_study::TimeSeriesFolds;

    use super::*;
    use crate::air_passengers;
    use crate::forecaster::Forecaster;
    use crate::models::Model;
    use crate::options::FitOptions;

    const DIVISION: TimeSeriesFolds = TimeSeriesFolds { folds: 3, test: 14, step: 10, gap: 2, train: None };

    fn contenders(names: &[&str]) -> Vec<Vec<Contender>> {
        let mut options = FitOptions::new(12, 24);
        options.train.steps = 30;
        let contender =
            |name: &&str| Contender { model: Model::by_name(name).unwrap(), options: options.clone() };
        vec![names.iter().map(contender).collect(); DIVISION.folds]
    }

    fn scores(names: &[&str], ensemble: Option<Combination>, threads: usize) -> CrossValidation {
        let frame = air_passengers::frame();
        let folds = Split::time_series(&frame, &DIVISION, &|_| 14).unwrap();
        let pool = Pool::new(threads);
        let mut scores =
            cross_validate(&frame, &folds, &contenders(names), ensemble, &Jobs::new(&pool)).unwrap();
        let folds = scores.models.iter_mut().flat_map(|model| &mut model.folds);
        folds.for_each(|fold| fold.seconds_fit = 0.0);
        scores
    }

    #[test]
    fn each_fold_is_scored_as_a_backtest_of_its_rows() {
        let scores = scores(&["nlinear", "mlp"], None, 2);
        assert_eq!(scores.windows, [3; 3]);
        let names: Vec<&str> = scores.models.iter().map(|model| &*model.name).collect();
        assert_eq!(names, ["nlinear", "mlp", "naive", "seasonal-naive", "drift", "mean"]);

        let (frame, pool) = (air_passengers::frame(), Pool::new(1));
        for (number, splits) in Split::time_series(&frame, &DIVISION, &|_| 14).unwrap().iter().enumerate() {
            let test = backtest(&frame, splits, 24, 12, false, None).unwrap();
            for (place, Contender { model, options }) in contenders(&["nlinear", "mlp"])[0].iter().enumerate()
            {
                let [training, validation] =
                    [&splits[0].train, &splits[0].validation].map(std::slice::from_ref);
                let fitted = Forecaster::fit_within(
                    &frame,
                    training,
                    Some(validation),
                    model,
                    options,
                    None,
                    &pool,
                    &mut |_| ControlFlow::Continue(()),
                );
                let alone = test.score(&fitted.unwrap(), &pool).unwrap();
                let fold = &scores.models[place].folds[number];
                assert_eq!((fold.mae, fold.mse, fold.mase), (alone.mae, alone.mse, alone.mase));
            }
        }
        let of_folds = scores.models[0].folds.iter().map(|fold| fold.mae);
        assert!((scores.models[0].mae.mean - of_folds.sum::<f64>() / 3.0).abs() < 1e-12);
    }

    #[test]
    fn scores_do_not_depend_on_threads() {
        let names = ["nlinear", "dlinear", "mlp"];
        assert_eq!(
            scores(&names, Some(Combination::Weights), 1),
            scores(&names, Some(Combination::Weights), 3)
        );
    }

    #[test]
    fn ensembles_stand_between_models_and_baselines() {
        for (combination, name) in [
            (Combination::Mean, "ensemble-mean"),
            (Combination::Median, "ensemble-median"),
            (Combination::Weights, "ensemble-weights"),
        ] {
            let scores = scores(&["nlinear", "dlinear", "mlp"], Some(combination), 2);
            assert_eq!(scores.models[3].name, name);
            for (fold, score) in scores.models[3].folds.iter().enumerate() {
                let worst = scores.models[..3].iter().map(|model| model.folds[fold].mse).fold(0.0, f64::max);
                // A squared error is convex, so that no weighted mean is worse than its worst member.
                assert!(score.mse < worst || combination == Combination::Median, "{name}");
                let sum = score.weights.as_ref().map(|weights| weights.iter().sum::<f64>());
                assert_eq!(sum.is_some(), combination == Combination::Weights);
                assert!(sum.is_none_or(|sum| (sum - 1.0).abs() < 1e-9));
            }
        }
    }

    #[test]
    fn what_cannot_be_divided_is_refused() {
        let (frame, pool) = (air_passengers::frame(), Pool::new(1));
        let refused = |division, validation| {
            Split::time_series(&frame, &division, &|_| validation).unwrap_err().to_string()
        };
        let long = TimeSeriesFolds::new(12, 12);
        let text = refused(long, 0);
        assert!(text.starts_with("series `air") && text.contains("144 rows, but 12 folds of 12"), "{text}");
        assert!(refused(DIVISION, 108).contains("holding out 108 rows of the first fold for validation"));
        let folds = Split::time_series(&frame, &DIVISION, &|_| 0).unwrap();
        let none: [Vec<Contender>; 1] = [vec![]];
        assert!(cross_validate(&frame, &folds, &none, None, &Jobs::new(&pool)).is_err());
        let few = &contenders(&["mlp"])[..2];
        let error = cross_validate(&frame, &folds, few, None, &Jobs::new(&pool)).unwrap_err().to_string();
        assert!(error.starts_with("contenders: lists for 2 folds where there are 3"), "{error}");
        let mut other = contenders(&["mlp"]);
        other[2][0].options.lookback = 25;
        let error = cross_validate(&frame, &folds, &other, None, &Jobs::new(&pool)).unwrap_err().to_string();
        assert!(error.contains("lookbacks or horizons differ"), "{error}");
        // Without validation rows, weights can't be fitted.
        let weights = Some(Combination::Weights);
        assert!(cross_validate(&frame, &folds, &contenders(&["mlp"]), weights, &Jobs::new(&pool)).is_err());
    }

    #[test]
    fn all_trainings_can_be_stopped() {
        let (frame, pool) = (air_passengers::frame(), Pool::new(2));
        let folds = Split::time_series(&frame, &DIVISION, &|_| 0).unwrap();
        let mut contenders = contenders(&["mlp"]);
        contenders.iter_mut().for_each(|all| all[0].options.train.steps = u64::MAX);
        let begun = std::sync::atomic::AtomicUsize::new(0);
        let stop = || begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 20;
        let jobs = Jobs { stop: &stop, ..Jobs::new(&pool) };
        let result = cross_validate(&frame, &folds, &contenders, None, &jobs);
        assert!(matches!(result, Err(Error::Cancelled { done: 0, all: 3 })));
    }
}
