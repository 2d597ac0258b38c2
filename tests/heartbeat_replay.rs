//! Recorded scenarios of real 3.0.6 pairs with our node in the place of one of the two: it hears what the other one said, and
//! must answer as the protocol's tables say.
//!
//! The recordings leave repeated heartbeats out; they are put back here from the gaps in the sequence numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use lvs_ha::cluster::Node;
use lvs_ha::cluster::io::{Command, Identity, Input, LinkId, Mono, Now, Outcome, Output, Set, Verb};
use lvs_ha::cluster::wire::{Kind, Message, decode};
use lvs_ha::config::settings::{
    Failback, GenerationFrom, Group, Key, Keys, Local, LogTargets, Medium, Method, MsgFmt, Resource, Settings,
};
use serde_json::Value;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// A script takes this long here.
const SCRIPT: u64 = 150 * MS;

fn key() -> Key {
    Key { number: 1, method: Method::Sha1, secret: b"labsecret".to_vec() }
}

fn settings(me: &str, failback: Failback) -> Settings {
    let group = |node: &str, address: &str| {
        let word = format!("IPaddr2::{address}/24/eth0");
        let args = vec![format!("{address}/24/eth0")];
        Group { node: node.into(), resources: vec![Resource { word, script: "IPaddr2".into(), args }] }
    };
    Settings {
        me: me.into(),
        nodes: vec!["alpha".into(), "beta".into()],
        ping: Vec::new(),
        keepalive: Duration::from_millis(200),
        deadtime: Duration::from_secs(1),
        warntime: Duration::from_millis(500),
        initdead: Duration::from_secs(3),
        deadping: Duration::from_secs(1),
        hopfudge: 1,
        udpport: 694,
        media: vec![Medium::Ucast { interface: "eth0".into(), peer: "10.99.0.1".parse().unwrap() }],
        failback,
        keys: Keys { active: 1, keys: vec![key()] },
        groups: vec![group("alpha", "10.99.0.101"), group("beta", "10.99.0.102")],
        builtin: true,
        extensions: true,
        msgfmt: MsgFmt::Classic,
        max_rexmit_delay: Duration::from_millis(250),
        log_badpack: true,
        generation: GenerationFrom::File,
        log: LogTargets::default(),
        rtprio: None,
        local: Local::default(),
        env: Vec::new(),
        parameters: Vec::new(),
    }
}

struct Recording {
    packets: Vec<(u64, String, Message, Vec<u8>)>,
}

impl Recording {
    fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/heartbeat/{name}.json"));
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let unhex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
        };
        let packet = |p: &Value| {
            let bytes = unhex(p["hex"].as_str().unwrap());
            let at = Duration::from_secs_f64(p["t"].as_f64().unwrap()).as_micros();
            (u64::try_from(at).unwrap(), p["frm"].as_str().unwrap().to_owned(), decode(&bytes).unwrap().message, bytes)
        };
        Self { packets: file["packets"].as_array().unwrap().iter().map(packet).collect() }
    }

    fn of<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a (u64, String, Message, Vec<u8>)> {
        self.packets.iter().filter(move |p| p.1 == node)
    }

    fn uuid(&self, node: &str) -> [u8; 16] {
        self.of(node).next().unwrap().2.bytes("srcuuid").unwrap().try_into().unwrap()
    }

    fn generation(&self, node: &str) -> u64 {
        self.of(node).next().unwrap().2.hex("hg").unwrap()
    }
}

/// Our node in the place of one of the two, and the other one's packets.
struct Stage {
    node: Node,
    now: u64,
    /// What is to arrive, and when.
    coming: VecDeque<(u64, Vec<u8>)>,
    scripts: Vec<(u64, lvs_ha::cluster::io::ActionId)>,
    /// What our node said and did, without heartbeats and acks, with the time.
    said: Vec<(u64, String)>,
    other: String,
    other_uuid: [u8; 16],
    generation: u64,
    seq: u64,
}

