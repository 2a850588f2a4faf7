//! The live view, on a terminal that the test holds the other end of.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;

use crate::place::Place;

const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";

/// A command on a terminal.
struct Shown {
    child: Child,
    keyboard: File,
    terminal: OwnedFd,
    settings: Termios,
    output: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Shown {
    fn start(place: &Place, arguments: &str) -> Shown {
        Shown::start_on(place, arguments, "xterm-256color")
    }

    fn start_on(place: &Place, arguments: &str, terminal: &str) -> Shown {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).unwrap();
        let settings = tcgetattr(&pair.slave).unwrap();
        let end = || pair.slave.try_clone().unwrap();
        let mut command = place.command(arguments);
        command.env("TERM", terminal);
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let keyboard = File::from(pair.master);
        let mut screen = keyboard.try_clone().unwrap();
        let output = Arc::new(Mutex::new(Vec::new()));
        let shared = output.clone();
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end is an error on Linux.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                shared.lock().unwrap().extend(&bytes[..count]);
            }
        });
        Shown { child, keyboard, terminal: pair.slave, settings, output, reader }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Waits for the end, at which the terminal must be as it was; gives what was printed after the view.
    fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        assert!(tcgetattr(&self.terminal).unwrap() == self.settings, "the terminal has other settings");
        drop(self.terminal);
        self.reader.join().unwrap();
        let output = String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned();
        let (view, after) = output.rsplit_once(LEAVE).unwrap_or_else(|| panic!("it was not left: {output}"));
        assert_eq!(view.matches(ENTER).count(), view.matches(LEAVE).count() + 1, "{output}");
        assert!(!after.contains(ENTER) && after.contains(SHOW_CURSOR), "{after}");
        (status, after.to_string())
    }
}

#[test]
fn results_are_printed_when_the_view_is_gone() {
    let place = Place::new();
    let (status, after) = Shown::start(&place, "demo --max-steps 50 --dashboard").end();
    assert_eq!(status.code(), Some(0), "{after}");
    for text in ["nhits: 50 steps in ", " samples/s", "seasonal-naive (baseline)", "Report: "] {
        assert!(after.contains(text), "{text}: {after}");
    }
}

#[test]
fn keys_and_signals_stop_with_a_checkpoint() {
    let fit = "forecast fit series.csv --model nhits --horizon 7 --max-steps 1000000 --out model --dashboard";
    type Stop = fn(&mut Shown);
    let stops: [(&str, Stop); 4] = [
        ("q", |shown| shown.press(b"q")),
        ("Ctrl-C", |shown| shown.press(b"\x03")),
        ("SIGINT", |shown| kill(Pid::from_raw(shown.child.id() as i32), Signal::SIGINT).unwrap()),
        ("SIGTERM", |shown| kill(Pid::from_raw(shown.child.id() as i32), Signal::SIGTERM).unwrap()),
    ];
    for (name, stop) in stops {
        let place = Place::new();
        let mut shown = Shown::start(&place, &format!("{fit} --checkpoints steps --checkpoint-every 50"));
        let until = Instant::now() + Duration::from_secs(60);
        while !std::fs::read_dir(place.path("steps")).is_ok_and(|mut files| files.next().is_some()) {
            assert!(Instant::now() < until, "no checkpoint in a minute");
            std::thread::sleep(Duration::from_millis(5));
        }
        stop(&mut shown);
        let (status, after) = shown.end();
        assert_eq!(status.code(), Some(130), "{name}: {after}");
        assert!(after.contains("error: interrupted while nhits was at training step "), "{name}: {after}");
        assert!(after.contains("go on with: ") && after.trim_end().ends_with("--resume"), "{name}: {after}");
        assert!(!place.path("model").exists(), "{name}");
    }
}

#[test]
fn an_error_is_told_when_the_view_is_gone() {
    let place = Place::new();
    let fit = "forecast fit series.csv --model nlinear --horizon 7 --learning-rate 1e30 --out model";
    let (status, after) = Shown::start(&place, &format!("{fit} --dashboard")).end();
    assert_eq!(status.code(), Some(2), "{after}");
    assert!(after.contains("error: ") && after.contains("step"), "{after}");
}

#[test]
fn it_is_refused_where_there_is_no_terminal() {
    let place = Place::new();
    let fit = "forecast fit series.csv --model nlinear --horizon 7 --out model --dashboard";
    place.refuse(fit, "--dashboard: stderr is not a terminal; run it in a terminal");
    place.refuse(&format!("{fit} --quiet"), "cannot be used with");
    let mut dumb = Shown::start_on(&place, fit, "dumb");
    assert_eq!(dumb.child.wait().unwrap().code(), Some(2));
    drop(dumb.terminal);
    dumb.reader.join().unwrap();
    let output = String::from_utf8_lossy(&dumb.output.lock().unwrap()).into_owned();
    assert!(output.contains("--dashboard: TERM=dumb") && !output.contains(ENTER), "{output}");
}
