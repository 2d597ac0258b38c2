//! The kernel's settings that matter to a director: what each means, which values it takes, which one is advised and why.
//!
//! Source: `Documentation/networking/ipvs-sysctl.rst`, `net/netfilter/ipvs/ip_vs_ctl.c`, and trials on Linux 6.1. Names are
//! those of sysctl(8). Pure: [`crate::ipvs::proc_sys`] reads and writes.

mod advice;

pub use self::advice::{Advice, Row, Situation, SyncRoles, advise, changes, report};

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The name after [`PREFIX`], such as `sync_threshold`.
    pub name: &'static str,
    /// What a fresh network namespace has, as the kernel writes it; empty where it depends on the machine.
    pub default: &'static str,
    /// What it does, a line.
    pub meaning: &'static str,
    /// Which values the kernel takes.
    pub limits: Limits,
}

/// Which values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// Whole numbers from, to.
    Number(i64, i64),
    /// A power of two from 1 to this.
    PowerOfTwo(i64),
    /// Two numbers, `T P`: T below P unless P is 0.
    Threshold,
    /// A list of processors.
    Text,
}

/// Where the settings of IPVS are.
pub const PREFIX: &str = "net.ipv4.vs.";

const INT: Limits = Limits::Number(i32::MIN as i64, i32::MAX as i64);
const COUNT: Limits = Limits::Number(0, i32::MAX as i64);
const SWITCH: Limits = Limits::Number(0, 1);
const DEFENCE: Limits = Limits::Number(0, 3);

const fn setting(name: &'static str, default: &'static str, limits: Limits, meaning: &'static str) -> Setting {
    Setting { name, default, meaning, limits }
}

/// All settings of IPVS, by name. Not every kernel has every one.
pub const SETTINGS: &[Setting] = &[
    setting("am_droprate", "10", COUNT, "drop_packet 3 drops one packet in so many"),
    setting("amemthresh", "1024", COUNT, "free pages below which memory counts as short"),
    setting("backup_only", "0", SWITCH, "1: a director with the backup daemon and no master daemon forwards nothing"),
    setting(
        "cache_bypass",
        "0",
        SWITCH,
        "1: without a usable real server packets go to where they were bound (transparent caches)",
    ),
    setting(
        "conn_reuse_mode",
        "1",
        INT,
        "1: a new connection from a port that was used before is scheduled anew when that is safe; 0: it stays with the old real server",
    ),
    setting("conntrack", "0", SWITCH, "1: netfilter tracks the connections of IPVS too; slower"),
    setting("drop_entry", "0", DEFENCE, "drops connection entries against floods: 0 never, 1 when memory is short, 3 always"),
    setting("drop_packet", "0", DEFENCE, "drops packets against floods: 0 never, 1 when memory is short, 3 always"),
    setting("est_cpulist", "", Limits::Text, "processors that may compute rates (Linux 6.2)"),
    setting("est_nice", "0", Limits::Number(-20, 19), "priority of the threads that compute rates (Linux 6.2)"),
    setting(
        "expire_nodest_conn",
        "0",
        SWITCH,
        "1: removing a real server ends its connections with a reset; 0: their packets are dropped until they time out",
    ),
    setting("expire_quiescent_template", "0", SWITCH, "1: clients bound to a real server of weight 0 by persistence may move"),
    setting("ignore_tunneled", "0", SWITCH, "1: what came out of a tunnel is not scheduled again"),
    setting("lblc_expiration", "86400", COUNT, "seconds an idle entry of the scheduler lblc is kept"),
    setting("lblcr_expiration", "86400", COUNT, "seconds an idle entry of the scheduler lblcr is kept"),
    setting("nat_icmp_send", "0", SWITCH, "1: packets of real servers without a connection are answered with an ICMP error"),
    setting("pmtu_disc", "1", SWITCH, "1: tunnels tell clients to send smaller packets; 0: packets are cut"),
    setting("run_estimation", "1", SWITCH, "0: neither rates nor counters are kept up to date"),
    setting("schedule_icmp", "0", SWITCH, "1: ICMP without a connection is scheduled"),
    setting("secure_tcp", "0", DEFENCE, "shorter TCP timeouts against floods: 0 never, 1 when memory is short, 3 always"),
    setting("sloppy_sctp", "0", SWITCH, "1: any SCTP packet may begin a connection"),
    setting("sloppy_tcp", "0", SWITCH, "1: any TCP packet may begin a connection, not only a SYN"),
    setting("snat_reroute", "1", SWITCH, "1: replies of masqueraded real servers are routed by their new source address"),
    setting("sync_persist_mode", "0", SWITCH, "1: of persistent services only the templates are announced"),
    setting(
        "sync_ports",
        "1",
        Limits::PowerOfTwo(64),
        "threads and ports of a daemon; before it is started, and the same on both sides",
    ),
    setting("sync_qlen_max", "", COUNT, "longest queue of messages to announce"),
    setting("sync_refresh_period", "0", COUNT, "seconds after which an unchanged connection is announced again"),
    setting("sync_retries", "0", Limits::Number(0, 3), "how often an announcement is repeated"),
    setting("sync_sock_size", "0", COUNT, "socket buffer of a daemon, bytes; 0: the system's default"),
    setting(
        "sync_threshold",
        "3\t50",
        Limits::Threshold,
        "T P: a connection is announced when its packets modulo P are T; with P 0, once at T",
    ),
    setting("sync_version", "1", SWITCH, "0: the messages of kernels before 2.6.39"),
];

