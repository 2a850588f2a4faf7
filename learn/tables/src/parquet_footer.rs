//! The schema in a Parquet file's footer, looked through before the decoder believes it: that allocates for
//! as many children as a group claims to have, and follows groups within groups until its stack is used up.
//!
//! Only what is needed for that is read of the footer.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::thrift::{Cursor, DEPTH_MAX, kind};

/// What is wrong with the schema of a file, if anything is. Of what has no footer the decoder says so.
pub(super) fn problem(mut file: &File) -> io::Result<Option<&'static str>> {
    const END: u64 = 8;
    let length = file.seek(SeekFrom::End(0))?;
    let Some(end) = length.checked_sub(END) else { return Ok(None) };
    file.seek(SeekFrom::Start(end))?;
    let mut words = [0; 4];
    file.read_exact(&mut words)?;
    let Some(start) = end.checked_sub(u32::from_le_bytes(words).into()) else { return Ok(None) };
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    file.take(end - start).read_to_end(&mut footer)?;
    Ok(match (Cursor { rest: &footer }).children() {
        None => Some("its footer is damaged"),
        Some(children) => implausible(&children),
    })
}

/// What is wrong with a tree whose nodes, each before its children, have so many children.
fn implausible(children: &[i64]) -> Option<&'static str> {
    // Of the groups around a node, how many children are still to come.
    let mut open: Vec<i64> = Vec::new();
    for count in children {
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if !usize::try_from(*count).is_ok_and(|count| count < children.len()) {
            return Some("its schema claims columns that are not there");
        }
        open.push(*count);
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > DEPTH_MAX {
            return Some("its schema has too many groups within groups");
        }
    }
    None
}

impl Cursor<'_> {
    /// The number of children of every element of the schema, 0 for columns.
    fn children(&mut self) -> Option<Vec<i64>> {
        const SCHEMA: i64 = 2;
        const NAME: i64 = 4;
        const CHILDREN: i64 = 5;
        const LOGICAL: i64 = 10;
        let mut field = 0;
        loop {
            let kind = self.field(&mut field)?;
            if (field, kind) == (SCHEMA, kind::LIST) {
                break;
            }
            self.skip(kind, DEPTH_MAX)?;
        }
        let (count, kind) = self.list()?;
        if kind != kind::STRUCT {
            return None;
        }
        let mut children = Vec::new();
        for _ in 0..count {
            let (mut field, mut own) = (0, 0);
            loop {
                match (self.field(&mut field)?, field) {
                    (kind::STOP, _) => break,
                    (kind::I32, CHILDREN) => own = self.number()?,
                    (kind::STRUCT, LOGICAL) => self.logical_type()?,
                    // The decoder reads on as if the kinds were right.
                    (kind, NAME) if kind != kind::BINARY => return None,
                    (kind, 1..=LOGICAL) if field != NAME && kind != kind::I32 => return None,
                    (kind, _) => self.skip(kind, DEPTH_MAX)?,
                }
            }
            children.push(own);
        }
        Some(children)
    }

    /// One of the logical types, as strictly as the decoder takes it to be: after a field of another kind it reads
    /// on at another place than we.
    fn logical_type(&mut self) -> Option<()> {
        const DECIMAL: i64 = 5;
        const TIME: i64 = 7;
        const TIMESTAMP: i64 = 8;
        const INTEGER: i64 = 10;
        const VARIANT: i64 = 16;
        const GEOMETRY: i64 = 17;
        const GEOGRAPHY: i64 = 18;
        let (mut variant, mut field) = (0, 0);
        if self.field(&mut variant)? != kind::STRUCT {
            return None;
        }
        loop {
            match (variant, self.field(&mut field)?, field) {
                (_, kind::STOP, _) => break,
                (DECIMAL, kind::I32, 1..=2) => _ = self.number()?,
                (TIME | TIMESTAMP, kind::TRUE | kind::FALSE, 1) | (INTEGER, kind::TRUE | kind::FALSE, 2) => {}
                (TIME | TIMESTAMP, kind::STRUCT, 2) => self.one_without_fields()?,
                (INTEGER | VARIANT, kind::BYTE, 1) => self.skip(kind::BYTE, DEPTH_MAX)?,
                (GEOMETRY | GEOGRAPHY, kind::BINARY, 1) => self.skip(kind::BINARY, DEPTH_MAX)?,
                (GEOGRAPHY, kind::I32, 2) => _ = self.number()?,
                _ => return None,
            }
        }
        (self.field(&mut 0)? == kind::STOP).then_some(())
    }

    /// One of several structures that have no fields.
    fn one_without_fields(&mut self) -> Option<()> {
        let kinds = [self.field(&mut 0)?, self.field(&mut 0)?, self.field(&mut 0)?];
        (kinds == [kind::STRUCT, kind::STOP, kind::STOP]).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_bounded() {
        let nested = |depth: usize| [vec![1; depth], vec![0]].concat();
        for (children, expected) in [
            (vec![3, 0, 0, 0], None),
            (vec![2, 1, 0, 0], None),
            (nested(DEPTH_MAX), None),
            (nested(DEPTH_MAX + 1), Some("its schema has too many groups within groups")),
            (vec![2, 1 << 31, 0], Some("its schema claims columns that are not there")),
            (vec![-1, 0], Some("its schema claims columns that are not there")),
        ] {
            assert_eq!(implausible(&children), expected, "{children:?}");
        }
    }

    #[test]
    fn children_are_found_among_other_fields() {
        // The version, then a root named `r` with two children, and two columns: one of a logical type, times in milliseconds.
        let root = [0x48, 1, b'r', 0x15, 4, 0];
        let typed = [0x15, 2, 0x38, 1, b'a', 0x6c, 0x8c, 0x11, 0x1c, 0x1c, 0, 0, 0, 0, 0];
        let column = [0x15, 10, 0x38, 1, b'b', 0];
        let footer = [&[0x15, 2, 0x19, 0x3c][..], &root, &typed, &column].concat();
        assert_eq!(Cursor { rest: &footer }.children(), Some(vec![2, 0, 0]));
        for end in 0..footer.len() {
            assert_eq!(Cursor { rest: &footer[..end] }.children(), None, "cut at {end}");
        }
    }
}
