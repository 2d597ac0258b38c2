//! Watches `maintenancedir`, apart from the director's loop: the folder may be on a server far away, and the names of real
//! servers are the resolver's to tell. They are asked for only while there is a file whose name is no address.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::director::Files;
use crate::sys;

/// How long a host's name is taken for true.
const NAMES: Duration = Duration::from_secs(600);
/// For one look at the folder, and for one host's name.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// The folder; none: no file takes a server out.
    pub(super) path: Option<PathBuf>,
    /// The addresses of all real servers.
    pub(super) reals: BTreeSet<IpAddr>,
    /// Between two looks.
    pub(super) every: Duration,
}

impl Folder {
    /// Watches it in a task; each change goes to `changes`.
    pub(super) fn watch(self, changes: mpsc::Sender<Files>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut hosts = HashMap::new();
            let mut last = None;
            loop {
                let names = self.list().await;
                let mut files = Files { names, hosts: BTreeMap::new() };
                if files.names.iter().any(|name| !is_address(name)) {
                    // Those that are known at once, the others when they are.
                    for whole in [false, true] {
                        files.hosts = self.names(&mut hosts, whole).await;
                        if last.as_ref() != Some(&files) {
                            last = Some(files.clone());
                            let _ = changes.send(files.clone()).await;
                        }
                    }
                } else if last.as_ref() != Some(&files) {
                    last = Some(files.clone());
                    let _ = changes.send(files).await;
                }
                if self.path.is_none() {
                    return;
                }
                tokio::time::sleep(self.every).await;
            }
        })
    }

    /// The names of the files. A folder that is not there, or does not answer, has none.
    pub(super) async fn list(&self) -> BTreeSet<String> {
        let Some(path) = self.path.clone() else { return BTreeSet::new() };
        let listing = tokio::task::spawn_blocking(move || list(&path));
        timeout(PATIENCE, listing).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// The hosts' names, of those already known or of all.
    async fn names(&self, known: &mut HashMap<IpAddr, (Option<String>, Instant)>, ask: bool) -> BTreeMap<IpAddr, String> {
        for &addr in self.reals.iter().filter(|_| ask) {
            if known.get(&addr).is_some_and(|(_, at)| at.elapsed() < NAMES) {
                continue;
            }
            let asking = tokio::task::spawn_blocking(move || sys::host_name(addr));
            let name = timeout(PATIENCE, asking).await.ok().and_then(Result::ok).flatten();
            known.insert(addr, (name, Instant::now()));
        }
        let name = |addr: &IpAddr| Some((*addr, known.get(addr)?.0.clone()?));
        self.reals.iter().filter_map(name).collect()
    }
}

fn list(path: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(path) else { return BTreeSet::new() };
    entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

/// Whether a file's name is an address, with or without a port.
fn is_address(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok() || name.parse::<SocketAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder {
            path: Some(dir.path().join("m")),
            reals: ["127.0.0.1".parse().unwrap()].into(),
            every: Duration::from_millis(20),
        };
        let (sender, mut changes) = mpsc::channel(4);
        let task = folder.watch(sender);
        let mut next = async || timeout(Duration::from_secs(60), changes.recv()).await.unwrap().unwrap();
        assert_eq!(next().await, Files::default(), "no folder, no file");
        std::fs::create_dir(dir.path().join("m")).unwrap();
        std::fs::write(dir.path().join("m/10.0.0.1:80"), "").unwrap();
        assert_eq!(next().await.names, ["10.0.0.1:80".to_owned()].into());
        std::fs::remove_file(dir.path().join("m/10.0.0.1:80")).unwrap();
        assert_eq!(next().await, Files::default());
        task.abort();
    }

    #[test]
    fn names_of_addresses_need_no_resolver() {
        for name in ["10.0.0.1", "10.0.0.1:80", "[fd00::1]", "[fd00::1]:80"] {
            assert!(is_address(name), "{name}");
        }
        assert!(!is_address("web1") && !is_address("web1:80") && !is_address("README"));
    }
}
