//! The hosts of one case: started from [`Machine`]s, gone when dropped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::arena;
use crate::host::Host;
use crate::table::Machine;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A laboratory. Hosts of two labs never see each other, so that each may use the addresses of its story.
pub struct Lab {
    number: u32,
    dir: PathBuf,
    hosts: Vec<Host>,
    /// Network to bridge.
    networks: BTreeMap<String, String>,
    cables: u32,
}

impl Lab {
    /// An empty one.
    pub fn new() -> anyhow::Result<Self> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = arena::dir()?.join(format!("lab{number}"));
        std::fs::create_dir_all(&dir)?;
        Ok(Self { number, dir, hosts: Vec::new(), networks: BTreeMap::new(), cables: 0 })
    }

    /// Starts a host for each machine, side by side.
    pub fn start(&mut self, machines: &[Machine]) -> anyhow::Result<()> {
        for machine in machines {
            let mut cables = Vec::new();
            for interface in &machine.interfaces {
                let bridge = self.bridge(&interface.network)?;
                cables.push((bridge, format!("v{}-{}", self.number, self.cables), self.mac(self.cables)));
                self.cables += 1;
            }
            self.hosts.push(Host::new(machine.clone(), self.dir.join(&machine.name), cables));
        }
        let fresh = self.hosts.len() - machines.len();
        std::thread::scope(|scope| {
            let starting: Vec<_> = self.hosts[fresh..].iter().map(|host| scope.spawn(|| host.power_on())).collect();
            starting.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| anyhow::bail!("a start panicked")))
        })
    }

    /// Prepares a host as `vagrant/provision` does it on a machine.
    pub fn provision(&self) -> anyhow::Result<()> {
        std::thread::scope(|scope| {
            let each: Vec<_> = self.hosts.iter().map(|host| scope.spawn(|| host.provision())).collect();
            each.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| anyhow::bail!("a provisioning panicked")))
        })
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> anyhow::Result<&Host> {
        self.hosts.iter().find(|h| h.name() == name).with_context(|| format!("the lab has no host {name}"))
    }

    /// All hosts.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The last lines of each log of each host: what the reader of a failure wants to see.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for host in &self.hosts {
            for (file, end) in host.logs() {
                let _ = write!(text, "--- {}: {file}\n{end}", host.name());
            }
        }
        text
    }

    fn bridge(&mut self, network: &str) -> anyhow::Result<String> {
        if let Some(bridge) = self.networks.get(network) {
            return Ok(bridge.clone());
        }
        let bridge = format!("br{}-{}", self.number, self.networks.len());
        arena::ip(&format!(
            "link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set {bridge} up\n"
        ))?;
        self.networks.insert(network.to_owned(), bridge.clone());
        Ok(bridge)
    }

    fn mac(&self, cable: u32) -> String {
        let [_, _, high, low] = self.number.to_be_bytes();
        format!("02:00:00:{high:02x}:{low:02x}:{:02x}", cable % 250 + 1)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in &self.hosts {
            host.power_off();
        }
        for bridge in self.networks.values() {
            // A bridge that stays is harmless: it vanishes with the arena.
            let _ = arena::ip(&format!("link del {bridge}\n"));
        }
    }
}

/// Waits until `seen` gives a value, asking every 50 ms; after `limit` fails saying `what` was waited for and what the last
/// answer was.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut seen: impl FnMut() -> anyhow::Result<Result<T, String>>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        match seen()? {
            Ok(value) => return Ok(value),
            Err(last) if start.elapsed() > limit => {
                anyhow::bail!("waited {:.0} s for {what}; last seen: {last}", start.elapsed().as_secs_f64())
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
