//! What a command line says, option by option, and the [`Action`] that comes out at its end.

use super::options::{Found, Id};
use super::rules::{self, Name, Names};
use super::{Action, Listing, Lookup, Verb, timeout, values};
use crate::cli::ipvsadm::render::{Columns, Style};
use crate::ipvs::model::{
    Command, Dest, DestKey, Family, Forward, Granularity, Persistence, Protocol, Service, ServiceFlags, ServiceKey, SyncDaemon,
    SyncRole, Timeouts, Tunnel,
};
use crate::ipvs::wire::Request;

/// Default persistence, seconds.
const PERSISTENCE: u32 = 360;
/// Longest name of a scheduler and of an engine, bytes; what is longer is cut.
const NAME_MAX: usize = 15;
/// Default scheduler.
const SCHEDULER: &str = "wlc";
/// Default interface of a synchronisation daemon.
const SYNC_INTERFACE: &str = "eth0";

/// What the options said so far. Some depend on those before them.
pub(super) struct Draft<'a> {
    names: &'a dyn Lookup,
    given: Names,
    service: Option<ServiceKey>,
    scheduler: Option<&'a str>,
    timeout: Option<u32>,
    granularity: Option<Granularity>,
    engine: Option<&'a str>,
    flags: Option<&'a str>,
    flag_bits: u32,
    real: Option<DestKey>,
    forward: Forward,
    weight: u32,
    upper: u32,
    lower: u32,
    tunnel: Tunnel,
    sync: SyncDaemon,
    json: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn new(names: &'a dyn Lookup) -> Self {
        let interface = String::new();
        let sync = SyncDaemon { role: SyncRole::Master, interface, sync_id: 0, max_length: 0, group: None, port: 0, ttl: 0 };
        Self {
            names,
            given: Names::default(),
            service: None,
            scheduler: None,
            timeout: None,
            granularity: None,
            engine: None,
            flags: None,
            flag_bits: 0,
            real: None,
            forward: Forward::Gate,
            weight: 1,
            upper: 0,
            lower: 0,
            tunnel: Tunnel::default(),
            sync,
            json: false,
        }
    }

    pub(super) fn take(&mut self, found: &Found<'a>) -> Result<(), String> {
        if let Some(name) = name(found.id)
            && !self.given.insert(name)
        {
            return Err(format!("multiple '{}' options specified", name.text()));
        }
        let value = found.value.unwrap_or_default();
        let number =
            |min, max, what: &str| values::number_as::<u32>(value, min, max).ok_or_else(|| format!("illegal {what} specified"));
        match found.id {
            Id::Tcp => self.set_service(value, Protocol::Tcp)?,
            Id::Udp => self.set_service(value, Protocol::Udp)?,
            Id::Sctp => self.set_service(value, Protocol::Sctp)?,
            Id::Fwmark => {
                let mark = values::number_as(value, 1, i64::from(u32::MAX));
                let mark = mark.ok_or_else(|| format!("invalid fwmark value `{value}' specified"))?;
                self.service = Some(ServiceKey::Fwmark { mark, family: Family::Inet });
            }
            Id::Ipv6 => match &mut self.service {
                Some(ServiceKey::Fwmark { family, .. }) => {
                    *family = Family::Inet6;
                    self.granularity = None;
                }
                // The original's text ends with an empty line.
                _ => return Err("-6 used before -f\n".to_owned()),
            },
            Id::Scheduler => self.scheduler = Some(short(value)),
            Id::Engine => self.engine = Some(short(value)),
            Id::Persistent => {
                self.timeout = Some(found.value.map_or(Ok(PERSISTENCE), |text| timeout(text, 1))?);
            }
            Id::Netmask => {
                let v6 = self.service.is_some_and(|key| key.family() == Family::Inet6);
                self.granularity = Some(values::granularity(value, v6)?);
            }
            Id::RealServer => self.set_real(value)?,
            Id::Gate => self.forward = Forward::Gate,
            Id::Ipip => self.forward = Forward::Ipip,
            Id::Masq => self.forward = Forward::Masq,
            Id::TunnelType => {
                self.tunnel.kind = match value {
                    "ipip" => 0,
                    "gue" => 1,
                    "gre" => 2,
                    _ => return Err("illegal tunnel type specified".to_owned()),
                };
            }
            Id::TunnelPort => {
                let port = values::number_as(value, 1, 65_535);
                self.tunnel.port = port.ok_or("illegal tunnel port specified")?;
            }
            Id::TunnelNoChecksum => self.tunnel.flags = 0,
            Id::TunnelChecksum => self.tunnel.flags = 1,
            Id::TunnelRemoteChecksum => self.tunnel.flags = 2,
            Id::Weight => self.weight = number(0, i64::from(i32::MAX), "weight")?,
            Id::Upper => self.upper = number(0, i64::from(i32::MAX), "u_threshold")?,
            Id::Lower => self.lower = number(0, i64::from(i32::MAX), "l_threshold")?,
            Id::SchedulerFlags => self.flags = Some(value),
            Id::SyncNumber => self.sync.sync_id = number(0, 255, "syncid")?,
            Id::SyncMaxLength => {
                let length = values::number_as(value, 1, 65_507);
                self.sync.max_length = length.ok_or("illegal sync-maxlen specified")?;
            }
            Id::McastInterface => self.sync.interface = value.to_owned(),
            Id::McastGroup => self.sync.group = Some(values::group(value)?),
            Id::McastPort => {
                self.sync.port = values::number_as(value, 1, 65_535).ok_or("illegal mcast-port specified")?;
            }
            Id::McastTtl => self.sync.ttl = values::number_as(value, 1, 255).ok_or("illegal mcast-ttl specified")?,
            Id::Json => self.json = true,
            Id::Connection
            | Id::Timeout
            | Id::Daemon
            | Id::Stats
            | Id::Rate
            | Id::Exact
            | Id::Thresholds
            | Id::PersistentConn
            | Id::TunnelInfo
            | Id::NoSort
            | Id::Sort
            | Id::OnePacket
            | Id::Numeric => {}
            // A second command.
            _ => return Err(format!("invalid option `{}'", found.word)),
        }
        Ok(())
    }

    fn set_service(&mut self, text: &str, protocol: Protocol) -> Result<(), String> {
        let (addr, port) =
            values::endpoint(text, Some(protocol), self.names).ok_or("illegal virtual server address[:port] specified")?;
        self.service = Some(ServiceKey::Addr { protocol, addr, port: port.unwrap_or(0) });
        if addr.is_ipv6() {
            self.granularity = None;
        }
        Ok(())
    }

    fn set_real(&mut self, text: &str) -> Result<(), String> {
        // Before the service there is no protocol yet, and so no port has a name.
        let protocol = match self.service {
            Some(ServiceKey::Addr { protocol, .. }) => Some(protocol),
            Some(ServiceKey::Fwmark { .. }) => Some(Protocol::Tcp),
            None => None,
        };
        let (addr, port) = values::endpoint(text, protocol, self.names).ok_or("illegal real server address[:port] specified")?;
        let port = port.unwrap_or_else(|| self.service.map_or(0, |key| key.port()));
        self.real = Some(DestKey { addr, port });
        Ok(())
    }

    pub(super) fn finish(mut self, verb: Verb, timeouts: Option<Timeouts>) -> Result<Action, String> {
        // Looked at before the rules, so that a bad flag is told also where none may stand.
        let scheduler = self.scheduler.filter(|name| !name.is_empty()).unwrap_or(SCHEDULER);
        self.flag_bits = self.flags.map_or(Ok(0), |list| scheduler_flags(list, scheduler))?;
        verb.rules().check(self.given)?;
        let change = |command| Ok(Action::Change(Request::Change(command)));
        // The rules have seen to it that what a command needs is there.
        let missing = || "incomplete command line".to_owned();
        match verb {
            Verb::AddService => change(Command::AddService(self.service()?)),
            Verb::EditService => change(Command::EditService(self.service()?)),
            Verb::DeleteService => change(Command::DeleteService(self.service.ok_or_else(missing)?)),
            Verb::AddServer | Verb::EditServer => {
                let key = self.service.ok_or_else(missing)?;
                let dest = self.dest(key)?;
                change(if verb == Verb::AddServer { Command::AddDest(key, dest) } else { Command::EditDest(key, dest) })
            }
            Verb::DeleteServer => {
                let (Some(key), Some(real)) = (self.service, self.real) else { return Err(missing()) };
                change(Command::DeleteDest(key, real))
            }
            Verb::Clear => Ok(Action::Change(Request::Flush)),
            Verb::Zero => Ok(Action::Change(Request::Zero(self.service))),
            Verb::Set => Ok(Action::Change(Request::SetTimeouts(timeouts.ok_or_else(missing)?))),
            Verb::Start(role) => {
                self.sync.role = role;
                if !self.has(Name::McastInterface) {
                    SYNC_INTERFACE.clone_into(&mut self.sync.interface);
                }
                Ok(Action::Change(Request::StartSync(self.sync)))
            }
            Verb::Stop(role) => Ok(Action::Change(Request::StopSync(role))),
            Verb::Restore => Ok(Action::Restore),
            Verb::Save => Ok(Action::Save { numeric: self.has(Name::Numeric) }),
            Verb::List => self.list(),
            Verb::Help => Ok(Action::Help),
            Verb::Version => Ok(Action::Version),
        }
    }

    fn has(&self, name: Name) -> bool {
        self.given.has(name)
    }

    fn list(&self) -> Result<Action, String> {
        let any = |names: &[Name]| self.given.any(Names::of(names));
        let other = any(&[Name::Timeout, Name::Daemon]);
        let columns = any(&[Name::Stats, Name::Rate, Name::Thresholds]);
        if (other || self.has(Name::Connection)) && columns || other && self.has(Name::PersistentConn) {
            return Err("options conflicts in the list command".to_owned());
        }
        let columns = [
            (Name::Stats, Columns::Stats),
            (Name::Rate, Columns::Rate),
            (Name::Thresholds, Columns::Thresholds),
            (Name::PersistentConn, Columns::PersistentConn),
            (Name::TunnelInfo, Columns::Tunnel),
        ];
        let columns = columns.iter().find(|(name, _)| self.has(*name)).map_or(Columns::Connections, |(_, c)| *c);
        let style = Style {
            columns,
            numeric: self.has(Name::Numeric),
            exact: self.has(Name::Exact),
            sorted: !self.has(Name::NoSort),
            json: self.json,
        };
        let what = match self.service {
            Some(key) => Listing::Service(key),
            None if self.has(Name::Connection) => Listing::Connections,
            None if self.has(Name::Timeout) => Listing::Timeouts,
            None if self.has(Name::Daemon) => Listing::Daemons,
            None => Listing::Table,
        };
        Ok(Action::List { what, style })
    }

    fn service(&self) -> Result<Service, String> {
        let key = self.service.ok_or("incomplete command line")?;
        if let ServiceKey::Addr { protocol, port, .. } = key {
            if port == 0 && self.timeout.is_none() {
                return Err("Zero port specified for non-persistent service".to_owned());
            }
            if self.has(Name::OnePacket) && protocol != Protocol::Udp {
                return Err("One-Packet Scheduling is only for UDP virtual services".to_owned());
            }
        }
        let scheduler = self.scheduler.filter(|name| !name.is_empty()).unwrap_or(SCHEDULER).to_owned();
        let mut flags = self.flag_bits;
        if self.has(Name::OnePacket) {
            flags |= ServiceFlags::ONE_PACKET;
        }
        let persistence = self
            .timeout
            .map(|timeout| Persistence { timeout, granularity: self.granularity.unwrap_or(Granularity::host(key.family())) });
        Ok(Service { key, scheduler, flags: ServiceFlags(flags), persistence, engine: self.engine.map(str::to_owned) })
    }

    fn dest(&self, service: ServiceKey) -> Result<Dest, String> {
        let mut key = self.real.ok_or("incomplete command line")?;
        if self.forward != Forward::Masq
            && let ServiceKey::Addr { port, .. } = service
        {
            key.port = port;
        }
        if Family::of(key.addr) != service.family() && self.forward != Forward::Ipip {
            return Err("Different address family is allowed only for tunneling servers".to_owned());
        }
        if self.forward == Forward::Ipip {
            let rules = match self.tunnel.kind {
                1 => rules::GUE,
                2 => rules::GRE,
                _ => rules::IPIP,
            };
            rules.check(self.given.and(rules::TUNNEL))?;
        } else if self.given.any(rules::TUNNEL) {
            return Err("Tunnel options conflict with forward method".to_owned());
        }
        let Self { forward, weight, upper, lower, tunnel, .. } = *self;
        Ok(Dest { key, forward, weight, upper, lower, tunnel })
    }
}

