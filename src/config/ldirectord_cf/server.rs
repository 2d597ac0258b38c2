//! Values that name a server: `virtual=`, `real=`, `fallback=`. Syntax only; names are resolved later.

use std::net::Ipv6Addr;

use super::text::{Text, blank, host, port, word};
use super::{Address, Fallback, Real, hints};
use crate::config::diag::{Diagnostic, Spanned};
use crate::ipvs::model::{Family, Forward};

/// Most a weight can be (`IP_VS` takes a signed number, the original's tools no more than this).
const WEIGHT: u32 = 65535;

/// The value of `virtual=` (or `virtual6=`). What follows the recognised part is ignored, as by the original.
pub(super) fn address(value: Text<'_>, family: Family, found: &mut Vec<Diagnostic>) -> Option<Spanned<Address>> {
    let mut wrong = |text: &str, hint: Option<String>| {
        let mut error = Diagnostic::error(value.trim_end().span(), text);
        error.hint = hint;
        found.push(error);
        None
    };
    if let Some((inside, port)) = bracketed(value) {
        let addr = inside.string().parse::<Ipv6Addr>();
        return match (port.filter(|p| !p.is_empty()), family, addr) {
            (None, ..) => {
                wrong("invalid address for virtual server", Some(format!("a port is missing: [{}]:80", inside.string())))
            }
            (_, Family::Inet, _) => wrong("cannot specify an IPv6 address here. please use \"virtual6\" instead.", None),
            (_, _, Err(_)) => wrong("invalid ipv6 address for virtual server", None),
            (Some(port), ..) => Some(value.with(Address::Host { host: inside.spanned(), port: port.spanned() })),
        };
    }
    let (name, rest) = value.span_of(host);
    let (number, behind) = rest.strip_prefix(b":").map_or((rest.take(0), rest), |p| p.span_of(port));
    if !name.is_empty() && !number.is_empty() {
        if family == Family::Inet6 && behind.bytes.first() == Some(&b':') {
            return wrong("invalid ipv6 address for virtual server", Some("an IPv6 address stands in brackets".to_owned()));
        }
        return Some(name.with(Address::Host { host: name.spanned(), port: number.spanned() }));
    }
    let (digits, behind) = value.span_of(|b| b.is_ascii_digit());
    // The original takes the digits before the first dot for a firewall mark: nobody means that.
    if digits.is_empty() || matches!(behind.bytes.first(), Some(b'.' | b':')) {
        let hint = if value.is_blank() {
            "an address and a port, such as 10.0.0.1:80, or a firewall mark, such as 5".to_owned()
        } else if name.is_empty() || rest.bytes.starts_with(b"::") {
            "an IPv6 address stands in brackets behind virtual6=, with a port: [fd00::1]:80".to_owned()
        } else if matches!(name.bytes, b"tcp" | b"udp" | b"fwm") {
            format!("the protocol has a line of its own in the block: protocol={}", name.string())
        } else if rest.bytes.starts_with(b"://") {
            format!("an address and a port, without {}://", name.string())
        } else if rest.trim_start().bytes.first() == Some(&b':') {
            "no blanks around the colon".to_owned()
        } else if rest.trim_start().bytes.first().is_some_and(u8::is_ascii_digit) {
            format!("a colon between address and port: {}:{}", name.string(), rest.trim_start().string())
        } else {
            format!("a port is missing: {}:80", name.string())
        };
        return wrong("invalid address for virtual server", Some(hint));
    }
    match digits.digits() {
        Spanned { value: 0 | u32::MAX, .. } => {
            wrong("invalid address for virtual server", Some("a firewall mark is a number from 1".to_owned()))
        }
        mark => Some(Spanned::new(Address::Mark(mark.value), mark.span)),
    }
}

