//! Scenarios: who is told of what, by which command, file and alert; and servers that come back by and by.

use std::time::Duration;

use super::plan::{Alerts, Mail, Plan, Virtual};
use super::scenarios::{World, ip, one, plan, virt};
use super::{Change, Files, Input, Phase};
use crate::checks::spec::{Kind, Spec, Verdict};
use crate::ipvs::model::{Family, ServiceKey, Table};

fn told(v: &mut Virtual) {
    let mail = Mail { to: vec!["ops@test".into()], from: None, smtp: None, phases: vec![Phase::Running] };
    v.alerts = Alerts { mail: Some(mail), repeat: Duration::from_secs(25), webhook: None, hook: None };
}

impl World {
    fn taken_alerts(&mut self) -> Vec<(Change, String, Phase)> {
        std::mem::take(&mut self.alerts).into_iter().map(|a| (a.change, a.real, a.phase)).collect()
    }

    fn taken_ran(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ran)
    }

    fn reload(&mut self, plan: Plan) {
        self.handle(Input::Reload { plan: Box::new(plan), actual: self.kernel.clone() });
    }

    /// The open question to the agent of a host is answered.
    fn agent(&mut self, host: u8, line: &str) {
        let open = self.open.iter().find(|(_, s)| s.kind == Kind::Agent && s.addr == ip(host)).map(|(t, _)| *t);
        let token = open.expect("the agent is being asked");
        self.open.remove(&token);
        let verdict = Verdict { up: !line.is_empty(), text: line.to_owned(), took: Duration::ZERO, warning: None };
        self.handle(Input::Verdict { token, verdict });
    }
}

/// In: servers that come, go, stay away. Out: one alert a change with what the daemon was doing, reminders at their time.
#[test]
fn every_change_of_the_table_is_an_alert_and_a_dead_server_is_called_to_mind() {
    let mut w = World::new(one(told), Table::default());
    w.round(&[1]);
    let first = "10.0.0.1:80".to_owned();
    let second = "10.0.0.2:80".to_owned();
    let fallback = "10.0.0.99:80".to_owned();
    assert_eq!(
        w.taken_alerts(),
        [
            (Change::Added, fallback.clone(), Phase::Starting),
            (Change::Added, first.clone(), Phase::Starting),
            (Change::Deleted, fallback.clone(), Phase::Starting),
            (Change::Inaccessible, second.clone(), Phase::Starting),
        ]
    );
    w.round(&[1]);
    assert_eq!(w.taken_alerts(), [], "10 s");
    w.round(&[1, 2]);
    w.round(&[2]);
    assert_eq!(
        w.taken_alerts(),
        [(Change::Added, second.clone(), Phase::Running), (Change::Deleted, first.clone(), Phase::Running)]
    );
    w.round(&[2]);
    w.round(&[2]);
    assert_eq!(w.taken_alerts(), []);
    w.round(&[2]);
    assert_eq!(w.taken_alerts(), [(Change::Inaccessible, first.clone(), Phase::Running)], "30 s");
    // A reload is no reason to tell it again.
    w.reload(one(told));
    w.round(&[2]);
    assert_eq!(w.taken_alerts(), []);
    w.handle(Input::Stop);
    assert_eq!(w.taken_alerts(), [(Change::Purged, second, Phase::Stopping)]);
}

#[test]
fn one_that_is_held_is_not_called_to_mind() {
    let mut w = World::new(one(told), Table::default());
    w.round(&[1, 2]);
    w.taken_alerts();
    w.handle(Input::Maintenance(Files { names: ["10.0.0.1".to_owned()].into(), ..Files::default() }));
    for _ in 0..6 {
        w.round(&[2]);
    }
    assert_eq!(w.taken_alerts(), [(Change::Deleted, "10.0.0.1:80".into(), Phase::Running)]);
}

#[test]
fn nobody_is_told_where_nobody_is_named() {
    let mut w = World::new(one(|_| {}), Table::default());
    w.round(&[1]);
    assert_eq!(w.taken_alerts(), []);
}

