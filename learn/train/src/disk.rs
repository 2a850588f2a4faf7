//! What is asked of the file system, in one place, so that tests can have any of it fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// A file being written.
pub(crate) struct Draft(File);

impl Draft {
    /// A new file; none of that name may be there.
    pub fn create(path: &Path) -> io::Result<Draft> {
        faults::before("create", path)?;
        OpenOptions::new().write(true).create_new(true).open(path).map(Draft)
    }

    /// Has what was written on the disk.
    pub fn sync(&self) -> io::Result<()> {
        faults::before("sync", Path::new(""))?;
        self.0.sync_all()
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = faults::before_write(bytes.len())?;
        self.0.write(&bytes[..len])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Gives a file its name, in place of any other of that name.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    faults::before("rename", to)?;
    fs::rename(from, to)
}

/// Has the names in a folder on the disk; only Unix can.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    faults::before("sync", folder)?;
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

pub(crate) fn remove(path: &Path) -> io::Result<()> {
    faults::before("remove", path)?;
    fs::remove_file(path)
}

/// Makes a folder and those that it lies in, where they are not there.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    faults::before("create", folder)?;
    fs::create_dir_all(folder)
}

/// The names in a folder that are text.
pub(crate) fn names(folder: &Path) -> io::Result<Vec<String>> {
    faults::before("read", folder)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

/// A whole file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    faults::before("read", path)?;
    // A pipe would be waited for, and a device may never end.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("this is no plain file"));
    }
    let length = metadata.len();
    let too_long =
        |length: u64| io::Error::other(format!("{length} bytes, more than the {most} such a file may have"));
    if length > most {
        return Err(too_long(length));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // One byte more would tell that it has grown.
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_long(bytes.len() as u64)) } else { Ok(bytes) }
}

#[cfg(not(test))]
mod faults {
    use std::io;
    use std::path::Path;

    #[inline]
    pub fn before(_: &str, _: &Path) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    pub fn before_write(len: usize) -> io::Result<usize> {
        Ok(len)
    }
}

/// Faults on demand: the n-th call on this thread fails.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::Cell;
    use std::io;
    use std::path::Path;

    /// What goes wrong.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Fault {
        /// This and every further call meets a full disk.
        DiskFull,
        /// This write takes one byte only, the next fails.
        ShortWrite,
        /// This call fails, as bad sectors do.
        Broken,
        /// This call is not permitted.
        Denied,
    }

    thread_local! {
        static NEXT: Cell<Option<(Fault, usize)>> = const { Cell::new(None) };
        static CALLS: Cell<usize> = const { Cell::new(0) };
    }

    /// Runs `body` while the call numbered `at` (from 0) fails; whether there was such a call.
    pub fn with<R>(fault: Fault, at: usize, body: impl FnOnce() -> R) -> (R, bool) {
        NEXT.set(Some((fault, at)));
        CALLS.set(0);
        let result = body();
        NEXT.set(None);
        (result, CALLS.take() > at)
    }

    fn due() -> Option<Fault> {
        let (fault, at) = NEXT.get()?;
        let call = CALLS.get();
        CALLS.set(call + 1);
        let again = call > at && matches!(fault, Fault::DiskFull);
        let after_short = call == at + 1 && fault == Fault::ShortWrite;
        (call == at || again || after_short).then_some(fault)
    }

    fn error(fault: Fault) -> io::Error {
        match fault {
            Fault::DiskFull | Fault::ShortWrite => io::Error::from(io::ErrorKind::StorageFull),
            Fault::Broken => io::Error::other("input/output error"),
            Fault::Denied => io::Error::from(io::ErrorKind::PermissionDenied),
        }
    }

    pub fn before(_: &str, _: &Path) -> io::Result<()> {
        due().map_or(Ok(()), |fault| Err(error(fault)))
    }

    pub fn before_write(len: usize) -> io::Result<usize> {
        match due() {
            None => Ok(len),
            // The first of a short write goes well, as far as it goes.
            Some(Fault::ShortWrite) if len > 1 => Ok(1),
            Some(fault) => Err(error(fault)),
        }
    }
}
