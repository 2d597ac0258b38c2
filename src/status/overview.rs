//! All daemons of one machine together, and what is wrong among them.

use serde::Serialize;

use super::snapshot::{Cluster, Director, Virtual};

/// What the daemons of this machine report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// The heartbeat daemon; `None` when it is not running.
    pub heartbeat: Option<Cluster>,
    /// The ldirectord instances, by name.
    pub ldirectord: Vec<Director>,
    /// Daemons that are there but did not answer: who and why, one line each.
    pub unanswered: Vec<String>,
}

/// An overview as JSON shows it.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// As in [`Overview`].
    pub heartbeat: Option<&'a Cluster>,
    /// As in [`Overview`].
    pub ldirectord: &'a [Director],
    /// As in [`Overview`].
    pub unanswered: &'a [String],
    /// See [`Overview::problems`].
    pub problems: Vec<String>,
}

impl Overview {
    /// Whether nothing runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heartbeat.is_none() && self.ldirectord.is_empty() && self.unanswered.is_empty()
    }

    /// 0 all is well, 1 something is degraded, 3 nothing runs, 4 nothing that runs answered (3 and 4 as LSB has them).
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let answered = self.heartbeat.is_some() || !self.ldirectord.is_empty();
        match (answered, self.unanswered.is_empty()) {
            (false, true) => 3,
            (false, false) => 4,
            (true, _) => u8::from(!self.problems().is_empty()),
        }
    }

    /// Everything that is not as it should be, one line each, the gravest kind first within a daemon.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut found = self.unanswered.clone();
        if let Some(cluster) = &self.heartbeat {
            of_cluster(cluster, &mut found);
        }
        for director in &self.ldirectord {
            if let Some(error) = &director.config_error {
                found.push(format!(
                    "ldirectord {}: the file is in error, the old configuration is in force: {error}",
                    director.instance
                ));
            }
            for service in &director.virtuals {
                of_virtual(service, &mut found);
            }
        }
        found
    }

    /// The same for machines.
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        Report {
            heartbeat: self.heartbeat.as_ref(),
            ldirectord: &self.ldirectord,
            unanswered: &self.unanswered,
            problems: self.problems(),
        }
    }
}

fn of_cluster(cluster: &Cluster, found: &mut Vec<String>) {
    for group in &cluster.groups {
        let name = group.resources.first().map_or("(empty)", String::as_str);
        match (&group.moving, &group.owner) {
            (Some(moving), _) => found.push(format!("group {name} is {moving}")),
            (None, None) => found.push(format!("group {name} runs nowhere")),
            (None, Some(_)) => {}
        }
    }
    for node in cluster.nodes.iter().filter(|n| !n.differs.is_empty()) {
        found.push(format!("files of {} differ from those here: {}", node.name, node.differs.join(", ")));
    }
    for node in &cluster.nodes {
        let kind = if node.ping { "ping node" } else { "node" };
        match node.status.as_str() {
            "active" | "ping" => {
                // A node need not hear itself: with ucast and mcast it never does.
                for link in node.links.iter().filter(|l| !l.up && node.name != cluster.me) {
                    found.push(format!("link {} to {} is dead", link.name, node.name));
                }
            }
            "dead" => found.push(format!("{kind} {} is dead", node.name)),
            status => found.push(format!("{kind} {} is not active yet ({status})", node.name)),
        }
    }
}

fn of_virtual(service: &Virtual, found: &mut Vec<String>) {
    let key = service.key;
    if !service.installed {
        found.push(format!("{key} is not in the kernel's table"));
    }
    if !service.reals.is_empty() && service.reals.iter().all(|r| r.state == "down") {
        found.push(match &service.fallback {
            Some(fallback) => format!("{key} has no real server that is up: fallback {} is {}", fallback.address, fallback.state),
            None => format!("{key} has no real server that is up, and no fallback"),
        });
    }
    for real in &service.reals {
        if real.state == "down" {
            found.push(format!("real server {} of {key} is down", real.address));
        } else if service.installed && real.installed_weight.is_none() {
            found.push(format!("real server {} of {key} is {} but not in the kernel's table", real.address, real.state));
        }
    }
}
