//! Trainings side by side, one on each core, that are watched and can be interrupted.

use bessemer::forecast;
use bessemer::plan::Pool;
use bessemer::study::Jobs;

use crate::error::Result;
use crate::interrupt;
use crate::progress::Progress;

/// Does work that consists of trainings. Ctrl-C ends all of them with an error.
pub fn trainings<R>(
    pool: &Pool,
    progress: &Progress,
    work: impl FnOnce(&Jobs) -> forecast::Result<R>,
) -> Result<R> {
    let shown = progress.trainings();
    let _hold = interrupt::training();
    let finished = |done, all| shown.ended(done, all);
    let result = work(&Jobs { pool, stop: &interrupt::requested, finished: &finished });
    shown.finish();
    Ok(result?)
}
