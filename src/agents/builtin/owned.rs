//! The record of the addresses we added: written before the kernel is changed, so that a daemon that was killed knows at
//! its next start what to clean up, and nothing else is ever removed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::state;

/// The record file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the record of our addresses {path}")]
pub struct Error {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What the file holds.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Contents {
    /// Addresses and the interface each was added to.
    addresses: BTreeMap<IpAddr, String>,
}

/// The record, in memory and on disk.
#[derive(Debug)]
pub struct Owned {
    path: PathBuf,
    contents: Mutex<Contents>,
}

impl Owned {
    /// Reads the record; a missing file is an empty one. A damaged one is set aside and counts as empty.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |what| move |source| Error { what, path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed("create the folder of"))?;
        }
        let contents = match fs::read(path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(contents) => contents,
                Err(_) => {
                    fs::rename(path, path.with_extension("damaged")).map_err(failed("set aside"))?;
                    Contents::default()
                }
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => Contents::default(),
            Err(e) => return Err(failed("read")(e)),
        };
        Ok(Self { path: path.to_owned(), contents: Mutex::new(contents) })
    }

    /// The recorded addresses.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner).addresses.keys().copied().collect()
    }

    /// Records that the address is about to be added. Once this returns, it is on disk.
    pub fn insert(&self, ip: IpAddr, interface: &str) -> Result<(), Error> {
        self.change(|c| {
            c.addresses.insert(ip, interface.to_owned());
        })
    }

    /// Records that the address is gone.
    pub fn remove(&self, ip: IpAddr) -> Result<(), Error> {
        self.change(|c| {
            c.addresses.remove(&ip);
        })
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) -> Result<(), Error> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = contents.clone();
        change(&mut changed);
        let text = serde_json::to_vec(&changed).map_err(io::Error::from);
        let written = text.and_then(|text| state::replace_file(&self.path, &[&text[..], b"\n"].concat(), 0o644));
        written.map_err(|source| Error { what: "write", path: self.path.clone(), source })?;
        // What is not on disk is not recorded: the address was not added either.
        *contents = changed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_is_not_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let owned = Owned::open(&dir.path().join("owned.json")).unwrap();
        fs::create_dir(dir.path().join("owned.json.new")).unwrap();
        assert!(owned.insert("10.0.0.60".parse().unwrap(), "eth0").is_err());
        assert_eq!(owned.addresses(), [] as [IpAddr; 0]);
    }

    #[test]
    fn the_record_survives_and_a_damaged_one_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/owned.json");
        let (a, b): (IpAddr, IpAddr) = ("10.0.0.60".parse().unwrap(), "fd00::60".parse().unwrap());
        let owned = Owned::open(&path).unwrap();
        owned.insert(a, "eth0").unwrap();
        owned.insert(b, "eth1").unwrap();
        assert_eq!(Owned::open(&path).unwrap().addresses(), [a, b]);
        owned.remove(a).unwrap();
        assert_eq!(Owned::open(&path).unwrap().addresses(), [b]);
        fs::write(&path, "{\"addr").unwrap();
        assert_eq!(Owned::open(&path).unwrap().addresses(), [] as [IpAddr; 0]);
        assert!(path.with_extension("damaged").exists());
    }
}
