//! Whether the configuration file has changed: its modification time is another and so are its contents.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file as it was last seen.
#[derive(Debug)]
pub(super) struct Watch {
    path: PathBuf,
    modified: Option<SystemTime>,
    contents: Vec<u8>,
}

/// What a look has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Changed,
}

impl Watch {
    /// From now on.
    pub(super) fn new(path: &Path) -> Self {
        // The time first: a change between the two is then seen at the next look.
        let modified = modified(path);
        Self { path: path.to_owned(), modified, contents: fs::read(path).unwrap_or_default() }
    }

    /// Compares. A file that is not there (an editor is at work) has not changed yet.
    pub(super) fn look(&mut self) -> Change {
        let modified = modified(&self.path);
        if modified.is_none() || modified == self.modified {
            return Change::None;
        }
        let Ok(contents) = fs::read(&self.path) else { return Change::None };
        self.modified = modified;
        if contents == self.contents {
            return Change::None;
        }
        self.contents = contents;
        Change::Changed
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|m| m.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_another_time_and_other_contents_are_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.cf");
        let mut clock = SystemTime::UNIX_EPOCH;
        let mut write = |text: &str| {
            fs::write(&path, text).unwrap();
            clock += Duration::from_secs(100);
            fs::File::options().write(true).open(&path).unwrap().set_modified(clock).unwrap();
        };
        write("a");
        let mut watch = Watch::new(&path);
        assert_eq!(watch.look(), Change::None);
        write("a");
        assert_eq!(watch.look(), Change::None, "touched");
        write("b");
        assert_eq!(watch.look(), Change::Changed);
        assert_eq!(watch.look(), Change::None);
        fs::remove_file(&path).unwrap();
        assert_eq!(watch.look(), Change::None);
        write("c");
        assert_eq!(watch.look(), Change::Changed);
    }
}
