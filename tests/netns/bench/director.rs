//! The daemon that is measured: ldirectord as it is, in the foreground, on the fake kernel.
//!
//! Its log goes to standard output. A line on standard input is a question, answered by a line on standard error: `writes`
//! (how many requests have changed the kernel's table), `servers` (how many are in the table).

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use lvs_ha::config::diag::has_errors;
use lvs_ha::config::load::{self, System};
use lvs_ha::config::resolve::director;
use lvs_ha::daemon::background::Ready;
use lvs_ha::daemon::ldirectord::{self as daemon, Loaded, Mode, Setup};
use lvs_ha::ipvs::client::Client;
use lvs_ha::ipvs::fake::Kernel;

/// Commands of generic netlink that change the table: the services' and the real servers' NEW, SET and DEL.
const WRITES: [u8; 6] = [1, 2, 3, 5, 6, 7];

pub fn run(file: &str) -> anyhow::Result<ExitCode> {
    let file = PathBuf::from(file);
    let kernel = Kernel::new();
    let asked = kernel.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let log = asked.log();
            let answer = match line.as_str() {
                "writes" => log.iter().filter(|c| WRITES.contains(c)).count(),
                _ => servers(&asked),
            };
            eprintln!("{answer}");
        }
        // Nobody is there any more to be measured for.
        std::process::exit(0);
    });
    let plan = read(&file).map_err(|lines| anyhow::anyhow!("{}", lines.join("\n")))?.plan;
    let setup = Setup {
        instance: "bench".into(),
        pid_file: "/nonexistent".into(),
        plan,
        load: Arc::new({
            let file = file.clone();
            move || read(&file)
        }),
        mode: Mode::Supervised,
        file,
    };
    Ok(ExitCode::from(daemon::run_over(setup, Ready::foreground(), move || Client::over(kernel.socket()))))
}

fn servers(kernel: &Kernel) -> usize {
    Client::over(kernel.socket()).and_then(|mut c| c.dump()).map_or(0, |t| t.iter().map(|s| s.dests.len()).sum())
}

fn read(file: &Path) -> Result<Loaded, Vec<String>> {
    let source = load::read(file).map_err(|e| vec![e.to_string()])?;
    let (plan, found) = director::read(&source, &System::new());
    match plan {
        Some(plan) if !has_errors(&found) => Ok(Loaded { plan, warnings: Vec::new() }),
        _ => Err(found.into_iter().map(|d| d.what).collect()),
    }
}
