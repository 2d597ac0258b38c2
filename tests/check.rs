//! `lvs-ha check` and `ldirectord -t` through the built executable: what they say of the files in `tests/data/check`, each
//! beside its recorded text. `LVS_HA_RECORD=1` writes the texts anew, to be read before they are committed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/check")
}

/// Standard output, standard error, and the exit status, of a command run in `folder` under the name `name`.
fn run(folder: &Path, name: &str, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_lvs-ha"))
        .arg0(name)
        .args(args)
        .current_dir(folder)
        .env("LVS_HA_RUN_DIR", folder)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}exit {}\n", text(&out.stdout), text(&out.stderr), out.status.code().unwrap())
}

/// Compares with the recorded text, or records.
fn same(name: &str, got: &str) {
    let path = data().join(name);
    if std::env::var_os("LVS_HA_RECORD").is_some() {
        fs::write(&path, got).unwrap();
    }
    let want = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(got, want, "{name}");
}

#[test]
fn each_mistake_is_underlined_and_its_meaning_guessed() {
    for name in ["good", "advice", "mistakes", "windows"] {
        same(&format!("{name}.txt"), &run(&data(), "lvs-ha", &["check", &format!("{name}.cf")]));
    }
}

#[test]
fn warnings_fail_when_asked_to() {
    let last = |name: &str, args: &[&str]| run(&data(), name, args).lines().last().unwrap().to_owned();
    assert_eq!(last("lvs-ha", &["check", "--strict", "advice.cf"]), "exit 1");
    assert_eq!(last("lvs-ha", &["check", "--strict", "good.cf"]), "exit 0");
    assert_eq!(last("lvs-ha", &["check", "good.cf", "mistakes.cf"]), "exit 2");
    assert_eq!(last("ldirectord", &["-t", "--strict", "advice.cf"]), "exit 1");
    assert_eq!(last("ldirectord", &["-t", "none.cf"]), "exit 2");
}

#[test]
fn ldirectord_says_the_same() {
    let file = data().join("mistakes.cf");
    let said = run(&data(), "ldirectord", &["-t", "mistakes.cf"]);
    assert_eq!(said.replace(file.to_str().unwrap(), "mistakes.cf"), run(&data(), "lvs-ha", &["check", "mistakes.cf"]));
}

/// Heartbeat's three files are checked together, whichever is named; the keys are not shown.
#[test]
fn heartbeats_files_are_checked_together() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("nodeinfo", "server10\n");
    write(
        "ha.cf",
        "logfile /var/log/ha-log\nkeepalive 2\ndeadtime 30\nbcst lo\nucast lo 172.25.60.11\nnode server10 server11\nauto_failback on\n",
    );
    write("authkeys", "auth 1\n1 sha1 Hello World!\n2 sha256 Secret\n");
    write("haresources", "server10 IPaddr::172.25.60.100/24/lo httpd\nserver12 172.25.60.101\n");
    fs::set_permissions(folder.path().join("authkeys"), fs::Permissions::from_mode(0o600)).unwrap();
    let said = run(folder.path(), "lvs-ha", &["check", "."]);
    assert!(!said.contains("Secret") && !said.contains("Hello"), "{said}");
    same("heartbeat.txt", &said);
    // What lines say together is looked at when each is right by itself.
    let mended = fs::read_to_string(folder.path().join("ha.cf")).unwrap().replace("bcst", "bcast");
    write("ha.cf", &mended);
    same("haresources.txt", &run(folder.path(), "lvs-ha", &["check", "haresources"]));
}

#[test]
fn what_is_no_configuration_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter"), "Dear reader,\n").unwrap();
    for (args, want) in [
        (["check", "letter"], "letter: neither its name nor a line in it tells which file it is"),
        (["check", "none.cf"], "can't read none.cf: No such file or directory\n"),
        (["check", "."], ".: no ha.cf, authkeys, haresources or ldirectord.cf in it\n"),
    ] {
        let said = run(folder.path(), "lvs-ha", &args);
        assert!(said.contains(want) && said.ends_with("exit 2\n"), "{args:?}: {said}");
    }
}
