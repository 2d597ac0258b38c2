//! From the table that is to the table that should be, with the fewest commands.
//!
//! Only owned services are touched: those that are desired, and those whose key the caller says is his. Everything else
//! belongs to somebody else and stays.

use std::collections::BTreeSet;

use super::model::{Command, Dest, Forward, Granularity, Persistence, Service, ServiceFlags, ServiceKey, Table, TableService};

/// The flags that a service's owner sets; the rest is the kernel's or follows from the persistence.
const FLAGS: u32 = ServiceFlags::ONE_PACKET | ServiceFlags::SCHED1 | ServiceFlags::SCHED2 | ServiceFlags::SCHED3;

/// The commands that turn `actual` into `desired` on the owned services: those of `desired` and those in `owned`.
///
/// Within a service, real servers are added first, then those that get connections are edited, then those that stop
/// getting them, and deletions come last: a service that has a usable real server before and after has one all the time,
/// and a fallback server leaves only when the real one is there. Services are deleted last of all.
#[must_use]
pub fn diff(actual: &Table, desired: &Table, owned: &BTreeSet<ServiceKey>) -> Vec<Command> {
    let mut out = Vec::new();
    for (key, wanted) in &desired.services {
        match actual.services.get(key) {
            Some(found) => {
                if !same_service(&found.service, &wanted.service) {
                    out.push(Command::EditService(wanted.service.clone()));
                }
                diff_dests(found, wanted, &mut out);
            }
            None => {
                out.push(Command::AddService(wanted.service.clone()));
                out.extend(wanted.dests.values().map(|d| Command::AddDest(*key, d.clone())));
            }
        }
    }
    let gone = actual.services.keys().filter(|k| owned.contains(k) && !desired.services.contains_key(k));
    out.extend(gone.map(|k| Command::DeleteService(*k)));
    out
}

fn diff_dests(found: &TableService, wanted: &TableService, out: &mut Vec<Command>) {
    let key = wanted.service.key;
    let changed: Vec<&Dest> =
        wanted.dests.values().filter(|d| found.dests.get(&d.key).is_some_and(|f| !same_dest(f, d))).collect();
    let edits = |usable: bool| {
        changed.iter().filter(move |d| (d.weight > 0) == usable).map(move |d| Command::EditDest(key, Dest::clone(d)))
    };
    let added = wanted.dests.values().filter(|d| !found.dests.contains_key(&d.key));
    out.extend(added.map(|d| Command::AddDest(key, d.clone())));
    out.extend(edits(true));
    out.extend(edits(false));
    let gone = found.dests.keys().filter(|k| !wanted.dests.contains_key(k));
    out.extend(gone.map(|k| Command::DeleteDest(key, *k)));
}

/// Whether the kernel would not notice the edit.
fn same_service(found: &Service, wanted: &Service) -> bool {
    let persistence = |service: &Service| {
        service.persistence.map(|p| {
            let host = Granularity::host(service.key.family());
            let fits = std::mem::discriminant(&host) == std::mem::discriminant(&p.granularity);
            Persistence { granularity: if fits { p.granularity } else { host }, ..p }
        })
    };
    found.scheduler == wanted.scheduler
        && found.flags.0 & FLAGS == wanted.flags.0 & FLAGS
        && persistence(found) == persistence(wanted)
        && found.engine == wanted.engine
}

