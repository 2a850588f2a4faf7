//! CSV and Parquet files, looked through before they are believed: what every reader of tables does first,
//! whatever it makes of the columns.
//!
//! ```
//! use bessemer_tables::{Contents, Layout, Limits, Records, open};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("points.csv");
//! std::fs::write(&path, "x;y\n1;2.5\n2;\n")?;
//! let limits = Limits::default();
//! let Contents::Text(text) = open(&path, &limits)? else { panic!("it is no Parquet file") };
//! let mut records = Records::open("points.csv", &text, Layout::default(), &limits)?;
//! assert_eq!(records.names(), ["x", "y"]);
//! assert_eq!(records.next()?.unwrap().number(1)?, 2.5);
//! let record = records.next()?.unwrap();
//! assert_eq!((record.line, record.number(1)?.is_nan()), (3, true), "what is missing is NaN");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod cell;
mod contents;
mod csv;
mod error;
pub mod parquet;
mod parquet_footer;
mod parquet_pages;
mod thrift;

pub use contents::{Contents, Limits, open};
pub use csv::{Layout, Names, Record, Records};
pub use error::{Needed, Result, TableError, shorten};
