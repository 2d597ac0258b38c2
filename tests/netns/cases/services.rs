//! The check of each service against a server of Debian's, as it is and set up to be wrong for it, and against broken ones:
//! a closed port, one that hangs, garbage, answers without end. Each verdict is printed with its time.

mod few;
mod more;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::{Machine, Product};

pub const CASES: &[Case] = &[
    Case::new("services/nginx, dovecot, slapd and unbound", Kernel::Any, few).servers().slow(),
    Case::new("services/each with a server of Debian's", Kernel::Any, every).servers().slow().long(),
];

/// Of each check, in seconds.
const LIMIT: f64 = 3.0;
/// What starting, stopping and a loaded machine may add.
const PATIENCE: Duration = Duration::from_secs(120);
/// Checks that run side by side.
const JOBS: usize = 16;

/// A server and what is asked of it.
struct Server {
    name: &'static str,
    /// A shell script that sets it up; what it starts stays in the background.
    start: &'static str,
    /// Its ports: it is ready when these are open.
    tcp: &'static [u16],
    tries: &'static [Try],
    /// The service's check for the broken servers: its lines.
    broken: &'static [&'static str],
}

/// A check, and what has to come out.
struct Try {
    what: &'static str,
    /// Of the virtual service in `ldirectord.cf`.
    lines: &'static str,
    port: u16,
    up: bool,
    /// In the verdict's text.
    says: &'static str,
}

const fn up(what: &'static str, lines: &'static str, port: u16) -> Try {
    Try { what, lines, port, up: true, says: "" }
}

const fn down(what: &'static str, lines: &'static str, port: u16, says: &'static str) -> Try {
    Try { what, lines, port, up: false, says }
}

/// Ports of `broken.py`, over TCP or either.
const BROKEN: [(&str, u16); 9] = [
    ("nobody listens", 7001),
    ("hangs", 7002),
    ("garbage", 7003),
    ("endless bytes", 7005),
    ("endless lines of 220-", 7006),
    ("endless lines of * OK", 7007),
    ("endless BER", 7008),
    ("endless body", 7009),
    ("hangs in TLS", 7012),
];
const BROKEN_TLS: [(&str, u16); 2] = [("garbage in TLS", 7013), ("endless bytes in TLS", 7015)];

/// For every server: certificates of an authority of its own, and the users that Debian's packages make.
const PREPARE: &str = r#"
mkdir -p /etc/lab /var/lib/lab; cd /etc/lab
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=www.test -addext subjectAltName=DNS:www.test \
    -keyout key.pem -out cert.pem 2>/dev/null
chmod 644 key.pem
n=700
for u in dovecot dovenull openldap unbound postfix mysql freerad kamailio ftp vmail; do
    grep -q "^$u:" /etc/group || echo "$u:x:$n:" >>/etc/group
    grep -q "^$u:" /etc/passwd || echo "$u:x:$n:$n::/var/lib/lab:/bin/sh" >>/etc/passwd
    n=$((n + 1))
done
"#;

fn few(lab: &mut Lab) -> Result<(), Failure> {
    check(lab, few::SERVERS.iter().collect())
}

fn every(lab: &mut Lab) -> Result<(), Failure> {
    check(lab, few::SERVERS.iter().chain(more::SERVERS).collect())
}

/// A check as it is asked for.
struct Asked {
    server: &'static str,
    check: String,
    what: &'static str,
    up: bool,
    says: &'static str,
    service: String,
}