impl Stage {
    /// `me` starts; the other node has the identity of the recording.
    fn new(me: &str, recording: &Recording) -> Self {
        Self::new_with(me, recording, Failback::On)
    }

    fn new_with(me: &str, recording: &Recording, failback: Failback) -> Self {
        let other = if me == "alpha" { "beta" } else { "alpha" };
        let identity = Identity { uuid: recording.uuid(me), generation: recording.generation(me) };
        let mut stage = Self {
            node: Node::new(&settings(me, failback), identity, 7, moment(0)),
            now: 0,
            coming: VecDeque::new(),
            scripts: Vec::new(),
            said: Vec::new(),
            other: other.into(),
            other_uuid: recording.uuid(other),
            generation: recording.generation(other),
            seq: 0,
        };
        stage.drain();
        stage
    }

    /// Both are up, stable and hold their own groups; the other one's next number is the recording's first.
    fn pair_at_rest(me: &str, recording: &Recording) -> Self {
        Self::pair_at_rest_before(me, recording, 0)
    }

    /// The same with another `auto_failback`.
    fn pair_at_rest_with(me: &str, recording: &Recording, failback: Failback) -> Self {
        let mut stage = Self::new_with(me, recording, failback);
        stage.come_to_rest(me, recording, 0, failback != Failback::Legacy);
        stage
    }

    /// The same, with some numbers left for what happens before the recording.
    fn pair_at_rest_before(me: &str, recording: &Recording, spare: u64) -> Self {
        let mut stage = Self::new(me, recording);
        stage.come_to_rest(me, recording, spare, true);
        stage
    }

    fn come_to_rest(&mut self, me: &str, recording: &Recording, spare: u64, reports: bool) {
        let first = recording.of(&self.other.clone()).find_map(|p| p.2.hex("seq")).unwrap() - spare;
        self.run(100 * MS);
        self.hear(self.status("active"));
        self.run(10 * MS);
        let list = Message::empty().with("dest", me).with("t", "repnodes").with("nodelist", "alpha beta ");
        self.hear(list.with("delnodelist", " "));
        if reports {
            self.hear(resource("local", "1"));
        } else {
            self.hear(Message::new("ip-request-resp").with("dest", me).with("ipaddr", address_of(me)).with("ok", "OK"));
        }
        while self.seq + 1 < first {
            self.run(if self.now > 6 * SECOND { 10 * MS } else { 150 * MS });
            self.hear(self.status("active"));
        }
        self.run(10 * MS);
        self.said.clear();
        let view = self.node.view();
        assert!(view.stable && view.held == Set::Local, "{view:?}");
    }

    fn status(&self, st: &str) -> Message {
        Message::new("status").with("st", st).with("dt", "3e8").with("protocol", "1")
    }

    /// The other node says this, now.
    fn hear(&mut self, message: Message) {
        self.seq += 1;
        let bytes = self.sign(message, self.seq);
        self.packet(bytes);
    }

    fn sign(&self, mut message: Message, seq: u64) -> Vec<u8> {
        message = message.with("src", self.other.as_str());
        message.push("srcuuid", Kind::Binary, self.other_uuid.to_vec());
        message = message.with("seq", format!("{seq:x}")).with("hg", format!("{:x}", self.generation));
        message.with("ts", "6b00bee9").with("ld", "n/a").with("ttl", "3").encode(&key())
    }

