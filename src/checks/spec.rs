//! What one check asks, and what it saw.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One check of one real server. Two real servers with the same `Spec` are checked once for both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spec {
    /// What is asked.
    pub kind: Kind,
    /// The real server's address.
    pub addr: IpAddr,
    /// The port the check goes to (`checkport`, the real server's or the service's); 0 where it has none.
    pub port: u16,
    /// One limit over the whole check: connect, TLS, request and answer.
    pub timeout: Duration,
}

/// The kinds of checks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Always up (`checktype=on`, service none).
    On,
    /// TCP connect.
    Connect,
    /// ICMP echo.
    Ping {
        /// Requests sent before giving up; each has the whole timeout.
        attempts: u32,
    },
    /// The line of an agent (`#lvs-ha: agent-check`): up with the line as its text, whatever it says.
    Agent,
    /// A command; exit status 0 is up, anything else and any signal is down.
    External {
        /// Path of the command.
        command: String,
        /// Its arguments: virtual address or mark, virtual port, real address, real port.
        args: Vec<String>,
    },
    /// A file of Perl, run as a function; up unless it dies or exits with anything but 0.
    ExternalPerl {
        /// Path of the file.
        file: String,
        /// As those of a command.
        args: Vec<String>,
    },
    /// The `usual` check, and `negotiate` first, after that many, and after a failure. Which it is is the director's to say:
    /// to run it is to run `negotiate`.
    Combined {
        /// Usual checks between two of the others.
        every: u32,
        /// The usual check: a connect (for UDP a ping).
        usual: Box<Spec>,
        /// The other check.
        negotiate: Box<Spec>,
    },
    /// HTTP or HTTPS request.
    Http(Http),
    /// SMTP greeting and EHLO or HELO.
    Smtp,
    /// POP3 greeting, and login if there is one.
    Pop(Mailbox),
    /// IMAP4 greeting, and login if there is one.
    Imap(Mailbox),
    /// NNTP greeting.
    Nntp,
    /// FTP: login and a file.
    Ftp(Ftp),
    /// A request and the lines that come back.
    SimpleTcp(SimpleTcp),
    /// A DNS query.
    Dns(Dns),
    /// LDAP bind and search of one entry.
    Ldap(Ldap),
    /// A query that gives at least one row.
    Sql(Sql),
    /// SIP OPTIONS.
    Sip(Sip),
    /// RADIUS Access-Request.
    Radius(Radius),
}

/// A password: usable, and shown as `***`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself, for the server alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How TLS is spoken. The default verifies nothing: real servers have certificates of the name, not of the address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Tls {
    /// Whether the certificate must be good: signed by an authority, of this name, not expired.
    pub verify: bool,
    /// File of the authorities (PEM); `None`: the system's.
    pub ca: Option<String>,
    /// The name that is asked for and verified; `None`: the address, and none is asked for.
    pub name: Option<String>,
    /// Days before its end from which on a certificate is warned of; 0: it is not looked at.
    pub warn_days: u32,
}

/// An HTTP or HTTPS check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Http {
    /// Over TLS.
    pub tls: Option<Tls>,
    /// HEAD instead of GET.
    pub head: bool,
    /// Path and query, beginning with `/`; of a proxy the whole address that it is asked for.
    pub path: String,
    /// Whether the real server is a proxy.
    pub proxy: bool,
    /// `Host:`; `None`: the real server's address without port.
    pub host: Option<String>,
    /// Perl regular expression that the body must match; `None`: any body.
    pub receive: Option<String>,
}

/// A POP3 or IMAP4 check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mailbox {
    /// Over TLS from the first byte.
    pub tls: Option<Tls>,
    /// Name and password; `None`: the greeting is enough.
    pub login: Option<(String, Secret)>,
}

/// An FTP check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ftp {
    /// Name; empty: `anonymous`.
    pub login: String,
    /// Password; empty: `ldirectord@` and this host's name.
    pub passwd: Secret,
    /// Path of the file; may be empty.
    pub request: String,
    /// Perl regular expression that its content must match; `None`: any.
    pub receive: Option<String>,
}

/// A simpletcp check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SimpleTcp {
    /// Over UDP.
    pub udp: bool,
    /// What is sent, as it is; may be empty.
    pub request: String,
    /// Perl regular expression that a line of the answer must match; `None`: any line.
    pub receive: Option<String>,
}

/// A DNS check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dns {
    /// Over UDP.
    pub udp: bool,
    /// A name, or an address whose name is asked for.
    pub name: String,
    /// Perl regular expression that an address, or a name, of the answer must match; `None`: none does, as with the original.
    pub receive: Option<String>,
}

/// An LDAP check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ldap {
    /// Over TLS from the first byte.
    pub tls: Option<Tls>,
    /// Distinguished name and password; `None`: anonymous.
    pub login: Option<(String, Secret)>,
    /// Distinguished name of the entry that is searched for.
    pub base: String,
    /// Perl regular expression that the entry's name must match; `None`: any.
    pub receive: Option<String>,
}

/// A check of a database.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sql {
    /// Whose.
    pub engine: Engine,
    /// Name.
    pub login: String,
    /// Password.
    pub passwd: Secret,
    /// Database; may be empty.
    pub database: String,
    /// The query.
    pub query: String,
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// MySQL and MariaDB.
    Mysql,
    /// PostgreSQL.
    Pgsql,
    /// Oracle.
    Oracle,
}

/// A SIP check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sip {
    /// Over UDP.
    pub udp: bool,
    /// Who asks: `user@host`; empty: `ldirectord@` and this host's name.
    pub login: String,
}

/// A RADIUS check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Radius {
    /// User-Name.
    pub login: String,
    /// User-Password.
    pub passwd: Secret,
    /// What the server and its clients share.
    pub secret: Secret,
}

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether the real server is fit for service.
    pub up: bool,
    /// Why, in a few words: a status line, an error with its cause.
    pub text: String,
    /// How long it took.
    pub took: Duration,
    /// What somebody should look after though the server works: a certificate that will expire.
    #[serde(default)]
    pub warning: Option<String>,
}
