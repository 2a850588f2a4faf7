//! Numbers as people read them.

/// About four digits: `0.3742`, `0.003742`, `12.34`, `1,234`.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "n/a".into();
    }
    let size = value.abs();
    match size {
        0.0 => "0".into(),
        _ if !(1e-4..1e9).contains(&size) => format!("{value:.3e}"),
        _ if size >= 1000.0 => grouped(value.round() as i64),
        _ => {
            let before_point = size.log10().floor() as i32 + 1;
            format!("{value:.*}", (4 - before_point).max(1) as usize)
        }
    }
}

/// To so small a difference, and no more digits: `1,700,000,060`, `1,700.25`.
pub fn to(value: f64, difference: f64) -> String {
    if !(value.abs() < 1e18 && difference > 0.0) {
        return digits(value);
    }
    let places = (-difference.log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.places$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    // Parsed again, as rounding may have carried.
    whole.parse().map_or(text.clone(), |whole: i64| match (whole, value < 0.0) {
        (0, true) => text.clone(),
        _ => grouped(whole) + rest,
    })
}

/// A count with its thousands apart: `12,345`.
pub fn count(value: usize) -> String {
    grouped(value as i64)
}

/// A count with its noun: `1 step`, `2 steps`.
pub fn counted(value: usize, noun: &str) -> String {
    counted_as(value, noun, &format!("{noun}s"))
}

/// Likewise with a plural of its own.
pub fn counted_as(value: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { many })
}

/// A time in the unit that suits it: `35 µs`, `1.2 ms`, `12 ms`, `1.3 s`, `2 min 5 s`.
pub fn seconds(value: f64) -> String {
    match value {
        _ if value < 0.0995e-3 => format!("{:.0} µs", value * 1e6),
        _ if value < 0.00995 => format!("{:.1} ms", value * 1e3),
        _ if value < 0.9995 => format!("{:.0} ms", value * 1e3),
        _ if value < 59.95 => format!("{value:.1} s"),
        _ => format!("{} min {:02} s", value.round() as u64 / 60, value.round() as u64 % 60),
    }
}

/// An amount of memory: `12 MB`, `1.5 GB`, `27 TB`.
pub fn bytes(value: u128) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut size = value as f64;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    let places = usize::from(unit > 0 && size < 9.95);
    format!("{size:.places$} {}", units[unit])
}

/// For clap: a whole number of any kind.
pub fn whole<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().map_err(|_| match digits {
        true => "it is too large".into(),
        false => "it must be a whole number, without a sign".into(),
    })
}

/// For clap: a percentage from 1 to 100.
pub fn percent(text: &str) -> Result<u8, String> {
    let value: Option<u8> = text.parse().ok();
    value.filter(|value| (1..=100).contains(value)).ok_or("it must be a whole number from 1 to 100".into())
}

/// For clap: a number with or without a decimal point.
pub fn decimal<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "it must be a number, such as 0.001".into())
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let values = [0.37421, 12.345, 123.456, 1234.4, 1_234_567.0, 0.00012345, 1e-7, 0.0, f64::NAN];
        let expected =
            ["0.3742", "12.35", "123.5", "1,234", "1,234,567", "0.0001234", "1.000e-7", "0", "n/a"];
        assert_eq!(values.map(digits), expected.map(String::from));
        assert_eq!(
            [35e-6, 0.0004, 0.0123, 1.26, 125.2].map(seconds),
            ["35 µs", "0.4 ms", "12 ms", "1.3 s", "2 min 05 s"].map(String::from)
        );
        assert_eq!(
            [999, 1_500_000, 27_000_000_000_000].map(bytes),
            ["999 B", "1.5 MB", "27 TB"].map(String::from)
        );
        let places = [(1_700_000_060.3, 0.6), (1700.254, 0.01), (-0.2, 0.1), (-1999.96, 0.1), (2e20, 1.0)];
        assert_eq!(
            places.map(|(value, difference)| to(value, difference)),
            ["1,700,000,060.3", "1,700.25", "-0.2", "-2,000.0", "2.000e20"].map(String::from)
        );
        assert_eq!((counted(1, "step"), counted(1000, "step")), ("1 step".into(), "1,000 steps".into()));
    }
}
