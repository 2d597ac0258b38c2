//! What a heartbeat that restarts itself tells its next run: the groups that run here, as they were started.
//!
//! Written right before the new program takes the process over, read and removed by it. A file that is found at an ordinary
//! start is of a run that never came to read it, and means nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its preferred node.
    pub node: String,
    /// Its resources as written.
    pub resources: Vec<String>,
    /// Whether it goes back to another node when that returns; `None`: this node does not hold it, it only runs yet.
    pub on_loan: Option<bool>,
}

/// Where it is, below the folder of what runs.
#[must_use]
pub fn path(run_dir: &Path) -> PathBuf {
    run_dir.join("heartbeat").join("handover.json")
}

/// Writes it.
pub fn write(path: &Path, groups: &[Kept]) -> io::Result<()> {
    fs::write(path, serde_json::to_vec(groups)?)
}

/// Reads and removes it; nothing is kept where there is none.
pub fn take(path: &Path) -> io::Result<Vec<Kept>> {
    let bytes = match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    fs::remove_file(path)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("handover.json");
        let kept = Kept { node: "a".into(), resources: vec!["10.0.0.1".into()], on_loan: Some(true) };
        write(&file, std::slice::from_ref(&kept)).unwrap();
        assert_eq!((take(&file).unwrap(), take(&file).unwrap()), (vec![kept], vec![]));
    }
}
