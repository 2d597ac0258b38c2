//! Starting and stopping a resource group as a pure sequence of steps: what is done next, given how the last step went.
//!
//! Start goes from left to right and asks each resource for its status first; a failure stops the whole group. Stop goes
//! from right to left and tries each resource again, since a resource left running would run on two nodes.

use std::time::Duration;

use crate::cluster::io::{Outcome, Verb};

/// How often a failing stop is tried again (`HA_STOPRETRYMAX`).
pub const STOP_RETRIES: u32 = 10;
/// Time between two tries.
pub const STOP_PAUSE: Duration = Duration::from_secs(1);

/// What a resource is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Run.
    Start,
    /// End.
    Stop,
    /// Tell whether it runs.
    Status,
}

impl Action {
    /// The last argument of a script.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Status => "status",
        }
    }
}

/// How a resource's action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Start or stop succeeded.
    Ok,
    /// Start or stop failed: why, in one line.
    Failed(String),
    /// Answer to a status.
    Running(bool),
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With this exit status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// It was killed because its time was up.
    TimedOut,
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "ended with {code}"),
            Self::Killed(signal) => write!(f, "was killed by signal {signal}"),
            Self::TimedOut => f.write_str("took too long and was killed"),
        }
    }
}

/// The next step of a [`Sequence`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask the resource of this index, then feed the answer to [`Sequence::done`].
    Run {
        /// Index in the group.
        resource: usize,
        /// What.
        action: Action,
        /// Wait this long before.
        after: Duration,
    },
    /// A resource is worth a log line: its stop failed, but it does not run.
    Ignored {
        /// Index in the group.
        resource: usize,
        /// Why its stop failed.
        why: String,
    },
    /// A resource failed to start; what follows stops the group.
    GivingUp {
        /// Index in the group.
        resource: usize,
        /// Why.
        why: String,
    },
    /// The group is through.
    End(Outcome),
}

/// One group on its way.
#[derive(Debug, Clone)]
pub struct Sequence {
    resources: usize,
    phase: Phase,
    /// Set once a start has failed: how this ends although the stop went well.
    failure: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Asks the resource whether it runs.
    Ask(usize),
    /// Starts it.
    Start(usize),
    /// Told that its start failed.
    GiveUp(usize),
    /// Stops resource `.0 - 1`, the `.1`th retry.
    Stop(usize, u32),
    /// Asks whether it still runs after its last stop failed so.
    StillThere(usize, String),
    /// Told that its failed stop is ignored.
    Ignore(usize, String),
    /// Through.
    End(Outcome),
}

impl Sequence {
    /// For a group of so many resources.
    #[must_use]
    pub fn new(verb: Verb, resources: usize) -> Self {
        let phase = match verb {
            Verb::Start => Phase::Ask(0),
            Verb::Stop => Phase::Stop(resources, 0),
        };
        Self { resources, phase, failure: None }
    }

    /// What to do now. [`Step::Run`] is repeated until it is answered; the others are told once.
    pub fn step(&mut self) -> Step {
        let run = |resource, action, after| Step::Run { resource, action, after };
        match self.phase.clone() {
            Phase::Ask(i) | Phase::Start(i) if i >= self.resources => self.end(Outcome::Done),
            Phase::Ask(i) => run(i, Action::Status, Duration::ZERO),
            Phase::Start(i) => run(i, Action::Start, Duration::ZERO),
            Phase::GiveUp(i) => {
                self.phase = Phase::Stop(self.resources, 0);
                Step::GivingUp { resource: i, why: self.failure.clone().unwrap_or_default() }
            }
            Phase::Stop(0, _) => {
                let outcome = self.failure.clone().map_or(Outcome::Done, Outcome::Failed);
                self.end(outcome)
            }
            Phase::Stop(left, tries) => {
                let after = if tries == 0 { Duration::ZERO } else { STOP_PAUSE };
                run(left.saturating_sub(1), Action::Stop, after)
            }
            Phase::StillThere(left, _) => run(left.saturating_sub(1), Action::Status, Duration::ZERO),
            Phase::Ignore(left, why) => {
                self.phase = Phase::Stop(left.saturating_sub(1), 0);
                Step::Ignored { resource: left.saturating_sub(1), why }
            }
            Phase::End(outcome) => Step::End(outcome),
        }
    }

