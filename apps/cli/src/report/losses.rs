//! Charts of losses over the training.

use bessemer::forecast::Forecaster;
use bessemer::train::report::{ChartGrid, Line, LineChart, LineStyle};

use crate::number;

/// A panel for each model.
pub fn grid(fitted: &[Forecaster]) -> ChartGrid {
    let validated = fitted.iter().any(|forecaster| !forecaster.history.validations.is_empty());
    let caption = match validated {
        true => {
            "Loss of each batch, and of the validation windows, of which the lowest is kept. \
             Training counts values as the network sees them, validation as the series scaler leaves them."
        }
        false => "Loss of each batch, of the values as the network sees them.",
    };
    ChartGrid {
        title: "Training loss by step".into(),
        charts: fitted.iter().enumerate().map(|(number, forecaster)| panel(number, forecaster)).collect(),
        same_y: false,
        caption: caption.into(),
    }
}

fn panel(number: usize, forecaster: &Forecaster) -> LineChart {
    let history = &forecaster.history;
    let training = history.losses.iter().enumerate().map(|(step, loss)| ((step + 1) as f64, *loss));
    let validation = history.validations.iter().map(|(step, loss)| (*step as f64, *loss));
    let name = forecaster.model().name();
    let mut lines = vec![Line::new(name, LineStyle::Curve(number), training)];
    if !history.validations.is_empty() {
        lines.push(Line::new("validation", LineStyle::Actual, validation));
    }
    let title = match history.best_step {
        Some(best) => format!("{name}, best at step {}", number::count(best as usize)),
        None => name.to_string(),
    };
    LineChart { title, x_label: "step".into(), lines, log_y: true, ..LineChart::default() }
}
