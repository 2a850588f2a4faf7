//! Batches made ahead, on threads of their own.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::Scope;
use std::time::{Duration, Instant};

use bessemer_plan::{Parameters, Pool};

use super::queue::{Made, Queue, Taken};
use crate::error::TrainError;
use crate::trainer::Task;

/// Batches that are made in between before it is decided whether to try threads, the first few not measured.
const BETWEEN: usize = 48;
const BETWEEN_NOT_MEASURED: usize = 8;
/// Batches that threads make before it is decided whether they go on, the first few not measured.
const AHEAD: usize = 160;
const AHEAD_NOT_MEASURED: usize = 32;
/// The least time that a batch must take for threads to be tried: one that lies ready costs up to 1 µs.
const LEAST: Duration = Duration::from_micros(2);
/// And one in so many parts of a step's time.
const LEAST_SHARE: u32 = 200;
/// Steps longer by this with threads than without end the trial. Batches of several lengths make steps differ by
/// chance, and a thread that only takes the time that the batch took before does no harm.
const LONGER: f64 = 1.05;
/// Trials in which steps were longer, before batches are made in between for good.
const TRIALS: u32 = 2;
/// The most batches ahead: each has buffers of its own.
const MAX_AHEAD: usize = 1 << 16;

/// When threads of their own make batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Once it is seen that the training waits for batches, and as long as steps are not longer with threads, see
    /// [`prefetch`].
    #[default]
    Measured,
    /// From the first batch on.
    AtOnce,
}

/// How batches are made ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefetch {
    /// Batches that each thread may be ahead of the training.
    pub ahead: usize,
    /// When threads begin.
    pub start: Start,
}

impl Default for Prefetch {
    fn default() -> Prefetch {
        Prefetch { ahead: 32, start: Start::Measured }
    }
}

/// Gives `work` a task whose batches are made ahead by `makers`, each on a thread of its own, in turns; all else
/// is left to `task`. A maker must make of a number the batch that the task makes of it: then nothing but time
/// depends on how many makers there are, and on whether they are used.
///
/// With [`Start::Measured`] the training begins with batches that `task` makes. Threads take over when one takes
/// longer than 2 µs and 0.5 % of a step's time, and hand back when steps turn out to be longer by a twentieth in
/// two trials: a batch that lies ready costs up to 1 µs (`examples/hand_over.rs`), but where other work keeps all cores busy,
/// a thread that is woken takes the place of one that computes.
///
/// ```
/// use bessemer_plan::{Parameters, Pool};
/// use bessemer_train::data::{Prefetch, prefetch};
/// use bessemer_train::{Task, TrainError};
///
/// fn squares(number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
///     inputs[0].fill((number * number) as f32);
///     Ok(1.0)
/// }
///
/// struct Squares;
///
/// impl Task for Squares {
///     fn batch(&mut self, number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
///         squares(number, inputs)
///     }
///     fn validate(&mut self, _: &Pool, _: &Parameters) -> Result<Option<f64>, TrainError> {
///         Ok(None)
///     }
/// }
///
/// let sum = prefetch(&mut Squares, vec![squares], &Prefetch::default(), |task| {
///     let mut inputs = vec![vec![0.0]];
///     // Here a training would run: `train(task, …)`.
///     (0..4).map(|number| task.batch(number, &mut inputs).map(|_| inputs[0][0])).sum::<Result<f32, _>>()
/// })?;
/// assert_eq!(sum?, 0.0 + 1.0 + 4.0 + 9.0);
/// # Ok::<(), TrainError>(())
/// ```
///
/// An error of a maker comes as the error of the batch it was making, and a panic as the training's own; both
/// when the training has come to that batch. Batches may be asked for in any order, but only one after the
/// other is fast.
///
/// # Errors
/// If `ahead` is 0 or more than 65,536.
pub fn prefetch<M, R>(
    task: &mut dyn Task,
    makers: Vec<M>,
    options: &Prefetch,
    work: impl FnOnce(&mut dyn Task) -> R,
) -> Result<R, TrainError>
where
    M: FnMut(u64, &mut [Vec<f32>]) -> Result<f32, TrainError> + Send,
{
    if !(1..=MAX_AHEAD).contains(&options.ahead) {
        let (name, remedy) = ("batches ahead", "it must be from 1 to 65,536");
        return Err(TrainError::Setting { name, value: options.ahead.to_string(), remedy });
    }
    let queues: Vec<Queue> = makers.iter().map(|_| Queue::new(options.ahead, makers.len() as u64)).collect();
    let trial = match options.start {
        Start::Measured => Some(Trial::new()),
        Start::AtOnce => None,
    };
    Ok(std::thread::scope(|scope| {
        // However `work` ends, the queues are closed before the threads are waited for.
        let taken = queues.iter().map(Taken::new).collect();
        work(&mut Ahead { task, scope, waiting: makers, queues: &queues, taken, trial, expected: None })
    }))
}