    /// How the last [`Step::Run`] went.
    pub fn done(&mut self, done: Done) {
        self.phase = match (self.phase.clone(), done) {
            (Phase::Ask(i), Done::Running(true)) | (Phase::Start(i), Done::Ok | Done::Running(_)) => Phase::Ask(i + 1),
            (Phase::Ask(i), _) => Phase::Start(i),
            (Phase::Start(i), Done::Failed(why)) => {
                self.failure = Some(why);
                Phase::GiveUp(i)
            }
            (Phase::Stop(left, _), Done::Ok | Done::Running(_)) => Phase::Stop(left.saturating_sub(1), 0),
            (Phase::Stop(left, tries), Done::Failed(_)) if tries < STOP_RETRIES => Phase::Stop(left, tries + 1),
            (Phase::Stop(left, _), Done::Failed(why)) => Phase::StillThere(left, why),
            // It runs and does not stop: nothing to its left may be stopped either, since it may depend on it.
            (Phase::StillThere(_, why), Done::Running(true)) => Phase::End(Outcome::Failed(why)),
            (Phase::StillThere(left, why), _) => Phase::Ignore(left, why),
            (phase @ (Phase::GiveUp(_) | Phase::Ignore(..) | Phase::End(_)), _) => phase,
        };
    }

    fn end(&mut self, outcome: Outcome) -> Step {
        self.phase = Phase::End(outcome.clone());
        Step::End(outcome)
    }
}

/// Whether the output of a script's `status` says that it runs: some form of `running` or `OK`, and no `not running`. The
/// exit status is not looked at, as in the original.
#[must_use]
pub fn says_running(output: &str) -> bool {
    let lower = output.to_ascii_lowercase();
    !lower.contains("not running") && (output.contains("OK") || output.contains("running") || output.contains("Running"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a sequence against an oracle; returns the actions and the end.
    fn play(verb: Verb, resources: usize, answer: impl Fn(usize, Action) -> Done) -> (Vec<String>, Outcome) {
        let mut sequence = Sequence::new(verb, resources);
        let mut seen = Vec::new();
        loop {
            match sequence.step() {
                Step::Run { resource, action, after } => {
                    seen.push(format!("{}{}{}", action.word(), resource, if after.is_zero() { "" } else { " later" }));
                    sequence.done(answer(resource, action));
                }
                Step::Ignored { resource, .. } => seen.push(format!("ignored{resource}")),
                Step::GivingUp { resource, .. } => seen.push(format!("giving up{resource}")),
                Step::End(outcome) => return (seen, outcome),
            }
            assert!(seen.len() < 200, "{seen:?}");
        }
    }

    fn well(_: usize, action: Action) -> Done {
        if action == Action::Status { Done::Running(false) } else { Done::Ok }
    }

    #[test]
    fn start_asks_first_and_goes_left_to_right() {
        let (seen, outcome) = play(Verb::Start, 2, well);
        assert_eq!((seen.join(" "), outcome), ("status0 start0 status1 start1".to_owned(), Outcome::Done));
        let (seen, _) = play(Verb::Start, 2, |i, a| if (i, a) == (0, Action::Status) { Done::Running(true) } else { well(i, a) });
        assert_eq!(seen.join(" "), "status0 status1 start1", "what runs is not started");
    }

    #[test]
    fn a_failed_start_stops_the_whole_group_from_the_right() {
        let (seen, outcome) =
            play(Verb::Start, 3, |i, a| if (i, a) == (1, Action::Start) { Done::Failed("no".into()) } else { well(i, a) });
        assert_eq!(seen.join(" "), "status0 start0 status1 start1 giving up1 stop2 stop1 stop0");
        assert_eq!(outcome, Outcome::Failed("no".into()));
    }

    #[test]
    fn a_stop_is_tried_eleven_times_and_ignored_if_nothing_runs() {
        let fails = |i, a| if (i, a) == (1, Action::Stop) { Done::Failed("stuck".into()) } else { well(i, a) };
        let (seen, outcome) = play(Verb::Stop, 2, fails);
        assert_eq!(seen.iter().filter(|s| *s == "stop1 later").count(), 10);
        assert_eq!(seen[11..].join(" "), "status1 ignored1 stop0");
        assert_eq!(outcome, Outcome::Done);
    }

    #[test]
    fn a_resource_that_runs_on_fails_the_stop_and_keeps_what_it_needs() {
        let (seen, outcome) = play(Verb::Stop, 2, |i, a| match (i, a) {
            (1, Action::Stop) => Done::Failed("stuck".into()),
            (1, Action::Status) => Done::Running(true),
            _ => well(i, a),
        });
        assert_eq!(seen.last().map(String::as_str), Some("status1"));
        assert_eq!(outcome, Outcome::Failed("stuck".into()));
    }

    #[test]
    fn an_empty_group_is_done_at_once() {
        assert_eq!(play(Verb::Start, 0, well), (vec![], Outcome::Done));
        assert_eq!(play(Verb::Stop, 0, well), (vec![], Outcome::Done));
    }

    #[test]
    fn the_output_of_status_decides() {
        for yes in ["running", "httpd (pid 7) is running...", "Running", "OK", "eth0: OK\n"] {
            assert!(says_running(yes), "{yes}");
        }
        for no in ["", "stopped", "not running", "Not Running", "httpd is not running (OK)", "ok"] {
            assert!(!says_running(no), "{no}");
        }
    }
}
