//! Directives in a block of `virtual=`.

use std::net::Ipv4Addr;

use super::shared::{maybe_quoted, not_empty, unquoted, yes_no};
use super::text::{Line, Text, host, word};
use super::{Address, CheckType, Protocol, Scope, Service, Virtual, assignment, hints, server, shared};
use crate::config::diag::{Diagnostic, Spanned};
use crate::ipvs::model::Family;

/// Reads one directive, `text` of `line`, into `into`.
pub(super) fn directive(line: Line<'_>, text: Text<'_>, into: &mut Virtual, found: &mut Vec<Diagnostic>) {
    let known = assignment(text).is_some_and(|(name, value)| {
        shared::directive(name.bytes, value, Scope::Block, &mut into.shared, found)
            || servers(name.bytes, value, into, found)
            || check(name.bytes, value, into, found)
            || service(name.bytes, value, into, found)
    });
    if !known {
        let error = Diagnostic::error(text.trim_end().span(), format!("Unknown command \"{}\"", line.quoted()));
        found.push(hints::unknown(error, text, Scope::Block));
    }
}

/// Real servers and fallback.
fn servers(name: &[u8], value: Text<'_>, into: &mut Virtual, found: &mut Vec<Diagnostic>) -> bool {
    let (word, family) = match name {
        b"real" => ("real", Family::Inet),
        b"real6" => ("real6", Family::Inet6),
        b"fallback" => ("fallback", Family::Inet),
        b"fallback6" => ("fallback6", Family::Inet6),
        _ => return false,
    };
    // Below a wrong first line nobody knows which family was meant.
    if into.address.is_some() && family != into.family {
        let right = if family == Family::Inet { format!("{word}6") } else { word.trim_end_matches('6').to_owned() };
        let text = format!("cannot specify \"{word}\" here.  please use \"{right}\" instead");
        found.push(Diagnostic::error(value.span(), text));
    } else if word.starts_with("real") {
        into.reals.extend(server::real(value, family, found));
    } else {
        into.fallback = server::fallback(value, family, found).or(into.fallback.take());
    }
    true
}

/// What is asked of the real servers.
fn check(name: &[u8], value: Text<'_>, into: &mut Virtual, found: &mut Vec<Diagnostic>) -> bool {
    match name {
        b"checktype" => checktype(value, into, found),
        b"service" => match value.run(word).and_then(|w| Some(w.with(Service::from_word(&w.string())?))) {
            Some(service) => into.service = Some(service),
            None => found.push(hints::service(
                value,
                Diagnostic::error(
                    value.trim_end().span(),
                    "service must be dns, ftp, http, https, http_proxy, imap, imaps, ldap, ldaps, mysql, nntp, none, oracle, \
                 pop, pops, radius, pgsql, simpletcp, sip, smtp or submission",
                ),
            )),
        },
        b"checkcommand" => not_empty(maybe_quoted(value), "invalid check command", &mut into.checkcommand, found),
        b"checkport" => match value.number() {
            None => found.push(Diagnostic::error(value.span(), "invalid port").hint("a number from 1 to 65535")),
            Some(n) => match u16::try_from(n.value) {
                Ok(port) if port > 0 => into.checkport = Some(Spanned::new(port, n.span)),
                _ => found.push(Diagnostic::error(n.span, "checkport must be in range 1..65536").hint("at most 65535")),
            },
        },
        b"request" => return quoted(value, "no request string specified", &mut into.request, found),
        b"receive" => return quoted(value, "invalid receive string", &mut into.receive, found),
        b"httpmethod" => {
            let method = value.run(word).map(|w| w.with(w.bytes.to_ascii_uppercase()));
            match method.as_ref().map(|m| (m.value.as_slice(), m.span)) {
                Some((b"GET", span)) => into.head_method = Some(Spanned::new(false, span)),
                Some((b"HEAD", span)) => into.head_method = Some(Spanned::new(true, span)),
                _ => found.push(Diagnostic::error(value.trim_end().span(), "httpmethod must be GET or HEAD")),
            }
        }
        b"virtualhost" => {
            let name = value.quoted().unwrap_or(value.span_of(host).0);
            if name.is_empty() && value.quoted().is_none() {
                return false;
            }
            into.virtualhost = (!name.is_empty()).then(|| name.spanned());
        }
        b"login" => return quoted(value, "invalid login string", &mut into.login, found),
        b"passwd" => return quoted(value, "invalid password", &mut into.passwd, found),
        b"database" => return quoted(value, "invalid database", &mut into.database, found),
        b"secret" => return quoted(value, "invalid secret", &mut into.secret, found),
        b"load" => return quoted(value, "invalid string for load testing", &mut into.load, found),
        _ => return false,
    }
    true
}

