//! The eyes of a pair's neighbours. A client pings addresses every 10 ms through its own neighbour table, as any client
//! would; a witness asks by ARP every 10 ms, and whoever has the address answers it: two answers are two owners.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use lvs_ha::net::{Mac, wire};
use pnet::datalink::{self, Channel, DataLinkReceiver, DataLinkSender};

use crate::host::{Host, Running};
use crate::lab::wait_for;

/// Time between two questions.
const PERIOD: Duration = Duration::from_millis(10);
/// Less than this without an answer is not told: it is two questions, or the machine's own business.
const NOTICED: f64 = 0.025;
/// Answers of two hosts in turns belong together if they are not further apart, in seconds.
const TOGETHER: f64 = 0.1;

/// `netns watch ADDRESS... [--arp]` on `eth0`, until it is killed. Says, with seconds since 1970:
/// `answered ADDRESS MAC` once; `silence ADDRESS FROM UNTIL` after each time without an answer; `two ADDRESS FROM UNTIL` while
/// two hosts answer in turns (only by ARP is each asked); `slept FROM UNTIL` where it could not ask itself.
pub fn command(words: &[&str]) -> anyhow::Result<ExitCode> {
    let by_arp = words.contains(&"--arp");
    let addresses: Vec<Ipv4Addr> = words.iter().filter(|w| !w.starts_with('-')).map(|w| w.parse()).collect::<Result<_, _>>()?;
    ensure!(!addresses.is_empty(), "watch: which addresses?");
    // What is measured is the pair, not the client.
    let _ = lvs_ha::sys::realtime_thread(50);
    let (mac, mut sender, receiver) = channel()?;
    let eyes = Arc::new(Mutex::new(Eyes::default()));
    let watching = Arc::clone(&eyes);
    std::thread::spawn(move || {
        let _ = lvs_ha::sys::realtime_thread(50);
        if let Err(e) = watch(mac, receiver, by_arp, &watching) {
            println!("blind {e}");
        }
    });
    let icmp = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::RAW, Some(socket2::Protocol::ICMPV4))?;
    icmp.set_nonblocking(true)?;
    let mut number: u16 = 0;
    let mut last = now();
    loop {
        for address in &addresses {
            if by_arp {
                sender.send_to(&wire::arp_probe(mac, *address), None).unwrap_or(Ok(()))?;
            } else {
                // While nobody has the address the kernel refuses.
                let _ = icmp.send_to(&echo(number), &SocketAddrV4::new(*address, 0).into());
            }
        }
        number = number.wrapping_add(1);
        std::thread::sleep(PERIOD);
        let at = now();
        if at - last > NOTICED + PERIOD.as_secs_f64() {
            println!("slept {last:.4} {at:.4}");
        }
        last = at;
    }
}

/// Who answered when.
#[derive(Default)]
struct Eyes {
    last: BTreeMap<Ipv4Addr, (f64, Mac)>,
    /// Changes from one host to another and back.
    turns: BTreeMap<Ipv4Addr, VecDeque<f64>>,
}

impl Eyes {
    fn answer(&mut self, address: Ipv4Addr, mac: Mac) {
        let at = now();
        match self.last.insert(address, (at, mac)) {
            None => println!("answered {address} {mac}"),
            Some((before, _)) if at - before > NOTICED => println!("silence {address} {before:.4} {at:.4}"),
            Some((before, other)) if other != mac => {
                let turns = self.turns.entry(address).or_default();
                if turns.back().is_some_and(|t| at - t > TOGETHER) {
                    turns.clear();
                }
                turns.push_back(at);
                // To the other and back: the first is still there.
                if turns.len() > 1 {
                    println!("two {address} {before:.4} {at:.4}");
                }
            }
            Some(_) => {}
        }
    }
}

fn watch(mac: Mac, mut frames: Box<dyn DataLinkReceiver>, by_arp: bool, eyes: &Mutex<Eyes>) -> io::Result<()> {
    loop {
        let frame = match frames.next() {
            Ok(frame) => frame,
            Err(e) if matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => continue,
            Err(e) => return Err(e),
        };
        // What was sent to everybody is an announcement, not an answer.
        let Some((to, rest)) = frame.split_at_checked(6).filter(|(to, _)| *to == mac.0) else { continue };
        let Some(from) = rest.get(..6).and_then(|m| m.try_into().ok()).map(Mac) else { continue };
        let _ = to;
        let answer = if by_arp { arp_reply(frame) } else { echo_reply(frame) };
        if let Some(address) = answer {
            eyes.lock().unwrap_or_else(PoisonError::into_inner).answer(address, from);
        }
    }
}