    /// Lets the other node say what it said in the recording, from now on, and heartbeats where they were left out. Returns
    /// how long that takes.
    fn play(&mut self, recording: &Recording) -> u64 {
        let start = self.now;
        let mut last: Option<(u64, u64)> = None;
        let mut coming = Vec::new();
        let number = |m: &Message| Some((m.hex("hg")?, m.hex("seq")?));
        let recorded: HashSet<(u64, u64)> = recording.of(&self.other).filter_map(|p| number(&p.2)).collect();
        for (at, _, message, bytes) in recording.of(&self.other) {
            let at = start + at;
            if let Some(seq) = message.hex("seq") {
                let generation = message.hex("hg").unwrap();
                if std::mem::replace(&mut self.generation, generation) != generation {
                    last = None;
                }
                if let Some((last_seq, last_at)) = last.filter(|(n, _)| *n < seq) {
                    let gap = seq - last_seq;
                    for i in (1..gap).filter(|i| !recorded.contains(&(generation, last_seq + i))) {
                        let heartbeat = self.sign(self.status("active"), last_seq + i);
                        coming.push((last_at + (at.saturating_sub(last_at)) * i / gap, heartbeat));
                    }
                }
                if last.is_none_or(|(n, _)| n < seq) {
                    last = Some((seq, at));
                }
            }
            coming.push((at, bytes.clone()));
        }
        coming.sort_by_key(|(at, _)| *at);
        self.coming = coming.into();
        self.coming.back().unwrap().0 - start
    }

    /// The same, with heartbeats up to the end.
    fn play_alive(&mut self, recording: &Recording) -> u64 {
        let length = self.play(recording);
        let end = self.now + length;
        let numbers = self.coming.iter().filter_map(|(at, b)| Some((decode(b).ok()?.message, *at)));
        let numbers = numbers.filter(|(m, _)| m.hex("hg") == Some(self.generation));
        let (mut seq, mut at) = numbers.filter_map(|(m, at)| Some((m.hex("seq")?, at))).max().unwrap();
        while at + 200 * MS < end {
            (seq, at) = (seq + 1, at + 200 * MS);
            let heartbeat = self.sign(self.status("active"), seq);
            self.coming.push_back((at, heartbeat));
        }
        self.coming.make_contiguous().sort_by_key(|(at, _)| *at);
        length
    }

    fn run(&mut self, length: u64) {
        let end = self.now + length;
        loop {
            let timer = self.node.poll_timeout().map_or(u64::MAX, |t| u64::try_from(t.0.as_micros()).unwrap());
            let packet = self.coming.front().map_or(u64::MAX, |p| p.0);
            let script = self.scripts.first().map_or(u64::MAX, |s| s.0);
            let next = timer.min(packet).min(script);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if packet == next {
                let (_, bytes) = self.coming.pop_front().unwrap();
                self.packet(bytes);
            } else if script == next {
                let (_, id) = self.scripts.remove(0);
                self.node.handle(moment(self.now), Input::ActionDone { id, outcome: Outcome::Done });
                self.drain();
            } else {
                self.node.handle_timeout(moment(self.now));
                self.drain();
            }
        }
        self.now = end;
    }

    fn packet(&mut self, bytes: Vec<u8>) {
        self.node.handle(moment(self.now), Input::Packet { link: LinkId(0), bytes });
        self.drain();
    }

    fn command(&mut self, command: Command) {
        self.node.handle(moment(self.now), Input::Command(command));
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            let line = match output {
                Output::Send(bytes) => {
                    let m = decode(&bytes).unwrap().message;
                    if matches!(m.kind(), "status" | "NS_ackmsg") {
                        continue;
                    }
                    let own = ["t", "dest", "destuuid", "src", "srcuuid", "seq", "hg", "ts", "ld", "ttl", "auth"];
                    let fields = m.fields().iter().filter(|f| !own.contains(&f.name.as_str()));
                    let values = fields.map(|f| String::from_utf8_lossy(&f.value).into_owned()).collect::<Vec<_>>();
                    [m.kind().to_owned()].into_iter().chain(values).collect::<Vec<_>>().join(" ")
                }
                Output::Run { id, group, verb } => {
                    self.scripts.push((self.now + SCRIPT, id));
                    format!("{} group {}", if verb == Verb::Start { "start" } else { "stop" }, group.0)
                }
                Output::Succeed { held } => format!("succeed {held:?}"),
                Output::Exit => "exit".to_owned(),
                Output::Restart { after } => format!("restart after {after:?}"),
                Output::Ping(_) | Output::Event(_) | Output::Notify(_) | Output::Fence { .. } | Output::Announce { .. } => {
                    continue;
                }
            };
            self.said.push((self.now, line));
        }
    }

    #[track_caller]
    fn expect(&self, lines: &[&str]) {
        let said: Vec<&str> = self.said.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(said, lines);
    }

    fn when(&self, line: &str) -> u64 {
        self.said.iter().find(|(_, l)| l == line).unwrap_or_else(|| panic!("{line} in {:?}", self.said)).0
    }
}

