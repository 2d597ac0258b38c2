//! IPVS on generic netlink: requests to bytes, bytes to answers.
//!
//! Source: `linux/ip_vs.h`, `linux/netlink.h`, `linux/genetlink.h`. `attrs` and `message` carry any netlink family; `service`,
//! `dest`, `sync` and `stats` are IPVS's attribute sets; `request` and `reply` put them together. `sockopt` is the older way. Integers are in the host's
//! order but for ports and addresses. Attributes that are not known are skipped (kernels grow), short ones are errors.

pub mod attrs;
pub mod constants;
mod dest;
pub mod message;
mod reply;
mod request;
mod service;
pub mod sockopt;
mod stats;
mod sync;

pub use reply::{Reply, decode, family_id};
pub use request::{Request, get_family, push_change};

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than the thing has.
    #[error("{what}: {found} bytes where {expected} were expected")]
    Short {
        /// What was read.
        what: &'static str,
        /// Bytes there.
        found: usize,
        /// Bytes needed.
        expected: usize,
    },
    /// A length field that cannot be.
    #[error("{what}: length {found} with {left} bytes left")]
    Length {
        /// What was read.
        what: &'static str,
        /// The length it gives.
        found: usize,
        /// The bytes there.
        left: usize,
    },
    /// An attribute that must be there is not.
    #[error("{what} is missing")]
    Missing {
        /// The attribute.
        what: &'static str,
    },
    /// A value outside of what this program knows.
    #[error("{what}: unknown value {found}")]
    Unknown {
        /// What was read.
        what: &'static str,
        /// The value.
        found: u32,
    },
    /// Another answer than was asked for.
    #[error("answer with command {found} where {expected} was expected")]
    Command {
        /// The command number found.
        found: u8,
        /// What was expected.
        expected: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::attrs::attrs;
    use super::message::{Content, messages};
    use super::*;
    use crate::ipvs::model::{
        Command, Dest, DestKey, Family, Forward, Granularity, Persistence, Protocol, Service, ServiceFlags, ServiceKey,
        SyncDaemon, SyncRole, Tunnel,
    };

    fn key() -> impl Strategy<Value = ServiceKey> {
        let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
        let addr = (protocol, any::<IpAddr>(), any::<u16>());
        prop_oneof![
            addr.prop_map(|(protocol, addr, port)| ServiceKey::Addr { protocol, addr, port }),
            (1u32.., prop::sample::select(vec![Family::Inet, Family::Inet6]))
                .prop_map(|(mark, family)| ServiceKey::Fwmark { mark, family }),
        ]
    }

    fn service() -> impl Strategy<Value = Service> {
        let persistence = prop::option::of((any::<u32>(), any::<u32>(), 1u8..=128));
        let names = ("[a-z]{1,15}", prop::option::of("[a-z]{1,15}"));
        (key(), names, any::<u32>(), persistence).prop_map(|(key, (scheduler, engine), flags, persistence)| {
            let persistence = persistence.map(|(timeout, mask, prefix)| Persistence {
                timeout,
                granularity: match key.family() {
                    Family::Inet => Granularity::Mask(mask),
                    Family::Inet6 => Granularity::Prefix(prefix),
                },
            });
            Service { key, scheduler, flags: ServiceFlags(flags & !3), persistence, engine }
        })
    }

    fn dest() -> impl Strategy<Value = Dest> {
        let tunnel = (any::<u8>(), any::<u16>(), any::<u16>()).prop_map(|(kind, port, flags)| Tunnel { kind, port, flags });
        let forward = prop::sample::select(vec![Forward::Masq, Forward::Gate, Forward::Ipip, Forward::Other(7)]);
        (any::<IpAddr>(), any::<u16>(), forward, any::<[u32; 3]>(), tunnel).prop_map(
            |(addr, port, forward, [weight, upper, lower], tunnel)| {
                let key = DestKey { addr, port };
                Dest { key, forward, weight, upper, lower, tunnel }
            },
        )
    }

    /// The attributes of the request, read as if it were the answer with the same command number.
    fn echo(request: &Request) -> Reply {
        let mut bytes = Vec::new();
        request.push(&mut bytes, 32, 1, true);
        assert!(bytes.len() <= Request::MAX_BYTES);
        let message = messages(&bytes).next().unwrap().unwrap();
        let Content::Data { command, attrs, .. } = message.content else { panic!("no data") };
        decode(command, attrs).unwrap()
    }

    proptest! {
        #[test]
        fn a_service_comes_back(service in service()) {
            let Reply::Service(entry) = echo(&Request::Change(Command::AddService(service.clone()))) else { panic!() };
            prop_assert_eq!(entry.service, service);
        }

        #[test]
        fn a_real_server_comes_back(key in key(), dest in dest()) {
            let Reply::Dest(entry) = echo(&Request::Change(Command::AddDest(key, dest.clone()))) else { panic!() };
            prop_assert_eq!(entry.dest, dest);
        }

        #[test]
        fn a_sync_daemon_comes_back(
            sync_id in any::<u32>(),
            interface in "[a-z0-9]{1,15}",
            max_length in any::<u16>(),
            port in any::<u16>(),
            ttl in any::<u8>(),
            group in prop::option::of(any::<IpAddr>()),
        ) {
            let daemon = SyncDaemon { role: SyncRole::Backup, interface, sync_id, max_length, group, port, ttl };
            let reply = echo(&Request::StartSync(daemon.clone()));
            prop_assert_eq!(reply, Reply::Sync(daemon));
        }
    }

    #[test]
    fn names_of_any_length_keep_the_request_short() {
        let key = ServiceKey::Fwmark { mark: 1, family: Family::Inet6 };
        let engine = Some("e".repeat(100_000));
        let persistence = Some(Persistence { timeout: 1, granularity: Granularity::Prefix(1) });
        let service = Service { key, scheduler: "s".repeat(100_000), flags: ServiceFlags::default(), persistence, engine };
        echo(&Request::Change(Command::AddService(service)));
    }

    #[test]
    fn the_request_for_the_family_names_it() {
        let bytes = get_family(1);
        let Content::Data { family: 16, command: 3, attrs: list } = messages(&bytes).next().unwrap().unwrap().content else {
            panic!("not a request to the controller")
        };
        assert_eq!(attrs(list).next().unwrap().unwrap().text(), "IPVS");
    }
}
