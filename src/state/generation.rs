//! `hb_generation`: a number that grows with every start, so that packets of earlier runs are told from those of this one.

use std::path::Path;

use super::StateError;

/// The file's name.
const FILE: &str = "hb_generation";
/// 15 columns, right-aligned, and a newline: what the original writes and reads.
const LENGTH: usize = 16;
/// What does not fit the columns would be cut by the original.
const HIGHEST: u64 = 999_999_999_999_999;

/// The number of a new run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// The number, already on the disk.
    pub number: u64,
    /// There was no earlier one: to be logged, see [`Generation::log`].
    pub first: bool,
}

impl Generation {
    /// The log lines of a start, in the original's words: whether it is a warning, and the text.
    #[must_use]
    pub fn log(&self) -> Vec<(bool, String)> {
        let mut lines = Vec::new();
        if self.first {
            lines.push((true, format!("No Previous generation - starting at {}", self.number)));
        }
        lines.push((false, format!("Heartbeat generation: {}", self.number)));
        lines
    }
}

/// The next generation of the file in `directory`, written and synced before it is returned. Without a file it is `wall`, the
/// time in Unix seconds, plus one. A damaged file is an error: a number below an earlier one would make the peers drop every
/// packet of this node.
///
/// # Errors
/// The file cannot be read or written, or is damaged.
pub fn next(directory: &Path, wall: u64) -> Result<Generation, StateError> {
    let path = directory.join(FILE);
    let earlier = match super::read(&path, 64)? {
        // What a power failure may leave of the original's file.
        Some(bytes) if bytes.is_empty() => None,
        Some(bytes) => Some(parse(&bytes).ok_or_else(|| StateError::Damaged {
            path: path.clone(),
            found: format!("{:?}", String::from_utf8_lossy(&bytes)),
            expected: "a decimal number",
        })?),
        None => None,
    };
    let number = earlier.unwrap_or(wall).saturating_add(1).min(HIGHEST);
    if earlier.is_some_and(|e| e >= number) {
        return Err(StateError::Damaged { path, found: number.to_string(), expected: "a number that can grow" });
    }
    super::replace(&path, render(number).as_bytes(), 0o644)?;
    Ok(Generation { number, first: earlier.is_none() })
}

/// The number in the file; `None` if it is damaged.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?.trim_matches([' ', '\n', '\t', '\0']);
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn render(number: u64) -> String {
    format!("{number:>width$}\n", width = LENGTH - 1)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_first_generation_is_the_time_plus_one_and_every_later_one_grows() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("heartbeat");
        let first = next(&state, 1_795_240_462).unwrap();
        assert_eq!(first, Generation { number: 1_795_240_463, first: true });
        // The bytes of the original's file.
        assert_eq!(fs::read(state.join(FILE)).unwrap(), b"     1795240463\n");
        assert_eq!(next(&state, 5).unwrap(), Generation { number: 1_795_240_464, first: false });
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "nothing is left beside the file");
        assert_eq!(
            first.log(),
            [
                (true, "No Previous generation - starting at 1795240463".to_owned()),
                (false, "Heartbeat generation: 1795240463".to_owned())
            ]
        );
    }

    #[test]
    fn the_originals_file_is_continued() {
        let dir = tempfile::tempdir().unwrap();
        for (text, want) in [("              7\n", 8), ("7", 8), ("     1795240463\n", 1_795_240_464)] {
            fs::write(dir.path().join(FILE), text).unwrap();
            assert_eq!(next(dir.path(), 1).unwrap().number, want);
        }
    }

    #[test]
    fn an_empty_file_is_no_generation() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "").unwrap();
        assert_eq!(next(dir.path(), 99).unwrap(), Generation { number: 100, first: true });
    }

    #[test]
    fn a_damaged_file_is_told_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["x\n", "-3\n", "12 13\n", "99999999999999999999999\n", "999999999999999\n"] {
            fs::write(dir.path().join(FILE), text).unwrap();
            let error = next(dir.path(), 1).unwrap_err();
            assert!(matches!(error, StateError::Damaged { .. }), "{text:?}: {error}");
            assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), text);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_is_an_error_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("heartbeat"), "a file").unwrap();
        let error = next(&dir.path().join("heartbeat"), 1).unwrap_err();
        assert!(error.to_string().contains("heartbeat/hb_generation"), "{error}");
    }
}
