//! The command line, run as people run it.

mod bad_inputs;
#[cfg(unix)]
mod dashboard;
mod demo;
mod help;
mod interrupt;
mod measuring;
mod models;
mod phase;
mod place;
mod resume;
mod runs;
mod studies;
mod studies_kept;
mod waves;
