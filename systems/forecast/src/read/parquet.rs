//! Parquet files.

use std::fs::File;

use super::{ReadOptions, Source};
use crate::error::{Error, Result};
use crate::frame::Frame;

pub(super) fn read(source: &Source<'_>, _file: File, _options: &ReadOptions) -> Result<Frame> {
    Err(Error::Parquet { file: source.file.into(), reason: "not yet".into() })
}
