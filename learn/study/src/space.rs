//! The settings of a search, and the values each may have.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Result, StudyError};

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// Anything else.
    Text(String),
}

impl Value {
    /// As a number; NaN if it is none.
    pub fn as_f64(&self) -> f64 {
        match self {
            Value::Integer(value) => *value as f64,
            Value::Float(value) => *value,
            Value::Text(_) => f64::NAN,
        }
    }

    fn parse(text: &str) -> Value {
        let float = || text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Float);
        text.parse().ok().map(Value::Integer).or_else(float).unwrap_or_else(|| Value::Text(text.into()))
    }
}

/// As it is written, so that it can be given again.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(value) => write!(f, "{value}"),
            // The shortest text that reads as the same number, with an exponent where that is shorter.
            Value::Float(value) if *value != 0.0 && !(1e-4..1e15).contains(&value.abs()) => {
                write!(f, "{value:e}")
            }
            Value::Float(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
        }
    }
}

/// What a setting may be.
///
/// As text: choices `16,32,64`, of which lists stand in brackets, `[2,2,1],[4,2,1]`; a range `16..512` of
/// whole numbers, if both ends are, or of others, `0.1..0.9`, both ends included; `log:1e-4..1e-2` of which
/// every factor is as likely.
#[derive(Clone, Debug, PartialEq)]
pub enum Dimension {
    /// One of these.
    Choices(Vec<Value>),
    /// A whole number of this range, ends included.
    Integers {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
        /// Whether factors count instead of differences.
        log: bool,
    },
    /// A number of this range.
    Floats {
        /// The least.
        least: f64,
        /// The most.
        most: f64,
        /// Whether factors count instead of differences.
        log: bool,
    },
}

impl Dimension {
    /// One of several values.
    ///
    /// # Errors
    /// If there is none.
    pub fn choices(values: Vec<Value>) -> Result<Dimension> {
        if values.is_empty() {
            return Err(StudyError::Dimension { text: String::new(), problem: "there is no value" });
        }
        Ok(Dimension::Choices(values))
    }

    /// A whole number from `least` to `most`.
    ///
    /// # Errors
    /// If `least` is above `most` or, where factors count, not positive.
    pub fn integers(least: i64, most: i64, log: bool) -> Result<Dimension> {
        check_range(&format!("{least}..{most}"), least as f64, most as f64, log)?;
        Ok(Dimension::Integers { least, most, log })
    }

    /// A number from `least` to `most`.
    ///
    /// # Errors
    /// As [`Dimension::integers`], and if one is not finite.
    pub fn floats(least: f64, most: f64, log: bool) -> Result<Dimension> {
        check_range(&format!("{least}..{most}"), least, most, log)?;
        Ok(Dimension::Floats { least, most, log })
    }

    /// The value at a share of the way, in 0 .. 1, such that every value of a choice or a range of whole
    /// numbers has an equal part of it.
    pub(crate) fn at(&self, share: f64) -> Value {
        match self {
            Dimension::Choices(values) => {
                let place = (share * values.len() as f64) as usize;
                values[place.min(values.len() - 1)].clone()
            }
            Dimension::Integers { least, most, log } => {
                // Half a number more at both ends, so that these are as likely as the others.
                let value = between(*least as f64 - 0.5, *most as f64 + 0.5, *log, share);
                Value::Integer((value.round() as i64).clamp(*least, *most))
            }
            Dimension::Floats { least, most, log } => {
                Value::Float(legible(between(*least, *most, *log, share)).clamp(*least, *most))
            }
        }
    }

    /// The values that a grid has of it: all choices, and of a range so many at equal distances, ends
    /// included. Whole numbers that come twice are taken once.
    pub(crate) fn points(&self, points: usize) -> Vec<Value> {
        let share = |place: usize| place as f64 / (points.max(2) - 1) as f64;
        let mut values: Vec<Value> = match self {
            Dimension::Choices(values) => return values.clone(),
            Dimension::Integers { least, most, log } => {
                let at = |place| between(*least as f64, *most as f64, *log, share(place)).round() as i64;
                (0..points).map(|place| Value::Integer(at(place).clamp(*least, *most))).collect()
            }
            Dimension::Floats { least, most, log } => {
                let at = |place| legible(between(*least, *most, *log, share(place))).clamp(*least, *most);
                (0..points).map(|place| Value::Float(at(place))).collect()
            }
        };
        values.dedup();
        values
    }
}

fn check_range(text: &str, least: f64, most: f64, log: bool) -> Result<()> {
    let problem = match () {
        () if !(least.is_finite() && most.is_finite()) => "both ends must be numbers",
        () if least > most => "its first number is larger than its last",
        () if log && least <= 0.0 => "where every factor is as likely, numbers must be positive",
        () => return Ok(()),
    };
    Err(StudyError::Dimension { text: text.to_string(), problem })
}

fn between(least: f64, most: f64, log: bool, share: f64) -> f64 {
    match log {
        // Both ends exactly, whatever rounding does in between.
        _ if share == 0.0 => least,
        _ if share == 1.0 => most,
        true => (least.ln() + share * (most.ln() - least.ln())).exp(),
        false => least * (1.0 - share) + most * share,
    }
}

