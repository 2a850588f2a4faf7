//! The step of a regular time grid: parsing, inference and calendar arithmetic.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::time::{DAY, SECOND, TimeKind, Timestamp, join_day, split_day};

const WEEK: i64 = 7 * DAY;
const COUNT_MAX: i64 = 1_000_000;

/// The step between neighbouring rows of a series.
///
/// ```
/// use bessemer_forecast::{Frequency, TimeKind};
///
/// let monthly: Frequency = "MS".parse().unwrap();
/// let (kind, december) = TimeKind::detect("1960-12-01").unwrap();
/// assert_eq!(kind.format(monthly.advance(december, 2).unwrap()), "1961-02-01");
/// assert_eq!(monthly.seasonality(), 12);
/// assert_eq!("15min".parse::<Frequency>().unwrap().to_string(), "15min");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frequency {
    /// A fixed length of time: seconds to weeks.
    Fixed {
        /// Length in microseconds.
        micros: i64,
    },
    /// Monday to Friday.
    BusinessDay,
    /// Calendar months; a quarter is 3 and a year 12.
    Months {
        /// How many months.
        count: u32,
        /// The day of the month, or the month's last day where it has fewer: 1 is month start, 31 month
        /// end. Reading a file sets this from its rows.
        day: u8,
    },
    /// A step in a column of whole numbers.
    Integer {
        /// The difference between neighbours.
        step: i64,
    },
}

impl Frequency {
    /// The timestamp `steps` steps after (before, if negative) `from`; `None` beyond the calendar.
    pub fn advance(&self, from: Timestamp, steps: i64) -> Option<Timestamp> {
        match *self {
            Frequency::Integer { step } => from.checked_add(step.checked_mul(steps)?),
            Frequency::Fixed { micros } => {
                let time = from.checked_add(micros.checked_mul(steps)?)?;
                split_day(time).map(|_| time)
            }
            Frequency::BusinessDay => {
                let (index, time_of_day) = (business_day(from)?, from.rem_euclid(DAY));
                let index = index.checked_add(steps)?;
                // 1970-01-01 was a Thursday: day -3 is the Monday of business day 0.
                let days = index.div_euclid(5).checked_mul(7)? + index.rem_euclid(5) - 3;
                let time = days.checked_mul(DAY)?.checked_add(time_of_day)?;
                split_day(time).map(|_| time)
            }
            Frequency::Months { count, day } => {
                let (date, time_of_day) = split_day(from)?;
                let month = month_number(date).checked_add(i64::from(count).checked_mul(steps)?)?;
                let year = i16::try_from(month.div_euclid(12)).ok()?;
                let first = Date::new(year, month.rem_euclid(12) as i8 + 1, 1).ok()?;
                let day = (day as i8).min(first.days_in_month());
                Some(join_day(Date::new(year, first.month(), day).ok()?, time_of_day))
            }
        }
    }

    /// How many steps lead from `from` to `to`; `None` where `to` is not on the grid through `from`.
    pub fn steps_between(&self, from: Timestamp, to: Timestamp) -> Option<i64> {
        let steps = match *self {
            Frequency::Integer { step } | Frequency::Fixed { micros: step } => {
                let distance = to.checked_sub(from)?;
                return (distance.checked_rem(step)? == 0).then(|| distance / step);
            }
            Frequency::BusinessDay => business_day(to)? - business_day(from)?,
            Frequency::Months { count, .. } => {
                let months = month_number(split_day(to)?.0) - month_number(split_day(from)?.0);
                (months.checked_rem(i64::from(count))? == 0).then(|| months / i64::from(count))?
            }
        };
        (self.advance(from, steps) == Some(to)).then_some(steps)
    }

