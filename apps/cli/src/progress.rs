//! Progress of trainings on stderr: a bar for each model, or plain lines where nobody watches.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use bessemer::train::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::number;

/// Between two changes of what a bar says.
const BAR_PAUSE: Duration = Duration::from_millis(60);
/// Between two plain lines.
const LINE_PAUSE: Duration = Duration::from_secs(5);

/// Where progress is shown.
pub enum Progress {
    /// On a terminal.
    Bars(MultiProgress),
    /// Elsewhere, such as in a log.
    Lines,
    /// Nowhere.
    Quiet,
}

impl Progress {
    /// Bars on a terminal, lines elsewhere, nothing if quiet.
    pub fn new(quiet: bool) -> Progress {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Progress::Quiet,
            (_, true) => Progress::Bars(MultiProgress::new()),
            _ => Progress::Lines,
        }
    }

    /// The progress of one model.
    pub fn model(&self, name: &str, steps: u64) -> ModelProgress {
        let bar = match self {
            Progress::Bars(bars) => bars.add(ProgressBar::new(steps)),
            _ => ProgressBar::hidden(),
        };
        // The template is constant and valid.
        if let Ok(style) =
            ProgressStyle::with_template("{prefix:>14} {bar:28.cyan/dim} {pos:>6}/{len} steps  {wide_msg}")
        {
            bar.set_style(style.progress_chars("━━╌"));
        }
        bar.set_prefix(name.to_string());
        let now = Instant::now();
        ModelProgress {
            lines: matches!(self, Progress::Lines),
            name: name.to_string(),
            bar,
            begun: now,
            said: now,
            first: 0,
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
    /// Steps taken before.
    first: u64,
    quiet: bool,
    loss: f64,
    validation: Option<f64>,
}

impl ModelProgress {
    /// Takes note of an event.
    pub fn watch(&mut self, event: Event) {
        match event {
            Event::Step { step, steps, loss, .. } => {
                self.loss = loss;
                let pause = if self.lines { LINE_PAUSE } else { BAR_PAUSE };
                if self.said.elapsed() < pause && step != steps {
                    return;
                }
                self.said = Instant::now();
                let per_step = self.begun.elapsed().as_secs_f64() / (step - self.first) as f64;
                let left = number::seconds(per_step * (steps - step) as f64);
                let text = format!("{}, {left} left", self.losses());
                if self.lines && step != steps {
                    eprintln!("{}: step {step} of {steps}, {text}", self.name);
                }
                self.bar.set_position(step);
                self.bar.set_message(text);
            }
            Event::Validation { loss, best: true, .. } => self.validation = Some(loss),
            Event::Validation { .. } | Event::Checkpoint { .. } => {}
            Event::Resumed { step } => {
                self.first = step;
                self.bar.set_position(step);
                self.say(&format!("{}: goes on after step {step}", self.name));
            }
            Event::Problem { problem } => self.say(&format!("warning: {problem}")),
        }
    }

    /// A line on stderr, above the bars.
    fn say(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }

    fn losses(&self) -> String {
        let loss = format!("loss {}", number::digits(self.loss));
        match self.validation {
            Some(best) => format!("{loss}, best validation {}", number::digits(best)),
            None => loss,
        }
    }

    /// The training has ended after so many steps.
    pub fn finish(self, steps: usize, elapsed: Duration) {
        let time = number::seconds(elapsed.as_secs_f64());
        let text = format!("{}, {time}", self.losses());
        if self.lines {
            eprintln!("{}: {}, {text}", self.name, number::counted(steps, "step"));
        }
        self.bar.set_position(steps as u64);
        self.bar.abandon_with_message(text);
    }
}
