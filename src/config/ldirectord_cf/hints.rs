//! What the writer of a wrong line probably meant.

use super::text::{Text, word};
use super::{CheckType, Scope, Service, assignment};
use crate::config::diag::Diagnostic;

/// Directives that may stand outside of blocks.
const GLOBAL: &[&str] = &[
    "autoreload",
    "callback",
    "checkcount",
    "checkinterval",
    "checktimeout",
    "cleanstop",
    "emailalert",
    "emailalertfreq",
    "emailalertfrom",
    "emailalertstatus",
    "execute",
    "failurecount",
    "fallback",
    "fallback6",
    "fallbackcommand",
    "fork",
    "logfile",
    "maintenancedir",
    "negotiatetimeout",
    "quiescent",
    "readdquiescent",
    "smtp",
    "supervised",
    "virtual",
    "virtual6",
];
/// Directives that may stand in a block.
const BLOCK: &[&str] = &[
    "checkcommand",
    "checkcount",
    "checkinterval",
    "checkport",
    "checktimeout",
    "checktype",
    "cleanstop",
    "comment",
    "database",
    "emailalert",
    "emailalertfreq",
    "emailalertstatus",
    "failurecount",
    "fallback",
    "fallback6",
    "fallbackcommand",
    "httpmethod",
    "load",
    "login",
    "monitorfile",
    "negotiatetimeout",
    "netmask",
    "ops",
    "passwd",
    "persistent",
    "protocol",
    "quiescent",
    "real",
    "real6",
    "receive",
    "request",
    "schedflags",
    "scheduler",
    "secret",
    "service",
    "servicename",
    "smtp",
    "virtualhost",
];
/// Directives whose value must be quoted.
const QUOTED: &[&str] =
    &["callback", "database", "load", "logfile", "login", "passwd", "receive", "request", "secret", "virtualhost"];

/// Words of other programs' files, or of none, and what they are here.
const FOREIGN: &[(&str, &str)] = &[
    ("timeout", "use checktimeout and negotiatetimeout"),
    ("interval", "did you mean checkinterval?"),
    ("delay_loop", "this is keepalived's word: here it is checkinterval"),
    ("persistence_timeout", "this is keepalived's word: here it is persistent"),
    ("persistence", "did you mean persistent?"),
    ("lb_algo", "this is keepalived's word: here it is scheduler"),
    ("lb_kind", "this is keepalived's word: here it stands behind each real server: gate, masq or ipip"),
    ("virtual_server", "this is keepalived's syntax: here it is virtual=ADDRESS:PORT and indented lines"),
    ("real_server", "this is keepalived's syntax: here it is real=ADDRESS:PORT METHOD WEIGHT"),
    ("sorry_server", "this is keepalived's word: here it is fallback=ADDRESS:PORT"),
    ("algorithm", "did you mean scheduler?"),
    ("server", "did you mean real?"),
    ("backend", "did you mean real?"),
    ("rip", "did you mean real?"),
    ("vip", "did you mean virtual?"),
    ("weight", "the weight stands behind the method of its real server: real=ADDRESS:PORT gate 5"),
    ("method", "did you mean httpmethod? The forwarding method stands behind the address of its real server"),
    ("url", "did you mean request?"),
    ("expect", "did you mean receive?"),
    ("host", "did you mean virtualhost?"),
    ("user", "did you mean login?"),
    ("password", "did you mean passwd?"),
    ("log", "did you mean logfile?"),
    ("email", "did you mean emailalert?"),
    ("mail", "did you mean emailalert?"),
    ("include", "a file can't include another: each file is an instance of its own"),
];

/// Whether a directive of that name may stand anywhere.
pub(super) fn is_directive(name: &str) -> bool {
    GLOBAL.contains(&name) || BLOCK.contains(&name)
}

/// Whether a directive of that name may stand in a block only.
pub(super) fn only_in_block(name: &[u8]) -> bool {
    let is = |n: &&str| n.as_bytes() == name;
    BLOCK.iter().any(&is) && !GLOBAL.iter().any(is)
}

