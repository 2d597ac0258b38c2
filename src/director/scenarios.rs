//! Scenarios: a director, a kernel's table that obeys it, and what is seen in both.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::plan::{Alerts, Globals, LogTo, Plan, Real, Virtual, Watch};
use super::{Alert, Director, Holds, Input, Output, Token};
use crate::checks::spec::{Kind, Spec, Verdict};
use crate::cluster::io::Mono;
use crate::ipvs::diff::diff;
use crate::ipvs::model::{
    Command, Dest, DestKey, Forward, Protocol, Service, ServiceFlags, ServiceKey, Table, TableService, Tunnel,
};

/// A director with a kernel at hand.
pub(super) struct World {
    pub(super) director: Director,
    pub(super) kernel: Table,
    pub(super) now: Mono,
    pub(super) log: Vec<String>,
    /// Checks that were asked for and are not answered.
    pub(super) open: BTreeMap<Token, Spec>,
    /// Commands taken since the last look.
    pub(super) commands: Vec<Command>,
    /// Failed checks in a row, by virtual and real server: counted here, apart from the director.
    pub(super) failed: BTreeMap<(u8, u8), u32>,
    /// The kernel refuses everything.
    pub(super) refusing: bool,
    /// Alerts that were sent.
    pub(super) alerts: Vec<Alert>,
    /// Commands that were run.
    pub(super) ran: Vec<String>,
    /// Lines of monitor files.
    pub(super) monitored: Vec<String>,
}

impl World {
    pub(super) fn new(plan: Plan, kernel: Table) -> Self {
        Self::recorded(plan, kernel, BTreeSet::new())
    }

    fn recorded(plan: Plan, kernel: Table, recorded: BTreeSet<ServiceKey>) -> Self {
        Self::start(plan, kernel, recorded, Holds::default())
    }

    /// One that finds holds on record.
    pub(super) fn held(plan: Plan, kernel: Table, holds: Holds) -> Self {
        Self::start(plan, kernel, BTreeSet::new(), holds)
    }

    fn start(plan: Plan, kernel: Table, recorded: BTreeSet<ServiceKey>, holds: Holds) -> Self {
        let now = Mono(Duration::from_secs(1));
        let mut director = Director::new(plan, &kernel, recorded, now);
        director.restore(now, holds);
        let mut world = Self {
            director,
            kernel,
            now,
            log: Vec::new(),
            open: BTreeMap::new(),
            commands: Vec::new(),
            failed: BTreeMap::new(),
            refusing: false,
            alerts: Vec::new(),
            ran: Vec::new(),
            monitored: Vec::new(),
        };
        world.drain();
        world
    }

    pub(super) fn handle(&mut self, input: Input) {
        if let Input::Reload { plan, .. } = &input {
            let pairs: Vec<(u8, &Real)> = pairs(plan).collect();
            self.open.retain(|_, spec| pairs.iter().any(|(_, r)| r.check == *spec));
            self.failed.retain(|at, _| pairs.iter().any(|(v, r)| *at == (*v, host_of(r.dest.key.addr))));
        }
        self.director.handle(self.now, input);
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.director.poll_output() {
            match output {
                Output::Apply => self.reconcile(),
                Output::Check { token, spec } => {
                    self.open.insert(token, spec);
                }
                Output::Event(e) => self.log.push(e.text),
                Output::Alert { alert, .. } => self.alerts.push(alert),
                Output::Command { line, .. } => self.ran.push(line),
                Output::Monitor { line, .. } => self.monitored.push(line),
            }
        }
    }

    pub(super) fn reconcile(&mut self) {
        let goal = self.director.reconcile(&self.kernel);
        let commands = diff(&self.kernel, &goal, &self.director.owned());
        if self.refusing {
            return;
        }
        for command in commands {
            obey(&mut self.kernel, &command);
            self.director.confirm(&command);
            self.commands.push(command);
        }
        self.drain();
    }

    pub(super) fn pass(&mut self, seconds: f64) {
        self.now = self.now + Duration::from_secs_f64(seconds);
        self.handle(Input::Tick);
    }

