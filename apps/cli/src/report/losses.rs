//! Charts of losses over the training.

use bessemer::forecast::Forecaster;
use bessemer::train::Metric;
use bessemer::train::report::{ChartGrid, Line, LineChart, LineStyle};

use crate::number;
use crate::smoothed::smoothed;

/// Points of a loss by step.
type Points = Vec<(f64, f64)>;

/// A panel for each model.
pub fn grid(fitted: &[Forecaster]) -> ChartGrid {
    let panels = fitted.iter().enumerate().map(|(number, forecaster)| {
        let history = &forecaster.history;
        let training =
            history.losses.iter().enumerate().map(|(step, loss)| ((step + 1) as f64, *loss)).collect();
        let validation = history.validations.iter().map(|(step, loss)| (*step as f64, *loss)).collect();
        panel(number, forecaster.model().name(), training, validation, history.best_step)
    });
    let validated = fitted.iter().any(|forecaster| !forecaster.history.validations.is_empty());
    let caption = match validated {
        true => {
            "Loss of each batch, faint, with its moving average in front, and of the validation windows, of which \
             the lowest is kept. Training counts values as the network sees them, validation as the series scaler leaves them."
        }
        false => {
            "Loss of each batch, faint, with its moving average in front, of the values as the network sees them."
        }
    };
    grid_of(panels.collect(), caption)
}

/// A panel for each model, by name, of which no more is known than what was written down.
pub fn grid_so_far(trainings: &[(String, Vec<Metric>)]) -> ChartGrid {
    let panels = trainings.iter().enumerate().map(|(number, (name, metrics))| {
        let points = |value: fn(&Metric) -> Option<f64>| -> Points {
            metrics.iter().filter_map(|metric| Some((metric.step as f64, value(metric)?))).collect()
        };
        let validation = points(|metric| metric.validation_loss);
        let best = validation.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(step, _)| *step as u64);
        let name = if name.is_empty() { "training" } else { name };
        panel(number, name, points(|metric| metric.loss), validation, best)
    });
    let validated = trainings.iter().flat_map(|(_, all)| all).any(|metric| metric.validation_loss.is_some());
    let caption = match validated {
        true => {
            "Loss of each batch, faint, with its moving average in front, and in validation, of which the lowest is \
             kept. Values are as the network sees them, in validation as the scaler of the data leaves them."
        }
        false => {
            "Loss of each batch, faint, with its moving average in front, of the values as the network sees them."
        }
    };
    grid_of(panels.collect(), caption)
}

fn grid_of(charts: Vec<LineChart>, caption: &str) -> ChartGrid {
    ChartGrid { title: "Training loss by step".into(), charts, same_y: false, caption: caption.into() }
}

fn panel(number: usize, name: &str, training: Points, validation: Points, best: Option<u64>) -> LineChart {
    let training: Points = training.into_iter().filter(|(_, loss)| loss.is_finite()).collect();
    let smooth = smoothed(&training);
    let mut lines = vec![
        Line::new(format!("{name}, each batch"), LineStyle::Faint(number), training),
        Line::new(name, LineStyle::Curve(number), smooth),
    ];
    if !validation.is_empty() {
        lines.push(Line::new("validation", LineStyle::Actual, validation));
    }
    let title = match best {
        Some(best) => format!("{name}, best at step {}", number::count(best as usize)),
        None => name.to_string(),
    };
    LineChart { title, x_label: "step".into(), lines, log_y: true, ..LineChart::default() }
}
