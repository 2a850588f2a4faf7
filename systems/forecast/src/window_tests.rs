use bessemer_train::data::Permutation;
use proptest::prelude::*;

use super::*;
use crate::Frequency;
use crate::time::TimeKind;

fn frame(series: Vec<Vec<f32>>) -> Frame {
    let series =
        series.into_iter().enumerate().map(|(n, values)| Series::new(format!("s{n}"), 0, values)).collect();
    Frame { series, frequency: Frequency::Integer { step: 1 }, time: TimeKind::Integer, notes: vec![] }
}

fn counting(lengths: &[usize]) -> Frame {
    frame(lengths.iter().map(|len| (0..*len).map(|row| row as f32).collect()).collect())
}

fn options(lookback: usize, horizon: usize) -> WindowOptions {
    WindowOptions { lookback, horizon, ..WindowOptions::default() }
}

#[test]
fn the_benchmark_has_the_published_number_of_windows() {
    let month = 720;
    for (rows_per_month, horizon, test, train) in [
        (month, 96, 2785, 8209),
        (month, 192, 2689, 8113),
        (month, 336, 2545, 7969),
        (month, 720, 2161, 7585),
        (4 * month, 96, 11425, 34129),
        (4 * month, 720, 10801, 33505),
    ] {
        let frame = frame(vec![vec![1.0; 20 * rows_per_month]]);
        let count = |rows| WindowIndex::new(&frame, &[rows], &options(336, horizon)).unwrap().len();
        assert_eq!(count(16 * rows_per_month..20 * rows_per_month), test);
        assert_eq!(count(0..12 * rows_per_month), train);
    }
}

