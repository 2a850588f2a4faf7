//! What the live view shows, apart from how it is drawn.

use std::collections::VecDeque;

use bessemer::train::{Event, Metric};

use super::curve::Curve;
use crate::machine::ProcessMemory;
use crate::pace::Pace;
use crate::{number, progress};

/// Messages that are kept.
const MESSAGES_MAX: usize = 64;
/// Seconds between two measurements of the speed.
const SPEED_PAUSE: f64 = 0.5;

/// All that is shown. Times are in seconds since the view was first opened.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The time.
    pub now: f64,
    /// In the order in which they train.
    pub models: Vec<Model>,
    /// The model that is shown, by its place, if it was chosen; else the last.
    chosen: Option<usize>,
    /// The last ones, the newest at the end.
    pub messages: VecDeque<Message>,
    /// The memory of the process, where the system tells.
    pub memory: Option<ProcessMemory>,
    /// Whether the training is to stop after this step.
    pub stopping: bool,
    /// What is to be read when the view is gone.
    lasting: VecDeque<String>,
}

/// A line about what happened.
#[derive(Clone, Debug)]
pub struct Message {
    /// When.
    pub at: f64,
    /// What.
    pub text: String,
    /// Whether something is wrong.
    pub warning: bool,
}

/// The training of one model.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Steps asked for, and samples in each.
    pub pace: Pace,
    /// When it began.
    begun: f64,
    /// When the last step was taken.
    stepped: f64,
    /// The time it took, if it has ended.
    took: Option<f64>,
    /// Steps taken.
    pub step: u64,
    /// Steps before the first that there is something to show of.
    pub unseen: u64,
    /// The last batch's.
    pub loss: f64,
    /// The last step's.
    pub learning_rate: f64,
    /// The best so far.
    pub best: Option<f64>,
    /// Samples a second, lately.
    speed: Option<f64>,
    /// Step and time since which the speed is measured.
    measured: Option<(u64, f64)>,
    /// Loss by step.
    pub losses: Curve,
    /// Validation loss by step.
    pub validations: Curve,
    /// Learning rate by step.
    pub learning_rates: Curve,
    /// Samples a second by step.
    pub speeds: Curve,
    /// Bytes of memory by step.
    pub memory: Curve,
}

impl Model {
    /// Seconds since it began, or those it took.
    pub fn elapsed(&self, now: f64) -> f64 {
        self.took.unwrap_or(now - self.begun)
    }

    /// Seconds until it has taken all its steps; none before it is known, or after.
    pub fn left(&self) -> Option<f64> {
        if self.took.is_some() {
            return None;
        }
        self.pace.seconds_left(self.step, self.stepped - self.begun)
    }

    /// Samples a second: lately, or from the beginning on if it is only just there.
    pub fn speed(&self) -> f64 {
        self.speed.unwrap_or_else(|| self.pace.samples_per_second(self.step, self.stepped - self.begun))
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.took.is_some()
    }

    fn take_step(&mut self, step: u64, loss: f64, learning_rate: f64, now: f64) {
        (self.step, self.loss, self.learning_rate, self.stepped) = (step, loss, learning_rate, now);
        self.losses.push(step, loss);
        self.learning_rates.push(step, learning_rate);
        let (from, since) = *self.measured.get_or_insert((step, now));
        if now - since >= SPEED_PAUSE {
            let speed = Pace { first: from, ..self.pace }.samples_per_second(step, now - since);
            self.speed = Some(speed);
            self.speeds.push(step, speed);
            self.measured = Some((step, now));
        }
    }
}

impl State {
    /// A training begins; gives its place.
    pub fn begin(&mut self, name: &str, pace: Pace, now: f64) -> usize {
        self.models.push(Model {
            name: name.to_string(),
            pace,
            begun: now,
            stepped: now,
            took: None,
            step: pace.first,
            unseen: pace.first,
            loss: f64::NAN,
            learning_rate: f64::NAN,
            best: None,
            speed: None,
            measured: None,
            losses: Curve::new(),
            validations: Curve::new(),
            learning_rates: Curve::new(),
            speeds: Curve::new(),
            memory: Curve::new(),
        });
        self.models.len() - 1
    }

