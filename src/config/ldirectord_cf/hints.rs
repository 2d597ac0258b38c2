//! What the writer of a wrong line probably meant.

use super::text::Text;
use super::{Scope, assignment};
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
    } else if name == "timeout" {
        Some("use checktimeout and negotiatetimeout".to_owned())
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
