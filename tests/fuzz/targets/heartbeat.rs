//! Heartbeat's packets, the digests, and the node that is told them.

use std::time::Duration;

use lvs_ha::cluster::Node;
use lvs_ha::cluster::auth::Tag;
use lvs_ha::cluster::io::{ActionId, Command, Identity, Input, LinkId, Mono, Now, Outcome, Output, Set};
use lvs_ha::cluster::wire::{Framing, Kind, Message, decode};
use lvs_ha::config::report::Which;
use lvs_ha::config::resolve::cluster::{Files, settings};
use lvs_ha::config::settings::{Key, Keys, Method, Settings};
use lvs_ha::config::{authkeys, ha_cf, haresources};
use serde_json::Value;

use super::names::Host;
use crate::seeds;

fn key() -> Key {
    Key { number: 1, method: Method::Crc, secret: Vec::new() }
}

fn keys() -> Keys {
    let sha1 = Key { number: 2, method: Method::Sha1, secret: b"labsecret".to_vec() };
    Keys { active: 1, keys: vec![key(), sha1, Key { number: 3, method: Method::Md5, secret: b"k".to_vec() }] }
}

/// Recorded packets: one of each form, and the same in the classic framing.
pub fn packets() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for record in seeds::heartbeat().into_iter().flat_map(|scenario| scenario.into_iter().take(40)) {
        let bytes = seeds::unhex(&record["hex"]);
        out.push(classic(&decode(&bytes).unwrap().message));
        out.push(bytes);
    }
    out
}

/// The classic framing of a message, without its binary fields.
fn classic(message: &Message) -> Vec<u8> {
    let mut body = Vec::new();
    for field in message.fields().iter().filter(|f| f.kind == Kind::Text && f.name != "auth") {
        body.extend([field.name.as_bytes(), b"=", &field.value, b"\n"].concat());
    }
    let tag = Tag::of(&key(), &body).to_string();
    [b">>>\n", body.as_slice(), b"auth=", tag.as_bytes(), b"\n<<<\n"].concat()
}

/// A packet is refused, or says the same when it is written again.
pub fn packet(bytes: &[u8]) {
    if let Some(tag) = Tag::parse(bytes) {
        assert_eq!(Tag::parse(tag.to_string().as_bytes()), Some(tag), "a tag is read as it is written");
    }
    let Ok(packet) = decode(bytes) else { return };
    assert!(packet.signed.len() <= bytes.len());
    let size: usize = packet.message.fields().iter().map(|f| f.name.len() + f.value.len()).sum();
    assert!(size <= bytes.len(), "more in the fields than in the packet");
    let verdict = packet.tag.verify(&keys(), &packet.signed);
    assert!(verdict.is_err() || packet.tag.number <= 3, "believed without a key");
    let again = packet.message.encode(&key());
    let second = decode(&again).expect("what we write can be read");
    assert_eq!(second.message, packet.message);
    assert_eq!(second.framing, Framing::Netstring);
    assert_eq!(second.tag.verify(&keys(), &second.signed), Ok(()));
    assert_eq!(second.message.encode(&key()), again);
    if packet.framing == Framing::Netstring && packet.signed.len() == second.signed.len() {
        assert_eq!(packet.signed, second.signed, "a packet in its shortest form is written to the same bytes");
    }
}

/// The fields of recorded packets as lines.
pub fn texts() -> Vec<Vec<u8>> {
    seeds::heartbeat().into_iter().flat_map(|s| s.into_iter().take(10)).map(|record| lines(&record).into_bytes()).collect()
}

/// `NAME=VALUE` lines of a record's text fields.
fn lines(record: &Value) -> String {
    let fields = record["fields"].as_array().unwrap().iter().filter(|f| f[0] != "auth");
    fields.map(|f| format!("{}={}\n", f[0].as_str().unwrap(), f[2].as_str().unwrap())).collect()
}

fn message(text: &[u8]) -> Message {
    let mut message = Message::empty();
    for line in text.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let (name, value) = line.split_at(line.iter().position(|b| *b == b'=').unwrap_or(line.len()));
        let name = String::from_utf8_lossy(name);
        let value = value.get(1..).unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        match value.strip_prefix(b"hex:") {
            Some(digits) => message.push(&name, Kind::Binary, digits.to_vec()),
            None => message.push(&name, Kind::Text, value.to_vec()),
        }
    }
    message
}

