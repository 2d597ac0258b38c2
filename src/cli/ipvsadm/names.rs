//! Names of hosts and services from the system, both ways, with the C library's sources (files, DNS and so on) for hosts and
//! `/etc/services` for services.
//!
//! The original asks for one name after the other, so that a resolver that does not answer holds a listing or a restore up for
//! minutes. Here all are asked for at once, within a limit; an address that has no name by then is shown as a number, a name
//! that has no address by then is not known.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use super::{args, render};
use crate::ipvs::model::Protocol;

/// How long a listing, or what is at hand of a restore, waits for names, all in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many names are asked for at the same time.
const AT_ONCE: usize = 32;

/// The system's names. The services file is read when it is first needed; what was asked for once is not asked for again.
#[derive(Debug, Default)]
pub(in crate::cli) struct System {
    services: OnceCell<Vec<Service>>,
    /// Addresses that were asked for, with their names if they have one that came in time.
    hosts: RefCell<HashMap<IpAddr, Option<String>>>,
    /// Names that were asked for.
    addresses: RefCell<HashMap<String, Option<Ipv4Addr>>>,
}

#[derive(Debug)]
struct Service {
    /// The name, then its aliases.
    names: Vec<String>,
    port: u16,
    protocol: String,
}

impl System {
    fn services(&self) -> &[Service] {
        self.services.get_or_init(|| {
            let file = std::fs::read("/etc/services").unwrap_or_default();
            String::from_utf8_lossy(&file).lines().filter_map(service_line).collect()
        })
    }

    /// Asks for the names of all these addresses that were not asked for before.
    pub(super) fn ask(&self, addresses: BTreeSet<IpAddr>) {
        let mut hosts = self.hosts.borrow_mut();
        let new: Vec<IpAddr> = addresses.into_iter().filter(|addr| !hosts.contains_key(addr)).collect();
        hosts.extend(new.iter().map(|addr| (*addr, None)));
        hosts.extend(resolve(new, |addr| crate::sys::host_name(*addr), PATIENCE));
    }

    /// Asks for the addresses of all these hosts that were not asked for before.
    fn look_up(&self, hosts: BTreeSet<String>) {
        let mut addresses = self.addresses.borrow_mut();
        let new: Vec<String> = hosts.into_iter().filter(|host| !addresses.contains_key(host)).collect();
        addresses.extend(new.iter().map(|host| (host.clone(), None)));
        addresses.extend(resolve(new, |host| address(host), PATIENCE));
    }
}

/// The system's names for a line that is followed by others: a host in it is asked for together with those of the others.
#[derive(Debug)]
pub(super) struct Ahead<'a> {
    /// The names.
    pub(super) names: &'a System,
    /// The lines that are to come, as far as they are at hand.
    pub(super) rest: &'a [u8],
}

impl args::Lookup for Ahead<'_> {
    fn address(&self, host: &str) -> Option<Ipv4Addr> {
        if !self.names.addresses.borrow().contains_key(host) {
            let whole = self.rest.iter().rposition(|byte| *byte == b'\n').and_then(|end| self.rest.get(..end));
            let mut hosts = args::saved::hosts(&String::from_utf8_lossy(whole.unwrap_or_default()));
            hosts.insert(host.to_owned());
            self.names.look_up(hosts);
        }
        self.names.address(host)
    }

    fn port(&self, service: &str, protocol: Protocol) -> Option<u16> {
        self.names.port(service, protocol)
    }
}

/// What `answer` says to each of the questions before the time is over. It may block: what still waits then is left behind in
/// its threads, which end with the program.
fn resolve<Q, A>(
    questions: Vec<Q>,
    answer: impl Fn(&Q) -> Option<A> + Send + Sync + 'static,
    patience: Duration,
) -> HashMap<Q, Option<A>>
where
    Q: Eq + Hash + Send + 'static,
    A: Send + 'static,
{
    let (count, deadline) = (questions.len(), Instant::now() + patience);
    let queue = Arc::new((Mutex::new(questions), answer));
    let (sender, answers) = mpsc::channel();
    for _ in 0..count.min(AT_ONCE) {
        let (queue, sender) = (Arc::clone(&queue), sender.clone());
        let work = move || {
            while let Some(question) = queue.0.lock().ok().and_then(|mut queue| queue.pop()) {
                if Instant::now() >= deadline {
                    return;
                }
                let said = (queue.1)(&question);
                if sender.send((question, said)).is_err() {
                    return;
                }
            }
        };
        if std::thread::Builder::new().spawn(work).is_err() {
            break;
        }
    }
    drop(sender);
    let mut out = HashMap::new();
    while let Ok((question, said)) = answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        out.insert(question, said);
    }
    out
}

