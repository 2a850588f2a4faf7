//! Where results go: checked before the work begins, written whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

use bessemer::train::{FolderLock, write_whole};
use serde::Serialize;

use crate::error::{CliError, Result};
use crate::{dashboard, interrupt};

/// Refuses a file that could not be written later.
pub fn check_file(path: &Path) -> Result<()> {
    if path.is_dir() {
        let source = std::io::Error::other("it is a folder");
        return Err(CliError::output(path, "write the file")(source));
    }
    try_writing_in(folder_of(path)).map_err(CliError::output(path, "write the file"))
}

/// Refuses places of which two are the same: what is written last would be all that is left.
pub fn check_distinct(places: &[(&str, Option<&Path>)]) -> Result<()> {
    let resolved = |path: &Path| {
        let folder = folder_of(path).canonicalize().unwrap_or_else(|_| folder_of(path).to_path_buf());
        path.canonicalize().unwrap_or_else(|_| folder.join(path.file_name().unwrap_or_default()))
    };
    let given: Vec<_> =
        places.iter().filter_map(|(name, path)| path.map(|path| (*name, path, resolved(path)))).collect();
    for (i, (name, path, place)) in given.iter().enumerate() {
        if let Some((other, ..)) = given[..i].iter().find(|(.., earlier)| earlier == place) {
            return Err(CliError::argument(
                format!("{name} {}", path.display()),
                format!("it is the same file as {other}"),
                "give each a file of its own",
            ));
        }
    }
    Ok(())
}

/// Refuses a folder that could not be created or written into later.
pub fn check_folder(path: &Path) -> Result<()> {
    let there = |ancestor: &&Path| ancestor.exists() && !ancestor.as_os_str().is_empty();
    let existing = path.ancestors().find(there).unwrap_or(Path::new("."));
    if !existing.is_dir() {
        let source = std::io::Error::other(format!("`{}` is a file", existing.display()));
        return Err(CliError::output(path, "write the folder")(source));
    }
    try_writing_in(existing).map_err(CliError::output(path, "write the folder"))
}

/// Keeps other commands that write into the folder out of it, as long as the lock that is given lives.
pub fn lock_folder(path: &Path) -> Result<FolderLock> {
    // Checkpoints, which may lie there, too, have a lock of another name.
    let lock = FolderLock::take(path, ".model.lock").map_err(CliError::output(path, "lock the folder"))?;
    lock.ok_or_else(|| {
        let problem = "another command is at work that writes into this folder";
        CliError::argument(path.display().to_string(), problem, "wait for it, or choose another folder")
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Permissions are best asked of the system, by an empty file that is gone again at once.
fn try_writing_in(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".bessemer-{}.tmp", std::process::id()));
    let _hold = interrupt::writing();
    std::fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(&probe)
}

/// Where `--json` goes.
#[derive(Clone, Debug)]
pub enum JsonTarget {
    /// `-`
    Stdout,
    /// A file.
    File(PathBuf),
}

impl JsonTarget {
    /// For clap.
    pub fn parse(text: &str) -> std::result::Result<JsonTarget, String> {
        Ok(match text {
            "-" => JsonTarget::Stdout,
            path => JsonTarget::File(path.into()),
        })
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            JsonTarget::Stdout => None,
            JsonTarget::File(path) => Some(path),
        }
    }

    /// Refuses a file that could not be written later.
    pub fn check(&self) -> Result<()> {
        match self {
            JsonTarget::Stdout => Ok(()),
            JsonTarget::File(path) => check_file(path),
        }
    }

    /// Writes a result.
    pub fn write(&self, result: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_string_pretty(result).unwrap_or_default();
        text.push('\n');
        match self {
            JsonTarget::Stdout => print(&text),
            JsonTarget::File(path) => {
                let _hold = interrupt::writing();
                write_whole(path, |file| file.write_all(text.as_bytes()))
                    .map_err(CliError::output(path, "write the file"))
            }
        }
    }
}

/// Prints to stdout; a reader that has closed its end, such as `head`, has seen enough.
pub fn print(text: &str) -> Result<()> {
    dashboard::close();
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::output(Path::new("stdout"), "write")(error))
        }
        _ => Ok(()),
    }
}
