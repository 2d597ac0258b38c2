//! The questions a file's names raise, asked of whoever runs the resolver: a value passed in, so that resolving stays pure.

use std::net::IpAddr;

use crate::ipvs::model::Protocol;

/// Names to numbers. `config::load` answers from the system, tests from a table.
pub trait Lookup {
    /// The addresses of a host name, IPv4 and IPv6, in the resolver's order; empty when it does not resolve.
    fn host(&self, name: &str) -> Vec<IpAddr>;
    /// The port of a service name; `None` protocol: of any protocol.
    fn service(&self, name: &str, protocol: Option<Protocol>) -> Option<u16>;
    /// The service that has this UDP port, by its name in the services database; by default none is known.
    fn udp_service_name(&self, _port: u16) -> Option<String> {
        None
    }
    /// Whether the network interface exists.
    fn interface(&self, name: &str) -> bool;
    /// The numeric ids of a user, if there is one.
    fn user(&self, name: &str) -> Option<u32>;
    /// The numeric id of a group, if there is one.
    fn group(&self, name: &str) -> Option<u32>;
    /// Whether the path is an executable regular file.
    fn executable(&self, path: &str) -> bool;
    /// Whether the path is a character device. A table without files has none.
    fn terminal(&self, path: &str) -> bool {
        let _ = path;
        false
    }
    /// Whether the path is a directory. A table without files has none.
    fn directory(&self, path: &str) -> bool {
        let _ = path;
        false
    }
    /// Whether the path can be opened for appending (the try may create it); else the system's reason. A table without
    /// files refuses nothing.
    fn appendable(&self, path: &str) -> Result<(), String> {
        let _ = path;
        Ok(())
    }
}
