//! `-L -c`: the kernel's connection entries, from the text of `/proc/net/ip_vs_conn`.
//!
//! ```text
//! Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
//! UDP 0A090001 0FA0 0A090064 1388 0A09000B 1388 UDP             294
//! ```
//! Addresses and ports are hexadecimal, IPv6 addresses written in full; the engine's columns are there when one is used.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::{Names, endpoint};
use crate::ipvs::explain::Template;
use crate::ipvs::model::Protocol;

/// One connection entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// `TCP` and the like, as the file has it.
    pub(super) protocol: String,
    /// Address and port of the client.
    pub(super) client: (IpAddr, u16),
    /// Of the virtual service.
    pub(super) virtual_server: (IpAddr, u16),
    /// Of the real server.
    pub(super) dest: (IpAddr, u16),
    /// TCP's or SCTP's state; `NONE` for a persistence template.
    pub(super) state: String,
    /// Seconds until it ends without a packet.
    pub(super) expires: u64,
    /// Persistence engine and its data.
    pub(super) engine: Option<(String, String)>,
}

/// The entries, in the file's order; `Err`: the line that is not of this form.
pub(super) fn entries(table: &str) -> impl Iterator<Item = Result<Entry, String>> {
    let lines = table.lines().skip(1).filter(|line| !line.trim().is_empty());
    lines.map(|line| Entry::parse(line).ok_or_else(|| line.to_owned()))
}

/// The listing, in the file's order. `engines`: with persistence engines (`--persistent-conn`). `Err`: the line that is
/// not of this form.
pub fn connections(table: &str, engines: bool, names: Option<&dyn Names>) -> Result<String, String> {
    let mut out =
        String::from("IPVS connection entries\npro expire state       source             virtual            destination");
    if engines {
        out.push_str("        pe name          pe_data");
    }
    out.push('\n');
    for entry in entries(table) {
        out.push_str(&row(&entry?, engines, names));
        out.push('\n');
    }
    Ok(out)
}

/// The addresses that the listing shows by their names.
#[must_use]
pub fn addresses(table: &str) -> BTreeSet<IpAddr> {
    entries(table).filter_map(Result::ok).flat_map(|e| [e.client.0, e.virtual_server.0, e.dest.0]).collect()
}

/// The persistence templates among the entries.
#[must_use]
pub fn templates(table: &str) -> Vec<Template> {
    let templates = entries(table).filter_map(Result::ok).filter(|e| e.client.1 == 0 && e.state == "NONE");
    let template = |e: Entry| Template { client: e.client.0, virtual_server: e.virtual_server, dest: e.dest, expires: e.expires };
    templates.map(template).collect()
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let mut word = || words.next();
        let protocol = word()?.to_owned();
        let mut address = || Some((address(word()?)?, u16::from_str_radix(word()?, 16).ok()?));
        let (client, virtual_server, dest) = (address()?, address()?, address()?);
        let state = word()?.to_owned();
        let expires = word()?.parse().ok()?;
        let engine = word().map(|engine| (engine.to_owned(), word().unwrap_or_default().to_owned()));
        Some(Self { protocol, client, virtual_server, dest, state, expires, engine })
    }
}

fn row(entry: &Entry, engines: bool, names: Option<&dyn Names>) -> String {
    let Entry { protocol: name, client, virtual_server, dest, state, expires, engine } = entry;
    let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find(|p| p.name().eq_ignore_ascii_case(name));
    let shown = |(addr, port): &(IpAddr, u16)| {
        let mut text = String::new();
        endpoint(&mut text, *addr, *port, protocol, names);
        text
    };
    let (source, virtual_server, dest) = (shown(client), shown(virtual_server), shown(dest));
    let expires = format!("{:02}:{:02}", expires / 60, expires % 60);
    let start = format!("{name:<3} {expires:<6} {state:<11} {source:<18} {virtual_server:<18}");
    match engine.as_ref().filter(|_| engines) {
        Some((engine, data)) => format!("{start} {dest:<16} {engine:<18} {data}"),
        None => format!("{start} {dest}"),
    }
}

fn address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok().map(IpAddr::V6);
    }
    u32::from_str_radix(text, 16).ok().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n\
                         UDP 0A090001 0FA0 0A090064 1388 0A09000B 1389 UDP             294\n\
                         UDP 0A090001 0000 0A090064 13C4 0A09000B 13C4 NONE             24 sip abc123@host\n\
                         TCP 0A090001 86CC 0A090064 0050 fd00:0009:0000:0000:0000:0000:0000:0011 0050 SYN_RECV       6057\n";

    #[test]
    fn entries_as_the_original_has_them() {
        let text = connections(TABLE, false, None).unwrap();
        let expected = "IPVS connection entries\n\
            pro expire state       source             virtual            destination\n\
            UDP 04:54  UDP         10.9.0.1:4000      10.9.0.100:5000    10.9.0.11:5001\n\
            UDP 00:24  NONE        10.9.0.1:0         10.9.0.100:5060    10.9.0.11:5060\n\
            TCP 100:57 SYN_RECV    10.9.0.1:34508     10.9.0.100:80      [fd00:9::11]:80\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn engines_have_columns_of_their_own() {
        let text = connections(TABLE, true, None).unwrap();
        assert!(text.contains("destination        pe name          pe_data\n"));
        assert!(text.contains(" 10.9.0.100:5060    10.9.0.11:5060   sip                abc123@host\n"), "{text}");
    }

    #[test]
    fn another_form_is_named() {
        assert_eq!(connections("title\nTCP what\n", false, None), Err("TCP what".to_owned()));
    }
}