/// The task that is given to the training.
struct Ahead<'scope, 'env, 'task, M> {
    task: &'task mut dyn Task,
    scope: &'scope Scope<'scope, 'env>,
    /// Makers whose threads have not begun.
    waiting: Vec<M>,
    queues: &'scope [Queue],
    /// The training's side of them.
    taken: Vec<Taken<'scope>>,
    trial: Option<Trial>,
    /// The number of the batch that the queues give next.
    expected: Option<u64>,
}

impl<M> Ahead<'_, '_, '_, M> {
    fn close(&self) {
        self.queues.iter().for_each(Queue::close);
    }
}

impl<'scope, M> Ahead<'scope, '_, '_, M>
where
    M: FnMut(u64, &mut [Vec<f32>]) -> Result<f32, TrainError> + Send + 'scope,
{
    /// Leaves all batches to the task.
    fn give_up(&mut self) {
        self.close();
        (self.queues, self.waiting, self.trial) = (&[], Vec::new(), None);
    }

    /// Starts threads that have not begun; false if the system has none to give.
    fn start(&mut self) -> bool {
        while let Some(mut maker) = self.waiting.pop() {
            let queue = &self.queues[self.waiting.len()];
            let make = move |number, buffers: &mut [Vec<f32>]| -> Made {
                catch_unwind(AssertUnwindSafe(|| maker(number, buffers)))
            };
            let thread = std::thread::Builder::new().name(format!("bessemer-batches-{}", self.waiting.len()));
            if thread.spawn_scoped(self.scope, move || queue.work(make)).is_err() {
                return false;
            }
        }
        true
    }
}

impl<'scope, M> Task for Ahead<'scope, '_, '_, M>
where
    M: FnMut(u64, &mut [Vec<f32>]) -> Result<f32, TrainError> + Send + 'scope,
{
    fn batch(&mut self, number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        match self.trial.as_mut().filter(|_| !self.queues.is_empty()) {
            Some(trial) if trial.between.is_none() => {
                let asked = Instant::now();
                let made = self.task.batch(number, inputs);
                if trial.observe_between(asked, asked.elapsed()) == Some(false) {
                    self.give_up();
                }
                return made;
            }
            Some(trial) => match trial.observe_ahead(Instant::now()) {
                Some(Verdict::Stay) => self.trial = None,
                Some(Verdict::Repeat) => return self.task.batch(number, inputs),
                Some(Verdict::GiveUp) => self.give_up(),
                None => {}
            },
            None => {}
        }
        if self.queues.is_empty() {
            return self.task.batch(number, inputs);
        }
        // Without a thread for each maker, batches would be missing.
        if !self.start() {
            self.give_up();
            return self.task.batch(number, inputs);
        }
        let count = self.queues.len() as u64;
        if self.expected != Some(number) {
            for first in number..number + count {
                self.taken[(first % count) as usize].seek(first, inputs);
            }
        }
        self.expected = None;
        let factor = self.taken[(number % count) as usize]
            .take(inputs)
            .unwrap_or_else(|panic| resume_unwind(panic))?;
        self.expected = Some(number + 1);
        Ok(factor)
    }

    fn epoch(&self) -> Option<u64> {
        self.task.epoch()
    }

    fn validate(&mut self, pool: &Pool, parameters: &Parameters) -> Result<Option<f64>, TrainError> {
        self.task.validate(pool, parameters)
    }
}

impl<M> Drop for Ahead<'_, '_, '_, M> {
    fn drop(&mut self) {
        self.close();
    }
}

/// What comes after a trial of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Stay,
    /// Once more, without and with them.
    Repeat,
    GiveUp,
}

/// Whether threads pay, found out by the clock: first without them, then with them.
struct Trial {
    /// Times that steps were longer with threads. Other work on the machine may begin between the two halves of
    /// a trial, so that one is not enough.
    longer: u32,
    calls: usize,
    last: Option<Instant>,
    /// Time that batches took.
    making: Duration,
    /// From one batch to the next: of a whole step.
    steps: Vec<Duration>,
    /// The median of a step in which the batch is made, once it is known.
    between: Option<Duration>,
}

