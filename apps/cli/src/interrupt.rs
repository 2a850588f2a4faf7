//! Ctrl-C and SIGTERM: end at once, except while a model is trained or a file written, which come to a good end.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::dashboard;

/// What shells expect of a command that was interrupted.
pub const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static HOLDS: AtomicUsize = AtomicUsize::new(0);
static WRITES: AtomicUsize = AtomicUsize::new(0);
/// How often writing was begun.
static WRITTEN: AtomicUsize = AtomicUsize::new(0);

/// Begins to listen for Ctrl-C.
pub fn install() {
    // Without a handler Ctrl-C still ends the program, only less politely.
    let _ = ctrlc::set_handler(request);
}

/// Asks for an end, as Ctrl-C does; a second time ends at once.
pub fn request() {
    let again = REQUESTED.swap(true, Ordering::SeqCst);
    if WRITES.load(Ordering::SeqCst) > 0 {
        return;
    }
    if again || HOLDS.load(Ordering::SeqCst) == 0 {
        dashboard::give_back();
        eprintln!("error: interrupted; {}", what_stays());
        std::process::exit(EXIT_CODE.into());
    }
}

/// What an interruption leaves behind.
fn what_stays() -> &'static str {
    match WRITTEN.load(Ordering::SeqCst) {
        0 => "nothing was written",
        _ => "what was written before that is whole",
    }
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:%+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The arguments of this command; in place of `--tune`, which might choose another division of the batch the
/// next time, the one that is used.
pub fn arguments(division: &str) -> Vec<String> {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let division = || division.split(' ').filter(|word| !word.is_empty()).map(str::to_string).collect();
    words.flat_map(|word| if word == "--tune" { division() } else { vec![word] }).collect()
}

/// This command with what makes it go on from its last checkpoint, and the folder of its run.
pub fn resume_command(division: &str, run: Option<&Path>) -> String {
    let mut words = arguments(division);
    if !words.iter().any(|word| word == "--run" || word.starts_with("--run=")) {
        words.extend(run.map(|run| format!("--run={}", run.display())));
    }
    if !words.iter().any(|word| word == "--resume") {
        words.push("--resume".into());
    }
    let program = std::env::args().next().unwrap_or_else(|| "bessemer".into());
    std::iter::once(program).chain(words).map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
}

/// Whether to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// While this lives, Ctrl-C only sets [`requested`].
pub struct Hold(&'static AtomicUsize);

impl Hold {
    fn on(count: &'static AtomicUsize) -> Hold {
        count.fetch_add(1, Ordering::SeqCst);
        Hold(count)
    }
}

/// Puts off the end while a model is trained; a second Ctrl-C still ends at once.
pub fn training() -> Hold {
    Hold::on(&HOLDS)
}

/// Puts off the end while files are written, however often Ctrl-C is pressed: half a file and its draft
/// would stay behind.
pub fn writing() -> Hold {
    WRITTEN.fetch_add(1, Ordering::SeqCst);
    Hold::on(&WRITES)
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