fn check(lab: &mut Lab, servers: Vec<&'static Server>) -> Result<(), Failure> {
    lab.start(&[Machine::new("servers", "10.9.0.1/24").product(Product::Servers)])?;
    let host = lab.host("servers")?;
    host.run(PREPARE)?.ok()?;
    host.write_file("/etc/lab/broken.py", include_str!("services/broken.py"))?;
    let _broken = host.spawn("exec python3 /etc/lab/broken.py")?;
    for server in &servers {
        host.run(server.start)?.ok().with_context(|| format!("{} does not start", server.name))?;
    }
    for server in &servers {
        let ready = |port| format!("bash -c '</dev/tcp/127.0.0.1/{port}'");
        for port in server.tcp {
            opens(host, server.name, &ready(*port))?;
        }
    }
    opens(host, "broken.py", "test -e /run/broken")?;
    let (file, asked) = asked(&servers);
    host.write_file("/etc/ha.d/services.cf", &file)?;
    let list: String = asked.iter().enumerate().map(|(n, a)| format!("{n} {}\n", a.service)).collect();
    host.write_file("/run/list", &list)?;
    let one = "lvs-ha probe \"$2\" 127.0.0.1 services.cf --json >/run/verdict.$1 2>&1 || :";
    host.run(&format!("xargs -P {JOBS} -L 1 sh -c '{one}' x </run/list"))?.ok()?;
    let mut table = format!("{:12} {:15} {:26} {:>7}  verdict\n", "server", "check", "what", "s");
    let mut wrong = Vec::new();
    for (n, a) in asked.iter().enumerate() {
        let said = host.read_file(&format!("/run/verdict.{n}"))?;
        let verdict: serde_json::Value =
            serde_json::from_str(&said).with_context(|| format!("{} {}: {said}", a.server, a.what))?;
        let verdict = &verdict[0];
        let (up, text, took) = (verdict["up"] == true, verdict["text"].as_str().unwrap_or("?"), verdict["took"].as_f64());
        let took = took.context("no time")?;
        let line =
            format!("{:12} {:15} {:26} {took:7.3}  {} {text}", a.server, a.check, a.what, if up { "up  " } else { "down" });
        let _ = writeln!(table, "{}", line.lines().next().unwrap_or_default());
        if up != a.up || !text.contains(a.says) || took > LIMIT + PATIENCE.as_secs_f64() {
            wrong.push(format!(
                "{line}\n    expected: {} with {:?}\n    {}",
                if a.up { "up" } else { "down" },
                a.says,
                verdict["steps"]
            ));
        }
    }
    println!("{table}");
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn opens(host: &Host, what: &str, test: &str) -> Result<(), Failure> {
    wait_for(what, PATIENCE, || {
        let seen = host.run(test)?;
        Ok(if seen.code == 0 { Ok(()) } else { Err(seen.text()) })
    })
}

/// The file with a virtual service for each check, and the checks.
fn asked(servers: &[&'static Server]) -> (String, Vec<Asked>) {
    let mut file = format!("negotiatetimeout={LIMIT}\nchecktimeout={LIMIT}\n");
    let mut all: Vec<Asked> = Vec::new();
    let mut add = |server, what, lines: &str, port: u16, up, says| {
        let service = lines.lines().find_map(|l| l.strip_prefix("service=")).unwrap_or_default();
        let protocol = if lines.contains("protocol=udp") { "udp" } else { "tcp" };
        let at = format!("10.9.0.100:{}", 20_000 + all.len());
        let _ = writeln!(file, "virtual={at}\n\treal=127.0.0.1:{port} masq");
        for line in lines.lines() {
            let _ = writeln!(file, "\t{}", line.trim());
        }
        let check = format!("{service} {protocol}");
        all.push(Asked { server, check, what, up, says, service: format!("{protocol}:{at}") });
    };
    for server in servers {
        for t in server.tries {
            add(server.name, t.what, t.lines, t.port, t.up, t.says);
        }
        for lines in server.broken {
            // Over UDP nothing is without end.
            let count = if lines.contains("protocol=udp") || lines.contains("=radius") { 3 } else { BROKEN.len() };
            for (what, port) in &BROKEN[..count] {
                add(server.name, what, lines, *port, false, "");
            }
            let tls = ["https", "pops", "imaps", "ldaps"].iter().any(|s| lines.contains(&format!("service={s}\n")));
            for (what, port) in BROKEN_TLS.iter().filter(|_| tls) {
                add(server.name, what, lines, *port, false, "");
            }
        }
    }
    (file, all)
}
