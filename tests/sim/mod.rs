//! A world of two to five machines for the cluster core: one queue of events, a network with faults, resource groups that
//! take time, and the rules that must always hold. Everything follows from the seed.

pub(crate) mod life;

use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use lvs_ha::cluster::Node;
use lvs_ha::cluster::io::{
    ActionId, Command, Fault, GroupId, Held, Identity, Input, Level, LinkId, Mono, Now, Outcome, Output, Set, Verb,
};
use lvs_ha::cluster::wire;
use lvs_ha::config::settings::{
    Failback, GenerationFrom, Group, Key, Keys, Local, LogTargets, Medium, Method, MsgFmt, Resource, Settings,
};

pub(crate) const KEEPALIVE: u64 = 200_000;
pub(crate) const DEADTIME: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000_000;

/// Longest script.
pub(crate) const LONGEST_SCRIPT: u64 = 900_000;

pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ 0x5851_F42D_4C95_7F2D)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// From `low` up to but not including `high`.
    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low).max(1)
    }
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// What may go wrong on the network.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Lost packets in percent.
    pub(crate) loss: u64,
    /// Packets that arrive twice, in percent.
    pub(crate) twice: u64,
    /// Longest delay in microseconds: packets overtake each other within it.
    pub(crate) delay: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Off,
    /// Its start or stop runs: counts as held.
    Moving,
    On,
}

struct Machine {
    settings: Settings,
    node: Option<Node>,
    /// Counts runs: events of an earlier one are void.
    run: u64,
    generation: u64,
    groups: Vec<State>,
    /// Scripts that run.
    scripts: Vec<GroupId>,
    paused: bool,
    waiting: VecDeque<(LinkId, Vec<u8>)>,
    /// A restart of itself that the core asked for.
    returns: bool,
    last_seq: u64,
    stopping: bool,
    /// What its next run finds running.
    kept: Vec<Held>,
}

enum What {
    Packet { to: usize, link: LinkId, bytes: Vec<u8> },
    Script { on: usize, run: u64, id: ActionId, group: GroupId, verb: Verb },
    Boot { on: usize, run: u64 },
    Resume { on: usize },
}

struct Due {
    at: u64,
    order: u64,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) chance: Chance,
    pub(crate) weather: Weather,
    /// Chance of a failed start in percent.
    pub(crate) failing_starts: u64,
    pub(crate) failed_starts: u64,
    /// A group whose start fails on the first machine.
    pub(crate) failing_group: Option<usize>,
    /// `cut[from][to]`
    pub(crate) cut: Vec<Vec<bool>>,
    /// Until when two owners of a group cannot be helped: a machine could not hear another, or slept.
    pub(crate) blind_until: u64,
    pub(crate) trace: bool,
    /// Events logged, for tests that look for one.
    pub(crate) log: Vec<(u64, usize, Level, String)>,
    /// Who announced which group once more.
    pub(crate) announced: Vec<(usize, usize)>,
    machines: Vec<Machine>,
    queue: BinaryHeap<Due>,
    order: u64,
    links: usize,
}

impl World {
    /// Machines that are all off. `groups` gives the preferred node of each group.
    pub(crate) fn new(seed: u64, nodes: usize, groups: &[usize], failback: Failback, links: usize) -> Self {
        let machine = |me: usize| Machine {
            settings: settings(me, nodes, groups, failback, links),
            node: None,
            run: 0,
            generation: 100,
            groups: vec![State::Off; groups.len()],
            scripts: Vec::new(),
            paused: false,
            waiting: VecDeque::new(),
            returns: false,
            last_seq: 0,
            stopping: false,
            kept: Vec::new(),
        };
        Self {
            now: 0,
            chance: Chance::new(seed),
            weather: Weather { delay: 1_000, ..Weather::default() },
            failing_starts: 0,
            failed_starts: 0,
            failing_group: None,
            cut: vec![vec![false; nodes]; nodes],
            blind_until: 0,
            trace: false,
            log: Vec::new(),
            announced: Vec::new(),
            machines: (0..nodes).map(machine).collect(),
            queue: BinaryHeap::new(),
            order: 0,
            links,
        }
    }

    /// The machine speaks to others in Heartbeat's words only.
    pub(crate) fn speak_plainly(&mut self, on: usize) {
        self.machines[on].settings.extensions = false;
    }

    pub(crate) fn count(&self) -> usize {
        self.machines.len()
    }

    /// The daemon runs, or is about to come back by itself.
    pub(crate) fn is_on(&self, on: usize) -> bool {
        self.machines[on].node.is_some() || self.machines[on].returns
    }

    /// The daemon runs and does not sleep.
    pub(crate) fn is_awake(&self, on: usize) -> bool {
        self.machines[on].node.is_some() && !self.machines[on].paused
    }

