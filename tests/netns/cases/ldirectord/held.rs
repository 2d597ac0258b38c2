//! Real servers that are drained, in maintenance, on their way back, or whose agent has a say; settings of the kernel that are
//! lent; instances that start and stop with another; what a file would change.

use anyhow::ensure;

use super::{FILE, LOG, PATIENCE, becomes, director, server, table};
use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::runner::Failure;

const SERVICE: &str = "-A -t 10.9.0.100:80 -s rr";
const SYSCTL: &str = "net.ipv4.vs.expire_nodest_conn";

fn globals() -> String {
    format!("checktimeout=5\ncheckinterval=1\nquiescent=no\nlogfile=\"{LOG}\"\n")
}

/// The entry of the real server on port 8001.
fn first(weight: u32) -> String {
    format!("-a -t 10.9.0.100:80 -r 10.9.0.11:8001 -m -w {weight}")
}

/// Goes in: orders over the control socket, a restart in between. Must come out: the table, the screen and the sysctl.
pub fn by_command(lab: &mut Lab) -> Result<(), Failure> {
    let host = director(lab)?;
    let _first = server(host, 8001)?;
    let before = sysctl(host)?;
    let text = format!(
        "{}#lvs-ha: expire-flows yes\nvirtual=10.9.0.100:80\n\treal=10.9.0.11:8001 masq 3\n\tchecktype=connect\n\tscheduler=rr\n",
        globals()
    );
    host.write_file(FILE, &text)?;
    let planned = host.run("ldirectord --test --plan www.cf")?.ok()?;
    ensure!(planned.contains("10.9.0.100:80"), "a plan without the service: {planned}");
    ensure!(table(host)?.is_empty(), "a plan has changed the table");
    host.run("ldirectord www.cf start")?.ok()?;
    becomes(host, &[SERVICE, &first(3)], PATIENCE)?;
    ensure!(before == "0" && sysctl(host)? == "1", "{SYSCTL} was {before}, is {}", sysctl(host)?);
    shows(host, &["net.ipv4.vs.expire_nodest_conn is set to 1 while it runs, was 0"])?;

    let drained = host.run("lvs-ha drain 10.9.0.11:8001 --deadline 2h")?.ok()?;
    ensure!(drained.contains("weight 0, drained") && drained.ends_with("no connections left\n"), "{drained}");
    becomes(host, &[SERVICE, &first(0)], PATIENCE)?;
    shows(host, &["0 (3)", "drained, up", "leaves the table in 1 h"])?;
    host.run("ldirectord www.cf restart")?.ok()?;
    becomes(host, &[SERVICE, &first(0)], PATIENCE)?;
    host.run("lvs-ha undrain 10.9.0.11:8001")?.ok()?;
    becomes(host, &[SERVICE, &first(3)], PATIENCE)?;

    host.run("lvs-ha maintenance on 10.9.0.11")?.ok()?;
    becomes(host, &[SERVICE], PATIENCE)?;
    shows(host, &["maintenance, up"])?;
    host.run("lvs-ha maintenance off 10.9.0.11")?.ok()?;
    becomes(host, &[SERVICE, &first(3)], PATIENCE)?;

    host.write_file(FILE, &text.replace("masq 3", "masq 5"))?;
    let planned = host.run("ldirectord --test --plan www.cf")?.ok()?;
    ensure!(planned.contains("10.9.0.11:8001"), "a plan without the change: {planned}");
    becomes(host, &[SERVICE, &first(3)], PATIENCE)?;
    host.run("ldirectord www.cf stop")?.ok()?;
    becomes(host, &[], PATIENCE)?;
    wait_for("the kernel's setting to be put back", PATIENCE, || {
        let seen = sysctl(host)?;
        Ok(if seen == before { Ok(()) } else { Err(seen) })
    })
}

/// An agent that says what is in a file; a server that returns slowly; an instance that goes with another.
pub fn slow_start_agent_and_children(lab: &mut Lab) -> Result<(), Failure> {
    const AGENT: &str = "
import socketserver
class Agent(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(open('/run/agent', 'rb').read())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(('', 9707), Agent).serve_forever()
";
    let host = director(lab)?;
    let mut servers = vec![server(host, 8001)?];
    host.write_file("/run/agent", "up 100%\n")?;
    host.write_file("/usr/local/bin/agent.py", AGENT)?;
    let _agent = host.spawn("exec python3 -B /usr/local/bin/agent.py")?;
    let block = "\treal=10.9.0.11:8001 masq 10\n\tchecktype=connect\n\tscheduler=rr\n";
    host.write_file(
        FILE,
        &format!(
            "{}execute=child.cf\nvirtual=10.9.0.100:80\n{block}\t#lvs-ha: slowstart 30\n\t#lvs-ha: agent-check 9707\n",
            globals()
        ),
    )?;
    host.write_file("/etc/ha.d/child.cf", &format!("{}virtual=10.9.0.101:80\n{block}", globals()))?;
    let child = ["-A -t 10.9.0.101:80 -s rr", "-a -t 10.9.0.101:80 -r 10.9.0.11:8001 -m -w 10"];
    host.run("ldirectord www.cf start")?.ok()?;
    becomes(host, &[SERVICE, &first(10), child[0], child[1]], PATIENCE)?;

    for (said, weight) in [("50%\n", 5), ("drain\n", 0)] {
        host.write_file("/run/agent", said)?;
        let kept = if weight == 0 { None } else { Some(first(weight)) };
        wait_for(said, PATIENCE, || {
            let seen = table(host)?;
            let there = seen.iter().any(|l| l.starts_with("-a -t 10.9.0.100:80"));
            let right = kept.as_ref().map_or(!there || seen.contains(&first(0)), |line| seen.contains(line));
            Ok(if right { Ok(()) } else { Err(seen.join("\n")) })
        })?;
    }
    host.write_file("/run/agent", "ready 100%\n")?;
    becomes(host, &[SERVICE, &first(10), child[0], child[1]], PATIENCE)?;

    servers.clear();
    becomes(host, &[SERVICE, child[0]], PATIENCE)?;
    servers.push(server(host, 8001)?);
    wait_for("a part of the weight", PATIENCE, || {
        let seen = table(host)?;
        Ok(if (1..10).any(|w| seen.contains(&first(w))) { Ok(()) } else { Err(seen.join("\n")) })
    })?;
    becomes(host, &[SERVICE, &first(10), child[0], child[1]], PATIENCE)?;
    host.run("ldirectord www.cf stop")?.ok()?;
    becomes(host, &[], PATIENCE)?;
    wait_for("both to be gone", PATIENCE, || {
        let left = host.run("ls /run/ldirectord.*.pid 2>/dev/null")?.out;
        Ok(if left.is_empty() { Ok(()) } else { Err(left) })
    })
}

fn sysctl(host: &Host) -> Result<String, Failure> {
    Ok(host.run(&format!("sysctl -n {SYSCTL}"))?.ok()?.trim().to_owned())
}

/// What `lvs-ha status` has to show.
fn shows(host: &Host, words: &[&str]) -> Result<(), Failure> {
    // Its exit status tells of what is degraded.
    let screen = host.run("lvs-ha status")?.text();
    let missing: Vec<_> = words.iter().filter(|w| !screen.contains(**w)).collect();
    ensure!(missing.is_empty(), "no {missing:?} on the screen\n{screen}");
    Ok(())
}