/// The value of `real=` (or `real6=`).
pub(super) fn real(value: Text<'_>, family: Family, found: &mut Vec<Diagnostic>) -> Option<Real> {
    let (token, rest) = value.span_of(|b| !blank(b));
    let method = rest.trim_start();
    let mut wrong = |hint: &str| {
        let error = Diagnostic::error(value.trim_end().span(), "invalid address for real server (wrong format)");
        found.push(error.hint(hint));
        None
    };
    if method.is_empty() && token.bytes.contains(&b',') {
        return wrong("blanks, not commas, between address, method and weight");
    }
    if method.is_empty() {
        return wrong("the forwarding method is missing: gate, masq or ipip behind the address");
    }
    let Some((host, last, port)) = range(token, family) else {
        return wrong(match family {
            Family::Inet if token.bytes.first() == Some(&b'[') => "an IPv6 server is written real6= in a virtual6= block",
            Family::Inet => "ADDRESS:PORT METHOD, or FIRST->LAST:PORT METHOD",
            Family::Inet6 => "[ADDRESS]:PORT METHOD",
        });
    };
    if let (Family::Inet6, Some(last)) = (family, last) {
        found.push(Diagnostic::error(last.span(), "Address range for IPv6 is not supported yet"));
        return None;
    }
    let (name, rest) = method.span_of(word);
    let forward = forward(name, method, found);
    let mut real = Real {
        span: value.trim_end().span(),
        family,
        host: host.spanned(),
        last: last.map(Text::spanned),
        port: port.map(Text::spanned),
        forward,
        weight: 1,
        check: None,
        lower: 0,
        upper: 0,
    };
    let rest = forward.map_or(rest.skip(rest.bytes.len()), |_| options(rest, &mut real));
    if !rest.is_blank() {
        let text = format!("Invalid real server line, around \"{}\"", rest.trim_end().string());
        let hint = match rest.trim_start().bytes {
            more if more.starts_with(b"weight") => "the weight is the number alone: gate 5",
            more if more.starts_with(b"-") => "a weight is 0 or more",
            _ => "METHOD [WEIGHT] [\"REQUEST\", \"RECEIVE\"] [l:LOWER] [u:UPPER], a weight being at most 65535",
        };
        found.push(Diagnostic::error(rest.trim_start().trim_end().span(), text).hint(hint));
    }
    Some(real)
}

/// The value of `fallback=` (or `fallback6=`).
pub(super) fn fallback(value: Text<'_>, family: Family, found: &mut Vec<Diagnostic>) -> Option<Fallback> {
    let (token, rest) = value.span_of(|b| !blank(b));
    let whole = value.trim_end();
    let invalid = || Diagnostic::error(whole.span(), format!("invalid fallback server: {}", whole.string()));
    let (host, port) = match bracketed(token) {
        Some((inside, port)) => (inside, port),
        None if family == Family::Inet6 && token.string().parse::<Ipv6Addr>().is_ok() => {
            found.push(invalid().hint("an IPv6 address stands in brackets"));
            return None;
        }
        None => match token.bytes.iter().rposition(|&b| b == b':') {
            Some(colon) if token.skip(colon + 1).bytes.iter().all(|&b| port(b)) => {
                (token.take(colon), Some(token.skip(colon + 1)))
            }
            _ => (token, None),
        },
    };
    if host.is_empty() || port.is_some_and(Text::is_empty) {
        found.push(invalid().hint("ADDRESS, ADDRESS:PORT or ADDRESS:PORT METHOD"));
        return None;
    }
    let method = rest.trim_start();
    let forward = if method.is_empty() { Forward::Gate } else { forward(method.span_of(word).0, method, found)? };
    Some(Fallback { span: whole.span(), family, host: host.spanned(), port: port.map(Text::spanned), forward })
}

fn forward(name: Text<'_>, at: Text<'_>, found: &mut Vec<Diagnostic>) -> Option<Forward> {
    match name.bytes {
        b"gate" => Some(Forward::Gate),
        b"masq" => Some(Forward::Masq),
        b"ipip" => Some(Forward::Ipip),
        _ => {
            let span = if name.is_empty() { at.trim_end().span() } else { name.span() };
            let error = Diagnostic::error(span, "forward method must be gate, masq or ipip");
            found.push(error.hint(hints::forward(if name.is_empty() { at } else { name })));
            None
        }
    }
}

