//! Runs the cases side by side and closes with `N passed, M failed`. A case that cannot run is told loudly; where `CI` or
//! `LVS_HA_LAB` is set, it is a failure.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::{arena, cases, host, option};

/// No case takes longer, even on an emulated kernel.
const LONGEST: Duration = Duration::from_secs(900);

/// Why a case failed.
pub type Failure = anyhow::Error;

/// What a case needs of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Namespaces.
    Any,
    /// IPVS: where the running kernel has none, `tests/lab` boots another under emulation.
    Ipvs,
    /// No IPVS: what is said on such a kernel can be seen on no other.
    NoIpvs,
}

/// A case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// `area/what is seen`.
    pub name: &'static str,
    /// What it needs.
    pub needs: Kernel,
    /// Only with `--all`.
    pub long: bool,
    /// Whether a host of it has Debian's programs: `tests/lab` fetches them.
    pub originals: bool,
    /// Whether a host of it has servers of Debian's.
    pub servers: bool,
    /// Takes a minute or so: not in plain `cargo test`.
    pub slow: bool,
    /// What it does: an error is a failure.
    pub run: fn(&mut Lab) -> Result<(), Failure>,
}

impl Case {
    /// A case for every run.
    pub const fn new(name: &'static str, needs: Kernel, run: fn(&mut Lab) -> Result<(), Failure>) -> Self {
        Self { name, needs, long: false, originals: false, servers: false, slow: false, run }
    }

    /// The same, not run by plain `cargo test`.
    #[must_use]
    pub const fn slow(mut self) -> Self {
        self.slow = true;
        self
    }

    /// The same, only run with `--all`.
    #[must_use]
    pub const fn long(mut self) -> Self {
        self.long = true;
        self
    }

    /// The same, with hosts that have Debian's programs.
    #[must_use]
    pub const fn originals(mut self) -> Self {
        self.originals = true;
        self
    }

    /// The same, with hosts that have servers of Debian's.
    #[must_use]
    pub const fn servers(mut self) -> Self {
        self.servers = true;
        self
    }
}

/// `netns list`.
pub fn list() -> anyhow::Result<ExitCode> {
    for case in cases::all() {
        println!("{}  {:?}{}", case.name, case.needs, if case.long { " long" } else { "" });
    }
    Ok(ExitCode::SUCCESS)
}

/// `netns test [FILTER] [--kernel any|ipvs] [--all]`.
pub fn command(words: &[&str]) -> anyhow::Result<ExitCode> {
    let kernel = match option(words, "--kernel") {
        None => None,
        Some("any") => Some(Kernel::Any),
        Some("ipvs") => Some(Kernel::Ipvs),
        Some(other) => anyhow::bail!("--kernel {other}: any or ipvs"),
    };
    let filter = words.iter().enumerate().find(|(i, w)| !w.starts_with('-') && (*i == 0 || words[i - 1] != "--kernel"));
    let chosen = cases::all()
        .into_iter()
        .filter(|c| kernel.is_none_or(|k| (k == Kernel::Ipvs) == (c.needs == Kernel::Ipvs)))
        .filter(|c| filter.is_none_or(|(_, f)| c.name.contains(*f)))
        .filter(|c| !c.long || words.contains(&"--all"))
        .collect();
    run(chosen)
}

