//! Files that appear whole or not at all, and are read whole.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk;

/// Writes a file so that, whatever happens, either the old or the whole new content is there: under
/// another name in the same folder, flushed to the disk, and renamed.
///
/// ```
/// use std::io::Write;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("notes.txt");
/// bessemer_train::write_whole(&path, |file| file.write_all(b"done"))?;
/// assert_eq!(std::fs::read(&path)?, b"done");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// If the folder is missing or refuses, or `write` fails; then no draft is left.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else {
        let message = "this is a folder; give the name of a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    };
    // Process and count keep two writers from sharing a draft.
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}-{}.draft", std::process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed)));
    let mut draft = Draft { path: folder.join(draft), is_named: false };
    let mut file = BufWriter::new(disk::Draft::create(&draft.path)?);
    write(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync()?;
    disk::rename(&draft.path, path)?;
    draft.is_named = true;
    // A rename survives a power loss only once its folder is on the disk.
    disk::sync_folder(folder)
}

/// Reads a file of at most `bytes_max` bytes.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("notes.txt");
/// std::fs::write(&path, "done")?;
/// assert_eq!(bessemer_train::read_whole(&path, 100)?, b"done");
/// assert!(bessemer_train::read_whole(&path, 3).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// If it cannot be read, is longer, or is no plain file: a folder, a pipe or a device, also behind a link.
pub fn read_whole(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    disk::read(path, bytes_max)
}

/// A file that is removed unless it gets its name.
struct Draft {
    path: PathBuf,
    is_named: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_named {
            // The error that led here is the one to report.
            _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_whole(&path, |f| f.write_all(b"old")).unwrap();
        let broken = write_whole(&path, |f| {
            f.write_all(&[1; 100_000])?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(broken.unwrap_err().to_string(), "the disk is full");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write_whole(&path, |f| f.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        assert!(write_whole(&folder.path().join("none").join("file"), |_| Ok(())).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_never_ends_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for target in ["/dev/zero", "."] {
            std::os::unix::fs::symlink(target, &path).unwrap();
            assert_eq!(read_whole(&path, 1 << 40).unwrap_err().to_string(), "this is no plain file");
            fs::remove_file(&path).unwrap();
        }
        fs::write(&path, "12345").unwrap();
        let error = read_whole(&path, 4).unwrap_err().to_string();
        assert_eq!(error, "5 bytes, more than the 4 such a file may have");
    }
}
