//! The same real servers watched by this program, by the original in both of its modes and by keepalived, one after the other.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::middle_and_largest;
use crate::arena;
use crate::host::{Host, Running, executable};
use crate::lab::{Lab, wait_for};
use crate::table::{Machine, Product};

/// Real servers that answer on one port, that die one after the other on ports of their own, and that swallow everything.
const ALIVE: usize = 37;
const MORTAL: usize = 3;
const HOLES: usize = 10;
/// Until everything that answers is in the table: the original looks at one server after the other, more than once.
const PATIENCE: Duration = Duration::from_secs(600);

struct Program {
    name: &'static str,
    /// Before the virtual services in `ldirectord.cf`; none for keepalived.
    globals: Option<&'static str>,
    /// Virtual services that the real servers are spread over: what fork=yes is for.
    services: usize,
    ours: bool,
}

const PROGRAMS: [Program; 4] = [
    Program { name: "lvs-ha", globals: Some(""), services: 1, ours: true },
    Program { name: "ldirectord, fork=no", globals: Some(""), services: 1, ours: false },
    Program { name: "ldirectord, fork=yes, 10 virtuals", globals: Some("fork=yes\n"), services: 10, ours: false },
    Program { name: "keepalived", globals: None, services: 1, ours: false },
];

pub fn run() -> anyhow::Result<()> {
    arena::enter()?;
    ensure!(arena::has_ipvs(), "this kernel has no IPVS: tests/lab boots one that has");
    println!("50 real servers (http, interval 1 s, limit 3 s), {HOLES} of them swallow everything");
    println!("{:34} {:>9}  closed port until it is out of the table, s   processor  memory", "", "start, s");
    let mut middles = Vec::new();
    for program in &PROGRAMS {
        match measure(program) {
            Ok(middle) => middles.push((program.name, middle)),
            // The others are still worth knowing.
            Err(e) => println!("{:34} not measured: {e:#}", program.name),
        }
    }
    if let Some((_, ours)) = middles.iter().find(|(name, _)| *name == "lvs-ha") {
        for (name, other) in middles.iter().filter(|(name, _)| *name != "lvs-ha") {
            println!("{name} takes {:.1} times as long as lvs-ha", other / ours);
        }
    }
    Ok(())
}

