//! What the kernel answers. The answer to a question carries the command that would set the same thing.

use super::attrs::{Attr, attrs};
use super::constants::{cmd, ctrl, top};
use super::{DecodeError, dest, service, sync};
use crate::ipvs::model::{DestEntry, Info, ServiceEntry, SyncDaemon, Timeouts};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A service, without its real servers.
    Service(ServiceEntry),
    /// A real server of the service that was asked for.
    Dest(DestEntry),
    /// A running synchronisation daemon.
    Sync(SyncDaemon),
    /// Connection timeouts.
    Timeouts(Timeouts),
    /// Version and table size.
    Info(Info),
}

/// Reads the answer with this command number.
pub fn decode(command: u8, bytes: &[u8]) -> Result<Reply, DecodeError> {
    Ok(match command {
        cmd::NEW_SERVICE => {
            let (service, stats) = service::decode(find(bytes, top::SERVICE, "service")?.nest())?;
            Reply::Service(ServiceEntry { service, stats, dests: Vec::new() })
        }
        cmd::NEW_DEST => Reply::Dest(dest::decode(find(bytes, top::DEST, "real server")?.nest())?),
        cmd::NEW_DAEMON => Reply::Sync(sync::decode(find(bytes, top::DAEMON, "sync daemon")?.nest())?),
        cmd::SET_CONFIG => Reply::Timeouts(Timeouts {
            tcp: find(bytes, top::TIMEOUT_TCP, "TCP timeout")?.u32("TCP timeout")?,
            tcp_fin: find(bytes, top::TIMEOUT_TCP_FIN, "TCP FIN timeout")?.u32("TCP FIN timeout")?,
            udp: find(bytes, top::TIMEOUT_UDP, "UDP timeout")?.u32("UDP timeout")?,
        }),
        cmd::SET_INFO => Reply::Info(Info {
            version: find(bytes, top::INFO_VERSION, "IPVS version")?.u32("IPVS version")?,
            table_size: find(bytes, top::INFO_CONN_TAB_SIZE, "connection table size")?.u32("connection table size")?,
        }),
        found => return Err(DecodeError::Command { found, expected: "an answer of IPVS" }),
    })
}

/// The family id in the controller's answer.
pub fn family_id(command: u8, bytes: &[u8]) -> Result<u16, DecodeError> {
    match command {
        ctrl::NEWFAMILY => find(bytes, ctrl::FAMILY_ID, "family id")?.u16("family id"),
        found => Err(DecodeError::Command { found, expected: "a family" }),
    }
}

fn find<'a>(bytes: &'a [u8], kind: u16, what: &'static str) -> Result<Attr<'a>, DecodeError> {
    for attr in attrs(bytes) {
        let attr = attr?;
        if attr.kind == kind {
            return Ok(attr);
        }
    }
    Err(DecodeError::Missing { what })
}
