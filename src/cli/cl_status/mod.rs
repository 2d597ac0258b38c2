//! `cl_status`: one fact about the cluster. Answered from the snapshot that heartbeat gives over its control socket.

use std::ffi::OsString;
use std::process::ExitCode;

use self::args::{Options, Sub, USAGE};
use self::render::{Reply, answer};
use super::{print, stamp};
use crate::control::client::Error;
use crate::control::proto::{Request, Response};
use crate::control::{client, heartbeat_socket, run_dir};

mod args;
mod render;

/// What the original's library says when nobody listens.
const NOT_RUNNING: &str = "hb_api_signon: Can't initiate connection to heartbeat";

/// Runs the command.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    let Some(name) = args.get(1).map(|n| n.to_string_lossy()) else {
        print(USAGE);
        return ExitCode::SUCCESS;
    };
    if matches!(&*name, "-h" | "--help") {
        print(USAGE);
        return ExitCode::SUCCESS;
    }
    let Some(sub) = Sub::named(&name) else {
        return end(&Reply::error(format!("{name}: invalid sub-command.")));
    };
    let options = Options::read(sub, &name, args.get(2..).unwrap_or_default());
    let reply = match client::request(&heartbeat_socket(&run_dir()), &Request::Status, client::PATIENCE) {
        Ok(Response::Cluster(cluster)) => answer(&cluster, sub, &options),
        Ok(Response::Refused { why }) => unanswered(sub, &options, &why, true),
        Ok(_) => unanswered(sub, &options, "heartbeat's answer does not fit the question", true),
        Err(Error::NotRunning { .. }) => unanswered(sub, &options, NOT_RUNNING, false),
        Err(e) => unanswered(sub, &options, &e.to_string(), true),
    };
    end(&reply)
}

/// The reply when heartbeat did not answer; `there` when something listens. (The original calls a heartbeat stopped that
/// the user may not ask.)
fn unanswered(sub: Sub, options: &Options, why: &str, there: bool) -> Reply {
    if sub != Sub::HbStatus {
        return Reply::failed("Cannot signon with heartbeat", why, 1);
    }
    let mut out = match there {
        true => "Heartbeat is apparently running on this machine, but refuses my connection\n".to_owned(),
        false => "Heartbeat is stopped on this machine.\n".to_owned(),
    };
    if there || options.verbose {
        out.push_str(&format!("({why})\n"));
    }
    Reply { out, plain: options.wrong.clone(), code: 1, ..Reply::default() }
}

/// Prints the reply.
fn end(reply: &Reply) -> ExitCode {
    print(&reply.out);
    if let Some(line) = &reply.plain {
        eprintln!("{line}");
    }
    for line in &reply.errors {
        let host = nix::unistd::gethostname().unwrap_or_default();
        eprintln!("{} {} cl_status: [{}]: ERROR: {line}", stamp(), host.to_string_lossy(), std::process::id());
    }
    ExitCode::from(reply.code)
}
