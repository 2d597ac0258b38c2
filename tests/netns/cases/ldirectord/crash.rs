//! ldirectord killed at any moment and started again: the table becomes what the file says, and what others made stays.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{FILE, LOG, PATIENCE, becomes, director, server, table};
use crate::host::Host;
use crate::lab::Lab;
use crate::runner::Failure;

/// Kills of each kind, in every run and with `--all`: 20 and 200 in all.
const MOMENTS: u32 = 5;
const MANY: u32 = 50;

/// What somebody else put into the table.
const FOREIGN: &[&str] = &[
    "-A -t 10.9.0.200:25 -s rr",
    "-a -t 10.9.0.200:25 -r 10.9.0.50:25 -g -w 7",
    "-A -f 9 -s wlc",
    "-a -f 9 -r 10.9.0.51:0 -i -w 2 --tun-type ipip",
];

/// Two files that share one service, and the table of each. Nothing listens on port 8003.
const FILES: [(&str, &[&str]); 2] = [
    (
        "virtual=10.9.0.100:80
\treal=10.9.0.11:8001 masq 3
\treal=10.9.0.12:8002 masq
\treal=10.9.0.12:8003 masq
\tservice=http
\trequest=\"index.html\"
\treceive=\"up\"
\tscheduler=wrr
virtual=10.9.0.101:80
\treal=10.9.0.11:8003 masq
\tfallback=127.0.0.1:8001 masq
\tservice=http
\tcheckport=8003
\tscheduler=rr
",
        &[
            "-A -t 10.9.0.100:80 -s wrr",
            "-a -t 10.9.0.100:80 -r 10.9.0.11:8001 -m -w 3",
            "-a -t 10.9.0.100:80 -r 10.9.0.12:8002 -m -w 1",
            "-A -t 10.9.0.101:80 -s rr",
            "-a -t 10.9.0.101:80 -r 127.0.0.1:8001 -m -w 1",
        ],
    ),
    (
        "virtual=10.9.0.100:80
\treal=10.9.0.12:8002 masq 5
\tservice=http
\trequest=\"index.html\"
\treceive=\"up\"
\tscheduler=rr
\tpersistent=300
virtual=3
\treal=10.9.0.11:8001 gate
\tprotocol=fwm
\tservice=http
\tcheckport=8001
\tscheduler=wlc
",
        &[
            "-A -t 10.9.0.100:80 -s rr -p 300",
            "-a -t 10.9.0.100:80 -r 10.9.0.12:8002 -m -w 5",
            "-A -f 3 -s wlc",
            "-a -f 3 -r 10.9.0.11:8001 -g -w 1",
        ],
    ),
];

/// What ldirectord is about when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum During {
    Start,
    Run,
    Reload,
    Stop,
}

pub fn starting(lab: &mut Lab) -> Result<(), Failure> {
    killed(lab, During::Start, 0x51a7, MOMENTS)
}

pub fn starting_often(lab: &mut Lab) -> Result<(), Failure> {
    killed(lab, During::Start, 0x51a7 + 1, MANY)
}

pub fn running(lab: &mut Lab) -> Result<(), Failure> {
    killed(lab, During::Run, 0x0d1e, MOMENTS)
}

pub fn running_often(lab: &mut Lab) -> Result<(), Failure> {
    killed(lab, During::Run, 0x0d1e + 1, MANY)
}

pub fn reloading(lab: &mut Lab) -> Result<(), Failure> {
    killed(lab, During::Reload, 0x4e10, MOMENTS)
}

pub fn reloading_often(lab: &mut Lab) -> Result<(), Failure> {
    killed(lab, During::Reload, 0x4e10 + 1, MANY)
}

pub fn stopping(lab: &mut Lab) -> Result<(), Failure> {
    killed(lab, During::Stop, 0x57b9, MOMENTS)
}

pub fn stopping_often(lab: &mut Lab) -> Result<(), Failure> {
    killed(lab, During::Stop, 0x57b9 + 1, MANY)
}

