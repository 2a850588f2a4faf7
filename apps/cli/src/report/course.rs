//! Charts of the learning rate and the gradient's norm over the training.

use bessemer::train::Metric;
use bessemer::train::report::{ChartGrid, Line, LineChart, LineStyle};

/// Two panels, in the colour of the model with that number.
pub fn course(number: usize, model: &str, metrics: &[Metric]) -> ChartGrid {
    let chart = |title: &str, log_y: bool, value: fn(&Metric) -> Option<f64>| {
        let points = metrics.iter().filter_map(|metric| Some((metric.step as f64, value(metric)?)));
        LineChart {
            title: title.into(),
            x_label: "step".into(),
            lines: vec![Line::new(model, LineStyle::Curve(number), points)],
            log_y,
            ..LineChart::default()
        }
    };
    ChartGrid {
        title: "Learning rate and gradient by step".into(),
        charts: vec![
            chart("learning rate", false, |metric| metric.learning_rate),
            chart("norm of the gradient", true, |metric| metric.grad_norm),
        ],
        same_y: false,
        caption: "The norm is taken before clipping.".into(),
    }
}
