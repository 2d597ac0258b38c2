//! The edge of [`super::sysctl`]: values read from and written to `/proc/sys`, which shows the network namespace of the
//! calling thread.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::sysctl::{self, PREFIX, SETTINGS};

/// Why a setting was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel, or this namespace, does not have it.
    #[error("{name}: this kernel does not have this setting")]
    Missing {
        /// The name, as sysctl(8) has it.
        name: String,
    },
    /// It is a value that the kernel does not take; nothing was written.
    #[error("{0}")]
    Value(String),
    /// The kernel says no.
    #[error("{name}: cannot {verb} {}", path.display())]
    Io {
        /// The name.
        name: String,
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
}

/// The value of a setting, as the kernel writes it but for the newline.
pub fn read(name: &str) -> Result<String, Error> {
    let path = file(name);
    let text = std::fs::read_to_string(&path).map_err(|e| error(name, "read", path, e))?;
    Ok(text.trim_end().to_owned())
}

/// Sets a value. One of IPVS's own that the kernel would refuse is refused with what it takes.
pub fn write(name: &str, value: &str) -> Result<(), Error> {
    if let Some(setting) = name.starts_with(PREFIX).then(|| sysctl::setting_named(name)).flatten() {
        setting.check(value).map_err(Error::Value)?;
    }
    let path = file(name);
    // Not created: where the kernel has no such setting there must be no file.
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).open(&path).and_then(|mut f| io::Write::write_all(&mut f, format!("{value}\n").as_bytes()));
    written.map_err(|e| error(name, "write", path, e))
}

/// All settings that [`sysctl::report`] looks at and that are there. Those of IPVS are missing until its module is loaded.
pub fn read_all() -> Result<BTreeMap<String, String>, Error> {
    let mut names: Vec<String> = SETTINGS.iter().map(sysctl::Setting::full_name).collect();
    names.extend(["net.ipv4.ip_forward".to_owned(), "net.ipv6.conf.all.forwarding".to_owned()]);
    let conf = Path::new("/proc/sys/net/ipv4/conf");
    let list = std::fs::read_dir(conf).map_err(|e| error("net.ipv4.conf", "read", conf.to_owned(), e))?;
    for entry in list.filter_map(Result::ok) {
        let interface = entry.file_name().to_string_lossy().replace('.', "/");
        names.extend(["rp_filter", "send_redirects"].map(|what| format!("net.ipv4.conf.{interface}.{what}")));
    }
    let mut out = BTreeMap::new();
    for name in names {
        match read(&name) {
            Ok(value) => {
                out.insert(name, value);
            }
            Err(Error::Missing { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(out)
}

fn file(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(sysctl::path(name))
}

fn error(name: &str, verb: &'static str, path: PathBuf, source: io::Error) -> Error {
    let name = name.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { name },
        _ => Error::Io { name, verb, path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_what_is_not_is_named() {
        assert!(!read("net.ipv4.ip_forward").unwrap().is_empty());
        let error = read("net.ipv4.vs.no_such").unwrap_err().to_string();
        assert_eq!(error, "net.ipv4.vs.no_such: this kernel does not have this setting");
        assert!(matches!(write("net.ipv4.no_such", "1"), Err(Error::Missing { .. })));
        assert!(matches!(write("net.ipv4.vs.sync_retries", "9"), Err(Error::Value(_))));
        assert!(read_all().unwrap().contains_key("net.ipv4.conf.all.rp_filter"));
    }
}