/// What the writer of a wrong forwarding method probably meant.
pub(super) fn forward(text: Text<'_>) -> &'static str {
    let name = text.string().to_ascii_lowercase();
    match name.as_str() {
        "gate" | "masq" | "ipip" => "in lower case",
        "dr" | "droute" | "direct" | "route" | "gateway" | "gatewaying" | "g" | "-g" => "direct routing is called gate",
        "nat" | "lvs_nat" | "masquerade" | "masquerading" | "snat" | "dnat" | "m" | "-m" => "address translation is called masq",
        "tun" | "tunnel" | "tunneling" | "ip-ip" | "i" | "-i" => "tunnelling is called ipip",
        _ if name.starts_with(':') => "no blanks around the colon",
        _ if name.bytes().all(|b| b.is_ascii_digit()) => "the method comes first, then the weight: gate 5",
        _ => "gate is direct routing, masq address translation, ipip tunnelling",
    }
}

/// `error` about a wrong service, with a hint if there is one to give.
pub(super) fn service(value: Text<'_>, error: Diagnostic) -> Diagnostic {
    let name = value.run(word).map(Text::string).unwrap_or_default().to_ascii_lowercase();
    let instead = match name.as_str() {
        "tcp" | "udp" | "connect" | "ping" | "external" => {
            return error
                .hint(format!("service= is what a negotiate check asks; for {name}: checktype=connect, ping or external"));
        }
        "pop3" => "pop",
        "pop3s" => "pops",
        "imap4" => "imap",
        "www" | "web" | "apache" | "nginx" | "httpd" => "http",
        "ssl" => "https",
        "mariadb" => "mysql",
        "postgres" | "postgresql" => "pgsql",
        "domain" | "named" | "bind" => "dns",
        other => match Service::from_word(other) {
            Some(_) => return error.hint(format!("in lower case: {other}")),
            None => return error,
        },
    };
    error.hint(format!("did you mean {instead}?"))
}

/// `error` about a wrong kind of check, with a hint if there is one to give.
pub(super) fn checktype(value: Text<'_>, error: Diagnostic) -> Diagnostic {
    let name = value.run(word).map(Text::string).unwrap_or_default().to_ascii_lowercase();
    if CheckType::from_word(&name).is_some() {
        error.hint(format!("in lower case: {name}"))
    } else if Service::from_word(&name).is_some() {
        error.hint(format!("{name} is a service: checktype=negotiate and service={name}"))
    } else {
        match name.as_str() {
            "tcp" => error.hint("did you mean connect?"),
            "icmp" => error.hint("did you mean ping?"),
            "none" => error.hint("on takes every server for up, off leaves them as they are at the start"),
            _ => error,
        }
    }
}

/// `error` about an unknown directive, with a hint if there is one to give.
pub(super) fn unknown(mut error: Diagnostic, text: Text<'_>, scope: Scope) -> Diagnostic {
    error.hint = explain(text, scope);
    error
}

/// Why a value is neither yes nor no.
pub(super) fn yes_no(value: Text<'_>) -> &'static str {
    let word = value.trim_start().trim_end();
    let bare = word.bytes.strip_prefix(b"\"").unwrap_or(word.bytes);
    if value.bytes.ends_with(b"\r") {
        "the line ends in a carriage return (a file from Windows): convert it, for instance with dos2unix"
    } else if value.bytes.contains(&b'#') {
        "a comment can't follow a value here: give it a line of its own"
    } else if word.bytes != value.bytes && matches!(word.bytes, b"yes" | b"no") {
        "there are blanks behind the word: delete them"
    } else if bare.eq_ignore_ascii_case(b"yes\"") || bare.eq_ignore_ascii_case(b"no\"") {
        "without quotes"
    } else if word.bytes.eq_ignore_ascii_case(b"yes") || word.bytes.eq_ignore_ascii_case(b"no") {
        "in lower case"
    } else {
        "yes or no, nothing else on the line"
    }
}

fn explain(text: Text<'_>, scope: Scope) -> Option<String> {
    let (here, there) = match scope {
        Scope::Global => (GLOBAL, BLOCK),
        Scope::Block => (BLOCK, GLOBAL),
    };
    let (name, value) = match assignment(text) {
        Some((name, value)) => (name.string(), value),
        None => (text.span_of(super::text::word).0.string(), text.skip(text.bytes.len())),
    };
    let known = here.contains(&name.as_str());
    if known && assignment(text).is_none() {
        Some(format!("a = is missing behind {name}"))
    } else if known && QUOTED.contains(&name.as_str()) {
        Some(quotes(&name, value))
    } else if there.contains(&name.as_str()) {
        Some(match scope {
            Scope::Global => {
                format!("{name} belongs into a virtual block: indent it below virtual=, without a blank line between")
            }
            Scope::Block => format!("{name} stands outside of virtual blocks, in column 1"),
        })
    } else if let Some((_, hint)) = FOREIGN.iter().find(|(word, _)| *word == name.to_ascii_lowercase()) {
        Some((*hint).to_owned())
    } else if name.is_empty() && text.trim_start().bytes.first() == Some(&b'[') {
        Some("there are no sections: a directive a line, and blocks of virtual=".to_owned())
    } else if text.trim_start().bytes.starts_with(b"//") || text.trim_start().bytes.starts_with(b";") {
        Some("a comment begins with #".to_owned())
    } else {
        let near = here.iter().map(|n| (distance(&name, n), *n)).min().filter(|(d, n)| *d <= 2 && *d < n.len() / 2);
        near.map(|(_, n)| format!("did you mean {n}?"))
    }
}

/// What is wrong with the quotes of a value that needs them.
fn quotes(name: &str, value: Text<'_>) -> String {
    // Typographic quotes in UTF-8 and in Windows' encoding.
    let curly = ["\u{201c}", "\u{201d}", "\u{201e}", "\u{2018}", "\u{2019}"];
    let starts = |mark: &&str| value.bytes.starts_with(mark.as_bytes());
    if curly.iter().any(starts) || matches!(value.bytes.first(), Some(0x84 | 0x91..=0x94)) {
        "these are typographic quotes: write plain ones, \"".to_owned()
    } else if value.bytes.first() == Some(&b'\'') {
        "use double quotes: \"".to_owned()
    } else if value.bytes.first() == Some(&b'"') {
        "the closing quote is missing; a # begins a comment, even between quotes".to_owned()
    } else {
        format!("the value needs quotes: {name}=\"{}\"", value.trim_end().string())
    }
}

/// Edits of a character between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    // A word much longer than any directive is no misspelling.
    for (i, x) in a.to_ascii_lowercase().bytes().take(40).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.bytes().zip(row.iter().skip(1).copied()) {
            let best = (left + 1).min(above + 1).min(diagonal + usize::from(x != y));
            diagonal = above;
            left = best;
            next.push(best);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
