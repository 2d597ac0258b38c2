//! Recorded exchanges with the kernel's IPVS, from `tests/data/ipvs/netlink`.

use std::path::Path;

use serde_json::Value;

/// One exchange.
pub(crate) struct Vector {
    /// Its name.
    pub(crate) name: String,
    /// The command line of ipvsadm that made it.
    pub(crate) command: String,
    /// Family id in this recording.
    pub(crate) family: u16,
    /// The request message.
    pub(crate) request: Vec<u8>,
    /// The answers.
    pub(crate) datagrams: Vec<Vec<u8>>,
    /// The answers, decoded by another program.
    pub(crate) replies: Vec<Value>,
}

/// All of them, by name.
pub(crate) fn vectors() -> Vec<Vector> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ipvs/netlink");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 50, "only {} vectors", paths.len());
    paths.iter().map(|path| vector(&serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())).collect()
}

fn vector(json: &Value) -> Vector {
    Vector {
        name: json["name"].as_str().unwrap().to_owned(),
        command: json["command"].as_str().unwrap().to_owned(),
        family: json["family_id"].as_u64().unwrap().try_into().unwrap(),
        request: hex(&json["request"]),
        datagrams: json["datagrams"].as_array().unwrap().iter().map(hex).collect(),
        replies: json["replies_decoded"].as_array().unwrap().clone(),
    }
}

fn hex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
