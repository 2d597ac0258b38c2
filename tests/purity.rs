//! Holds the purity line: files that decide must not do. Reads the sources and names file and line of each breach.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

/// Files and folders below `src` that must stay pure.
const PURE: &[&str] = &[
    "config",
    "ipvs",
    "cluster",
    "director",
    "checks/spec.rs",
    "checks/answer.rs",
    "agents/action.rs",
    "agents/respawn.rs",
    "agents/watch.rs",
    "control/proto.rs",
    "status",
];
/// Exceptions among them: leaves with effects.
const LEAVES: &[&str] = &["config/load", "ipvs/client.rs", "ipvs/client", "ipvs/proc_sys.rs"];
/// Pure files and folders of the commands, by name.
const PURE_CLI: &[&str] = &["args.rs", "render.rs", "args", "render"];
/// What only an effect would say.
const FORBIDDEN: &[&str] = &[
    "tokio::",
    "std::fs",
    "fs::read",
    "fs::write",
    "File::open",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "rand::",
    "std::process::",
    "std::thread",
    "std::env",
    "static mut",
    "println!",
    "eprintln!",
    "tracing::",
    "nix::",
    "libc::",
    "socket2::",
    "netlink_sys::",
];

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn is_pure(relative: &Path) -> bool {
    let under = |list: &[&str]| list.iter().any(|p| relative.starts_with(p));
    let named = |c: std::path::Component<'_>| PURE_CLI.iter().any(|p| c.as_os_str() == *p);
    let cli = relative.starts_with("cli") && relative.components().any(named);
    (under(PURE) && !under(LEAVES)) || cli
}

#[test]
fn pure_modules_have_no_effects() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut breaches = Vec::new();
    let mut seen = 0;
    for file in &files {
        let relative = file.strip_prefix(&src).unwrap();
        if !is_pure(relative) {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(file).unwrap();
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("#[cfg(test)]") {
                break;
            }
            let code = line.split("//").next().unwrap_or_default();
            for word in FORBIDDEN.iter().filter(|w| code.contains(**w)) {
                breaches.push(format!("src/{}:{}: {word}", relative.display(), number + 1));
            }
        }
    }
    assert!(seen > 5, "the walk found only {seen} pure files");
    assert!(breaches.is_empty(), "effects in pure files:\n{}", breaches.join("\n"));
}
