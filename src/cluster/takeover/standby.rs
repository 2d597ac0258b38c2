//! The standby handshake: one node gives groups to another. Message `ask_resources` with `info` me, other or done.
//!
//! ```text
//! giver                               taker
//! me            ------------------->            Asked / Offered
//!               <-------------------  other
//! (stops)                                       Releasing / Offered
//! done          ------------------->            Released / Acquiring
//!                                     (starts)
//!               <-------------------  done      None / None, both say resource isstable=1
//! ```

use std::time::Duration;

use crate::cluster::io::Set;
use crate::cluster::membership::Members;
use crate::cluster::reception::Heard;
use crate::cluster::takeover::sets::{self, Groups};
use crate::cluster::takeover::{Phase, Takeover};
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use crate::cluster::wire::Message;

/// For the answer to `me`.
const REPLY: Duration = Duration::from_secs(10);
/// For the giver's first move after our answer: longer than it waits for that answer.
const FIRST_MOVE: Duration = Duration::from_secs(15);
/// For scripts.
const SCRIPTS: Duration = Duration::from_secs(3600);
/// For `done` after the taker has said that it is at rest.
const LAST_WORD: Duration = Duration::from_secs(5);
/// A failback that got no answer is tried again after this.
const FAILBACK_AGAIN: Duration = Duration::from_secs(1);

/// Where the handshake stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Standby {
    /// Nowhere.
    #[default]
    None,
    /// We said `me`.
    Asked(Deal),
    /// They said `other`; we stop.
    Releasing(Deal),
    /// We said `done`; they start.
    Released(Deal),
    /// They said `me`, we `other`.
    Offered(Deal),
    /// They said `done`; we start.
    Acquiring(Deal),
}

/// What changes hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deal {
    /// The other side.
    pub(super) with: usize,
    /// As the giver sees it.
    pub(super) set: Set,
    /// The groups that means.
    pub(super) groups: Groups,
}

impl Standby {
    fn deal(&self) -> Option<&Deal> {
        match self {
            Self::None => None,
            Self::Asked(d) | Self::Releasing(d) | Self::Released(d) | Self::Offered(d) | Self::Acquiring(d) => Some(d),
        }
    }

    /// The number the original logs.
    fn state(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Asked(_) => 1,
            Self::Offered(_) => 2,
            Self::Releasing(_) | Self::Released(_) | Self::Acquiring(_) => 3,
        }
    }
}

