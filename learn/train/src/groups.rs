//! Parameters with a learning rate and a weight decay of their own.

use std::ops::Range;

use bessemer_graph::Parameter;
use bessemer_plan::Parameters;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Settings of the parameters whose names begin alike. The first group that fits a parameter is its own.
///
/// Parameters of no group have the optimiser's weight decay if they have two axes or more, and none if
/// they have one: biases and the scales of norms don't overfit, and shrinking them only hurts (as in Loshchilov
/// & Hutter's and most later code).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// What their names begin with; all do with nothing.
    pub prefix: String,
    /// Factor on the learning rate; with 0 they stay as they are.
    #[serde(default = "one")]
    pub rate: f32,
    /// Weight decay in place of the optimiser's, for all of them.
    #[serde(default)]
    pub weight_decay: Option<f32>,
}

fn one() -> f32 {
    1.0
}

impl ParameterGroup {
    /// What is wrong with it for these parameters, if anything is.
    pub(crate) fn problem(&self, specs: &[Parameter]) -> Option<TrainError> {
        let wrong = |name, value: String, remedy| Some(TrainError::Setting { name, value, remedy });
        if !specs.iter().any(|spec| spec.name.starts_with(&self.prefix)) {
            let some: Vec<&str> = specs.iter().take(3).map(|spec| spec.name.as_str()).collect();
            let value = format!("`{}`, but parameters are named {} and so on", self.prefix, some.join(", "));
            return wrong("the prefix of a group", value, "name some of them");
        }
        if !(self.rate.is_finite() && self.rate >= 0.0) {
            return wrong("the rate of a group", self.rate.to_string(), "it must be 0 or more");
        }
        let decay = self.weight_decay.unwrap_or(0.0);
        if !(decay.is_finite() && decay >= 0.0) {
            return wrong("the weight decay of a group", decay.to_string(), "it must be 0 or more");
        }
        None
    }
}

/// Neighbouring parameters with the same settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece {
    /// Where they lie in the buffer.
    pub range: Range<usize>,
    /// Factor on the learning rate.
    pub rate: f32,
    pub weight_decay: f32,
}

/// All learned parameters in their order, joined where nothing differs.
pub(crate) fn pieces(
    parameters: &Parameters,
    buffers: &[bool],
    groups: &[ParameterGroup],
    weight_decay: f32,
) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut joins = false;
    for ((spec, range), &buffer) in parameters.specs().iter().zip(parameters.ranges()).zip(buffers) {
        if buffer {
            joins = false;
            continue;
        }
        let usual = if spec.shape.len() > 1 { weight_decay } else { 0.0 };
        let group = groups.iter().find(|group| spec.name.starts_with(&group.prefix));
        let rate = group.map_or(1.0, |group| group.rate);
        let weight_decay = group.and_then(|group| group.weight_decay).unwrap_or(usual);
        match pieces.last_mut() {
            Some(last) if joins && (last.rate, last.weight_decay) == (rate, weight_decay) => {
                last.range.end = range.end;
            }
            _ => pieces.push(Piece { range: range.clone(), rate, weight_decay }),
        }
        joins = true;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        let spec = |name: &str, shape: &[usize]| Parameter { name: name.into(), shape: shape.into() };
        Parameters::new(&[
            spec("a.weight", &[32, 16]),
            spec("a.bias", &[32]),
            spec("norm.mean", &[32]),
            spec("b.weight", &[16, 32]),
            spec("head.weight", &[16, 16]),
        ])
    }

    fn settings(groups: &[ParameterGroup]) -> Vec<(usize, f32, f32)> {
        let parameters = parameters();
        let buffers = [false, false, true, false, false];
        let pieces = pieces(&parameters, &buffers, groups, 0.5);
        let parameter = |piece: &Piece| {
            parameters.ranges().iter().position(|range| range.start == piece.range.start).unwrap()
        };
        pieces.iter().map(|piece| (parameter(piece), piece.rate, piece.weight_decay)).collect()
    }

    fn group(prefix: &str, rate: f32, weight_decay: Option<f32>) -> ParameterGroup {
        ParameterGroup { prefix: prefix.into(), rate, weight_decay }
    }

    #[test]
    fn what_has_one_axis_does_not_decay_unless_it_is_asked_for() {
        assert_eq!(settings(&[]), [(0, 1.0, 0.5), (1, 1.0, 0.0), (3, 1.0, 0.5)]);
        assert_eq!(settings(&[group("", 1.0, Some(0.5))]), [(0, 1.0, 0.5), (3, 1.0, 0.5)]);
    }

    #[test]
    fn the_first_group_that_fits_counts() {
        let groups = [group("head.", 0.1, None), group("a", 2.0, Some(0.25)), group("", 0.0, None)];
        assert_eq!(settings(&groups), [(0, 2.0, 0.25), (3, 0.0, 0.5), (4, 0.1, 0.5)]);
    }

    #[test]
    fn groups_that_make_no_sense_are_refused() {
        let parameters = parameters();
        for (group, expected) in [
            (group("heads", 1.0, None), "a.weight, a.bias, norm.mean and so on"),
            (group("head", f32::NAN, None), "the rate of a group is NaN"),
            (group("head", 1.0, Some(-1.0)), "the weight decay of a group is -1"),
        ] {
            let problem = group.problem(parameters.specs()).unwrap().to_string();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
