//! Thrift's compact protocol, in which Parquet files describe themselves: as much of it as it takes to look for
//! a number before the decoder believes it.

/// Structures within structures, at most.
pub const DEPTH_MAX: usize = 32;

/// Kinds of values in the protocol.
pub mod kind {
    pub const STOP: u8 = 0;
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const I16: u8 = 4;
    pub const I32: u8 = 5;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const MAP: u8 = 11;
    pub const STRUCT: u8 = 12;
}

/// What is left of some bytes; `None` where it ends too early or is none.
pub struct Cursor<'a> {
    pub rest: &'a [u8],
}

impl Cursor<'_> {
    /// The kind of the next field of a struct, whose number follows on that of the last.
    pub fn field(&mut self, number: &mut i64) -> Option<u8> {
        let byte = self.byte()?;
        let kind = byte & 15;
        if kind != kind::STOP {
            *number = match byte >> 4 {
                0 => self.number()?,
                apart => number.checked_add(apart.into())?,
            };
        }
        Some(kind)
    }

    /// The length of a list and the kind of its elements.
    pub fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let count = if byte >> 4 == 15 { self.unsigned()? } else { u64::from(byte >> 4) };
        Some((count, byte & 15))
    }

    /// Leaves out a value.
    pub fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            kind::TRUE | kind::FALSE => Some(()),
            kind::BYTE => self.take(1),
            kind::I16 | kind::I32 | kind::I64 => self.unsigned().map(|_| ()),
            kind::DOUBLE => self.take(8),
            kind::BINARY => {
                let length = self.unsigned()?;
                self.take(length)
            }
            kind::LIST | kind::SET => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            kind::MAP => {
                let count = self.unsigned()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 15, depth)
                })
            }
            kind::STRUCT => loop {
                match self.field(&mut 0)? {
                    kind::STOP => break Some(()),
                    kind => self.skip(kind, depth)?,
                }
            },
            _ => None,
        }
    }

    /// An element of a list or a map: truths, which fields have in their kind, take a byte there.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        if matches!(kind, kind::TRUE | kind::FALSE) { self.take(1) } else { self.skip(kind, depth) }
    }

    /// A signed number.
    pub fn number(&mut self) -> Option<i64> {
        let zigzag = self.unsigned()?;
        Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn take(&mut self, count: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(count).ok()?..)?;
        Some(())
    }
}
