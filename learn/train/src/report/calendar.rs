//! Time on a horizontal axis: round calendar positions, and dates in words (UTC, Gregorian calendar).

use super::axis::Tick;

const DAY: i64 = 86_400;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// About thirty thousand years each way; beyond that an axis is not a calendar.
const LARGEST_SECONDS: f64 = 1e12;

/// Distances between ticks, smallest first.
const STEPS: [Step; 27] = [
    Step::Seconds(1),
    Step::Seconds(5),
    Step::Seconds(15),
    Step::Seconds(60),
    Step::Seconds(5 * 60),
    Step::Seconds(15 * 60),
    Step::Seconds(30 * 60),
    Step::Seconds(3_600),
    Step::Seconds(3 * 3_600),
    Step::Seconds(6 * 3_600),
    Step::Seconds(12 * 3_600),
    Step::Seconds(DAY),
    Step::Seconds(2 * DAY),
    Step::Seconds(7 * DAY),
    Step::Seconds(14 * DAY),
    Step::Months(1),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(5 * 12),
    Step::Months(10 * 12),
    Step::Months(20 * 12),
    Step::Months(50 * 12),
    Step::Months(100 * 12),
    Step::Months(1_000 * 12),
    Step::Months(10_000 * 12),
];

#[derive(Debug, Clone, Copy)]
enum Step {
    Seconds(i64),
    Months(i64),
}

impl Step {
    fn seconds(self) -> f64 {
        match self {
            Step::Seconds(seconds) => seconds as f64,
            Step::Months(months) => months as f64 * 365.2425 / 12.0 * DAY as f64,
        }
    }

    /// The position of this step's `index`-th tick, in seconds since 1970.
    fn at(self, index: i64) -> i64 {
        match self {
            Step::Seconds(step) => index * step + self.origin(),
            Step::Months(step) => {
                let month = index * step;
                seconds_from_days(days_from_date(month.div_euclid(12), month.rem_euclid(12) + 1, 1))
            }
        }
    }

    /// The last tick at or before `second`.
    fn index_before(self, second: i64) -> i64 {
        match self {
            Step::Seconds(step) => (second - self.origin()).div_euclid(step),
            Step::Months(step) => {
                let date = Date::of(second);
                (date.year * 12 + date.month - 1).div_euclid(step)
            }
        }
    }

    /// Weeks begin on Monday: 5 January 1970 was the first.
    fn origin(self) -> i64 {
        match self {
            Step::Seconds(step) if step % (7 * DAY) == 0 => 4 * DAY,
            _ => 0,
        }
    }
}

/// Seconds from 1970-01-01 to the start of a day, both UTC: the unit of
/// [`XAxis::Time`](super::XAxis::Time). Months and days count from one; a month or day outside the
/// calendar runs over into the next or the previous one.
///
/// ```
/// use bessemer_train::report::date_seconds;
///
/// assert_eq!(date_seconds(1970, 1, 2), 86_400.0);
/// assert_eq!(date_seconds(1960, 13, 1), date_seconds(1961, 1, 1));
/// ```
pub fn date_seconds(year: i32, month: i32, day: i32) -> f64 {
    let month = i64::from(year) * 12 + i64::from(month) - 1;
    let first = days_from_date(month.div_euclid(12), month.rem_euclid(12) + 1, 1);
    seconds_from_days(first + i64::from(day) - 1) as f64
}

/// Ticks inside `low..=high`, about `target` of them; `None` where these are no dates.
pub(super) fn ticks(low: f64, high: f64, target: usize) -> Option<Vec<Tick>> {
    if low.abs() > LARGEST_SECONDS || high.abs() > LARGEST_SECONDS {
        return None;
    }
    let rough = (high - low) / target.max(1) as f64;
    let step =
        STEPS.into_iter().find(|step| step.seconds() >= 0.95 * rough).unwrap_or(STEPS[STEPS.len() - 1]);
    let first = step.index_before(low.ceil() as i64);
    let mut ticks = Vec::new();
    let mut last_context = String::new();
    for index in first..first + 60 {
        let second = step.at(index);
        if (second as f64) < low {
            continue;
        }
        if second as f64 > high {
            break;
        }
        let (label, context) = words(second, step);
        let is_new = context != last_context;
        let shown = (is_new && !context.is_empty()).then(|| context.clone());
        ticks.push(Tick { at: second as f64, label, context: shown });
        last_context = context;
    }
    Some(ticks)
}