/// A name, cut where the kernel's field ends.
fn short(name: &str) -> &str {
    name.char_indices().nth(NAME_MAX).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}

/// Scheduler flags by name; `sh-*` and `mh-*` only with their scheduler.
fn scheduler_flags(list: &str, scheduler: &str) -> Result<u32, String> {
    let mut flags = 0;
    for name in list.split(',').filter(|name| !name.is_empty()) {
        let (owner, bit) = match name {
            "flag-1" => (None, ServiceFlags::SCHED1),
            "flag-2" => (None, ServiceFlags::SCHED2),
            "flag-3" => (None, ServiceFlags::SCHED3),
            "sh-fallback" => (Some("sh"), ServiceFlags::SCHED1),
            "sh-port" => (Some("sh"), ServiceFlags::SCHED2),
            "mh-fallback" => (Some("mh"), ServiceFlags::SCHED1),
            "mh-port" => (Some("mh"), ServiceFlags::SCHED2),
            _ => return Err(format!("invalid scheduler flag `{name}'")),
        };
        if owner.is_some_and(|owner| owner != scheduler) {
            return Err(format!("incompatible scheduler flag `{name}'"));
        }
        flags |= bit;
    }
    Ok(flags)
}

/// The name in messages of an option that may be given once; `--sort` and `-6` may be repeated.
fn name(id: Id) -> Option<Name> {
    Some(match id {
        Id::Tcp | Id::Udp | Id::Sctp | Id::Fwmark => Name::Service,
        Id::Scheduler => Name::Scheduler,
        Id::Engine => Name::Engine,
        Id::Persistent => Name::Persistent,
        Id::Netmask => Name::Netmask,
        Id::RealServer => Name::RealServer,
        Id::Gate | Id::Ipip | Id::Masq => Name::Forward,
        Id::TunnelType => Name::TunnelType,
        Id::TunnelPort => Name::TunnelPort,
        Id::TunnelNoChecksum => Name::TunnelNoChecksum,
        Id::TunnelChecksum => Name::TunnelChecksum,
        Id::TunnelRemoteChecksum => Name::TunnelRemoteChecksum,
        Id::Weight => Name::Weight,
        Id::Upper => Name::Upper,
        Id::Lower => Name::Lower,
        Id::Connection => Name::Connection,
        Id::Timeout => Name::Timeout,
        Id::Daemon => Name::Daemon,
        Id::Stats => Name::Stats,
        Id::Rate => Name::Rate,
        Id::Exact => Name::Exact,
        Id::Thresholds => Name::Thresholds,
        Id::PersistentConn => Name::PersistentConn,
        Id::TunnelInfo => Name::TunnelInfo,
        Id::NoSort => Name::NoSort,
        Id::OnePacket => Name::OnePacket,
        Id::Numeric => Name::Numeric,
        Id::SchedulerFlags => Name::SchedulerFlags,
        Id::SyncNumber => Name::SyncId,
        Id::SyncMaxLength => Name::SyncMaxLength,
        Id::McastInterface => Name::McastInterface,
        Id::McastGroup => Name::McastGroup,
        Id::McastPort => Name::McastPort,
        Id::McastTtl => Name::McastTtl,
        _ => return None,
    })
}
