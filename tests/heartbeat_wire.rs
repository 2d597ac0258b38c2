//! Every packet recorded from Heartbeat 3.0.6 pairs reads, verifies with its key, and is written again to the same bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use lvs_ha::cluster::auth::Tag;
use lvs_ha::cluster::compress::unpack;
use lvs_ha::cluster::wire::{Framing, Kind, Message, decode, ping_payload};
use lvs_ha::config::settings::{Key, Keys, Method};
use serde_json::Value;

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// `1 sha1 labsecret`
fn keys(line: &str) -> Keys {
    let words: Vec<&str> = line.split(' ').collect();
    let method = match words[1] {
        "crc" => Method::Crc,
        "md5" => Method::Md5,
        "sha1" => Method::Sha1,
        other => panic!("method {other}"),
    };
    let secret = words.get(2).copied().unwrap_or_default().as_bytes().to_vec();
    let number = words[0].parse().unwrap();
    Keys { active: number, keys: vec![Key { number, method, secret }] }
}

/// The inner digest is that of the other fields.
fn reseal(message: &Message, key: &Key) -> Message {
    let mut out = Message::empty();
    for field in message.fields().iter().filter(|f| f.name != "auth") {
        out.push(&field.name, field.kind, field.value.clone());
    }
    out.seal(key);
    out
}

fn check(record: &Value, keys: &Keys, name: &str) {
    let bytes = unhex(record["hex"].as_str().unwrap());
    let packet = decode(&bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!(packet.framing, Framing::Netstring, "{name}");
    assert_eq!(packet.tag.verify(keys, &packet.signed), Ok(()), "{name}");
    assert_eq!(packet.tag, Tag::parse(record["outer_auth"].as_str().unwrap().as_bytes()).unwrap(), "{name}");
    let recorded = record["fields"].as_array().unwrap();
    assert_eq!(packet.message.fields().len(), recorded.len(), "{name}");
    for (field, expected) in packet.message.fields().iter().zip(recorded) {
        assert_eq!(field.name, expected[0].as_str().unwrap(), "{name}");
        let value = expected[2].as_str().unwrap();
        match value.strip_prefix("hex:").filter(|_| expected[1] == "1") {
            Some(hex) => assert_eq!((field.kind, &field.value), (Kind::Binary, &unhex(hex)), "{name}"),
            None => assert_eq!((field.kind, field.value.as_slice()), (Kind::Text, value.as_bytes()), "{name}"),
        }
    }
    if packet.message.bytes("_compressed_payload").is_some() {
        let inner = unpack(packet.message.clone()).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(!inner.kind().is_empty() && inner.text("src").is_some(), "{name}: {inner:?}");
    }
    let key = keys.get(keys.active).unwrap();
    assert_eq!(packet.message.encode(key), bytes, "{name}");
    if record["verified"].as_str().unwrap().contains("inner-ok") {
        assert_eq!(reseal(&packet.message, key), packet.message, "{name}: inner digest");
    }
}

#[test]
fn every_recorded_packet_is_read_and_written_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/heartbeat");
    let (mut seen, mut compressed) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if let Some(records) = file.as_array() {
            for record in records {
                check(record, &keys(record["key"].as_str().unwrap()), record["name"].as_str().unwrap());
                seen += 1;
            }
            continue;
        }
        for (i, record) in file["packets"].as_array().unwrap().iter().enumerate() {
            let key = record.get("key").unwrap_or(&file["key"]).as_str().unwrap();
            check(record, &keys(key), &format!("{name} packet {i}"));
            seen += 1;
            compressed += u32::from(record["fields"][0][0] == "_compressed_payload");
        }
    }
    assert!(seen > 1000 && compressed == 2, "only {seen} packets found, {compressed} compressed");
}

#[test]
fn a_ping_carries_the_packet_the_original_sends() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/heartbeat/packets.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let record = file.as_array().unwrap().iter().find(|r| r["name"] == "ping_echo_payload").unwrap();
    let keys = keys(record["key"].as_str().unwrap());
    let payload = ping_payload("10.99.0.3", 0x6b00_c0cc, keys.get(1).unwrap(), true);
    assert_eq!(payload, unhex(record["hex"].as_str().unwrap()));
}
