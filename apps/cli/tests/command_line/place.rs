//! A folder to run commands in.

use std::path::PathBuf;
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// An empty folder that is gone at the end.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// A folder that holds `series.csv`: 60 days of two series.
    pub fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let rows = |id: &str| -> String {
            (0..60).map(|day| format!("{id},{},{}\n", date(day), 10 + day % 7 * 3 + day / 10)).collect()
        };
        place.write("series.csv", format!("unique_id,ds,y\n{}{}", rows("a"), rows("b")));
        place
    }

    /// The path of something in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// What the folder holds, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into()).collect();
        names.sort();
        names
    }

    /// A command, its arguments separated by spaces.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(cargo_bin("bessemer"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).env_remove("BESSEMER_ISA");
        // Only those that ask for it keep a run.
        command.env("BESSEMER_RUNS", "");
        command
    }

    /// Runs a command.
    pub fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub fn succeed(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must be refused: exit code 2, one line on stderr that holds `message`, nothing
    /// on stdout and nothing written.
    pub fn refuse(&self, arguments: &str, message: &str) {
        self.refuse_command(self.command(arguments), message);
    }

    /// Likewise.
    pub fn refuse_command(&self, mut command: Command, message: &str) {
        let before = self.names();
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {stderr}");
        let lines: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("note: ")).collect();
        assert_eq!(lines.len(), 1, "{command:?}: {stderr}");
        assert!(lines[0].starts_with("error: ") && lines[0].contains(message), "{command:?}: {stderr}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{command:?}");
        assert_eq!(self.names(), before, "{command:?} left something behind");
    }
}

/// A day of 2024, counted from 0, up to the end of March.
pub fn date(day: usize) -> String {
    let (month, first) = [(3, 60), (2, 31), (1, 0)].into_iter().find(|(_, first)| day >= *first).unwrap();
    format!("2024-{month:02}-{:02}", day - first + 1)
}
