//! The command line of ipvsadm(8) 1.31: words to an [`Action`], with the original's texts and exit codes for what is wrong.
//!
//! The first option must be the command. Errors of a value are found while reading, those of a combination at the end.

mod draft;
mod options;
mod rules;
pub mod saved;
mod values;

use std::net::Ipv4Addr;

use self::draft::Draft;
use self::options::{Found, Id, Scanner};
use self::rules::Rules;
use super::render::Style;
use crate::ipvs::model::{Protocol, ServiceKey, SyncRole, Timeouts};
use crate::ipvs::wire::Request;

/// Names to numbers.
pub trait Lookup {
    /// The first IPv4 address of a host.
    fn address(&self, host: &str) -> Option<Ipv4Addr>;
    /// The port of a service.
    fn port(&self, service: &str, protocol: Protocol) -> Option<u16>;
}

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A change of the table, the counters, the timeouts or the daemons.
    Change(Request),
    /// A listing.
    List {
        /// Of what.
        what: Listing,
        /// How.
        style: Style,
    },
    /// The table as command lines.
    Save {
        /// Addresses and ports as numbers.
        numeric: bool,
    },
    /// Command lines from standard input.
    Restore,
    /// The help text.
    Help,
    /// The version.
    Version,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// All services.
    Table,
    /// One service.
    Service(ServiceKey),
    /// Connection entries.
    Connections,
    /// Connection timeouts.
    Timeouts,
    /// Synchronisation daemons.
    Daemons,
}

/// What is wrong with a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageError {
    /// No command first: exit 255, points to the help.
    NoCommand,
    /// An option that is not known or lacks its value: exit 255. The only one that does not end a restore.
    Option(String),
    /// Everything else: exit 2.
    Usage(String),
}

impl UsageError {
    /// Exit status.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::NoCommand | Self::Option(_) => 255,
            Self::Usage(_) => 2,
        }
    }

    /// What standard error says.
    #[must_use]
    pub fn text(&self, program: &str) -> String {
        match self {
            Self::NoCommand => format!("Try `{program} -h' or '{program} --help' for more information."),
            Self::Option(text) | Self::Usage(text) => text.clone(),
        }
    }
}

/// Longest timeout, seconds: 31 days.
const TIMEOUT_MAX: i64 = 31 * 24 * 60 * 60;

/// Reads the words after the program's name. No words: list the table.
pub fn parse(words: &[&str], names: &dyn Lookup) -> Result<Action, UsageError> {
    if words.is_empty() {
        return Ok(Action::List { what: Listing::Table, style: Style::default() });
    }
    let mut scanner = Scanner::new(words);
    let Ok(Some(first)) = scanner.next() else { return Err(UsageError::NoCommand) };
    let verb = Verb::of(&first)?;
    match verb {
        Verb::Help => return Ok(Action::Help),
        Verb::Version => return Ok(Action::Version),
        _ => {}
    }
    let mut draft = Draft::new(names);
    loop {
        match scanner.next() {
            // Ours alone: everywhere but in a listing it is as little known as to the original.
            Ok(Some(found)) if found.id == Id::Json && verb != Verb::List => {
                return Err(UsageError::Option(format!("{}: unknown option", found.word)));
            }
            Ok(Some(found)) => draft.take(&found).map_err(UsageError::Usage)?,
            Ok(None) => break,
            Err(bad) => return Err(UsageError::Option(format!("{}: {}", bad.word, bad.what))),
        }
    }
    let mut rest = scanner.leftover.into_iter();
    let timeouts = if verb == Verb::Set { Some(timeouts(&mut rest).map_err(UsageError::Usage)?) } else { None };
    if let Some(word) = rest.next() {
        return Err(UsageError::Usage(format!("unexpected argument {word}")));
    }
    draft.finish(verb, timeouts).map_err(UsageError::Usage)
}

fn timeouts<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Timeouts, String> {
    let (Some(tcp), Some(tcp_fin), Some(udp)) = (words.next(), words.next(), words.next()) else {
        return Err("--set option requires 3 timeout values".to_owned());
    };
    Ok(Timeouts { tcp: timeout(tcp, 0)?, tcp_fin: timeout(tcp_fin, 0)?, udp: timeout(udp, 0)? })
}

fn timeout(text: &str, min: i64) -> Result<u32, String> {
    values::number_as(text, min, TIMEOUT_MAX).ok_or_else(|| format!("invalid timeout value `{text}' specified"))
}

/// What the first option asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    AddService,
    EditService,
    DeleteService,
    Clear,
    Restore,
    Save,
    AddServer,
    EditServer,
    DeleteServer,
    List,
    Zero,
    Set,
    Start(SyncRole),
    Stop(SyncRole),
    Help,
    Version,
}

impl Verb {
    fn of(first: &Found<'_>) -> Result<Self, UsageError> {
        let role = |text: &str| match first.value {
            Some("master") => Ok(SyncRole::Master),
            Some("backup") => Ok(SyncRole::Backup),
            _ => Err(UsageError::Usage(text.to_owned())),
        };
        Ok(match first.id {
            Id::AddService => Self::AddService,
            Id::EditService => Self::EditService,
            Id::DeleteService => Self::DeleteService,
            Id::Clear => Self::Clear,
            Id::Restore => Self::Restore,
            Id::Save => Self::Save,
            Id::AddServer => Self::AddServer,
            Id::EditServer => Self::EditServer,
            Id::DeleteServer => Self::DeleteServer,
            Id::List => Self::List,
            Id::Zero => Self::Zero,
            Id::Set => Self::Set,
            Id::StartDaemon => Self::Start(role("illegal start-daemon parameter specified")?),
            Id::StopDaemon => Self::Stop(role("illegal start_daemon specified")?),
            Id::Help => Self::Help,
            Id::Version => Self::Version,
            _ => return Err(UsageError::NoCommand),
        })
    }

    fn rules(self) -> Rules {
        match self {
            Self::AddService => rules::ADD_SERVICE,
            Self::EditService => rules::EDIT_SERVICE,
            Self::DeleteService => rules::DELETE_SERVICE,
            Self::Clear => rules::FLUSH,
            Self::Restore => rules::RESTORE,
            Self::Save => rules::SAVE,
            Self::AddServer => rules::ADD_SERVER,
            Self::EditServer => rules::EDIT_SERVER,
            Self::DeleteServer => rules::DELETE_SERVER,
            Self::Zero => rules::ZERO,
            Self::Set => rules::SET,
            Self::Start(_) => rules::START_DAEMON,
            Self::Stop(_) => rules::STOP_DAEMON,
            Self::List | Self::Help | Self::Version => rules::LIST,
        }
    }
}
