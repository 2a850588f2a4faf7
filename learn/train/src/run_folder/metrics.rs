//! What happened in a training, step by step: `metrics.jsonl`, `metrics.csv` and TensorBoard's events.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::brief;
use super::tensorboard::EventFile;
use crate::disk;
use crate::error::TrainError;
use crate::trainer::Event;
use crate::whole::write_whole;

/// Steps that are written down, at most; of more, every second, third and so on.
const STEPS_MAX: u64 = 10_000;
/// Bytes of metrics that are read again, at most.
const BYTES_MAX: u64 = 64 << 20;
/// Between two flushes, for whoever looks on.
const FLUSH: Duration = Duration::from_secs(2);

const JSONL: &str = "metrics.jsonl";
const CSV: &str = "metrics.csv";
const COLUMNS: &str = "step,seconds,loss,grad_norm,learning_rate,validation_loss";

/// A line of `metrics.jsonl`, and a row of `metrics.csv`: what is known after a step.
///
/// Numbers that are infinite or NaN are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Steps taken.
    pub step: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// The loss of the step's batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// The gradient's norm before clipping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// The learning rate used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// The loss on held-out data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
}

impl Metric {
    fn row(&self) -> String {
        let values = [self.loss, self.grad_norm, self.learning_rate, self.validation_loss];
        let cells: Vec<String> =
            values.iter().map(|value| value.map_or(String::new(), |v| v.to_string())).collect();
        format!("{},{},{}", self.step, self.seconds, cells.join(","))
    }
}

/// Writes the metrics of one training into a folder.
pub struct Metrics {
    folder: PathBuf,
    jsonl: BufWriter<File>,
    csv: BufWriter<File>,
    events: EventFile,
    /// Whether there were some already, of a training that went no further.
    earlier: bool,
    begun: Instant,
    /// Seconds of training before this process.
    before: f64,
    flushed: Instant,
}

impl Metrics {
    /// Begins in a folder, or goes on where there are some already.
    ///
    /// # Errors
    /// If the folder refuses.
    pub fn open(folder: &Path) -> Result<Metrics, TrainError> {
        Metrics::create(folder).map_err(|e| problem(folder, &e))
    }

    fn create(folder: &Path) -> io::Result<Metrics> {
        disk::create_folder(folder)?;
        let (jsonl, csv) = (append(&folder.join(JSONL))?, append(&folder.join(CSV))?);
        let empty = csv.metadata()?.len() == 0;
        let now = Instant::now();
        let mut metrics = Metrics {
            folder: folder.to_path_buf(),
            jsonl: BufWriter::new(jsonl),
            csv: BufWriter::new(csv),
            events: EventFile::create(folder)?,
            earlier: !empty,
            begun: now,
            before: 0.0,
            flushed: now,
        };
        if empty {
            writeln!(metrics.csv, "{COLUMNS}")?;
        }
        Ok(metrics)
    }

    /// Takes note of an event. Where a training goes on, what was written after its checkpoint is dropped, as
    /// those steps are taken again; where it begins anew, all of it.
    ///
    /// # Errors
    /// If the disk refuses; the training need not care.
    pub fn watch(&mut self, event: &Event) -> Result<(), TrainError> {
        let noted = match *event {
            Event::Step { step: 1, .. } if std::mem::take(&mut self.earlier) => {
                self.go_on(0).map_err(|e| problem(&self.folder, &e))?;
                return self.watch(event);
            }
            Event::Step { step, steps, loss, grad_norm, learning_rate } => {
                if !step.is_multiple_of(steps.div_ceil(STEPS_MAX)) && step != steps {
                    return Ok(());
                }
                let finite = |value: f64| value.is_finite().then_some(value);
                self.note(&Metric {
                    step,
                    seconds: self.seconds(),
                    loss: finite(loss),
                    grad_norm: finite(grad_norm),
                    learning_rate: finite(learning_rate),
                    validation_loss: None,
                })
            }
            Event::Validation { step, loss, .. } => {
                let validation_loss = loss.is_finite().then_some(loss);
                let seconds = self.seconds();
                self.note(&Metric { step, seconds, validation_loss, ..Metric::default() })
                    .and_then(|()| self.flush())
            }
            Event::Resumed { step } => self.go_on(step),
            Event::Checkpoint { .. } => self.flush(),
            Event::Problem { .. } => Ok(()),
        };
        noted.map_err(|e| problem(&self.folder, &e))
    }

    /// Has everything in the files.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn finish(mut self) -> Result<(), TrainError> {
        self.flush().map_err(|e| problem(&self.folder, &e))
    }

    fn seconds(&self) -> f64 {
        // Microseconds are more than anyone wants.
        let exact = self.before + self.begun.elapsed().as_secs_f64();
        (exact * 1e6).round() / 1e6
    }

    fn note(&mut self, metric: &Metric) -> io::Result<()> {
        serde_json::to_writer(&mut self.jsonl, metric)?;
        self.jsonl.write_all(b"\n")?;
        writeln!(self.csv, "{}", metric.row())?;
        let named = [
            ("loss/training", metric.loss),
            ("loss/validation", metric.validation_loss),
            ("gradient norm", metric.grad_norm),
            ("learning rate", metric.learning_rate),
        ];
        let mut values = [("", 0.0); 4];
        let mut count = 0;
        for (name, value) in named {
            if let Some(value) = value {
                values[count] = (name, value);
                count += 1;
            }
        }
        self.events.scalars(metric.step, &values[..count])?;
        if self.flushed.elapsed() > FLUSH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        self.jsonl.flush()?;
        self.csv.flush()?;
        self.events.flush()
    }

    /// Drops what was written after a step.
    fn go_on(&mut self, step: u64) -> io::Result<()> {
        self.flush()?;
        let mut kept = read(&self.folder)?;
        kept.retain(|metric| metric.step <= step);
        let (jsonl, csv) = (self.folder.join(JSONL), self.folder.join(CSV));
        write_whole(&jsonl, |file| {
            kept.iter().try_for_each(|metric| {
                serde_json::to_writer(&mut *file, metric)?;
                file.write_all(b"\n")
            })
        })?;
        write_whole(&csv, |file| {
            writeln!(file, "{COLUMNS}")?;
            kept.iter().try_for_each(|metric| writeln!(file, "{}", metric.row()))
        })?;
        self.jsonl = BufWriter::new(append(&jsonl)?);
        self.csv = BufWriter::new(append(&csv)?);
        self.before = kept.last().map_or(0.0, |metric| metric.seconds);
        self.begun = Instant::now();
        self.events.begin_again(step + 1)
    }
}

