//! What readers say of the files of a folder in `fuzz/seeds`.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory that any file may take, in bytes, and what each of its own bytes may take besides.
const BYTES_MAX: usize = 16 << 20;
const BYTES_PER_BYTE: usize = 300;
/// The longest message, in bytes.
const SAID_MAX: usize = 1000;

/// Where the files of a target are.
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target)
}

/// A line for each file: its name, and what was said of it.
///
/// # Panics
/// If a reader panics, takes more memory than a file of that length may, or says too much.
pub fn outcomes(target: &str, read: fn(&[u8]) -> Result<(), String>) -> String {
    let entries = fs::read_dir(folder(target)).expect("the corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let mut lines = String::new();
    for path in paths {
        let bytes = fs::read(&path).expect("a file");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let profiler = dhat::Profiler::builder().testing().build();
        let outcome = read(&bytes);
        let peak = dhat::HeapStats::get().max_bytes;
        drop(profiler);
        assert!(peak <= BYTES_MAX + BYTES_PER_BYTE * bytes.len(), "{name} takes {peak} bytes");
        let said = outcome.err().unwrap_or("read".into());
        assert!(said.len() < SAID_MAX, "{name}: too much is said: {said}");
        lines += &format!("{name}: {}\n", said.replace('\n', " "));
    }
    lines
}

/// Writes the files of a target anew; what the fuzzer found stays.
pub fn write(target: &str, files: Vec<(&str, Vec<u8>)>) {
    let folder = folder(target);
    fs::create_dir_all(&folder).expect("a folder");
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("a file");
    }
}
