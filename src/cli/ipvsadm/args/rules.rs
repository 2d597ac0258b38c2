//! Which options a command must have, may have and must not have, and the words for it.

/// An option by the name it has in messages. Options that exclude each other from the start share one. The order is that
/// in which they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Numeric,
    Connection,
    Service,
    Scheduler,
    Persistent,
    Netmask,
    RealServer,
    Forward,
    Weight,
    Upper,
    Lower,
    McastInterface,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    NoSort,
    SyncId,
    Exact,
    OnePacket,
    Engine,
    SchedulerFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxLength,
    TunnelInfo,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
}

impl Name {
    const ALL: [Self; 34] = [
        Self::Numeric,
        Self::Connection,
        Self::Service,
        Self::Scheduler,
        Self::Persistent,
        Self::Netmask,
        Self::RealServer,
        Self::Forward,
        Self::Weight,
        Self::Upper,
        Self::Lower,
        Self::McastInterface,
        Self::Timeout,
        Self::Daemon,
        Self::Stats,
        Self::Rate,
        Self::Thresholds,
        Self::PersistentConn,
        Self::NoSort,
        Self::SyncId,
        Self::Exact,
        Self::OnePacket,
        Self::Engine,
        Self::SchedulerFlags,
        Self::McastGroup,
        Self::McastPort,
        Self::McastTtl,
        Self::SyncMaxLength,
        Self::TunnelInfo,
        Self::TunnelType,
        Self::TunnelPort,
        Self::TunnelNoChecksum,
        Self::TunnelChecksum,
        Self::TunnelRemoteChecksum,
    ];

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Connection => "connection",
            Self::Service => "service-address",
            Self::Scheduler => "scheduler",
            Self::Persistent => "persistent",
            Self::Netmask => "netmask",
            Self::RealServer => "real-server",
            Self::Forward => "forwarding-method",
            Self::Weight => "weight",
            Self::Upper => "u-threshold",
            Self::Lower => "l-threshold",
            Self::McastInterface => "mcast-interface",
            Self::Timeout => "timeout",
            Self::Daemon => "daemon",
            Self::Stats => "stats",
            Self::Rate => "rate",
            Self::Thresholds => "thresholds",
            Self::PersistentConn => "persistent-conn",
            Self::NoSort => "nosort",
            Self::SyncId => "syncid",
            Self::Exact => "exact",
            Self::OnePacket => "ops",
            Self::Engine => "pe",
            Self::SchedulerFlags => "sched-flags",
            Self::McastGroup => "mcast-group",
            Self::McastPort => "mcast-port",
            Self::McastTtl => "mcast-ttl",
            Self::SyncMaxLength => "sync-maxlen",
            Self::TunnelInfo => "tun-info",
            Self::TunnelType => "tun-type",
            Self::TunnelPort => "tun-port",
            Self::TunnelNoChecksum => "tun-nocsum",
            Self::TunnelChecksum => "tun-csum",
            Self::TunnelRemoteChecksum => "tun-remcsum",
        }
    }
}

/// Options by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Names(u64);

impl Names {
    /// These.
    pub(super) const fn of(mut names: &[Name]) -> Self {
        let mut bits = 0;
        while let [first, rest @ ..] = names {
            bits |= 1 << *first as u32;
            names = rest;
        }
        Self(bits)
    }

    /// Adds one; whether it is new.
    pub(super) fn insert(&mut self, name: Name) -> bool {
        let bit = Self::of(&[name]).0;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }

    pub(super) const fn has(self, name: Name) -> bool {
        self.any(Self::of(&[name]))
    }

    /// Whether any of the others is here too.
    pub(super) const fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    pub(super) const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether all of these are there too.
    const fn within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    const fn count(self) -> u32 {
        self.0.count_ones()
    }
}

/// What a command, or a tunnel type, makes of the options.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Its name in messages.
    name: &'static str,
    /// The word before its name: `for the 'add-service' command`.
    kind: &'static str,
    required: Names,
    allowed: Names,
    /// At most one of these.
    one_of: Names,
}

const fn command(name: &'static str, required: &[Name], allowed: &[Name]) -> Rules {
    Rules { name, kind: "command", required: Names::of(required), allowed: Names::of(allowed), one_of: Names::of(&[]) }
}