/// Whether the kernel would not notice the edit. It reports [`Forward::Local`] for real servers it serves itself,
/// whatever was asked for, and tunnel parameters matter to tunnels alone.
fn same_dest(found: &Dest, wanted: &Dest) -> bool {
    (found.forward == wanted.forward || found.forward == Forward::Local)
        && (found.weight, found.upper, found.lower) == (wanted.weight, wanted.upper, wanted.lower)
        && (wanted.forward != Forward::Ipip || found.forward == Forward::Local || found.tunnel == wanted.tunnel)
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::ipvs::model::{DestKey, Family, Protocol, Tunnel};

    pub(in crate::ipvs) fn key(n: u8) -> ServiceKey {
        match n {
            0 => ServiceKey::Fwmark { mark: 5, family: Family::Inet },
            1 => ServiceKey::Fwmark { mark: 5, family: Family::Inet6 },
            n => ServiceKey::Addr { protocol: Protocol::Tcp, addr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), port: 80 },
        }
    }

    fn dest_strategy() -> impl Strategy<Value = Dest> {
        (1u8..5, 0u8..3, 0u32..3, 0u32..2).prop_map(|(host, forward, weight, upper)| Dest {
            key: DestKey { addr: IpAddr::V4(Ipv4Addr::new(10, 0, 1, host)), port: 80 },
            forward: [Forward::Gate, Forward::Masq, Forward::Ipip][usize::from(forward)],
            weight,
            upper,
            lower: 0,
            tunnel: Tunnel::default(),
        })
    }

    pub(in crate::ipvs) fn table_strategy() -> impl Strategy<Value = Table> {
        let service = (0u8..5, prop::bool::ANY, prop::bool::ANY, prop::collection::vec(dest_strategy(), 0..4));
        prop::collection::vec(service, 0..5).prop_map(|list| {
            let services = list.into_iter().map(|(n, wrr, persistent, dests)| {
                let key = key(n);
                let granularity = Granularity::host(key.family());
                let persistence = persistent.then_some(Persistence { timeout: 60, granularity });
                let scheduler = if wrr { "wrr" } else { "rr" }.to_owned();
                let service = Service { key, scheduler, flags: ServiceFlags::default(), persistence, engine: None };
                (key, TableService { service, dests: dests.into_iter().map(|d| (d.key, d)).collect() })
            });
            Table { services: services.collect() }
        })
    }

    fn usable(table: &Table, key: &ServiceKey) -> bool {
        table.services.get(key).is_some_and(|s| s.dests.values().any(|d| d.weight > 0))
    }

    proptest! {
        #[test]
        fn what_is_owned_becomes_what_is_desired_and_the_rest_stays(
            actual in table_strategy(),
            desired in table_strategy(),
            owned in prop::collection::btree_set((0u8..5).prop_map(key), 0..5),
        ) {
            let mut table = actual.clone();
            for command in diff(&actual, &desired, &owned) {
                prop_assert_eq!(table.apply(&command), Ok(()), "{}", command);
                for key in desired.services.keys().filter(|k| usable(&actual, k) && usable(&desired, k)) {
                    prop_assert!(usable(&table, key), "{} has no usable real server after {}", key, command);
                }
            }
            let mut expected = desired.clone();
            for (key, service) in &actual.services {
                if !owned.contains(key) && !desired.services.contains_key(key) {
                    expected.services.insert(*key, service.clone());
                }
            }
            prop_assert_eq!(&table, &expected);
            prop_assert_eq!(diff(&table, &desired, &owned), vec![]);
        }

        #[test]
        fn no_command_is_more_than_needed(actual in table_strategy(), desired in table_strategy()) {
            let owned: BTreeSet<_> = (0..5).map(key).collect();
            let commands = diff(&actual, &desired, &owned);
            for left_out in 0..commands.len() {
                let mut table = actual.clone();
                let rest = commands.iter().enumerate().filter(|(n, _)| *n != left_out);
                let all_taken = rest.map(|(_, c)| table.apply(c)).all(|r| r.is_ok());
                prop_assert!(!all_taken || table != desired, "{} was not needed", commands[left_out]);
            }
        }
    }

    fn one(dests: Vec<Dest>) -> Table {
        let service =
            Service { key: key(9), scheduler: "rr".to_owned(), flags: ServiceFlags::default(), persistence: None, engine: None };
        let dests = dests.into_iter().map(|d| (d.key, d)).collect();
        Table { services: [(service.key, TableService { service, dests })].into() }
    }

    fn dest(host: u8, forward: Forward, weight: u32) -> Dest {
        let key = DestKey { addr: IpAddr::V4(Ipv4Addr::new(10, 0, 1, host)), port: 80 };
        Dest { key, forward, weight, upper: 0, lower: 0, tunnel: Tunnel::default() }
    }

    #[test]
    fn the_fallback_leaves_after_the_real_server_is_back() {
        let (fallback, real) = (dest(254, Forward::Masq, 1), dest(1, Forward::Gate, 1));
        let commands = diff(&one(vec![fallback.clone()]), &one(vec![real.clone()]), &BTreeSet::new());
        assert_eq!(commands, [Command::AddDest(key(9), real), Command::DeleteDest(key(9), fallback.key)]);
    }

    #[test]
    fn the_server_that_takes_over_is_raised_before_the_other_is_quiesced() {
        let before = one(vec![dest(1, Forward::Gate, 1), dest(2, Forward::Gate, 0)]);
        let after = one(vec![dest(1, Forward::Gate, 0), dest(2, Forward::Gate, 1)]);
        let commands = diff(&before, &after, &BTreeSet::new());
        let expected = [dest(2, Forward::Gate, 1), dest(1, Forward::Gate, 0)].map(|d| Command::EditDest(key(9), d));
        assert_eq!(commands, expected);
    }

    #[test]
    fn a_real_server_that_the_kernel_calls_local_is_not_edited_for_ever() {
        let (actual, desired) = (one(vec![dest(1, Forward::Local, 1)]), one(vec![dest(1, Forward::Gate, 1)]));
        assert_eq!(diff(&actual, &desired, &BTreeSet::new()), []);
    }

    #[test]
    fn a_foreign_service_stays_though_nothing_is_desired() {
        assert_eq!(diff(&one(vec![]), &Table::default(), &BTreeSet::new()), []);
        let owned = BTreeSet::from([key(9)]);
        assert_eq!(diff(&one(vec![]), &Table::default(), &owned), [Command::DeleteService(key(9))]);
    }
}
