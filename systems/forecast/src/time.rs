//! Timestamps: how they are read, and written back in the style they came in.

use jiff::SignedDuration;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A moment: microseconds since 1970-01-01 00:00:00 without a time zone, or, in a frame whose time
/// column holds whole numbers, that number.
pub type Timestamp = i64;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const DAY: i64 = 86_400 * SECOND;
const EPOCH: Date = Date::constant(1970, 1, 1);
/// Beyond this many days from 1970 lies no year between -9999 and 9999.
const DAYS_MAX: i64 = 4_400_000;

/// What a frame's timestamps are.
///
/// ```
/// use bessemer_forecast::TimeKind;
///
/// let (kind, time) = TimeKind::detect("2016-07-01 01:00:00").unwrap();
/// assert_eq!(kind.format(time), "2016-07-01 01:00:00");
/// let (kind, time) = TimeKind::detect("1949-01").unwrap();
/// assert_eq!(kind.format(time), "1949-01");
/// assert_eq!(TimeKind::detect("7").unwrap(), (TimeKind::Integer, 7));
/// assert!(TimeKind::detect("yesterday").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeKind {
    /// Dates or dates with times.
    Calendar(TimeStyle),
    /// Whole numbers: years, steps, or an index.
    Integer,
}

/// How a calendar timestamp was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeStyle {
    /// The finest part written.
    pub precision: Precision,
    /// Between year, month and day: `-` or `/`.
    pub date_separator: char,
    /// Between date and time: a space or `T`.
    pub time_separator: char,
    /// Whether a `Z` followed.
    pub utc: bool,
}

/// The finest part of a timestamp that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Precision {
    /// `2016-07`.
    Month,
    /// `2016-07-01`.
    Day,
    /// `2016-07-01 12:30`.
    Minute,
    /// `2016-07-01 12:30:05`.
    Second,
    /// Three more digits.
    Millisecond,
    /// Six more digits.
    Microsecond,
}

impl Default for TimeStyle {
    fn default() -> Self {
        TimeStyle { precision: Precision::Day, date_separator: '-', time_separator: ' ', utc: false }
    }
}

impl TimeKind {
    /// The kind of a timestamp's text, and its value; `None` where it is neither a date nor a whole
    /// number.
    pub fn detect(text: &str) -> Option<(TimeKind, Timestamp)> {
        if let Ok(number) = text.trim().parse::<i64>() {
            return Some((TimeKind::Integer, number));
        }
        parse_calendar(text.as_bytes()).map(|(time, style)| (TimeKind::Calendar(style), time))
    }

    /// Reads a timestamp of this kind, in any accepted style.
    pub fn parse(&self, text: &str) -> Option<Timestamp> {
        match self {
            TimeKind::Integer => text.trim().parse().ok(),
            TimeKind::Calendar(_) => parse_calendar(text.as_bytes()).map(|(time, _)| time),
        }
    }

    /// Writes a timestamp in the style of the input, finer only where the style would lose part of it.
    pub fn format(&self, time: Timestamp) -> String {
        match self {
            TimeKind::Integer => time.to_string(),
            TimeKind::Calendar(style) => format_calendar(time, style),
        }
    }

    /// What a cell of such a column should be, and what to do about one that is not.
    pub(crate) fn expected(kind: Option<&TimeKind>) -> (&'static str, &'static str) {
        match kind {
            Some(TimeKind::Integer) => ("a whole number like those above it", "correct it"),
            Some(TimeKind::Calendar(_)) => (
                "a date like those above it",
                "write it as 2016-07-01 or 2016-07-01 00:00:00, without an offset",
            ),
            None => (
                "a date or a whole number",
                "write dates as 2016-07-01 or 2016-07-01 00:00:00, without an offset",
            ),
        }
    }

    /// What such a column holds, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            TimeKind::Integer => "whole numbers",
            TimeKind::Calendar(_) => "dates",
        }
    }
}

/// The day of a timestamp and the microseconds since its midnight; `None` beyond the calendar.
pub(crate) fn split_day(time: Timestamp) -> Option<(Date, i64)> {
    let days = time.div_euclid(DAY);
    if days.abs() > DAYS_MAX {
        return None;
    }
    let date = EPOCH.checked_add(SignedDuration::from_hours(days * 24)).ok()?;
    Some((date, time.rem_euclid(DAY)))
}

/// The timestamp `time_of_day` microseconds after midnight of `date`.
pub(crate) fn join_day(date: Date, time_of_day: i64) -> Timestamp {
    date.duration_since(EPOCH).as_secs() * SECOND + time_of_day
}

/// Reads `2016-07`, `2016-07-01`, `2016-07-01 00:00`, `2016-07-01T00:00:00.250Z` and the like. Offsets
/// other than zero are refused: a grid of local times has no single meaning across a clock change.
fn parse_calendar(text: &[u8]) -> Option<(Timestamp, TimeStyle)> {
    let mut cursor = Cursor { rest: text.trim_ascii() };
    let mut style = TimeStyle { precision: Precision::Month, ..TimeStyle::default() };
    let year = cursor.digits(4, 4)?;
    let separator = cursor.one_of(b"-/")?;
    style.date_separator = char::from(separator);
    let month = cursor.digits(1, 2)?;
    let mut day = 1;
    let mut time_of_day = 0;
    if !cursor.rest.is_empty() {
        cursor.one_of(&[separator])?;
        day = cursor.digits(1, 2)?;
        style.precision = Precision::Day;
    }
    if !cursor.rest.is_empty() {
        style.time_separator = char::from(cursor.one_of(b" T")?);
        time_of_day = parse_time_of_day(&mut cursor, &mut style)?;
    }
    if !cursor.rest.is_empty() {
        return None;
    }
    let date = Date::new(year as i16, month as i8, day as i8).ok()?;
    Some((join_day(date, time_of_day), style))
}