/// To six digits: finer than matters, and people have to read it and may have to type it.
fn legible(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

impl FromStr for Dimension {
    type Err = StudyError;

    fn from_str(text: &str) -> Result<Dimension> {
        let refuse = |problem| StudyError::Dimension { text: text.to_string(), problem };
        let (log, range) = match text.trim().strip_prefix("log:") {
            Some(range) => (true, range),
            None => (false, text),
        };
        if let Some((least, most)) = range.split_once("..") {
            return match (Value::parse(least.trim()), Value::parse(most.trim())) {
                (Value::Text(_), _) | (_, Value::Text(_)) => Err(refuse("both ends must be numbers")),
                (Value::Integer(least), Value::Integer(most)) => Dimension::integers(least, most, log),
                (least, most) => Dimension::floats(least.as_f64(), most.as_f64(), log),
            };
        }
        if log {
            return Err(refuse("`log:` goes with a range"));
        }
        let choices = outside_brackets(text).ok_or_else(|| refuse("a bracket has no counterpart"))?;
        if choices.iter().any(|choice| choice.is_empty()) {
            return Err(refuse("a value is empty"));
        }
        let mut values: Vec<Value> = Vec::with_capacity(choices.len());
        for value in choices.into_iter().map(Value::parse) {
            if values.contains(&value) {
                return Err(refuse("a value comes twice"));
            }
            values.push(value);
        }
        Dimension::choices(values)
    }
}

/// The parts between commas that stand outside of brackets, if all brackets have their counterpart.
fn outside_brackets(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0u32);
    for (place, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                parts.push(text[start..place].trim());
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    (depth == 0).then_some(parts)
}

/// Settings by name, with what each may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    dimensions: Vec<(String, Dimension)>,
}

impl Space {
    /// Of these settings.
    ///
    /// # Errors
    /// If there is none, or a name comes twice.
    pub fn new(dimensions: Vec<(String, Dimension)>) -> Result<Space> {
        if dimensions.is_empty() {
            return Err(StudyError::EmptySpace);
        }
        for (place, (name, _)) in dimensions.iter().enumerate() {
            if dimensions[..place].iter().any(|(other, _)| other == name) {
                return Err(StudyError::VariedTwice { name: name.clone() });
            }
        }
        Ok(Space { dimensions })
    }

    /// The settings.
    pub fn dimensions(&self) -> &[(String, Dimension)] {
        &self.dimensions
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dimensions_are_read() {
        let texts = |text: &str, points| -> Vec<String> {
            text.parse::<Dimension>().unwrap().points(points).iter().map(Value::to_string).collect()
        };
        let cases: [(&str, usize, &[&str]); 9] = [
            ("16, 32,64", 9, &["16", "32", "64"]),
            ("adam,sgd", 9, &["adam", "sgd"]),
            ("[2,2,1],[4,2,1]", 9, &["[2,2,1]", "[4,2,1]"]),
            ("0.5,1e-5", 9, &["0.5", "1e-5"]),
            ("1..9", 3, &["1", "5", "9"]),
            ("1..3", 5, &["1", "2", "3"]),
            ("-1.5..1.5", 3, &["-1.5", "0", "1.5"]),
            ("log:16..256", 3, &["16", "64", "256"]),
            ("log:1e-4..1e-2", 3, &["0.0001", "0.001", "0.01"]),
        ];
        for (text, points, expected) in cases {
            assert_eq!(texts(text, points), expected, "{text}");
        }
        assert_eq!(texts("3..8", 1), ["3"]);
        for (text, problem) in [
            ("", "a value is empty"),
            ("1,,2", "a value is empty"),
            ("1,2,1", "a value comes twice"),
            ("[1,2", "a bracket has no counterpart"),
            ("1],2", "a bracket has no counterpart"),
            ("9..1", "larger than its last"),
            ("a..b", "must be numbers"),
            ("0..inf", "must be numbers"),
            ("log:0..1", "must be positive"),
            ("log:1,2", "goes with a range"),
        ] {
            let error = text.parse::<Dimension>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn values_stay_within_their_range(a in 1..10_000i64, b in 1..10_000i64, log: bool, share in 0.0..1.0f64) {
            let (least, most) = (a.min(b), a.max(b));
            let whole = Dimension::integers(least, most, log).unwrap().at(share).as_f64();
            prop_assert!((least as f64..=most as f64).contains(&whole) && whole.fract() == 0.0);
            let float = Dimension::floats(least as f64, most as f64, log).unwrap().at(share).as_f64();
            prop_assert!((least as f64..=most as f64).contains(&float));
        }
    }

    #[test]
    fn whole_numbers_are_as_likely_as_each_other_and_factors_if_they_count() {
        let dimension = Dimension::integers(1, 4, false).unwrap();
        let mut counts = [0; 4];
        (0..1000)
            .for_each(|i| counts[dimension.at((f64::from(i) + 0.5) / 1000.0).as_f64() as usize - 1] += 1);
        assert_eq!(counts, [250; 4]);
        let half = Dimension::floats(1e-4, 1e-2, true).unwrap().at(0.5).as_f64();
        assert!((half / 1e-3 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_space_has_every_setting_once() {
        let dimension = || Dimension::integers(1, 2, false).unwrap();
        assert_eq!(Space::new(vec![]), Err(StudyError::EmptySpace));
        let twice = Space::new(vec![("a".into(), dimension()), ("a".into(), dimension())]);
        assert_eq!(twice, Err(StudyError::VariedTwice { name: "a".into() }));
    }
}
