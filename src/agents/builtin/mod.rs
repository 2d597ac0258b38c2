//! The resources that need no script. They win over a script of their name.

pub mod owned;
pub mod peers;
pub mod small;
pub mod vip;

use std::path::PathBuf;

use self::small::Small;
use super::exec::Program;
use super::lookup::{Call, Kind};
use crate::config::settings::Resource;
use crate::net::addr::Wanted;

/// Where the daemon of LVS's connection synchronization speaks, unless the resource says so.
const SYNC_INTERFACE: &str = "eth0";
/// Swaps the two daemons of LVS's connection synchronization by `ipvsadm`: `$1` interface, `$2` syncid, `$3` action.
const SYNC_SWAP: &str = r#"
case $3 in
start) out=backup in=master ;;
stop) out=master in=backup ;;
monitor) exec "$0" ipvsadm --list --daemon | grep -q 'master sync daemon' ;;
esac
"$0" ipvsadm --stop-daemon $out 2>/dev/null
if "$0" ipvsadm --list --daemon | grep -q "$in sync daemon"; then exit 0; fi
exec "$0" ipvsadm --start-daemon $in --mcast-interface "$1" --syncid "$2"
"#;

/// A resource of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Builtin {
    /// An address: `IPaddr`, `IPaddr2`, `IPv6addr` or a bare one.
    Vip(Wanted),
    /// `Delay` and its like.
    Small(Small),
    /// A command of this executable, run as a program of its own.
    Command(Call),
}

/// The built-in resource of that name, if there is one; an error names what is wrong with its argument.
pub fn lookup(resource: &Resource) -> Option<Result<Builtin, String>> {
    if let Some(wanted) = vip::wanted(resource) {
        return Some(wanted.map(Builtin::Vip).map_err(|e| e.to_string()));
    }
    // The running executable, even if its file has been replaced since.
    let executable = PathBuf::from("/proc/self/exe");
    match resource.script.as_str() {
        "ldirectord" => {
            let args = resource.args.clone();
            let program = Program { path: executable, name: Some("ldirectord".to_owned()), args, input: Vec::new() };
            Some(Ok(Builtin::Command(Call { program, environment: Vec::new(), kind: Kind::Script })))
        }
        "LVSSyncDaemonSwap" => Some(sync_swap(&resource.args).map(Builtin::Command)),
        _ => small::lookup(resource).map(|small| small.map(Builtin::Small)),
    }
}

/// `LVSSyncDaemonSwap::master[::INTERFACE][::SYNCID]`: the node that holds it sends connections, the others receive them.
fn sync_swap(args: &[String]) -> Result<Call, String> {
    let (mut interface, mut syncid) = (SYNC_INTERFACE.to_owned(), "0".to_owned());
    match args.split_first() {
        Some((role, more)) if role == "master" => {
            for arg in more {
                if arg.bytes().all(|b| b.is_ascii_digit()) { syncid.clone_from(arg) } else { interface.clone_from(arg) }
            }
        }
        _ => return Err("LVSSyncDaemonSwap needs `master`: LVSSyncDaemonSwap::master".to_owned()),
    }
    let own = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    let args = vec!["-c".to_owned(), SYNC_SWAP.to_owned(), own.display().to_string(), interface, syncid];
    let program = Program { path: "/bin/sh".into(), name: None, args, input: Vec::new() };
    Ok(Call { program, environment: Vec::new(), kind: Kind::Ocf })
}