    /// Answers every open check of the real server `10.0.0.HOST`.
    pub(super) fn answer(&mut self, host: u8, up: bool) {
        let tokens: Vec<Token> = self.open.iter().filter(|(_, s)| s.addr == ip(host)).map(|(t, _)| *t).collect();
        assert!(!tokens.is_empty(), "no check of {host} is open");
        for token in tokens {
            self.verdict(token, up);
        }
    }

    pub(super) fn verdict(&mut self, token: Token, up: bool) {
        if let Some(spec) = self.open.remove(&token) {
            for (v, real) in pairs(self.director.plan()).filter(|(_, r)| r.check == spec) {
                let failed = self.failed.entry((v, host_of(real.dest.key.addr))).or_default();
                *failed = if up { 0 } else { *failed + 1 };
            }
        }
        let text = if up { "ok" } else { "refused" }.to_owned();
        self.handle(Input::Verdict { token, verdict: Verdict { up, text, took: Duration::ZERO, warning: None } });
    }

    /// A whole round: time passes, then the named servers are up and all others down.
    pub(super) fn round(&mut self, up: &[u8]) {
        self.pass(10.0);
        let open: Vec<(Token, u8)> = self.open.iter().map(|(t, s)| (*t, host_of(s.addr))).collect();
        for (token, host) in open {
            self.verdict(token, up.contains(&host));
        }
    }

    /// The real servers of a virtual, as `HOST=WEIGHT`.
    pub(super) fn table(&self, virt: u8) -> String {
        let Some(s) = self.kernel.services.get(&key(virt)) else { return "none".into() };
        let words: Vec<String> = s.dests.values().map(|d| format!("{}={}", host_of(d.key.addr), d.weight)).collect();
        words.join(" ")
    }

    pub(super) fn taken_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    pub(super) fn weigh(&mut self, virt: u8, host: u8, weight: u32) {
        self.kernel.services.get_mut(&key(virt)).unwrap().dests.get_mut(&dest(host, 1).key).unwrap().weight = weight;
    }

    pub(super) fn remove(&mut self, virt: u8, host: u8) {
        self.kernel.services.get_mut(&key(virt)).unwrap().dests.remove(&dest(host, 1).key).unwrap();
    }
}

/// Every real server with the last octet of its virtual's address.
fn pairs(plan: &Plan) -> impl Iterator<Item = (u8, &Real)> {
    let host = |v: &Virtual| match v.service.key {
        ServiceKey::Addr { addr, .. } => host_of(addr),
        ServiceKey::Fwmark { mark, .. } => panic!("{mark}"),
    };
    plan.virtuals.iter().flat_map(move |v| v.reals.iter().map(move |r| (host(v), r)))
}

pub(super) fn obey(kernel: &mut Table, command: &Command) {
    let dests = |kernel: &mut Table, k: &ServiceKey, f: &dyn Fn(&mut BTreeMap<DestKey, Dest>)| {
        f(&mut kernel.services.get_mut(k).expect("a service that exists").dests);
    };
    match command {
        Command::AddService(s) => {
            let old = kernel.services.insert(s.key, TableService { service: s.clone(), dests: BTreeMap::new() });
            assert_eq!(old, None, "added twice");
        }
        Command::EditService(s) => kernel.services.get_mut(&s.key).unwrap().service = s.clone(),
        Command::DeleteService(k) => assert!(kernel.services.remove(k).is_some()),
        Command::AddDest(k, d) => dests(kernel, k, &|t| assert!(t.insert(d.key, d.clone()).is_none())),
        Command::EditDest(k, d) => dests(kernel, k, &|t| assert!(t.insert(d.key, d.clone()).is_some())),
        Command::DeleteDest(k, d) => dests(kernel, k, &|t| assert!(t.remove(d).is_some())),
    }
}

pub(super) fn ip(host: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, host).into()
}

pub(super) fn host_of(addr: IpAddr) -> u8 {
    match addr {
        IpAddr::V4(a) => a.octets()[3],
        IpAddr::V6(_) => panic!("{addr}"),
    }
}

pub(super) fn key(virt: u8) -> ServiceKey {
    ServiceKey::Addr { protocol: Protocol::Tcp, addr: ip(virt), port: 80 }
}