/// Whose address an ARP reply tells.
fn arp_reply(frame: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = frame.get(28..32)?.try_into().ok()?;
    let address = Ipv4Addr::from(octets);
    (frame.get(20..22)? == [0, 2]).then(|| wire::arp_answer(frame, address)).flatten().map(|_| address)
}

/// Which address an echo reply comes from.
fn echo_reply(frame: &[u8]) -> Option<Ipv4Addr> {
    let packet = frame.get(12..)?.strip_prefix(&[8, 0])?;
    let length = usize::from(packet.first()? & 15) * 4;
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    (*packet.get(9)? == 1 && *packet.get(length)? == 0).then(|| Ipv4Addr::from(source))
}

/// An echo request of that number.
fn echo(number: u16) -> [u8; 8] {
    let [high, low] = number.to_be_bytes();
    // The sum of the words: type and code, sum, identifier, number.
    let sum = (0x0800_u32 + 0x4c56 + u32::from(number)) % 0xffff;
    let [s1, s2] = (!u16::try_from(sum).unwrap_or(0)).to_be_bytes();
    [8, 0, s1, s2, 0x4c, 0x56, high, low]
}

/// The own Ethernet address, a way out and a way in.
type Ends = (Mac, Box<dyn DataLinkSender>, Box<dyn DataLinkReceiver>);

fn channel() -> anyhow::Result<Ends> {
    let eth0 = datalink::interfaces().into_iter().find(|i| i.name == "eth0").context("no eth0")?;
    let mac = eth0.mac.context("eth0 has no Ethernet address")?.octets();
    let config =
        datalink::Config { read_timeout: Some(Duration::from_secs(1)), promiscuous: false, ..datalink::Config::default() };
    let Channel::Ethernet(sender, receiver) = datalink::channel(&eth0, config)? else { bail!("eth0 is no Ethernet") };
    Ok((Mac(mac), sender, receiver))
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// A watch that runs on a host, and what it has said.
pub struct Watch {
    running: Running,
}

/// Something that lasted.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// `silence` or `two`.
    pub what: String,
    /// The address.
    pub address: String,
    /// Seconds since 1970.
    pub from: f64,
    /// Seconds since 1970.
    pub until: f64,
}

impl Span {
    /// How long it was, in milliseconds.
    pub fn ms(&self) -> f64 {
        (self.until - self.from) * 1000.0
    }
}

impl Watch {
    /// Starts it and waits until every address was answered for.
    pub fn start(host: &Host, addresses: &[&str], by_arp: bool) -> anyhow::Result<Self> {
        let running = host.spawn(&format!("exec netns watch {} {}", addresses.join(" "), if by_arp { "--arp" } else { "" }))?;
        let watch = Self { running };
        for address in addresses {
            wait_for("the watched address to be answered for", Duration::from_secs(60), || {
                let text = watch.running.text()?;
                let seen = text.contains(&format!("answered {address} "));
                Ok(if seen { Ok(()) } else { Err(text) })
            })?;
        }
        Ok(watch)
    }

    /// What it has told of an address between two moments.
    pub fn spans(&self, what: &str, address: &str, from: f64, until: f64) -> anyhow::Result<Vec<Span>> {
        let text = self.running.text()?;
        ensure!(!text.contains("blind"), "{text}");
        let spans = text.lines().filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [what, address, from, until] = words.as_slice() else { return None };
            let (from, until) = (from.parse().ok()?, until.parse().ok()?);
            Some(Span { what: (*what).to_owned(), address: (*address).to_owned(), from, until })
        });
        Ok(spans.filter(|s| s.what == what && s.address == address && s.until > from && s.from < until).collect())
    }

    /// The longest time without an answer that ended between two moments, in milliseconds; 0 if there was none worth telling.
    pub fn silence(&self, address: &str, from: f64, until: f64) -> anyhow::Result<f64> {
        let spans = self.spans("silence", address, from, until)?;
        Ok(spans.iter().map(Span::ms).fold(0.0, f64::max))
    }
}
