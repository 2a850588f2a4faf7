//! Event files of TensorBoard: records of length, checksum, protocol buffer, checksum.
//!
//! The messages are few and small, so they are written here byte by byte: `Event` with `wall_time` (1),
//! `step` (2), `file_version` (3), `summary` (5) and `session_log` (7), as in TensorFlow's `event.proto`
//! and `summary.proto`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Writes scalars to a file of its own in a folder.
pub(super) struct EventFile {
    file: BufWriter<File>,
}

impl EventFile {
    /// A new file, beside those of the same training before it was resumed.
    pub fn create(folder: &Path) -> io::Result<EventFile> {
        let now = since_epoch();
        let process = std::process::id();
        // TensorBoard looks for `tfevents` in the name and reads the files of a folder in their order.
        for number in 0.. {
            let name = format!("events.out.tfevents.{:010}.bessemer.{process}.{number}", now.as_secs());
            match OpenOptions::new().write(true).create_new(true).open(folder.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                file => {
                    let mut events = EventFile { file: BufWriter::new(file?) };
                    let mut event = Message::event(now);
                    event.bytes(3, b"brain.Event:2");
                    events.record(&event)?;
                    return Ok(events);
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Has TensorBoard forget what earlier files say of this step and those after it.
    pub fn begin_again(&mut self, step: u64) -> io::Result<()> {
        const START: u64 = 1;
        let mut log = Message::default();
        log.number(1, START);
        let mut event = Message::event(since_epoch());
        event.number(2, step);
        event.bytes(7, &log.0);
        self.record(&event)
    }

    /// Values after a step, each under a name.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> io::Result<()> {
        let mut summary = Message::default();
        for (tag, value) in values {
            let mut entry = Message::default();
            entry.bytes(1, tag.as_bytes());
            entry.float(2, *value as f32);
            summary.bytes(1, &entry.0);
        }
        let mut event = Message::event(since_epoch());
        event.number(2, step);
        event.bytes(5, &summary.0);
        self.record(&event)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn record(&mut self, message: &Message) -> io::Result<()> {
        let length = (message.0.len() as u64).to_le_bytes();
        self.file.write_all(&length)?;
        self.file.write_all(&masked_crc(&length).to_le_bytes())?;
        self.file.write_all(&message.0)?;
        self.file.write_all(&masked_crc(&message.0).to_le_bytes())
    }
}

fn since_epoch() -> Duration {
    // A clock before 1970 is wrong anyway.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// CRC-32C, turned and shifted as TFRecord files want it.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A protocol buffer.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// An `Event` of a time.
    fn event(time: Duration) -> Message {
        let mut event = Message::default();
        event.key(1, 1);
        event.0.extend_from_slice(&time.as_secs_f64().to_le_bytes());
        event
    }

    fn key(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a file, each with its checksums looked at.
    fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            assert_eq!(bytes[8..12], masked_crc(&bytes[..8]).to_le_bytes());
            let record = &bytes[12..12 + length];
            assert_eq!(bytes[12 + length..16 + length], masked_crc(record).to_le_bytes());
            records.push(record.to_vec());
            bytes = &bytes[16 + length..];
        }
        records
    }

    #[test]
    fn a_file_begins_with_its_version_and_then_has_an_event_for_each_step() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let mut events = EventFile::create(folder.path()).unwrap();
            events.begin_again(3).unwrap();
            events.scalars(300, &[("loss", 0.5), ("rate", 1e-3)]).unwrap();
            events.flush().unwrap();
        }
        let mut files: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        assert_eq!(files.len(), 2, "a file of its own each time");
        let records = records(&std::fs::read(&files[1]).unwrap());
        // After the nine bytes of the time.
        assert_eq!(&records[0][9..], b"\x1a\x0dbrain.Event:2");
        assert_eq!(&records[1][9..], b"\x10\x03\x3a\x02\x08\x01");
        let values = b"\x10\xac\x02\x2a\x1a\x0a\x0b\x0a\x04loss\x15\x00\x00\x00\x3f\x0a\x0b\x0a\x04rate\x15";
        assert_eq!(records[2][9..9 + values.len()], *values);
        assert_eq!(records[2][9 + values.len()..], 1e-3f32.to_le_bytes());
    }

    #[test]
    fn checksums_are_those_of_crc_32c() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), 0xe306_9283u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }
}
