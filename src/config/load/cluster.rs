//! heartbeat's three files from a folder, and the node's name.

use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::config::diag::{Diagnostic, Source, Span};
use crate::config::lookup::Lookup;
use crate::config::report::{Finding, Sources, Which};
use crate::config::resolve::cluster::{Files, settings};
use crate::config::settings::Settings;
use crate::config::{authkeys, ha_cf, haresources};

/// Where the files are.
pub const DIRECTORY: &str = "/etc/ha.d";

/// Reading is never blocked by what is no file: a FIFO opens at once and is then refused.
const NONBLOCK: i32 = nix::libc::O_NONBLOCK;

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// None if anything is an error.
    pub settings: Option<Settings>,
    /// Everything that was found, for [`crate::config::report::parts`].
    pub findings: Vec<Finding>,
    /// The files' contents, keys masked.
    pub sources: Sources,
}

/// Reads and resolves `ha.cf`, `authkeys` and `haresources` of `directory` for the node `node_name`. Messages print the paths
/// as the original does, `/etc/ha.d//ha.cf`.
#[must_use]
pub fn load(directory: &Path, node_name: &str, lookup: &dyn Lookup) -> Loaded {
    let mut findings = Vec::new();
    let shown = |name: &str| format!("{}//{name}", directory.display());
    let (cf_shown, keys_shown, resources_shown) = (shown("ha.cf"), shown("authkeys"), shown("haresources"));

    let cf_bytes = open(&directory.join("ha.cf"), &mut findings, Which::HaCf, |why| missing("config", &cf_shown, why));
    let (cf, found) = ha_cf::parse(cf_bytes.as_deref().unwrap_or_default(), &cf_shown);
    findings.extend(found.into_iter().map(|d| Finding::new(Which::HaCf, d)));

    let keys_bytes = keys_file(directory, &keys_shown, &mut findings);
    let (keys, found) = authkeys::parse(keys_bytes.as_deref().unwrap_or_default(), &keys_shown);
    if keys_bytes.is_some() {
        findings.extend(found.into_iter().map(|d| Finding::new(Which::Authkeys, d)));
    }

    let resources_bytes = open(&directory.join("haresources"), &mut findings, Which::Haresources, |why| {
        missing("resources", &resources_shown, why)
    });
    let (resources, found) = haresources::parse(resources_bytes.as_deref().unwrap_or_default());
    findings.extend(found.into_iter().map(|d| Finding::new(Which::Haresources, d)));

    let cf_failed = findings.iter().any(|f| f.file == Which::HaCf && f.diagnostic.is_error());
    let files = Files { ha_cf: &cf, haresources: &resources, haresources_shown: &resources_shown, authkeys: &keys };
    let (settings, found) = settings(files, node_name, lookup);
    // What lines say together means little while one of them is broken.
    findings.extend(found.into_iter().filter(|f| !(cf_failed && f.late)));
    let settings = settings.filter(|_| !crate::config::report::has_errors(&findings));
    let sources = Sources {
        ha_cf: Source::new(cf_shown, cf_bytes.unwrap_or_default()),
        authkeys: Source::new(keys_shown, authkeys::masked(&keys_bytes.unwrap_or_default())),
        haresources: Source::new(resources_shown, resources_bytes.unwrap_or_default()),
    };
    Loaded { settings, findings, sources }
}

/// The name of this node: the first line of `nodeinfo` in `directory`, else `uname -n`.
#[must_use]
pub fn node_name(directory: &Path) -> String {
    let info = std::fs::File::open(directory.join("nodeinfo")).and_then(super::read_from).unwrap_or_default();
    let first = String::from_utf8_lossy(info.split(|&b| b == b'\n').next().unwrap_or_default()).trim().to_owned();
    if !first.is_empty() {
        return first;
    }
    nix::unistd::gethostname().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn open(path: &Path, findings: &mut Vec<Finding>, file: Which, told: impl Fn(&str) -> Vec<Diagnostic>) -> Option<Vec<u8>> {
    let read = regular(path).and_then(super::read_from);
    read.map_err(|e| findings.extend(told(&e.to_string()).into_iter().map(|d| Finding::new(file, d)))).ok()
}

/// Opens a regular file.
fn regular(path: &Path) -> io::Result<std::fs::File> {
    let file = std::fs::OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// `authkeys`, if nobody but its owner may read it. The mode is that of the open file, so that it can't change in between.
fn keys_file(directory: &Path, shown: &str, findings: &mut Vec<Finding>) -> Option<Vec<u8>> {
    let mut tell = |what: String, hint: Option<String>| {
        let mut d = Diagnostic::error(Span::default(), what).whole_file();
        d.hint = hint;
        findings.push(Finding::new(Which::Authkeys, d));
    };
    let cannot = |e: io::Error| (format!("Cannot open keyfile [{shown}].  Stop."), Some(e.to_string()));
    let file = regular(&directory.join("authkeys")).map_err(cannot);
    let (file, mode) = match file.and_then(|f| f.metadata().map(|m| (f, m.mode())).map_err(cannot)) {
        Ok(both) => both,
        Err((what, hint)) => {
            tell(what, hint);
            return None;
        }
    };
    if mode & 0o044 != 0 {
        let what = format!("Bad permissions on keyfile [{shown}], 600 recommended.");
        // No hint: people and scripts know the three lines that come out of this.
        tell(what, None);
        return None;
    }
    match super::read_from(file) {
        Ok(bytes) => Some(bytes),
        Err(e) => {
            let (what, hint) = cannot(e);
            tell(what, hint);
            None
        }
    }
}

fn missing(kind: &str, shown: &str, why: &str) -> Vec<Diagnostic> {
    vec![
        Diagnostic::error(Span::default(), format!("Cannot open {kind} file [{shown}]")).whole_file().hint(why),
        Diagnostic::info(format!("An annotated sample {shown} file is provided in the documentation.")),
        Diagnostic::info(format!("Please copy it to {shown}, read it, customize it, and try again.")),
    ]
}