/// Plain `cargo test`: the quick cases that need no IPVS, if this is root.
pub fn under_cargo(words: &[&str]) -> anyhow::Result<ExitCode> {
    if words.contains(&"--list") {
        return list();
    }
    if std::env::var_os("LVS_HA_LAB").is_some() {
        println!("\ntests/lab runs these cases by itself");
        return Ok(ExitCode::SUCCESS);
    }
    let filter = words.iter().find(|w| !w.starts_with('-')).copied().unwrap_or_default();
    let chosen: Vec<Case> =
        cases::all().into_iter().filter(|c| c.needs != Kernel::Ipvs && !c.long && !c.slow && c.name.contains(filter)).collect();
    let missing = if !nix::unistd::geteuid().is_root() {
        "not root"
    } else if std::process::Command::new("ip").arg("-V").output().is_err() {
        "no iproute2"
    } else {
        println!("\nthe cases that need IPVS or a minute: tests/lab test");
        return run(chosen);
    };
    println!("\nNOT RUN ({missing}): {} cases of tests/netns. Run tests/lab test as root.", chosen.len());
    Ok(if strict() && !chosen.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Whether a case that cannot run is a failure.
fn strict() -> bool {
    ["CI", "LVS_HA_LAB"].iter().any(|name| std::env::var_os(name).is_some())
}

fn run(chosen: Vec<Case>) -> anyhow::Result<ExitCode> {
    arena::enter()?;
    let ipvs = chosen.iter().any(|c| c.needs != Kernel::Any) && arena::has_ipvs();
    let hindrance = |case: &Case| {
        match case.needs {
            Kernel::Ipvs if !ipvs => return Some("this kernel has no IPVS".to_owned()),
            Kernel::NoIpvs if ipvs => return Some("this kernel has IPVS".to_owned()),
            _ => {}
        }
        let originals = case.originals.then(host::originals).and_then(Result::err);
        let servers = case.servers.then(host::servers).and_then(Result::err);
        originals.or(servers).map(|e| e.to_string())
    };
    let (able, unable): (Vec<Case>, Vec<Case>) = chosen.into_iter().partition(|c| hindrance(c).is_none());
    for case in &unable {
        println!("NOT RUN ({}): {}", hindrance(case).unwrap_or_default(), case.name);
    }
    let jobs = std::env::var("LVS_HA_LAB_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    let (next, passed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failed = Mutex::new(Vec::new());
    let running = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while passed.load(Ordering::Relaxed) + failed.lock().unwrap().len() < able.len() {
                std::thread::sleep(Duration::from_millis(200));
                end_if_hung(&running.lock().unwrap(), passed.load(Ordering::Relaxed));
            }
        });
        for _ in 0..jobs.min(able.len()) {
            scope.spawn(|| {
                while let Some(case) = able.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    running.lock().unwrap().insert(case.name, start);
                    let seen = attempt(case);
                    running.lock().unwrap().remove(case.name);
                    let took = start.elapsed().as_secs_f64();
                    match seen {
                        Ok(()) => {
                            passed.fetch_add(1, Ordering::Relaxed);
                            println!("{} ... ok ({took:.1} s)", case.name);
                        }
                        Err(why) => {
                            println!("{} ... FAILED ({took:.1} s)\n{why}", case.name);
                            failed.lock().unwrap().push(case.name);
                        }
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner()?;
    // A kernel that has IPVS is no fault of the machine, and it cannot be hidden from a program: told, not failed.
    let (told, missing): (Vec<Case>, Vec<Case>) = unable.into_iter().partition(|c| c.needs == Kernel::NoIpvs || !strict());
    failed.extend(missing.iter().map(|c| c.name));
    failed.sort_unstable();
    println!();
    for name in &failed {
        println!("failed: {name}");
    }
    let not_run = if told.is_empty() { String::new() } else { format!(", {} not run", told.len()) };
    println!("{} passed, {} failed{not_run}", passed.into_inner(), failed.len());
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A case that hangs would take the whole run's time and say nothing: it ends the run, by name.
fn end_if_hung(running: &BTreeMap<&str, Instant>, passed: usize) {
    let hung: Vec<&str> = running.iter().filter(|(_, start)| start.elapsed() > LONGEST).map(|(name, _)| *name).collect();
    if !hung.is_empty() {
        for name in &hung {
            println!("{name} ... HANGS, no end after {} s", LONGEST.as_secs());
        }
        println!("\n{passed} passed, {} failed", hung.len());
        std::process::exit(1);
    }
}

/// Runs one case in a lab of its own; the error is all that is to be told.
fn attempt(case: &Case) -> Result<(), String> {
    let mut lab = Lab::new().map_err(|e| format!("{e:#}"))?;
    let seen = catch_unwind(AssertUnwindSafe(|| (case.run)(&mut lab)));
    let why = match seen {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(e)) => format!("{e:#}"),
        // The message itself went to standard error.
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "it panicked".to_owned()),
    };
    Err(format!("{why}\n{}", lab.logs()))
}
