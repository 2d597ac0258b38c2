//! Scenarios: real servers that are drained or in maintenance.

use std::net::IpAddr;
use std::time::Duration;

use super::scenarios::{World, dest, one, plan, virt};
use super::{Files, Input, Order, Target};
use crate::ipvs::model::Table;

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

impl World {
    fn order(&mut self, real: &str, order: Order) -> Result<(), String> {
        let done = self.director.order(self.now, target(real), order);
        self.drain();
        done
    }

    fn files(&mut self, names: &[&str]) {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        let hosts = [(IpAddr::from([10, 0, 0, 1]), "web1.example.com".to_owned())].into();
        self.handle(Input::Maintenance(Files { names, hosts }));
    }
}

#[test]
fn targets_are_addresses_with_or_without_a_port() {
    for text in ["10.0.0.1", "10.0.0.1:80", "fd00::1", "[fd00::1]:80"] {
        assert_eq!(target(text).to_string(), text);
    }
    assert_eq!(target("[fd00::1]"), target("fd00::1"));
    for wrong in ["", "web1", "10.0.0.1:", "10.0.0.1:99999", "fd00::1:80:"] {
        assert!(wrong.parse::<Target>().is_err(), "{wrong}");
    }
}

/// In: a drain, checks that fail and succeed, a reload. Out: weight 0 all the while, the entry stays for its connections.
#[test]
fn a_drained_server_has_weight_0_whatever_its_checks_say() {
    let mut w = World::new(one(|_| {}), Table::default());
    w.round(&[1, 2]);
    assert_eq!(w.table(100), "1=2 2=2");
    w.order("10.0.0.1:80", Order::Drain(None)).unwrap();
    assert_eq!(w.table(100), "1=0 2=2");
    w.round(&[2]);
    assert_eq!(w.table(100), "1=0 2=2", "a failed check does not cut the connections");
    w.round(&[1, 2]);
    assert_eq!(w.table(100), "1=0 2=2");
    let same = w.director.plan().clone();
    w.handle(Input::Reload { plan: Box::new(same), actual: w.kernel.clone() });
    assert_eq!(w.table(100), "1=0 2=2");
    let view = w.director.view(w.now, &[]);
    assert_eq!((view[0].reals[0].state.as_str(), view[0].reals[0].held.as_deref()), ("up", Some("drained")));
    assert_eq!(w.order("10.0.0.1", Order::Undrain).unwrap_err(), "10.0.0.1 is not drained under that name: 10.0.0.1:80 is");
    w.order("10.0.0.1:80", Order::Undrain).unwrap();
    assert_eq!(w.table(100), "1=2 2=2", "its last check was good");
    assert_eq!(w.order("10.0.0.1:80", Order::Undrain).unwrap_err(), "10.0.0.1:80 is not drained");
    assert_eq!(w.order("10.0.0.7", Order::Drain(None)).unwrap_err(), "no virtual service has a real server 10.0.0.7");
}

#[test]
fn when_every_server_is_drained_the_fallback_serves() {
    let mut w = World::new(plan(vec![virt(100, &[1]), virt(101, &[1, 2])]), Table::default());
    w.round(&[1, 2]);
    w.order("10.0.0.1", Order::Drain(None)).unwrap();
    assert_eq!((w.table(100).as_str(), w.table(101).as_str()), ("1=0 99=1", "1=0 2=2"), "in every service that has it");
    let members = w.director.members(w.director.view(w.now, &[]), target("10.0.0.1"));
    assert_eq!(members.len(), 2);
    w.order("10.0.0.1", Order::Undrain).unwrap();
    assert_eq!((w.table(100).as_str(), w.table(101).as_str()), ("1=2", "1=2 2=2"));
}

#[test]
fn at_its_deadline_a_drained_server_leaves_the_table() {
    let mut w = World::new(one(|v| v.quiescent = true), Table::default());
    w.round(&[1, 2]);
    w.order("10.0.0.1:80", Order::Drain(Some(Duration::from_secs(3)))).unwrap();
    assert_eq!(w.director.poll_timeout(), Some(w.now + Duration::from_secs(3)));
    w.pass(2.0);
    assert_eq!(w.table(100), "1=0 2=2");
    w.pass(1.0);
    assert_eq!(w.table(100), "2=2");
    w.round(&[1, 2]);
    assert_eq!(w.table(100), "2=2");
    w.order("10.0.0.1:80", Order::Undrain).unwrap();
    assert_eq!(w.table(100), "1=2 2=2");
}

/// In: a director that starts with the holds of the one before. Out: it does not put the servers in.
#[test]
fn holds_of_an_earlier_run_are_in_force_from_the_start() {
    let mut w = World::new(one(|_| {}), Table::default());
    w.round(&[1, 2]);
    w.order("10.0.0.1", Order::Drain(None)).unwrap();
    w.order("10.0.0.2", Order::Maintenance(true)).unwrap();
    assert_eq!(w.table(100), "1=0 99=1");
    let (holds, kernel) = (w.director.holds().clone(), w.kernel.clone());
    let mut w = World::held(one(|_| {}), kernel, holds);
    w.round(&[1, 2]);
    assert_eq!(w.table(100), "1=0 99=1");
    w.order("10.0.0.1", Order::Undrain).unwrap();
    w.order("10.0.0.2", Order::Maintenance(false)).unwrap();
    assert_eq!(w.table(100), "1=2 2=2");
}

#[test]
fn maintenance_takes_a_server_out_as_a_failed_check_does() {
    for (quiescent, table) in [(true, "1=0 2=2"), (false, "2=2")] {
        let mut w = World::new(one(|v| v.quiescent = quiescent), Table::default());
        w.round(&[1, 2]);
        for (out, back) in
            [(Order::Maintenance(true), Order::Maintenance(false)), (Order::Maintenance(true), Order::Maintenance(false))]
        {
            w.order("10.0.0.1", out).unwrap();
            assert_eq!(w.table(100), table);
            w.round(&[1, 2]);
            assert_eq!(w.table(100), table);
            w.order("10.0.0.1", back).unwrap();
            assert_eq!(w.table(100), "1=2 2=2");
        }
        for name in ["10.0.0.1", "10.0.0.1:80", "web1.example.com", "web1.example.com:80", "web1", "web1:80"] {
            w.files(&["README", name]);
            assert_eq!(w.table(100), table, "{name}");
            w.files(&["README", "10.0.0.1:81", "web1:81", "web"]);
            assert_eq!(w.table(100), "1=2 2=2", "{name}");
        }
    }
}

#[test]
fn a_hold_of_one_that_fails_ends_with_it_down() {
    let mut w = World::new(one(|_| {}), Table::default());
    w.round(&[1, 2]);
    w.files(&["10.0.0.1"]);
    w.round(&[2]);
    w.files(&[]);
    assert_eq!(w.table(100), "2=2");
    assert_eq!(w.kernel.services.values().next().unwrap().dests.get(&dest(1, 2).key), None);
    w.round(&[1, 2]);
    assert_eq!(w.table(100), "1=2 2=2");
}
