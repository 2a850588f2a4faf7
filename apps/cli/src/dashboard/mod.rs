//! `--dashboard`: a live view of trainings on the whole terminal.
//!
//! `state.rs` is what is shown, `draw.rs` a pure function of that. Trainings only take note of events in the
//! state; a thread of its own draws copies of it and reads keys.

mod curve;
mod draw;
mod loss;
mod screen;
mod state;

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bessemer::train::{Event, Metric};
use ratatui::crossterm::event::{self, Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub use self::screen::give_back;
use self::state::State;
use crate::error::{CliError, Result};
use crate::pace::Pace;
use crate::{interrupt, machine};

/// From one drawing to the next.
const PAUSE: Duration = Duration::from_millis(125);
/// From one look at the memory to the next.
const MEMORY_PAUSE: Duration = Duration::from_millis(500);

/// What is to be said on stderr once the terminal is given back: the state of the view that has it.
static OPEN: Mutex<Option<Arc<Mutex<State>>>> = Mutex::new(None);

/// The live view of a command's trainings. It takes the terminal when one begins, and gives it back when the
/// command has something to print, ends or panics.
pub struct Dashboard {
    state: Arc<Mutex<State>>,
    since: Instant,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The training of one model, as the live view follows it.
pub struct Watched {
    state: Arc<Mutex<State>>,
    since: Instant,
    place: usize,
}

impl Dashboard {
    /// A view that takes the terminal when a training begins; refused where there is no terminal.
    pub fn new() -> Result<Dashboard> {
        let refuse = |problem: String| {
            let remedy = "run it in a terminal, or leave the option out for plain progress";
            CliError::argument("--dashboard", problem, remedy)
        };
        if !io::stderr().is_terminal() {
            return Err(refuse("stderr is not a terminal".into()));
        }
        if std::env::var("TERM").is_ok_and(|name| name == "dumb") {
            return Err(refuse("TERM=dumb is a terminal that nothing can be drawn on".into()));
        }
        screen::check().map_err(|error| refuse(format!("the terminal cannot be used: {error}")))?;
        let state = Arc::new(Mutex::new(State::default()));
        Ok(Dashboard { state, since: Instant::now(), thread: Mutex::new(None) })
    }

    /// The training of a model begins.
    pub fn model(&self, name: &str, pace: Pace) -> Watched {
        let now = self.since.elapsed().as_secs_f64();
        let place = lock(&self.state).begin(name, pace, now);
        self.open();
        Watched { state: self.state.clone(), since: self.since, place }
    }

    /// Takes the terminal. A training goes on unseen where that fails.
    fn open(&self) {
        if screen::is_taken() {
            return;
        }
        let mut thread = lock(&self.thread);
        // The one of before reads keys until it sees that the terminal is no longer its own.
        if let Some(before) = thread.take() {
            let _ = before.join();
        }
        if screen::take().is_ok() {
            *lock(&OPEN) = Some(self.state.clone());
            let (state, since) = (self.state.clone(), self.since);
            let show = move || show(&state, since);
            *thread = std::thread::Builder::new().name("dashboard".into()).spawn(show).ok();
            if thread.is_none() {
                close();
            }
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        close();
    }
}

impl Watched {
    /// Takes note of an event.
    pub fn watch(&self, event: Event) {
        let now = self.since.elapsed().as_secs_f64();
        lock(&self.state).watch(self.place, event, now);
    }

    /// Takes note of what was written down before the training went on.
    pub fn recall(&self, metrics: &[Metric]) {
        let now = self.since.elapsed().as_secs_f64();
        lock(&self.state).recall(self.place, metrics, now);
    }

    /// The training has ended after so many steps.
    pub fn finish(self, steps: usize, elapsed: Duration) {
        lock(&self.state).finish(self.place, steps, elapsed.as_secs_f64());
    }
}

/// Gives the terminal back, if a view has it, and says what is to be read after it.
pub fn close() {
    screen::give_back();
    let Some(state) = lock(&OPEN).take() else { return };
    let lasting = lock(&state).take_lasting();
    lasting.iter().for_each(|line| eprintln!("{line}"));
}

/// Draws and reads keys until the terminal is given back.
fn show(state: &Mutex<State>, since: Instant) {
    let mut looked: Option<Instant> = None;
    loop {
        let until = Instant::now() + PAUSE;
        let memory = looked.is_none_or(|at| at.elapsed() >= MEMORY_PAUSE).then(|| {
            looked = Some(Instant::now());
            machine::process_memory()
        });
        let copy = {
            let mut state = lock(state);
            state.now = since.elapsed().as_secs_f64();
            state.stopping = interrupt::requested();
            if let Some(memory) = memory {
                state.measure_memory(memory);
            }
            state.clone()
        };
        if !screen::draw(|frame| draw::draw(frame, &copy)) {
            return;
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match event::poll(left) {
                Ok(false) => break,
                Ok(true) => match event::read() {
                    Ok(_) if !screen::is_taken() => return,
                    Ok(Input::Key(key)) if key.kind == KeyEventKind::Press => obey(key, state),
                    Ok(_) => {}
                    Err(_) => return screen::give_back(),
                },
                Err(_) => return screen::give_back(),
            }
        }
    }
}

fn obey(key: KeyEvent, state: &Mutex<State>) {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        // The terminal sends no signals while it is drawn on.
        KeyCode::Char('c') if control => interrupt::request(),
        // One that is held down too long must not end the program at once.
        KeyCode::Char('q') if !interrupt::requested() => interrupt::request(),
        KeyCode::Tab | KeyCode::Right | KeyCode::Down => lock(state).turn(true),
        KeyCode::BackTab | KeyCode::Left | KeyCode::Up => lock(state).turn(false),
        _ => {}
    }
}

/// The view is no reason for a training to fail, whatever happened to it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