const SERVICE: &[Name] = &[Name::Scheduler, Name::Persistent, Name::Netmask, Name::OnePacket, Name::Engine, Name::SchedulerFlags];
const DEST: &[Name] = &[
    Name::Forward,
    Name::Weight,
    Name::Upper,
    Name::Lower,
    Name::TunnelType,
    Name::TunnelPort,
    Name::TunnelNoChecksum,
    Name::TunnelChecksum,
    Name::TunnelRemoteChecksum,
];

pub(super) const ADD_SERVICE: Rules = command("add-service", &[Name::Service], SERVICE);
pub(super) const EDIT_SERVICE: Rules = command("edit-service", &[Name::Service], SERVICE);
pub(super) const DELETE_SERVICE: Rules = command("delete-service", &[Name::Service], &[]);
pub(super) const FLUSH: Rules = command("flush", &[], &[]);
pub(super) const ADD_SERVER: Rules = command("add-server", &[Name::Service, Name::RealServer], DEST);
pub(super) const EDIT_SERVER: Rules = command("edit-server", &[Name::Service, Name::RealServer], DEST);
pub(super) const DELETE_SERVER: Rules = command("delete-server", &[Name::Service, Name::RealServer], &[]);
pub(super) const SET: Rules = command("set", &[], &[]);
pub(super) const RESTORE: Rules = command("restore", &[], &[]);
pub(super) const SAVE: Rules = command("save", &[], &[Name::Numeric]);
pub(super) const ZERO: Rules = command("zero", &[], &[Name::Service]);
pub(super) const STOP_DAEMON: Rules = command("stop-daemon", &[], &[Name::SyncId]);
pub(super) const START_DAEMON: Rules = command(
    "start-daemon",
    &[],
    &[Name::McastInterface, Name::SyncId, Name::SyncMaxLength, Name::McastGroup, Name::McastPort, Name::McastTtl],
);
pub(super) const LIST: Rules = Rules {
    name: "list",
    kind: "command",
    required: Names::of(&[]),
    allowed: Names::of(&[
        Name::Numeric,
        Name::Stats,
        Name::Rate,
        Name::Thresholds,
        Name::PersistentConn,
        Name::TunnelInfo,
        Name::NoSort,
        Name::Exact,
        Name::SyncId,
    ]),
    one_of: Names::of(&[Name::Connection, Name::Service, Name::Timeout, Name::Daemon]),
};

/// Options that say how a tunnel is made.
pub(super) const TUNNEL: Names =
    Names::of(&[Name::TunnelType, Name::TunnelPort, Name::TunnelNoChecksum, Name::TunnelChecksum, Name::TunnelRemoteChecksum]);
pub(super) const IPIP: Rules = Rules {
    name: "ipip",
    kind: "tunnel type",
    required: Names::of(&[]),
    allowed: Names::of(&[Name::TunnelType]),
    one_of: Names::of(&[]),
};
pub(super) const GUE: Rules = Rules {
    name: "gue",
    kind: "tunnel type",
    required: Names::of(&[Name::TunnelPort]),
    allowed: Names::of(&[Name::TunnelType]),
    one_of: Names::of(&[Name::TunnelNoChecksum, Name::TunnelChecksum, Name::TunnelRemoteChecksum]),
};
pub(super) const GRE: Rules = Rules {
    name: "gre",
    kind: "tunnel type",
    required: Names::of(&[]),
    allowed: Names::of(&[Name::TunnelType]),
    one_of: Names::of(&[Name::TunnelNoChecksum, Name::TunnelChecksum]),
};

impl Rules {
    /// The first thing that is wrong with the options given, in the words of ipvsadm(8).
    pub(super) fn check(&self, given: Names) -> Result<(), String> {
        let Self { name: of, kind, required, allowed, one_of } = *self;
        let known = required.or(allowed).or(one_of);
        if required.within(given) && given.within(known) && given.and(one_of).count() < 2 {
            return Ok(());
        }
        let mut chosen: Option<Name> = None;
        for name in Name::ALL {
            let text = name.text();
            if !given.has(name) {
                if required.has(name) {
                    return Err(format!("You need to supply the '{text}' option for the '{of}' {kind}"));
                }
            } else if one_of.has(name) {
                if let Some(first) = chosen {
                    let first = first.text();
                    return Err(format!("The option '{text}' conflicts with the '{first}' option in the '{of}' {kind}"));
                }
                chosen = Some(name);
            } else if !known.has(name) {
                return Err(format!("Illegal '{text}' option with the '{of}' {kind}"));
            }
        }
        Ok(())
    }
}