/// The label of a tick, and what it lies in: a month's year, a day's month, an hour's day.
fn words(second: i64, step: Step) -> (String, String) {
    let Date { year, month, day } = Date::of(second);
    let name = month_name(month);
    match step {
        Step::Months(months) if months % 12 == 0 => (year.to_string(), String::new()),
        Step::Months(_) => (name.into(), year.to_string()),
        Step::Seconds(step) if step >= DAY => (day.to_string(), format!("{name} {year}")),
        Step::Seconds(step) => (clock(second, step < 60), format!("{day} {name} {year}")),
    }
}

/// A position in words, as fine as the `spacing` between positions asks for.
pub(super) fn describe(seconds: f64, spacing: f64) -> Option<String> {
    if seconds.is_nan() || seconds.abs() > LARGEST_SECONDS {
        return None;
    }
    let second = seconds.round() as i64;
    let Date { year, month, day } = Date::of(second);
    let name = month_name(month);
    let is_month_start = day == 1 && second.rem_euclid(DAY) == 0;
    Some(if spacing >= 27.5 * DAY as f64 && is_month_start {
        format!("{name} {year}")
    } else if spacing >= DAY as f64 {
        format!("{day} {name} {year}")
    } else {
        format!("{day} {name} {year}, {}", clock(second, spacing < 60.0))
    })
}

fn clock(second: i64, with_seconds: bool) -> String {
    let of_day = second.rem_euclid(DAY);
    let (hour, minute) = (of_day / 3_600, of_day / 60 % 60);
    if with_seconds {
        format!("{hour:02}:{minute:02}:{:02}", of_day % 60)
    } else {
        format!("{hour:02}:{minute:02}")
    }
}

fn month_name(month: i64) -> &'static str {
    MONTHS[(month - 1).rem_euclid(12) as usize]
}

fn seconds_from_days(days: i64) -> i64 {
    days * DAY
}

/// Days from 1970-01-01 to a date. Howard Hinnant, "chrono-compatible low-level date algorithms":
/// years begin in March so that the leap day comes last, and repeat every 400 years (146,097 days).
fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// The day that holds this second; the inverse of [`days_from_date`].
    fn of(second: i64) -> Date {
        let days = second.div_euclid(DAY) + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Date { year, month, day: day_of_year - (153 * shifted_month + 2) / 5 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        assert_eq!(days_from_date(1970, 1, 1), 0);
        assert_eq!(days_from_date(2000, 2, 29), 11_016);
        assert_eq!(days_from_date(1900, 3, 1), -25_508);
        assert_eq!(Date::of(951_782_400), Date { year: 2000, month: 2, day: 29 });
    }

    #[test]
    fn labels_follow_the_length_of_the_axis() {
        let year = date_seconds(1960, 1, 1);
        let cases = [
            (12.0 * 365.25, 6, "1960 1962 1964 1966 1968 1970 1972"),
            (365.0, 5, "Jan/1960 Apr Jul Oct"),
            (20.0, 5, "4/Jan 1960 11 18"),
            (1.0, 4, "00:00/1 Jan 1960 06:00 12:00 18:00 00:00/2 Jan 1960"),
            (1.0 / 8_640.0, 2, "00:00:00/1 Jan 1960 00:00:05 00:00:10"),
        ];
        for (days, target, expected) in cases {
            let written: Vec<_> = ticks(year, year + days * DAY as f64, target)
                .into_iter()
                .flatten()
                .map(|tick| match tick.context {
                    Some(context) => format!("{}/{context}", tick.label),
                    None => tick.label,
                })
                .collect();
            assert_eq!(written.join(" "), expected, "{days} days");
        }
    }

    #[test]
    fn tooltips_are_as_fine_as_the_data() {
        let second = date_seconds(1960, 7, 1);
        assert_eq!(describe(second, 30.0 * DAY as f64).as_deref(), Some("Jul 1960"));
        assert_eq!(describe(second, DAY as f64).as_deref(), Some("1 Jul 1960"));
        assert_eq!(describe(second, 3_600.0).as_deref(), Some("1 Jul 1960, 00:00"));
        assert_eq!(describe(f64::NAN, 1.0), None);
    }

    proptest! {
        #[test]
        fn dates_survive_the_round_trip(second in -1_000_000_000_000i64..1_000_000_000_000) {
            let date = Date::of(second);
            prop_assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
            prop_assert_eq!(days_from_date(date.year, date.month, date.day), second.div_euclid(DAY));
        }

        #[test]
        fn ticks_are_few_and_inside(low in -1e11f64..1e11, span in 1f64..1e11) {
            let ticks = ticks(low, low + span, 6).unwrap_or_default();
            prop_assert!(ticks.len() <= 9);
            prop_assert!(ticks.iter().all(|tick| (low..=low + span).contains(&tick.at)));
        }
    }
}