impl Trial {
    fn new() -> Trial {
        let steps = Vec::with_capacity(BETWEEN.max(AHEAD));
        Trial { longer: 0, calls: 0, last: None, making: Duration::ZERO, steps, between: None }
    }

    /// Takes note of a batch that was asked for and took so long to make; when enough is known, whether threads
    /// are to be tried.
    fn observe_between(&mut self, asked: Instant, making: Duration) -> Option<bool> {
        self.observe(asked, BETWEEN_NOT_MEASURED);
        self.making += if self.calls > BETWEEN_NOT_MEASURED { making } else { Duration::ZERO };
        if self.calls < BETWEEN {
            return None;
        }
        let making = self.making / (BETWEEN - BETWEEN_NOT_MEASURED) as u32;
        let step = self.median();
        (self.calls, self.last, self.between) = (0, None, Some(step));
        Some(pays(making, step))
    }

    /// Takes note of a batch that a thread has made; when enough is known, how it goes on.
    fn observe_ahead(&mut self, asked: Instant) -> Option<Verdict> {
        self.observe(asked, AHEAD_NOT_MEASURED);
        if self.calls < AHEAD {
            return None;
        }
        if self.median() < self.between?.mul_f64(LONGER) {
            return Some(Verdict::Stay);
        }
        self.longer += 1;
        (self.calls, self.last, self.making, self.between) = (0, None, Duration::ZERO, None);
        Some(if self.longer < TRIALS { Verdict::Repeat } else { Verdict::GiveUp })
    }

    fn observe(&mut self, asked: Instant, not_measured: usize) {
        self.calls += 1;
        if let Some(last) = self.last.replace(asked).filter(|_| self.calls > not_measured) {
            self.steps.push(asked.duration_since(last));
        }
    }

    /// The median of the steps so far, which are forgotten.
    fn median(&mut self) -> Duration {
        self.steps.sort_unstable();
        let median = self.steps.get(self.steps.len() / 2).copied().unwrap_or_default();
        self.steps.clear();
        median
    }
}

