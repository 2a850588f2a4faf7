//! Ctrl-C: ends at once, except while a model is trained or a file written, which end in good order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What shells expect of a command that was interrupted.
pub const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static HOLDS: AtomicUsize = AtomicUsize::new(0);

/// Begins to listen for Ctrl-C.
pub fn install() {
    // Without a handler Ctrl-C still ends the program, only less politely.
    let _ = ctrlc::set_handler(|| {
        let again = REQUESTED.swap(true, Ordering::SeqCst);
        if again || HOLDS.load(Ordering::SeqCst) == 0 {
            eprintln!("error: interrupted; nothing was written");
            std::process::exit(EXIT_CODE.into());
        }
    });
}

/// Whether to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// While this lives, the first Ctrl-C only sets [`requested`].
pub struct Hold(());

/// Puts off the end until the guard is dropped; a second Ctrl-C still ends at once.
pub fn hold() -> Hold {
    HOLDS.fetch_add(1, Ordering::SeqCst);
    Hold(())
}

impl Drop for Hold {
    fn drop(&mut self) {
        HOLDS.fetch_sub(1, Ordering::SeqCst);
    }
}
