//! Directives that may stand in a block and outside, and the kinds of values both have in common.

use super::text::{Text, host};
use super::{Scope, Shared, hints};
use crate::config::diag::{Diagnostic, Spanned};

/// Takes the directive if it is one of those; whether it was.
pub(super) fn directive(name: &[u8], value: Text<'_>, scope: Scope, into: &mut Shared, found: &mut Vec<Diagnostic>) -> bool {
    let global = scope == Scope::Global;
    let pick = |there, here| if global { there } else { here };
    match name {
        b"checktimeout" => {
            positive(value, pick("invalid check timeout value", "invalid check timeout"), &mut into.checktimeout, found);
        }
        b"negotiatetimeout" => {
            let error = pick("invalid negotiate timeout value", "invalid negotiate timeout");
            positive(value, error, &mut into.negotiatetimeout, found);
        }
        b"checkinterval" => {
            positive(value, pick("invalid check interval value", "invalid checkinterval"), &mut into.checkinterval, found);
        }
        b"checkcount" => {
            let text = "checkcount option is deprecated and slated for removal.  please see 'failurecount'";
            found.push(Diagnostic::warning(value.span(), text));
            positive(value, pick("invalid check count value", "invalid check count"), &mut into.checkcount, found);
        }
        b"failurecount" => {
            positive(value, pick("invalid failure count value", "invalid failure count"), &mut into.failurecount, found);
        }
        b"quiescent" => yes_no("quiescent", value, &mut into.quiescent, found),
        b"cleanstop" => yes_no("cleanstop", value, &mut into.cleanstop, found),
        b"fallbackcommand" => {
            let value = if global { value } else { unquoted(value) };
            not_empty(value, "invalid fallback command", &mut into.fallbackcommand, found);
        }
        b"emailalert" => not_empty(unquoted(value), "no email address specified", &mut into.emailalert, found),
        b"emailalertfreq" => match value.number() {
            Some(number) => into.emailalertfreq = Some(number),
            None => found.push(Diagnostic::error(value.span(), "invalid email alert frequency").hint("a number of seconds")),
        },
        b"emailalertstatus" => into.emailalertstatus = alert_status(value, found).or(into.emailalertstatus.take()),
        b"smtp" => match value.run(host) {
            Some(name) => into.smtp = Some(name.spanned()),
            None => found.push(Diagnostic::error(value.span(), "invalid SMTP server address")),
        },
        b"connecttimeout" => {
            found.push(Diagnostic::error(value.span(), "connecttimeout directive deprecated in favour of negotiatetimeout"));
        }
        _ => return false,
    }
    true
}

/// A number from 1.
pub(super) fn positive(value: Text<'_>, error: &str, into: &mut Option<Spanned<u32>>, found: &mut Vec<Diagnostic>) {
    match value.number().filter(|n| n.value > 0) {
        Some(number) => *into = Some(number),
        None => found.push(Diagnostic::error(value.span(), error).hint("a whole number, at least 1")),
    }
}

/// The whole value is yes or no.
pub(super) fn yes_no(name: &str, value: Text<'_>, into: &mut Option<Spanned<bool>>, found: &mut Vec<Diagnostic>) {
    match value.bytes {
        b"yes" => *into = Some(value.with(true)),
        b"no" => *into = Some(value.with(false)),
        _ => {
            let error = Diagnostic::error(value.span(), format!("{name} must be 'yes' or 'no'"));
            found.push(error.hint(hints::yes_no(value)));
        }
    }
}

/// Any text but none.
pub(super) fn not_empty(value: Text<'_>, error: &str, into: &mut Option<Spanned<String>>, found: &mut Vec<Diagnostic>) {
    let value = value.trim_end();
    if value.is_empty() {
        found.push(Diagnostic::error(value.span(), error));
    } else {
        *into = Some(value.spanned());
    }
}

/// The value without the quotes around all of it.
pub(super) fn unquoted(value: Text<'_>) -> Text<'_> {
    let value = value.trim_end();
    value.quoted().filter(|inner| inner.bytes.len() + 2 == value.bytes.len()).unwrap_or(value)
}

/// The value with its optional quotes taken off: what is quoted, else all of it.
pub(super) fn maybe_quoted(value: Text<'_>) -> Text<'_> {
    value.quoted().unwrap_or(value.trim_end())
}

fn alert_status(value: Text<'_>, found: &mut Vec<Diagnostic>) -> Option<Spanned<Vec<String>>> {
    const WORDS: [&str; 6] = ["all", "none", "starting", "running", "stopping", "reloading"];
    let all = value.trim_end();
    let mut words = Vec::new();
    let mut rest = all;
    loop {
        let (item, behind) = rest.span_of(|b| b != b',');
        let item = item.trim_start().trim_end();
        let word = item.string();
        if !WORDS.contains(&word.as_str()) {
            let error = Diagnostic::error(item.span(), format!("invalid email alert status at: \"{word}\""));
            found.push(error.hint("a list with commas of all, none, starting, running, stopping, reloading"));
            return None;
        }
        words.push(word);
        if behind.is_empty() {
            break;
        }
        rest = behind.skip(1);
    }
    if words.len() > 1
        && words.iter().any(|w| w == "none")
        && let Some(other) = words.iter().find(|w| *w != "none")
    {
        let text = format!("invalid email alert status: \"{other}\" specified with \"none\"");
        found.push(Diagnostic::error(all.span(), text));
        return None;
    }
    Some(all.with(words))
}