    pub(crate) fn node(&self, on: usize) -> Option<&Node> {
        self.machines[on].node.as_ref()
    }

    /// Machines on which the group runs.
    pub(crate) fn owners(&self, group: usize) -> Vec<usize> {
        (0..self.count()).filter(|m| self.machines[*m].groups[group] == State::On).collect()
    }

    pub(crate) fn group_count(&self) -> usize {
        self.machines[0].groups.len()
    }

    /// A stop was asked for and has not ended.
    pub(crate) fn is_stopping(&self, on: usize) -> bool {
        self.machines[on].node.is_some() && self.machines[on].stopping
    }

    /// Starts the daemon unless it runs.
    pub(crate) fn boot(&mut self, on: usize) {
        if self.is_on(on) {
            return;
        }
        self.say(on, "boots");
        self.start(on);
    }

    /// Power loss: the daemon, its packets and its resources are gone.
    pub(crate) fn crash(&mut self, on: usize) {
        self.say(on, "loses power");
        let machine = &mut self.machines[on];
        (machine.node, machine.paused, machine.returns) = (None, false, false);
        machine.run += 1;
        machine.waiting.clear();
        machine.groups.fill(State::Off);
        machine.scripts.clear();
        machine.kept.clear();
    }

    pub(crate) fn command(&mut self, on: usize, command: Command) {
        self.say(on, &format!("{command:?}"));
        self.machines[on].stopping |= command == Command::Stop;
        self.input(on, Input::Command(command));
    }

    /// A group that runs there is in no good state.
    pub(crate) fn broken(&mut self, on: usize, group: usize) {
        self.say(on, &format!("group {group} is broken"));
        self.input(on, Input::Broken { group: GroupId(group), fault: Fault::Carrier, why: "no carrier".into() });
    }

    /// It is well again.
    pub(crate) fn mended(&mut self, on: usize, group: usize) {
        self.say(on, &format!("group {group} is mended"));
        self.input(on, Input::Mended { group: GroupId(group), fault: Fault::Carrier });
    }

    /// The process does not run for that long; its resources stay.
    pub(crate) fn pause(&mut self, on: usize, length: u64) {
        if self.machines[on].node.is_some() && !self.machines[on].paused {
            self.say(on, &format!("sleeps for {length} us"));
            self.machines[on].paused = true;
            self.blind(length);
            self.push(self.now + length, What::Resume { on });
        }
    }

    /// Cuts or mends one direction between two machines.
    pub(crate) fn set_cut(&mut self, from: usize, to: usize, cut: bool) {
        if self.cut[from][to] != cut {
            self.say(from, &format!("{} {to}", if cut { "cut from" } else { "joined to" }));
            self.cut[from][to] = cut;
        }
    }

    /// Two owners are excused for that long and for as long as detection, warning and stop take after it.
    pub(crate) fn blind(&mut self, length: u64) {
        let detection = DEADTIME + 2 * SECOND + 2 * KEEPALIVE;
        let giving_up = 2 * SECOND + 2 * LONGEST_SCRIPT + KEEPALIVE;
        self.blind_until = self.blind_until.max(self.now + length + detection + giving_up);
    }

    /// Lets the world go on for that long.
    pub(crate) fn run(&mut self, length: u64) {
        let end = self.now + length;
        loop {
            let timer = (0..self.count()).filter_map(|m| self.timer(m).map(|at| (at.max(self.now), m))).min();
            let event = self.queue.peek().map(|due| due.at);
            match (timer, event) {
                (Some((at, m)), event) if at <= end && event.is_none_or(|e| at < e) => {
                    self.now = at;
                    let now = self.moment();
                    if let Some(node) = &mut self.machines[m].node {
                        node.handle_timeout(now);
                    }
                    self.drain(m);
                }
                (_, Some(at)) if at <= end => {
                    self.now = at;
                    if let Some(due) = self.queue.pop() {
                        self.happen(due.what);
                    }
                }
                _ => break,
            }
            if self.cut.iter().flatten().any(|cut| *cut) {
                self.blind(0);
            }
            self.check();
        }
        self.now = end;
    }