/// The key of the node's group.
fn address_of(node: &str) -> String {
    format!("IPaddr2::10.99.0.{}/24/eth0", if node == "alpha" { 101 } else { 102 })
}

fn moment(now: u64) -> Now {
    Now { mono: Mono(Duration::from_micros(now)), wall: 0x6b00_bee8 + now / SECOND }
}

fn resource(hold: &str, stable: &str) -> Message {
    Message::new("resource").with("rsc_hold", hold).with("rtype", "full").with("isstable", stable)
}

/// Both start: 10 s after the first report each takes its own groups.
#[test]
fn startup() {
    let recording = Recording::load("startup");
    let mut stage = Stage::new("beta", &recording);
    let length = stage.play_alive(&recording);
    stage.run(length);
    stage.expect(&[
        "reqnodes",
        "repnodes alpha beta   ",
        "starting",
        "resource none full 0",
        "resource local full 1",
        "start group 1",
        "resource local full 1",
    ]);
    assert!(stage.when("start group 1") > 10 * SECOND);
    assert!(stage.node.view().stable);
}

/// The other node goes standby: we take everything after its `done`, and say so.
#[test]
fn standby_all_as_taker() {
    let recording = Recording::load("standby_all");
    let mut stage = Stage::pair_at_rest("beta", &recording);
    let length = stage.play_alive(&recording);
    stage.run(length);
    stage.expect(&[
        "ask_resources all other",
        "start group 0",
        "ask_resources all done",
        "resource all full 1",
        "resource all full 1",
    ]);
    assert_eq!(stage.node.view().held, Set::All);
    assert!(stage.node.view().stable);
}

/// We go standby and the real node takes: its `resource` comes with a higher number but before its `done`.
#[test]
fn standby_all_as_giver() {
    let recording = Recording::load("standby_all");
    let mut stage = Stage::pair_at_rest("alpha", &recording);
    let length = stage.play_alive(&recording);
    stage.run(600 * MS);
    stage.command(Command::Standby(Set::All));
    stage.run(length - 600 * MS);
    stage.expect(&[
        "ask_resources all me",
        "resource none full 0 standby",
        "stop group 0",
        "ask_resources all done",
        "resource none full 1",
    ]);
    assert_eq!(stage.node.view().held, Set::None);
    assert!(stage.node.view().stable);
}

/// We hold everything and the other node sends `hb_takeover local`: it gets what is foreign to us.
#[test]
fn takeover_local_as_holder() {
    let recording = Recording::load("takeover_local");
    let mut stage = Stage::pair_at_rest_before("beta", &recording, 4);
    let ask = |info| Message::new("ask_resources").with("rsc_hold", "all").with("info", info);
    stage.hear(ask("me"));
    stage.hear(resource("none", "0").with("info", "standby"));
    stage.hear(ask("done"));
    stage.run(200 * MS);
    stage.hear(resource("none", "1"));
    assert_eq!(stage.node.view().held, Set::All);
    stage.said.clear();
    let length = stage.play_alive(&recording);
    stage.run(length);
    stage.expect(&[
        "ask_resources foreign me",
        "resource local full 0 standby",
        "stop group 0",
        "ask_resources foreign done",
        "resource local full 1",
    ]);
    assert_eq!(stage.node.view().held, Set::Local);
    assert!(stage.node.view().stable);
}