/// The metrics in a folder, in their order. A last line that was cut off is no part of them.
///
/// # Errors
/// If there are none, or a line is something else.
pub fn read_metrics(folder: &Path) -> Result<Vec<Metric>, TrainError> {
    read(folder).map_err(|e| problem(&folder.join(JSONL), &e))
}

fn read(folder: &Path) -> io::Result<Vec<Metric>> {
    parse(&disk::read(&folder.join(JSONL), BYTES_MAX)?)
}

fn parse(bytes: &[u8]) -> io::Result<Vec<Metric>> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    let whole = lines.filter(|(_, line)| line.ends_with(b"\n"));
    whole
        .map(|(number, line)| {
            serde_json::from_slice(line).map_err(|e| {
                io::Error::other(format!("line {}: no metric: {}", number + 1, brief(&e.to_string())))
            })
        })
        .collect()
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn problem(path: &Path, problem: &io::Error) -> TrainError {
    TrainError::File { path: path.to_path_buf(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64, loss: f64) -> Event<'static> {
        Event::Step { step, steps: 4, loss, grad_norm: f64::INFINITY, learning_rate: 0.5 }
    }

    #[test]
    fn steps_taken_again_are_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::open(folder.path()).unwrap();
        for event in [step(1, 3.0), Event::Validation { step: 1, loss: 2.5, best: true }, step(2, 2.0)] {
            metrics.watch(&event).unwrap();
        }
        drop(metrics);
        // The process died in the middle of a line.
        let path = folder.path().join(JSONL);
        let mut cut = std::fs::read(&path).unwrap();
        cut.extend_from_slice(b"{\"step\":3,\"sec");
        std::fs::write(&path, cut).unwrap();
        let mut metrics = Metrics::open(folder.path()).unwrap();
        metrics.watch(&Event::Resumed { step: 1 }).unwrap();
        metrics.watch(&step(2, f64::NAN)).unwrap();
        metrics.finish().unwrap();

        let metrics = read_metrics(folder.path()).unwrap();
        let known: Vec<_> =
            metrics.iter().map(|m| (m.step, m.loss, m.validation_loss, m.grad_norm)).collect();
        assert_eq!(known, [(1, Some(3.0), None, None), (1, None, Some(2.5), None), (2, None, None, None)]);
        assert!(metrics.windows(2).all(|pair| pair[0].seconds <= pair[1].seconds));
        let csv = std::fs::read_to_string(folder.path().join(CSV)).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!((lines[0], lines.len()), (COLUMNS, 4));
        assert!(lines[1].starts_with("1,") && lines[1].ends_with(",3,,0.5,"), "{}", lines[1]);
        assert!(lines[2].ends_with(",,,,2.5"), "{}", lines[2]);
    }

    #[test]
    fn of_many_steps_some_are_written_and_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::open(folder.path()).unwrap();
        let steps = 2 * STEPS_MAX + 1;
        for step in 1..=steps {
            let event = Event::Step { step, steps, loss: 1.0, grad_norm: 1.0, learning_rate: 1.0 };
            metrics.watch(&event).unwrap();
        }
        metrics.finish().unwrap();
        let written = read_metrics(folder.path()).unwrap();
        assert!(written.len() as u64 <= STEPS_MAX && written.len() > 5000);
        assert_eq!(written.last().unwrap().step, steps);
    }

    #[test]
    fn a_training_that_begins_anew_takes_the_place_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        for losses in [&[9.0, 8.0, 7.0][..], &[3.0, 2.0]] {
            let mut metrics = Metrics::open(folder.path()).unwrap();
            for (place, loss) in losses.iter().enumerate() {
                metrics.watch(&step(place as u64 + 1, *loss)).unwrap();
            }
            metrics.finish().unwrap();
            let written = read_metrics(folder.path()).unwrap();
            assert!(written.iter().map(|metric| metric.loss.unwrap()).eq(losses.iter().copied()));
            let csv = std::fs::read_to_string(folder.path().join(CSV)).unwrap();
            assert_eq!(csv.lines().count(), losses.len() + 1);
        }
    }

    #[test]
    fn what_is_no_metric_is_refused_with_its_line() {
        for (text, expected) in [
            ("{\"step\":1,\"seconds\":0}\n{\"step\":-1,\"seconds\":0}\n", "line 2: no metric"),
            ("[]\n", "line 1: no metric"),
            ("\u{0}\n", "line 1: no metric"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(parse(b"").unwrap(), []);
    }
}
