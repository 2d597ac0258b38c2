//! `explain --json`: the answer as one JSON object on one line.

use std::net::IpAddr;

use serde::Serialize;

use crate::cli::ipvsadm::render::json;
use crate::ipvs::explain::{Answer, Chance, Match, Template};

/// The answer. In it a service and its real servers have the shape of `ipvsadm -L --json`.
#[derive(Debug, Serialize)]
pub(in crate::cli::ipvs) struct Explained<'a> {
    /// `null`: IPVS lets the packet pass.
    service: Option<json::Service<'a>>,
    /// How it was found: `mark`, `exact`, `ftp_data`, `all_ports`.
    #[serde(rename = "match")]
    how: Option<Match>,
    /// In the table's order.
    candidates: Vec<Candidate>,
    /// Where the client is bound to by persistence.
    bound: Option<Bound>,
    /// What else holds, a sentence each.
    notes: &'a [String],
}

#[derive(Debug, Serialize)]
struct Candidate {
    address: IpAddr,
    port: u16,
    /// `yes`, `weight_zero`, `overloaded`, `between_thresholds`.
    chance: Chance,
}

#[derive(Debug, Serialize)]
struct Bound {
    address: IpAddr,
    port: u16,
    expires_seconds: u64,
}

impl<'a> Explained<'a> {
    /// Of this answer.
    pub(in crate::cli::ipvs) fn of(answer: &'a Answer<'a>) -> Self {
        let candidate = |c: &crate::ipvs::explain::Candidate<'_>| {
            let key = c.entry.dest.key;
            Candidate { address: key.addr, port: key.port, chance: c.chance }
        };
        let bound = |t: Template| Bound { address: t.dest.0, port: t.dest.1, expires_seconds: t.expires };
        Self {
            service: answer.service.map(|(entry, _)| json::service(entry, false)),
            how: answer.service.map(|(_, how)| how),
            candidates: answer.candidates.iter().map(candidate).collect(),
            bound: answer.bound.map(bound),
            notes: &answer.notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::explain::{Packet, explain};
    use crate::ipvs::model::{
        Dest, DestEntry, DestKey, Forward, Protocol, Service, ServiceEntry, ServiceFlags, ServiceKey, Stats, Tunnel,
    };

    #[test]
    fn a_program_learns_who_may_be_chosen_and_why_others_not() {
        let key = ServiceKey::Addr { protocol: Protocol::Tcp, addr: IpAddr::from([10, 0, 0, 1]), port: 80 };
        let dest = |host, weight| {
            let key = DestKey { addr: IpAddr::from([10, 0, 1, host]), port: 80 };
            let dest = Dest { key, forward: Forward::Gate, weight, upper: 0, lower: 0, tunnel: Tunnel::default() };
            DestEntry { dest, active: 0, inactive: 0, persistent: 0, stats: Stats::default() }
        };
        let service =
            Service { key, scheduler: "rr".to_owned(), flags: ServiceFlags::default(), persistence: None, engine: None };
        let table = [ServiceEntry { service, stats: Stats::default(), dests: vec![dest(2, 0), dest(1, 1)] }];
        let packet = Packet { to: Some((Protocol::Tcp, IpAddr::from([10, 0, 0, 1]), 80)), mark: 0, from: None };
        let answer = explain(&packet, &table, &[], &Default::default());
        let said = serde_json::to_value(Explained::of(&answer)).unwrap();
        assert_eq!((&said["match"], &said["service"]["port"]), (&"exact".into(), &80.into()));
        let chances: Vec<_> = said["candidates"].as_array().unwrap().iter().map(|c| (&c["address"], &c["chance"])).collect();
        assert_eq!(chances, [(&"10.0.1.2".into(), &"weight_zero".into()), (&"10.0.1.1".into(), &"yes".into())]);
        let none = explain(&packet, &[], &[], &Default::default());
        assert!(serde_json::to_value(Explained::of(&none)).unwrap()["service"].is_null());
    }
}