    /// The usual length of the season in steps: a day of hours, quarter hours or minutes, a week of days,
    /// a year of weeks, months or quarters, an hour of seconds, a second of less; 1 (none) otherwise.
    pub fn seasonality(&self) -> usize {
        match *self {
            Frequency::Integer { .. } => 1,
            Frequency::BusinessDay => 5,
            Frequency::Months { count, .. } if count > 0 && 12 % count == 0 => (12 / count) as usize,
            Frequency::Months { .. } => 1,
            Frequency::Fixed { micros: DAY } => 7,
            Frequency::Fixed { micros: WEEK } => 52,
            Frequency::Fixed { micros } if micros >= 60 * SECOND && DAY % micros == 0 => {
                (DAY / micros) as usize
            }
            Frequency::Fixed { micros }
                if (SECOND..60 * SECOND).contains(&micros) && 3600 * SECOND % micros == 0 =>
            {
                (3600 * SECOND / micros) as usize
            }
            Frequency::Fixed { micros } if (1..SECOND).contains(&micros) && SECOND % micros == 0 => {
                (SECOND / micros) as usize
            }
            Frequency::Fixed { .. } => 1,
        }
    }

    /// Whether this step can be taken in a column of that kind.
    pub(crate) fn fits(&self, kind: &TimeKind) -> bool {
        matches!(self, Frequency::Integer { .. }) == matches!(kind, TimeKind::Integer)
    }

    /// The same step with its day of the month taken from the data, so that `M` fits a file dated on the
    /// first, the last or any other day.
    pub(crate) fn anchored(self, groups: &[&[Timestamp]]) -> Frequency {
        match (self, month_anchor(groups)) {
            (Frequency::Months { count, .. }, Some(day)) => Frequency::Months { count, day },
            _ => self,
        }
    }

    /// The most common difference between neighbours of sorted, duplicate-free `groups`, as calendar
    /// months where the dates are; the smallest such where several are equally common.
    pub(crate) fn infer(kind: &TimeKind, groups: &[&[Timestamp]]) -> Option<Frequency> {
        let difference = |from: &i64, to: &i64| to.checked_sub(*from);
        if matches!(kind, TimeKind::Integer) {
            return most_common(groups, difference).map(|step| Frequency::Integer { step });
        }
        if let Some(day) = month_anchor(groups) {
            let months = most_common(groups, |from, to| {
                Some(month_number(split_day(*to)?.0) - month_number(split_day(*from)?.0))
            })?;
            return Some(Frequency::Months { count: u32::try_from(months).ok()?, day });
        }
        let micros = most_common(groups, difference)?;
        if micros == DAY && skips_weekends(groups) {
            return Some(Frequency::BusinessDay);
        }
        Some(Frequency::Fixed { micros })
    }
}

/// Months since the year 0.
fn month_number(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// Business days since Monday, 29 December 1969; `None` at a weekend.
fn business_day(time: Timestamp) -> Option<i64> {
    let days = time.div_euclid(DAY) + 3;
    (days.rem_euclid(7) < 5).then(|| days.div_euclid(7) * 5 + days.rem_euclid(7))
}

fn skips_weekends(groups: &[&[Timestamp]]) -> bool {
    let spans_a_weekend =
        groups.iter().any(|times| matches!(times, [first, .., last] if last.abs_diff(*first) >= WEEK as u64));
    spans_a_weekend && groups.iter().all(|times| times.iter().all(|time| business_day(*time).is_some()))
}

/// The day of the month that all timestamps share (31 for month ends), if they do.
fn month_anchor(groups: &[&[Timestamp]]) -> Option<u8> {
    let mut times = groups.iter().flat_map(|times| times.iter());
    let (first, time_of_day) = split_day(*times.next()?)?;
    let (mut all_last, mut last_day) = (first.day() == first.days_in_month(), first.day());
    for time in times {
        let (date, other) = split_day(*time)?;
        let is_last = date.day() == date.days_in_month();
        // A shorter month shows its last day in place of the anchor.
        if other != time_of_day || (date.day() != last_day && !is_last && !all_last) {
            return None;
        }
        all_last &= is_last;
        last_day = last_day.max(date.day());
    }
    if all_last {
        return Some(31);
    }
    let shares_the_day = |time: &i64| {
        split_day(*time).is_some_and(|(date, _)| date.day() == last_day.min(date.days_in_month()))
    };
    groups.iter().all(|times| times.iter().all(shares_the_day)).then_some(last_day as u8)
}

fn most_common(
    groups: &[&[Timestamp]],
    difference: impl Fn(&Timestamp, &Timestamp) -> Option<i64>,
) -> Option<i64> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    let mut run = (0, 0); // regular data repeats one difference: count the run, not the map
    for pair in groups.iter().flat_map(|times| times.windows(2)) {
        let step = difference(&pair[0], &pair[1])?;
        if step == run.0 {
            run.1 += 1;
        } else {
            *counts.entry(run.0).or_default() += run.1;
            run = (step, 1);
        }
    }
    *counts.entry(run.0).or_default() += run.1;
    counts.remove(&0);
    counts.into_iter().max_by_key(|&(step, count)| (count, std::cmp::Reverse(step))).map(|(step, _)| step)
}

