//! Sharing out a product's columns among the threads of a pool.

use std::ops::Range;

use crate::isa::isa;
use crate::pool::Pool;

/// One of several shares of a product's columns. An element of the result is the same whatever the share.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    index: usize,
    of: usize,
}

impl Share {
    /// All columns.
    pub const ALL: Share = Share { index: 0, of: 1 };

    /// Which of `count` parts belong to it.
    #[inline(always)]
    pub fn range(self, count: usize) -> Range<usize> {
        count * self.index / self.of..count * (self.index + 1) / self.of
    }
}

/// What every thread of a pool may look at.
struct Everywhere<T>(T);

// SAFETY: `for_shares` has the caller's promise.
unsafe impl<T> Sync for Everywhere<T> {}

impl<T> Everywhere<T> {
    /// A method, as a closure that names the field would capture what is in it.
    fn get(&self) -> &T {
        &self.0
    }
}

/// Calls `run` with every share: on a thread each, or with all columns if there is no pool. The
/// instruction set is the caller's.
///
/// # Safety
/// Calls with different shares may run at the same time, on any thread.
pub(super) unsafe fn for_shares(pool: Option<&Pool>, run: impl Fn(Share)) {
    let Some(pool) = pool else { return run(Share::ALL) };
    let of = pool.threads();
    let (run, isa) = (Everywhere(run), isa());
    pool.run(of, &|index| isa.force(|| run.get()(Share { index, of })));
}
