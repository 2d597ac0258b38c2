//! The edge of `config`: files from disk, and answers of this host to the questions their names raise.

pub mod cluster;
mod system;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::diag::Source;

pub use system::System;

/// Largest file that is read, in bytes; the largest configurations seen are far below. A longer one is a mistake, such as a
/// log or a device.
pub const LIMIT: u64 = 4 << 20;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system says no.
    #[error("can't read {}: {}", path.display(), strerror(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Larger than [`LIMIT`].
    #[error("{} is larger than {LIMIT} bytes", path.display())]
    Large {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a file whole, for a parser and its messages.
pub fn read(path: &Path) -> Result<Source, LoadError> {
    let bytes = File::open(path).and_then(read_from).map_err(|source| match source.kind() {
        io::ErrorKind::FileTooLarge => LoadError::Large { path: path.to_owned() },
        _ => LoadError::Io { path: path.to_owned(), source },
    })?;
    Ok(Source::new(path.display().to_string(), bytes))
}

/// What is left of an open file; `FileTooLarge` if that is more than [`LIMIT`].
pub fn read_from(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("the file is larger than {LIMIT} bytes")));
    }
    Ok(bytes)
}

/// The text of an error as C's `strerror` has it, which is what the originals print.
#[must_use]
pub fn strerror(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_the_limit_and_opened_for_appending() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, b"text\n").unwrap();
        assert_eq!(read(&path).unwrap().bytes, b"text\n");
        let size = usize::try_from(LIMIT).unwrap();
        std::fs::write(&path, vec![b'#'; size + 1]).unwrap();
        assert!(matches!(read(&path), Err(LoadError::Large { .. })));
        let missing = dir.path().join("none/f");
        let error = read(&missing).unwrap_err().to_string();
        assert!(error.ends_with("none/f: No such file or directory"), "{error}");
    }
}