    /// Takes note of what happened to the model at a place.
    pub fn watch(&mut self, place: usize, event: Event, now: f64) {
        let model = &mut self.models[place];
        let name = &model.name;
        match event {
            Event::Step { step, loss, learning_rate, .. } => {
                model.take_step(step, loss, learning_rate, now);
            }
            Event::Validation { step, loss, best } => {
                let so_far = if best { ", the best so far" } else { "" };
                let text = format!("{name}: validation loss {} at step {step}{so_far}", number::digits(loss));
                model.validations.push(step, loss);
                model.best = if best { Some(loss) } else { model.best };
                self.say(text, now, false);
            }
            Event::Checkpoint { step } => {
                let text = format!("{name}: checkpoint at step {step}");
                self.say(text, now, false);
            }
            Event::Resumed { step } => {
                let text = format!("{name}: goes on after step {step}");
                (model.step, model.pace.first, model.unseen) = (step, step, step);
                self.last(text.clone());
                self.say(text, now, false);
            }
            Event::Problem { problem } => {
                let text = format!("warning: {problem}");
                self.last(text.clone());
                self.say(text, now, true);
            }
        }
    }

    /// Takes note of what was written down of the model at a place before it went on.
    pub fn recall(&mut self, place: usize, metrics: &[Metric], now: f64) {
        let Some(first) = metrics.first() else { return };
        let model = &mut self.models[place];
        let at = model.step;
        model.unseen = first.step.saturating_sub(1);
        for metric in metrics.iter().filter(|metric| metric.step <= at) {
            match (metric.loss, metric.validation_loss) {
                (_, Some(loss)) => {
                    model.validations.push(metric.step, loss);
                    model.best = Some(model.best.map_or(loss, |best| best.min(loss)));
                }
                (Some(loss), None) => {
                    model.take_step(
                        metric.step,
                        loss,
                        metric.learning_rate.unwrap_or(f64::NAN),
                        metric.seconds,
                    );
                }
                (None, None) => {}
            }
        }
        // Between then and now nothing was at work.
        (model.step, model.stepped, model.speed, model.measured) = (at, now, None, None);
    }

    /// The training of the model at a place has ended, after so many steps and seconds.
    pub fn finish(&mut self, place: usize, steps: usize, seconds: f64) {
        let model = &mut self.models[place];
        model.took = Some(seconds);
        let text = progress::ended(model.loss, model.best, model.pace, steps, seconds);
        let text = format!("{}: {} {text}", model.name, number::counted(steps, "step"));
        self.last(text);
    }

    /// The memory that the process has now.
    pub fn measure_memory(&mut self, memory: Option<ProcessMemory>) {
        self.memory = memory;
        if let (Some(model), Some(memory)) = (self.models.last_mut(), memory) {
            model.memory.push(model.step, memory.resident as f64);
        }
    }

    /// The model that is shown, by its place.
    pub fn shown(&self) -> usize {
        self.chosen.unwrap_or(self.models.len().saturating_sub(1))
    }

    /// Shows the next model, or the one before.
    pub fn turn(&mut self, forwards: bool) {
        let count = self.models.len().max(1);
        let by = if forwards { 1 } else { count - 1 };
        let shown = (self.shown() + by) % count;
        // Who comes back to the last model goes on to the next when it begins.
        self.chosen = Some(shown).filter(|place| place + 1 < count);
    }

    /// What is to be read when the view is gone and was not given yet.
    pub fn take_lasting(&mut self) -> VecDeque<String> {
        std::mem::take(&mut self.lasting)
    }

    fn say(&mut self, text: String, at: f64, warning: bool) {
        self.messages.push_back(Message { at, text, warning });
        if self.messages.len() > MESSAGES_MAX {
            self.messages.pop_front();
        }
    }

