//! Lifetimes to offsets: puts buffers that are never alive together in the same memory.

use std::ops::Range;

/// Floats to which buffers are aligned: a cache line.
const ALIGN: usize = 16;

/// A buffer to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Floats.
    pub len: usize,
    /// The first call that touches it.
    pub first: usize,
    /// The last call that touches it.
    pub last: usize,
}

/// Gives every buffer a range of its own, and says how long the arena is.
pub fn line_up(buffers: &[Buffer]) -> (Vec<Range<usize>>, usize) {
    let mut total = 0;
    let mut place = |len: usize| {
        let start = total;
        total += len.next_multiple_of(ALIGN);
        start..start + len
    };
    let ranges = buffers.iter().map(|b| place(b.len)).collect();
    (ranges, total)
}

/// Gives every buffer a range, and says how long the arena is.
///
/// Largest first, each at the lowest offset that is free for its lifetime (greedy by size; Pisarchyk &
/// Lee, "Efficient memory management for deep neural net inference", 2020).
pub fn lay_out(buffers: &[Buffer]) -> (Vec<Range<usize>>, usize) {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(buffers[i].len), i));
    let mut ranges = vec![0..0; buffers.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut total = 0;
    for i in order {
        let b = &buffers[i];
        let len = b.len.next_multiple_of(ALIGN);
        let mut taken: Vec<Range<usize>> = placed
            .iter()
            .filter(|&&j| buffers[j].first <= b.last && b.first <= buffers[j].last)
            .map(|&j| ranges[j].start..ranges[j].start + buffers[j].len.next_multiple_of(ALIGN))
            .collect();
        taken.sort_by_key(|r| r.start);
        let mut at = 0;
        for r in taken {
            if r.start >= at + len {
                break;
            }
            at = at.max(r.end);
        }
        ranges[i] = at..at + b.len;
        total = total.max(at + len);
        placed.push(i);
    }
    (ranges, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buffers_alive_together_never_overlap(
            spec in prop::collection::vec((0usize..100, 0usize..20, 0usize..20), 0..40)
        ) {
            let buffers: Vec<Buffer> = spec
                .iter()
                .map(|&(len, a, b)| Buffer { len, first: a.min(b), last: a.max(b) })
                .collect();
            let (ranges, total) = lay_out(&buffers);
            for i in 0..buffers.len() {
                prop_assert_eq!(ranges[i].len(), buffers[i].len);
                prop_assert!(ranges[i].end <= total);
                for j in 0..i {
                    let together = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
                    let apart = ranges[i].end <= ranges[j].start || ranges[j].end <= ranges[i].start;
                    prop_assert!(!together || apart || ranges[i].is_empty() || ranges[j].is_empty());
                }
            }
        }
    }

    #[test]
    fn a_chain_reuses_two_buffers() {
        let buffers: Vec<Buffer> = (0..10).map(|i| Buffer { len: 64, first: i, last: i + 1 }).collect();
        assert_eq!(lay_out(&buffers).1, 128);
        assert_eq!(line_up(&buffers).1, 640);
    }
}