/// The virtual service itself.
fn service(name: &[u8], value: Text<'_>, into: &mut Virtual, found: &mut Vec<Diagnostic>) -> bool {
    match name {
        b"scheduler" => match value.run(|b| b.is_ascii_lowercase()) {
            Some(name) => into.scheduler = Some(name.spanned()),
            None => {
                let error = Diagnostic::error(value.span(), "invalid scheduler, should be only lowercase letters (a-z)");
                found.push(error.hint("rr, wrr, lc, wlc, sh and the like, in lower case"));
            }
        },
        b"schedflags" => match value.run(|b| !b.is_ascii_whitespace()) {
            Some(flags) => into.schedflags = Some(flags.spanned()),
            None => found.push(Diagnostic::error(value.span(), "invalid sched-flags")),
        },
        b"persistent" => match value.number().filter(|n| n.value > 0) {
            Some(seconds) => into.persistent = Some(seconds),
            None => {
                let error = Diagnostic::error(value.span(), "invalid persistent timeout");
                found.push(error.hint("a number of seconds, at least 1"));
            }
        },
        b"netmask" => netmask(value.trim_end(), into, found),
        b"protocol" => protocol(value, into, found),
        b"ops" => yes_no("ops", value, &mut into.ops, found),
        b"monitorfile" => into.monitorfile = Some(maybe_quoted(value).spanned()),
        b"servicename" => into.servicename = Some(unquoted(value).spanned()),
        b"comment" => into.comment = Some(unquoted(value).spanned()),
        _ => return false,
    }
    true
}

/// A directive whose value must be quoted: without quotes it is no directive at all.
fn quoted(value: Text<'_>, empty: &str, into: &mut Option<Spanned<String>>, found: &mut Vec<Diagnostic>) -> bool {
    let Some(inner) = value.quoted() else { return false };
    if inner.is_empty() {
        found.push(Diagnostic::error(value.span(), empty));
    } else {
        *into = Some(inner.spanned());
    }
    true
}

fn checktype(value: Text<'_>, into: &mut Virtual, found: &mut Vec<Diagnostic>) {
    let named = value.run(|b| word(b) || b == b'-').and_then(|w| Some(w.with(CheckType::from_word(&w.string())?)));
    match value.number().map(|n| Spanned::new(CheckType::Combined(n.value), n.span)).or(named) {
        Some(checktype) => into.checktype = Some(checktype),
        None => found.push(hints::checktype(
            value,
            Diagnostic::error(
                value.trim_end().span(),
                "checktype must be \"connect\", \"negotiate\", \"on\", \"off\", \"ping\", \"external\", \"external-perl\" or a \
             positive number",
            ),
        )),
    }
}

fn netmask(value: Text<'_>, into: &mut Virtual, found: &mut Vec<Diagnostic>) {
    let text = value.string();
    let (mask, error, hint) = match into.family {
        Family::Inet => (
            text.parse::<Ipv4Addr>().ok().map(u32::from),
            "invalid netmask: dotted quad notation is required",
            "such as 255.255.255.255, nothing behind it",
        ),
        Family::Inet6 => (
            text.parse::<u32>().ok().filter(|n| (1..=128).contains(n)),
            "invalid netmask: a prefix length between 1 and 128 is required",
            "such as 64, nothing behind it",
        ),
    };
    match mask {
        Some(mask) => into.netmask = Some(value.with(mask)),
        None => found.push(Diagnostic::error(value.span(), error).hint(hint)),
    }
}

fn protocol(value: Text<'_>, into: &mut Virtual, found: &mut Vec<Diagnostic>) {
    let Some(name) = value.run(word) else {
        found.push(Diagnostic::error(value.span(), "invalid protocol"));
        return;
    };
    let protocol = match name.bytes {
        b"tcp" => Some(Protocol::Tcp),
        b"udp" => Some(Protocol::Udp),
        b"fwm" => Some(Protocol::Fwm),
        _ => None,
    };
    let mark = match into.address.as_ref().map(|a| &a.value) {
        Some(address) => matches!(address, Address::Mark(_)),
        None => protocol == Some(Protocol::Fwm),
    };
    match protocol {
        Some(protocol) if mark == (protocol == Protocol::Fwm) => into.protocol = Some(name.with(protocol)),
        _ if mark => {
            let text = "protocol must be fwm if the virtual service is a fwmark (a number)";
            found.push(Diagnostic::error(name.span(), text));
        }
        _ => {
            let text = "protocol must be tcp or udp if the virtual service is an address and port";
            found.push(Diagnostic::error(name.span(), text));
        }
    }
}