impl Takeover {
    /// Asks `with` to take `groups`, which are `set` as seen from here.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, members: &Members, with: usize, set: Set, groups: Groups) {
        cx.voice.info(format!("{} wants to go standby [{}]", cx.settings.me, set.word()));
        let deal = Deal { with, set, groups };
        self.say_ask(cx, members, &deal, "me");
        self.standby = Standby::Asked(deal);
        cx.timers.set(Timer::Standby, cx.after(REPLY));
    }

    /// An `ask_resources` came.
    pub(super) fn asked(&mut self, cx: &mut Cx<'_>, members: &Members, heard: &Heard) {
        let (from, message) = (heard.from, &heard.message);
        let (Some(set), Some(info)) = (message.text("rsc_hold").and_then(Set::from_word), message.text("info")) else { return };
        let giver = if info == "other" || matches!(self.standby, Standby::Released(_)) { members.me } else { from };
        let groups = match message.text(sets::LIST) {
            Some(list) => sets::from_list(&cx.settings.groups, list),
            None => sets::expand(cx.settings, set, members.name(giver)),
        };
        let deal = Deal { with: from, set, groups };
        match (info, self.standby.clone()) {
            ("me", _) => self.asked_to_take(cx, members, deal),
            ("other", Standby::Asked(asked)) if asked.with == from => {
                cx.voice.info(format!("standby: acquire [{}] resources from {}", set.word(), cx.settings.me));
                self.hollow = self.hollow.without(asked.set);
                for group in asked.groups.clone() {
                    let why = self.slots.get(group).and_then(|s| s.fault()).unwrap_or("standby");
                    let reason = format!("given to {}: {why}", members.name(from));
                    self.slots.release(cx, group, reason);
                }
                self.standby = Standby::Releasing(asked);
                cx.timers.set(Timer::Standby, cx.after(SCRIPTS));
                self.report(cx, Some("standby"));
            }
            ("done", Standby::Offered(offer)) if offer.with == from => {
                cx.voice.info(format!("standby: acquire [{}] resources from {}", set.word(), members.name(from)));
                for group in deal.groups.clone() {
                    self.slots.claim(cx, group, false, format!("given by {}: standby", members.name(from)));
                }
                self.hollow = self.hollow.with(set.mirrored());
                self.standby = Standby::Acquiring(deal);
                cx.timers.set(Timer::Standby, cx.after(SCRIPTS));
            }
            ("done", Standby::Released(given)) if given.with == from => {
                cx.voice.info(format!("Standby resource transfer done [{}]", given.set.word()));
                // Its report may come later than this, or may have come before and knows better.
                if let Some(other) = self.others.get_mut(from)
                    && heard.seq > other.newest
                {
                    other.held.extend(given.groups);
                    other.set = other.set.with(given.set.mirrored());
                }
                self.end_deal(cx);
            }
            (_, state) => {
                let text = format!("Ignored standby message '{info}' from {} in state {}", members.name(from), state.state());
                cx.voice.warn(text);
                // Whoever talks of a handshake that is over here learns from this that it is.
                self.report(cx, None);
            }
        }
    }

    /// The handshake goes on when the groups are at rest.
    pub(super) fn continue_deal(&mut self, cx: &mut Cx<'_>, members: &Members) {
        match self.standby.clone() {
            Standby::Releasing(deal) if self.slots.calm_in(&deal.groups) => {
                self.say_ask(cx, members, &deal, "done");
                self.standby = Standby::Released(deal);
                cx.timers.set(Timer::Standby, cx.after(SCRIPTS));
            }
            Standby::Acquiring(deal) if self.slots.calm_in(&deal.groups) => {
                self.say_ask(cx, members, &deal, "done");
                self.end_deal(cx);
            }
            _ => {}
        }
    }

    /// The other side is dead, gone or new.
    pub(super) fn cancel_deal(&mut self, cx: &mut Cx<'_>, with: usize) {
        if self.standby.deal().is_some_and(|d| d.with == with) {
            cx.voice.warn("Cancelling pending standby operation");
            self.end_deal(cx);
        }
    }

    /// A request that nobody has answered is given up, as nothing has moved.
    pub(super) fn withdraw(&mut self, cx: &mut Cx<'_>) {
        if matches!(self.standby, Standby::Asked(_)) {
            self.standby = Standby::None;
            cx.timers.clear(Timer::Standby);
        }
    }

    /// It has lasted too long.
    pub(super) fn deal_expired(&mut self, cx: &mut Cx<'_>) {
        match &self.standby {
            Standby::None => {}
            Standby::Asked(_) => {
                cx.voice.warn("No reply to standby request.  Standby request cancelled.");
                cx.timers.set(Timer::Failback, cx.after(FAILBACK_AGAIN));
                self.end_deal(cx);
            }
            Standby::Releasing(_) | Standby::Released(_) | Standby::Offered(_) | Standby::Acquiring(_) => {
                cx.voice.warn("Standby operation took too long.  Cancelled.");
                self.end_deal(cx);
            }
        }
    }

    /// The other side said that it is at rest, or not.
    pub(super) fn deal_partner_is(&mut self, cx: &mut Cx<'_>, from: usize, stable: bool) {
        match &self.standby {
            Standby::Offered(d) if d.with == from && !stable => cx.timers.set(Timer::Standby, cx.after(SCRIPTS)),
            Standby::Released(d) if d.with == from && stable => cx.timers.set(Timer::Standby, cx.after(LAST_WORD)),
            _ => {}
        }
    }

    fn asked_to_take(&mut self, cx: &mut Cx<'_>, members: &Members, deal: Deal) {
        let from = members.name(deal.with).to_owned();
        match &self.standby {
            Standby::None => {}
            // It has cancelled its first request, of which we have the offer still open.
            Standby::Offered(d) if d.with == deal.with => {}
            // Both asked: the later one in the list of nodes yields.
            Standby::Asked(d) if d.with == deal.with && members.me > deal.with => self.standby = Standby::None,
            _ => {
                let left = cx.timers.due(Timer::Standby).map_or(0, |at| (at - cx.mono()).as_secs());
                cx.voice.warn(format!("Standby in progress- new request from {from} ignored [{left} seconds left]"));
                return;
            }
        }
        if !self.others.get(deal.with).is_some_and(|o| o.stable) {
            cx.voice.warn(format!("standby message [me] from {from} ignored.  Other side is in flux."));
            return;
        }
        if self.phase != Phase::Stable || self.pending.is_some() {
            cx.voice.warn(format!("standby message [me] from {from} ignored.  local resources in flux."));
            return;
        }
        self.standby = Standby::Offered(deal.clone());
        if cx.settings.nodes.len() > 2 {
            self.report(cx, None);
        }
        self.say_ask(cx, members, &deal, "other");
        cx.timers.set(Timer::Standby, cx.after(FIRST_MOVE));
    }

    fn end_deal(&mut self, cx: &mut Cx<'_>) {
        self.standby = Standby::None;
        cx.timers.clear(Timer::Standby);
        self.report(cx, None);
    }

    /// With more than two nodes, or with one of our like, groups move singly: whom it concerns and which groups is said as well.
    fn say_ask(&self, cx: &mut Cx<'_>, members: &Members, deal: &Deal, info: &str) {
        let message = Message::new("ask_resources").with("rsc_hold", deal.set.word()).with("info", info);
        if self.exact {
            cx.say(message.with("dest", members.name(deal.with)).with(sets::LIST, sets::list(&cx.settings.groups, &deal.groups)));
        } else {
            cx.say(message);
        }
    }
}
