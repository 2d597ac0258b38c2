//! The command `ldirectord` as a process: what it prints and its exit status. Nothing here needs IPVS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::{Command, Output, Stdio};

fn ldirectord(dir: &std::path::Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lvs-ha"))
        .arg("ldirectord")
        .args(args)
        .current_dir(dir)
        .env("LVS_HA_RUN_DIR", dir.join("run"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Exit status, standard output, standard error.
fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A folder with a configuration whose name no other test uses, and that name.
fn configuration(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("{}.cf", dir.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.'));
    let log = dir.path().join("log");
    std::fs::write(dir.path().join(&name), format!("logfile=\"{}\"\n{text}", log.display())).unwrap();
    (dir, name)
}

#[test]
fn a_command_line_that_is_not_understood_shows_the_usage_and_is_255() {
    let dir = tempfile::tempdir().unwrap();
    let (status, out, err) = said(&ldirectord(dir.path(), &["-z"]));
    assert_eq!((status, err.as_str()), (255, "Unknown option: z\n"));
    assert!(out.starts_with("Usage:\n"), "{out}");
    for args in [&[][..], &["x", "go"], &["-d"]] {
        assert_eq!(said(&ldirectord(dir.path(), args)).0, 255, "{args:?}");
    }
    let (status, out, _) = said(&ldirectord(dir.path(), &["--version"]));
    assert!(status == 0 && out.starts_with("Linux Director v"), "{out}");
    assert_eq!(said(&ldirectord(dir.path(), &["-h"])).0, 0);
}

#[test]
fn a_missing_file_is_1_and_named() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["start", "status", "stop", "restart"] {
        let (status, _, err) = said(&ldirectord(dir.path(), &["none.cf", command]));
        assert_eq!((status, err.as_str()), (1, "Config file none.cf not found\n"), "{command}");
    }
}

#[test]
fn commands_about_an_instance_that_does_not_run() {
    let (dir, name) = configuration("");
    let path = dir.path().join(&name).display().to_string();
    let (status, out, err) = said(&ldirectord(dir.path(), &[&name, "status"]));
    assert_eq!((status, out, err), (3, format!("ldirectord is stopped for {path}\n"), String::new()));
    for (command, expected) in [("stop", 0), ("try-restart", 0), ("reload", 1), ("force-reload", 1)] {
        let (status, out, err) = said(&ldirectord(dir.path(), &[&name, command]));
        assert_eq!((status, out.as_str(), err.as_str()), (expected, "", ""), "{command}");
    }
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains(&format!("ldirectord {name} status \n")), "{log}");
    assert!(log.contains("] Exiting with exit_status 3: Exiting from ldirectord status\n"), "{log}");
    assert!(log.contains(&format!("] ldirectord is stopped for {path}\n")), "{log}");
}

#[test]
fn a_broken_file_is_2_and_does_not_keep_stop_and_status_from_their_work() {
    let (dir, name) = configuration("nonsense=1\n");
    let path = dir.path().join(&name).display().to_string();
    let (status, out, err) = said(&ldirectord(dir.path(), &[&name, "start"]));
    assert_eq!((status, out.as_str()), (2, ""));
    let first = err.lines().next().unwrap();
    assert!(
        first.starts_with("Error [") && first.contains(&format!("] reading file {path} at line 2: Unknown command nonsense=1")),
        "{err}"
    );
    assert_eq!(said(&ldirectord(dir.path(), &[&name, "status"])).0, 3);
    assert_eq!(said(&ldirectord(dir.path(), &[&name, "stop"])).0, 0);
}
