//! What `ldirectord.cf` says, value by value, before any name is resolved or default filled in.

use crate::config::diag::{Span, Spanned};
use crate::ipvs::model::{Family, Forward};

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// What stands outside of virtual blocks.
    pub globals: Globals,
    /// The virtual blocks in the file's order.
    pub virtuals: Vec<Virtual>,
}

/// Directives outside of blocks. Of one that is repeated the last counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Globals {
    /// Defaults for the blocks.
    pub shared: Shared,
    /// `autoreload`.
    pub autoreload: Option<Spanned<bool>>,
    /// `callback`.
    pub callback: Option<Spanned<String>>,
    /// `logfile`.
    pub logfile: Option<Spanned<String>>,
    /// `execute`, each of them.
    pub execute: Vec<Spanned<String>>,
    /// `fork`.
    pub fork: Option<Spanned<bool>>,
    /// `supervised`.
    pub supervised: Option<Spanned<bool>>,
    /// `readdquiescent`.
    pub readdquiescent: Option<Spanned<bool>>,
    /// `emailalertfrom`.
    pub emailalertfrom: Option<Spanned<String>>,
    /// `maintenancedir`.
    pub maintenancedir: Option<Spanned<String>>,
    /// `#lvs-ha: expire-flows`.
    pub expire_flows: Option<Spanned<bool>>,
    /// `fallback`: for IPv4 blocks without one of their own.
    pub fallback: Option<Fallback>,
    /// `fallback6`: for IPv6 blocks without one of their own.
    pub fallback6: Option<Fallback>,
}

/// Directives that may stand in a block, where they win, and outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shared {
    /// `checktimeout`, seconds.
    pub checktimeout: Option<Spanned<u32>>,
    /// `negotiatetimeout`, seconds.
    pub negotiatetimeout: Option<Spanned<u32>>,
    /// `checkinterval`, seconds.
    pub checkinterval: Option<Spanned<u32>>,
    /// `checkcount`.
    pub checkcount: Option<Spanned<u32>>,
    /// `failurecount`.
    pub failurecount: Option<Spanned<u32>>,
    /// `quiescent`.
    pub quiescent: Option<Spanned<bool>>,
    /// `cleanstop`.
    pub cleanstop: Option<Spanned<bool>>,
    /// `fallbackcommand`.
    pub fallbackcommand: Option<Spanned<String>>,
    /// `emailalert`.
    pub emailalert: Option<Spanned<String>>,
    /// `emailalertfreq`, seconds.
    pub emailalertfreq: Option<Spanned<u32>>,
    /// `emailalertstatus`, words as written.
    pub emailalertstatus: Option<Spanned<Vec<String>>>,
    /// `smtp`.
    pub smtp: Option<Spanned<String>>,
    /// `#lvs-ha: rise`.
    pub rise: Option<Spanned<u32>>,
    /// `#lvs-ha: fastinterval`, seconds.
    pub fastinterval: Option<Spanned<u32>>,
    /// `#lvs-ha: slowstart`, seconds.
    pub slowstart: Option<Spanned<u32>>,
    /// `#lvs-ha: agent-check`, a port.
    pub agent_check: Option<Spanned<u16>>,
    /// `#lvs-ha: check-per-host`.
    pub check_per_host: Option<Spanned<bool>>,
    /// `#lvs-ha: webhook`.
    pub webhook: Option<Spanned<String>>,
    /// `#lvs-ha: hook`.
    pub hook: Option<Spanned<String>>,
    /// `#lvs-ha: tls-verify`.
    pub tls_verify: Option<Spanned<bool>>,
    /// `#lvs-ha: tls-ca`, a path.
    pub tls_ca: Option<Spanned<String>>,
    /// `#lvs-ha: tls-name`.
    pub tls_name: Option<Spanned<String>>,
    /// `#lvs-ha: tls-warn`, days.
    pub tls_warn: Option<Spanned<u32>>,
}

/// A block of `virtual=` or `virtual6=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Virtual {
    /// The first line, from the keyword to its end.
    pub head: Span,
    /// An empty range at the line behind the block, where the original reports duplicates.
    pub end: Span,
    /// IPv6 for `virtual6`.
    pub family: Family,
    /// What is balanced; `None` when the line is wrong, which has been reported.
    pub address: Option<Spanned<Address>>,
    /// The real servers in the file's order.
    pub reals: Vec<Real>,
    /// `fallback` or `fallback6`.
    pub fallback: Option<Fallback>,
    /// What has a global counterpart.
    pub shared: Shared,
    /// `checktype`.
    pub checktype: Option<Spanned<CheckType>>,
    /// `service`.
    pub service: Option<Spanned<Service>>,
    /// `checkcommand`.
    pub checkcommand: Option<Spanned<String>>,
    /// `checkport`.
    pub checkport: Option<Spanned<u16>>,
    /// `request` as written; not empty.
    pub request: Option<Spanned<String>>,
    /// `receive`; not empty.
    pub receive: Option<Spanned<String>>,
    /// `httpmethod=HEAD`.
    pub head_method: Option<Spanned<bool>>,
    /// `virtualhost`.
    pub virtualhost: Option<Spanned<String>>,
    /// `login`.
    pub login: Option<Spanned<String>>,
    /// `passwd`.
    pub passwd: Option<Spanned<String>>,
    /// `database`.
    pub database: Option<Spanned<String>>,
    /// `secret`.
    pub secret: Option<Spanned<String>>,
    /// `load`; without effect.
    pub load: Option<Spanned<String>>,
    /// `scheduler`.
    pub scheduler: Option<Spanned<String>>,
    /// `schedflags` as written.
    pub schedflags: Option<Spanned<String>>,
    /// `persistent`, seconds.
    pub persistent: Option<Spanned<u32>>,
    /// `netmask`: an IPv4 mask's bits in host order, or an IPv6 prefix length.
    pub netmask: Option<Spanned<u32>>,
    /// `protocol`: tcp, udp or fwm, and right for the address.
    pub protocol: Option<Spanned<Protocol>>,
    /// `ops`.
    pub ops: Option<Spanned<bool>>,
    /// `monitorfile`.
    pub monitorfile: Option<Spanned<String>>,
    /// `servicename`.
    pub servicename: Option<Spanned<String>>,
    /// `comment`.
    pub comment: Option<Spanned<String>>,
}

