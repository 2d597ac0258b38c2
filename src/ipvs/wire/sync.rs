//! `IPVS_DAEMON_ATTR_*`: the kernel's connection synchronisation daemons.

use super::DecodeError;
use super::attrs::{Attrs, Writer};
use super::constants::daemon;
use crate::ipvs::model::{Family, SyncDaemon, SyncRole};

/// A role, as DEL_DAEMON wants it.
pub(super) fn encode_role(w: &mut Writer<'_>, role: SyncRole) {
    w.u32(
        daemon::STATE,
        match role {
            SyncRole::Master => 1,
            SyncRole::Backup => 2,
        },
    );
}

/// A daemon to start; what is 0 or absent is left to the kernel.
pub(super) fn encode(w: &mut Writer<'_>, sync: &SyncDaemon) {
    encode_role(w, sync.role);
    w.text(daemon::MCAST_IFN, &sync.interface);
    w.u32(daemon::SYNC_ID, sync.sync_id);
    if sync.max_length != 0 {
        w.u16(daemon::SYNC_MAXLEN, sync.max_length);
    }
    // Unlike the ports of services, this one is in the host's order.
    if sync.port != 0 {
        w.u16(daemon::MCAST_PORT, sync.port);
    }
    if sync.ttl != 0 {
        w.u8(daemon::MCAST_TTL, sync.ttl);
    }
    if let Some(group) = sync.group {
        w.bare_addr(if group.is_ipv4() { daemon::MCAST_GROUP } else { daemon::MCAST_GROUP6 }, group);
    }
}

/// A running daemon.
pub(super) fn decode(nest: Attrs<'_>) -> Result<SyncDaemon, DecodeError> {
    let (mut role, mut interface, mut group) = (None, None, None);
    let (mut sync_id, mut max_length, mut port, mut ttl) = (0, 0, 0, 0);
    for attr in nest {
        let attr = attr?;
        match attr.kind {
            daemon::STATE => {
                role = Some(match attr.u32("role of a sync daemon")? {
                    1 => SyncRole::Master,
                    2 => SyncRole::Backup,
                    found => return Err(DecodeError::Unknown { what: "role of a sync daemon", found }),
                });
            }
            daemon::MCAST_IFN => interface = Some(attr.text()),
            daemon::SYNC_ID => sync_id = attr.u32("sync id")?,
            daemon::SYNC_MAXLEN => max_length = attr.u16("sync message length")?,
            daemon::MCAST_GROUP => group = Some(attr.addr("multicast group", Family::Inet)?),
            daemon::MCAST_GROUP6 => group = Some(attr.addr("multicast group", Family::Inet6)?),
            daemon::MCAST_PORT => port = attr.u16("multicast port")?,
            daemon::MCAST_TTL => ttl = attr.u8("multicast ttl")?,
            _ => {}
        }
    }
    Ok(SyncDaemon {
        role: role.ok_or(DecodeError::Missing { what: "role of a sync daemon" })?,
        interface: interface.ok_or(DecodeError::Missing { what: "interface of a sync daemon" })?,
        sync_id,
        max_length,
        group,
        port,
        ttl,
    })
}
