//! Where values fall on a drawing, and which of them get a label.

use super::calendar;
use super::number::tick_text;

/// Values beyond this are treated as missing: differences between them may overflow.
const LARGEST: f64 = 1e300;

/// What the horizontal axis of a [`LineChart`](super::LineChart) counts, and so how it is labelled.
///
/// ```
/// use bessemer_train::report::XAxis;
///
/// let steps = XAxis::Number;
/// let folds = XAxis::Labels(vec![(0.0, "fold 1".into()), (1.0, "fold 2".into())]);
/// let percent = XAxis::Format(|x| format!("{:.0} %", 100.0 * x));
/// # let _ = (steps, folds, percent);
/// ```
#[derive(Debug, Clone, Default)]
pub enum XAxis {
    /// Plain numbers, such as training steps, at round values.
    #[default]
    Number,
    /// Seconds since 1970-01-01 UTC, labelled at the start of years, months, days or hours.
    /// [`date_seconds`](super::date_seconds) makes such a value from a date.
    Time,
    /// Round values, written by this function.
    Format(fn(f64) -> String),
    /// Exactly these positions and texts; where they would touch, every n-th is shown.
    Labels(Vec<(f64, String)>),
}

/// One labelled position on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub at: f64,
    pub label: String,
    /// A second line: the year of a month, the day of an hour. Only where it changes.
    pub context: Option<String>,
}

impl XAxis {
    /// Labelled positions between `low` and `high`, for a drawing that is `width` pixels wide.
    pub(super) fn ticks(&self, low: f64, high: f64, width: f64) -> Vec<Tick> {
        let target = (width / 84.0).floor().clamp(2.0, 12.0) as usize;
        match self {
            XAxis::Number => spaced(linear_ticks(low, high, target), width),
            XAxis::Time => {
                calendar::ticks(low, high, target).unwrap_or_else(|| linear_ticks(low, high, target))
            }
            XAxis::Format(write) => {
                let ticks = linear_ticks(low, high, target);
                let written = ticks.into_iter().map(|tick| Tick { label: write(tick.at), ..tick });
                spaced(written.collect(), width)
            }
            XAxis::Labels(labels) => {
                let visible = labels.iter().filter(|(at, _)| (low..=high).contains(at));
                let ticks = visible.map(|(at, label)| Tick { at: *at, label: label.clone(), context: None });
                spaced(ticks.collect(), width)
            }
        }
    }

    /// How a tooltip names position `x`; `spacing` is the smallest distance between two positions.
    pub(super) fn describe(&self, x: f64, spacing: f64) -> String {
        match self {
            XAxis::Number => super::number::value_text(x),
            XAxis::Time => calendar::describe(x, spacing).unwrap_or_else(|| super::number::value_text(x)),
            XAxis::Format(write) => write(x),
            XAxis::Labels(labels) => labels
                .iter()
                .find(|(at, _)| *at == x)
                .map_or_else(|| super::number::value_text(x), |(_, label)| label.clone()),
        }
    }
}

/// Every n-th of evenly spaced ticks, so that labels do not touch on an axis `width` pixels long.
fn spaced(ticks: Vec<Tick>, width: f64) -> Vec<Tick> {
    let longest = ticks.iter().map(|tick| tick.label.chars().count()).max().unwrap_or(0);
    let room = (width / (7.5 * longest as f64 + 12.0)).floor().max(1.0) as usize;
    // As many ticks have one gap fewer between them.
    let every = ticks.len().saturating_sub(1).div_ceil(room).max(1);
    ticks.into_iter().step_by(every).collect()
}

/// Whether a value can be drawn at all.
pub(super) fn is_drawable(value: f64, log: bool) -> bool {
    value.abs() <= LARGEST && (!log || value >= 1.0 / LARGEST)
}

/// The smallest and largest of `values` that can be drawn, if there is any.
pub(super) fn extent(values: impl Iterator<Item = f64>, log: bool) -> Option<(f64, f64)> {
    values.filter(|value| is_drawable(*value, log)).fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
    })
}

/// Ticks at one, two or five times a power of ten, inside `low..=high`.
pub(super) fn linear_ticks(low: f64, high: f64, target: usize) -> Vec<Tick> {
    let step = nice_step(low, high, target);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    // The bound holds where the range is too small for the numbers' precision.
    let count = ((last - first).clamp(-1.0, 50.0) + 1.0) as usize;
    let positions = (0..count).map(|index| (first + index as f64) * step);
    positions.map(|at| Tick { at, label: tick_text(at, step), context: None }).collect()
}