/// A graceful stop of the other node: nothing is started before its `shutdone`.
#[test]
fn stop_of_the_other_node() {
    let recording = Recording::load("stop_A");
    let mut stage = Stage::pair_at_rest("beta", &recording);
    let begin = stage.now;
    stage.play(&recording);
    stage.run(6 * SECOND);
    stage.expect(&[
        "resource all full 1 req_our_resources()",
        "start group 0",
        "resource foreign mach_down",
        "stonith alpha unneeded",
    ]);
    let shutdone = recording.of("alpha").find(|p| p.2.kind() == "shutdone").unwrap().0;
    assert_eq!(stage.when("start group 0"), begin + shutdone);
}

/// Power loss of the other node: dead its own dead time after its last heartbeat, everything taken at once.
#[test]
fn crash_of_the_other_node() {
    for scenario in ["crash_A", "kill_A"] {
        let recording = Recording::load(scenario);
        let mut stage = Stage::pair_at_rest("beta", &recording);
        let begin = stage.now;
        stage.play(&recording);
        stage.run(4 * SECOND);
        stage.expect(&[
            "stonith alpha n_stnth",
            "resource all full 1 req_our_resources()",
            "start group 0",
            "resource foreign mach_down",
        ]);
        let last = recording.of("alpha").filter(|p| p.2.kind() == "status").map(|p| p.0).max().unwrap();
        assert_eq!(stage.when("start group 0"), begin + last + SECOND, "{scenario}");
        assert_eq!(stage.node.view().held, Set::All);
    }
}

/// A crashed node comes back: it is told who holds what, and gets its groups when it is stable.
#[test]
fn return_after_a_crash() {
    let crash = Recording::load("crash_A");
    let back = Recording::load("restart_A_after_crash");
    let mut stage = Stage::pair_at_rest("beta", &crash);
    // The other side's uuid is another one in the second recording, ours must be the one it addresses.
    assert_eq!(crash.uuid("beta"), back.uuid("beta"));
    stage.play(&crash);
    stage.run(4 * SECOND);
    stage.said.clear();
    let length = stage.play_alive(&back);
    stage.run(length);
    stage.expect(&[
        "repnodes alpha beta   ",
        "resource all full 1",
        "resource all full 1",
        "ask_resources foreign me",
        "resource local full 0 standby",
        "stop group 0",
        "ask_resources foreign done",
        "resource local full 1",
    ]);
    let view = stage.node.view();
    assert!(view.stable && view.held == Set::Local, "{view:?}");
}

/// The other node restarts within its dead time: no takeover, and it is told that its groups are free.
#[test]
fn restart_within_the_dead_time() {
    let recording = Recording::load("rejoin_quick");
    let mut stage = Stage::pair_at_rest("beta", &recording);
    let length = stage.play_alive(&recording);
    stage.run(length);
    stage.expect(&["repnodes alpha beta   ", "resource local full 1", "resource local full 1"]);
    assert!(stage.node.view().stable);
}

/// Without failback a returning node is only told who holds what.
#[test]
fn return_without_failback() {
    let crash = Recording::load("off_crash_A");
    let back = Recording::load("off_restart_A");
    let mut stage = Stage::pair_at_rest_with("beta", &crash, Failback::Off);
    stage.play(&crash);
    stage.run(4 * SECOND);
    stage.expect(&[
        "stonith alpha n_stnth",
        "resource all full 1 req_our_resources()",
        "start group 0",
        "resource foreign mach_down",
    ]);
    stage.said.clear();
    assert_eq!(crash.uuid("beta"), back.uuid("beta"));
    let length = stage.play_alive(&back);
    stage.run(length);
    stage.expect(&["repnodes alpha beta   ", "resource all full 1", "resource all full 1"]);
    let view = stage.node.view();
    assert!(view.stable && view.held == Set::All, "{view:?}");
}

