//! A bounded queue of batches between the thread that makes them and the training.
//!
//! The training takes all that are ready at once, and then one by one without a lock: each word that another
//! core has written last costs a tenth of a microsecond or more.

use std::any::Any;
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::TrainError;

/// The buffers of one batch, one for each input.
pub(super) type Buffers = Vec<Vec<f32>>;

/// A batch and its factor, or why it could not be made; the outer error is a panic.
pub(super) type Made = Result<Result<f32, TrainError>, Box<dyn Any + Send>>;

/// Where batches pass from one thread to the other: in order of number, every so many-th, up to a bound.
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is a batch to take.
    made: Condvar,
    /// There is room, other batches are wanted, or it is over.
    wanted: Condvar,
    /// Batches that may be ready: half of those ahead, as the training has as many.
    most: usize,
    stride: u64,
}

/// The training's side of a queue.
pub(super) struct Taken<'q> {
    queue: &'q Queue,
    ready: VecDeque<(Buffers, Made)>,
    /// What batches were taken in exchange for.
    spent: Vec<Buffers>,
}

struct State {
    /// The next batch to make, if any is wanted.
    next: Option<u64>,
    /// How often other batches than the next were asked for: what was begun before is not wanted any more.
    seeks: u64,
    ready: VecDeque<(Buffers, Made)>,
    free: Vec<Buffers>,
    /// Lengths of the buffers of a batch, for those that are not there yet.
    lengths: Vec<usize>,
    /// The maker sleeps until batches are taken, or others are wanted.
    resting: bool,
    /// The training sleeps until there is a batch.
    starved: bool,
    closed: bool,
}

impl Queue {
    /// For up to `ahead` batches, whose numbers are `stride` apart.
    pub fn new(ahead: usize, stride: u64) -> Queue {
        let most = ahead.div_ceil(2);
        let state = State {
            next: None,
            seeks: 0,
            ready: VecDeque::with_capacity(most),
            free: Vec::new(),
            lengths: Vec::new(),
            resting: false,
            starved: false,
            closed: false,
        };
        Queue { state: Mutex::new(state), made: Condvar::new(), wanted: Condvar::new(), most, stride }
    }

    /// Makes batches as they are wanted, until the queue is closed. After one that failed, none are made until
    /// others are asked for.
    pub fn work(&self, mut make: impl FnMut(u64, &mut [Vec<f32>]) -> Made) {
        let mut state = self.lock();
        loop {
            if state.closed {
                return;
            }
            let room = state.ready.len() < self.most;
            let Some(number) = state.next.filter(|_| room) else {
                state.resting = true;
                state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let seeks = state.seeks;
            let free = state.free.pop().ok_or_else(|| state.lengths.clone());
            drop(state);
            let mut buffers =
                free.unwrap_or_else(|lengths| lengths.into_iter().map(|length| vec![0.0; length]).collect());
            let made = make(number, &mut buffers);
            state = self.lock();
            if state.seeks != seeks {
                state.free.push(buffers);
                continue;
            }
            state.next = matches!(made, Ok(Ok(_))).then(|| number + self.stride);
            state.ready.push_back((buffers, made));
            // To wake asks the system, which takes longer than a batch that lies ready.
            if state.starved {
                self.made.notify_one();
            }
        }
    }

    /// Ends the work.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wanted.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'q> Taken<'q> {
    /// Takes from this queue.
    pub fn new(queue: &'q Queue) -> Taken<'q> {
        Taken { queue, ready: VecDeque::with_capacity(queue.most), spent: Vec::new() }
    }

    /// From here on the batches from `number` on are wanted, in buffers like these.
    pub fn seek(&mut self, number: u64, like: &[Vec<f32>]) {
        let mut state = self.queue.lock();
        let State { ready, free, .. } = &mut *state;
        free.append(&mut self.spent);
        free.extend(ready.drain(..).chain(self.ready.drain(..)).map(|(buffers, _)| buffers));
        state.lengths = like.iter().map(Vec::len).collect();
        state.next = Some(number);
        state.seeks += 1;
        state.resting = false;
        drop(state);
        self.queue.wanted.notify_one();
    }

    /// Takes the next batch in exchange for buffers; waits for it if need be.
    pub fn take(&mut self, buffers: &mut [Vec<f32>]) -> Made {
        let (mut taken, made) = match self.ready.pop_front() {
            Some(batch) => batch,
            None => self.refill(),
        };
        buffers.iter_mut().zip(&mut taken).for_each(|(to, from)| std::mem::swap(to, from));
        self.spent.push(taken);
        made
    }

    /// Takes all that are ready, once there are some, and gives back what was taken before; the first of them.
    fn refill(&mut self) -> (Buffers, Made) {
        let mut state = self.queue.lock();
        let first = loop {
            match state.ready.pop_front() {
                Some(batch) => break batch,
                None => {
                    state.starved = true;
                    state = self.queue.made.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        state.starved = false;
        std::mem::swap(&mut state.ready, &mut self.ready);
        state.free.append(&mut self.spent);
        let wakes = std::mem::take(&mut state.resting);
        drop(state);
        if wakes {
            self.queue.wanted.notify_one();
        }
        // The other core has written where the buffers lie. Fetched now, one does not wait for the other.
        let held: usize = self.ready.iter().flat_map(|(buffers, _)| buffers).map(Vec::len).sum();
        black_box(held);
        first
    }
}