/// `low..high` widened to the nearest ticks, so that the vertical axis begins and ends on one.
pub(super) fn rounded_range(low: f64, high: f64, target: usize) -> (f64, f64) {
    let (low, high) = if low < high { (low, high) } else { (low - padding(low), high + padding(high)) };
    let step = nice_step(low, high, target);
    ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step)
}

fn padding(value: f64) -> f64 {
    if value == 0.0 { 1.0 } else { 0.1 * value.abs() }
}

fn nice_step(low: f64, high: f64, target: usize) -> f64 {
    let rough = (high - low) / target.max(1) as f64;
    // Below this, steps vanish against the numbers' own precision.
    let rough = rough.max(1e-12 * low.abs().max(high.abs())).max(1e-290);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

/// Ticks for a logarithmic axis: powers of ten, with twos and fives between them where there is room,
/// and round linear values where the range is less than about one power of ten.
pub(super) fn log_ticks(low: f64, high: f64, target: usize) -> Vec<Tick> {
    let decades = (high / low).log10();
    if decades < 0.9 {
        return linear_ticks(low, high, target.min(5)).into_iter().filter(|tick| tick.at > 0.0).collect();
    }
    let factors: &[f64] = if decades * 3.0 <= target as f64 + 1.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let every = ((last - first) as usize).div_ceil(target.max(1)).max(1);
    (first..=last)
        .step_by(every)
        .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
        .filter(|at| (low * 0.999..=high * 1.001).contains(at))
        .map(|at| Tick { at, label: tick_text(at, 10f64.powf(at.log10().floor())), context: None })
        .collect()
}

/// A linear or logarithmic map from values to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    /// Pixel of `low`.
    pub start: f64,
    /// Pixel of `high`.
    pub end: f64,
    pub log: bool,
}

impl Scale {
    /// The pixel at which `value` is drawn; the middle where the scale has no length.
    pub(super) fn place(&self, value: f64) -> f64 {
        let map = |value: f64| if self.log { value.max(1.0 / LARGEST).log10() } else { value };
        let (low, high) = (map(self.low), map(self.high));
        let fraction = if high > low { (map(value) - low) / (high - low) } else { 0.5 };
        self.start + fraction * (self.end - self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(labels(linear_ticks(0.0, 1.0, 5)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(linear_ticks(104.0, 622.0, 5)), ["200", "400", "600"]);
        assert_eq!(labels(linear_ticks(-7.0, 7.0, 3)), ["−5", "0", "5"]);
    }

    #[test]
    fn log_ticks_adapt_to_the_number_of_decades() {
        assert_eq!(labels(log_ticks(0.01, 1.0, 5)), ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]);
        assert_eq!(labels(log_ticks(1e-4, 1.0, 5)), ["0.0001", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(log_ticks(1e-12, 1e3, 5)).len(), 6);
        assert_eq!(labels(log_ticks(2.0, 3.0, 5)), ["2.0", "2.2", "2.4", "2.6", "2.8", "3.0"]);
    }

    #[test]
    fn a_constant_series_still_gets_a_range_around_it() {
        let (low, high) = rounded_range(5.0, 5.0, 5);
        assert!(low < 5.0 && 5.0 < high);
        let (low, high) = rounded_range(0.0, 0.0, 5);
        assert!(low < 0.0 && 0.0 < high);
    }

    #[test]
    fn given_labels_are_thinned_until_they_fit() {
        let axis = XAxis::Labels((0..10).map(|x| (f64::from(x), format!("fold number {x}"))).collect());
        let ticks = axis.ticks(0.0, 9.0, 400.0);
        assert_eq!(labels(ticks), ["fold number 0", "fold number 3", "fold number 6", "fold number 9"]);
    }

    proptest! {
        #[test]
        fn ticks_lie_inside_the_range_in_order(low in -1e12f64..1e12, span in 1e-6f64..1e12) {
            let high = low + span;
            let ticks = linear_ticks(low, high, 6);
            prop_assert!(ticks.len() <= 51);
            prop_assert!(ticks.windows(2).all(|pair| pair[0].at < pair[1].at));
            let slack = 1e-8 * span + 1e-11 * high.abs().max(low.abs());
            prop_assert!(ticks.iter().all(|tick| (low - slack..=high + slack).contains(&tick.at)));
        }

        #[test]
        fn rounding_a_range_never_cuts_it(low in -1e290f64..1e290, high in -1e290f64..1e290) {
            let (low, high) = (low.min(high), low.max(high));
            let (wider_low, wider_high) = rounded_range(low, high, 5);
            let slack = 1e-8 * (high - low);
            prop_assert!(wider_low <= low + slack && wider_high >= high - slack);
        }
    }
}
