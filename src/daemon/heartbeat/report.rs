//! What the daemon tells about itself: the last events, and the node's view as a snapshot.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::cluster::io::{Event, Level, Mono, Set, Verb, View};
use crate::config::settings::{Failback, Settings};
use crate::log::heartbeat::word;
use crate::status::snapshot;

/// Events kept.
const KEPT: usize = 200;

/// The last events, newest first.
#[derive(Debug, Default)]
pub(super) struct Events {
    kept: Mutex<VecDeque<(Mono, Level, String)>>,
}

impl Events {
    /// One more.
    pub(super) fn push(&self, at: Mono, event: Event) {
        if event.level == Level::Debug {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((at, event.level, event.text));
        kept.truncate(KEPT);
    }

    fn list(&self, now: Mono) -> Vec<snapshot::Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let event = |(at, level, text): &(Mono, Level, String)| snapshot::Event {
            ago: (now - *at).as_secs_f64(),
            level: word(*level).to_owned(),
            text: text.clone(),
        };
        kept.iter().map(event).collect()
    }
}

/// The whole state at `now`.
pub(super) fn snapshot(settings: &Settings, view: View, events: &Events, now: Mono) -> snapshot::Cluster {
    let ago = |at: Mono| (now - at).as_secs_f64();
    let node = |n: crate::cluster::io::NodeView| snapshot::Node {
        name: n.name,
        status: n.status,
        ping: n.ping,
        since: ago(n.since),
        heard: n.heard.map(ago),
        links: n.links.into_iter().map(|(name, up)| snapshot::Link { name, up }).collect(),
        differs: n.differs,
    };
    let group = |(g, view): (&crate::config::settings::Group, crate::cluster::io::GroupView)| snapshot::Group {
        node: g.node.clone(),
        resources: g.resources.iter().map(|r| r.word.clone()).collect(),
        owner: view.owner,
        moving: view.moving.map(|verb| {
            match verb {
                Verb::Start => "starting",
                Verb::Stop => "stopping",
            }
            .to_owned()
        }),
        since: ago(view.since),
        reason: view.reason,
    };
    snapshot::Cluster {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime: now.0.as_secs_f64(),
        me: settings.me.clone(),
        status: view.status,
        resources: if view.stable { set(view.held) } else { "transition" }.to_owned(),
        held: view.held,
        auto_failback: match view.failback {
            Failback::On => "on",
            Failback::Off => "off",
            Failback::Legacy => "legacy",
        }
        .to_owned(),
        nodes: view.nodes.into_iter().map(node).collect(),
        groups: settings.groups.iter().zip(view.groups).map(group).collect(),
        late: view.late.as_secs_f64(),
        parameters: settings.parameters.clone(),
        events: events.list(now),
    }
}

fn set(set: Set) -> &'static str {
    match set {
        Set::None => "none",
        Set::Local => "local",
        Set::Foreign => "foreign",
        Set::All => "all",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::io::Subject;
    use std::time::Duration;

    #[test]
    fn the_last_events_are_kept_newest_first_without_debug() {
        let events = Events::default();
        let event = |level, n: u64| Event { level, subject: Subject::Cluster, text: n.to_string() };
        for n in 0..300 {
            events.push(Mono(Duration::from_secs(n)), event(Level::Warn, n));
        }
        events.push(Mono(Duration::from_secs(300)), event(Level::Debug, 300));
        let list = events.list(Mono(Duration::from_secs(309)));
        assert_eq!((list.len(), list[0].text.as_str(), list[0].ago, list[0].level.as_str()), (200, "299", 10.0, "WARN"));
    }
}
