//! A handful of persistent threads that share out tasks, spin briefly for more, and then sleep.
//!
//! A run allocates nothing. A worker takes part only if it arrives while the run is open, so a short
//! run is never held up by a thread that is still waking.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread spins before it sleeps.
const SPIN: Duration = Duration::from_micros(40);

/// Of the state word: the low half counts workers inside the run, then come these two bits, then
/// the number of the run.
const OPEN: u64 = 1 << 32;
const SHUTDOWN: u64 = 1 << 33;
const RUN: u64 = 1 << 34;
const INSIDE: u64 = OPEN - 1;

/// Threads that run tasks together with the caller.
///
/// ```
/// use bessemer_kernels::pool::Pool;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let pool = Pool::new(2);
/// let sum = AtomicUsize::new(0);
/// pool.run(10, &|task| {
///     sum.fetch_add(task, Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 45);
/// ```
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    turn: Mutex<()>,
}

#[derive(Clone, Copy)]
struct Job {
    call: *const (dyn Fn(usize) + Sync),
    tasks: usize,
}

struct Shared {
    state: AtomicU64,
    job: UnsafeCell<Option<Job>>,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    sleep: Mutex<()>,
    sleeping: AtomicUsize,
    wake: Condvar,
    caller_waits: AtomicBool,
    finished: Condvar,
}

// SAFETY: `job` is written only by the caller whose turn it is, while the run is closed and nobody
// is inside; workers read it only from inside. The closure it points to is `Sync` and outlives the
// run, which does not return before it is closed and empty.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Pool {
    /// A pool of `threads` threads, the caller being one of them; of as many as there can be if the system
    /// refuses some.
    ///
    /// # Panics
    /// If `threads` is 0.
    pub fn new(threads: usize) -> Self {
        assert!(threads > 0, "a pool needs at least the calling thread");
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            next: AtomicUsize::new(0),
            panic: Mutex::new(None),
            sleep: Mutex::new(()),
            sleeping: AtomicUsize::new(0),
            wake: Condvar::new(),
            caller_waits: AtomicBool::new(false),
            finished: Condvar::new(),
        });
        let workers = (1..threads)
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("bessemer-{index}"))
                    .spawn(move || shared.work())
                    .ok()
            })
            .collect();
        Pool { shared, workers, turn: Mutex::new(()) }
    }

    /// Threads, with the caller.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `call(task)` once for every task in `0..tasks`, on any of the threads, and returns when
    /// all have ended. A pool that is busy (a run inside a run) leaves all of them to the caller.
    ///
    /// # Panics
    /// With the panic of a task, after all have ended.
    pub fn run(&self, tasks: usize, call: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() || tasks <= 1 {
            (0..tasks).for_each(call);
        } else {
            self.share(tasks, call);
        }
    }

    fn share(&self, tasks: usize, call: &(dyn Fn(usize) + Sync)) {
        let turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return (0..tasks).for_each(call),
        };
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes; this function returns after the run is over.
        let call: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(call) };
        let job = Job { call, tasks };
        // SAFETY: it is our turn, the last run is closed, and nobody is inside.
        unsafe { *shared.job.get() = Some(job) };
        shared.next.store(0, Ordering::Relaxed);
        let run = shared.state.load(Ordering::Relaxed) & !(RUN - 1);
        shared.state.store(run.wrapping_add(RUN) | OPEN, Ordering::SeqCst);
        if shared.sleeping.load(Ordering::SeqCst) > 0 {
            drop(lock(&shared.sleep));
            shared.wake.notify_all();
        }
        shared.take_part(job);
        shared.state.fetch_and(!OPEN, Ordering::SeqCst);
        shared.wait(|| shared.state.load(Ordering::SeqCst) & INSIDE == 0);
        let panic = lock(&shared.panic).take();
        drop(turn);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state.fetch_or(SHUTDOWN, Ordering::SeqCst);
        drop(lock(&self.shared.sleep));
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches every panic of a task, so it ends well.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// The life of a worker.
    fn work(&self) {
        let mut last = 0;
        loop {
            let ready = |state: u64| state & SHUTDOWN != 0 || (state & OPEN != 0 && state / RUN != last);
            if !spin(|| ready(self.state.load(Ordering::Acquire))) {
                self.sleeping.fetch_add(1, Ordering::SeqCst);
                let mut guard = lock(&self.sleep);
                while !ready(self.state.load(Ordering::SeqCst)) {
                    guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
                }
                drop(guard);
                self.sleeping.fetch_sub(1, Ordering::SeqCst);
            }
            let state = self.state.load(Ordering::Acquire);
            if state & SHUTDOWN != 0 {
                return;
            }
            if !ready(state)
                || self.state.compare_exchange(state, state + 1, Ordering::SeqCst, Ordering::Relaxed).is_err()
            {
                continue;
            }
            last = state / RUN;
            // SAFETY: we are inside an open run, so the job is set and stays.
            if let Some(job) = unsafe { *self.job.get() } {
                self.take_part(job);
            }
            self.state.fetch_sub(1, Ordering::SeqCst);
            if self.caller_waits.load(Ordering::SeqCst) {
                drop(lock(&self.sleep));
                self.finished.notify_all();
            }
        }
    }

    /// Runs tasks until none are left.
    fn take_part(&self, job: Job) {
        // SAFETY: the closure outlives the run, and we are part of it.
        let call = unsafe { &*job.call };
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= job.tasks {
                return;
            }
            self.guarded(call, task);
        }
    }

    fn guarded(&self, call: &(dyn Fn(usize) + Sync), argument: usize) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(argument))) {
            lock(&self.panic).get_or_insert(panic);
        }
    }

    /// Waits, as the caller of a run, until `over`.
    fn wait(&self, over: impl Fn() -> bool) {
        if spin(&over) {
            return;
        }
        self.caller_waits.store(true, Ordering::SeqCst);
        let mut guard = lock(&self.sleep);
        while !over() {
            guard = self.finished.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.caller_waits.store(false, Ordering::SeqCst);
    }
}

