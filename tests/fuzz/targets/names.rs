//! The host on which configurations are resolved: a few names, one interface, everything by a table.

use std::net::{IpAddr, Ipv4Addr};

use lvs_ha::cli::ipvsadm::args;
use lvs_ha::config::lookup::Lookup;
use lvs_ha::ipvs::model::Protocol;

pub struct Host;

impl Lookup for Host {
    fn host(&self, name: &str) -> Vec<IpAddr> {
        match name {
            "localhost" => vec![Ipv4Addr::LOCALHOST.into()],
            "none" => Vec::new(),
            // Addresses, and for every other name one of each family.
            _ => name.parse().map_or_else(|_| vec!["fd00::7".parse().unwrap(), "10.0.0.7".parse().unwrap()], |a| vec![a]),
        }
    }
    fn service(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        let known = [("http", 80), ("https", 443), ("domain", 53), ("smtp", 25), ("ha-cluster", 694), ("www", 80)];
        known.iter().find(|(n, _)| *n == name && protocol != Some(Protocol::Sctp)).map(|(_, port)| *port)
    }
    fn interface(&self, name: &str) -> bool {
        name.starts_with("eth")
    }
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root" || name == "hacluster").then_some(0)
    }
    fn group(&self, name: &str) -> Option<u32> {
        (name == "haclient").then_some(0)
    }
    fn executable(&self, path: &str) -> bool {
        path.len() % 2 == 1
    }
}

impl args::Lookup for Host {
    fn address(&self, host: &str) -> Option<Ipv4Addr> {
        Lookup::host(self, host).into_iter().find_map(|a| if let IpAddr::V4(v4) = a { Some(v4) } else { None })
    }
    fn port(&self, service: &str, protocol: Protocol) -> Option<u16> {
        Lookup::service(self, service, Some(protocol))
    }
}
