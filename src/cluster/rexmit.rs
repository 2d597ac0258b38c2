//! Sequence numbers: what came, what is missing, what is acknowledged, and what can be sent again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::cluster::io::Mono;
use crate::cluster::wire::Message;

/// Messages kept for sending again.
pub(super) const HISTORY: usize = 500;
/// More missing messages than this, and the count starts over.
pub(super) const MOST_MISSING: u64 = 250;
/// A missing message is asked for so often.
const MOST_ASKED: u32 = 40;
/// Most messages sent again for one request.
pub(super) const MOST_RESENT: u64 = 50;

/// The sequence numbers of one node as they come in.
#[derive(Debug, Clone)]
pub(super) struct Inbound {
    last: Option<u64>,
    /// Each with how often it was asked for.
    missing: BTreeMap<u64, u32>,
    /// Numbers that end in this digit are acknowledged.
    trigger: u64,
    acked: u64,
}

/// What a number meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Not seen before.
    New,
    /// One that was missing.
    Recovered,
    /// The last one again.
    Duplicate,
    /// Older, and not missing.
    Stale,
}

/// What to do about a missing number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// It is not missing any more.
    Found,
    /// Ask for it.
    Again,
    /// It has been asked for in vain too often, and counts as lost from now on.
    GivenUp,
}

/// The answer to one number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) arrival: Arrival,
    /// Numbers now known to be missing, in order.
    pub(super) lost: Vec<u64>,
    /// The highest number before this one, when something is missing.
    pub(super) before: u64,
    /// So many are missing that they are given up.
    pub(super) too_many: bool,
    /// The last missing one came.
    pub(super) complete: bool,
    /// To be acknowledged.
    pub(super) ack: Option<u64>,
}

impl Inbound {
    pub(super) fn new(trigger: u64) -> Self {
        Self { last: None, missing: BTreeMap::new(), trigger: trigger % 10, acked: 0 }
    }

    /// The node started anew: its numbers begin at 1, and what was sent before we heard it again is wanted as well.
    pub(super) fn restart(&mut self) {
        self.last = Some(0);
        self.missing.clear();
        self.acked = 0;
    }

    /// Takes the number of a message that came in.
    pub(super) fn arrive(&mut self, seq: u64) -> Arrived {
        let mut out = Arrived { arrival: Arrival::New, lost: Vec::new(), before: 0, too_many: false, complete: false, ack: None };
        match self.last {
            None => self.start_at(seq),
            Some(last) if seq == last => out.arrival = Arrival::Duplicate,
            Some(last) if seq > last => {
                let gap = seq - last - 1;
                if gap + self.missing.len() as u64 > MOST_MISSING {
                    out.too_many = true;
                    self.start_at(seq);
                } else {
                    out.before = last;
                    out.lost = (last + 1..seq).collect();
                    self.missing.extend(out.lost.iter().map(|n| (*n, 0)));
                    self.last = Some(seq);
                }
            }
            Some(_) if self.missing.remove(&seq).is_some() => {
                out.arrival = Arrival::Recovered;
                out.complete = self.missing.is_empty();
            }
            Some(_) => out.arrival = Arrival::Stale,
        }
        if matches!(out.arrival, Arrival::New | Arrival::Recovered) {
            out.ack = self.due_ack();
        }
        out
    }

    /// Nothing is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// The numbers that are missing.
    pub(super) fn missing(&self) -> impl Iterator<Item = u64> {
        self.missing.keys().copied()
    }

    /// It is time to ask for a missing one.
    pub(super) fn ask(&mut self, seq: u64) -> Ask {
        match self.missing.get_mut(&seq) {
            None => Ask::Found,
            Some(asked) if *asked < MOST_ASKED => {
                *asked += 1;
                Ask::Again
            }
            Some(_) => {
                self.missing.remove(&seq);
                Ask::GivenUp
            }
        }
    }

    /// Nobody has that message any more. Returns whether it was still wanted.
    pub(super) fn give_up(&mut self, seq: u64) -> bool {
        self.missing.remove(&seq).is_some()
    }

    fn start_at(&mut self, seq: u64) {
        self.last = Some(seq);
        self.missing.clear();
        self.acked = seq.saturating_sub(1);
    }

    /// The highest trigger number before the first gap, once.
    fn due_ack(&mut self) -> Option<u64> {
        let whole = self.missing.first_key_value().map_or(self.last, |(first, _)| Some(first.saturating_sub(1)))?;
        let back = (whole % 10 + 10 - self.trigger) % 10;
        let ack = whole.checked_sub(back).filter(|a| *a > self.acked)?;
        self.acked = ack;
        Some(ack)
    }
}

/// Our own messages that may be asked for again.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    sent: VecDeque<Sent>,
}