impl FromStr for Frequency {
    type Err = Error;

    /// Reads a pandas- or Polars-style name, such as `h`, `15min`, `D`, `W-SUN`, `MS`, `QE` or `1mo`. What
    /// follows a hyphen and the start or end of the month are taken from the data instead.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::BadFrequency { value: crate::error::shorten(text) };
        let name = text.trim();
        let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, unit) = name.split_at(digits);
        let count: i64 = if count.is_empty() { 1 } else { count.parse().map_err(|_| bad())? };
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(bad());
        }
        let unit = unit.split('-').next().unwrap_or_default();
        let fixed = |micros: i64| Ok(Frequency::Fixed { micros: micros * count });
        let months = |months: i64, day| Ok(Frequency::Months { count: (months * count) as u32, day });
        match unit {
            "" if digits > 0 => Ok(Frequency::Integer { step: count }),
            "us" => fixed(1),
            "ms" => fixed(1_000),
            "s" | "S" => fixed(SECOND),
            "min" | "T" => fixed(60 * SECOND),
            "h" | "H" => fixed(3600 * SECOND),
            "D" | "d" => fixed(DAY),
            "W" | "w" => fixed(WEEK),
            "B" if count == 1 => Ok(Frequency::BusinessDay),
            "M" | "MS" | "mo" => months(1, 1),
            "ME" => months(1, 31),
            "Q" | "QS" | "q" => months(3, 1),
            "QE" => months(3, 31),
            "Y" | "YS" | "A" | "AS" | "y" => months(12, 1),
            "YE" => months(12, 31),
            _ => Err(bad()),
        }
    }
}

