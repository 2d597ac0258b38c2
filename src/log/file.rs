//! A log file that may be rotated away at any time: looked at by its path before each write, and opened anew when the path
//! leads to another file or to none.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use super::{Entry, Sink};

/// Makes a line, without its end, of an entry; `None`: not for this file.
pub type Format = Box<dyn Fn(&Entry) -> Option<String> + Send>;

/// A log file.
pub struct LogFile {
    path: PathBuf,
    format: Format,
    open: Option<File>,
}

impl std::fmt::Debug for LogFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFile").field("path", &self.path).field("open", &self.open).finish_non_exhaustive()
    }
}

impl LogFile {
    /// The file at `path`, opened at the first line, created with mode 644.
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        Self { path: path.into(), format, open: None }
    }

    fn current(&mut self) -> io::Result<&mut File> {
        let there = std::fs::metadata(&self.path).ok().map(|m| (m.dev(), m.ino()));
        let ours = self.open.as_ref().and_then(|f| f.metadata().ok()).map(|m| (m.dev(), m.ino()));
        if there.is_none() || there != ours {
            self.open = None;
        }
        match &mut self.open {
            Some(file) => Ok(file),
            none => Ok(none.insert(OpenOptions::new().append(true).create(true).mode(0o644).open(&self.path)?)),
        }
    }
}

impl Sink for LogFile {
    fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut text = String::new();
        for line in entries.iter().filter_map(&self.format) {
            text.push_str(&line);
            text.push('\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        self.current()?.write_all(text.as_bytes())
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// The same lines on standard error, for a program in the foreground.
pub struct Stderr {
    format: Format,
}

impl std::fmt::Debug for Stderr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stderr").finish_non_exhaustive()
    }
}

impl Stderr {
    /// Standard error with lines of this form.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format }
    }
}

impl Sink for Stderr {
    fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut err = io::stderr().lock();
        for line in entries.iter().filter_map(&self.format) {
            writeln!(err, "{line}")?;
        }
        Ok(())
    }

    fn name(&self) -> String {
        "standard error".into()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::Timestamp;

    use super::*;
    use crate::cluster::io::Level;

    fn entry(text: &str) -> Entry {
        Entry { time: Timestamp::UNIX_EPOCH, level: Level::Info, text: text.into() }
    }

    fn plain() -> Format {
        Box::new(|e| (e.text != "secret").then(|| e.text.clone()))
    }

    #[test]
    fn a_rotated_file_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("ha-log"), dir.path().join("ha-log.1"));
        let mut file = LogFile::new(&path, plain());
        file.write(&[entry("a"), entry("secret"), entry("b")]).unwrap();
        fs::rename(&path, &old).unwrap();
        file.write(&[entry("c")]).unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "a\nb\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "c\n");
        // logrotate's `create`, and a plain removal.
        fs::rename(&path, &old).unwrap();
        fs::write(&path, "").unwrap();
        file.write(&[entry("d")]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "d\n");
        fs::remove_file(&path).unwrap();
        file.write(&[entry("e")]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "e\n");
        // `copytruncate`.
        fs::write(&path, "").unwrap();
        file.write(&[entry("f")]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "f\n");
    }

    #[test]
    fn a_file_that_is_there_is_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ha-log");
        fs::write(&path, "before\n").unwrap();
        LogFile::new(&path, plain()).write(&[entry("a")]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\na\n");
    }

    #[test]
    fn a_missing_folder_is_an_error_until_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/ha-log");
        let mut file = LogFile::new(&path, plain());
        assert!(file.write(&[entry("a")]).is_err());
        assert!(file.write(&[entry("secret")]).is_ok(), "a line that is not for this file needs no file");
        fs::create_dir(dir.path().join("log")).unwrap();
        file.write(&[entry("b")]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
    }
}
