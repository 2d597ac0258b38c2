//! The recorded inputs, read when they are needed.

use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder, in order.
fn below(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The recorded files whose names begin so, and our samples of them.
pub fn files(name: &str) -> Vec<Vec<u8>> {
    let named = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(name));
    let data = ["tests/data", "conf", "vagrant/files"].into_iter().flat_map(below).filter(named);
    data.map(|p| std::fs::read(p).unwrap()).collect()
}

/// The JSON documents of a folder, by their names.
pub fn documents(folder: &str) -> Vec<(String, Value)> {
    let json = below(folder).into_iter().filter(|p| p.extension().is_some_and(|e| e == "json"));
    json.map(|p| {
        let name = p.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_slice(&std::fs::read(p).unwrap()).unwrap())
    })
    .collect()
}

/// Recorded packets of Heartbeat: those of each scenario, each with its fields and bytes.
pub fn heartbeat() -> Vec<Vec<Value>> {
    let packets = |file: Value| match file {
        Value::Array(records) => records,
        mut scenario => scenario["packets"].take().as_array().unwrap().clone(),
    };
    documents("tests/data/heartbeat").into_iter().map(|(_, file)| packets(file)).collect()
}

/// The kernel's recorded answers, and the requests.
pub fn netlink() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for (_, vector) in documents("tests/data/ipvs/netlink") {
        found.push(unhex(&vector["request"]));
        found.extend(vector["datagrams"].as_array().unwrap().iter().map(unhex));
    }
    found
}

/// Values of the steps of ipvsadm's recorded cases, by their name.
pub fn ipvsadm(field: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for (_, mut case) in documents("tests/data/ipvsadm/cases") {
        found.extend(case["steps"].as_array_mut().unwrap().iter_mut().map(|step| step[field].take()).filter(|v| !v.is_null()));
    }
    found
}

pub fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
