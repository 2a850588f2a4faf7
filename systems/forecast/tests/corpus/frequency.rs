//! Names of frequencies, as they are given on the command line.

use bessemer_forecast::Frequency;

/// What is said of a name.
///
/// # Panics
/// If the name of what was read is that of something else.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    let frequency: Frequency = text.parse().map_err(|error: bessemer_forecast::Error| error.to_string())?;
    let again: Frequency = frequency.to_string().parse().map_err(|_| format!("{frequency} is not read"))?;
    assert_eq!(again.cadence(), frequency.cadence());
    for time in [i64::MIN, -1, 0, 1 << 52, i64::MAX] {
        for steps in [i64::MIN, -1, 1, 1000, i64::MAX] {
            // From a time beyond the calendar, or off the grid, nothing needs to lead back.
            if let Some(there) = frequency.advance(time, steps) {
                _ = frequency.steps_between(time, there);
            }
        }
    }
    assert!(frequency.seasonality() > 0);
    Ok(())
}
