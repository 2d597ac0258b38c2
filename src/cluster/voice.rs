//! What leaves the node: control fields, sequence numbers, the history, and the queue of outputs.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::cluster::io::{Event, Identity, Level, Mono, Now, Output, Subject};
use crate::cluster::rexmit::{Again, History, MOST_RESENT};
use crate::cluster::wire::{Kind, Message};
use crate::config::settings::{Key, Keys, MsgFmt, Settings};

/// The node's voice. Messages leave in the order of their sequence numbers.
#[derive(Debug)]
pub(super) struct Voice {
    me: String,
    identity: Identity,
    keys: Keys,
    inner_digest: bool,
    ttl: usize,
    rexmit_spacing: Duration,
    load: String,
    seq: u64,
    history: History,
    /// UUIDs of the other nodes as far as known.
    uuids: BTreeMap<String, [u8; 16]>,
    out: VecDeque<Output>,
    /// Says nothing any more: addresses may still be here that another node has taken.
    muted: bool,
}

impl Voice {
    pub(super) fn new(settings: &Settings, identity: Identity) -> Self {
        let mut uuids = BTreeMap::new();
        uuids.insert(settings.me.clone(), identity.uuid);
        Self {
            me: settings.me.clone(),
            identity,
            keys: settings.keys.clone(),
            inner_digest: settings.msgfmt == MsgFmt::Classic,
            ttl: usize::from(settings.hopfudge) + settings.nodes.len() + settings.ping.len(),
            rexmit_spacing: settings.max_rexmit_delay.saturating_sub(Duration::from_millis(10)),
            load: "n/a".to_owned(),
            seq: 0,
            history: History::default(),
            uuids,
            out: VecDeque::new(),
            muted: false,
        }
    }

    /// Sends a message to every link, with a sequence number unless its type starts with `NS_`.
    pub(super) fn say(&mut self, now: Now, mut message: Message) {
        if self.muted {
            return;
        }
        let sequenced = !message.kind().starts_with("NS_");
        if let Some(uuid) = message.text("dest").and_then(|dest| self.uuids.get(dest)) {
            let uuid = uuid.to_vec();
            message.push("destuuid", Kind::Binary, uuid);
        }
        let mut text = |name: &str, value: String| message.push(name, Kind::Text, value.into_bytes());
        text("src", self.me.clone());
        message.push("srcuuid", Kind::Binary, self.identity.uuid.to_vec());
        let mut text = |name: &str, value: String| message.push(name, Kind::Text, value.into_bytes());
        if sequenced {
            self.seq += 1;
            text("seq", format!("{:x}", self.seq));
        }
        text("hg", format!("{:x}", self.identity.generation));
        text("ts", format!("{:x}", now.wall));
        if sequenced {
            text("ld", self.load.clone());
        }
        text("ttl", self.ttl.to_string());
        if self.inner_digest
            && let Some(key) = self.key()
        {
            let key = key.clone();
            message.seal(&key);
        }
        self.put(&message);
        if sequenced {
            self.history.push(now.mono, self.seq, message);
        }
    }

    /// Answers a request for lost messages of `asker`, which has acknowledged `acked`.
    pub(super) fn say_again(&mut self, now: Now, asker: &str, acked: u64, first: u64, last: u64) {
        for seq in (first..=last).take(usize::try_from(MOST_RESENT).unwrap_or(usize::MAX)) {
            if seq > self.seq {
                self.warn(format!("Rexmit of seq {seq} requested. {} is max.", self.seq));
                return;
            }
            if seq <= acked {
                continue;
            }
            match self.history.again(now.mono, seq, self.rexmit_spacing) {
                Again::Message(message) => self.put(&message),
                Again::TooSoon => {}
                Again::Gone(reason) => {
                    self.info(format!("Cannot rexmit pkt {seq} for {asker}: {reason}"));
                    let nak = Message::new("NS_nak_rexmit").with("firstseq", format!("{seq:x}"));
                    self.say(now, nak.with("dest", asker).with("info", reason));
                }
            }
        }
    }

    /// The last number given away.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn replace_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    pub(super) fn set_load(&mut self, load: String) {
        self.load = load;
    }

    /// Remembers a node's UUID; returns whether another one was known.
    pub(super) fn learn_uuid(&mut self, node: &str, uuid: [u8; 16]) -> bool {
        if self.uuids.get(node) == Some(&uuid) {
            return false;
        }
        self.uuids.insert(node.to_owned(), uuid).is_some()
    }

    pub(super) fn uuid(&self) -> [u8; 16] {
        self.identity.uuid
    }

    pub(super) fn mute(&mut self) {
        self.muted = true;
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted
    }

    pub(super) fn put_out(&mut self, output: Output) {
        self.out.push_back(output);
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    pub(super) fn event(&mut self, level: Level, subject: Subject, text: impl Into<String>) {
        self.out.push_back(Output::Event(Event { level, subject, text: text.into() }));
    }

    /// Hands a message to the scripts of `rc.d`, unless the daemon answers its type all by itself.
    pub(super) fn notify(&mut self, message: &Message) {
        const OURS: [&str; 10] = [
            "status",
            "starting",
            "resource",
            "ask_resources",
            "shutdone",
            "stonith",
            "reqnodes",
            "repnodes",
            "ip-request",
            "ip-request-resp",
        ];
        if OURS.contains(&message.kind()) || message.kind().starts_with("NS_") {
            return;
        }
        let text = |f: &super::wire::Field| match f.kind {
            Kind::Text => String::from_utf8(f.value.clone()).ok().map(|v| (f.name.clone(), v)),
            _ => None,
        };
        self.out.push_back(Output::Notify(message.fields().iter().filter_map(text).collect()));
    }

    pub(super) fn info(&mut self, text: impl Into<String>) {
        self.event(Level::Info, Subject::Cluster, text);
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.event(Level::Warn, Subject::Cluster, text);
    }

    pub(super) fn error(&mut self, text: impl Into<String>) {
        self.event(Level::Error, Subject::Cluster, text);
    }

    pub(super) fn crit(&mut self, text: impl Into<String>) {
        self.event(Level::Crit, Subject::Cluster, text);
    }

    fn key(&self) -> Option<&Key> {
        self.keys.get(self.keys.active)
    }

    fn put(&mut self, message: &Message) {
        // `authkeys` without the key it selects is refused before a node is made of it.
        if let Some(bytes) = self.key().map(|key| message.encode(key)) {
            self.out.push_back(Output::Send(bytes));
        }
    }
}

/// The inputs' moment and the parts of the node that every rule needs.
#[derive(Debug)]
pub(super) struct Cx<'a> {
    pub(super) now: Now,
    pub(super) settings: &'a Settings,
    pub(super) voice: &'a mut Voice,
    pub(super) timers: &'a mut super::timers::Timers,
    pub(super) dice: &'a mut super::dice::Dice,
}

impl Cx<'_> {
    /// Now.
    pub(super) fn mono(&self) -> Mono {
        self.now.mono
    }

    /// `wait` from now.
    pub(super) fn after(&self, wait: Duration) -> Mono {
        self.now.mono + wait
    }

    pub(super) fn say(&mut self, message: Message) {
        self.voice.say(self.now, message);
    }
}