    fn timer(&self, m: usize) -> Option<u64> {
        let machine = &self.machines[m];
        let at = machine.node.as_ref().filter(|_| !machine.paused)?.poll_timeout()?;
        Some(u64::try_from(at.0.as_micros()).unwrap())
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Packet { to, link, bytes } => {
                if self.machines[to].paused {
                    self.machines[to].waiting.push_back((link, bytes));
                } else {
                    self.input(to, Input::Packet { link, bytes });
                }
            }
            What::Script { on, run, .. } if self.machines[on].run != run => {}
            What::Script { on, run, id, group, verb } if self.machines[on].paused => {
                self.push(self.now + KEEPALIVE, What::Script { on, run, id, group, verb });
            }
            What::Script { on, id, group, verb, .. } => {
                let broken = on == 0 && self.failing_group == Some(group.0);
                let fails = verb == Verb::Start && (self.chance.percent(self.failing_starts) || broken);
                let outcome = if fails { Outcome::Failed("out of luck".into()) } else { Outcome::Done };
                self.failed_starts += u64::from(fails);
                let runs = verb == Verb::Start && !fails;
                self.machines[on].scripts.retain(|g| *g != group);
                self.machines[on].groups[group.0] = if runs { State::On } else { State::Off };
                self.say(on, &format!("group {} {verb:?} {outcome:?}", group.0));
                self.input(on, Input::ActionDone { id, outcome });
            }
            What::Boot { on, run } => {
                if self.machines[on].run == run && self.machines[on].returns {
                    self.say(on, "comes back");
                    self.start(on);
                }
            }
            What::Resume { on } => {
                if self.machines[on].paused {
                    self.say(on, "wakes");
                    self.machines[on].paused = false;
                    while let Some((link, bytes)) = self.machines[on].waiting.pop_front() {
                        self.input(on, Input::Packet { link, bytes });
                    }
                }
            }
        }
    }

    fn start(&mut self, on: usize) {
        let now = self.moment();
        let seed = self.chance.next();
        let machine = &mut self.machines[on];
        machine.generation += 1;
        machine.run += 1;
        machine.last_seq = 0;
        machine.stopping = false;
        machine.returns = false;
        let kept = std::mem::take(&mut machine.kept);
        let expected = kept.iter().map(|held| held.group.0).collect::<Vec<_>>();
        let running = machine.groups.iter().enumerate().filter(|(_, g)| **g != State::Off).map(|(i, _)| i);
        assert_eq!(running.collect::<Vec<_>>(), expected, "what runs as machine {on} starts");
        let identity = Identity { uuid: [u8::try_from(on).unwrap(); 16], generation: machine.generation };
        let mut node = Node::new(&machine.settings, identity, seed, now);
        node.keep(&kept);
        machine.node = Some(node);
        self.drain(on);
    }

    fn input(&mut self, on: usize, input: Input) {
        let now = self.moment();
        if let Some(node) = &mut self.machines[on].node {
            node.handle(now, input);
            self.drain(on);
        }
    }

    fn drain(&mut self, on: usize) {
        while let Some(output) = self.machines[on].node.as_mut().and_then(Node::poll_output) {
            match output {
                Output::Send(bytes) => self.send(on, &bytes),
                Output::Ping(_) | Output::Notify(_) | Output::Fence { .. } => {}
                Output::Announce { group } => self.announced.push((on, group.0)),
                Output::Run { id, group, verb } => {
                    self.say(on, &format!("group {} {verb:?}", group.0));
                    let machine = &mut self.machines[on];
                    assert!(!machine.scripts.contains(&group), "two actions for group {} on {on}", group.0);
                    machine.scripts.push(group);
                    // To stop what does not run touches nothing.
                    if verb == Verb::Start || machine.groups[group.0] == State::On {
                        machine.groups[group.0] = State::Moving;
                    }
                    let run = machine.run;
                    let at = self.now + self.chance.range(10_000, LONGEST_SCRIPT);
                    self.push(at, What::Script { on, run, id, group, verb });
                }
                Output::Event(event) => {
                    self.say(on, &format!("{:?}: {}", event.level, event.text));
                    self.log.push((self.now, on, event.level, event.text));
                }
                Output::Restart { after } => {
                    self.say(on, &format!("restarts after {after:?}"));
                    self.end(on);
                    self.machines[on].returns = true;
                    let run = self.machines[on].run;
                    self.push(self.now + u64::try_from(after.as_micros()).unwrap(), What::Boot { on, run });
                }
                Output::Succeed { held } => {
                    self.say(on, &format!("makes way for its next run, which holds {held:?}"));
                    let running = |g: &Held| self.machines[on].groups[g.group.0] == State::On;
                    assert!(held.iter().all(running) && self.machines[on].scripts.is_empty(), "{held:?}");
                    let machine = &mut self.machines[on];
                    machine.node = None;
                    machine.run += 1;
                    (machine.returns, machine.kept) = (true, held);
                    let run = machine.run;
                    let wait = self.chance.range(20_000, 2 * SECOND);
                    self.push(self.now + wait, What::Boot { on, run });
                }
                Output::Exit => {
                    self.say(on, "has stopped");
                    self.end(on);
                }
            }
        }
    }

    fn end(&mut self, on: usize) {
        let machine = &mut self.machines[on];
        machine.node = None;
        machine.run += 1;
        assert!(machine.groups.iter().all(|g| *g == State::Off), "machine {on} ends with resources");
    }

    fn send(&mut self, from: usize, bytes: &[u8]) {
        if let Some(seq) = sequence(bytes) {
            let last = self.machines[from].last_seq;
            assert!(seq <= last + 1, "machine {from} sends {seq} after {last}");
            self.machines[from].last_seq = last.max(seq);
        }
        if self.trace {
            self.show(from, bytes);
        }
        for to in (0..self.count()).filter(|to| *to != from) {
            for link in 0..self.links {
                if self.cut[from][to] || self.chance.percent(self.weather.loss) {
                    continue;
                }
                let copies = if self.chance.percent(self.weather.twice) { 2 } else { 1 };
                for _ in 0..copies {
                    let at = self.now + self.chance.range(100, self.weather.delay.max(101));
                    self.push(at, What::Packet { to, link: LinkId(link), bytes: bytes.to_vec() });
                }
            }
        }
    }

    fn show(&self, from: usize, bytes: &[u8]) {
        let message = wire::decode(bytes).expect("a packet of our own").message;
        if matches!(message.kind(), "status" | "NS_ackmsg") {
            return;
        }
        let own = ["src", "srcuuid", "destuuid", "hg", "ts", "ld", "ttl", "auth"];
        let shown: Vec<String> = message
            .fields()
            .iter()
            .filter(|f| !own.contains(&f.name.as_str()))
            .map(|f| format!("{}={}", f.name, String::from_utf8_lossy(&f.value)))
            .collect();
        self.say(from, &format!("> {}", shown.join(" ")));
    }

    fn push(&mut self, at: u64, what: What) {
        self.order += 1;
        self.queue.push(Due { at, order: self.order, what });
    }

    /// A group counts as held from the beginning of its start to the end of its stop.
    fn check(&self) {
        if self.now < self.blind_until {
            return;
        }
        for group in 0..self.group_count() {
            let mut held = (0..self.count()).filter(|m| self.machines[*m].groups[group] != State::Off);
            if let (Some(first), Some(second)) = (held.next(), held.next()) {
                panic!("group {group} is held by {first} and {second} at {} us", self.now);
            }
        }
    }

    fn moment(&self) -> Now {
        Now { mono: Mono(Duration::from_micros(self.now)), wall: 1_700_000_000 + self.now / SECOND }
    }

    pub(crate) fn say(&self, on: usize, text: &str) {
        if self.trace {
            println!("{:10.6} {on} {text}", Duration::from_micros(self.now).as_secs_f64());
        }
    }
}