fn killed(lab: &mut Lab, during: During, seed: u64, moments: u32) -> Result<(), Failure> {
    let host = director(lab)?;
    let _servers = [server(host, 8001)?, server(host, 8002)?];
    for line in FOREIGN {
        host.run(&format!("ipvsadm {line}"))?.ok()?;
    }
    // How long one undisturbed command takes here: the moments lie within that time.
    let started = Instant::now();
    start(host, 0)?;
    let mut length = started.elapsed();
    arrives(host, 0)?;
    if during == During::Stop {
        let started = Instant::now();
        host.run("ldirectord www.cf stop")?.ok()?;
        length = started.elapsed();
        start(host, 0)?;
    } else if during == During::Run {
        length = Duration::from_secs(2);
    }
    let mut random = Random::new(seed);
    let mut hits = 0;
    for round in 0..moments {
        let (old, new) = (usize::from(round % 2 == 1), usize::from(round % 2 == 0));
        let command = match during {
            During::Start => {
                host.run("ldirectord www.cf stop")?.ok()?;
                becomes(host, FOREIGN, PATIENCE)?;
                "ldirectord www.cf start"
            }
            During::Run => ":",
            During::Reload => {
                write(host, new)?;
                "ldirectord www.cf reload"
            }
            During::Stop => "ldirectord www.cf stop",
        };
        let moment = length.as_secs_f64() * (f64::from(round) + random.fraction()) / f64::from(moments);
        let told = format!("seed {seed:#x}, round {round}, killed {moment:.3} s after `{command}`");
        // By the number that is known already: looking for the process takes longer than a stop.
        let kill = format!(
            "p=$(cat /run/ldirectord.www.cf.pid 2>/dev/null); {command} & sleep {moment:.3}; [ -n \"$p\" ] && kill -9 $p && echo hit; \
             pkill -9 -x ldirectord && echo hit; wait; while pkill -9 -x ldirectord; do sleep 0.05; done"
        );
        let alive = host.run(&kill)?.out;
        hits += u32::from(!alive.is_empty());
        let dead = table(host)?;
        ensure!(
            FOREIGN.iter().all(|l| dead.iter().any(|d| d == l)),
            "{told}: foreign services were touched:\n{}",
            dead.join("\n")
        );
        let again = start(host, new).and_then(|()| arrives(host, new));
        again.map_err(|e| e.context(format!("{told}; the file before was number {old}")))?;
    }
    ensure!(hits > 0, "every moment missed ldirectord");
    host.run("ldirectord www.cf stop")?.ok()?;
    becomes(host, FOREIGN, PATIENCE)?;
    let left = host.run("ls -d /run/ldirectord.www.cf.pid /run/lvs-ha/*.sock 2>/dev/null")?.out;
    ensure!(left.is_empty(), "left behind by a clean stop: {left}");
    Ok(())
}

/// Puts the file of that number there.
fn write(host: &Host, number: usize) -> Result<(), Failure> {
    let globals = format!("checktimeout=5\ncheckinterval=1\nquiescent=no\nlogfile=\"{LOG}\"\n");
    host.write_file(FILE, &format!("{globals}{}", FILES[number].0))
}

/// Starts ldirectord with the file of that number.
fn start(host: &Host, number: usize) -> Result<(), Failure> {
    write(host, number)?;
    host.run("ldirectord www.cf start")?.ok().map(drop)
}

/// Waits for the table of the file of that number, beside what is foreign.
fn arrives(host: &Host, number: usize) -> Result<(), Failure> {
    becomes(host, &[FILES[number].1, FOREIGN].concat(), PATIENCE)
}

/// A small generator (xorshift): the same moments in every run, as far as the machine allows.
struct Random(u64);

impl Random {
    /// Small seeds are spread over all bits: the first numbers would else be near 0.
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// From 0 to below 1.
    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
    }
}
