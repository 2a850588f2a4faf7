//! One process at a time in a folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::disk;

/// Others that may come and go while a lock is taken.
const TRIES: usize = 100;

/// Keeps other processes that ask for it out of a folder while it lives: a file such as `.lock` that the system lets
/// go of however the process ends. The file, and the folder where it was made for it and stays empty, are gone afterwards;
/// what a killed process leaves of it keeps nobody out.
///
/// ```
/// use bessemer_train::FolderLock;
///
/// let place = tempfile::tempdir()?;
/// let folder = place.path().join("models/sales");
/// let lock = FolderLock::take(&folder, ".lock")?;
/// assert!(lock.is_some() && FolderLock::take(&folder, ".lock")?.is_none());
/// drop(lock);
/// assert!(!place.path().join("models").exists());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
    path: PathBuf,
    /// The folders that were made for it, the innermost first.
    made: Vec<PathBuf>,
}

impl FolderLock {
    /// Locks a folder, which is made if need be, by a file of this name in it; `None` if another process, or another
    /// part of this one, has it.
    ///
    /// # Errors
    /// If the folder refuses. Where files can't be locked, nobody is kept out.
    pub fn take(folder: &Path, name: &str) -> io::Result<Option<FolderLock>> {
        let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let path = folder.join(name);
        for _ in 0..TRIES {
            let made = folder.ancestors().take_while(is_new).map(Path::to_path_buf).collect();
            disk::create_folder(folder)?;
            let file = match OpenOptions::new().create(true).append(true).open(&path) {
                // Who had it has just removed the folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return Ok(None);
            }
            // A lock on a file that was removed before it was locked keeps nobody out.
            if is_there(&file, &path) {
                return Ok(Some(FolderLock { _file: file, path, made }));
            }
        }
        Err(io::Error::other("its lock comes and goes"))
    }
}

/// Whether a file is the one at that place.
#[cfg(unix)]
fn is_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let [open, named] = [file.metadata(), fs::metadata(path)].map(|metadata| metadata.ok().map(number));
    open.is_some() && open == named
}

/// Elsewhere a file that is open stays where it is.
#[cfg(not(unix))]
fn is_there(_: &File, path: &Path) -> bool {
    path.exists()
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // While it is locked, so that it is nobody else's. What can't be removed does no harm.
        _ = fs::remove_file(&self.path);
        for folder in &self.made {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_is_in_the_folder_stays_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        // Left by a process that was killed.
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(".lock"), "").unwrap();
        drop(FolderLock::take(&folder, ".lock").unwrap().unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "a folder that was there stays");
        let inner = folder.join("c/d");
        let lock = FolderLock::take(&inner, ".lock").unwrap().unwrap();
        fs::write(inner.join("weights"), "").unwrap();
        drop(lock);
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "what was written stays");
    }

    #[test]
    fn of_many_one_has_it_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Ok(Some(lock)) = FolderLock::take(&folder, ".lock") {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            taken.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(lock);
                        }
                    }
                });
            }
        });
        assert!(taken.into_inner() > 0);
        assert!(!folder.join(".lock").exists());
    }
}