/// In: a command instead of a fallback server. Out: told when the last server goes and the first comes, at the start, at a
/// stop and when the file no longer has it.
#[test]
fn the_fallbackcommand_is_told_whether_anybody_serves() {
    let commanded = |v: &mut Virtual| (v.fallback, v.fallback_command) = (None, Some("/fb.sh".to_owned()));
    let (start, stop) = ("/fb.sh start 10.0.0.100:80 tcp".to_owned(), "/fb.sh stop 10.0.0.100:80 tcp".to_owned());
    let mut w = World::new(one(commanded), Table::default());
    assert_eq!(w.taken_ran(), std::slice::from_ref(&start));
    w.round(&[1, 2]);
    assert_eq!(w.taken_ran(), std::slice::from_ref(&stop));
    w.round(&[2]);
    assert_eq!(w.taken_ran(), [""; 0]);
    w.round(&[]);
    w.round(&[]);
    assert_eq!(w.taken_ran(), std::slice::from_ref(&start));
    w.reload(one(commanded));
    assert_eq!(w.taken_ran(), [""; 0]);
    w.reload(one(|v| v.fallback_command = Some("/other".into())));
    assert_eq!(w.taken_ran(), [stop.clone(), "/other start 10.0.0.100:80 tcp".to_owned()]);
    w.reload(one(commanded));
    w.taken_ran();
    w.handle(Input::Stop);
    assert_eq!(w.taken_ran(), std::slice::from_ref(&stop));

    let w = World::new(one(commanded), w.kernel);
    assert_eq!(w.ran, [start]);
    let mut marked = one(commanded);
    marked.virtuals[0].service.key = ServiceKey::Fwmark { mark: 5, family: Family::Inet };
    let director = super::Director::new(marked, &Table::default(), [].into(), crate::cluster::io::Mono::default());
    let mut director = director;
    let lines: Vec<String> = std::iter::from_fn(|| director.poll_output())
        .filter_map(|o| if let super::Output::Command { line, .. } = o { Some(line) } else { None })
        .collect();
    assert_eq!(lines, ["/fb.sh start :0 fwm"]);
}

#[test]
fn servers_in_service_at_the_start_end_the_fallbackcommand_of_a_run_that_was_killed() {
    let commanded = |v: &mut Virtual| v.fallback_command = Some("/fb.sh".to_owned());
    let mut w = World::new(one(commanded), Table::default());
    w.round(&[1]);
    let w = World::new(one(commanded), w.kernel);
    assert_eq!(w.ran, ["/fb.sh stop 10.0.0.100:80 tcp"]);
}

#[test]
fn the_monitor_file_has_a_line_for_every_check() {
    let mut w = World::new(one(|v| v.monitor = Some("/mon".into())), Table::default());
    w.round(&[1]);
    let mut lines = std::mem::take(&mut w.monitored);
    lines.sort();
    assert_eq!(lines, ["connect tcp 10.0.0.1 80 [up] ok", "connect tcp 10.0.0.2 80 [down] refused"]);
    w.handle(Input::Maintenance(Files { names: ["10.0.0.1:80".to_owned()].into(), ..Files::default() }));
    w.round(&[1]);
    assert!(w.monitored.contains(&"connect tcp 10.0.0.1 80 [down] Server in maintenance".to_owned()), "{:?}", w.monitored);
    w.monitored.clear();
    w.pass(10.0);
    let token = *w.open.iter().find(|(_, s)| s.addr == ip(2)).unwrap().0;
    let verdict = Verdict { up: false, text: "50% | a\r\nb".into(), took: Duration::ZERO, warning: None };
    w.handle(Input::Verdict { token, verdict });
    assert_eq!(w.monitored, ["connect tcp 10.0.0.2 80 [down] 50%25 %7c a%0d%0ab"]);
}