impl Virtual {
    /// An empty block.
    #[must_use]
    pub fn new(head: Span, family: Family, address: Option<Spanned<Address>>) -> Self {
        Self {
            head,
            end: Span::new(head.end, head.end),
            family,
            address,
            reals: Vec::new(),
            fallback: None,
            shared: Shared::default(),
            checktype: None,
            service: None,
            checkcommand: None,
            checkport: None,
            request: None,
            receive: None,
            head_method: None,
            virtualhost: None,
            login: None,
            passwd: None,
            database: None,
            secret: None,
            load: None,
            scheduler: None,
            schedflags: None,
            persistent: None,
            netmask: None,
            protocol: None,
            ops: None,
            monitorfile: None,
            servicename: None,
            comment: None,
        }
    }
}

/// What a block balances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Address or host name, without brackets, and port or service name.
    Host {
        /// Address or name.
        host: Spanned<String>,
        /// Port number or service name.
        port: Spanned<String>,
    },
    /// Firewall mark, from 1.
    Mark(u32),
}

/// A `real=` or `real6=` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Real {
    /// The value.
    pub span: Span,
    /// IPv6 for `real6`.
    pub family: Family,
    /// Address or name, without brackets.
    pub host: Spanned<String>,
    /// The last of a range.
    pub last: Option<Spanned<String>>,
    /// Port number or service name.
    pub port: Option<Spanned<String>>,
    /// `None` when it is wrong, which has been reported.
    pub forward: Option<Forward>,
    /// Weight.
    pub weight: u32,
    /// Request and receive of its own, as written.
    pub check: Option<(Spanned<String>, Spanned<String>)>,
    /// Lower connection threshold; 0 none.
    pub lower: u32,
    /// Upper connection threshold; 0 none.
    pub upper: u32,
}

/// A `fallback=` or `fallback6=` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The value.
    pub span: Span,
    /// IPv6 for `fallback6`.
    pub family: Family,
    /// Address or name, without brackets.
    pub host: Spanned<String>,
    /// Port number or service name.
    pub port: Option<Spanned<String>>,
    /// Forwarding method.
    pub forward: Forward,
}

/// `protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Firewall mark.
    Fwm,
}

/// `checktype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckType {
    /// TCP connect.
    Connect,
    /// Ask the service something.
    Negotiate,
    /// ICMP echo.
    Ping,
    /// Always up.
    On,
    /// Never changed.
    Off,
    /// A command.
    External,
    /// A Perl function.
    ExternalPerl,
    /// Connect checks, and a negotiate check after that many.
    Combined(u32),
}

impl CheckType {
    /// The word in the file; `None` for a number.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "connect" => Self::Connect,
            "negotiate" => Self::Negotiate,
            "ping" => Self::Ping,
            "on" => Self::On,
            "off" => Self::Off,
            "external" => Self::External,
            "external-perl" => Self::ExternalPerl,
            _ => return None,
        })
    }
}

/// `service`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of protocols")]
pub enum Service {
    Dns,
    Ftp,
    Http,
    Https,
    HttpProxy,
    Imap,
    Imaps,
    Ldap,
    Ldaps,
    Mysql,
    Nntp,
    None,
    Oracle,
    Pgsql,
    Pop,
    Pops,
    Radius,
    Simpletcp,
    Sip,
    Smtp,
    Submission,
}

impl Service {
    /// Each with its word in the file and its well-known port; 0 where it has none.
    const ALL: [(Self, &'static str, u16); 21] = [
        (Self::Dns, "dns", 53),
        (Self::Ftp, "ftp", 21),
        (Self::Http, "http", 80),
        (Self::Https, "https", 443),
        (Self::HttpProxy, "http_proxy", 3128),
        (Self::Imap, "imap", 143),
        (Self::Imaps, "imaps", 993),
        (Self::Ldap, "ldap", 389),
        (Self::Ldaps, "ldaps", 636),
        (Self::Mysql, "mysql", 3306),
        (Self::Nntp, "nntp", 119),
        (Self::None, "none", 0),
        (Self::Oracle, "oracle", 1521),
        (Self::Pgsql, "pgsql", 5432),
        (Self::Pop, "pop", 110),
        (Self::Pops, "pops", 995),
        (Self::Radius, "radius", 1812),
        (Self::Simpletcp, "simpletcp", 0),
        (Self::Sip, "sip", 5060),
        (Self::Smtp, "smtp", 25),
        (Self::Submission, "submission", 587),
    ];

    /// The service of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name, _)| *name == word).map(|(service, _, _)| *service)
    }

    /// What is asked by default behind a port; `None` where nothing is.
    #[must_use]
    pub fn of_port(port: u16) -> Self {
        Self::ALL.iter().find(|(_, _, p)| *p == port && port != 0).map_or(Self::None, |(service, _, _)| *service)
    }

    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(service, _, _)| *service == self).map_or("none", |(_, name, _)| *name)
    }

    /// The well-known port, if there is one.
    #[must_use]
    pub fn port(self) -> Option<u16> {
        Self::ALL.iter().find(|(service, _, port)| *service == self && *port != 0).map(|(_, _, port)| *port)
    }
}
