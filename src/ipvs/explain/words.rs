//! The explanation in plain language.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Answer, Candidate, Chance, Match, Packet, Template, masked};
use crate::ipvs::model::{Family, Forward, Granularity, ServiceEntry, ServiceFlags, ServiceKey};
use crate::ipvs::sysctl::{PREFIX, setting_named};

/// The whole answer.
#[must_use]
pub fn text(packet: &Packet, answer: &Answer<'_>) -> String {
    let mut out = String::new();
    let Some((service, how)) = answer.service else {
        let _ = writeln!(out, "No virtual service takes {}: IPVS lets it pass, as if it were not there.", name(packet));
        out.push_str(&sentences(&answer.notes));
        return out;
    };
    let key = service.service.key;
    let why = match how {
        Match::Mark => "by its firewall mark, which is looked at before address and port".to_owned(),
        Match::Exact => "by address and port".to_owned(),
        Match::FtpData => "as a data connection of FTP: there is no service on that port, but one on port 21".to_owned(),
        Match::AllPorts => "by its address: there is no service on that port, and port 0 stands for every port".to_owned(),
    };
    let _ = writeln!(out, "{key} takes {} ({why}).", name(packet));
    if answer.candidates.is_empty() {
        out.push_str("It has no real servers.\n");
    }
    for candidate in &answer.candidates {
        let _ = writeln!(out, "  {}", candidate_line(candidate));
    }
    out.push_str(&sentences(&answer.notes));
    out
}

fn sentences(notes: &[String]) -> String {
    notes.iter().fold(String::new(), |mut out, note| {
        let _ = writeln!(out, "- {note}");
        out
    })
}

fn name(packet: &Packet) -> String {
    let mark = if packet.mark == 0 { String::new() } else { format!(" with mark {}", packet.mark) };
    let from = packet.from.map_or_else(String::new, |from| format!(" from {from}"));
    match packet.to {
        Some((protocol, addr, port)) => format!("{}{mark}{from}", ServiceKey::Addr { protocol, addr, port }),
        None => format!("a packet{mark}{from}"),
    }
}

fn candidate_line(candidate: &Candidate<'_>) -> String {
    let (entry, dest) = (candidate.entry, &candidate.entry.dest);
    let connections = u64::from(entry.active) + u64::from(entry.inactive);
    let (sign, why) = match candidate.chance {
        Chance::Yes => ("yes", format!("may be chosen, weight {}", dest.weight)),
        Chance::WeightZero => ("no ", "weight 0: drained or failed, it keeps its connections and gets no new ones".to_owned()),
        Chance::Overloaded => (
            "no ",
            format!("overloaded: {connections} connections, its upper threshold is {}; again below {}", dest.upper, again(dest)),
        ),
        Chance::BetweenThresholds => (
            "?  ",
            format!(
                "{connections} connections: not if it had {} since it last had fewer than {}, else yes",
                dest.upper,
                again(dest)
            ),
        ),
    };
    format!("{sign} {}: {why}", dest.key)
}

/// Below how many connections an overload ends.
fn again(dest: &crate::ipvs::model::Dest) -> u64 {
    if dest.lower == 0 { (u64::from(dest.upper) * 3).div_ceil(4) } else { u64::from(dest.lower) }
}