impl args::Lookup for System {
    fn address(&self, host: &str) -> Option<Ipv4Addr> {
        if let Some(known) = self.addresses.borrow().get(host) {
            return *known;
        }
        let found = address(host);
        self.addresses.borrow_mut().insert(host.to_owned(), found);
        found
    }

    fn port(&self, service: &str, protocol: Protocol) -> Option<u16> {
        let named = |s: &&Service| s.protocol == protocol.name() && s.names.iter().any(|name| name == service);
        self.services().iter().find(named).map(|s| s.port)
    }
}

fn address(host: &str) -> Option<Ipv4Addr> {
    (host, 0).to_socket_addrs().ok()?.find_map(|addr| match addr.ip() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    })
}

impl render::Names for System {
    fn host(&self, addr: IpAddr) -> Option<String> {
        self.hosts.borrow().get(&addr).cloned().flatten()
    }

    fn service(&self, port: u16, protocol: Protocol) -> Option<String> {
        let numbered = |s: &&Service| s.port == port && s.protocol == protocol.name();
        self.services().iter().find(numbered)?.names.first().cloned()
    }
}

/// `http 80/tcp www # comment`.
fn service_line(line: &str) -> Option<Service> {
    let mut words = line.split('#').next()?.split_whitespace();
    let name = words.next()?;
    let (port, protocol) = words.next()?.split_once('/')?;
    let names = std::iter::once(name).chain(words).map(str::to_owned).collect();
    Some(Service { names, port: port.parse().ok()?, protocol: protocol.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_hangs_holds_up_neither_the_others_nor_the_listing_for_long() {
        let addr = |n: u8| IpAddr::from([10, 0, 0, n]);
        let (_never, never) = mpsc::channel::<()>();
        let never = Mutex::new(never);
        let name = move |addr: &IpAddr| {
            if *addr == IpAddr::from([10, 0, 0, 7]) {
                let _ = never.lock().unwrap().recv();
            }
            Some(format!("host-{addr}"))
        };
        let found = resolve((1..=100).map(addr).collect(), name, Duration::from_secs(2));
        assert_eq!(found.len(), 99);
        assert_eq!(found[&addr(100)].as_deref(), Some("host-10.0.0.100"));
        assert!(!found.contains_key(&addr(7)));
    }

    #[test]
    fn the_hosts_of_the_lines_at_hand_are_asked_for_with_the_first() {
        let names = System::default();
        let rest = b"-a -t one.invalid:80 -r two.invalid:80 -m\n-A -t 10.0.0.1:80 -s rr\n-A -t cut";
        assert_eq!(args::Lookup::address(&Ahead { names: &names, rest }, "zero.invalid"), None);
        let mut asked: Vec<String> = names.addresses.borrow().keys().cloned().collect();
        asked.sort();
        assert_eq!(asked, ["one.invalid", "two.invalid", "zero.invalid"]);
    }

    #[test]
    fn what_was_asked_for_is_not_asked_for_again() {
        let system = System::default();
        let addr = IpAddr::from([127, 0, 0, 1]);
        system.hosts.borrow_mut().insert(addr, Some("kept".to_owned()));
        system.ask([addr].into());
        assert_eq!(render::Names::host(&system, addr).as_deref(), Some("kept"));
        assert_eq!(render::Names::host(&system, IpAddr::from([127, 0, 0, 2])), None, "nothing is asked for while rendering");
    }

    #[test]
    fn a_line_of_the_services_file() {
        let service = service_line("http\t80/tcp www www-http # web").unwrap();
        assert_eq!((service.port, service.protocol.as_str(), service.names.len()), (80, "tcp", 3));
        assert!(service_line("# http 80/tcp").is_none());
        assert!(service_line("http 80").is_none());
        assert!(service_line("http x/tcp").is_none());
    }
}