/// The IPVS setting of this name, with or without [`PREFIX`].
#[must_use]
pub fn setting_named(name: &str) -> Option<&'static Setting> {
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    SETTINGS.iter().find(|s| s.name == name)
}

impl Setting {
    /// The name as sysctl(8) has it.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// Whether the kernel takes the value; `Err`: what it takes.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let number = |text: &str| text.trim().parse::<i64>().ok();
        let (fits, wanted) = match self.limits {
            Limits::Number(min, max) => {
                (number(value).is_some_and(|n| (min..=max).contains(&n)), format!("a number from {min} to {max}"))
            }
            Limits::PowerOfTwo(max) => (
                number(value).is_some_and(|n| (1..=max).contains(&n) && n.count_ones() == 1),
                format!("a power of two from 1 to {max}"),
            ),
            Limits::Threshold => {
                let numbers: Option<Vec<i64>> = value.split_whitespace().map(number).collect();
                let fits = matches!(numbers.as_deref(), Some(&[t, p]) if t >= 0 && p >= 0 && (p == 0 || t < p));
                (fits, "two numbers, the first below the second unless that is 0".to_owned())
            }
            Limits::Text => (true, String::new()),
        };
        if fits { Ok(()) } else { Err(format!("{}{}: found {value:?}, expected {wanted}", PREFIX, self.name)) }
    }
}

/// Whether two values are the same to the kernel: it separates numbers by tabs and ends with a newline.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}

/// The path below `/proc/sys` of a name of sysctl(8): dots separate, and a slash stands for a dot within a part, as in the
/// name of an interface.
#[must_use]
pub fn path(name: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    name.chars().map(swap).collect()
}

/// The name of sysctl(8) for a path below `/proc/sys`; the inverse of [`path`].
#[must_use]
pub fn name(path: &str) -> String {
    self::path(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_sorted_and_take_their_own_defaults() {
        assert!(SETTINGS.is_sorted_by(|a, b| a.name < b.name));
        for setting in SETTINGS.iter().filter(|s| !s.default.is_empty()) {
            assert_eq!(setting.check(setting.default), Ok(()), "{}", setting.name);
        }
    }

    #[test]
    fn values_that_the_kernel_refuses_are_refused_with_what_it_takes() {
        let refused = |name: &str, value: &str| setting_named(name).unwrap().check(value).unwrap_err();
        assert_eq!(
            refused("net.ipv4.vs.sync_threshold", "50 50"),
            "net.ipv4.vs.sync_threshold: found \"50 50\", expected two numbers, the first below the second unless that is 0"
        );
        assert_eq!(refused("sync_ports", "3"), "net.ipv4.vs.sync_ports: found \"3\", expected a power of two from 1 to 64");
        assert_eq!(refused("sync_retries", "4"), "net.ipv4.vs.sync_retries: found \"4\", expected a number from 0 to 3");
        for (name, value) in [("sync_threshold", "3"), ("sync_threshold", "-1 4"), ("drop_entry", "4"), ("conntrack", "yes")] {
            refused(name, value);
        }
        assert_eq!(setting_named("sync_threshold").unwrap().check("7 0"), Ok(()));
    }

    #[test]
    fn an_interface_with_a_dot_keeps_it() {
        assert_eq!(path("net.ipv4.conf.eth0/12.rp_filter"), "net/ipv4/conf/eth0.12/rp_filter");
        assert_eq!(name("net/ipv4/conf/eth0.12/rp_filter"), "net.ipv4.conf.eth0/12.rp_filter");
        assert!(same("3\t50\n", "3 50"));
    }
}
