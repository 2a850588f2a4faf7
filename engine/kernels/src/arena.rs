//! One buffer, and the only place where several disjoint mutable parts of it are handed out.
//!
//! A plan lays every value of a step out in one arena; a kernel call then needs some parts to read
//! and some to write at once, which the borrow checker cannot see to be disjoint. Here it is checked
//! at run time, so the interface is safe.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::Range;
use std::ptr::NonNull;

/// Bytes in a cache line.
const LINE: usize = 64;

#[repr(align(64))]
struct Line;

/// Bytes in a large page. Products stride through megabytes; with small pages they wait for page
/// tables (twice as deep in a virtual machine).
const LARGE_PAGE: usize = 2 << 20;

/// A zeroed buffer of floats, aligned to the cache line.
///
/// ```
/// use bessemer_kernels::arena::Arena;
///
/// let mut arena = Arena::new(8);
/// arena.as_mut_slice()[..4].copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
/// let ([x], [y]) = arena.parts([0..4], [4..8]);
/// y.copy_from_slice(x);
/// assert_eq!(arena.as_slice()[4..], [1.0, 2.0, 3.0, 4.0]);
/// ```
pub struct Arena {
    floats: NonNull<f32>,
    len: usize,
}

// SAFETY: an arena owns its memory and hands it out by the usual rules of borrowing.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    /// A buffer of `len` zeros, in large pages where the system gives them. Every page is touched,
    /// so that first use costs no page fault.
    ///
    /// # Panics
    /// If there is no such memory.
    pub fn new(len: usize) -> Self {
        if len == 0 {
            // Nothing is ever read there, but it is aligned as every arena is.
            return Arena { floats: NonNull::<Line>::dangling().cast(), len };
        }
        let layout = layout(len);
        // SAFETY: the layout is not empty.
        let bytes = unsafe { alloc(layout) };
        let Some(floats) = NonNull::new(bytes.cast::<f32>()) else { handle_alloc_error(layout) };
        #[cfg(target_os = "linux")]
        if layout.align() == LARGE_PAGE {
            // SAFETY: advice on memory just allocated, whole pages of it. Refusal costs speed only.
            unsafe { libc::madvise(bytes.cast(), layout.size(), libc::MADV_HUGEPAGE) };
        }
        // SAFETY: `layout.size()` bytes were allocated.
        unsafe { bytes.write_bytes(0, layout.size()) };
        Arena { floats, len }
    }

    /// Floats held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The whole buffer.
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: `len` floats were allocated and zeroed, borrowed as `self` is.
        unsafe { std::slice::from_raw_parts(self.floats.as_ptr(), self.len) }
    }

    /// The whole buffer.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as for `as_slice`, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.floats.as_ptr(), self.len) }
    }

    /// Parts to read and parts to write at the same time.
    ///
    /// # Panics
    /// If a part is out of bounds, or a part to write overlaps any other part. Empty parts overlap
    /// nothing.
    pub fn parts<const R: usize, const W: usize>(
        &mut self,
        reads: [Range<usize>; R],
        writes: [Range<usize>; W],
    ) -> ([&[f32]; R], [&mut [f32]; W]) {
        let mut shared = [&[] as &[f32]; R];
        let mut exclusive = [(); W].map(|()| &mut [] as &mut [f32]);
        self.parts_into(&reads, &writes, &mut shared, &mut exclusive);
        (shared, exclusive)
    }

    /// [`Arena::parts`] for counts known only at run time: fills `shared[i]` with `reads[i]` and
    /// `exclusive[i]` with `writes[i]`.
    ///
    /// # Panics
    /// As [`Arena::parts`], and if the counts differ.
    pub fn parts_into<'a>(
        &'a mut self,
        reads: &[Range<usize>],
        writes: &[Range<usize>],
        shared: &mut [&'a [f32]],
        exclusive: &mut [&'a mut [f32]],
    ) {
        assert_eq!(reads.len(), shared.len(), "as many places as parts to read");
        assert_eq!(writes.len(), exclusive.len(), "as many places as parts to write");
        for part in reads.iter().chain(writes) {
            assert!(
                part.start <= part.end && part.end <= self.len,
                "part {part:?} is out of an arena of {}",
                self.len
            );
        }
        for (i, write) in writes.iter().enumerate().filter(|(_, write)| !write.is_empty()) {
            for other in writes[i + 1..].iter().chain(reads) {
                assert!(!overlap(write, other), "the part to write {write:?} overlaps {other:?}");
            }
        }
        let base = self.floats.as_ptr();
        for (place, part) in shared.iter_mut().zip(reads) {
            // SAFETY: in bounds, and no part to write overlaps it; the borrow lasts as `self`'s.
            *place = unsafe { std::slice::from_raw_parts(base.add(part.start), part.len()) };
        }
        for (place, part) in exclusive.iter_mut().zip(writes) {
            // SAFETY: in bounds, and no other part overlaps it; the borrow lasts as `self`'s.
            *place = unsafe { std::slice::from_raw_parts_mut(base.add(part.start), part.len()) };
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated by `new` with this layout.
            unsafe { dealloc(self.floats.as_ptr().cast(), layout(self.len)) };
        }
    }
}

