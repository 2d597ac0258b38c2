//! `hb_uuid`: the node's identity, 16 bytes made once and never copied to another node.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::StateError;

/// The file's name.
const FILE: &str = "hb_uuid";
/// Where chance comes from.
const RANDOM: &str = "/dev/urandom";

/// The uuid of the file in `directory`, and whether it was made just now (log: [`CREATED`]).
///
/// # Errors
/// The file cannot be read or written, or has another length.
pub fn load_or_create(directory: &Path) -> Result<([u8; 16], bool), StateError> {
    let path = directory.join(FILE);
    if let Some(bytes) = super::read(&path, 16)? {
        let uuid = <[u8; 16]>::try_from(bytes.as_slice()).map_err(|_| StateError::Damaged {
            path,
            found: format!("{}{} bytes", if bytes.len() > 16 { "at least " } else { "" }, bytes.len()),
            expected: "16 bytes",
        })?;
        return Ok((uuid, false));
    }
    let uuid = random()?;
    super::replace(&path, &uuid, 0o644)?;
    Ok((uuid, true))
}

/// The original's log line when it makes one.
pub const CREATED: &str = "No uuid found for current node - generating a new uuid.";

/// A random uuid: version 4, variant 1 (RFC 9562, section 5.4).
fn random() -> Result<[u8; 16], StateError> {
    let mut uuid = [0; 16];
    let read = File::open(RANDOM).and_then(|mut f| f.read_exact(&mut uuid));
    read.map_err(|source| StateError::Read { path: RANDOM.into(), source })?;
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut uuid;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    Ok(uuid)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (uuid, created) = load_or_create(dir.path()).unwrap();
        assert!(created);
        assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), uuid);
        assert_eq!(load_or_create(dir.path()).unwrap(), (uuid, false));
        let other = tempfile::tempdir().unwrap();
        assert_ne!(load_or_create(other.path()).unwrap().0, uuid);
        assert_eq!((uuid[6] >> 4, uuid[8] >> 6), (4, 2));
    }

    #[test]
    fn another_length_is_told_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        for length in [0, 15, 17] {
            fs::write(dir.path().join(FILE), vec![1; length]).unwrap();
            let error = load_or_create(dir.path()).unwrap_err();
            assert!(matches!(error, StateError::Damaged { .. }), "{error}");
            assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().len(), u64::try_from(length).unwrap());
        }
    }
}
