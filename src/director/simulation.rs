//! Random life: verdicts in any order, late ones, drift by hand, refusals, reloads; and what must hold all the while.

use proptest::prelude::*;

use super::plan::Plan;
use super::scenarios::{World, dest, host_of, key, plan, virt};
use super::{Input, Token};
use crate::ipvs::model::Table;

#[derive(Debug, Clone)]
enum Step {
    /// The open check at this place (modulo their number) ends.
    Verdict(usize, bool),
    Pass(u8),
    Stale(u64),
    Refuse(bool),
    /// The weight of an entry is set by hand.
    Weigh(u8, u32),
    /// An entry is removed by hand.
    Remove(u8),
    Clear,
    Reconcile,
    Reload(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (any::<usize>(), any::<bool>()).prop_map(|(i, up)| Step::Verdict(i, up)),
        6 => (1..30u8).prop_map(Step::Pass),
        1 => (0..50u64).prop_map(Step::Stale),
        1 => any::<bool>().prop_map(Step::Refuse),
        1 => ((1..4u8), (0..4u32)).prop_map(|(h, w)| Step::Weigh(h, w)),
        1 => (1..4u8).prop_map(Step::Remove),
        1 => Just(Step::Clear),
        2 => Just(Step::Reconcile),
        1 => any::<u8>().prop_map(Step::Reload),
    ]
}

/// A plan that depends on `n`: quiescent or not, another number of failures, with or without a second service.
fn variant(n: u8) -> Plan {
    let mut first = virt(100, &[1, 2, 3]);
    first.quiescent = n & 1 == 1;
    first.failurecount = u32::from(n >> 1 & 3) + 1;
    let mut virtuals = vec![first];
    if n & 8 == 8 {
        virtuals.push(virt(101, &[1, 4]));
    }
    if n & 16 == 16 {
        virtuals[0].reals.remove(0);
    }
    plan(virtuals)
}

/// What must hold whenever the kernel has taken everything.
fn holds(w: &World) {
    for v in &w.director.plan().virtuals {
        let host = host_of(match v.service.key {
            crate::ipvs::model::ServiceKey::Addr { addr, .. } => addr,
            other => panic!("{other}"),
        });
        let service = w.kernel.services.get(&v.service.key).expect("the service is there");
        let fallback = v.fallback.as_ref().unwrap();
        for real in &v.reals {
            let h = host_of(real.dest.key.addr);
            let failed = w.failed.get(&(host, h)).copied().unwrap_or(0);
            let weight = service.dests.get(&real.dest.key).map_or(0, |d| d.weight);
            assert!(failed < v.failurecount || weight == 0, "{h} has failed {failed} times and is in service");
        }
        let any = v.reals.iter().any(|r| service.dests.get(&r.dest.key).is_some_and(|d| d.weight > 0));
        assert!(any || service.dests.contains_key(&fallback.key), "an empty service: {service:?}");
        assert!(!(any && service.dests.contains_key(&fallback.key)), "both fallback and servers: {service:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Without hands on the table: an empty service never, a failed server in service never, no command without a change.
    #[test]
    fn tables_follow_verdicts(start in any::<u8>(), steps in prop::collection::vec(step(), 1..80)) {
        let mut w = World::new(variant(start), Table::default());
        for step in steps {
            match step {
                Step::Weigh(..) | Step::Remove(_) | Step::Clear => continue,
                other => take(&mut w, other),
            }
            if !w.refusing {
                w.reconcile();
                holds(&w);
                w.commands.clear();
                w.reconcile();
                prop_assert_eq!(&w.commands, &vec![], "commands although nothing has changed");
            }
        }
    }

    /// With them: it never fails, never repeats itself, and serves again one reload later.
    #[test]
    fn tables_recover_from_hands(start in any::<u8>(), steps in prop::collection::vec(step(), 1..80)) {
        let mut w = World::new(variant(start), Table::default());
        for step in steps {
            take(&mut w, step);
            if !w.refusing {
                w.reconcile();
                w.commands.clear();
                w.reconcile();
                prop_assert_eq!(&w.commands, &vec![], "commands although nothing has changed");
            }
        }
        take(&mut w, Step::Refuse(false));
        let same = w.director.plan().clone();
        w.handle(Input::Reload { plan: Box::new(same), actual: w.kernel.clone() });
        w.reconcile();
        holds(&w);
    }
}

fn take(w: &mut World, step: Step) {
    match step {
        Step::Verdict(i, up) => {
            if let Some(token) = w.open.keys().copied().nth(i % w.open.len().max(1)) {
                w.verdict(token, up);
            }
        }
        Step::Pass(seconds) => w.pass(f64::from(seconds)),
        Step::Stale(token) => {
            if !w.open.contains_key(&Token(token)) {
                w.verdict(Token(token), token % 2 == 0);
            }
        }
        Step::Refuse(refuse) => w.refusing = refuse,
        Step::Weigh(host, weight) => {
            if let Some(d) = w.kernel.services.get_mut(&key(100)).and_then(|s| s.dests.get_mut(&dest(host, 1).key)) {
                d.weight = weight;
            }
        }
        Step::Remove(host) => {
            if let Some(s) = w.kernel.services.get_mut(&key(100)) {
                s.dests.remove(&dest(host, 1).key);
            }
        }
        Step::Clear => w.kernel = Table::default(),
        Step::Reconcile => w.reconcile(),
        Step::Reload(n) => w.handle(Input::Reload { plan: Box::new(variant(n)), actual: w.kernel.clone() }),
    }
    assert!(w.director.poll_timeout().is_none_or(|at| at > w.now), "a check is due and was not asked for");
}