/// Whether it pays to make a batch ahead, by the time it takes and that of the whole step with it.
fn pays(making: Duration, step: Duration) -> bool {
    making > LEAST && making * LEAST_SHARE > step
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Batch n holds the square of n, and so many numbers as its number's last digit says.
    fn make(number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        inputs[0].fill((number * number) as f32);
        inputs[1].clear();
        inputs[1].extend((0..number % 10).map(|i| i as f32));
        Ok(1.0 / (number + 1) as f32)
    }

    struct Made;

    impl Task for Made {
        fn batch(&mut self, number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
            make(number, inputs)
        }

        fn epoch(&self) -> Option<u64> {
            Some(17)
        }

        fn validate(&mut self, _: &Pool, _: &Parameters) -> Result<Option<f64>, TrainError> {
            Ok(Some(0.5))
        }
    }

    fn at_once(ahead: usize) -> Prefetch {
        Prefetch { ahead, start: Start::AtOnce }
    }

    #[test]
    fn batches_made_ahead_have_the_same_bits() {
        for (threads, ahead) in [(0, 1), (1, 1), (1, 8), (2, 1), (3, 4)] {
            for start in [Start::AtOnce, Start::Measured] {
                let options = Prefetch { ahead, start };
                prefetch(&mut Made, vec![make; threads], &options, |task| {
                    let (mut got, mut expected) = ([vec![7.0; 3], vec![]], [vec![0.0; 3], vec![]]);
                    // On and on, from another place, back, and the same one again.
                    for number in (5..200).chain(1000..1010).chain(3..30).chain([29, 29]) {
                        let factor = task.batch(number, &mut got).unwrap();
                        assert_eq!(factor, make(number, &mut expected).unwrap());
                        assert_eq!(got, expected, "batch {number}, {threads} threads, {ahead} ahead");
                    }
                    assert_eq!(task.epoch(), Some(17));
                    let pool = Pool::new(1);
                    assert_eq!(task.validate(&pool, &Parameters::new(&[])).unwrap(), Some(0.5));
                })
                .unwrap();
            }
        }
    }

    #[test]
    fn no_thread_is_further_ahead_than_it_may_be() {
        let latest = AtomicU64::new(0);
        let noting = |number: u64, inputs: &mut [Vec<f32>]| {
            latest.fetch_max(number, Ordering::SeqCst);
            make(number, inputs)
        };
        prefetch(&mut Made, vec![noting; 1], &at_once(4), |task| {
            for number in 0..100 {
                task.batch(number, &mut [vec![0.0], vec![]]).unwrap();
                // Of those in the queue, and one for which a place has just become free.
                let made = latest.load(Ordering::SeqCst);
                assert!((number..=number + 4).contains(&made), "{made} at {number}");
            }
        })
        .unwrap();
    }

    fn broken(number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        match number {
            23 => Err(TrainError::Data { place: "line 24".into(), problem: "is empty".into() }),
            _ => make(number, inputs),
        }
    }

    #[test]
    fn an_error_arrives_with_its_batch_and_others_can_still_be_had() {
        for threads in 1..4 {
            prefetch(&mut Made, vec![broken; threads], &at_once(5), |task| {
                let mut inputs = [vec![0.0], vec![]];
                for number in (0..23).chain(24..60).chain(10..23) {
                    task.batch(number, &mut inputs).unwrap();
                    assert_eq!(inputs[0][0], (number * number) as f32);
                }
                for _ in 0..2 {
                    assert_eq!(task.batch(23, &mut inputs).unwrap_err().to_string(), "line 24: is empty");
                }
                task.batch(24, &mut inputs).unwrap();
            })
            .unwrap();
        }
    }

    #[test]
    fn a_panic_arrives_as_the_caller_s_own() {
        let panics = |number: u64, inputs: &mut [Vec<f32>]| {
            assert!(number < 9, "batch 9 is one too many");
            make(number, inputs)
        };
        let caught = catch_unwind(AssertUnwindSafe(|| {
            prefetch(&mut Made, vec![panics; 2], &at_once(3), |task| {
                (0..20).for_each(|number| _ = task.batch(number, &mut [vec![0.0], vec![]]));
            })
        }));
        let said = caught.unwrap_err();
        assert_eq!(said.downcast_ref::<&str>(), Some(&"batch 9 is one too many"));
    }

    /// Leaving at any moment ends the threads: this test would not come back.
    #[test]
    fn it_can_be_left_at_any_moment() {
        for taken in 0..40 {
            prefetch(&mut Made, vec![make; 2], &at_once(3), |task| {
                (0..taken).for_each(|number| _ = task.batch(number, &mut [vec![0.0], vec![]]));
            })
            .unwrap();
        }
        let left = catch_unwind(|| {
            prefetch(&mut Made, vec![make; 2], &at_once(3), |task| {
                task.batch(0, &mut [vec![0.0], vec![]]).unwrap();
                panic!("the training itself")
            })
        });
        assert_eq!(left.unwrap_err().downcast_ref::<&str>(), Some(&"the training itself"));
    }

    #[test]
    fn threads_begin_where_they_pay() {
        let micros = Duration::from_micros;
        for (making, step, expected) in [
            (micros(1), micros(20), false),
            (micros(25), micros(100), true),
            (micros(25), micros(2600), true),
            (micros(25), micros(5200), false),
            (micros(2000), micros(20_000), true),
        ] {
            assert_eq!(pays(making, step), expected, "{making:?} of {step:?}");
            let mut trial = Trial::new();
            let begun = Instant::now() + micros(1_000_000);
            for batch in 0..BETWEEN {
                // The first batches take long, and don't count.
                let took = if batch < BETWEEN_NOT_MEASURED { micros(100_000) } else { making };
                let decided = trial.observe_between(begun + step * batch as u32, took);
                assert_eq!(decided, (batch + 1 == BETWEEN).then_some(expected));
            }
            // With threads steps are shorter, or hardly longer, and it stays so, or longer.
            let (hardly, longer) = (step.mul_f64(1.03), step.mul_f64(1.1));
            let cases = [
                (0, step - making, Verdict::Stay),
                (0, hardly, Verdict::Stay),
                (0, longer, Verdict::Repeat),
                (1, hardly, Verdict::Stay),
                (1, longer, Verdict::GiveUp),
            ];
            for (before, with, expected) in cases {
                let mut trial = Trial { longer: before, between: Some(step), ..Trial::new() };
                for batch in 0..AHEAD {
                    // Now and then something else takes its time.
                    let late = if batch % 7 == 0 { micros(7) } else { micros(0) };
                    let decided = trial.observe_ahead(begun + with * batch as u32 + late);
                    let step = if late > micros(0) { "a late one" } else { "a step" };
                    assert_eq!(decided, (batch + 1 == AHEAD).then_some(expected), "{step} of {with:?}");
                }
            }
        }
    }

    #[test]
    fn a_queue_without_a_place_is_refused() {
        let refused = prefetch(&mut Made, vec![make], &at_once(0), |_| ()).unwrap_err().to_string();
        assert_eq!(refused, "batches ahead is 0: it must be from 1 to 65,536");
    }
}