/// In: three good checks asked for, a shorter interval meanwhile. Out: the first time one is enough; later three, soon.
#[test]
fn a_server_that_was_down_rises_by_several_good_checks() {
    let slow = |v: &mut Virtual| {
        (v.rise, v.failurecount, v.fast_interval) = (3, 2, Some(Duration::from_secs(2)));
        v.reals.truncate(1);
    };
    let mut w = World::new(one(slow), Table::default());
    w.round(&[1]);
    assert_eq!(w.table(100), "1=2");
    let wait = |w: &World| w.director.poll_timeout().unwrap() - w.now;
    let next = |w: &mut World, up: bool| {
        w.pass(10.0);
        let token = *w.open.keys().next().unwrap();
        w.verdict(token, up);
        (w.table(100), wait(w).as_secs())
    };
    for (up, table, seconds) in [
        (true, "1=2", 10),
        (false, "1=2", 2),
        (true, "1=2", 10),
        (false, "1=2", 2),
        (false, "99=1", 10),
        (true, "99=1", 2),
        (false, "99=1", 10),
        (true, "99=1", 2),
        (true, "99=1", 2),
        (true, "1=2", 10),
    ] {
        assert_eq!(next(&mut w, up), (table.to_owned(), seconds), "{up}");
    }
}

/// In: a server of weight 100 that comes back, 50 s for the way. Out: a tenth every 5 s, one log line each and no alert but
/// the first; none at the first start.
#[test]
fn a_returning_server_gets_its_weight_by_and_by() {
    let slow = |v: &mut Virtual| {
        told(v);
        v.slow_start = Some(Duration::from_secs(50));
        v.reals.truncate(1);
        v.reals[0].dest.weight = 100;
    };
    let mut w = World::new(one(slow), Table::default());
    w.round(&[1]);
    assert_eq!(w.table(100), "1=100");
    w.round(&[]);
    w.taken_alerts();
    w.round(&[1]);
    assert_eq!(w.table(100), "1=10");
    for step in 2..=10 {
        let at = w.director.poll_timeout().unwrap();
        assert!(at - w.now <= Duration::from_secs(5));
        w.pass(5.0);
        assert_eq!(w.table(100), format!("1={}", step * 10));
    }
    w.pass(100.0);
    assert_eq!(w.table(100), "1=100");
    let changes: Vec<_> = w.taken_alerts().into_iter().map(|(change, real, _)| (change, real)).collect();
    assert_eq!(changes, [(Change::Added, "10.0.0.1:80".to_owned()), (Change::Deleted, "10.0.0.99:80".to_owned())]);
}

#[test]
fn an_agent_sets_the_weight_and_takes_its_server_out() {
    let with_agent = |v: &mut Virtual| {
        for real in &mut v.reals {
            real.agent = Some(Spec { kind: Kind::Agent, addr: real.dest.key.addr, port: 9, timeout: Duration::from_secs(5) });
            real.dest.weight = 40;
        }
    };
    let mut w = World::new(one(with_agent), Table::default());
    let checks: Vec<_> = w.open.iter().filter(|(_, s)| s.kind == Kind::Connect).map(|(t, _)| *t).collect();
    checks.into_iter().for_each(|t| w.verdict(t, true));
    assert_eq!(w.table(100), "1=40 2=40");
    w.agent(2, "");
    for (line, table) in [
        ("75%", "1=30 2=40"),
        ("drain", "1=0 2=40"),
        ("ready", "1=30 2=40"),
        ("down#disk", "2=40"),
        ("up 100%", "1=40 2=40"),
        ("0%", "1=0 2=40"),
        ("maint", "2=40"),
        ("ready 50%", "1=20 2=40"),
        ("", "1=20 2=40"),
    ] {
        w.agent(1, line);
        assert_eq!(w.table(100), table, "{line:?}");
        w.pass(10.0);
    }
    w.reload(one(with_agent));
    assert_eq!(w.table(100), "1=20 2=40");
    w.reload(plan(vec![virt(100, &[1, 2])]));
    assert_eq!(w.table(100), "1=2 2=2", "without agents nobody is asked");
}
