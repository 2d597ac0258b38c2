//! From a datagram to a message the node may act on: digest, sender, generation, sequence number (spec of 3.0.6, section
//! "Reception rules").

use std::time::Duration;

use crate::cluster::compress::unpack;
use crate::cluster::io::{LinkId, Mono};
use crate::cluster::membership::{Change, Members, Status};
use crate::cluster::rexmit::{Arrival, Ask};
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use crate::cluster::wire::{Message, decode};

/// A message from another node, for this node.
#[derive(Debug)]
pub(super) struct Heard {
    /// The sender's index.
    pub(super) from: usize,
    /// Its number.
    pub(super) seq: u64,
    pub(super) message: Message,
}

/// Packets that were dropped, and a bound on how often that is logged.
#[derive(Debug, Default)]
pub(super) struct Reception {
    counts: Drops,
    logged: Option<Mono>,
}

/// How many packets were dropped, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops {
    /// No packet, or one that cannot be unpacked.
    pub malformed: u64,
    /// The digest did not match, or its key is unknown.
    pub unauthentic: u64,
    /// A field that every message has is missing.
    pub incomplete: u64,
    /// From a node that is not configured.
    pub unknown_node: u64,
    /// Of an earlier generation of its sender.
    pub replayed: u64,
}

/// At most one line about dropped packets in this time, so that nobody can fill the disk.
const LOG_EVERY: Duration = Duration::from_secs(1);

impl Reception {
    pub(super) fn drops(&self) -> Drops {
        self.counts
    }

    /// Takes a datagram.
    pub(super) fn take(&mut self, cx: &mut Cx<'_>, members: &mut Members, link: LinkId, bytes: &[u8]) -> Option<Heard> {
        let packet = match decode(bytes) {
            Ok(packet) => packet,
            Err(why) => {
                self.counts.malformed += 1;
                self.complain(cx, format!("Cannot read packet of {} bytes: {why}", bytes.len()));
                return None;
            }
        };
        if let Err(why) = packet.tag.verify(cx.voice.keys(), &packet.signed) {
            self.counts.unauthentic += 1;
            self.complain(cx, why.to_string());
            return None;
        }
        match unpack(packet.message) {
            Ok(message) => self.sort(cx, members, link, message),
            Err(why) => {
                self.counts.malformed += 1;
                self.complain(cx, why.to_string());
                None
            }
        }
    }

    fn sort(&mut self, cx: &mut Cx<'_>, members: &mut Members, link: LinkId, message: Message) -> Option<Heard> {
        let sequenced = !message.kind().starts_with("NS_");
        let ts = message.hex("ts").filter(|ts| *ts != 0);
        let (Some(src), Some(ts), Some(t)) = (message.text("src"), ts, message.text("t")) else {
            self.counts.incomplete += 1;
            return None;
        };
        let Some(from) = cx.settings.nodes.iter().position(|n| n.eq_ignore_ascii_case(src)) else {
            self.counts.unknown_node += 1;
            self.complain(cx, format!("process_status_message: bad node [{src}] in message"));
            return None;
        };
        members.links.heard(cx, from, link);
        if from == members.me {
            return None;
        }
        let seq = message.hex("seq").filter(|seq| *seq != 0);
        let (seq, generation) = match (seq, message.hex("hg")) {
            (Some(seq), Some(hg)) if sequenced => (seq, hg),
            (_, Some(hg)) if !sequenced => (0, hg),
            _ => {
                self.counts.incomplete += 1;
                return None;
            }
        };
        let peer = members.peers.get_mut(from)?;
        let known = peer.generation;
        if known.is_some_and(|known| generation < known) {
            self.counts.replayed += 1;
            let (name, known) = (peer.name.clone(), known.unwrap_or_default());
            self.complain(
                cx,
                format!("should_drop_message: attempted replay attack [{name}]? [gen = {generation}, curgen = {known}]"),
            );
            return None;
        }
        if let Some(uuid) = message.bytes("srcuuid").and_then(|u| <[u8; 16]>::try_from(u).ok())
            && cx.voice.learn_uuid(&peer.name, uuid)
        {
            cx.voice.warn(format!("node {} changed its uuid", peer.name));
        }
        let for_me = Self::for_me(cx, &message);
        if !sequenced {
            if for_me && known == Some(generation) {
                Self::service(cx, members, from, &message);
            }
            return None;
        }
        if known.is_none_or(|known| generation > known) {
            Self::restarted(cx, members, from, generation);
        }
        if !Self::count(cx, members, from, seq) {
            return None;
        }
        if t == "status" {
            members.status(cx, from, seq, ts, &message);
            return None;
        }
        // A node without `ip-request` takes a group by answering itself: that concerns whoever has it.
        let takes = t == "ip-request-resp" && message.text("dest") == message.text("src");
        (for_me || takes).then_some(Heard { from, seq, message })
    }