/// What holds for this service and these settings.
pub(super) fn notes(
    packet: &Packet,
    found: Option<(&ServiceEntry, Match)>,
    candidates: &[Candidate<'_>],
    bound: Option<&Template>,
    settings: &BTreeMap<String, String>,
) -> Vec<String> {
    let setting = |name: &str| value(settings, name);
    let mut out = Vec::new();
    let Some((service, how)) = found else {
        if packet.mark != 0 {
            out.push(format!("There is no service for mark {} in this packet's family.", packet.mark));
        }
        return out;
    };
    let chance = |wanted| candidates.iter().filter(|c| c.chance == wanted).count();
    let usable = chance(Chance::Yes) + chance(Chance::BetweenThresholds);
    if usable == 0 {
        out.push(if setting("cache_bypass") == "1" && service.service.key.family() == Family::Inet {
            "No real server can be chosen: since cache_bypass is 1 the packet may go on to where it was bound.".to_owned()
        } else {
            "No real server can be chosen: the client is told that the port is unreachable.".to_owned()
        });
    }
    out.push(scheduler(service));
    hashing(service, candidates, &mut out);
    persistence(packet, service, candidates, bound, &setting, &mut out);
    if service.service.flags.has(ServiceFlags::ONE_PACKET) {
        out.push("One-packet scheduling: every datagram is scheduled by itself.".to_owned());
    }
    if how == Match::FtpData {
        out.push(
            "Whether the real server expects this data connection IPVS knows only with persistence or the helper ip_vs_ftp."
                .to_owned(),
        );
    }
    forwarding(candidates, settings, &mut out);
    general(candidates, &setting, &mut out);
    out
}

/// A setting of IPVS, or its default.
fn value(settings: &BTreeMap<String, String>, name: &str) -> String {
    let default = || setting_named(name).map(|s| s.default.to_owned()).unwrap_or_default();
    settings.get(&format!("{PREFIX}{name}")).map_or_else(default, |v| v.trim().to_owned())
}

fn scheduler(service: &ServiceEntry) -> String {
    let name = service.service.scheduler.as_str();
    let how = match name {
        "rr" => "each in turn, whatever its weight",
        "wrr" => "each in turn, as often as its weight says",
        "lc" => "the one with the fewest connections (an active one counts 256 inactive ones)",
        "wlc" => "the one with the fewest connections for its weight (an active one counts 256 inactive ones)",
        "lblc" => "the same one for the same destination address, unless it has too many connections",
        "lblcr" => "one of a set for the same destination address, the one with the fewest connections",
        "dh" => "by a hash of the destination address",
        "sh" => "by a hash of the client's address",
        "mh" => "by a hash of the client's address that moves few clients when a real server comes or goes",
        "sed" => "the one with the shortest expected delay: (active connections + 1) / weight",
        "nq" => "an idle one at once, else the one with the shortest expected delay",
        "fo" => "always the one with the highest weight",
        "ovf" => "the one with the highest weight until it has as many active connections as its weight, then the next",
        "none" => return "Without a scheduler no new connection gets a real server.".to_owned(),
        _ => return format!("The scheduler is {name}."),
    };
    format!("The scheduler {name} chooses {how}.")
}

/// Hashing schedulers choose first and look afterwards.
fn hashing(service: &ServiceEntry, candidates: &[Candidate<'_>], out: &mut Vec<String>) {
    let name = service.service.scheduler.as_str();
    let unfit = candidates.iter().any(|c| c.chance != Chance::Yes);
    let fallback = service.service.flags.has(ServiceFlags::SCHED1);
    match name {
        "sh" | "mh" if unfit && !fallback => out.push(format!(
            "Clients whose hash names a real server that cannot be chosen get none: {name}-fallback would give them another."
        )),
        "sh" | "mh" if unfit => {
            out.push(format!("{name}-fallback: a client whose hash names one that cannot be chosen gets another."))
        }
        "dh" if unfit => out.push("A destination whose hash names a real server that cannot be chosen gets none.".to_owned()),
        _ => {}
    }
    if matches!(name, "sh" | "mh") && service.service.flags.has(ServiceFlags::SCHED2) {
        out.push(format!("{name}-port: the client's port is hashed too, so that one client may have several real servers."));
    }
}

fn persistence(
    packet: &Packet,
    service: &ServiceEntry,
    candidates: &[Candidate<'_>],
    bound: Option<&Template>,
    setting: &dyn Fn(&str) -> String,
    out: &mut Vec<String>,
) {
    let Some(persistence) = service.service.persistence else { return };
    let who = match persistence.granularity {
        same if same == Granularity::host(service.service.key.family()) => "a client".to_owned(),
        Granularity::Mask(mask) => {
            format!("all clients that are the same under {} together", std::net::Ipv4Addr::from_bits(mask))
        }
        Granularity::Prefix(length) => format!("all clients of the same /{length} together"),
    };
    let ports = if service.service.key.port() == 0 { ", on every port" } else { "" };
    let seconds = persistence.timeout;
    out.push(format!(
        "Persistent, {seconds} s: only the first connection of {who} is scheduled; the next ones follow it{ports}."
    ));
    let quiesced = |(addr, port): (std::net::IpAddr, u16)| {
        candidates
            .iter()
            .any(|c| c.chance == Chance::WeightZero && c.entry.dest.key.addr == addr && c.entry.dest.key.port == port)
    };
    let moves = setting("expire_quiescent_template") == "1";
    if let Some(template) = bound {
        let (addr, port) = template.dest;
        let dest = crate::ipvs::model::DestKey { addr, port };
        let gone = quiesced(template.dest) && moves;
        let then =
            if gone { "; since it has weight 0 and expire_quiescent_template is 1, the client is scheduled anew" } else { "" };
        out.push(format!("This client is bound to {dest} for another {} s{then}.", template.expires));
    } else if let Some(from) = packet.from {
        let masked = masked(from, persistence.granularity);
        let same = if masked == from { String::new() } else { format!(" (it counts as {masked})") };
        out.push(format!("This client is not bound to a real server now{same}."));
    }
    if candidates.iter().any(|c| c.chance == Chance::WeightZero) {
        out.push(if moves {
            "expire_quiescent_template is 1: clients bound to a real server of weight 0 move with their next connection."
                .to_owned()
        } else {
            "expire_quiescent_template is 0: clients bound to a real server of weight 0 go on getting it, though it be dead."
                .to_owned()
        });
    }
}

fn forwarding(candidates: &[Candidate<'_>], settings: &BTreeMap<String, String>, out: &mut Vec<String>) {
    let by = |forward| candidates.iter().any(|c| c.entry.dest.forward == forward);
    if by(Forward::Gate) {
        out.push("Direct routing: a real server must be on a network of the director and have the virtual address without announcing it by ARP.".to_owned());
    }
    if by(Forward::Ipip) {
        out.push(
            "Tunnel: a real server must take the tunnel apart and have the virtual address without announcing it by ARP."
                .to_owned(),
        );
    }
    if by(Forward::Masq) {
        out.push("Address translation: the replies of a real server must come back through the director.".to_owned());
        let off = settings.get("net.ipv4.ip_forward").is_some_and(|v| v.trim() == "0");
        if off && candidates.iter().any(|c| c.entry.dest.key.addr.is_ipv4()) {
            out.push("net.ipv4.ip_forward is 0: these replies are not passed on.".to_owned());
        }
    }
}

fn general(candidates: &[Candidate<'_>], setting: &dyn Fn(&str) -> String, out: &mut Vec<String>) {
    if setting("conn_reuse_mode") == "0" {
        out.push("conn_reuse_mode is 0: a client that uses a port again stays with the real server it had on it.".to_owned());
    }
    if setting("sloppy_tcp") == "1" {
        out.push("sloppy_tcp is 1: also a packet in the middle of a connection that is not known is scheduled.".to_owned());
    }
    if setting("backup_only") == "1" {
        out.push("backup_only is 1: while the backup daemon runs here without a master daemon nothing is forwarded.".to_owned());
    }
    for (name, what) in [("drop_entry", "connection entries"), ("drop_packet", "packets")] {
        if ["2", "3"].contains(&setting(name).as_str()) {
            out.push(format!("{name} is {}: {what} are being dropped against a flood.", setting(name)));
        }
    }
    if !candidates.is_empty() {
        out.push(if setting("expire_nodest_conn") == "1" {
            "expire_nodest_conn is 1: when a real server is removed from the table its connections end at once.".to_owned()
        } else {
            "expire_nodest_conn is 0: when a real server is removed from the table, packets of its connections are dropped until they \
             time out or it is back."
                .to_owned()
        });
    }
}
