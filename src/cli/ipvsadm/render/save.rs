//! `-S`: the table as command lines that `-R` takes. Thresholds, timeouts and daemons are not in it, as in the original. The
//! third flag of sh and mh alone, which the original writes as no name and then cannot read, is written as `flag-3`.

use std::fmt::Write as _;

use super::{Names, endpoint, flag_names, key_protocol, mark_text, mask, order};
use crate::ipvs::model::{Dest, Family, Forward, Service, ServiceFlags, ServiceKey, Tunnel};

/// The third scheduler flag, by the name that every scheduler takes.
const THIRD: &str = "flag-3";

/// The lines, sorted as a listing.
#[must_use]
pub fn save(entries: &[crate::ipvs::model::ServiceEntry], names: Option<&dyn Names>) -> String {
    let mut out = String::new();
    for entry in order::services(entries) {
        let key = key_text(&entry.service.key, names);
        let _ = writeln!(out, "-A {key} {}", service_text(&entry.service));
        let protocol = key_protocol(&entry.service.key);
        for dest in order::dests(&entry.dests) {
            for part in ["-a ", &key, " -r "] {
                out.push_str(part);
            }
            endpoint(&mut out, dest.dest.key.addr, dest.dest.key.port, protocol, names);
            dest_text(&mut out, &dest.dest);
            out.push('\n');
        }
    }
    out
}

fn key_text(key: &ServiceKey, names: Option<&dyn Names>) -> String {
    match *key {
        ServiceKey::Addr { protocol, addr, port } => {
            let option = match protocol {
                crate::ipvs::model::Protocol::Tcp => "-t",
                crate::ipvs::model::Protocol::Udp => "-u",
                crate::ipvs::model::Protocol::Sctp => "--sctp-service",
            };
            let mut text = format!("{option} ");
            endpoint(&mut text, addr, port, Some(protocol), names);
            text
        }
        ServiceKey::Fwmark { mark, family: Family::Inet } => format!("-f {}", mark_text(mark)),
        ServiceKey::Fwmark { mark, family: Family::Inet6 } => format!("-f {} -6", mark_text(mark)),
    }
}

fn service_text(service: &Service) -> String {
    let mut out = format!("-s {}", service.scheduler);
    if let Some(persistence) = &service.persistence {
        let _ = write!(out, " -p {}", persistence.timeout);
        if let Some(mask) = mask(service.key.family(), persistence.granularity) {
            let _ = write!(out, " -M {mask}");
        }
    }
    if let Some(engine) = &service.engine {
        let _ = write!(out, " --pe {engine}");
    }
    if service.flags.has(ServiceFlags::ONE_PACKET) {
        out.push_str(" -o");
    }
    if let Some(flags) = flag_names(service) {
        let flags = if flags.is_empty() { THIRD } else { &flags };
        let _ = write!(out, " -b {flags}");
    }
    out
}

fn dest_text(out: &mut String, dest: &Dest) {
    let method = match dest.forward {
        Forward::Masq => "-m",
        Forward::Ipip => "-i",
        Forward::Gate | Forward::Local | Forward::Other(_) => "-g",
    };
    for part in [" ", method, " -w ", itoa::Buffer::new().format(dest.weight)] {
        out.push_str(part);
    }
    if dest.forward == Forward::Ipip {
        let Tunnel { kind, port, flags } = dest.tunnel;
        let checksum = match flags {
            0 => "--tun-nocsum",
            1 => "--tun-csum",
            _ => "--tun-remcsum",
        };
        let _ = match kind {
            1 => write!(out, " --tun-type gue --tun-port {port} {checksum}"),
            2 => write!(out, " --tun-type gre {checksum}"),
            _ => write!(out, " --tun-type ipip"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_flag_of_sh_is_saved_by_a_name_that_can_be_read() {
        let key = ServiceKey::Fwmark { mark: 1, family: Family::Inet };
        let flags = ServiceFlags(ServiceFlags::SCHED3);
        let service = Service { key, scheduler: "sh".into(), flags, persistence: None, engine: None };
        assert_eq!(service_text(&service), "-s sh -b flag-3");
    }
}