    /// A new generation: the node's earlier messages and acknowledgements mean nothing any more.
    fn restarted(cx: &mut Cx<'_>, members: &mut Members, from: usize, generation: u64) {
        let Some(peer) = members.peers.get_mut(from) else { return };
        if peer.generation.replace(generation).is_some() {
            cx.voice.info(format!("Heartbeat restart on node {}", peer.name));
            peer.inbound.restart();
        }
        peer.left = false;
        peer.acks = true;
        // It may still ask for numbers before this one.
        (peer.acked, peer.acks_from) = (0, cx.voice.seq());
        peer.forget_status();
        cx.timers.clear_if(|t| matches!(t, Timer::Rexmit(n, _) if n == from));
        members.changes.push(Change::Restarted(from));
        // A node takes nobody to be there whose status it has not heard, and would start what runs here. It must hear that
        // before anything else, be it an acknowledgement.
        members.greet(cx);
    }

    /// Takes the sequence number; false: seen already.
    fn count(cx: &mut Cx<'_>, members: &mut Members, from: usize, seq: u64) -> bool {
        let Some(peer) = members.peers.get_mut(from) else { return false };
        let arrived = peer.inbound.arrive(seq);
        if arrived.too_many {
            cx.voice.error(format!("lost a lot of packets from [{}], starting over at {seq}", peer.name));
            cx.timers.clear_if(|t| matches!(t, Timer::Rexmit(n, _) if n == from));
        }
        if !arrived.lost.is_empty() {
            let count = arrived.lost.len();
            cx.voice.warn(format!("{count} lost packet(s) for [{}] [{}:{seq}]", peer.name, arrived.before));
            let most = cx.settings.max_rexmit_delay;
            let least = if most < FIRST_REQUEST * 2 { Duration::ZERO } else { FIRST_REQUEST };
            for lost in arrived.lost {
                let wait = cx.dice.between(least, most);
                cx.timers.set(Timer::Rexmit(from, lost), cx.now.mono + wait);
            }
        }
        match arrived.arrival {
            Arrival::New => {}
            Arrival::Recovered => cx.timers.clear(Timer::Rexmit(from, seq)),
            Arrival::Duplicate | Arrival::Stale => return false,
        }
        if arrived.complete {
            cx.voice.info(format!("No pkts missing from {}!", peer.name));
        }
        if let Some(ack) = arrived.ack {
            let name = peer.name.clone();
            cx.say(Message::new("NS_ackmsg").with("dest", name).with("ackseq", format!("{ack:x}")));
        }
        true
    }

    /// Messages about messages.
    fn service(cx: &mut Cx<'_>, members: &mut Members, from: usize, message: &Message) {
        let Some(peer) = members.peers.get_mut(from) else { return };
        match message.kind() {
            "NS_ackmsg" => {
                if let Some(ack) = message.hex("ackseq").filter(|ack| *ack <= cx.voice.seq()) {
                    peer.acked = peer.acked.max(ack);
                }
            }
            "NS_rexmit" => {
                // These two are decimal, unlike all other numbers on the wire.
                if let (Some(first), Some(last)) = (message.decimal("firstseq"), message.decimal("lastseq")) {
                    cx.voice.say_again(cx.now, &peer.name, peer.acked, first, last);
                }
            }
            "NS_nak_rexmit" => {
                if let Some(seq) = message.hex("firstseq")
                    && peer.inbound.give_up(seq)
                {
                    cx.timers.clear(Timer::Rexmit(from, seq));
                    cx.voice.error(format!("Irretrievably lost packet: node {} seq {seq}", peer.name));
                }
            }
            _ => {}
        }
    }

    /// Asks (again) for a missing message, until its sender has had every chance.
    pub(super) fn ask_again(cx: &mut Cx<'_>, members: &mut Members, from: usize, seq: u64) {
        let Some(peer) = members.peers.get_mut(from).filter(|p| p.status != Status::Dead) else { return };
        match peer.inbound.ask(seq) {
            Ask::Found => {}
            Ask::GivenUp => cx.voice.error(format!("Irretrievably lost packet: node {} seq {seq}", peer.name)),
            Ask::Again => {
                let request = Message::new("NS_rexmit").with("dest", peer.name.as_str());
                cx.say(request.with("firstseq", seq.to_string()).with("lastseq", seq.to_string()));
                cx.timers.set(Timer::Rexmit(from, seq), cx.after(cx.settings.max_rexmit_delay));
            }
        }
    }

    fn for_me(cx: &Cx<'_>, message: &Message) -> bool {
        let name = message.text("dest").is_none_or(|dest| dest == cx.settings.me);
        let uuid = message.bytes("destuuid").is_none_or(|uuid| uuid == cx.voice.uuid());
        name && uuid
    }

    fn complain(&mut self, cx: &mut Cx<'_>, text: String) {
        let recently = self.logged.is_some_and(|at| cx.mono() - at < LOG_EVERY);
        if cx.settings.log_badpack && !recently {
            self.logged = Some(cx.mono());
            cx.voice.error(text);
        }
    }
}

/// A missing message is not asked for before this: messages that merely overtook each other arrive meanwhile.
const FIRST_REQUEST: Duration = Duration::from_millis(50);
