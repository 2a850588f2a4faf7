//! The file that a training read its data from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::weights::hexadecimal;

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// A file of data by its content, so that it can be told later whether it is still the same.
///
/// ```
/// use bessemer_train::DataFile;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("sales.csv");
/// std::fs::write(&path, "ds,y\n1,2\n")?;
/// let read = DataFile::of(&path)?;
/// assert_eq!((read.bytes, read.sha256.len()), (9, 64));
/// assert!(DataFile::of(&path)?.is_same_as(&read));
/// std::fs::write(&path, "ds,y\n1,3\n")?;
/// assert!(!DataFile::of(&path)?.is_same_as(&read));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Where it is, as it was given.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

impl DataFile {
    /// Reads a file through.
    ///
    /// # Errors
    /// If it cannot be read, or is no plain file.
    pub fn of(path: &Path) -> io::Result<DataFile> {
        // A pipe would be waited for, and a device may never end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("this is no plain file"));
        }
        let (mut file, mut hash, mut bytes) = (File::open(path)?, Sha256::new(), 0);
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                read => {
                    hash.update(&chunk[..read]);
                    bytes += read as u64;
                }
            }
        }
        Ok(DataFile { path: path.to_path_buf(), bytes, sha256: hexadecimal(&hash.finalize()) })
    }

    /// Whether the content is the same, wherever it is.
    pub fn is_same_as(&self, other: &DataFile) -> bool {
        (self.bytes, &self.sha256) == (other.bytes, &other.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_many_chunks_is_known_by_all_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut content: Vec<u8> = (0..3 * CHUNK + 17).map(|place| (place % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let whole = DataFile::of(&path).unwrap();
        assert_eq!(
            (whole.bytes as usize, &whole.sha256),
            (content.len(), &crate::weights::fingerprint(&content))
        );
        *content.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &content).unwrap();
        assert!(!DataFile::of(&path).unwrap().is_same_as(&whole));
        assert!(DataFile::of(folder.path()).is_err() && DataFile::of(&folder.path().join("none")).is_err());
    }
}
