//! How numbers are written: on axes, in tooltips and as SVG coordinates.

const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

/// A tick label. `step` is the distance to the next tick: it decides how many decimals are worth writing.
pub(super) fn tick_text(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if value.abs() >= 1e9 || step.abs() < 1e-5 {
        return scientific(value, 2);
    }
    let decimals = (-(step.abs().log10() + 1e-9).floor()).clamp(0.0, 8.0) as usize;
    grouped(value, decimals)
}

/// A value in a tooltip or at the end of a bar: four significant digits, without idle zeros.
pub(super) fn value_text(value: f64) -> String {
    if !value.is_finite() {
        return "n/a".into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..9.0).contains(&magnitude) {
        return scientific(value, 3);
    }
    let decimals = (3.0 - magnitude).clamp(0.0, 8.0) as usize;
    let text = grouped(value, decimals);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// A coordinate inside a drawing, to a tenth of a pixel: finer is invisible and makes files large.
pub(super) fn coordinate(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    // Adding zero turns -0 into 0, which would otherwise print its sign.
    format!("{}", tenths + 0.0)
}

/// Fixed decimals, thousands separated by commas, and a real minus sign.
fn grouped(value: f64, decimals: usize) -> String {
    let plain = format!("{:.*}", decimals, value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::new();
    let is_zero = plain.chars().all(|c| matches!(c, '0' | '.'));
    if value < 0.0 && !is_zero {
        text.push('−');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// `2.5×10⁷`, with `digits` significant digits at most; powers of ten drop the leading `1×`.
fn scientific(value: f64, digits: usize) -> String {
    let text = format!("{:.*e}", digits.saturating_sub(1), value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let mut written = String::new();
    if value < 0.0 {
        written.push('−');
    }
    if mantissa != "1" {
        written.push_str(mantissa);
        written.push('×');
    }
    written.push_str("10");
    for character in exponent.chars() {
        match character.to_digit(10) {
            Some(digit) => written.push(SUPERSCRIPTS[digit as usize]),
            None => written.push('⁻'),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_carry_the_decimals_of_their_step() {
        let cases = [
            (0.0, 0.5, "0"),
            (0.30000000000000004, 0.1, "0.3"),
            (1.0, 0.25, "1.0"),
            (12500.0, 500.0, "12,500"),
            (-1500.0, 500.0, "−1,500"),
            (2.5e9, 5e8, "2.5×10⁹"),
            (1e-6, 1e-6, "10⁻⁶"),
        ];
        for (value, step, expected) in cases {
            assert_eq!(tick_text(value, step), expected, "tick {value} with step {step}");
        }
    }

    #[test]
    fn values_carry_four_digits() {
        let cases = [
            (0.0, "0"),
            (622.0, "622"),
            (18.2349, "18.23"),
            (0.012345, "0.01235"),
            (-3.5, "−3.5"),
            (1234567.0, "1,234,567"),
            (1.5e12, "1.5×10¹²"),
            (-2e-9, "−2×10⁻⁹"),
            (f64::NAN, "n/a"),
        ];
        for (value, expected) in cases {
            assert_eq!(value_text(value), expected, "value {value}");
        }
    }

    #[test]
    fn coordinates_never_print_a_negative_zero() {
        assert_eq!(coordinate(-0.01), "0");
        assert_eq!(coordinate(12.345), "12.3");
        assert_eq!(coordinate(100.0), "100");
    }
}