pub(crate) fn random_set(chance: &mut Chance) -> Set {
    [Set::Local, Set::Foreign, Set::All][usize::try_from(chance.range(0, 3)).unwrap()]
}

/// The sequence number of a packet in netstring framing, without taking all of it apart.
fn sequence(packet: &[u8]) -> Option<u64> {
    let at = packet.windows(7).position(|w| w == b"(0)seq=")? + 7;
    let digits = packet[at..].iter().take_while(|b| **b != b',').count();
    u64::from_str_radix(std::str::from_utf8(&packet[at..at + digits]).unwrap(), 16).ok()
}

fn settings(me: usize, nodes: usize, groups: &[usize], failback: Failback, links: usize) -> Settings {
    let names: Vec<String> = ["alpha", "beta", "gamma", "delta", "epsilon"].iter().take(nodes).map(|n| (*n).to_owned()).collect();
    let group = |(i, node): (usize, &usize)| {
        let word = format!("10.0.0.{}", i + 1);
        let resource = Resource { word: word.clone(), script: "IPaddr".into(), args: vec![word] };
        Group { node: names[*node].clone(), resources: vec![resource] }
    };
    Settings {
        me: names[me].clone(),
        nodes: names.clone(),
        ping: Vec::new(),
        keepalive: Duration::from_micros(KEEPALIVE),
        deadtime: Duration::from_micros(DEADTIME),
        warntime: Duration::from_micros(DEADTIME / 2),
        initdead: Duration::from_secs(2),
        deadping: Duration::from_micros(DEADTIME),
        hopfudge: 1,
        udpport: 694,
        media: (0..links).map(|n| Medium::Bcast { interface: format!("eth{n}") }).collect(),
        failback,
        keys: Keys { active: 1, keys: vec![Key { number: 1, method: Method::Crc, secret: Vec::new() }] },
        groups: groups.iter().enumerate().map(group).collect(),
        builtin: true,
        extensions: true,
        msgfmt: MsgFmt::Netstring,
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
