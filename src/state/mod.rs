//! What must survive a daemon: generation and uuid files (as Heartbeat keeps them) and the record of what is ours.

pub mod generation;
pub mod handover;
pub mod uuid;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where Heartbeat keeps its state.
pub const DIRECTORY: &str = "/var/lib/heartbeat";

/// A state file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{path} is damaged: {found}; expected {expected}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is in it.
        found: String,
        /// What should be.
        expected: &'static str,
    },
}

/// The contents of a small file, at most `most` bytes and one more; `None` if there is no such file.
fn read(path: &Path, most: usize) -> Result<Option<Vec<u8>>, StateError> {
    let failed = |source| StateError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Puts `bytes` in the file's place, on the disk before this returns: written beside it, synced, renamed, and the folder
/// synced. A crash leaves the old contents or the new ones, never a part.
pub fn replace_file(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

/// The same for a state file.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StateError> {
    replace_file(path, bytes, mode).map_err(|source| StateError::Write { path: path.to_owned(), source })
}
