//! The headers of a Parquet file's pages, looked at before the decoder believes them: it makes room for as many
//! values as a dictionary claims to have.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use parquet::basic::Type;
use parquet::file::metadata::ParquetMetaData;

use crate::thrift::{Cursor, DEPTH_MAX, kind};

/// Bytes of a header that are read at first; most have less than a hundred.
const HEADER: u64 = 1 << 10;
/// And at most, with the statistics that one may hold.
const HEADER_MAX: u64 = 1 << 24;

/// What is said of a page.
#[derive(Debug, PartialEq)]
struct Page {
    /// Bytes in the file, behind the header.
    packed: i64,
    /// Bytes once unpacked.
    unpacked: i64,
    /// The values of a dictionary.
    values: Option<i64>,
}

/// What is wrong with the dictionaries of a file, if anything is. Of what cannot be read the decoder says so.
pub(super) fn problem(mut file: &File, metadata: &ParquetMetaData) -> io::Result<Option<&'static str>> {
    let length = file.seek(SeekFrom::End(0))?;
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let first = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let (Ok(mut at), Ok(bytes)) = (u64::try_from(first), u64::try_from(column.compressed_size())) else {
            continue;
        };
        let end = at.saturating_add(bytes).min(length);
        while at < end {
            let Some((page, header)) = page_at(file, at, end)? else { break };
            if page.claims_too_much(column.column_type(), column.column_descr().type_length()) {
                return Ok(Some("a dictionary claims values that are not there"));
            }
            let Ok(packed) = u64::try_from(page.packed) else { break };
            at = at.saturating_add(header).saturating_add(packed);
        }
    }
    Ok(None)
}

/// The page whose header is there, and the header's bytes.
fn page_at(mut file: &File, at: u64, end: u64) -> io::Result<Option<(Page, u64)>> {
    let mut most = HEADER;
    loop {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(at))?;
        file.take(most.min(end - at)).read_to_end(&mut bytes)?;
        let mut cursor = Cursor { rest: &bytes };
        if let Some(page) = cursor.page() {
            return Ok(Some((page, (bytes.len() - cursor.rest.len()) as u64)));
        }
        if most >= HEADER_MAX || most >= end - at {
            return Ok(None);
        }
        most *= 16;
    }
}

impl Page {
    /// Whether a dictionary has more values than fit its bytes, each in as few as its type allows.
    fn claims_too_much(&self, column: Type, length: i32) -> bool {
        let least = match column {
            Type::BOOLEAN | Type::FIXED_LEN_BYTE_ARRAY => i64::from(length.max(1)),
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
        };
        self.values.is_some_and(|values| !(0..=self.unpacked.max(0) / least).contains(&values))
    }
}

impl Cursor<'_> {
    fn page(&mut self) -> Option<Page> {
        const UNPACKED: i64 = 2;
        const PACKED: i64 = 3;
        const DICTIONARY: i64 = 7;
        const VALUES: i64 = 1;
        let (mut field, mut page) = (0, Page { packed: 0, unpacked: 0, values: None });
        loop {
            match (self.field(&mut field)?, field) {
                (kind::STOP, _) => return Some(page),
                (kind::I32, UNPACKED) => page.unpacked = self.number()?,
                (kind::I32, PACKED) => page.packed = self.number()?,
                (kind::STRUCT, DICTIONARY) => {
                    let mut field = 0;
                    loop {
                        match (self.field(&mut field)?, field) {
                            (kind::STOP, _) => break,
                            (kind::I32, VALUES) => page.values = Some(self.number()?),
                            (kind, _) => self.skip(kind, DEPTH_MAX)?,
                        }
                    }
                }
                (kind, _) => self.skip(kind, DEPTH_MAX)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_dictionaries_held_against_their_bytes() {
        // A dictionary of 5 floats in 20 bytes, 12 in the file.
        let bytes = [0x15, 4, 0x15, 40, 0x15, 24, 0x4c, 0x15, 10, 0x15, 0, 0, 0];
        let mut cursor = Cursor { rest: &bytes };
        let page = cursor.page().unwrap();
        assert_eq!(page, Page { packed: 12, unpacked: 20, values: Some(5) });
        assert!(cursor.rest.is_empty());
        for end in 0..bytes.len() {
            assert_eq!(Cursor { rest: &bytes[..end] }.page(), None, "cut at {end}");
        }
        let claims = |values, column| Page { values, ..page }.claims_too_much(column, 3);
        assert!(
            !claims(Some(5), Type::FLOAT) && claims(Some(6), Type::FLOAT) && claims(Some(-1), Type::FLOAT)
        );
        assert!(!claims(Some(2), Type::DOUBLE) && claims(Some(3), Type::DOUBLE));
        assert!(!claims(Some(6), Type::FIXED_LEN_BYTE_ARRAY) && claims(Some(7), Type::FIXED_LEN_BYTE_ARRAY));
        assert!(!claims(None, Type::INT96));
    }
}
