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
            Self::Change(command) => change_number(command),
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
        if let Self::Change(command) = self {
            return push_change(command, out, family, sequence, ack);
        }
        let dump = if self.is_dump() { nlmsg::F_DUMP } else { 0 };
        push(out, head(self.command(), dump, family, sequence, ack), |w| match self {
            Self::GetService(key) | Self::DumpDests(key) | Self::Zero(Some(key)) => {
                w.nest(top::SERVICE, |w| service::encode_key(w, key));
            }
            Self::SetTimeouts(timeouts) => {
                w.u32(top::TIMEOUT_TCP, timeouts.tcp);
                w.u32(top::TIMEOUT_TCP_FIN, timeouts.tcp_fin);
                w.u32(top::TIMEOUT_UDP, timeouts.udp);
            }
            Self::StartSync(daemon) => w.nest(top::DAEMON, |w| sync::encode(w, daemon)),
            Self::StopSync(role) => w.nest(top::DAEMON, |w| sync::encode_role(w, *role)),
            Self::Change(_)
            | Self::DumpServices
            | Self::Zero(None)
            | Self::Flush
            | Self::GetInfo
            | Self::GetTimeouts
            | Self::DumpSync => {}
        });
    }
}

/// Appends [`Request::Change`] with this command to a datagram.
pub fn push_change(command: &Command, out: &mut Vec<u8>, family: u16, sequence: u32, ack: bool) {
    push(out, head(change_number(command), 0, family, sequence, ack), |w| match command {
        Command::AddService(s) | Command::EditService(s) => w.nest(top::SERVICE, |w| service::encode(w, s)),
        Command::DeleteService(key) => w.nest(top::SERVICE, |w| service::encode_key(w, key)),
        Command::AddDest(key, real) | Command::EditDest(key, real) => {
            w.nest(top::SERVICE, |w| service::encode_key(w, key));
            w.nest(top::DEST, |w| dest::encode(w, real));
        }
        Command::DeleteDest(key, real) => {
            w.nest(top::SERVICE, |w| service::encode_key(w, key));
            w.nest(top::DEST, |w| dest::encode_key(w, real));
        }
    });
}

fn change_number(command: &Command) -> u8 {
    match command {
        Command::AddService(_) => cmd::NEW_SERVICE,
        Command::EditService(_) => cmd::SET_SERVICE,
        Command::DeleteService(_) => cmd::DEL_SERVICE,
        Command::AddDest(..) => cmd::NEW_DEST,
        Command::EditDest(..) => cmd::SET_DEST,
        Command::DeleteDest(..) => cmd::DEL_DEST,
    }
}

fn head(command: u8, flags: u16, family: u16, sequence: u32, ack: bool) -> Head {
    let flags = flags | nlmsg::F_REQUEST | if ack { nlmsg::F_ACK } else { 0 };
    Head { family, flags, sequence, command, version: FAMILY_VERSION }
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
