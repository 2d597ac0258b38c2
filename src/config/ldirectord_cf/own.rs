//! `#lvs-ha: NAME VALUE`: settings that the original does not have, in a line that is a comment to it. Indented in a block they
//! are the block's, in column 1 they are for all blocks.

use super::shared::{not_empty, positive, yes_no};
use super::text::{Line, Text, host, word};
use super::{Globals, Shared};
use crate::config::diag::{Diagnostic, Spanned};

/// What may stand anywhere.
const SHARED: &[&str] = &[
    "agent-check",
    "check-per-host",
    "fastinterval",
    "hook",
    "rise",
    "slowstart",
    "tls-ca",
    "tls-name",
    "tls-verify",
    "tls-warn",
    "webhook",
];
/// What may stand in column 1 only.
const GLOBAL: &[&str] = &["expire-flows"];

/// The text behind `#lvs-ha:`, if the line is one of ours.
pub(super) fn setting(line: Line<'_>) -> Option<Text<'_>> {
    line.text.trim_start().strip_prefix(b"#lvs-ha:")
}

/// Reads one that is for all blocks.
pub(super) fn global(text: Text<'_>, globals: &mut Globals, found: &mut Vec<Diagnostic>) {
    let mut shared = std::mem::take(&mut globals.shared);
    directive(text, &mut shared, Some(globals), found);
    globals.shared = shared;
}

/// Reads one into the block's settings, or with `globals` into those for all.
pub(super) fn directive(text: Text<'_>, shared: &mut Shared, globals: Option<&mut Globals>, found: &mut Vec<Diagnostic>) {
    let (name, rest) = text.trim_start().span_of(|b| word(b) || b == b'-');
    let value = rest.trim_start().trim_end();
    let value = value.strip_prefix(b"=").map_or(value, Text::trim_start);
    match (name.bytes, globals) {
        (b"rise", _) => positive(value, "invalid rise count", &mut shared.rise, found),
        (b"fastinterval", _) => positive(value, "invalid fastinterval", &mut shared.fastinterval, found),
        (b"slowstart", _) => positive(value, "invalid slowstart", &mut shared.slowstart, found),
        (b"agent-check", _) => match value.number().map(|n| (u16::try_from(n.value), n.span)) {
            Some((Ok(port), span)) if port > 0 => shared.agent_check = Some(Spanned::new(port, span)),
            _ => found.push(Diagnostic::error(value.span(), "invalid agent-check").hint("a port from 1 to 65535")),
        },
        (b"check-per-host", _) => yes_no("check-per-host", value, &mut shared.check_per_host, found),
        (b"webhook", _) => {
            let url = |scheme: &[u8]| value.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty());
            if (url(b"http://") || url(b"https://")) && !value.bytes.iter().any(u8::is_ascii_whitespace) {
                shared.webhook = Some(value.spanned());
            } else {
                found.push(Diagnostic::error(value.span(), "invalid webhook").hint("an address from http:// or https:// on"));
            }
        }
        (b"tls-verify", _) => yes_no("tls-verify", value, &mut shared.tls_verify, found),
        (b"tls-ca", _) => not_empty(value, "invalid tls-ca", &mut shared.tls_ca, found),
        (b"tls-name", _) => match value.run(host).filter(|name| name.bytes == value.bytes) {
            Some(name) => shared.tls_name = Some(name.spanned()),
            None => found.push(Diagnostic::error(value.span(), "invalid tls-name").hint("a host name, without a port")),
        },
        (b"tls-warn", _) => match value.number() {
            Some(days) => shared.tls_warn = Some(Spanned::new(days.value, days.span)),
            None => found.push(Diagnostic::error(value.span(), "invalid tls-warn").hint("a number of days; 0 is never")),
        },
        (b"hook", _) => not_empty(value, "invalid hook", &mut shared.hook, found),
        (b"expire-flows", Some(globals)) => yes_no("expire-flows", value, &mut globals.expire_flows, found),
        (_, globals) => {
            let name = name.string();
            if GLOBAL.contains(&name.as_str()) {
                let error = Diagnostic::error(text.trim_start().trim_end().span(), format!("{name} is no setting of a block"));
                found.push(error.hint("it belongs in column 1"));
                return;
            }
            let mut known: Vec<&str> = SHARED.to_vec();
            known.extend(globals.iter().flat_map(|_| GLOBAL));
            let error = Diagnostic::error(text.trim_start().trim_end().span(), format!("unknown setting #lvs-ha: {name}"));
            found.push(error.hint(format!("known here: {}", known.join(", "))));
        }
    }
}
