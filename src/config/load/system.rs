//! This host's answers to the questions that names raise.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use nix::net::if_::if_nametoindex;
use nix::unistd::{AccessFlags, Group, User, access};

use super::{read, strerror};
use crate::config::lookup::Lookup;
use crate::ipvs::model::Protocol;

/// This host's answers. The services database is read once, at construction.
#[derive(Debug, Clone)]
pub struct System {
    services: Services,
    /// Whether nothing may be made on disk.
    looking: bool,
}

impl System {
    /// With the services of `/etc/services`.
    #[must_use]
    pub fn new() -> Self {
        let file = read(Path::new("/etc/services")).map(|s| s.bytes).unwrap_or_default();
        Self { services: Services::parse(&file), looking: false }
    }

    /// The same, but what is asked leaves no trace: a file is not made to see whether it can be.
    #[must_use]
    pub fn looking() -> Self {
        Self { looking: true, ..Self::new() }
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Lookup for System {
    /// By the system's resolver. Blocks as long as that does.
    fn host(&self, name: &str) -> Vec<IpAddr> {
        if let Ok(addr) = name.parse() {
            return vec![addr];
        }
        let mut found: Vec<IpAddr> = Vec::new();
        for addr in (name, 0u16).to_socket_addrs().into_iter().flatten() {
            if !found.contains(&addr.ip()) {
                found.push(addr.ip());
            }
        }
        found
    }

    fn service(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        self.services.port(name, protocol)
    }

    fn udp_service_name(&self, port: u16) -> Option<String> {
        self.services.name(port, Protocol::Udp)
    }

    fn interface(&self, name: &str) -> bool {
        if_nametoindex(name).is_ok()
    }

    fn user(&self, name: &str) -> Option<u32> {
        User::from_name(name).ok().flatten().map(|u| u.uid.as_raw())
    }

    fn group(&self, name: &str) -> Option<u32> {
        Group::from_name(name).ok().flatten().map(|g| g.gid.as_raw())
    }

    fn executable(&self, path: &str) -> bool {
        std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    }

    fn terminal(&self, path: &str) -> bool {
        std::fs::metadata(path).is_ok_and(|m| m.file_type().is_char_device())
    }

    fn directory(&self, path: &str) -> bool {
        std::fs::metadata(path).is_ok_and(|m| m.is_dir())
    }

    fn appendable(&self, path: &str) -> Result<(), String> {
        let file = Path::new(path);
        if self.looking && !file.exists() {
            let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return access(folder, AccessFlags::W_OK).map_err(|e| e.desc().to_owned());
        }
        OpenOptions::new().append(true).create(!self.looking).open(path).map(drop).map_err(|e| strerror(&e))
    }
}

/// The services database: names and aliases to ports.
#[derive(Debug, Clone, Default)]
struct Services {
    /// By name: protocol's name and port, in the file's order.
    ports: HashMap<String, Vec<(String, u16)>>,
}

impl Services {
    /// What a host without the file still knows: the services that load balancers are put before.
    const KNOWN: &str = "ftp 21/tcp\nssh 22/tcp\nsmtp 25/tcp mail\ndomain 53/tcp\ndomain 53/udp\nhttp 80/tcp www\npop3 110/tcp\n\
                         nntp 119/tcp\nntp 123/udp\nimap2 143/tcp imap\nsnmp 161/udp\nldap 389/tcp\nhttps 443/tcp\nsubmission 587/tcp\n\
                         ldaps 636/tcp\nimaps 993/tcp\npop3s 995/tcp\nradius 1812/udp\nmysql 3306/tcp\nsip 5060/tcp\nsip 5060/udp\n\
                         postgresql 5432/tcp\nhttp-alt 8080/tcp webcache\n";

    fn parse(file: &[u8]) -> Self {
        let mut services = Self::default();
        let text = String::from_utf8_lossy(file);
        for line in text.lines().chain(Self::KNOWN.lines()) {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let (Some(name), Some((port, protocol))) = (words.next(), words.next().and_then(|w| w.split_once('/'))) else {
                continue;
            };
            let Ok(port) = port.parse() else { continue };
            for name in std::iter::once(name).chain(words) {
                services.ports.entry(name.to_owned()).or_default().push((protocol.to_owned(), port));
            }
        }
        services
    }

    fn name(&self, port: u16, protocol: Protocol) -> Option<String> {
        let has = |entries: &Vec<(String, u16)>| entries.iter().any(|(of, p)| *p == port && of == protocol.name());
        self.ports.iter().filter(|(_, entries)| has(entries)).map(|(name, _)| name.clone()).min()
    }

    fn port(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        let entries = self.ports.get(name)?;
        entries.iter().find(|(of, _)| protocol.is_none_or(|p| p.name() == of)).map(|(_, port)| *port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_aliases_protocols_and_an_order() {
        let services = Services::parse(b"# c\nhttp 8000/tcp www # WorldWideWeb\nsyslog\t514/udp\nbroken 1\nbad x/tcp\n");
        assert_eq!(services.port("www", Some(Protocol::Tcp)), Some(8000), "the file wins");
        assert_eq!(services.port("http", None), Some(8000));
        assert_eq!(services.port("syslog", Some(Protocol::Tcp)), None);
        assert_eq!(services.port("syslog", None), Some(514));
        assert_eq!(services.port("domain", Some(Protocol::Udp)), Some(53), "known without a file");
        assert_eq!(services.port("broken", None), None);
    }

    #[test]
    fn this_host_knows_itself() {
        let system = System::new();
        assert_eq!(system.host("192.0.2.7"), ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(system.host("2001:db8::7"), ["2001:db8::7".parse::<IpAddr>().unwrap()]);
        assert!(system.host("no such host").is_empty());
        assert!(system.interface("lo"));
        assert!(!system.interface("no-such-if"));
        assert_eq!(system.user("root"), Some(0));
        assert_eq!(system.group("root"), Some(0));
        assert_eq!(system.user("no-such-user"), None);
        assert!(system.executable("/bin/sh"));
        assert!(!system.executable("/etc/passwd"));
        assert!(system.directory("/"));
    }

    #[test]
    fn files_are_tried_for_appending() {
        let dir = tempfile::tempdir().unwrap();
        let system = System::new();
        let missing = dir.path().join("none/f");
        assert_eq!(system.appendable(missing.to_str().unwrap()), Err("No such file or directory".to_owned()));
        let new = dir.path().join("new");
        let looking = System::looking();
        assert_eq!(looking.appendable(missing.to_str().unwrap()), Err("No such file or directory".to_owned()));
        assert_eq!(looking.appendable(new.to_str().unwrap()), Ok(()));
        assert!(!new.exists());
        assert_eq!(system.appendable(new.to_str().unwrap()), Ok(()));
        assert_eq!(looking.appendable(new.to_str().unwrap()), Ok(()));
    }
}