#[test]
fn windows_are_numbered_by_series_and_then_by_time() {
    let frame = counting(&[5, 4, 6]);
    let index = WindowIndex::new(&frame, &[0..5, 0..4, 0..6], &options(2, 1)).unwrap();
    let windows: Vec<_> = (0..index.len()).map(|n| index.get(n)).map(|w| (w.series, w.origin)).collect();
    assert_eq!(windows, [(0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (2, 2), (2, 3), (2, 4), (2, 5)]);
    assert_eq!(index.of_series(1), 3..5);
}

#[test]
fn a_batch_holds_the_rows_of_its_windows() {
    let frame =
        frame(vec![vec![0.0, 1.0, 2.0, 3.0, f32::NAN, 5.0], vec![10.0, 11.0, 12.0, 13.0, 14.0, 15.0]]);
    let index = WindowIndex::new(&frame, &[0..6, 0..6], &options(2, 2)).unwrap();
    let (mut x, mut y, mut mask) = ([9.0; 4], [9.0; 4], [9.0; 4]);
    index.gather(&frame, &[4, 1], &mut x, &mut y, &mut mask);
    assert_eq!(x, [11.0, 12.0, 1.0, 2.0]);
    assert_eq!(y, [13.0, 14.0, 3.0, 0.0]);
    assert_eq!(mask, [1.0, 1.0, 1.0, 0.0]);
    index.gather_mask_x(&frame, &[4, 1], &mut mask);
    assert_eq!(mask, [1.0; 4]);
}

#[test]
fn windows_need_an_observed_lag_and_an_observed_target() {
    let missing = f32::NAN;
    let frame = frame(vec![vec![missing, missing, 2.0, 3.0, missing, missing, 6.0]]);
    let index = WindowIndex::new(&frame, &[0..7], &options(2, 1)).unwrap();
    let origins: Vec<_> = (0..index.len()).map(|n| index.get(n).origin).collect();
    assert_eq!(origins, [3]); // 2 has no lag, 4 and 5 no target, 6 no lag
}

#[test]
fn padding_reaches_beyond_both_ends() {
    let frame = counting(&[3]);
    let padded = WindowOptions { pad_start: true, pad_end: true, ..options(4, 2) };
    let index = WindowIndex::new(&frame, &[0..3], &padded).unwrap();
    assert_eq!(index.len(), 2);
    let (mut x, mut y, mut mask) = ([9.0; 8], [9.0; 4], [9.0; 4]);
    index.gather(&frame, &[0, 1], &mut x, &mut y, &mut mask);
    assert_eq!(x, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!((y, mask), ([1.0, 2.0, 2.0, 0.0], [1.0, 1.0, 1.0, 0.0]));
    index.gather_mask_x(&frame, &[0, 1], &mut x);
    assert_eq!(x, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn padded_targets_do_not_look_into_the_next_range() {
    let frame = counting(&[10]);
    let index = WindowIndex::new(&frame, &[0..6], &WindowOptions { pad_end: true, ..options(2, 3) }).unwrap();
    let (mut x, mut y, mut mask) = ([9.0; 2], [9.0; 3], [9.0; 3]);
    index.gather(&frame, &[index.len() - 1], &mut x, &mut y, &mut mask);
    assert_eq!((y, mask), ([5.0, 0.0, 0.0], [1.0, 0.0, 0.0]));
}

#[test]
fn what_is_too_short_is_named() {
    let frame = counting(&[200, 40]);
    let error = WindowIndex::new(&frame, &[0..200, 0..40], &options(96, 24)).unwrap_err();
    insta::assert_snapshot!(error, @"series `s1`: 40 rows, but lookback 96 + horizon 24 needs at least 120; shorten the lookback or the horizon, hold out fewer rows, or drop the series");
    let skipping = WindowOptions { skip_short: true, ..options(96, 24) };
    let index = WindowIndex::new(&frame, &[0..200, 0..40], &skipping).unwrap();
    assert_eq!((index.len(), index.skipped()), (81, &[1][..]));
    let error = WindowIndex::new(&frame, &[0..200, 0..41], &options(2, 1)).unwrap_err();
    insta::assert_snapshot!(error, @"series `s1`: rows 1 to 41 reach beyond its 40 rows; split by the length of each series");
    let error = WindowIndex::new(&frame, &[0..200, 0..40], &options(2, 0)).unwrap_err();
    insta::assert_snapshot!(error, @"horizon is 0; it must be at least 1");
    let error = WindowIndex::new(&frame, &[0..200, 0..40], &options(usize::MAX, usize::MAX)).unwrap_err();
    assert!(matches!(error, Error::SeriesTooShort { .. }), "{error}");
    let padded = WindowOptions { pad_start: true, pad_end: true, ..options(usize::MAX, usize::MAX) };
    assert_eq!(WindowIndex::new(&frame, &[0..200, 0..40], &padded).unwrap().len(), 199 + 39);
}

proptest! {
    /// The index against the obvious enumeration of every origin.
    #[test]
    fn the_index_is_the_list_of_allowed_windows(
        series in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.6, 0f32..9.0), 1..30), 1..4),
        (lookback, horizon, stride) in (1..6usize, 1..6usize, 1..4usize),
        (pad_start, pad_end) in any::<(bool, bool)>(),
        border in 0..10usize,
    ) {
        let values = |s: &Vec<Option<f32>>| s.iter().map(|v| v.unwrap_or(f32::NAN)).collect();
        let frame = frame(series.iter().map(values).collect());
        let ranges: Vec<_> = frame.series.iter().map(|s| border.min(s.len())..s.len()).collect();
        let options = WindowOptions { lookback, horizon, stride, pad_start, pad_end, skip_short: true };
        let index = WindowIndex::new(&frame, &ranges, &options).unwrap();
        let mut expected = vec![];
        for (place, (cells, range)) in series.iter().zip(&ranges).enumerate() {
            let first = range.start.max(if pad_start { 1 } else { lookback });
            for origin in (first..range.end).step_by(stride) {
                let fits = pad_end || origin + horizon <= range.end;
                let lag = cells[origin.saturating_sub(lookback)..origin].iter().any(Option::is_some);
                let target = cells[origin..range.end.min(origin + horizon)].iter().any(Option::is_some);
                if fits && lag && target {
                    expected.push(Window { series: place, origin });
                }
            }
        }
        let found: Vec<_> = (0..index.len()).map(|number| index.get(number)).collect();
        prop_assert_eq!(&found, &expected);
        let mut shuffled: Vec<_> = Permutation::new(index.len(), 1, 1).iter().map(|n| index.get(n)).collect();
        shuffled.sort();
        prop_assert_eq!(&shuffled, &expected);
    }
}