/// A message of any fields is read as it was written, with each method.
pub fn fields(bytes: &[u8]) {
    let mut message = message(bytes);
    for key in &keys().keys {
        message.seal(key);
        let packet = decode(&message.encode(key)).expect("what we write can be read");
        assert_eq!(packet.message, message);
        assert_eq!(packet.tag.verify(&keys(), &packet.signed), Ok(()));
    }
    let (kind, hex, decimal) = (message.kind(), message.hex("seq"), message.decimal("ttl"));
    assert!(kind.len() <= bytes.len() && (hex.is_none() || message.text("seq").is_some()));
    assert!(decimal.is_none() || message.bytes("ttl").is_some());
}

/// Recorded scenarios, as the node is told them: the packets of the other node, blank lines between, `+N` for the time.
pub fn scenarios() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for scenario in seeds::heartbeat() {
        let mut text = String::new();
        for record in scenario.iter().filter(|r| r["frm"] == "beta").take(30) {
            text.push_str(&lines(record));
            text.push_str("\n+100\n\n");
        }
        out.push(text.into_bytes());
    }
    out.push(
        b"t=status\nst=active\nsrc=beta\nseq=1\nhg=1\nts=1\n\n!standby\n\n+500\n\n!takeover\n\n+20000\n\n!stop\n\n".to_vec(),
    );
    out
}

fn lab() -> Settings {
    let cf = "node alpha\nnode beta\nbcast eth0\nkeepalive 200ms\ndeadtime 1\nwarntime 500ms\ninitdead 3\nauto_failback on\n";
    let (ha_cf, _) = ha_cf::parse(cf.as_bytes(), "ha.cf");
    let (haresources, _) = haresources::parse(b"alpha 10.0.0.1\nbeta 10.0.0.2\n");
    let (authkeys, _) = authkeys::parse(b"auth 1\n1 crc\n", "authkeys");
    let files = Files { ha_cf: &ha_cf, haresources: &haresources, haresources_shown: "haresources", authkeys: &authkeys };
    let (settings, found) = settings(files, "alpha", &Host);
    settings.unwrap_or_else(|| panic!("{:?} {found:?}", Which::HaCf))
}

/// A node takes any sequence of properly signed packets, and never says much at once.
pub fn node(bytes: &[u8]) {
    let settings = lab();
    let mut clock = Duration::ZERO;
    let now = |clock| Now { mono: Mono(clock), wall: 1_800_000_000 };
    let mut node = Node::new(&settings, Identity { uuid: [7; 16], generation: 5 }, 1, now(clock));
    let mut asked: Vec<ActionId> = Vec::new();
    let mut inputs = Vec::new();
    let mut block = Vec::new();
    for line in bytes.split_inclusive(|b| *b == b'\n').chain([&b"\n"[..]]) {
        if line == b"\n" {
            inputs.push(std::mem::take(&mut block));
        } else {
            block.extend_from_slice(line);
        }
    }
    for input in inputs.iter().filter(|i| !i.is_empty()) {
        let line = String::from_utf8_lossy(input);
        if let Some(ms) = line.strip_prefix('+') {
            let until = clock + Duration::from_millis(ms.trim().parse::<u16>().unwrap_or(1).into());
            // A node that always wants to be called at once would stand still.
            for _ in 0..10_000 {
                let Some(next) = node.poll_timeout().map(|m| m.0).filter(|next| *next <= until) else { break };
                clock = clock.max(next);
                node.handle_timeout(now(clock));
                drain(&mut node, &mut asked);
            }
            assert!(node.poll_timeout().is_none_or(|m| m.0 > until), "the node's clock stands still");
            clock = until;
        } else {
            let input = match line.trim() {
                "!standby" => Input::Command(Command::Standby(Set::All)),
                "!takeover" => Input::Command(Command::Takeover(Set::All)),
                "!stop" => Input::Command(Command::Stop),
                "!done" if !asked.is_empty() => Input::ActionDone { id: asked.remove(0), outcome: Outcome::Done },
                "!failed" if !asked.is_empty() => {
                    Input::ActionDone { id: asked.remove(0), outcome: Outcome::Failed("no".into()) }
                }
                _ => Input::Packet { link: LinkId(0), bytes: message(input).encode(&key()) },
            };
            node.handle(now(clock), input);
            drain(&mut node, &mut asked);
        }
    }
    let view = node.view();
    assert!(view.nodes.len() <= 2 && view.groups.len() == 2);
}

fn drain(node: &mut Node, asked: &mut Vec<ActionId>) {
    let mut count = 0;
    while let Some(output) = node.poll_output() {
        count += 1;
        match output {
            Output::Send(bytes) => {
                let packet = decode(&bytes).expect("what we send can be read");
                assert_eq!(packet.tag.verify(&keys(), &packet.signed), Ok(()));
            }
            Output::Run { id, .. } => asked.push(id),
            _ => {}
        }
    }
    assert!(count < 2000, "{count} outputs of one input");
}
