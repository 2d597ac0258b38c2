//! `lvs-ha ipvs watch`: the table again and again, with rates.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::open;
use super::render::watch::{Since, counters, line, screen, table};
use crate::cli::ipvsadm::render::services_in_order;
use crate::errors::chain;
use crate::ipvs::client::Client;
use crate::ipvs::model::{ServiceEntry, ServiceKey};

/// Arguments of `lvs-ha ipvs watch`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "On a terminal the view is drawn over the one before; otherwise each look is printed below it. Rates are what the counters \
say between two looks. The kernel renews its counters every 2 seconds, so that a shorter interval shows nothing sooner.\n\n\
Exit status: 0 after the last look, 2 trouble."
)]
pub(in crate::cli) struct Args {
    /// Only this one: ADDRESS:PORT as in a listing, or a firewall mark's number
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Seconds between two looks
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    interval: f64,
    /// How many looks; without, until it is interrupted
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// One line of JSON for each look: the services as `ipvsadm -L --json` has them, and per_second
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=86_400.0).contains(&seconds) { Ok(seconds) } else { Err("expected seconds from 0.1 to 86400".to_owned()) }
}

/// Runs the command; the exit status.
pub(super) fn run(args: &Args) -> Result<u8, String> {
    let mut client = open()?;
    let terminal = !args.json && std::io::stdout().is_terminal();
    if terminal && write("\x1b[2J").is_err() {
        return Ok(0);
    }
    let mut before = None;
    let mut looks = 0;
    while args.count.is_none_or(|count| looks < count) {
        if looks > 0 {
            std::thread::sleep(Duration::from_secs_f64(args.interval));
        }
        looks += 1;
        let at = Instant::now();
        let entries = look(&mut client, args.service.as_deref())?;
        let since = before.as_ref().map(|(then, counters): &(Instant, _)| Since {
            before: counters,
            seconds: at.saturating_duration_since(*then).as_secs_f64(),
        });
        let now = jiff::Zoned::now();
        let text = if args.json {
            line(&now.timestamp().to_string(), &entries, since) + "\n"
        } else {
            let text = table(&now.strftime("%F %T").to_string(), &entries, since);
            match terminal_size::terminal_size().filter(|_| terminal) {
                Some((width, height)) => screen(&text, usize::from(width.0), usize::from(height.0)),
                None => text,
            }
        };
        // A reader that has gone away has seen enough.
        if write(&text).is_err() {
            break;
        }
        before = Some((at, counters(&entries)));
    }
    Ok(0)
}

fn look(client: &mut Client, service: Option<&str>) -> Result<Vec<ServiceEntry>, String> {
    let entries = client.dump().map_err(|e| chain(&e))?;
    let chosen = |entry: &&ServiceEntry| service.is_none_or(|wanted| is_named(&entry.service.key, wanted));
    Ok(services_in_order(&entries).into_iter().filter(chosen).cloned().collect())
}

/// `10.0.0.1:80` of any protocol, `tcp 10.0.0.1:80`, `5` for a mark.
fn is_named(key: &ServiceKey, wanted: &str) -> bool {
    let text = key.to_string();
    match key {
        ServiceKey::Addr { .. } => text == wanted || text.split_once(' ').is_some_and(|(_, addr)| addr == wanted),
        ServiceKey::Fwmark { mark, .. } => text == wanted || mark.to_string() == wanted,
    }
}

fn write(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::model::{Family, Protocol};

    #[test]
    fn a_service_goes_by_the_name_that_listings_have() {
        let key = ServiceKey::Addr { protocol: Protocol::Tcp, addr: "fd00::1".parse().unwrap(), port: 80 };
        assert!(is_named(&key, "[fd00::1]:80") && is_named(&key, "tcp [fd00::1]:80") && !is_named(&key, "[fd00::1]:8"));
        let mark = ServiceKey::Fwmark { mark: 5, family: Family::Inet };
        assert!(is_named(&mark, "5") && is_named(&mark, "fwm 5") && !is_named(&mark, "50"));
        assert!(seconds("0").is_err() && seconds("x").is_err() && seconds("0.5").is_ok());
    }
}