/// Both start in legacy mode: the real node takes its own group without a question, ours asks and waits for the answer.
#[test]
fn legacy_startup() {
    let recording = Recording::load("legacy_startup");
    let mut stage = Stage::new_with("alpha", &recording, Failback::Legacy);
    let length = stage.play_alive(&recording);
    let last = stage.coming.iter().filter_map(|(_, bytes)| decode(bytes).ok()?.message.hex("seq")).max().unwrap();
    // Up to the question, and no further than before it is asked again.
    stage.run(length.min(4 * SECOND));
    let asked = format!("ip-request {}", address_of("alpha"));
    let start = ["reqnodes", "repnodes alpha beta   ", "reqnodes", "repnodes alpha beta   ", &asked];
    stage.expect(&start);
    stage.run(length - length.min(4 * SECOND));
    stage.seq = last;
    let answer = Message::new("ip-request-resp").with("dest", "alpha").with("ipaddr", address_of("alpha"));
    stage.hear(answer.with("weown", "no").with("ok", "OK"));
    stage.run(200 * MS);
    assert_eq!(stage.said.last().unwrap().1, "start group 0");
    assert_eq!(stage.said.iter().filter(|(_, line)| line.starts_with("start")).count(), 1);
}

/// Legacy mode: a crash is taken over without a report, and the returning node gets its group when it asks.
#[test]
fn legacy_crash_and_return() {
    let crash = Recording::load("legacy_crash_A");
    let back = Recording::load("legacy_restart_A");
    let mut stage = Stage::pair_at_rest_with("beta", &crash, Failback::Legacy);
    stage.play(&crash);
    stage.run(4 * SECOND);
    stage.expect(&["stonith alpha n_stnth", "start group 0"]);
    stage.said.clear();
    assert_eq!(crash.uuid("beta"), back.uuid("beta"));
    let length = stage.play_alive(&back);
    stage.run(length);
    let answer = format!("ip-request-resp {} yes OK", address_of("alpha"));
    stage.expect(&["repnodes alpha beta   ", "stop group 0", &answer]);
    assert_eq!(stage.node.view().held, Set::Local);
}

/// Legacy mode: a graceful stop is taken over at `shutdone`; the other side's `hb_standby` is refused.
#[test]
fn legacy_stop_and_standby() {
    let recording = Recording::load("legacy_stop_B");
    let mut stage = Stage::pair_at_rest_with("alpha", &recording, Failback::Legacy);
    stage.play(&recording);
    stage.run(8 * SECOND);
    stage.expect(&["start group 1", "stonith beta unneeded"]);
    let recording = Recording::load("legacy_standby");
    let mut stage = Stage::pair_at_rest_with("beta", &recording, Failback::Legacy);
    let length = stage.play_alive(&recording);
    stage.run(length);
    stage.expect(&[]);
    assert_eq!(stage.node.view().held, Set::Local);
}

/// Legacy mode: a real node that hears an acknowledgement before any status believes itself alone and takes its group
/// without asking. So a status is the first that a new run hears; and who takes a group all the same gets it.
#[test]
fn legacy_group_taken_without_asking() {
    let recording = Recording::load("legacy_crash_A");
    let mut stage = Stage::pair_at_rest_with("beta", &recording, Failback::Legacy);
    stage.play(&recording);
    stage.run(4 * SECOND);
    stage.said.clear();
    for seq in 1..=10 {
        // One of these is acknowledged.
        (stage.generation, stage.seq) = (stage.generation + 1, seq);
        let bytes = stage.sign(stage.status("init"), seq);
        stage.node.handle(moment(stage.now), Input::Packet { link: LinkId(0), bytes });
        let first = std::iter::from_fn(|| stage.node.poll_output()).find_map(|o| match o {
            Output::Send(bytes) => Some(decode(&bytes).unwrap().message.kind().to_owned()),
            _ => None,
        });
        assert_eq!(first.as_deref(), Some("status"), "number {seq}");
    }
    stage.hear(stage.status("active"));
    let answer = Message::new("ip-request-resp").with("dest", "alpha").with("ipaddr", address_of("alpha"));
    stage.hear(answer.with("weown", "yes").with("ok", "OK"));
    stage.run(2 * SCRIPT);
    stage.said.retain(|(_, line)| !line.starts_with("NS_rexmit"));
    stage.expect(&["stop group 0"]);
    assert_eq!(stage.node.view().held, Set::Local);
}