pub(super) fn dest(host: u8, weight: u32) -> Dest {
    Dest {
        key: DestKey { addr: ip(host), port: 80 },
        forward: Forward::Gate,
        weight,
        upper: 7,
        lower: 3,
        tunnel: Tunnel::default(),
    }
}

fn spec(host: u8) -> Spec {
    Spec { kind: Kind::Connect, addr: ip(host), port: 80, timeout: Duration::from_secs(5) }
}

pub(super) fn virt(host: u8, reals: &[u8]) -> Virtual {
    let real = |&h: &u8| Real {
        dest: dest(h, 2),
        written: format!("10.0.0.{h}:80"),
        check: spec(h),
        agent: None,
        label: format!("connect tcp 10.0.0.{h} 80"),
        line: 2,
    };
    Virtual {
        service: Service {
            key: key(host),
            scheduler: "wrr".into(),
            flags: ServiceFlags::default(),
            persistence: None,
            engine: None,
        },
        reals: reals.iter().map(real).collect(),
        fallback: Some(dest(99, 1)),
        quiescent: false,
        failurecount: 1,
        interval: Duration::from_secs(10),
        watch: Watch::Checks,
        cleanstop: true,
        fallback_command: None,
        alerts: Alerts::default(),
        name: None,
        comment: None,
        monitor: None,
        rise: 1,
        fast_interval: None,
        slow_start: None,
        line: 1,
    }
}

pub(super) fn plan(virtuals: Vec<Virtual>) -> Plan {
    let globals = Globals {
        autoreload: false,
        callback: None,
        log: LogTo::File("/dev/null".into()),
        readdquiescent: false,
        supervised: false,
        check_interval: Duration::from_secs(10),
        maintenance_dir: None,
        execute: Vec::new(),
        expire_flows: false,
    };
    Plan { globals, virtuals }
}

pub(super) fn one(change: impl FnOnce(&mut Virtual)) -> Plan {
    let mut v = virt(100, &[1, 2]);
    change(&mut v);
    plan(vec![v])
}

/// In: an empty kernel, two servers. Out: the fallback until one is up, then only servers, then the fallback again.
#[test]
fn servers_come_and_go_and_the_fallback_fills_in() {
    let mut w = World::new(one(|_| {}), Table::default());
    assert_eq!(w.table(100), "99=1");
    w.answer(1, true);
    assert_eq!(w.table(100), "1=2");
    w.answer(2, false);
    assert_eq!(w.table(100), "1=2");
    w.round(&[1, 2]);
    assert_eq!(w.table(100), "1=2 2=2");
    w.taken_log();
    w.round(&[]);
    assert_eq!(w.table(100), "99=1");
    w.handle(Input::Stop);
    assert_eq!(w.table(100), "none");
    assert_eq!(
        w.taken_log(),
        [
            "Failed check of real server: 10.0.0.1:80 (tcp:10.0.0.100:80): refused",
            "Deleted real server: 10.0.0.1:80 (10.0.0.100:80)",
            "Failed check of real server: 10.0.0.2:80 (tcp:10.0.0.100:80): refused",
            "Added fallback server: 10.0.0.99:80 (10.0.0.100:80) (Weight set to 1)",
            "Deleted real server: 10.0.0.2:80 (10.0.0.100:80)",
            "Purged virtual server (stop): 10.0.0.100:80",
        ]
    );
}

/// In: quiescent=yes. Out: every server has an entry, weight 0 until its check is good, thresholds untouched.
#[test]
fn quiescent_servers_stay_with_weight_0_and_keep_their_thresholds() {
    let mut w = World::new(one(|v| v.quiescent = true), Table::default());
    assert_eq!(w.table(100), "1=0 2=0 99=1");
    w.round(&[1]);
    assert_eq!(w.table(100), "1=2 2=0");
    w.taken_log();
    w.round(&[]);
    assert_eq!(w.table(100), "1=0 2=0 99=1");
    assert!(w.log.contains(&"Quiescent real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 0)".to_owned()), "{:?}", w.log);
    let service = w.kernel.services.get(&key(100)).unwrap();
    assert!(service.dests.values().all(|d| (d.upper, d.lower) == (7, 3)), "{service:?}");
    w.taken_log();
    w.round(&[1]);
    assert_eq!(
        w.taken_log(),
        [
            "Resetting soft failure count: 10.0.0.1:80 (tcp:10.0.0.100:80)",
            "Restored real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 2)",
            "Deleted fallback server: 10.0.0.99:80 (10.0.0.100:80)",
        ]
    );
}

