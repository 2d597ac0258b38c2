//! The options of ipvsadm(8) and how they stand on the command line, as popt reads them: joined short options, values
//! attached or following, `--name=value`, no abbreviations, `--` ends the options.

/// What an option is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
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
    StartDaemon,
    StopDaemon,
    Help,
    Version,
    Tcp,
    Udp,
    Sctp,
    Fwmark,
    Ipv6,
    Scheduler,
    Engine,
    Persistent,
    Netmask,
    RealServer,
    Gate,
    Ipip,
    Masq,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
    Weight,
    Upper,
    Lower,
    Connection,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Exact,
    Thresholds,
    PersistentConn,
    TunnelInfo,
    NoSort,
    Sort,
    OnePacket,
    Numeric,
    SchedulerFlags,
    SyncNumber,
    SyncMaxLength,
    McastInterface,
    McastGroup,
    McastPort,
    McastTtl,
    /// Ours: see [`super::parse`].
    Json,
}

/// Whether an option has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    Required,
    /// The next word, unless it begins with `-` or there is none.
    Optional,
}

/// Long name, short name, meaning, value.
type Entry = (&'static str, Option<char>, Id, Value);

const OPTIONS: &[Entry] = &[
    ("add-service", Some('A'), Id::AddService, Value::None),
    ("edit-service", Some('E'), Id::EditService, Value::None),
    ("delete-service", Some('D'), Id::DeleteService, Value::None),
    ("clear", Some('C'), Id::Clear, Value::None),
    ("restore", Some('R'), Id::Restore, Value::None),
    ("save", Some('S'), Id::Save, Value::None),
    ("add-server", Some('a'), Id::AddServer, Value::None),
    ("edit-server", Some('e'), Id::EditServer, Value::None),
    ("delete-server", Some('d'), Id::DeleteServer, Value::None),
    ("list", Some('L'), Id::List, Value::None),
    ("", Some('l'), Id::List, Value::None),
    ("zero", Some('Z'), Id::Zero, Value::None),
    ("set", None, Id::Set, Value::None),
    ("start-daemon", None, Id::StartDaemon, Value::Required),
    ("stop-daemon", None, Id::StopDaemon, Value::Required),
    ("help", Some('h'), Id::Help, Value::None),
    ("version", Some('v'), Id::Version, Value::None),
    ("tcp-service", Some('t'), Id::Tcp, Value::Required),
    ("udp-service", Some('u'), Id::Udp, Value::Required),
    ("sctp-service", None, Id::Sctp, Value::Required),
    ("fwmark-service", Some('f'), Id::Fwmark, Value::Required),
    ("ipv6", Some('6'), Id::Ipv6, Value::None),
    ("scheduler", Some('s'), Id::Scheduler, Value::Required),
    ("pe", None, Id::Engine, Value::Required),
    ("persistent", Some('p'), Id::Persistent, Value::Optional),
    ("netmask", Some('M'), Id::Netmask, Value::Required),
    ("real-server", Some('r'), Id::RealServer, Value::Required),
    ("gatewaying", Some('g'), Id::Gate, Value::None),
    ("ipip", Some('i'), Id::Ipip, Value::None),
    ("masquerading", Some('m'), Id::Masq, Value::None),
    ("tun-type", None, Id::TunnelType, Value::Required),
    ("tun-port", None, Id::TunnelPort, Value::Required),
    ("tun-nocsum", None, Id::TunnelNoChecksum, Value::None),
    ("tun-csum", None, Id::TunnelChecksum, Value::None),
    ("tun-remcsum", None, Id::TunnelRemoteChecksum, Value::None),
    ("weight", Some('w'), Id::Weight, Value::Required),
    ("u-threshold", Some('x'), Id::Upper, Value::Required),
    ("l-threshold", Some('y'), Id::Lower, Value::Required),
    ("connection", Some('c'), Id::Connection, Value::None),
    ("timeout", None, Id::Timeout, Value::None),
    ("daemon", None, Id::Daemon, Value::None),
    ("stats", None, Id::Stats, Value::None),
    ("rate", None, Id::Rate, Value::None),
    ("exact", Some('X'), Id::Exact, Value::None),
    ("thresholds", None, Id::Thresholds, Value::None),
    ("persistent-conn", None, Id::PersistentConn, Value::None),
    ("tun-info", None, Id::TunnelInfo, Value::None),
    ("nosort", None, Id::NoSort, Value::None),
    ("sort", None, Id::Sort, Value::None),
    ("ops", Some('o'), Id::OnePacket, Value::None),
    ("numeric", Some('n'), Id::Numeric, Value::None),
    ("sched-flags", Some('b'), Id::SchedulerFlags, Value::Required),
    ("syncid", None, Id::SyncNumber, Value::Required),
    ("sync-maxlen", None, Id::SyncMaxLength, Value::Required),
    ("mcast-interface", None, Id::McastInterface, Value::Required),
    ("mcast-group", None, Id::McastGroup, Value::Required),
    ("mcast-port", None, Id::McastPort, Value::Required),
    ("mcast-ttl", None, Id::McastTtl, Value::Required),
    ("json", None, Id::Json, Value::None),
];

/// The place in [`OPTIONS`] of each short name; its length for what is none.
#[allow(clippy::indexing_slicing)] // in a constant a place that is not there does not compile
const SHORT: [usize; 128] = {
    let mut out = [OPTIONS.len(); 128];
    let mut n = OPTIONS.len();
    // Backwards, so that the first of a name wins.
    while n > 0 {
        n -= 1;
        if let Some(short) = OPTIONS[n].1 {
            out[short as usize] = n;
        }
    }
    out
};

/// An option found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// Which.
    pub(super) id: Id,
    /// Its value, if it has one.
    pub(super) value: Option<&'a str>,
    /// The word that was read last.
    pub(super) word: &'a str,
}

