//! What is told to people and programs when a real server comes or goes: by mail, to a URL, to a command. Which events
//! there are and what they say; sending is `daemon::ldirectord::alerts`.

use std::time::Duration;

use serde::Serialize;

use crate::cluster::io::Mono;
use crate::director::plan::{Mail, Real, Virtual};
use crate::director::{Director, Event, report};
use crate::ipvs::model::{DestKey, ServiceKey};

/// What the daemon is doing, in the words of `emailalertstatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// From the start to the end of the first round of checks.
    Starting,
    /// Watching.
    Running,
    /// From a reload to the first verdicts on what is new.
    Reloading,
    /// Ending.
    Stopping,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Starting, Self::Running, Self::Reloading, Self::Stopping];

    /// The word in the file and in a mail.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Reloading => "reloading",
            Self::Stopping => "stopping",
        }
    }
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It has come into the table.
    Added,
    /// Its entry has been set right.
    Restored,
    /// It has left the table.
    Deleted,
    /// It has weight 0.
    Quiescent,
    /// It has left the table at a start, reload or stop.
    Purged,
    /// It is still down, or was found down.
    Inaccessible,
}

impl Change {
    /// The word in JSON and in a hook's environment.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Restored => "restored",
            Self::Deleted => "deleted",
            Self::Quiescent => "quiescent",
            Self::Purged => "purged",
            Self::Inaccessible => "inaccessible",
        }
    }
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What has happened.
    pub change: Change,
    /// The virtual service.
    pub service: ServiceKey,
    /// The real server or the fallback, `IP:PORT`.
    pub real: String,
    /// Whether it is the fallback.
    pub fallback: bool,
    /// The log line.
    pub text: String,
    /// What the daemon was doing.
    pub phase: Phase,
    /// `servicename`.
    pub name: Option<String>,
    /// `comment`.
    pub comment: Option<String>,
}

/// An alert as JSON says it.
#[derive(Debug, Serialize)]
struct Message<'a> {
    event: Change,
    text: &'a str,
    service: String,
    protocol: &'a str,
    real: &'a str,
    fallback: bool,
    status: Phase,
    host: &'a str,
    instance: &'a str,
    /// Unix seconds.
    time: f64,
    servicename: Option<&'a str>,
    comment: Option<&'a str>,
}

impl Alert {
    /// One line of JSON, as sent to a webhook and to a hook's standard input.
    #[must_use]
    pub fn json(&self, host: &str, instance: &str, time: f64) -> String {
        let protocol = match self.service {
            ServiceKey::Addr { protocol, .. } => protocol.name(),
            ServiceKey::Fwmark { .. } => "fwm",
        };
        let message = Message {
            event: self.change,
            text: &self.text,
            service: report::service(&self.service),
            protocol,
            real: &self.real,
            fallback: self.fallback,
            status: self.phase,
            host,
            instance,
            time,
            servicename: self.name.as_deref(),
            comment: self.comment.as_deref(),
        };
        // Strings and numbers have no way to fail.
        serde_json::to_string(&message).unwrap_or_default()
    }

    /// The subject of its mail: the log line, the service's name before it.
    #[must_use]
    pub fn subject(&self) -> String {
        self.name.as_ref().map_or_else(|| self.text.clone(), |name| format!("[{name}] {}", self.text))
    }
}

/// Subject and text of one mail about some alerts of one service and its addressees: the original's for one, a list for more.
/// `left_out` more had no room.
#[must_use]
pub fn mail(alerts: &[Alert], left_out: usize, host: &str) -> Option<(String, String)> {
    let first = alerts.first()?;
    let count = alerts.len() + left_out;
    let subject = match &first.name {
        _ if count == 1 => first.subject(),
        Some(name) => format!("[{name}] {count} changes of real servers"),
        None => format!("{count} changes of real servers ({})", report::service(&first.service)),
    };
    let mut body = format!("ldirectord host: {host}\n");
    for alert in alerts {
        body.push_str(&format!("Log-Message: {}\n", alert.subject()));
    }
    if left_out > 0 {
        body.push_str(&format!("and {left_out} more: see the log\n"));
    }
    body.push_str(&format!("Daemon-Status: {}\n\n", alerts.last().unwrap_or(first).phase.word()));
    body.extend(first.name.iter().map(|name| format!("Service name: {name}\n")));
    body.extend(first.comment.iter().map(|comment| format!("Comment: {comment}\n")));
    Some((subject, body))
}

/// The addresses of `emailalert`, separated by commas or blanks; of `Name <address>` the address.
#[must_use]
pub fn addresses(value: &str) -> Vec<String> {
    let bare = |one: &str| match one.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default().trim().to_owned(),
        None => one.trim().to_owned(),
    };
    let parts: Vec<String> = value.split([',', ';']).map(bare).collect();
    let words = parts.iter().flat_map(|p| p.split_whitespace());
    words.filter(|a| !a.is_empty()).map(str::to_owned).collect()
}

