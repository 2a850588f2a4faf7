//! Independent jobs, one on each core.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bessemer_kernels::pool::Pool;

/// How jobs are run.
///
/// ```
/// use bessemer_kernels::pool::Pool;
/// use bessemer_study::Jobs;
///
/// let pool = Pool::new(2);
/// let squares = Jobs::new(&pool).run(&[1, 2, 3], |n, _job| Ok::<i32, std::fmt::Error>(n * n))?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Jobs<'a> {
    /// As many jobs run at a time as this has threads.
    pub pool: &'a Pool,
    /// Whether to end all of them, asked for now and then by every job.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// One job among others.
pub struct Job<'a> {
    /// Its number, counted from 0.
    pub number: usize,
    /// One thread: the others have jobs of their own.
    pub pool: Pool,
    stop: &'a (dyn Fn() -> bool + Sync),
    failed: &'a AtomicBool,
}

impl Job<'_> {
    /// Whether this job is to end, as another has failed or all are cancelled. What it then returns is not
    /// looked at.
    pub fn is_halted(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || (self.stop)()
    }
}

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
pub enum Ended<E> {
    /// A job has failed; the first to do so.
    #[error("{error}")]
    Failed {
        /// Its number, counted from 0.
        job: usize,
        /// Why.
        error: E,
    },
    /// All were told to stop.
    #[error("stopped after {done} of {all} jobs")]
    Cancelled {
        /// Jobs that had come to their end.
        done: usize,
        /// All of them.
        all: usize,
    },
}

impl<'a> Jobs<'a> {
    /// On the threads of a pool, not to be stopped.
    pub fn new(pool: &'a Pool) -> Jobs<'a> {
        Jobs { pool, stop: &|| false }
    }

    /// The result of `work` on every item, in the order of the items, whichever is done first. As every job
    /// has a single thread, results don't depend on how many run at a time.
    ///
    /// # Errors
    /// When a job fails or all are to stop, no other is begun, those that run see [`Job::is_halted`], and the
    /// first failure is returned.
    ///
    /// # Panics
    /// With the panic of a job, after those that run have ended.
    pub fn run<T: Sync, R: Send, E: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T, &Job) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, Ended<E>> {
        let failed = AtomicBool::new(false);
        let failure = Mutex::new(None);
        let done = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
        self.pool.run(items.len(), &|number| {
            let job = Job { number, pool: Pool::new(1), stop: self.stop, failed: &failed };
            if job.is_halted() {
                return;
            }
            let _guard = FailsIfPanicking(&failed);
            match work(&items[number], &job) {
                Ok(result) => {
                    *results[number].lock().expect("no job runs while it is held") = Some(result);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Err(_) if job.is_halted() => {}
                Err(error) => {
                    let mut failure = failure.lock().expect("nothing panics while it is held");
                    failure.get_or_insert((number, error));
                    failed.store(true, Ordering::Relaxed);
                }
            }
        });
        if let Some((job, error)) = failure.into_inner().expect("nothing panics while it is held") {
            return Err(Ended::Failed { job, error });
        }
        let results = results.into_iter().map(|r| r.into_inner().expect("no job runs while it is held"));
        let (done, all) = (done.into_inner(), items.len());
        results.collect::<Option<Vec<R>>>().ok_or(Ended::Cancelled { done, all })
    }
}

/// Ends the other jobs if one panics.
struct FailsIfPanicking<'a>(&'a AtomicBool);

impl Drop for FailsIfPanicking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Spins until it is told to end, so that a job which isn't hangs the test.
    fn wait(job: &Job) -> Result<usize, String> {
        while !job.is_halted() {
            std::thread::yield_now();
        }
        Err("halted".into())
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let items: Vec<usize> = (0..50).collect();
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            let results = Jobs::new(&pool).run(&items, |item, job| {
                assert_eq!((*item, job.pool.threads()), (job.number, 1));
                // Later ones are quicker.
                (0..(50 - item) * 200).for_each(|_| std::hint::spin_loop());
                Ok::<_, String>(item * 10)
            });
            assert!(results.unwrap().into_iter().eq((0..50).map(|item| item * 10)), "{threads} threads");
        }
        assert_eq!(Jobs::new(&Pool::new(2)).run(&[], |_: &(), _| Ok::<(), String>(())).unwrap(), []);
    }

    #[test]
    fn a_failure_ends_those_that_run_and_those_to_come() {
        let items: Vec<usize> = (0..1000).collect();
        for threads in [1, 2, 4] {
            let pool = Pool::new(threads);
            let begun = AtomicUsize::new(0);
            let result = Jobs::new(&pool).run(&items, |item, job| {
                begun.fetch_add(1, Ordering::Relaxed);
                match item {
                    3 => Err("three".to_string()),
                    // Those that run beside it only end if they are told to.
                    4.. => wait(job),
                    _ => Ok(*item),
                }
            });
            assert!(matches!(result, Err(Ended::Failed { job: 3, error }) if error == "three"));
            assert!(begun.into_inner() <= 4 + threads, "{threads} threads");
        }
    }

    #[test]
    fn a_cancel_ends_all() {
        for threads in [1, 3] {
            let pool = Pool::new(threads);
            let stop = AtomicBool::new(false);
            let jobs = Jobs { stop: &|| stop.load(Ordering::Relaxed), ..Jobs::new(&pool) };
            let ended = AtomicUsize::new(0);
            let result = jobs.run(&[0, 1, 2, 3, 4, 5, 6], |item, job| {
                if *item < 2 {
                    ended.fetch_add(1, Ordering::Relaxed);
                    return Ok(*item);
                }
                // The first two are not to be met before they have begun.
                while *item == 2 && ended.load(Ordering::Relaxed) < 2 {
                    std::thread::yield_now();
                }
                stop.fetch_or(*item == 2, Ordering::Relaxed);
                wait(job)
            });
            assert!(matches!(result, Err(Ended::Cancelled { done: 2, all: 7 })), "{result:?}");
        }
    }

    #[test]
    fn a_panic_ends_the_others_and_reaches_the_caller() {
        let pool = Pool::new(2);
        let begun = AtomicUsize::new(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            Jobs::new(&pool).run(&[0; 100], |_, job| {
                begun.fetch_add(1, Ordering::Relaxed);
                assert!(job.number != 0, "number zero");
                wait(job)
            })
        }));
        assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"number zero"));
        assert!(begun.into_inner() <= 2);
    }
}
