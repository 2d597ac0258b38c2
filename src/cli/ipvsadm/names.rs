//! Names of hosts and services from the system, both ways, with the C library's sources (files, DNS and so on) for hosts and
//! `/etc/services` for services.

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _};

use super::{args, render};
use crate::ipvs::model::Protocol;

/// The system's names. The services file is read when it is first needed.
#[derive(Debug, Default)]
pub(super) struct System {
    services: OnceCell<Vec<Service>>,
}

#[derive(Debug)]
struct Service {
    /// The name, then its aliases.
    names: Vec<String>,
    port: u16,
    protocol: String,
}

impl System {
    fn services(&self) -> &[Service] {
        self.services.get_or_init(|| {
            let file = std::fs::read("/etc/services").unwrap_or_default();
            String::from_utf8_lossy(&file).lines().filter_map(service_line).collect()
        })
    }
}

impl args::Lookup for System {
    fn address(&self, host: &str) -> Option<Ipv4Addr> {
        (host, 0).to_socket_addrs().ok()?.find_map(|addr| match addr.ip() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
    }

    fn port(&self, service: &str, protocol: Protocol) -> Option<u16> {
        let named = |s: &&Service| s.protocol == protocol.name() && s.names.iter().any(|name| name == service);
        self.services().iter().find(named).map(|s| s.port)
    }
}

impl render::Names for System {
    fn host(&self, addr: IpAddr) -> Option<String> {
        crate::sys::host_name(addr)
    }

    fn service(&self, port: u16, protocol: Protocol) -> Option<String> {
        let numbered = |s: &&Service| s.port == port && s.protocol == protocol.name();
        self.services().iter().find(numbered)?.names.first().cloned()
    }
}

/// `http 80/tcp www # comment`.
fn service_line(line: &str) -> Option<Service> {
    let mut words = line.split('#').next()?.split_whitespace();
    let name = words.next()?;
    let (port, protocol) = words.next()?.split_once('/')?;
    let names = std::iter::once(name).chain(words).map(str::to_owned).collect();
    Some(Service { names, port: port.parse().ok()?, protocol: protocol.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_services_file() {
        let service = service_line("http\t80/tcp www www-http # web").unwrap();
        assert_eq!((service.port, service.protocol.as_str(), service.names.len()), (80, "tcp", 3));
        assert!(service_line("# http 80/tcp").is_none());
        assert!(service_line("http 80").is_none());
        assert!(service_line("http x/tcp").is_none());
    }
}