/// In: a table left by a run before, with a stranger's entry and a stranger's service. Out: what is in service stays, the
/// entry goes, the service stays, what the record names goes.
#[test]
fn a_start_takes_over_what_is_in_service_and_leaves_foreign_services() {
    let mut kernel = Table::default();
    for v in [100, 101, 102] {
        let mut service = virt(v, &[]).service;
        service.scheduler = "rr".into();
        let dests = [1, 77].map(|h| (dest(h, 9).key, dest(h, 9))).into();
        kernel.services.insert(key(v), TableService { service, dests });
    }
    let mut w = World::recorded(one(|_| {}), kernel, [key(101)].into());
    assert_eq!((w.table(100).as_str(), w.table(101).as_str(), w.table(102).as_str()), ("1=2", "none", "1=9 77=9"));
    let log = w.taken_log();
    for line in [
        "Changed virtual server: 10.0.0.100:80",
        "Restored real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 2)",
        "Purged real server (start): 10.0.0.77:80 (10.0.0.100:80)",
        "Purged virtual server (start): 10.0.0.101:80",
    ] {
        assert!(log.iter().any(|l| l == line), "{line} not in {log:?}");
    }
    w.answer(1, false);
    assert_eq!(w.table(100), "99=1");
}

#[test]
fn failurecount_is_counted_per_virtual_on_one_shared_check() {
    let (a, mut b) = (virt(100, &[1]), virt(101, &[1]));
    b.failurecount = 3;
    let mut w = World::new(plan(vec![a, b]), Table::default());
    assert_eq!(w.open.len(), 1, "one check for both");
    w.round(&[1]);
    w.taken_log();
    w.round(&[]);
    assert_eq!((w.table(100).as_str(), w.table(101).as_str()), ("99=1", "1=2"));
    assert!(w.log.contains(&"Soft failure real server: 10.0.0.1:80 (tcp:10.0.0.101:80) failure 1/3".to_owned()), "{:?}", w.log);
    w.round(&[]);
    assert_eq!(w.table(101), "1=2");
    w.round(&[]);
    assert_eq!(w.table(101), "99=1");
}

#[test]
fn checktype_on_is_always_up_and_off_never_changes_nor_brings_the_fallback() {
    let w = World::new(one(|v| v.watch = Watch::On), Table::default());
    assert_eq!((w.table(100).as_str(), w.open.len()), ("1=2 2=2", 0));
    let w = World::new(one(|v| v.watch = Watch::Off), w.kernel);
    assert_eq!((w.table(100).as_str(), w.open.len()), ("1=2 2=2", 0));
    let off = one(|v| (v.watch, v.quiescent) = (Watch::Off, true));
    let w = World::new(off, Table::default());
    assert_eq!(w.table(100), "1=0 2=0");
}

#[test]
fn a_server_of_weight_0_counts_as_up() {
    let mut w = World::new(one(|v| v.reals.iter_mut().for_each(|r| r.dest.weight = 0)), Table::default());
    w.round(&[1]);
    assert_eq!(w.table(100), "1=0");
}

/// In: changes by hand. Out: missing services and serving servers come back, the rest stays until the state changes.
#[test]
fn drift_is_repaired_only_where_service_suffers() {
    let mut w = World::new(one(|v| v.quiescent = true), Table::default());
    w.round(&[1]);
    assert_eq!(w.table(100), "1=2 2=0");
    w.weigh(100, 1, 0);
    w.remove(100, 2);
    w.kernel.services.get_mut(&key(100)).unwrap().dests.insert(dest(50, 1).key, dest(50, 1));
    w.commands.clear();
    w.reconcile();
    assert_eq!((w.table(100).as_str(), w.commands.len()), ("1=0 50=1", 0), "drained by hand");
    w.round(&[1]);
    assert_eq!(w.table(100), "1=0 50=1");
    w.remove(100, 1);
    w.reconcile();
    assert_eq!(w.table(100), "1=2 50=1", "a serving one comes back");
    w.round(&[1, 2]);
    assert_eq!(w.table(100), "1=2 2=2 50=1", "a change of state");
    w.kernel = Table::default();
    w.reconcile();
    assert_eq!(w.table(100), "1=2 2=2", "ipvsadm -C");
}

