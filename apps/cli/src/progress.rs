//! Progress of trainings on stderr: a bar for each model, plain lines where nobody watches, or a live view.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use bessemer::train::{Event, Metric};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::dashboard::{Dashboard, Watched};
use crate::error::Result;
use crate::number;
use crate::pace::Pace;

/// Between two changes of what a bar says.
const BAR_PAUSE: Duration = Duration::from_millis(60);
/// Between two plain lines.
const LINE_PAUSE: Duration = Duration::from_secs(5);

/// How a training is watched.
#[derive(clap::Args, Debug)]
pub struct WatchArgs {
    /// Show curves, speed and memory on the whole terminal; `q` stops, as Ctrl-C does
    #[arg(long, conflicts_with = "quiet", help_heading = "Running")]
    dashboard: bool,
}

/// Where progress is shown.
pub enum Progress {
    /// On a terminal.
    Bars(MultiProgress),
    /// Elsewhere, such as in a log.
    Lines,
    /// On the whole terminal.
    Dashboard(Dashboard),
    /// Nowhere.
    Quiet,
}

impl Progress {
    /// Bars on a terminal, lines elsewhere, nothing if quiet; a live view if asked for, which is refused
    /// where there is no terminal.
    pub fn new(quiet: bool, watch: &WatchArgs) -> Result<Progress> {
        Ok(match (quiet, std::io::stderr().is_terminal()) {
            _ if watch.dashboard => Progress::Dashboard(Dashboard::new()?),
            (true, _) => Progress::Quiet,
            (_, true) => Progress::Bars(MultiProgress::new()),
            _ => Progress::Lines,
        })
    }

    /// The progress of one model.
    pub fn model(&self, name: &str, pace: Pace) -> ModelProgress {
        let bar = match self {
            Progress::Bars(bars) => bars.add(ProgressBar::new(pace.steps)),
            _ => ProgressBar::hidden(),
        };
        // The template is constant and valid.
        if let Ok(style) =
            ProgressStyle::with_template("{prefix:>8} {bar:18.cyan/dim} {pos:>5}/{len}  {wide_msg}")
        {
            bar.set_style(style.progress_chars("━━╌"));
        }
        bar.set_prefix(name.to_string());
        let watched = match self {
            Progress::Dashboard(dashboard) => Some(dashboard.model(name, pace)),
            _ => None,
        };
        let now = Instant::now();
        ModelProgress {
            lines: matches!(self, Progress::Lines),
            name: name.to_string(),
            bar,
            begun: now,
            said: now,
            pace,
            watched,
            quiet: matches!(self, Progress::Quiet),
            loss: f64::NAN,
            validation: None,
        }
    }

    /// The progress of many trainings at a time.
    pub fn trainings(&self) -> Trainings {
        let bar = match self {
            Progress::Bars(bars) => bars.add(ProgressBar::new(1)),
            _ => ProgressBar::hidden(),
        };
        // The template is constant and valid.
        if let Ok(style) = ProgressStyle::with_template("{bar:28.cyan/dim} {pos}/{len} models  {wide_msg}") {
            bar.set_style(style.progress_chars("━━╌"));
        }
        Trainings { bar, lines: matches!(self, Progress::Lines), begun: Instant::now() }
    }
}

/// Progress of many trainings at a time.
pub struct Trainings {
    bar: ProgressBar,
    lines: bool,
    begun: Instant,
}

impl Trainings {
    /// One more has ended: so many have, of so many. Called from any thread.
    pub fn ended(&self, done: usize, all: usize) {
        let left = self.begun.elapsed().as_secs_f64() / done as f64 * (all - done) as f64;
        let left = format!("{} left", number::seconds(left));
        if self.lines {
            eprintln!("trained {done} of {}, {left}", number::counted(all, "model"));
        }
        self.bar.set_length(all as u64);
        // Of two that end together, the later may say so first.
        self.bar.inc(1);
        self.bar.set_message(left);
    }

    /// All have ended.
    pub fn finish(&self) {
        self.bar.abandon_with_message(number::seconds(self.begun.elapsed().as_secs_f64()));
    }
}

/// Progress of one model.
pub struct ModelProgress {
    bar: ProgressBar,
    lines: bool,
    name: String,
    begun: Instant,
    said: Instant,
    pace: Pace,
    /// In the live view, which then shows all.
    watched: Option<Watched>,
    quiet: bool,
    loss: f64,
    validation: Option<f64>,
}

impl ModelProgress {
    /// Takes note of an event.
    pub fn watch(&mut self, event: Event) {
        if let Some(watched) = &self.watched {
            return watched.watch(event);
        }
        match event {
            Event::Step { step, steps, loss, .. } => {
                self.loss = loss;
                let pause = if self.lines { LINE_PAUSE } else { BAR_PAUSE };
                if self.said.elapsed() < pause && step != steps {
                    return;
                }
                self.said = Instant::now();
                let seconds = self.begun.elapsed().as_secs_f64();
                let speed = number::digits(self.pace.samples_per_second(step, seconds));
                let left = number::seconds(self.pace.seconds_left(step, seconds).unwrap_or_default());
                let text = format!("{left} left, {}, {speed} samples/s", self.losses());
                if self.lines && step != steps {
                    eprintln!("{}: step {step} of {steps}, {text}", self.name);
                }
                self.bar.set_position(step);
                self.bar.set_message(text);
            }
            Event::Validation { loss, best: true, .. } => self.validation = Some(loss),
            Event::Validation { .. } | Event::Checkpoint { .. } => {}
            Event::Resumed { step } => {
                self.pace.first = step;
                self.bar.set_position(step);
                self.say(&format!("{}: goes on after step {step}", self.name));
            }
            Event::Problem { problem } => self.say(&format!("warning: {problem}")),
        }
    }

    /// A training that goes on shows what was written down before, where curves are shown.
    pub fn recall(&self, metrics: impl FnOnce() -> Vec<Metric>) {
        if let Some(watched) = &self.watched {
            watched.recall(&metrics());
        }
    }

    /// A line on stderr, above the bars.
    fn say(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }

    fn losses(&self) -> String {
        losses(self.loss, self.validation)
    }

    /// The training has ended after so many steps.
    pub fn finish(self, steps: usize, elapsed: Duration) {
        if let Some(watched) = self.watched {
            return watched.finish(steps, elapsed);
        }
        let text = ended(self.loss, self.validation, self.pace, steps, elapsed.as_secs_f64());
        if self.lines {
            eprintln!("{}: {} {text}", self.name, number::counted(steps, "step"));
        }
        self.bar.set_position(steps as u64);
        self.bar.abandon_with_message(text);
    }
}

/// The last batch's loss, and the best on validation rows if there are any.
pub fn losses(loss: f64, best: Option<f64>) -> String {
    let loss = format!("loss {}", number::digits(loss));
    match best {
        Some(best) => format!("{loss}, best validation {}", number::digits(best)),
        None => loss,
    }
}

/// What is said of a training that took so many seconds for its steps, those of earlier runs among them.
pub fn ended(loss: f64, best: Option<f64>, pace: Pace, steps: usize, seconds: f64) -> String {
    let speed = Pace { first: 0, ..pace }.samples_per_second(steps as u64, seconds);
    let losses = losses(loss, best);
    format!("in {}, {losses}, {} samples/s", number::seconds(seconds), number::digits(speed))
}
