//! A bounded queue of batches between the thread that makes them and the training.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::TrainError;

/// The buffers of one batch, one for each input.
pub(super) type Buffers = Vec<Vec<f32>>;

/// A batch and its factor, or why it could not be made; the outer error is a panic.
pub(super) type Made = Result<Result<f32, TrainError>, Box<dyn Any + Send>>;

/// Batches in order of number, every so many-th, up to a bound ahead.
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is a batch to take.
    made: Condvar,
    /// There is room, other batches are wanted, or it is over.
    wanted: Condvar,
    ahead: usize,
    stride: u64,
}

struct State {
    /// The next batch to make, if any is wanted.
    next: Option<u64>,
    /// How often other batches than the next were asked for: what was begun before is not wanted any more.
    seeks: u64,
    ready: VecDeque<(Buffers, Made)>,
    free: Vec<Buffers>,
    /// The maker sleeps until half of the batches are taken, so that it is not woken for every one.
    resting: bool,
    /// The training sleeps until there is a batch.
    starved: bool,
    closed: bool,
}

impl Queue {
    /// For up to `ahead` batches, whose numbers are `stride` apart.
    pub fn new(ahead: usize, stride: u64) -> Queue {
        let state = State {
            next: None,
            seeks: 0,
            ready: VecDeque::with_capacity(ahead),
            free: Vec::new(),
            resting: false,
            starved: false,
            closed: false,
        };
        Queue { state: Mutex::new(state), made: Condvar::new(), wanted: Condvar::new(), ahead, stride }
    }

    /// From here on the batches from `number` on are wanted, in buffers like these.
    pub fn seek(&self, number: u64, like: &[Vec<f32>]) {
        let mut state = self.lock();
        let State { ready, free, .. } = &mut *state;
        free.extend(ready.drain(..).map(|(buffers, _)| buffers));
        // One more than are queued: that which is being made.
        while free.len() <= self.ahead {
            free.push(like.iter().map(|input| vec![0.0; input.len()]).collect());
        }
        state.next = Some(number);
        state.seeks += 1;
        state.resting = false;
        drop(state);
        self.wanted.notify_one();
    }

    /// Takes the next batch in exchange for buffers; waits for it if need be.
    pub fn take(&self, buffers: &mut [Vec<f32>]) -> Made {
        let mut state = self.lock();
        let (mut taken, made) = loop {
            match state.ready.pop_front() {
                Some(batch) => break batch,
                None => {
                    state.starved = true;
                    state = self.made.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        state.starved = false;
        buffers.iter_mut().zip(&mut taken).for_each(|(to, from)| std::mem::swap(to, from));
        state.free.push(taken);
        let wakes = state.resting && state.ready.len() <= self.ahead / 2;
        state.resting &= !wakes;
        drop(state);
        if wakes {
            self.wanted.notify_one();
        }
        made
    }

    /// Makes batches as they are wanted, until the queue is closed. After one that failed, none are made until
    /// others are asked for.
    pub fn work(&self, mut make: impl FnMut(u64, &mut [Vec<f32>]) -> Made) {
        let mut state = self.lock();
        loop {
            if state.closed {
                return;
            }
            state.resting |= state.ready.len() >= self.ahead;
            let Some(number) = state.next.filter(|_| !state.resting) else {
                state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let seeks = state.seeks;
            let mut buffers = state.free.pop().unwrap_or_default();
            drop(state);
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