impl Mail {
    /// Whether a mail is wanted at that time.
    #[must_use]
    pub fn wanted(&self, phase: Phase) -> bool {
        self.phases.contains(&phase)
    }
}

impl Director {
    /// What the daemon is doing.
    pub(super) fn phase(&self) -> Phase {
        if self.stopping { Phase::Stopping } else { self.opening.unwrap_or(Phase::Running) }
    }

    /// Tells it to whom it may concern.
    pub(super) fn alert(&mut self, index: usize, alert: Alert) {
        let Some(alerts) = self.plan.virtuals.get(index).map(|v| &v.alerts).filter(|a| !a.nobody()) else { return };
        self.outputs.push_back(super::Output::Alert { alert, alerts: alerts.clone() });
    }

    /// Servers that are down and were not told about for so long as was asked for, after a verdict about them.
    pub(super) fn remind(&mut self, now: Mono, down: Vec<(usize, usize)>) {
        for (index, place) in down {
            let phase = self.phase();
            let (Some(v), Some(state)) = (self.plan.virtuals.get(index), self.services.get_mut(index)) else { continue };
            let (Some(real), Some(health)) = (v.reals.get(place), state.reals.get_mut(place)) else { continue };
            let repeat = v.alerts.repeat;
            let due = match health.alerted {
                // Found down by its first check: no change of the table tells of that.
                None => true,
                Some(_) if repeat == Duration::ZERO => false,
                Some(at) => now - at >= repeat,
            };
            if !due || health.hold.is_some() {
                continue;
            }
            health.alerted = Some(now);
            let alert = about(v, real, Change::Inaccessible, inaccessible(v, real), phase);
            self.alert(index, alert);
        }
    }
}

/// An alert about a real server.
pub(super) fn about(v: &Virtual, real: &Real, change: Change, text: Event, phase: Phase) -> Alert {
    Alert {
        change,
        service: v.service.key,
        real: real.written.clone(),
        fallback: false,
        text: text.text,
        phase,
        name: v.name.clone(),
        comment: v.comment.clone(),
    }
}

/// An alert about an entry of the table that is no real server of the plan's: the fallback, or a stranger.
pub(super) fn about_entry(v: &Virtual, key: DestKey, change: Change, text: Event, phase: Phase) -> Alert {
    Alert {
        change,
        service: v.service.key,
        real: key.to_string(),
        fallback: false,
        text: text.text,
        phase,
        name: v.name.clone(),
        comment: v.comment.clone(),
    }
}

fn inaccessible(v: &Virtual, real: &Real) -> Event {
    Event::warn(format!("Inaccessible real server: {} ({})", real.written, report::service(&v.service.key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(text: &str) -> Alert {
        Alert {
            change: Change::Deleted,
            service: ServiceKey::Fwmark { mark: 5, family: crate::ipvs::model::Family::Inet },
            real: "10.0.0.1:80".into(),
            fallback: false,
            text: text.into(),
            phase: Phase::Running,
            name: Some("Shop".into()),
            comment: Some("Call 555".into()),
        }
    }

    #[test]
    fn one_alert_is_the_originals_mail_and_many_are_a_list() {
        let (one, two) = (alert("Deleted real server: 10.0.0.1:80 (5)"), alert("two"));
        assert_eq!(
            mail(std::slice::from_ref(&one), 0, "lb1").unwrap(),
            (
                "[Shop] Deleted real server: 10.0.0.1:80 (5)".into(),
                "ldirectord host: lb1\nLog-Message: [Shop] Deleted real server: 10.0.0.1:80 (5)\nDaemon-Status: running\n\n\
                 Service name: Shop\nComment: Call 555\n"
                    .into()
            )
        );
        let (subject, body) = mail(&[one, two], 3, "lb1").unwrap();
        assert_eq!(subject, "[Shop] 5 changes of real servers");
        assert!(body.contains("Log-Message: [Shop] two\nand 3 more: see the log\n"), "{body}");
        assert_eq!(mail(&[], 0, "lb1"), None);
    }

    #[test]
    fn json_is_one_line() {
        let json = alert("a \"b\"\n").json("lb1", "x.cf", 1.5);
        assert_eq!(
            json,
            "{\"event\":\"deleted\",\"text\":\"a \\\"b\\\"\\n\",\"service\":\"5\",\"protocol\":\"fwm\",\"real\":\"10.0.0.1:80\",\
             \"fallback\":false,\"status\":\"running\",\"host\":\"lb1\",\"instance\":\"x.cf\",\"time\":1.5,\
             \"servicename\":\"Shop\",\"comment\":\"Call 555\"}"
        );
    }

    #[test]
    fn addresses_are_separated_by_commas_or_blanks() {
        assert_eq!(addresses("ops@test, dev@test"), ["ops@test", "dev@test"]);
        assert_eq!(addresses("root"), ["root"]);
        assert_eq!(addresses("On Call <ops@test>,a@b c@d;"), ["ops@test", "a@b", "c@d"]);
        assert_eq!(addresses(" , "), [""; 0]);
    }
}
