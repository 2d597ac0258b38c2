//! Which check of a plan is meant by the words on a command line.

use std::net::{IpAddr, SocketAddr};

use crate::director::plan::{Plan, Real, Virtual};
use crate::ipvs::model::{Protocol, ServiceKey};

/// The checks of the real servers that are meant: one, unless the server stands there with several ports.
///
/// # Errors
/// What is not there, and what there is instead.
pub fn checks<'a>(
    plan: &'a Plan,
    service: &str,
    real: &str,
    resolve: impl Fn(&str) -> Vec<IpAddr>,
) -> Result<Vec<(&'a Virtual, &'a Real)>, String> {
    let virtuals: Vec<&Virtual> = plan.virtuals.iter().filter(|v| means(v.service.key, service, &resolve)).collect();
    if virtuals.is_empty() {
        let there = list(plan.virtuals.iter().map(|v| v.service.key.to_string()));
        return Err(format!("the file has no virtual service {service}; it has {there}"));
    }
    let mut found: Vec<(&Virtual, &Real)> = Vec::new();
    for v in &virtuals {
        for r in v.reals.iter().filter(|r| is(r, real, &resolve)) {
            if found.iter().all(|(w, f)| w.service.key != v.service.key || f.check != r.check) {
                found.push((v, r));
            }
        }
    }
    if found.is_empty() {
        let there = list(virtuals.iter().flat_map(|v| v.reals.iter().map(|r| r.written.clone())));
        return Err(format!("{service} has no real server {real}; it has {there}"));
    }
    Ok(found)
}

/// Whether the words name the service.
fn means(key: ServiceKey, words: &str, resolve: &impl Fn(&str) -> Vec<IpAddr>) -> bool {
    let (protocol, words) = match words.split_once([':', ' ']) {
        Some(("tcp", rest)) => (Some(Protocol::Tcp), rest),
        Some(("udp", rest)) => (Some(Protocol::Udp), rest),
        Some(("fwm", rest)) => (None, rest),
        _ => (None, words),
    };
    match key {
        ServiceKey::Fwmark { mark, .. } => words.parse() == Ok(mark),
        ServiceKey::Addr { protocol: of, addr, port } => {
            protocol.is_none_or(|p| p == of)
                && named(words, resolve).is_some_and(|(addrs, p)| p == Some(port) && addrs.contains(&addr))
        }
    }
}

/// Whether the words name the real server: its address, perhaps with the port as written or as in the table.
fn is(real: &Real, words: &str, resolve: &impl Fn(&str) -> Vec<IpAddr>) -> bool {
    let written = real.written.parse::<SocketAddr>().ok().map(|a| a.port());
    named(words, resolve).is_some_and(|(addrs, port)| {
        addrs.contains(&real.dest.key.addr) && port.is_none_or(|p| p == real.dest.key.port || Some(p) == written)
    })
}

/// The addresses and the port that are written.
fn named(words: &str, resolve: &impl Fn(&str) -> Vec<IpAddr>) -> Option<(Vec<IpAddr>, Option<u16>)> {
    if let Ok(addr) = words.parse::<SocketAddr>() {
        return Some((vec![addr.ip()], Some(addr.port())));
    }
    if let Ok(addr) = words.trim_matches(['[', ']']).parse() {
        return Some((vec![addr], None));
    }
    match words.rsplit_once(':') {
        Some((name, port)) => Some((resolve(name), Some(port.parse().ok()?))),
        None => Some((resolve(words), None)),
    }
}

/// The first of them, for a message.
fn list(names: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<String> = names.collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names.get(..SHOWN).unwrap_or_default().join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}