/// `[INSIDE]` and what follows a colon, if one does: bytes of a port name.
fn bracketed(text: Text<'_>) -> Option<(Text<'_>, Option<Text<'_>>)> {
    let (inside, rest) = text.strip_prefix(b"[")?.span_of(|b| b != b']');
    let rest = rest.strip_prefix(b"]")?;
    Some((inside, rest.strip_prefix(b":").map(|p| p.span_of(port).0)))
}

/// `HOST[->HOST2][:PORT]`, all of it.
#[allow(clippy::type_complexity, reason = "three parts of one text, taken apart by the only caller")]
fn range(token: Text<'_>, family: Family) -> Option<(Text<'_>, Option<Text<'_>>, Option<Text<'_>>)> {
    let arrow = token.bytes.windows(2).position(|w| w == b"->");
    let (first, tail) = match arrow {
        Some(at) => (Some(token.take(at)), token.skip(at + 2)),
        None => (None, token),
    };
    let (end, port) = one(tail, family)?;
    match first {
        None => Some((end, None, port)),
        Some(first) => match one(first, family)? {
            (first, None) => Some((first, Some(end), port)),
            _ => None,
        },
    }
}

/// `HOST[:PORT]`, all of it.
fn one(text: Text<'_>, family: Family) -> Option<(Text<'_>, Option<Text<'_>>)> {
    let (name, rest) = match text.strip_prefix(b"[") {
        Some(inside) if family == Family::Inet6 => {
            let (inside, rest) = inside.span_of(|b| b != b']');
            (inside, rest.strip_prefix(b"]")?)
        }
        _ => text.span_of(host),
    };
    if name.is_empty() {
        return None;
    }
    if rest.is_empty() {
        return Some((name, None));
    }
    let (number, behind) = rest.strip_prefix(b":")?.span_of(port);
    (!number.is_empty() && behind.is_empty()).then_some((name, Some(number)))
}

/// What may follow the method; the rest that is none of it.
fn options<'a>(rest: Text<'a>, real: &mut Real) -> Text<'a> {
    let mut rest = rest;
    if let Some((number, behind)) = after_blanks(rest, b"") {
        if number.value > WEIGHT {
            return rest;
        }
        (real.weight, rest) = (number.value, behind);
    }
    if let Some((request, receive, behind)) = strings(rest) {
        real.check = Some((request.spanned(), receive.spanned()));
        rest = behind;
    }
    if let Some((number, behind)) = after_blanks(rest, b"l:") {
        (real.lower, rest) = (number.value, behind);
    }
    if let Some((number, behind)) = after_blanks(rest, b"u:") {
        (real.upper, rest) = (number.value, behind);
    }
    rest
}

/// Blanks, `prefix` and a number.
fn after_blanks<'a>(text: Text<'a>, prefix: &[u8]) -> Option<(Spanned<u32>, Text<'a>)> {
    let (blanks, rest) = text.span_of(blank);
    let (digits, behind) = rest.strip_prefix(prefix)?.span_of(|b| b.is_ascii_digit());
    (!blanks.is_empty() && !digits.is_empty()).then(|| (digits.digits(), behind))
}

/// Blanks, `"REQUEST"`, one comma or blank, blanks, `"RECEIVE"`. Quotes within go to the request as far as possible.
fn strings(text: Text<'_>) -> Option<(Text<'_>, Text<'_>, Text<'_>)> {
    let (blanks, rest) = text.span_of(blank);
    let body = rest.strip_prefix(b"\"").filter(|_| !blanks.is_empty())?;
    let close = body.bytes.iter().rposition(|&b| b == b'"')?;
    let head = body.take(close);
    (0..close).rev().find_map(|end| {
        let (request, tail) = head.split(end);
        let separator = tail.strip_prefix(b"\"")?;
        let first = separator.bytes.first()?;
        let receive = separator.skip(1).trim_start().strip_prefix(b"\"")?;
        (*first == b',' || blank(*first)).then_some((request, receive, body.skip(close + 1)))
    })
}