impl Frequency {
    /// How far apart rows are, whatever day of the month they fall on: what a model fitted on one frame
    /// and asked about another goes by.
    pub fn cadence(&self) -> String {
        match *self {
            Frequency::Months { count: 1, .. } => "monthly".into(),
            Frequency::Months { count, .. } => format!("every {count} months"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
            Frequency::Integer { step } => return write!(f, "{step}"),
            Frequency::BusinessDay => (1, "B"),
            Frequency::Months { count, day } => {
                let (count, unit) = match count {
                    years if years.is_multiple_of(12) => (years / 12, ["YS", "Y", "YE"]),
                    quarters if quarters.is_multiple_of(3) => (quarters / 3, ["QS", "Q", "QE"]),
                    months => (months, ["MS", "M", "ME"]),
                };
                (i64::from(count), unit[usize::from(day > 1) + usize::from(day == 31)])
            }
            Frequency::Fixed { micros } => [
                (WEEK, "W"),
                (DAY, "D"),
                (3600 * SECOND, "h"),
                (60 * SECOND, "min"),
                (SECOND, "s"),
                (1_000, "ms"),
            ]
            .into_iter()
            .find(|(unit, _)| micros % unit == 0)
            .map_or((micros, "us"), |(unit, name)| (micros / unit, name)),
        };
        if count != 1 {
            write!(f, "{count}")?;
        }
        f.write_str(unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(texts: &[&str]) -> (TimeKind, Vec<i64>) {
        let (kind, _) = TimeKind::detect(texts[0]).unwrap();
        (kind, texts.iter().map(|text| kind.parse(text).unwrap()).collect())
    }

    #[test]
    fn the_step_is_inferred_from_the_rows() {
        for (rows, expected) in [
            (&["2016-07-01 00:00", "2016-07-01 01:00", "2016-07-01 02:00", "2016-07-01 05:00"][..], "h"),
            (&["2016-07-01 00:00", "2016-07-01 00:15"], "15min"),
            (&["2024-02-27", "2024-02-28", "2024-02-29"], "D"),
            (&["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-11"], "B"),
            (&["2024-01-07", "2024-01-14", "2024-01-28"], "W"),
            (&["1949-01-01", "1949-02-01", "1949-03-01"], "MS"),
            (&["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30"], "ME"),
            (&["2023-02-28", "2023-03-31"], "ME"),
            (&["2023-01-30", "2023-02-28", "2023-03-30"], "M"),
            (&["2023-02-28", "2023-03-30", "2023-04-30"], "M"),
            (&["2023-01-01", "2023-04-01", "2023-07-01"], "QS"),
            (&["2021-12-31", "2022-12-31", "2023-12-31"], "YE"),
            (&["1990", "1991", "1993", "1994"], "1"),
            (&["0", "10", "20"], "10"),
        ] {
            let (kind, times) = times(rows);
            let frequency = Frequency::infer(&kind, &[&times]).expect(expected);
            assert_eq!(frequency.to_string(), expected, "{rows:?}");
            let mut reached = 0;
            for time in &times {
                let steps = frequency.steps_between(times[0], *time).unwrap_or_else(|| panic!("{rows:?}"));
                assert!(steps >= reached);
                assert_eq!(frequency.advance(times[0], steps), Some(*time), "{rows:?}");
                reached = steps;
            }
        }
        let (kind, one) = times(&["2024-01-01"]);
        assert_eq!(Frequency::infer(&kind, &[&one]), None);
    }

    #[test]
    fn names_are_read_and_written() {
        for (name, written, season) in [
            ("h", "h", 24),
            ("H", "h", 24),
            ("15min", "15min", 96),
            ("60min", "h", 24),
            ("D", "D", 7),
            ("B", "B", 5),
            ("W-SUN", "W", 52),
            ("M", "MS", 12),
            ("ME", "ME", 12),
            ("Q", "QS", 4),
            ("QS-OCT", "QS", 4),
            ("Y", "YS", 1),
            ("1mo", "MS", 12),
            ("10s", "10s", 360),
            ("250us", "250us", 4000),
            ("2D", "2D", 1),
            ("1", "1", 1),
        ] {
            let frequency: Frequency = name.parse().unwrap();
            assert_eq!(
                (frequency.to_string().as_str(), frequency.seasonality()),
                (written, season),
                "{name}"
            );
        }
        for name in ["", "m", "0h", "-1h", "5x", "h5", "99999999999999999999D", "2000000h"] {
            assert!(name.parse::<Frequency>().is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn steps_between_undoes_advance(name in 0..9usize, day in -100_000..100_000i64, steps in -2000..2000i64) {
            let name = ["s", "15min", "h", "D", "B", "W", "MS", "2QE", "YE"][name];
            let frequency: Frequency = name.parse().unwrap();
            // A day on the grid: a Monday, or the month's anchor.
            let monday = day.div_euclid(7) * 7 - 3;
            let start = match frequency {
                Frequency::Months { .. } => frequency.advance(day * DAY + 5 * SECOND, 0).unwrap(),
                _ => monday * DAY + 5 * SECOND,
            };
            let end = frequency.advance(start, steps).unwrap();
            prop_assert_eq!(frequency.steps_between(start, end), Some(steps));
            prop_assert_eq!(frequency.advance(end, -steps), Some(start));
            prop_assert_eq!(frequency.steps_between(start, end + 1), None);
        }
    }

    #[test]
    fn beyond_the_calendar_is_none_and_never_a_panic() {
        for name in ["1", "s", "B", "W", "MS", "YE"] {
            let frequency: Frequency = name.parse().unwrap();
            for time in [i64::MIN, -1, 0, i64::MAX] {
                for steps in [i64::MIN, -7, 3, i64::MAX] {
                    frequency.advance(time, steps);
                    frequency.steps_between(time, steps);
                }
            }
        }
    }
}
