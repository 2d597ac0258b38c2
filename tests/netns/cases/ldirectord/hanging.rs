//! Real servers that do not answer, beside others that do.

use std::time::Duration;

use anyhow::ensure;

use super::{FILE, LOG, becomes, director, server, table};
use crate::lab::Lab;
use crate::runner::Failure;

/// Every check of a hanging server lasts that long, in seconds.
const HANGS: u64 = 60;
/// How soon the others have to be judged: many check intervals, but less than a single hanging check takes.
const SOON: Duration = Duration::from_secs(HANGS / 2);

const SERVICE: &str = "-A -t 10.9.0.100:80 -s rr";
const FIRST: &str = "-a -t 10.9.0.100:80 -r 10.9.0.11:8001 -m -w 1";
const SECOND: &str = "-a -t 10.9.0.100:80 -r 10.9.0.12:8002 -m -w 1";

/// Twenty hosts swallow packets and a server accepts and is silent; two others come, go and come back meanwhile.
pub fn delays_no_other(lab: &mut Lab) -> Result<(), Failure> {
    let host = director(lab)?;
    let _first = server(host, 8001)?;
    let second = server(host, 8002)?;
    let silent = "import socket,time; s=socket.create_server(('', 8009)); time.sleep(3600)";
    let _silent = host.spawn(&format!("exec python3 -c \"{silent}\""))?;
    host.run("for n in $(seq 31 50); do ip neigh replace 10.9.0.$n lladdr 02:00:00:00:00:99 dev eth0 nud permanent; done")?
        .ok()?;
    let holes: String = (31..=50).map(|n| format!("\treal=10.9.0.{n}:80 masq\n")).collect();
    host.write_file(
        FILE,
        &format!(
            "checktimeout={HANGS}\nnegotiatetimeout={HANGS}\ncheckinterval=1\nquiescent=no\nlogfile=\"{LOG}\"\nvirtual=10.9.0.100:80\n{holes}\treal=10.9.0.11:8009 masq\n\treal=10.9.0.11:8001 masq\n\treal=10.9.0.12:8002 masq\n\tservice=http\n\trequest=\"/\"\n\treceive=\"up\"\n\tscheduler=rr\n"
        ),
    )?;
    host.run("ldirectord www.cf start")?.ok()?;
    becomes(host, &[SERVICE, FIRST, SECOND], SOON)?;
    drop(second);
    becomes(host, &[SERVICE, FIRST], SOON)?;
    let _second = server(host, 8002)?;
    becomes(host, &[SERVICE, FIRST, SECOND], SOON)?;
    // Nor does a stop wait for them.
    host.run("ldirectord www.cf stop")?.ok()?;
    let left = table(host)?;
    ensure!(left.is_empty(), "after the stop:\n{}", left.join("\n"));
    Ok(())
}
