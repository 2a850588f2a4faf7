//! Progress of trainings on stderr: a bar for each model, plain lines where nobody watches, or a live view.

use std::io::IsTerminal;
use std::sync::Mutex;
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

    /// The progress of so many trainings at a time, of which some have ended before.
    pub fn trainings(&self, all: usize, before: usize) -> Trainings {
        let bar = match self {
            Progress::Bars(bars) => bars.add(ProgressBar::new(all as u64)),
            _ => ProgressBar::hidden(),
        };
        // The template is constant and valid.
        if let Ok(style) = ProgressStyle::with_template("{bar:28.cyan/dim} {pos}/{len} models  {wide_msg}") {
            bar.set_style(style.progress_chars("━━╌"));
        }
        bar.set_position(before as u64);
        let now = Instant::now();
        let course = Course { done: before, said: now, warned: false };
        let trainings = Trainings {
            bar,
            lines: matches!(self, Progress::Lines),
            quiet: matches!(self, Progress::Quiet),
            begun: now,
            all,
            before,
            course: Mutex::new(course),
        };
        if before > 0 {
            trainings.say(&format!("{before} of {} trained before", number::counted(all, "model")));
        }
        trainings
    }
}

/// Of so many trainings at most, each has a line; of more, those that are remarkable, and others now and then.
const LINES_MAX: usize = 100;

/// Progress of many trainings at a time, told from any thread.
pub struct Trainings {
    bar: ProgressBar,
    lines: bool,
    quiet: bool,
    begun: Instant,
    all: usize,
    before: usize,
    course: Mutex<Course>,
}

/// How far they are.
struct Course {
    done: usize,
    /// When the last line was written.
    said: Instant,
    warned: bool,
}

impl Trainings {
    /// One more has ended, and what it gave.
    pub fn ended(&self, gave: &str, remarkable: bool) {
        let mut course = self.course.lock().expect("nothing panics while it is held");
        course.done += 1;
        let (done, all) = (course.done, self.all);
        let each = self.begun.elapsed().as_secs_f64() / (done - self.before) as f64;
        let left = match all - done {
            0 => format!("in {}", number::seconds(self.begun.elapsed().as_secs_f64())),
            more => format!("{} left", number::seconds(each * more as f64)),
        };
        let due = all <= LINES_MAX || remarkable || done == all || course.said.elapsed() >= LINE_PAUSE;
        if self.lines && due {
            course.said = Instant::now();
            eprintln!("{gave}; trained {done} of {}, {left}", number::counted(all, "model"));
        }
        self.bar.set_position(done as u64);
        self.bar.set_message(format!("{left}, {gave}"));
    }

    /// Something could not be kept of a training; said once, as the next ones will meet the same.
    pub fn warn(&self, problem: &dyn std::fmt::Display) {
        let mut course = self.course.lock().expect("nothing panics while it is held");
        if !std::mem::replace(&mut course.warned, true) {
            self.say(&format!("warning: {problem}"));
        }
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{text}"));
        }
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
