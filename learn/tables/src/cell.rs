//! Numbers as they are written in cells.

/// Why a cell holds no usable number.
#[derive(Debug, PartialEq)]
pub(crate) enum BadCell {
    NotANumber,
    Infinite,
}

const MISSING: [&str; 6] = ["", "na", "n/a", "null", "none", "<na>"];

/// The number in a cell; NaN where it is missing.
pub(super) fn number(text: &str) -> Result<f32, BadCell> {
    let text = text.trim();
    match text.parse::<f32>() {
        Ok(value) if value.is_infinite() => Err(BadCell::Infinite),
        Ok(value) => Ok(value),
        Err(_) if MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing)) => Ok(f32::NAN),
        Err(_) => Err(BadCell::NotANumber),
    }
}

/// Likewise in double precision, of a size that single precision has.
pub(super) fn double(text: &str) -> Result<f64, BadCell> {
    let value = number(text)?;
    Ok(text.trim().parse().unwrap_or(f64::from(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_numbers_missing_or_refused() {
        for (text, value) in [("1", 1.0), (" -2.5 ", -2.5), ("1e3", 1000.0), ("+.5", 0.5), ("0", 0.0)] {
            assert_eq!(number(text), Ok(value), "{text:?}");
        }
        for text in ["", "  ", "NaN", "nan", "NA", "n/a", "null", "None", "<NA>"] {
            assert!(number(text).is_ok_and(f32::is_nan), "{text:?}");
        }
        assert_eq!(double(" 1700000060.5"), Ok(1_700_000_060.5), "as it is written, not the nearest f32");
        assert_eq!((double("1e39"), double("x")), (Err(BadCell::Infinite), Err(BadCell::NotANumber)));
        for text in ["inf", "-Infinity", "1e39"] {
            assert_eq!(number(text), Err(BadCell::Infinite), "{text:?}");
        }
        for text in ["1,5", "12 000", "x", "-", "0x10", "1_000"] {
            assert_eq!(number(text), Err(BadCell::NotANumber), "{text:?}");
        }
    }
}
