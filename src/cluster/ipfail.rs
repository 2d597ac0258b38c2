//! `ipfail`: resources belong on the side that sees more ping nodes. The two sides tell each other how many they see; the
//! one with fewer gives its resources away. Speaks the messages of the original's client of that name.

use crate::cluster::io::{Command, Set};
use crate::cluster::membership::{Members, Status};
use crate::cluster::reception::Heard;
use crate::cluster::takeover::Takeover;
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use crate::cluster::wire::Message;
use crate::config::settings::Failback;
use std::time::Duration;

/// When resources were in motion, the counts are compared again after this.
const AGAIN: Duration = Duration::from_secs(10);

/// The client's state.
#[derive(Debug, Default)]
pub(super) struct Ipfail {
    /// Which ping nodes answered, and how many links were up, when it was last looked at.
    seen: Option<(Vec<bool>, usize)>,
    /// What is given up when the timer is due.
    giving_up: Option<Set>,
}

impl Ipfail {
    /// Looks whether what this side sees has changed. Called after each input.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>, members: &Members, takeover: &Takeover) {
        if !wanted(cx) || members.own_status() != Status::Active || takeover.is_leaving() {
            return;
        }
        let links = members.links.up_to(members.others().map(|(n, _)| n));
        let same =
            |(pings, up): &(Vec<bool>, usize)| *up == links && pings.iter().copied().eq(members.pings.iter().map(|p| p.alive));
        if self.seen.as_ref().is_some_and(same) {
            return;
        }
        let now: Vec<bool> = members.pings.iter().map(|p| p.alive).collect();
        let before = self.seen.replace((now.clone(), links));
        let Some((pings, up)) = before else {
            let join = Message::new("hbapi-clstat").with("st", "join");
            cx.say(addressed(join.with("info", "signon")));
            return self.ask(cx, members);
        };
        if now.iter().zip(&pings).any(|(now, before)| *now && !before) {
            cx.voice.info("ipfail: A ping node just came up.");
        }
        if pings != now || links < up {
            self.ask(cx, members);
        }
    }

    /// A message of the other side's ipfail.
    pub(super) fn heard(&mut self, cx: &mut Cx<'_>, members: &Members, heard: &Heard) {
        let message = &heard.message;
        if !wanted(cx) || message.text("from_id") != Some("ipfail") {
            return;
        }
        match message.kind() {
            "hbapi-clstat" if message.text("st") == Some("join") => self.ask(cx, members),
            "num_ping_nodes" => {
                let Some(theirs) = message.decimal("num_ping") else { return };
                self.compare(cx, members, heard.from, count(members), theirs);
            }
            "you_are_dead" => {
                cx.voice.info("ipfail: The other side sees more ping nodes.");
                self.give_up(cx, Set::All);
            }
            "abort_giveup" => self.abort(cx),
            _ => {}
        }
    }

    /// One of its timers is due.
    pub(super) fn timer(&mut self, cx: &mut Cx<'_>, members: &Members, takeover: &mut Takeover, timer: Timer) {
        if timer == Timer::IpfailCompare {
            return self.ask(cx, members);
        }
        let Some(set) = self.giving_up.take() else { return };
        if !takeover.is_stable(cx.settings, members) {
            cx.timers.set(Timer::IpfailCompare, cx.after(AGAIN));
        } else if takeover.held(cx.settings).without(Set::of(!set.local(), !set.foreign())) != Set::None {
            cx.voice.info(format!("ipfail: Giving up {} resources.", set.word()));
            takeover.command(cx, members, Command::Standby(set));
        }
    }

    fn ask(&mut self, cx: &mut Cx<'_>, members: &Members) {
        let Some((_, other)) = members.others().find(|(_, p)| p.active()) else { return };
        cx.voice.info("ipfail: Asking other side for ping node count.");
        let count = count(members).to_string();
        cx.say(addressed(Message::new("num_ping_nodes").with("dest", other.name.clone()).with("num_ping", count)));
    }

    fn compare(&mut self, cx: &mut Cx<'_>, members: &Members, from: usize, ours: u64, theirs: u64) {
        let to = |kind: &str| addressed(Message::new(kind).with("dest", members.name(from)));
        if ours > theirs {
            cx.voice.info("ipfail: Telling other node that we have more visible ping nodes.");
            cx.say(to("you_are_dead"));
        } else if ours < theirs {
            cx.voice.info("ipfail: The other side sees more ping nodes.");
            self.give_up(cx, Set::All);
        } else {
            cx.voice.info("ipfail: Ping node count is balanced.");
            cx.say(to("abort_giveup"));
            self.abort(cx);
            if cx.settings.failback == Failback::On {
                self.give_up(cx, Set::Foreign);
            }
        }
    }

    fn give_up(&mut self, cx: &mut Cx<'_>, set: Set) {
        self.giving_up = Some(set);
        cx.timers.set(Timer::IpfailGiveUp, cx.after(cx.settings.keepalive * 2));
    }

    fn abort(&mut self, cx: &mut Cx<'_>) {
        cx.timers.clear(Timer::IpfailCompare);
        match self.giving_up.take() {
            Some(_) => cx.voice.info("ipfail: Aborted delayed giveup."),
            None => cx.voice.info("ipfail: No giveup timer to abort."),
        }
        cx.timers.clear(Timer::IpfailGiveUp);
    }
}

fn wanted(cx: &Cx<'_>) -> bool {
    cx.settings.local.ipfail && cx.settings.nodes.len() == 2 && cx.settings.failback != Failback::Legacy
}

fn count(members: &Members) -> u64 {
    members.pings.iter().map(|p| u64::from(p.alive)).sum()
}

fn addressed(message: Message) -> Message {
    message.with("from_id", "ipfail").with("to_id", "ipfail").with("client_gen", "0")
}
