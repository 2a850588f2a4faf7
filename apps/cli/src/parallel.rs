//! Trainings side by side, one on each core, that are watched, kept and can be interrupted.

use std::path::Path;

use bessemer::plan::Pool;
use bessemer::study::{Ended, Jobs};

use crate::error::{CliError, Result};
use crate::interrupt;
use crate::progress::{Progress, Trainings};
use crate::runs::KeptStudy;

/// Does work that consists of the trainings of a study. Ctrl-C ends all of them with an error, which says how to
/// go on where those that have ended are kept.
pub fn trainings<R>(
    pool: &Pool,
    progress: &Progress,
    study: &KeptStudy,
    work: impl FnOnce(&Jobs, &Trainings) -> std::result::Result<R, Box<Ended<CliError>>>,
) -> Result<R> {
    let shown = progress.trainings(study.count(), study.count_before());
    let _hold = interrupt::training();
    let result = work(&Jobs { pool, stop: &interrupt::requested }, &shown);
    shown.finish();
    result.map_err(|ended| match *ended {
        Ended::Failed { error, .. } => error,
        Ended::Cancelled { done, all } => {
            let doing = format!("training, after {done} of {all} models");
            match study.run().path().map(Path::to_path_buf) {
                None => CliError::Interrupted { doing, run: None },
                run => CliError::Paused { doing, command: interrupt::resume_command("", run.as_deref()) },
            }
        }
    })
}
