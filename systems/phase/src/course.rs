//! A training from its first epoch to its last, with checkpoints on the way.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bessemer_kernels::pool::Pool;
use bessemer_train::data::Split;
use bessemer_train::{Checkpoints, State, TrainError, weights};
use serde::{Deserialize, Serialize};

use crate::data::Table;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::options::FitOptions;
use crate::radiation::CacheStatistics;
use crate::samples::Samples;
use crate::settings::Settings;
use crate::trainer::{Place, Tally, Trainer, put_network, take_network};

/// An epoch that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Its number, counted from 1.
    pub epoch: usize,
    /// Epochs asked for.
    pub epochs: usize,
    /// What was seen of the samples to learn from, while learning.
    pub train: Tally,
    /// What was seen of those held out for validation, if there are any.
    pub validation: Option<Tally>,
    /// Whether it is the best so far.
    pub best: bool,
}

impl Epoch {
    /// What it is compared by.
    fn scored(&self) -> &Tally {
        self.validation.as_ref().unwrap_or(&self.train)
    }
}

/// What happened, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step was taken: a chance to stop.
    Step,
    /// An epoch is over.
    Epoch(&'a Epoch),
    /// A checkpoint was written.
    Checkpoint {
        /// Epochs done.
        epochs: usize,
    },
    /// The training goes on from a checkpoint.
    Resumed {
        /// Epochs done.
        epochs: usize,
    },
    /// A checkpoint could not be written or read; the training goes on.
    Problem {
        /// What went wrong.
        problem: &'a TrainError,
    },
}

/// What a training did.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// All epochs.
    pub epochs: Vec<Epoch>,
    /// The epoch whose indices were kept.
    pub best_epoch: usize,
    /// Time, without reading data and without that between a stop and going on.
    pub elapsed: Duration,
    /// Radiation's caches, all together, since the training began or went on.
    pub cache: CacheStatistics,
}

/// What a checkpoint says beside its arrays.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counters {
    about: String,
    epochs: usize,
    batches: usize,
    best_epoch: usize,
    seconds: f64,
}

/// Numbers of an epoch in a checkpoint: two tallies, whether there is a second, and whether it is the best so far.
const WORDS: usize = 2 * Tally::WORDS + 2;

/// A training at work.
pub(crate) struct Course<'a> {
    pub trainer: Trainer,
    pub samples: &'a Samples,
    pub split: &'a Split,
    pub options: &'a FitOptions,
    pub pool: &'a Pool,
    /// How far it is in the epoch after those of the history.
    place: Place,
    best: Option<Network>,
    history: History,
}