fn parse_time_of_day(cursor: &mut Cursor<'_>, style: &mut TimeStyle) -> Option<i64> {
    let hour = cursor.digits(1, 2)?;
    cursor.one_of(b":")?;
    let minute = cursor.digits(2, 2)?;
    style.precision = Precision::Minute;
    let mut second = 0;
    let mut fraction = 0;
    if cursor.one_of(b":").is_some() {
        second = cursor.digits(2, 2)?;
        style.precision = Precision::Second;
        if cursor.one_of(b".").is_some() {
            let before = cursor.rest.len();
            let digits = cursor.digits(1, 9)?;
            let width = before - cursor.rest.len();
            fraction = if width <= 6 {
                digits * 10i64.pow(6 - width as u32)
            } else {
                digits / 10i64.pow(width as u32 - 6)
            };
            style.precision = if width <= 3 { Precision::Millisecond } else { Precision::Microsecond };
        }
    }
    for zero_offset in ["Z", "z", "+00:00", "+0000", "+00"] {
        if cursor.rest == zero_offset.as_bytes() {
            cursor.rest = b"";
            style.utc = true;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * SECOND + fraction)
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    /// A number of at least `least` and at most `most` digits (at most 9, so it cannot overflow).
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let mut value = 0;
        let mut count = 0;
        while count < most && count < self.rest.len() && self.rest[count].is_ascii_digit() {
            value = value * 10 + i64::from(self.rest[count] - b'0');
            count += 1;
        }
        self.rest = &self.rest[count..];
        (count >= least).then_some(value)
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        allowed.contains(&first).then(|| {
            self.rest = rest;
            first
        })
    }
}

fn format_calendar(time: Timestamp, style: &TimeStyle) -> String {
    let Some((date, time_of_day)) = split_day(time) else {
        return format!("{time} µs after 1970-01-01");
    };
    let needed = match time_of_day {
        0 if date.day() == 1 => Precision::Month,
        0 => Precision::Day,
        t if t % (60 * SECOND) == 0 => Precision::Minute,
        t if t % SECOND == 0 => Precision::Second,
        t if t % 1_000 == 0 => Precision::Millisecond,
        _ => Precision::Microsecond,
    };
    let precision = style.precision.max(needed);
    let separator = style.date_separator;
    let mut text = format!("{:04}{separator}{:02}", date.year(), date.month());
    if precision >= Precision::Day {
        text.push_str(&format!("{separator}{:02}", date.day()));
    }
    let seconds = time_of_day / SECOND;
    if precision >= Precision::Minute {
        let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
        text.push_str(&format!("{}{hour:02}:{minute:02}", style.time_separator));
    }
    if precision >= Precision::Second {
        text.push_str(&format!(":{:02}", seconds % 60));
    }
    match precision {
        Precision::Millisecond => text.push_str(&format!(".{:03}", time_of_day % SECOND / 1_000)),
        Precision::Microsecond => text.push_str(&format!(".{:06}", time_of_day % SECOND)),
        _ => {}
    }
    if style.utc && precision >= Precision::Minute {
        text.push('Z');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_come_back_as_they_were_written() {
        for text in [
            "1962-01",
            "2016-07-01",
            "2016/07/01",
            "2016-07-01 00:00",
            "2016-07-01 23:59:59",
            "2016-07-01T06:15:00",
            "2016-07-01T06:15:00Z",
            "2016-07-01T06:15:00.250",
            "0001-01-01 00:00:00.000001",
            "9999-12-31",
        ] {
            let (kind, time) = TimeKind::detect(text).expect(text);
            assert_eq!(kind.format(time), text);
        }
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "now",
            "2016",
            "2016-13-01",
            "2016-02-30",
            "01/07/2016",
            "2016-07-01 24:00",
            "2016-07-01 00:60",
            "2016-07-01 00:00:00+02:00",
            "2016-07/01",
            "2016-07-01x",
            "2016-07-01 00:00:00.1234567891",
            "2016-07-01 00:00:00.00000000000000000000000000000000000000000000000000000000000000000000001",
            "2016-07-01 ",
            "99999999999999999999",
        ] {
            let detected = TimeKind::detect(text);
            let calendar = matches!(detected, Some((TimeKind::Calendar(_), _)));
            assert!(!calendar || text == "2016-07-01 ", "{text:?} was read as {detected:?}");
        }
    }

    #[test]
    fn a_coarse_style_is_refined_rather_than_losing_part_of_the_time() {
        let (month, _) = TimeKind::detect("1962-01").unwrap();
        assert_eq!(month.format(14 * DAY), "1970-01-15");
        let (day, _) = TimeKind::detect("1962-01-01").unwrap();
        assert_eq!(day.format(3600 * SECOND), "1970-01-01 01:00");
        assert_eq!(day.format(i64::MAX), "9223372036854775807 µs after 1970-01-01");
    }
}
