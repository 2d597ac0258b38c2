//! `ipvsadm-save` and `ipvsadm-restore` through the built executable, as far as no kernel with IPVS is needed: what is wrong
//! with the input is said before the kernel is asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// Standard output, standard error and exit status of a command called by `name`.
fn run(name: &str, args: &[&str], input: &str) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lvs-ha"));
    command.arg0(name).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out.stdout), text(out.stderr), out.status.code().unwrap())
}

#[test]
fn a_wrong_line_is_named_and_nothing_is_changed() {
    let input = "# kept\n-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.1.1:80 -w much\n-A -t 10.0.0.1:80 --no\n";
    let (out, err, code) = run("/sbin/ipvsadm-restore", &[], input);
    assert_eq!(
        err,
        "ipvsadm-restore: line 3: illegal weight specified: -a -t 10.0.0.1:80 -r 10.0.1.1:80 -w much\n\
         ipvsadm-restore: line 4: --no: unknown option: -A -t 10.0.0.1:80 --no\n\
         ipvsadm-restore: nothing was changed\n"
    );
    assert_eq!((out.as_str(), code), ("", 2));
    let (_, err, code) = run("ipvsadm-restore", &[], "-a -t 10.0.0.1:80 -r 10.0.1.1:80\n");
    assert!(err.starts_with("ipvsadm-restore: line 1: Service not defined: -a"), "{err}");
    assert_eq!(code, 255);
}

#[test]
fn unknown_options_of_save_get_the_scripts_help() {
    let help = "ipvsadm-save: Script to save the IPVS table to stdout.\n   \
                With the -n option, prints out the table in numeric format.\n";
    for args in [&["-x"][..], &["--help"], &["-n", "-v"]] {
        assert_eq!(run("/sbin/ipvsadm-save", args, ""), (String::new(), help.to_owned(), 1), "{args:?}");
    }
}

#[test]
fn json_is_an_option_of_listings_alone() {
    for line in ["-S --json", "-A -t 10.0.0.1:80 --json", "-C --json", "--json -L", "-L --jso", "-L --json=1"] {
        let args: Vec<&str> = line.split(' ').collect();
        let (out, err, code) = run("ipvsadm", &args, "");
        assert_eq!((out.as_str(), code), ("", 255), "{line}: {err}");
        assert!(!err.is_empty());
    }
}
