//! Command lines that nobody wrote, run by the original on one host and by ours on another: the same words must come out, the
//! same exit status, and words on standard error in the same cases.

use anyhow::ensure;

use crate::host::{Host, executable};
use crate::lab::Lab;
use crate::runner::Failure;
use crate::table::{Machine, Product};

/// The lines are the same in every run; another seed makes others.
const SEED: u64 = 20_261_127;
/// Lines in one script: on an emulated kernel each takes a second.
const PIECE: usize = 50;

const SERVICES: &[&str] = &[
    "-t 10.9.0.100:80",
    "-t 10.9.0.100:80",
    "-u 10.9.0.100:53",
    "-f 7",
    "-f 7 -6",
    "-6 -f 7",
    "-t [fd00:9::100]:80",
    "-t fd00:9::100",
    "-t [fd00:9::100]",
    "--sctp-service 10.9.0.100:99",
    "--tcp-service=10.9.0.100:80",
    "-t 10.9.0.100:65536",
    "-t 10.9.0.100:",
    "-t 0:80",
    "-t 010.9.0.1:80",
    "-f 0",
    "-f +9",
    "-f 7 -t 10.9.0.100:80",
];
const SERVICE_OPTIONS: &[&str] = &[
    "-s rr",
    "-s sh",
    "-ssh",
    "-s mh",
    "--scheduler lc",
    "-s nosuch",
    "-p",
    "-p 60",
    "-p60",
    "-p=60",
    "-p 0",
    "-p -1",
    "-M 24",
    "-M 255.255.255.0",
    "-M 64",
    "-M x",
    "-o",
    "--pe sip",
    "--pe nosuch",
    "-b sh-port",
    "-b sh-port,sh-fallback",
    "-b flag-1,flag-3",
    "-b mh-port",
    "-b x",
];
const REALS: &[&str] = &[
    "-r 10.9.0.11",
    "-r 10.9.0.11:80",
    "-r 10.9.0.12:8080",
    "-r10.9.0.11:80",
    "-r [fd00:9::11]:80",
    "-r fd00:9::11",
    "-r 10.9.0.11:x",
    "-r 10.9.0.1",
    "-r 10.9.0.255",
    "-r 10.9.0.13:0",
];
const REAL_OPTIONS: &[&str] = &[
    "-g",
    "-i",
    "-m",
    "-mw5",
    "-gi",
    "-w 0",
    "-w 5",
    "-w -1",
    "-w 2147483648",
    "-w 1x",
    "-w=3",
    "-x 10",
    "-x 10 -y 5",
    "-y 5",
    "--tun-type gue --tun-port 99",
    "--tun-type gue",
    "--tun-type gre --tun-csum",
    "--tun-type x",
    "--tun-port 99",
    "--tun-remcsum",
    "-i --tun-type gre",
    "-i --tun-type gue --tun-port 5 --tun-remcsum",
];
const VIEWS: &[&str] = &[
    "-n",
    "-n",
    "-n",
    "--stats",
    "--rate",
    "--thresholds",
    "--persistent-conn",
    "--tun-info",
    "--nosort",
    "--sort",
    "-X",
    "-c",
    "--timeout",
    "--daemon",
    "--syncid 3",
    "-6",
    "-nc",
    "-L",
];
const DAEMON_OPTIONS: &[&str] = &[
    "--mcast-interface eth0",
    "--mcast-interface nosuch",
    "--syncid 7",
    "--syncid 256",
    "--sync-maxlen 1000",
    "--sync-maxlen 0",
    "--mcast-group 224.0.0.99",
    "--mcast-group 10.0.0.1",
    "--mcast-port 99",
    "--mcast-port 0",
    "--mcast-ttl 256",
    "--mcast-ttl 2",
];
const JUNK: &[&str] = &[
    "x",
    "--",
    "-",
    "--no",
    "-Q",
    "-A",
    "-C",
    "--list",
    "-n",
    "-t",
    "--weight",
    "-nQ",
    "-c",
    "-Z",
    "--sort",
    "--exact=1",
    "-pn",
];

