//! Rows held back from training.

use std::fmt;
use std::str::FromStr;

/// Rows at the end of the training data that choose the weights.
///
/// ```
/// use bessemer_forecast::configuration::Validation;
///
/// let tenth: Validation = "0.1".parse()?;
/// assert_eq!((tenth.rows(120), tenth.rows(5)), (12, 1)); // of so many, but one at least
/// assert_eq!("24".parse(), Ok(Validation::Rows(24)));
/// assert!("1.5".parse::<Validation>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Validation {
    /// So many of each series.
    Rows(usize),
    /// A share of each series, from 0 to less than 1.
    Fraction(f64),
}

impl FromStr for Validation {
    type Err = String;

    /// A whole number is a count of rows, any other a share.
    fn from_str(text: &str) -> Result<Validation, String> {
        if let Ok(rows) = text.parse() {
            return Ok(Validation::Rows(rows));
        }
        match text.parse() {
            Ok(share) if (0.0..1.0).contains(&share) => Ok(Validation::Fraction(share)),
            _ => Err("it must be a count of rows, or a fraction from 0 to 1".into()),
        }
    }
}

impl fmt::Display for Validation {
    /// As it is read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Validation::Rows(rows) => write!(f, "{rows}"),
            Validation::Fraction(share) => write!(f, "{share:?}"),
        }
    }
}

impl Validation {
    /// Rows of a series of that many.
    pub fn rows(self, of: usize) -> usize {
        match self {
            Validation::Rows(rows) => rows,
            // A share of nothing at all is 0; any other holds out a row at least.
            Validation::Fraction(share) => ((share * of as f64) as usize).max(usize::from(share > 0.0)),
        }
    }
}