impl<'a> Course<'a> {
    pub fn new(
        trainer: Trainer,
        samples: &'a Samples,
        split: &'a Split,
        options: &'a FitOptions,
        pool: &'a Pool,
    ) -> Course<'a> {
        let (place, history) = (Place::default(), History::default());
        Course { trainer, samples, split, options, pool, place, best: None, history }
    }

    /// From where it is to the end.
    pub fn run(
        mut self,
        checkpoints: Option<&Checkpoints>,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(Network, History)> {
        let _lock = checkpoints.map(Checkpoints::begin).transpose()?;
        if let Some(checkpoints) = checkpoints.filter(|checkpoints| checkpoints.resume) {
            self.resume(checkpoints, watch)?;
        }
        let (start, before) = (Instant::now(), self.history.elapsed);
        let every = checkpoints.map_or(0, |checkpoints| checkpoints.every);
        while self.history.epochs.len() < self.options.epochs {
            let stops = self.epoch(watch).is_break();
            self.history.elapsed = before + start.elapsed();
            let epochs = self.history.epochs.len();
            let over = epochs == self.options.epochs;
            let due = every > 0 && ((epochs as u64).is_multiple_of(every) || over);
            match checkpoints.filter(|_| stops || due).map(|checkpoints| self.write(checkpoints)) {
                None if stops => return Err(Error::Stopped { epochs, checkpoint: None }),
                None => {}
                Some(Ok(path)) if stops => return Err(Error::Stopped { epochs, checkpoint: Some(path) }),
                Some(Ok(_)) => _ = watch(Event::Checkpoint { epochs }),
                Some(Err(problem)) if stops => return Err(problem.into()),
                // Of a long training with a full disk, the graph is better than nothing.
                Some(Err(problem)) => _ = watch(Event::Problem { problem: &problem }),
            }
        }
        self.history.cache = self.trainer.cache();
        Ok((self.best.unwrap_or(self.trainer.network), self.history))
    }

    /// The rest of an epoch, if nothing stops it.
    fn epoch(&mut self, watch: &mut dyn FnMut(Event) -> ControlFlow<()>) -> ControlFlow<()> {
        let number = self.history.epochs.len();
        let go_on = &mut || watch(Event::Step);
        let Course { trainer, samples, split, place, pool, .. } = self;
        trainer.epoch(samples, &split.train, number, place, pool, go_on)?;
        let train = std::mem::take(place).tally;
        let validates = !split.validation.is_empty();
        let validation = validates.then(|| trainer.classify(samples, &split.validation, pool).1);
        let epochs = self.options.epochs;
        let mut epoch = Epoch { epoch: number + 1, epochs, train, validation, best: true };
        let before = self.history.best_epoch.checked_sub(1).map(|place| *self.history.epochs[place].scored());
        if let (Some(tally), Some(before)) = (&epoch.validation, before) {
            let rank = |tally: &Tally| (tally.correct, -tally.loss);
            epoch.best = rank(tally).partial_cmp(&rank(&before)).is_some_and(|order| order.is_gt());
        }
        if epoch.best {
            self.best = Some(self.trainer.network.clone());
            self.history.best_epoch = epoch.epoch;
        }
        self.history.epochs.push(epoch);
        watch(Event::Epoch(&epoch))
    }

    fn write(&mut self, checkpoints: &Checkpoints) -> Result<PathBuf, TrainError> {
        let counters = Counters {
            about: checkpoints.about.clone(),
            epochs: self.history.epochs.len(),
            batches: self.place.batches,
            best_epoch: self.history.best_epoch,
            seconds: self.history.elapsed.as_secs_f64(),
        };
        let failed = |problem| TrainError::File { path: checkpoints.folder.clone(), problem };
        let text = toml::to_string(&counters).map_err(|e| failed(e.to_string()))?;
        let mut state = State::new(&text);
        self.trainer.put(&mut state);
        if let Some(best) = &self.best {
            put_network(&mut state, "best", best);
        }
        let words: Vec<u64> = self.history.epochs.iter().flat_map(words).collect();
        state.put("epochs", &words);
        state.put("tally", &self.place.tally.words());
        checkpoints.write_state(counters.epochs as u64, &state)
    }

    /// Goes on from the latest checkpoint.
    fn resume(
        &mut self,
        checkpoints: &Checkpoints,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<()> {
        /// Beside arrays: names, shapes and all settings.
        const MORE: u64 = 1 << 20;
        let of_epochs = (8 * WORDS * self.options.epochs) as u64;
        let bytes_max = self.trainer.bytes_max() + of_epochs + MORE;
        // Of another training, arrays have other lengths; what differs is to be told first.
        let mut apart = None;
        let restore = &mut |state| self.restore(state, checkpoints, &mut apart);
        let found = checkpoints.latest_state(bytes_max, restore);
        if let Some(error) = apart {
            return Err(error);
        }
        let Some(((), problems)) = found? else {
            return Err(TrainError::NothingToResume { folder: checkpoints.folder.clone() }.into());
        };
        for problem in &problems {
            _ = watch(Event::Problem { problem });
        }
        _ = watch(Event::Resumed { epochs: self.history.epochs.len() });
        Ok(())
    }

    fn restore(
        &mut self,
        mut state: State,
        checkpoints: &Checkpoints,
        apart: &mut Option<Error>,
    ) -> Result<(), String> {
        let text = state.take_text()?;
        let counters: Counters = toml::from_str(&text).map_err(|e| e.message().to_string())?;
        if let Err(error) = checkpoints.check_about(&counters.about) {
            let said = error.to_string();
            *apart = Some(match error {
                TrainError::OtherSettings { folder, setting, .. } if setting == "data" => Error::Data {
                    place: format!("`{}`", folder.display()),
                    problem:
                        "the data are not those that it learned from and validated on before, or not all of \
                              their columns; go on with the same"
                            .into(),
                },
                error => error.into(),
            });
            return Err(said);
        }
        let Counters { epochs, batches, best_epoch, seconds, .. } = counters;
        let all = self.split.train.len().div_ceil(self.options.batch);
        if epochs > self.options.epochs
            || batches > all
            || best_epoch > epochs
            || (best_epoch == 0) != (epochs == 0)
            || !(0.0..1e12).contains(&seconds)
        {
            return Err("its counters contradict each other; use an earlier one".into());
        }
        self.trainer.take(&mut state)?;
        self.best = match best_epoch {
            0 => None,
            _ => {
                let mut best = self.trainer.network.clone();
                take_network(&mut state, "best", &mut best)?;
                Some(best)
            }
        };
        let words = state.take::<u64>("epochs", epochs * WORDS)?;
        let read = words.chunks_exact(WORDS).enumerate().map(|(place, words)| self.read_epoch(place, words));
        let epochs = read.collect::<Option<Vec<Epoch>>>();
        let tally = Tally::of_words(&state.take::<u64>("tally", Tally::WORDS)?);
        let (Some(epochs), Some(tally)) = (epochs, tally) else {
            return Err("what it says of its epochs makes no sense; use an earlier one".into());
        };
        self.place = Place { batches, tally };
        let elapsed = Duration::from_secs_f64(seconds);
        self.history = History { epochs, best_epoch, elapsed, ..History::default() };
        Ok(())
    }

    fn read_epoch(&self, place: usize, words: &[u64]) -> Option<Epoch> {
        let (tallies, flags) = words.split_at(2 * Tally::WORDS);
        let (train, validation) = tallies.split_at(Tally::WORDS);
        let (train, validation) = (Tally::of_words(train)?, Tally::of_words(validation)?);
        let flag = |word: u64| (word <= 1).then_some(word == 1);
        let validation = flag(flags[0])?.then_some(validation);
        Some(Epoch {
            epoch: place + 1,
            epochs: self.options.epochs,
            train,
            validation,
            best: flag(flags[1])?,
        })
    }
}

fn words(epoch: &Epoch) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    let (tallies, flags) = words.split_at_mut(2 * Tally::WORDS);
    tallies[..Tally::WORDS].copy_from_slice(&epoch.train.words());
    tallies[Tally::WORDS..].copy_from_slice(&epoch.validation.unwrap_or_default().words());
    flags.copy_from_slice(&[u64::from(epoch.validation.is_some()), u64::from(epoch.best)]);
    words
}

/// What is trained on what, for checkpoints: the version, all settings, and a fingerprint of what is learned from
/// and of what validates.
pub(crate) fn about(
    table: &Table,
    split: &Split,
    settings: &Settings,
    options: &FitOptions,
    more: &str,
) -> String {
    let settings = toml::to_string(settings).unwrap_or_default();
    let options = toml::to_string(options).unwrap_or_default();
    let mut bytes = Vec::new();
    for name in table.columns.features.iter().chain(&table.classes) {
        bytes.extend(name.len().to_le_bytes());
        bytes.extend(name.as_bytes());
    }
    for rows in [&split.train, &split.validation] {
        bytes.extend(rows.len().to_le_bytes());
        for row in rows {
            bytes.extend(table.labels[*row].to_le_bytes());
            table.row(*row).iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        }
    }
    let (version, data) = (env!("CARGO_PKG_VERSION"), weights::fingerprint(&bytes));
    format!("{settings}{options}{more}\nversion = \"{version}\"\ndata = \"{data}\"")
}
