//! Which files are meant: those that are named, and those of a folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::config::kind::Kind;
use crate::config::load;

/// Something to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Heartbeat's files in a folder, which are checked together.
    Cluster {
        /// Where.
        folder: PathBuf,
        /// What is to be told about.
        shown: Vec<Kind>,
    },
    /// One of heartbeat's files under another name.
    Alone {
        /// The file.
        path: PathBuf,
        /// Which of them.
        kind: Kind,
    },
    /// A file of ldirectord.
    Ldirectord {
        /// The file.
        path: PathBuf,
    },
    /// Not a file, or none that is known.
    Unusable {
        /// Why, with its name.
        text: String,
    },
}

/// The targets of the named files and folders, in their order.
pub(super) fn targets(named: &[PathBuf]) -> Vec<Target> {
    let mut out: Vec<Target> = Vec::new();
    for path in named {
        for target in if path.is_dir() { folder(path) } else { vec![file(path)] } {
            // Heartbeat's files are read together: those of one folder are one target.
            match (&target, out.last_mut()) {
                (Target::Cluster { folder, shown }, Some(Target::Cluster { folder: last, shown: of_last })) if folder == last => {
                    of_last.extend(shown);
                }
                _ => out.push(target),
            }
        }
    }
    out
}

fn file(path: &Path) -> Target {
    let base = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match Kind::of_name(&base) {
        Some(Kind::Ldirectord) => Target::Ldirectord { path: path.to_owned() },
        Some(kind) if path.exists() => Target::Cluster { folder: folder.to_owned(), shown: vec![kind] },
        _ => match load::read(path) {
            Err(error) => Target::Unusable { text: error.to_string() },
            Ok(source) => match Kind::of_contents(&source.bytes) {
                Some(Kind::Ldirectord) => Target::Ldirectord { path: path.to_owned() },
                Some(kind) => Target::Alone { path: path.to_owned(), kind },
                None => Target::Unusable {
                    text: format!(
                        "{}: neither its name nor a line in it tells which file it is: ha.cf, authkeys, haresources or ldirectord.cf",
                        path.display()
                    ),
                },
            },
        },
    }
}

/// Heartbeat's files, if there is one of them, and the ldirectord files in the folder and in `conf` below it, where ldirectord
/// looks for them.
fn folder(path: &Path) -> Vec<Target> {
    let mut out = Vec::new();
    let trio = [("ha.cf", Kind::HaCf), ("authkeys", Kind::Authkeys), ("haresources", Kind::Haresources)];
    if trio.iter().any(|(name, _)| path.join(name).exists()) {
        out.push(Target::Cluster { folder: path.to_owned(), shown: trio.map(|(_, kind)| kind).to_vec() });
    }
    for place in [path.to_owned(), path.join("conf")] {
        let mut found: Vec<PathBuf> = std::fs::read_dir(place).into_iter().flatten().flatten().map(|e| e.path()).collect();
        found.sort();
        let of_ldirectord = |p: &PathBuf| match file(p) {
            Target::Ldirectord { .. } => p.is_file(),
            _ => false,
        };
        let config = |p: &PathBuf| p.extension().is_some_and(|e| e == "cf");
        out.extend(found.into_iter().filter(|p| config(p) && of_ldirectord(p)).map(|path| Target::Ldirectord { path }));
    }
    if out.is_empty() {
        let text = format!("{}: no ha.cf, authkeys, haresources or ldirectord.cf in it", path.display());
        out.push(Target::Unusable { text });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_heartbeats_files_and_those_of_ldirectord() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("conf")).unwrap();
        for (name, text) in [
            ("ha.cf", "node a\n"),
            ("www.cf", "virtual=1\n"),
            ("other.cf", "x\n"),
            ("conf/ldirectord.cf", ""),
            ("ldirectord.old", ""),
        ] {
            std::fs::write(path(name), text).unwrap();
        }
        let folder = dir.path().to_owned();
        let all = vec![
            Target::Cluster { folder: folder.clone(), shown: vec![Kind::HaCf, Kind::Authkeys, Kind::Haresources] },
            Target::Ldirectord { path: path("www.cf") },
            Target::Ldirectord { path: path("conf/ldirectord.cf") },
        ];
        assert_eq!(targets(std::slice::from_ref(&folder)), all);
        std::fs::write(path("authkeys"), "").unwrap();
        let two = Target::Cluster { folder, shown: vec![Kind::HaCf, Kind::Authkeys] };
        assert_eq!(targets(&[path("ha.cf"), path("authkeys")]), [two]);
        assert!(matches!(targets(&[path("other.cf")])[..], [Target::Unusable { .. }]));
        assert!(matches!(targets(&[path("none")])[..], [Target::Unusable { .. }]));
    }
}
