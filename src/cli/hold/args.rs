//! The command lines of `drain`, `undrain` and `maintenance`, and what a real server's name means.

use std::net::IpAddr;
use std::time::Duration;

const STATUS: &str = "Exit status: 0 done, 1 no virtual service has such a real server, or connections are left at --timeout,\n\
                      3 no ldirectord runs here, 4 one that runs did not answer.";

/// Options of `lvs-ha drain`.
#[derive(Debug, clap::Args)]
#[command(after_help = STATUS)]
pub struct Drain {
    /// ADDRESS or NAME (all its ports, in all virtual services), or with :PORT
    pub real: String,
    /// After this time it leaves the table and its last connections end: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub deadline: Option<Duration>,
    /// How long to wait.
    #[command(flatten)]
    pub wait: Wait,
}

/// Options of `lvs-ha undrain`.
#[derive(Debug, clap::Args)]
#[command(after_help = STATUS)]
pub struct Undrain {
    /// As it was drained
    pub real: String,
}

/// Options of `lvs-ha maintenance`.
#[derive(Debug, clap::Args)]
#[command(after_help = STATUS)]
pub struct Maintenance {
    /// Out, as if its check had failed, or back to what its check says
    pub state: State,
    /// ADDRESS or NAME (all its ports, in all virtual services), or with :PORT
    pub real: String,
    /// How long to wait.
    #[command(flatten)]
    pub wait: Wait,
}

/// Whether a server is in maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    /// Out.
    On,
    /// Back.
    Off,
}

/// Waiting for the last connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Wait {
    /// Return at once, do not wait until the last connection is gone
    #[arg(long)]
    pub no_wait: bool,
    /// Wait no longer than this; the drain goes on
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "no_wait")]
    pub timeout: Option<Duration>,
}

/// Seconds, or a number with s, m, h or d.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a whole number of seconds, or with s, m, h or d behind it, such as 15m".to_owned();
    let (number, unit) = text.split_at(text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(wrong)?;
    // Longer than anybody's uptime, and far from what clocks can't add.
    if seconds > 366 * 86400 { Err("at most a year".to_owned()) } else { Ok(Duration::from_secs(seconds)) }
}

/// The addresses that a real server's name stands for, each as the daemon reads it: with the port if one is written.
///
/// # Errors
/// A line when the name has no address.
pub fn addresses(real: &str, resolve: impl Fn(&str) -> Vec<IpAddr>) -> Result<Vec<String>, String> {
    if real.parse::<std::net::SocketAddr>().is_ok() || real.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Ok(vec![real.to_owned()]);
    }
    let (name, port) = match real.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => (name, port.parse::<u16>().ok()),
        Some(_) => return Err(format!("{real}: expected ADDRESS or NAME, or with :PORT, a number; IPv6 in brackets")),
        None => (real, None),
    };
    let found = resolve(name);
    if found.is_empty() {
        return Err(format!("{name} has no address in /etc/hosts or DNS"));
    }
    let written = |addr: IpAddr| port.map_or_else(|| addr.to_string(), |port| std::net::SocketAddr::new(addr, port).to_string());
    Ok(found.into_iter().map(written).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), ("0", 0)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "1.5h", "-1", "1w", "99999999999999999999", "400d"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_resolved_here() {
        let resolve =
            |name: &str| if name == "web1" { vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()] } else { vec![] };
        let of = |real: &str| addresses(real, resolve);
        assert_eq!(of("10.0.0.9").unwrap(), ["10.0.0.9"]);
        assert_eq!(of("[fd00::9]:80").unwrap(), ["[fd00::9]:80"]);
        assert_eq!(of("fd00::9").unwrap(), ["fd00::9"]);
        assert_eq!(of("web1").unwrap(), ["10.0.0.1", "fd00::1"]);
        assert_eq!(of("web1:80").unwrap(), ["10.0.0.1:80", "[fd00::1]:80"]);
        assert!(of("web2").unwrap_err().contains("no address"));
        assert!(of("web1:http").unwrap_err().contains("a number"));
    }
}
