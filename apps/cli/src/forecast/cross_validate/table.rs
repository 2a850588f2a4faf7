//! The scores of a cross-validation in the terminal.

use bessemer::forecast::{CrossScore, CrossValidation, Spread};

use super::CrossValidated;
use crate::number;
use crate::table::plain;

/// Means and deviations, then each fold.
pub fn render(validated: &CrossValidated, names: &[String]) -> String {
    let CrossValidation { windows, models } = &validated.scores;
    let spread = |spread: Spread| match spread.deviation {
        Some(deviation) => format!("{} ± {}", number::digits(spread.mean), number::digits(deviation)),
        None => number::digits(spread.mean),
    };
    let name = |model: &CrossScore| match model.baseline {
        true => format!("{} (baseline)", model.name),
        false => model.name.clone(),
    };
    let summary = plain(
        vec!["model", "MAE", "sMAPE, %", "MASE", "fit, each", "parameters"],
        models.iter().map(|model| {
            let fits: f64 = model.folds.iter().map(|fold| fold.seconds_fit).sum();
            let trained = |text: String| if model.baseline { "-".to_string() } else { text };
            [
                name(model),
                spread(model.mae),
                spread(model.smape),
                model.mase.map_or("n/a".into(), spread),
                trained(number::seconds(fits / model.folds.len() as f64)),
                trained(number::count(model.parameters)),
            ]
        }),
    );
    let header = ["MAE of fold", "windows"].into_iter().chain(models.iter().map(|model| &*model.name));
    let folds = windows.iter().enumerate().map(|(fold, windows)| {
        let errors = models.iter().map(|model| number::digits(model.folds[fold].mae));
        [(fold + 1).to_string(), number::count(*windows)].into_iter().chain(errors).collect::<Vec<String>>()
    });
    let weights = models.iter().find(|model| model.folds.iter().all(|fold| fold.weights.is_some()));
    let weights = weights.map_or(String::new(), |ensemble| {
        let mean = |place: usize| {
            let of_folds = ensemble.folds.iter().flat_map(|fold| &fold.weights).map(|weights| weights[place]);
            of_folds.sum::<f64>() / ensemble.folds.len() as f64
        };
        let named =
            names.iter().enumerate().map(|(place, name)| format!("{} {:.2}", name.trim(), mean(place)));
        format!("Weights, mean over folds: {}.\n", named.collect::<Vec<_>>().join(", "))
    });
    format!(
        "{summary}\n{}, {} ahead from {} back; mean ± standard deviation over folds, MAE in the unit of the data.\n\
         {weights}\n{}\n",
        number::counted(windows.len(), "fold"),
        number::counted(validated.horizon, "step"),
        validated.lookback,
        plain(header.collect(), folds),
    )
}