#[test]
fn a_quiesced_server_that_was_taken_out_by_hand_is_readded_only_where_asked_for() {
    for (readd, table) in [(false, "2=2"), (true, "1=0 2=2")] {
        let mut p = one(|v| v.quiescent = true);
        p.globals.readdquiescent = readd;
        let mut w = World::new(p, Table::default());
        w.round(&[1, 2]);
        w.remove(100, 1);
        w.round(&[2]);
        assert_eq!(w.table(100), table);
        w.round(&[1, 2]);
        assert_eq!(w.table(100), "1=2 2=2");
    }
}

#[test]
fn a_refused_command_is_tried_again() {
    let mut w = World::new(one(|_| {}), Table::default());
    w.refusing = true;
    w.round(&[1]);
    assert_eq!(w.table(100), "99=1");
    w.refusing = false;
    w.reconcile();
    assert_eq!(w.table(100), "1=2");
}

/// In: a new configuration with a server and a service fewer, another check, another weight. Out: who is up stays up without a
/// break, counters of unchanged ones go on, what is gone is removed.
#[test]
fn a_reload_keeps_what_is_still_true() {
    let old = |weight| {
        let mut v = virt(100, &[1, 2, 3]);
        v.failurecount = 2;
        v.reals[0].dest.weight = weight;
        v
    };
    let mut w = World::new(plan(vec![old(2), virt(101, &[1])]), Table::default());
    w.round(&[1, 2, 3]);
    w.round(&[2, 3]);
    assert_eq!((w.table(100).as_str(), w.table(101).as_str()), ("1=2 2=2 3=2", "99=1"));
    w.pass(10.0);
    let old_check = *w.open.iter().find(|(_, s)| s.addr == ip(2)).unwrap().0;

    let mut new = old(5);
    new.reals.remove(2);
    new.reals[1].check.timeout = Duration::from_secs(1);
    w.commands.clear();
    w.handle(Input::Reload { plan: Box::new(plan(vec![new, virt(102, &[4])])), actual: w.kernel.clone() });
    assert_eq!((w.table(100).as_str(), w.table(101).as_str(), w.table(102).as_str()), ("1=5 2=2", "none", "99=1"));
    let shaken = |c: &&Command| matches!(c, Command::DeleteDest(_, d) if d.addr != ip(3));
    assert_eq!(w.commands.iter().find(shaken), None);
    w.verdict(old_check, false);
    assert_eq!(w.table(100), "1=5 2=2", "an answer to the old question counts for nothing");
    w.answer(1, false);
    assert_eq!(w.table(100), "2=2", "the second failure of two, one before the reload");
}

#[test]
fn a_stop_leaves_what_cleanstop_excludes() {
    let mut kept = virt(101, &[1]);
    kept.cleanstop = false;
    let mut w = World::new(plan(vec![virt(100, &[1]), kept]), Table::default());
    w.round(&[1]);
    w.taken_log();
    w.handle(Input::Stop);
    assert_eq!((w.table(100).as_str(), w.table(101).as_str()), ("none", "1=2"));
    assert_eq!(
        w.taken_log(),
        ["Purged real server (stop): 10.0.0.1:80 (10.0.0.100:80)", "Purged virtual server (stop): 10.0.0.100:80"]
    );
    assert_eq!(w.director.poll_timeout(), None);
}

#[test]
fn the_view_shows_state_and_reason() {
    let mut w = World::new(one(|_| {}), Table::default());
    w.answer(1, true);
    w.pass(3.0);
    let view = w.director.view(w.now, &[]);
    let states: Vec<_> = view[0].reals.iter().map(|r| (r.state.as_str(), r.since)).collect();
    assert_eq!(states, [("up", 3.0), ("unchecked", 3.0)]);
    assert_eq!(view[0].reals[0].last_check.as_ref().map(|c| (c.up, c.ago)), Some((true, 3.0)));
    assert_eq!(view[0].fallback.as_ref().unwrap().state, "inactive");
    assert!(!view[0].installed);
}
