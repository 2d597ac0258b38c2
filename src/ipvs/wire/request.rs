//! What can be asked of the kernel, and its bytes.

use std::fmt;

use super::constants::{FAMILY_NAME, FAMILY_VERSION, cmd, ctrl, nlmsg, top};
use super::message::{Head, push};
use super::{dest, service, sync};
use crate::ipvs::model::{Command, ServiceKey, SyncDaemon, SyncRole, Timeouts};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Change the table.
    Change(Command),
    /// One service, without its real servers.
    GetService(ServiceKey),
    /// All services, without their real servers.
    DumpServices,
    /// The real servers of one service; none if there is no such service.
    DumpDests(ServiceKey),
    /// Set the counters of one service, or all, to zero.
    Zero(Option<ServiceKey>),
    /// Delete every service.
    Flush,
    /// Version and size of the connection table.
    GetInfo,
    /// Connection timeouts.
    GetTimeouts,
    /// Set connection timeouts; those that are 0 stay.
    SetTimeouts(Timeouts),
    /// Running synchronisation daemons.
    DumpSync,
    /// Start a synchronisation daemon.
    StartSync(SyncDaemon),
    /// Stop the synchronisation daemon of this role.
    StopSync(SyncRole),
}

impl Request {
    /// No request is longer, whatever names it carries.
    pub const MAX_BYTES: usize = 512;

    /// The command number.
    #[must_use]
    pub fn command(&self) -> u8 {
        match self {
            Self::Change(Command::AddService(_)) => cmd::NEW_SERVICE,
            Self::Change(Command::EditService(_)) => cmd::SET_SERVICE,
            Self::Change(Command::DeleteService(_)) => cmd::DEL_SERVICE,
            Self::Change(Command::AddDest(..)) => cmd::NEW_DEST,
            Self::Change(Command::EditDest(..)) => cmd::SET_DEST,
            Self::Change(Command::DeleteDest(..)) => cmd::DEL_DEST,
            Self::GetService(_) | Self::DumpServices => cmd::GET_SERVICE,
            Self::DumpDests(_) => cmd::GET_DEST,
            Self::Zero(_) => cmd::ZERO,
            Self::Flush => cmd::FLUSH,
            Self::GetInfo => cmd::GET_INFO,
            Self::GetTimeouts => cmd::GET_CONFIG,
            Self::SetTimeouts(_) => cmd::SET_CONFIG,
            Self::DumpSync => cmd::GET_DAEMON,
            Self::StartSync(_) => cmd::NEW_DAEMON,
            Self::StopSync(_) => cmd::DEL_DAEMON,
        }
    }

    /// Whether the answer is a list that ends with DONE instead of an acknowledgement.
    #[must_use]
    pub fn is_dump(&self) -> bool {
        matches!(self, Self::DumpServices | Self::DumpDests(_) | Self::DumpSync)
    }

    /// Appends the request to a datagram. A refusal is always answered; a success only with `ack`.
    pub fn push(&self, out: &mut Vec<u8>, family: u16, sequence: u32, ack: bool) {
        let flags = if self.is_dump() { nlmsg::F_DUMP } else { 0 } | if ack { nlmsg::F_ACK } else { 0 } | nlmsg::F_REQUEST;
        let head = Head { family, flags, sequence, command: self.command(), version: FAMILY_VERSION };
        push(out, head, |w| match self {
            Self::Change(Command::AddService(s) | Command::EditService(s)) => {
                w.nest(top::SERVICE, |w| service::encode(w, s));
            }
            Self::Change(Command::AddDest(key, real) | Command::EditDest(key, real)) => {
                w.nest(top::SERVICE, |w| service::encode_key(w, key));
                w.nest(top::DEST, |w| dest::encode(w, real));
            }
            Self::Change(Command::DeleteDest(key, real)) => {
                w.nest(top::SERVICE, |w| service::encode_key(w, key));
                w.nest(top::DEST, |w| dest::encode_key(w, real));
            }
            Self::Change(Command::DeleteService(key)) | Self::GetService(key) | Self::DumpDests(key) | Self::Zero(Some(key)) => {
                w.nest(top::SERVICE, |w| service::encode_key(w, key))
            }
            Self::SetTimeouts(timeouts) => {
                w.u32(top::TIMEOUT_TCP, timeouts.tcp);
                w.u32(top::TIMEOUT_TCP_FIN, timeouts.tcp_fin);
                w.u32(top::TIMEOUT_UDP, timeouts.udp);
            }
            Self::StartSync(daemon) => w.nest(top::DAEMON, |w| sync::encode(w, daemon)),
            Self::StopSync(role) => w.nest(top::DAEMON, |w| sync::encode_role(w, *role)),
            Self::DumpServices | Self::Zero(None) | Self::Flush | Self::GetInfo | Self::GetTimeouts | Self::DumpSync => {}
        });
    }
}

impl fmt::Display for Request {
    /// `add service tcp 10.0.0.1:80`, `list services`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(command) => command.fmt(f),
            Self::GetService(key) => write!(f, "read service {key}"),
            Self::DumpServices => f.write_str("list services"),
            Self::DumpDests(key) => write!(f, "list real servers of {key}"),
            Self::Zero(Some(key)) => write!(f, "zero the counters of {key}"),
            Self::Zero(None) => f.write_str("zero all counters"),
            Self::Flush => f.write_str("clear the table"),
            Self::GetInfo => f.write_str("read the IPVS version"),
            Self::GetTimeouts => f.write_str("read timeouts"),
            Self::SetTimeouts(_) => f.write_str("set timeouts"),
            Self::DumpSync => f.write_str("list synchronisation daemons"),
            Self::StartSync(_) => f.write_str("start the synchronisation daemon"),
            Self::StopSync(_) => f.write_str("stop the synchronisation daemon"),
        }
    }
}

/// Asks the family controller for the id of the IPVS family. The kernel loads the module for it when it can.
#[must_use]
pub fn get_family(sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let (family, command) = (nlmsg::GENL_ID_CTRL, ctrl::GETFAMILY);
    let head = Head { family, flags: nlmsg::F_REQUEST | nlmsg::F_ACK, sequence, command, version: ctrl::VERSION };
    push(&mut out, head, |w| w.text(ctrl::FAMILY_NAME, FAMILY_NAME));
    out
}