#[derive(Debug, Clone)]
struct Sent {
    seq: u64,
    message: Message,
    at: Mono,
}

/// The answer to a request for a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Send this.
    Message(Box<Message>),
    /// It has just been sent again.
    TooSoon,
    /// Forgotten: the reason for the negative answer.
    Gone(&'static str),
}

impl History {
    /// Remembers a message sent at `now`.
    pub(super) fn push(&mut self, now: Mono, seq: u64, message: Message) {
        if self.sent.len() == HISTORY {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { seq, message, at: now });
    }

    /// The message of that number, unless it went out less than `spacing` ago.
    pub(super) fn again(&mut self, now: Mono, seq: u64, spacing: Duration) -> Again {
        if self.sent.front().is_none_or(|oldest| seq < oldest.seq) {
            return Again::Gone("seqno too low");
        }
        match self.sent.iter_mut().find(|s| s.seq == seq) {
            None => Again::Gone("seqno not found"),
            Some(sent) if now - sent.at < spacing => Again::TooSoon,
            Some(sent) => {
                sent.at = now;
                Again::Message(Box::new(sent.message.clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn acks(inbound: &mut Inbound, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
        numbers.into_iter().filter_map(|n| inbound.arrive(n).ack).collect()
    }

    #[test]
    fn one_ack_for_ten_in_order() {
        let mut inbound = Inbound::new(3);
        assert_eq!(acks(&mut inbound, 1..=35), [3, 13, 23, 33]);
    }

    #[test]
    fn no_ack_beyond_a_gap_and_the_last_one_when_it_closes() {
        let mut inbound = Inbound::new(3);
        assert_eq!(acks(&mut inbound, (1..=11).chain(13..=26)), [3]);
        let arrived = inbound.arrive(12);
        assert_eq!((arrived.arrival, arrived.complete, arrived.ack), (Arrival::Recovered, true, Some(23)));
        assert_eq!(inbound.arrive(12).arrival, Arrival::Stale);
    }

    #[test]
    fn the_first_packet_ever_starts_the_count() {
        let mut inbound = Inbound::new(0);
        let arrived = inbound.arrive(1000);
        assert_eq!((arrived.arrival, arrived.lost.len(), arrived.ack), (Arrival::New, 0, Some(1000)));
        assert_eq!(inbound.arrive(1000).arrival, Arrival::Duplicate);
        assert_eq!(inbound.arrive(999).arrival, Arrival::Stale);
    }

    #[test]
    fn a_large_gap_starts_over() {
        let mut inbound = Inbound::new(0);
        inbound.arrive(1);
        assert_eq!(inbound.arrive(252).lost.len(), 250);
        let mut inbound = Inbound::new(0);
        inbound.arrive(1);
        let arrived = inbound.arrive(253);
        assert!(arrived.too_many && arrived.lost.is_empty());
    }

    #[test]
    fn a_restarted_node_is_asked_for_its_first_messages() {
        let mut inbound = Inbound::new(0);
        inbound.arrive(77);
        inbound.restart();
        assert_eq!(inbound.arrive(4).lost, [1, 2, 3]);
    }

    #[test]
    fn what_nobody_sends_again_is_given_up() {
        let mut inbound = Inbound::new(0);
        inbound.arrive(8);
        inbound.arrive(10);
        let asked = (0..100).take_while(|_| inbound.ask(9) == Ask::Again).count();
        assert_eq!(asked, 40);
        assert!(inbound.is_complete());
        assert_eq!(inbound.ask(9), Ask::Found);
    }

    #[test]
    fn the_history_forgets_and_spaces() {
        let mut history = History::default();
        let at = |ms| Mono(Duration::from_millis(ms));
        let spacing = Duration::from_millis(240);
        for seq in 1..=501 {
            history.push(at(seq), seq, Message::new("x").with("n", seq.to_string()));
        }
        assert_eq!(history.again(at(9000), 1, spacing), Again::Gone("seqno too low"));
        assert!(matches!(history.again(at(9000), 2, spacing), Again::Message(m) if m.text("n") == Some("2")));
        assert_eq!(history.again(at(9239), 2, spacing), Again::TooSoon);
        assert!(matches!(history.again(at(9240), 2, spacing), Again::Message(_)));
    }

    proptest! {
        /// Whatever the order of arrival: every number is taken exactly once.
        #[test]
        fn each_number_once(order in proptest::collection::vec(1u64..120, 1..400)) {
            let mut inbound = Inbound::new(7);
            inbound.restart();
            let mut taken = BTreeSet::new();
            for seq in order {
                let arrived = inbound.arrive(seq);
                if matches!(arrived.arrival, Arrival::New | Arrival::Recovered) {
                    prop_assert!(taken.insert(seq));
                } else {
                    prop_assert!(taken.contains(&seq));
                }
            }
        }
    }
}