    fn last(&mut self, text: String) {
        self.lasting.push_back(text);
        if self.lasting.len() > MESSAGES_MAX {
            self.lasting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use bessemer::train::TrainError;

    use super::*;

    const PACE: Pace = Pace { steps: 100, samples: 32, first: 0 };

    fn step(step: u64) -> Event<'static> {
        Event::Step { step, steps: 100, loss: 1.0 / step as f64, grad_norm: 1.0, learning_rate: 1e-3 }
    }

    #[test]
    fn speed_is_measured_over_half_a_second() {
        let mut state = State::default();
        let place = state.begin("mlp", PACE, 10.0);
        assert_eq!((state.models[0].speed(), state.models[0].left()), (0.0, None));
        // Compilation, a second, counts for what is left but not for the speed.
        for taken in 1..=10 {
            state.watch(place, step(taken), 10.9 + 0.1 * taken as f64);
        }
        let model = &state.models[0];
        assert!((model.speed() - 320.0).abs() < 1e-9, "{}", model.speed());
        assert!((model.left().unwrap() - 0.19 * 90.0).abs() < 1e-9, "{:?}", model.left());
        assert!((model.elapsed(13.0) - 3.0).abs() < 1e-9);
        state.finish(place, 10, 1.9);
        assert_eq!((state.models[0].elapsed(99.0), state.models[0].left()), (1.9, None));
    }

    #[test]
    fn curves_of_a_training_that_goes_on_begin_where_it_began() {
        let metric = |step: u64| Metric {
            step,
            seconds: 0.2 * step as f64,
            loss: Some(1.0 / step as f64),
            learning_rate: Some(1e-3),
            ..Metric::default()
        };
        let mut metrics: Vec<Metric> = (1..=4000).map(metric).collect();
        let validated =
            |step, loss| Metric { step, validation_loss: Some(loss), seconds: 0.2, ..Metric::default() };
        metrics.extend([validated(4000, 0.5), validated(4000, 0.7)]);
        let mut state = State::default();
        let place = state.begin("mlp", Pace { steps: 5000, ..PACE }, 0.0);
        state.watch(place, Event::Resumed { step: 4000 }, 7.0);
        state.recall(place, &metrics, 7.0);
        let model = &state.models[0];
        assert_eq!((model.step, model.unseen, model.best, model.left()), (4000, 0, Some(0.5), None));
        let points = model.losses.points();
        assert!(points[0].0 < 10.0 && points.last().unwrap().0 > 3990.0 && points.len() <= 512, "{points:?}");
        // Five steps of 32 windows a second.
        assert!(model.speeds.points().iter().all(|(_, speed)| (speed - 160.0).abs() < 1e-6));
        for taken in 1..=10 {
            state.watch(place, step(4000 + taken), 7.0 + taken as f64);
        }
        let model = &state.models[0];
        assert!((model.speed() - 32.0).abs() < 1e-9, "as it goes now: {}", model.speed());
        assert!(model.losses.points().last().unwrap().0 > 4000.0);
    }

    #[test]
    fn the_model_in_training_is_shown_until_another_is_chosen() {
        let mut state = State::default();
        state.turn(true);
        for (name, shown) in [("mlp", 0), ("nhits", 1), ("nlinear", 2)] {
            state.begin(name, PACE, 0.0);
            assert_eq!(state.shown(), shown);
        }
        state.turn(false);
        assert_eq!(state.shown(), 1);
        state.begin("dlinear", PACE, 0.0);
        assert_eq!(state.shown(), 1, "it was chosen");
        state.turn(true);
        state.turn(true);
        state.begin("patchtst", PACE, 0.0);
        assert_eq!(state.shown(), 4, "the last was chosen, and there is a later one");
        state.turn(true);
        assert_eq!(state.shown(), 0, "after the last comes the first");
    }

    #[test]
    fn warnings_and_results_outlast_the_view() {
        let mut state = State::default();
        let place = state.begin("mlp", PACE, 0.0);
        let problem = TrainError::NothingToResume { folder: "steps".into() };
        state.watch(place, Event::Resumed { step: 40 }, 0.1);
        state.watch(place, step(41), 0.2);
        for _ in 0..1000 {
            state.watch(place, Event::Validation { step: 41, loss: 0.5, best: true }, 0.3);
        }
        state.watch(place, Event::Problem { problem: &problem }, 0.4);
        state.watch(place, Event::Checkpoint { step: 41 }, 0.5);
        state.finish(place, 41, 0.6);
        assert_eq!(state.messages.len(), MESSAGES_MAX);
        assert_eq!(state.messages.iter().filter(|message| message.warning).count(), 1);
        let lasting = state.take_lasting();
        assert_eq!(lasting[0], "mlp: goes on after step 40");
        assert!(lasting[1].starts_with("warning: "), "{lasting:?}");
        assert_eq!(
            lasting[2],
            "mlp: 41 steps in 600 ms, loss 0.02439, best validation 0.5000, 2,187 samples/s"
        );
        assert!(state.take_lasting().is_empty(), "they are said once");
    }
}
