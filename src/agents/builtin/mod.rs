//! The resources that need no script. They win over a script of their name.

pub mod owned;
pub mod peers;
pub mod vip;

use std::path::PathBuf;

use crate::agents::exec::Program;
use crate::config::haresources::AddressArgError;
use crate::config::settings::Resource;
use crate::net::addr::Wanted;

/// A resource of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Builtin {
    /// An address: `IPaddr`, `IPaddr2` or a bare one.
    Vip(Wanted),
    /// A command of this executable, run as a program of its own.
    Command(Program),
}

/// The built-in resource of that name, if there is one; an error names what is wrong with its argument.
pub fn lookup(resource: &Resource) -> Option<Result<Builtin, AddressArgError>> {
    match resource.script.as_str() {
        "IPaddr" | "IPaddr2" => Some(vip::wanted(resource).map(Builtin::Vip)),
        "ldirectord" => Some(Ok(Builtin::Command(Program {
            // The running executable, even if its file has been replaced since.
            path: PathBuf::from("/proc/self/exe"),
            name: Some("ldirectord".to_owned()),
            args: resource.args.clone(),
            input: Vec::new(),
        }))),
        _ => None,
    }
}