/// A small generator of numbers, the same everywhere (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn pick(&mut self, list: &[&'static str]) -> &'static str {
        list[self.below(list.len())]
    }

    /// `min` to `max` of them.
    fn some(&mut self, list: &[&'static str], min: usize, max: usize) -> Vec<&'static str> {
        let count = min + self.below(max - min + 1);
        (0..count).map(|_| self.pick(list)).collect()
    }

    fn line(&mut self) -> String {
        let mut words: Vec<&str> = match self.below(100) {
            0..25 => {
                let mut line = vec![self.pick(&["-A", "-A", "-E", "--add-service", "-D"]), self.pick(SERVICES)];
                line.extend(self.some(SERVICE_OPTIONS, 0, 3));
                line
            }
            25..55 => {
                let mut line = vec![self.pick(&["-a", "-a", "-e", "-d", "--add-server"]), self.pick(SERVICES), self.pick(REALS)];
                line.extend(self.some(REAL_OPTIONS, 0, 3));
                line
            }
            55..75 => {
                let mut line = vec![self.pick(&["-L", "-l", "--list", "-Ln"])];
                line.extend(self.some(VIEWS, 0, 4));
                line.extend(self.some(SERVICES, 0, 1));
                line
            }
            75..80 => [vec![self.pick(&["-Z", "--zero"])], self.some(SERVICES, 0, 1)].concat(),
            80..84 => vec![self.pick(&["--set 10 20 30", "--set 0 0 5", "--set 1 2", "--set 1 2 3 4", "--set x 1 1"])],
            84..89 => {
                let verb =
                    self.pick(&["--start-daemon master", "--start-daemon x", "--stop-daemon master", "--stop-daemon backup"]);
                [vec![verb], self.some(DAEMON_OPTIONS, 0, 3)].concat()
            }
            89..93 => [vec![self.pick(&["-S", "-Sn", "--save"])], self.some(VIEWS, 0, 1)].concat(),
            93..97 => self.some(JUNK, 1, 3),
            _ => [self.some(&["-A", "-a", "-L", "-D", "-e", "-C"], 1, 1), self.some(SERVICES, 1, 1), self.some(JUNK, 0, 2)]
                .concat(),
        };
        if self.below(3) == 0 {
            // Another order of what follows the command.
            for n in (2..words.len()).rev() {
                words.swap(n, 1 + self.below(n));
            }
        }
        if self.below(16) == 0 {
            words.push(self.pick(JUNK));
        }
        words.join(" ")
    }
}

/// What each command did, a block each: the line, its output, its exit status, whether there was anything on standard error.
fn run(host: &Host, ipvsadm: &str, lines: &[String]) -> Result<Vec<String>, Failure> {
    let script: String = lines
        .iter()
        .map(|line| {
            let run = format!("{ipvsadm} {line} >out 2>err </dev/null; echo \"status $?\" >>out");
            format!("{run}; test ! -s err || echo 'words on standard error' >>out; cat out; echo =====\n")
        })
        .collect();
    host.write_file("/run/lines", &format!("cd /run\n{script}"))?;
    let out = host.run("sh /run/lines")?.ok()?;
    Ok(out.split("=====\n").map(str::to_owned).collect())
}

/// Goes in: lines on one table that they fill, change and list. Must come out: no difference.
pub(super) fn some(lab: &mut Lab) -> Result<(), Failure> {
    differential(lab, 60)
}

/// The same, more of it.
pub(super) fn many(lab: &mut Lab) -> Result<(), Failure> {
    differential(lab, 500)
}

fn differential(lab: &mut Lab, count: usize) -> Result<(), Failure> {
    // The same addresses, on networks that do not meet.
    let machine = |name: &str, network: &str| {
        let mut machine = Machine::new(name, "10.9.0.1/24");
        machine.interfaces[0].network = network.to_owned();
        machine
    };
    lab.start(&[machine("a", "left").product(Product::Originals), machine("b", "right")])?;
    for host in ["a", "b"] {
        lab.host(host)?.run("ip addr add fd00:9::1/64 dev eth0 nodad")?.ok()?;
    }
    let mut dice = Dice(SEED);
    let lines: Vec<String> = (0..count).map(|_| dice.line()).collect();
    let mut done = 0;
    for piece in lines.chunks(PIECE) {
        let original = run(lab.host("a")?, "ipvsadm", piece)?;
        let ours = run(lab.host("b")?, &format!("{} ipvsadm", executable().display()), piece)?;
        ensure!(
            original.len() == piece.len() + 1 && ours.len() == original.len(),
            "{} and {} blocks",
            original.len(),
            ours.len()
        );
        for ((line, original), ours) in piece.iter().zip(&original).zip(&ours) {
            ensure!(original == ours, "ipvsadm {line}\nthe original:\n{original}ours:\n{ours}");
        }
        done += original.iter().filter(|block| block.contains("status 0")).count();
    }
    ensure!(done > count / 10, "only {done} lines did anything");
    Ok(())
}