/// Whole lines, or whole large pages if it is at least one.
fn layout(len: usize) -> Layout {
    let bytes = len.checked_mul(4).expect("an arena fits the address space");
    let align = if bytes >= LARGE_PAGE { LARGE_PAGE } else { LINE };
    Layout::from_size_align(bytes.next_multiple_of(align), align).expect("an arena fits the address space")
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    !a.is_empty() && !b.is_empty() && a.start < b.end && b.start < a.end
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // one part is a usual number of parts
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn starts_aligned_and_zero() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let arena = Arena::new(len);
            assert_eq!(arena.len(), len);
            assert_eq!(arena.as_slice().as_ptr() as usize % 64, 0);
            assert!(arena.as_slice().iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    #[should_panic(expected = "overlaps")]
    fn a_write_may_not_overlap_a_read() {
        Arena::new(10).parts([0..5], [4..6]);
    }

    #[test]
    #[should_panic(expected = "overlaps")]
    fn a_write_may_not_overlap_a_write() {
        Arena::new(10).parts([], [0..5, 2..3]);
    }

    #[test]
    #[should_panic(expected = "out of an arena")]
    fn parts_stay_in_bounds() {
        Arena::new(10).parts([5..11], []);
    }

    #[test]
    fn reads_may_overlap_and_empty_parts_may_lie_anywhere() {
        let mut arena = Arena::new(10);
        let (reads, writes) = arena.parts([0..4, 2..4, 7..7], [4..10, 2..2]);
        assert_eq!(reads.map(<[f32]>::len), [4, 2, 0]);
        assert_eq!(writes.map(|part| part.len()), [6, 0]);
    }

    proptest! {
        /// Parts are handed out exactly when no cell would be written and also seen by another part.
        #[test]
        fn overlap_is_what_marking_cells_says(parts in prop::collection::vec((0usize..20, 0usize..6, any::<bool>()), 0..6)) {
            let mut seen = [0u32; 32];
            let mut written = [0u32; 32];
            let (mut reads, mut writes) = (vec![], vec![]);
            for &(start, len, write) in &parts {
                for cell in start..start + len {
                    seen[cell] += 1;
                    written[cell] += u32::from(write);
                }
                if write { writes.push(start..start + len) } else { reads.push(start..start + len) }
            }
            let clash = (0..32).any(|cell| written[cell] > 0 && seen[cell] > 1);
            let given = std::panic::catch_unwind(|| {
                let mut arena = Arena::new(32);
                let mut shared = vec![&[] as &[f32]; reads.len()];
                let mut exclusive: Vec<&mut [f32]> = writes.iter().map(|_| &mut [] as &mut [f32]).collect();
                arena.parts_into(&reads, &writes, &mut shared, &mut exclusive);
            });
            prop_assert_eq!(given.is_err(), clash);
        }
    }
}
