//! stub
use std::path::Path;

use bessemer::forecast::{Forecaster, Frame, Split};
use bessemer::plan::Pool;

use crate::error::Result;
use crate::results::{RankBy, Results};

pub fn demo(
    _r: &Results,
    _f: &Frame,
    _s: &[Split],
    _m: &mut [Forecaster],
    _p: &Pool,
    _path: &Path,
) -> Result<()> {
    Ok(())
}
pub fn backtest(
    _r: &Results,
    _by: RankBy,
    _f: &Frame,
    _s: &[Split],
    _m: &mut [Forecaster],
    _p: &Pool,
    _path: &Path,
) -> Result<()> {
    Ok(())
}