fn measure(program: &Program) -> anyhow::Result<f64> {
    let mut lab = Lab::new()?;
    let servers: String = (1..=ALIVE + MORTAL).map(|n| format!(" 10.9.1.{n}/16")).collect();
    lab.start(&[
        Machine::new("director", "10.9.0.1/16").product(Product::Originals),
        Machine::new("servers", &format!("10.9.0.2/16{servers}")),
    ])?;
    let (director, host) = (lab.host("director")?, lab.host("servers")?);
    host.write_file("/var/www/html/index.html", "OK\n")?;
    let _alive = server(host, 80)?;
    let mut mortals = (0..MORTAL).map(|n| server(host, port(ALIVE + n))).collect::<Result<Vec<_>, _>>()?;
    let holes =
        format!("for n in $(seq 1 {HOLES}); do ip neigh replace 10.9.2.$n lladdr 02:00:00:00:00:99 dev eth0 nud permanent; done");
    director.run(&holes)?.ok()?;
    if program.ours {
        director.run(&format!("ln -sfn '{}' /usr/sbin/ldirectord", executable().display()))?.ok()?;
    }
    let began = Instant::now();
    let _foreground = match program.globals {
        Some(globals) => {
            director.write_file("/etc/ha.d/www.cf", &ldirectord_cf(globals, program.services))?;
            director.run("ldirectord www.cf start")?.ok()?;
            None
        }
        None => {
            director.write_file("/etc/keepalived/keepalived.conf", &keepalived_conf())?;
            Some(director.spawn("exec keepalived -n -l -C -f /etc/keepalived/keepalived.conf")?)
        }
    };
    let good: Vec<String> = (0..ALIVE + MORTAL).map(|n| hex(&address(n), port(n))).collect();
    wait_for("all that answer in the table, nothing else", PATIENCE, || {
        let table = director.run("cat /proc/net/ip_vs")?.out;
        let missing = good.iter().filter(|g| !table.contains(*g)).count();
        let (entries, wanted) = (table.matches("->").count() - 1, ALIVE + MORTAL);
        Ok(if missing == 0 && entries == wanted { Ok(()) } else { Err(format!("{missing} missing of {entries}")) })
    })?;
    let full = began.elapsed().as_secs_f64();
    let processes = |host: &Host| -> anyhow::Result<Vec<u32>> {
        let out = host.run("cat /proc/[0-9]*/stat | grep -E '[(](ldirectord|keepalived|perl)' | cut -d' ' -f1; echo")?.out;
        Ok(out.split_whitespace().filter_map(|p| p.parse().ok()).collect())
    };
    // Numbers of the host's own processes are read there; their figures too.
    let figures = |host: &Host| -> anyhow::Result<(f64, f64)> {
        let (mut cpu, mut memory) = (0.0, 0.0);
        for pid in processes(host)? {
            let text = host.run(&format!("cat /proc/{pid}/stat; grep VmRSS /proc/{pid}/status"))?.out;
            let fields: Vec<&str> =
                text.lines().next().and_then(|l| l.rsplit(')').next()).unwrap_or_default().split_whitespace().collect();
            cpu += fields.iter().skip(11).take(4).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / 100.0;
            memory +=
                text.split_once("VmRSS:").and_then(|(_, r)| r.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok((cpu, memory / 1024.0))
    };
    let (cpu, _) = figures(director)?;
    let window = Instant::now();
    let mut times = Vec::new();
    for n in ALIVE..ALIVE + MORTAL {
        std::thread::sleep(Duration::from_millis(3000 + 700 * n as u64 % 2000));
        mortals.remove(0);
        let closed = Instant::now();
        let gone = hex(&address(n), port(n));
        wait_for("the closed port to leave the table", PATIENCE, || {
            let table = director.run("cat /proc/net/ip_vs")?.out;
            Ok(if table.contains(&gone) { Err(gone.clone()) } else { Ok(()) })
        })?;
        times.push(closed.elapsed().as_secs_f64());
    }
    let (after, memory) = figures(director)?;
    let share = (after - cpu) / window.elapsed().as_secs_f64() * 100.0;
    let list: String = times.iter().fold(String::new(), |mut s, t| {
        let _ = write!(s, "{t:6.1}");
        s
    });
    println!("{:34} {full:9.1}  {list:45} {share:7.0} %  {memory:4.0} MiB", program.name);
    Ok(middle_and_largest(times).0)
}

/// A web server on a port, until it is dropped.
fn server(host: &Host, port: u16) -> anyhow::Result<Running> {
    let server = host.spawn(&format!("exec netns httpd --dir /var/www/html --port {port}"))?;
    wait_for("a web server", PATIENCE, || {
        let seen = host.run(&format!("netns get http://127.0.0.1:{port}/"))?;
        Ok(if seen.code == 0 { Ok(()) } else { Err(seen.text()) })
    })?;
    Ok(server)
}

fn address(n: usize) -> String {
    if n < ALIVE + MORTAL { format!("10.9.1.{}", n + 1) } else { format!("10.9.2.{}", n + 1 - ALIVE - MORTAL) }
}

fn port(n: usize) -> u16 {
    if !(ALIVE..ALIVE + MORTAL).contains(&n) { 80 } else { u16::try_from(8000 + n).unwrap_or(80) }
}

/// As in `/proc/net/ip_vs`.
fn hex(address: &str, port: u16) -> String {
    let parts = address.split('.').filter_map(|p| p.parse::<u8>().ok());
    parts.map(|p| format!("{p:02X}")).collect::<String>() + &format!(":{port:04X}")
}

/// Each virtual service gets one of the real servers that swallow, where there are ten of each.
fn ldirectord_cf(globals: &str, services: usize) -> String {
    let mut out = format!("checkinterval=1\nnegotiatetimeout=3\nquiescent=no\nlogfile=\"/var/log/ldirectord.log\"\n{globals}");
    for service in 0..services {
        let _ = writeln!(out, "virtual=10.9.0.100:{}", 8000 + service);
        for n in (service..ALIVE + MORTAL + HOLES).step_by(services) {
            let _ = writeln!(out, "\treal={}:{} masq", address(n), port(n));
        }
        out.push_str("\tservice=http\n\trequest=\"/\"\n\treceive=\"OK\"\n");
    }
    out
}

fn keepalived_conf() -> String {
    let mut out =
        "virtual_server 10.9.0.100 8000 {\n  delay_loop 1\n  lvs_sched wrr\n  lvs_method NAT\n  protocol TCP\n".to_owned();
    for n in 0..ALIVE + MORTAL + HOLES {
        let _ = writeln!(
            out,
            "  real_server {} {} {{\n    weight 1\n    HTTP_GET {{\n      url {{\n        path /\n        status_code 200\n      }}\n      connect_timeout 3\n      retry 0\n    }}\n  }}",
            address(n),
            port(n)
        );
    }
    out + "}\n"
}