/// Spins until `over`, or gives up after [`SPIN`] and returns false.
fn spin(over: impl Fn() -> bool) -> bool {
    if over() {
        return true;
    }
    let start = Instant::now();
    loop {
        for _ in 0..32 {
            std::hint::spin_loop();
            if over() {
                return true;
            }
        }
        if start.elapsed() > SPIN {
            return false;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        for threads in 1..=4 {
            let pool = Pool::new(threads);
            for tasks in (0..40).chain([1000]) {
                let counts: Vec<_> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                pool.run(tasks, &|task| {
                    counts[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.into_iter().all(|count| count.into_inner() == 1));
            }
        }
    }

    #[test]
    fn many_short_runs_and_pauses_longer_than_the_spin() {
        let pool = Pool::new(3);
        let count = AtomicUsize::new(0);
        for round in 0..3000 {
            pool.run(4, &|_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(count.load(Ordering::Relaxed), 4 * (round + 1));
            if round % 100 == 0 {
                std::thread::sleep(2 * SPIN);
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_after_all_tasks_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let count = AtomicUsize::new(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            pool.run(20, &|task| {
                count.fetch_add(1, Ordering::Relaxed);
                assert!(task != 7, "task seven");
            });
        }));
        assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"task seven"));
        assert_eq!(count.load(Ordering::Relaxed), 20);
        pool.run(5, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 25);
    }

    #[test]
    fn a_run_inside_a_run_is_done_by_its_caller() {
        let pool = Pool::new(2);
        let count = AtomicUsize::new(0);
        pool.run(4, &|_| {
            pool.run(4, &|_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!(count.into_inner(), 16);
    }

    #[test]
    fn tasks_longer_than_the_spin_are_waited_for() {
        let pool = Pool::new(2);
        let count = AtomicUsize::new(0);
        for _ in 0..20 {
            pool.run(2, &|task| {
                std::thread::sleep(Duration::from_micros(task as u64 * 300));
                count.fetch_add(1, Ordering::SeqCst);
            });
        }
        assert_eq!(count.into_inner(), 40);
    }
}
