//! Traffic through IPVS while ldirectord is restarted or dies.

use anyhow::{Context as _, ensure};

use super::{FILE, LOG, PATIENCE};
use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::runner::Failure;
use crate::table::Machine;

/// Answers each line with the same line, as long as its client wants.
const ECHO: &str = r#"
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("", 7007), Echo).serve_forever()
"#;

/// One connection: sends numbers and prints those that come back, until one does not.
const CLIENT: &str = r#"
import socket, time
connection = socket.create_connection(("10.8.0.100", 7007), 60).makefile("rw")
number = 0
while True:
    print(number, file=connection, flush=True)
    assert connection.readline() == f"{number}\n", "the connection is lost"
    print(number, flush=True)
    number += 1
    time.sleep(0.02)
"#;

/// Looks at the kernel's table until told that it is enough; prints how often it looked, how often the service or its real
/// server was missing, and the first such table.
const SAMPLER: &str = r#"
import os, time
looks = missing = 0
first = ""
while not os.path.exists("/run/enough"):
    table = open("/proc/net/ip_vs").read()
    words = " ".join(table.split())
    looks += 1
    if not ("TCP 0A080064:1B5F rr" in words and "-> 0A09000B:1B5F Masq 1 " in words):
        missing += 1
        first = first or table
    time.sleep(0.002)
print(looks, missing)
print(first)
"#;

const DIRECTOR_CF: &str = "checktimeout=5
checkinterval=1
quiescent=no
virtual=10.8.0.100:7007
\treal=10.9.0.11:7007 masq
\tchecktype=connect
\tservice=none
\tscheduler=rr
";

/// The client's network and the real server's meet only in the director.
pub fn outlive_a_restart(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[
        Machine::new("director", "10.9.0.1/24").interface("eth1", "outside", "10.8.0.1/24 10.8.0.100/24"),
        Machine::new("real", "10.9.0.11/24"),
        Machine::new("client", "").interface("eth1", "outside", "10.8.0.20/24"),
    ])?;
    let (director, real, client) = (lab.host("director")?, lab.host("real")?, lab.host("client")?);
    real.run("ip route add default via 10.9.0.1")?.ok()?;
    director.run("sysctl -q net.ipv4.ip_forward=1")?.ok()?;
    let _echo = python(real, "echo", ECHO)?;
    director.write_file(FILE, &format!("logfile=\"{LOG}\"\n{DIRECTOR_CF}"))?;
    director.run("ldirectord www.cf start")?.ok()?;
    wait_for("the real server in the table", PATIENCE, || {
        let seen = director.run("cat /proc/net/ip_vs")?.ok()?;
        Ok(if seen.contains("0A09000B:1B5F") { Ok(()) } else { Err(seen) })
    })?;

    let _connection = python(client, "client", CLIENT)?;
    goes_on(client, "the first answers")?;
    let sampler = python(director, "sampler", SAMPLER)?;
    let pid = || director.read_file("/run/ldirectord.www.cf.pid");
    for (what, command) in [
        ("a restart", "ldirectord www.cf restart"),
        ("another restart", "ldirectord www.cf restart"),
        ("a sudden death and a start", "kill -9 $(cat /run/ldirectord.www.cf.pid) && sleep 0.5 && ldirectord www.cf start"),
    ] {
        let before = pid()?;
        director.run(command)?.ok().context(what)?;
        ensure!(pid()? != before, "{what}: the same process still runs");
        goes_on(client, what)?;
    }
    director.write_file("/run/enough", "")?;
    let (code, text) = sampler.finish()?;
    let words: Vec<u32> = text.split_whitespace().take(2).filter_map(|w| w.parse().ok()).collect();
    ensure!(code == Some(0) && words.len() == 2 && words[0] > 50, "the sampler: {text}");
    ensure!(words[1] == 0, "the service was not in the table, or without its server (looks, misses, the first): {text}");
    Ok(())
}

/// Starts a Python program on a host; what it prints is in `/var/log/NAME.log` there too if it is the client.
fn python(host: &Host, name: &str, program: &str) -> Result<crate::host::Running, Failure> {
    host.write_file(&format!("/usr/local/bin/{name}.py"), program)?;
    let output = if name == "client" { " >/var/log/client.log 2>&1" } else { "" };
    host.spawn(&format!("exec python3 -B /usr/local/bin/{name}.py{output}"))
}

/// Waits until the one connection has carried 20 more lines there and back.
fn goes_on(client: &Host, what: &str) -> Result<(), Failure> {
    let heard = || Ok::<_, Failure>(client.read_file("/var/log/client.log").unwrap_or_default().lines().count());
    let before = heard()?;
    wait_for(&format!("20 answers on the same connection after {what}"), PATIENCE, || {
        let log = client.read_file("/var/log/client.log").unwrap_or_default();
        ensure!(!log.contains("Error"), "after {what}: {log}");
        let now = heard()?;
        Ok(if now >= before + 20 { Ok(()) } else { Err(format!("{before} answers before, {now} now")) })
    })
}
