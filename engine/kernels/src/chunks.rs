//! Sharing out parts of large buffers among the threads of a pool.

use std::ops::Range;

use crate::pool::Pool;

/// A pointer that tasks on several threads may use, each for its own part.
struct Shared(*mut f32);

// SAFETY: the functions below hand every part to one task only, and return after all tasks.
unsafe impl Sync for Shared {}

impl Shared {
    /// The part at a range, for as long as the buffer is borrowed.
    ///
    /// # Safety
    /// In bounds, and no other use of the part in the meantime.
    #[allow(clippy::mut_from_ref)] // the caller promises that parts are disjoint
    unsafe fn part<'a>(&self, range: &Range<usize>) -> &'a mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(range.start), range.len()) }
    }
}

/// Calls `f(start, parts)` for every chunk of `chunk` floats (the last may be shorter) of buffers of
/// one length, chunks of the same position together. Which chunks there are depends on the lengths
/// only; which thread runs one does not matter.
///
/// # Panics
/// If the buffers' lengths differ or `chunk` is 0.
pub fn for_chunks<const N: usize>(
    pool: &Pool,
    mut data: [&mut [f32]; N],
    chunk: usize,
    f: &(dyn Fn(usize, [&mut [f32]; N]) + Sync),
) {
    let len = data[0].len();
    assert!(chunk > 0 && data.iter().all(|d| d.len() == len), "buffers of one length, in chunks");
    let shared: [Shared; N] = std::array::from_fn(|i| Shared(data[i].as_mut_ptr()));
    pool.run(len.div_ceil(chunk), &|task| {
        let range = task * chunk..((task + 1) * chunk).min(len);
        // SAFETY: in bounds; tasks have disjoint ranges, and `data` is borrowed until all have ended.
        f(range.start, std::array::from_fn(|i| unsafe { shared[i].part(&range) }));
    });
}

/// Calls `f(task, part)` for the parts of a buffer at `parts`, given in order and not overlapping.
///
/// # Panics
/// If a part is out of bounds or overlaps the one before it.
pub fn for_parts(
    pool: &Pool,
    data: &mut [f32],
    parts: &[Range<usize>],
    f: &(dyn Fn(usize, &mut [f32]) + Sync),
) {
    let mut end = 0;
    for (task, part) in parts.iter().enumerate() {
        assert!(end <= part.start && part.start <= part.end, "part {task} overlaps the one before it");
        end = part.end;
    }
    assert!(end <= data.len(), "the last part ends at {end}, past {}", data.len());
    let shared = Shared(data.as_mut_ptr());
    // SAFETY: checked above to be in bounds and disjoint; `data` is borrowed until all have ended.
    pool.run(parts.len(), &|task| f(task, unsafe { shared.part(&parts[task]) }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_visited_once() {
        for threads in [1, 3] {
            let pool = Pool::new(threads);
            let (mut a, mut b) = (vec![0.0; 1000], vec![0.0; 1000]);
            for_chunks(&pool, [&mut a, &mut b], 64, &|start, [a, b]| {
                for (i, (a, b)) in a.iter_mut().zip(b).enumerate() {
                    *a += (start + i) as f32;
                    *b += 1.0;
                }
            });
            assert!(a.iter().enumerate().all(|(i, &x)| x == i as f32));
            assert!(b.iter().all(|&x| x == 1.0));
            let parts: Vec<Range<usize>> = (0..10).map(|t| t * 100..t * 100 + 50).collect();
            for_parts(&pool, &mut a, &parts, &|task, part| part.fill(task as f32));
            assert_eq!((a[149], a[150], a[949]), (1.0, 150.0, 9.0));
        }
    }

    #[test]
    #[should_panic(expected = "overlaps")]
    fn parts_may_not_overlap() {
        for_parts(&Pool::new(1), &mut [0.0; 10], &[0..2, 1..3], &|_, _| {});
    }
}
