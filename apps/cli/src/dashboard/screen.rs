//! The terminal, while the live view has it, and its return on every way out.

use std::io::{self, BufWriter, Stderr, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

/// How long the way out waits for a drawing to end, on a terminal that takes nothing any more.
const PATIENCE: Duration = Duration::from_millis(100);

/// The terminal, if it is taken.
static SCREEN: Mutex<Option<Screen>> = Mutex::new(None);
/// Whether the terminal is to be put right again.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

struct Screen {
    // Stderr by itself makes a system call of every change of colour.
    terminal: Terminal<CrosstermBackend<BufWriter<Stderr>>>,
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Fails where the terminal could not be taken later.
pub fn check() -> io::Result<()> {
    terminal::size()?;
    enable_raw_mode()?;
    disable_raw_mode()
}

/// Takes the terminal, if it is not taken yet.
pub fn take() -> io::Result<()> {
    let mut screen = lock();
    if is_taken() {
        return Ok(());
    }
    // One that is left by a drawing that panicked.
    *screen = None;
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
    TAKEN.store(true, Ordering::SeqCst);
    let taken = enable_raw_mode()
        // Where there is only one screen, what was printed before is in the way.
        .and_then(|()| execute!(io::stderr(), EnterAlternateScreen, Clear(ClearType::All)))
        .and_then(|()| Terminal::new(CrosstermBackend::new(BufWriter::new(io::stderr()))));
    match taken {
        Ok(terminal) => {
            *screen = Some(Screen { terminal });
            Ok(())
        }
        Err(error) => {
            restore();
            Err(error)
        }
    }
}

/// Draws; whether the terminal is still taken.
pub fn draw(content: impl FnOnce(&mut Frame)) -> bool {
    let mut screen = lock();
    let Some(Screen { terminal }) = &mut *screen else { return false };
    // Where the terminal is gone, so is the view; the training goes on.
    let drawn = terminal.draw(content).is_ok();
    if !drawn {
        *screen = None;
    }
    drawn
}

/// Whether the terminal is taken.
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Puts the terminal right; may be called from anywhere, also by a thread that panics while it draws.
pub fn give_back() {
    let until = Instant::now() + PATIENCE;
    while is_taken() {
        match SCREEN.try_lock() {
            Ok(mut screen) => *screen = None,
            Err(TryLockError::Poisoned(poisoned)) => *poisoned.into_inner() = None,
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => restore(),
        }
    }
}

fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // There is nobody left to tell of a failure.
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        let _ = io::stderr().flush();
    }
}

fn lock() -> MutexGuard<'static, Option<Screen>> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}