/// A word that is no option of ours, or one without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    /// The word.
    pub(super) word: String,
    /// What is wrong.
    pub(super) what: &'static str,
}

/// Walks over the words of a command line.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    words: std::slice::Iter<'a, &'a str>,
    /// The rest of a word of short options, and the word.
    joined: Option<(&'a str, &'a str)>,
    /// Words that are neither options nor their values.
    pub(super) leftover: Vec<&'a str>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(words: &'a [&'a str]) -> Self {
        Self { words: words.iter(), joined: None, leftover: Vec::new() }
    }

    /// The next option; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Found<'a>>, Bad> {
        if let Some((rest, word)) = self.joined.take() {
            return self.short(rest, word).map(Some);
        }
        while let Some(&word) = self.words.next() {
            if word == "--" {
                self.leftover.extend(self.words.by_ref());
            } else if let Some(long) = word.strip_prefix("--") {
                return self.long(long, word).map(Some);
            } else if let Some(rest) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                return self.short(rest, word).map(Some);
            } else {
                self.leftover.push(word);
            }
        }
        Ok(None)
    }

    fn long(&mut self, text: &'a str, word: &'a str) -> Result<Found<'a>, Bad> {
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let Some((_, _, id, kind)) = OPTIONS.iter().find(|(long, ..)| *long == name && !name.is_empty()) else {
            return Err(Bad { word: word.to_owned(), what: "unknown option" });
        };
        if *kind == Value::None && attached.is_some() {
            return Err(Bad { word: word.to_owned(), what: "option does not take an argument" });
        }
        self.found(*id, *kind, attached, word)
    }

    fn short(&mut self, rest: &'a str, word: &'a str) -> Result<Found<'a>, Bad> {
        let mut chars = rest.chars();
        let first = chars.next();
        let rest = chars.as_str();
        let place = first.and_then(|c| SHORT.get(usize::try_from(u32::from(c)).ok()?));
        let Some((_, _, id, kind)) = place.and_then(|place| OPTIONS.get(*place)) else {
            return Err(Bad { word: word.to_owned(), what: "unknown option" });
        };
        if *kind == Value::None {
            if rest.starts_with('=') {
                return Err(Bad { word: word.to_owned(), what: "option does not take an argument" });
            }
            self.joined = (!rest.is_empty()).then_some((rest, word));
            return Ok(Found { id: *id, value: None, word });
        }
        let attached = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest));
        self.found(*id, *kind, attached, word)
    }

    fn found(&mut self, id: Id, kind: Value, attached: Option<&'a str>, word: &'a str) -> Result<Found<'a>, Bad> {
        let (value, word) = match (kind, attached) {
            (Value::None, _) => (None, word),
            (_, Some(value)) => (Some(value), word),
            (Value::Required, None) => match self.words.next() {
                Some(next) => (Some(*next), *next),
                None => return Err(Bad { word: word.to_owned(), what: "missing argument" }),
            },
            (Value::Optional, None) => match self.words.as_slice().first().filter(|next| !next.starts_with('-')) {
                Some(next) => {
                    self.words.next();
                    (Some(*next), *next)
                }
                None => (None, word),
            },
        };
        Ok(Found { id, value, word })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(line: &str) -> Result<Vec<(Id, Option<String>)>, Bad> {
        let words: Vec<&str> = line.split(' ').collect();
        let mut scanner = Scanner::new(&words);
        let mut out = Vec::new();
        while let Some(found) = scanner.next()? {
            out.push((found.id, found.value.map(str::to_owned)));
        }
        out.extend(scanner.leftover.iter().map(|word| (Id::Help, Some((*word).to_owned()))));
        Ok(out)
    }

    #[test]
    fn joined_short_options_and_attached_values() {
        let value = |v: &str| Some(v.to_owned());
        assert_eq!(
            scan("-gw5 -p -n").unwrap(),
            [(Id::Gate, None), (Id::Weight, value("5")), (Id::Persistent, None), (Id::Numeric, None)]
        );
        assert_eq!(scan("-p 7 -w -1").unwrap(), [(Id::Persistent, value("7")), (Id::Weight, value("-1"))]);
        assert_eq!(scan("--weight=3 --weight 4").unwrap(), [(Id::Weight, value("3")), (Id::Weight, value("4"))]);
        assert_eq!(scan("-L -- -n x").unwrap(), [(Id::List, None), (Id::Help, value("-n")), (Id::Help, value("x"))]);
    }

    #[test]
    fn what_is_not_known_or_lacks_its_value() {
        assert_eq!(scan("-L --num"), Err(Bad { word: "--num".to_owned(), what: "unknown option" }));
        assert_eq!(scan("-At"), Err(Bad { word: "-At".to_owned(), what: "missing argument" }));
        assert!(scan("--list=5").is_err());
        assert!(scan("--=5").is_err());
        assert_eq!(scan("-n=5"), Err(Bad { word: "-n=5".to_owned(), what: "option does not take an argument" }));
    }
}
