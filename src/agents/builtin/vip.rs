//! The address resource: a bare address, `IPaddr` and `IPaddr2`.
//!
//! Start asks the network first, writes the record, adds the address and announces it, and asks again, longer, for a stranger
//! that was slow; stop ends the announcement and removes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use super::owned::{self, Owned};
use super::peers::{Judgement, Peers};
use crate::agents::Tell;
use crate::cluster::io::Level;
use crate::config::haresources::{AddressArg, AddressArgError};
use crate::config::settings::Resource;
use crate::net::addr::{self, Addresses, Interface, Label, Wanted};
use crate::net::announce::{self, Burst};
use crate::net::{Mac, probe};

/// Why an address could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel or the routing table.
    #[error(transparent)]
    Address(#[from] addr::Error),
    /// The record.
    #[error(transparent)]
    Record(#[from] owned::Error),
    /// The network could not be asked.
    #[error("cannot ask the network who has {ip}")]
    Probe {
        /// The address.
        ip: IpAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else has it.
    #[error("{ip} is in use: the unknown host {mac} answers for it on {interface}; not taking it")]
    InUse {
        /// The address.
        ip: IpAddr,
        /// Who.
        mac: Mac,
        /// Where.
        interface: String,
    },
}

/// All address resources of a daemon.
pub struct Vips {
    addresses: Addresses,
    owned: Owned,
    peers: Arc<Peers>,
    tell: Tell,
    bursts: Mutex<HashMap<IpAddr, Burst>>,
    /// Where each address that was started is.
    places: Mutex<BTreeMap<IpAddr, String>>,
    /// Recorded by an earlier run and not claimed by this one yet. Locked while one of them is given up, so that it cannot be
    /// started meanwhile.
    leftovers: tokio::sync::Mutex<BTreeSet<IpAddr>>,
}

impl std::fmt::Debug for Vips {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vips").field("owned", &self.owned).field("peers", &self.peers).finish_non_exhaustive()
    }
}

impl Vips {
    /// With the kernel's connection, the record, what is known of the peers, and where to log.
    #[must_use]
    pub fn new(addresses: Addresses, owned: Owned, peers: Arc<Peers>, tell: Tell) -> Self {
        let leftovers = tokio::sync::Mutex::new(owned.addresses().into_iter().collect());
        Self { addresses, owned, peers, tell, bursts: Mutex::default(), places: Mutex::default(), leftovers }
    }

    /// Takes the address and announces it, also if it is here already: another host may have had it meanwhile.
    pub async fn start(&self, wanted: &Wanted) -> Result<(), Error> {
        self.leftovers.lock().await.remove(&wanted.ip);
        let place = self.addresses.place(wanted).await?;
        let interface = &place.interface;
        let free = match wanted.ip {
            IpAddr::V4(ip) if self.addresses.find(wanted.ip).await?.is_none() => Some(ip),
            _ => None,
        };
        let failed = |source| Error::Probe { ip: wanted.ip, source };
        let mut told = false;
        if let Some(ip) = free {
            told = self.judge(interface, ip, probe::glance(interface, ip).await.map_err(failed)?, false)?;
        }
        self.owned.insert(wanted.ip, &interface.name)?;
        let broadcast = place.broadcast.map(|b| format!(" with broadcast address {b}")).unwrap_or_default();
        let text = format!("Adding inet address {}/{}{broadcast} to device {}", place.ip, place.prefix, interface.name);
        (self.tell)(Level::Info, &text);
        self.addresses.add(&place, &wanted.label).await?;
        self.burst(interface, wanted.ip);
        self.places().insert(wanted.ip, interface.name.clone());
        // Clients have been served since; a stranger that was slow to answer is still found out.
        if let Some(ip) = free
            && let Err(e) = self.judge(interface, ip, probe::who_has(interface, ip).await.map_err(failed)?, told)
        {
            self.stop(wanted.ip).await?;
            return Err(e);
        }
        Ok(())
    }

    /// The address was added by the run before this one and is to stay.
    pub async fn adopt(&self, ip: IpAddr) -> Result<(), Error> {
        let interfaces = self.addresses.interfaces().await?;
        if let Some(here) = self.addresses.find(ip).await?
            && let Some(interface) = interfaces.iter().find(|i| i.index == here.index)
        {
            self.places().insert(ip, interface.name.clone());
        }
        self.leftovers.lock().await.remove(&ip);
        Ok(())
    }

    /// What follows from an answer for an address that is to be taken; tells of a peer unless it was told already.
    fn judge(&self, interface: &Interface, ip: Ipv4Addr, answer: Option<Mac>, told: bool) -> Result<bool, Error> {
        match self.peers.judge(answer) {
            Judgement::Free => Ok(told),
            Judgement::Peer(peer) => {
                if !told {
                    let text = format!("Node {peer} still answers for {ip} on {}; taking it nevertheless.", interface.name);
                    (self.tell)(Level::Crit, &text);
                }
                Ok(true)
            }
            Judgement::Stranger(mac) => Err(Error::InUse { ip: IpAddr::V4(ip), mac, interface: interface.name.clone() }),
        }
    }

    /// Gives the address up; fine if it is not there.
    pub async fn stop(&self, ip: IpAddr) -> Result<(), Error> {
        // In this order: `announce` looks at the one before it adds to the other.
        self.places().remove(&ip);
        if let Some(burst) = self.bursts.lock().unwrap_or_else(PoisonError::into_inner).remove(&ip) {
            burst.stop();
        }
        self.leftovers.lock().await.remove(&ip);
        self.addresses.remove(ip).await?;
        self.owned.remove(ip)?;
        Ok(())
    }

    /// Announces those of these addresses that were started here as at their start.
    pub async fn announce(&self, ips: &[IpAddr]) -> Result<(), Error> {
        let interfaces = self.addresses.interfaces().await?;
        let places = self.places();
        for ip in ips {
            if let Some(interface) = places.get(ip).and_then(|name| interfaces.iter().find(|i| i.name == *name)) {
                self.burst(interface, *ip);
            }
        }
        Ok(())
    }

    fn burst(&self, interface: &Interface, ip: IpAddr) {
        let tell = Arc::clone(&self.tell);
        let burst = announce::announce(interface, ip, move |e| {
            tell(Level::Error, &format!("Cannot announce {ip} to the network: {e}"));
        });
        let before = self.bursts.lock().unwrap_or_else(PoisonError::into_inner).insert(ip, burst);
        if let Some(before) = before {
            before.stop();
        }
    }

    /// Announces every address once more: a switch or a neighbour may have missed or forgotten it.
    pub async fn refresh(&self) -> Result<(), Error> {
        let places = self.places().clone();
        let interfaces = if places.is_empty() { Vec::new() } else { self.addresses.interfaces().await? };
        for (ip, name) in places {
            let Some(interface) = interfaces.iter().find(|i| i.name == name) else { continue };
            let tell = Arc::clone(&self.tell);
            announce::once(interface, ip, move |e| tell(Level::Error, &format!("Cannot announce {ip} to the network: {e}")));
        }
        Ok(())
    }

    /// The addresses that were started and whether their interface has a carrier.
    pub async fn carriers(&self) -> Result<Vec<(IpAddr, String, bool)>, Error> {
        let places = self.places().clone();
        let interfaces = if places.is_empty() { Vec::new() } else { self.addresses.interfaces().await? };
        let carrier = |name: &str| interfaces.iter().any(|i| i.name == name && i.carrier);
        Ok(places.into_iter().map(|(ip, name)| (ip, name.clone(), carrier(&name))).collect())
    }

    fn places(&self) -> std::sync::MutexGuard<'_, BTreeMap<IpAddr, String>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the address is on this host (the loopback not counted).
    pub async fn runs(&self, ip: IpAddr) -> Result<bool, Error> {
        Ok(self.addresses.find(ip).await?.is_some())
    }

    /// Addresses that an earlier run, which was killed, has added and this one has not started or stopped yet.
    pub async fn leftovers(&self) -> Vec<IpAddr> {
        self.leftovers.lock().await.iter().copied().collect()
    }

    /// Gives up the leftovers that another host has taken since. The others stay until it is known who is to hold them, so that a
    /// quick restart is no outage.
    pub async fn give_up_taken(&self) -> Result<(), Error> {
        let interfaces = self.addresses.interfaces().await?;
        for ip in self.leftovers().await {
            let (Some(here), IpAddr::V4(v4)) = (self.addresses.find(ip).await?, ip) else { continue };
            let Some(interface) = interfaces.iter().find(|i| i.index == here.index) else { continue };
            let answer = probe::who_has(interface, v4).await.map_err(|source| Error::Probe { ip, source })?;
            if let Some(mac) = answer {
                self.give_up(ip, &format!("held by {mac} now")).await?;
            }
        }
        Ok(())
    }

    /// Gives up every leftover that is not in `keep`.
    pub async fn give_up_leftovers(&self, keep: &[IpAddr]) -> Result<(), Error> {
        for ip in self.leftovers().await.into_iter().filter(|ip| !keep.contains(ip)) {
            self.give_up(ip, "not to be held here").await?;
        }
        Ok(())
    }

    async fn give_up(&self, ip: IpAddr, why: &str) -> Result<(), Error> {
        let mut leftovers = self.leftovers.lock().await;
        if leftovers.remove(&ip) {
            if self.addresses.remove(ip).await? {
                (self.tell)(Level::Warn, &format!("Removed {ip}: left over from the last run and {why}."));
            }
            self.owned.remove(ip)?;
        }
        Ok(())
    }

    /// Learns the Ethernet address behind `ip`, which belongs to the peer `whom`. Nothing is learned where it does not answer
    /// or its network is not attached.
    pub async fn learn(&self, ip: Ipv4Addr, whom: &str) {
        let wanted = Wanted { ip: IpAddr::V4(ip), prefix: None, interface: None, broadcast: None, label: Label::Interface };
        // An own address may stand in the configuration among the peers'.
        if !matches!(self.runs(wanted.ip).await, Ok(false)) {
            return;
        }
        if let Ok(place) = self.addresses.place(&wanted).await
            && let Ok(Some(mac)) = probe::who_has(&place.interface, ip).await
        {
            self.peers.learn(mac, whom);
        }
    }
}

/// Reads the argument of an address resource; none if it is no such resource. `IPaddr` (and so a bare address) has a label of
/// its own, as `ifconfig` users expect; the others have not.
pub fn wanted(resource: &Resource) -> Option<Result<Wanted, AddressArgError>> {
    let text = resource.args.first().unwrap_or(&resource.word);
    match resource.script.as_str() {
        "IPaddr" | "IPaddr2" => Some(AddressArg::parse(text).map(|arg| {
            let label = match arg.label {
                Some(label) => Label::Named(label),
                None if resource.script == "IPaddr" => Label::Free,
                None => Label::Interface,
            };
            Wanted { ip: IpAddr::V4(arg.addr), prefix: arg.prefix, interface: arg.interface, broadcast: arg.broadcast, label }
        })),
        // The address may have two colons in a row, as what separates arguments.
        "IPv6addr" => Some(wanted6(&resource.args.join("::"))),
        _ => None,
    }
}

/// `IPv6addr::ADDRESS[/PREFIX[/INTERFACE]]`.
fn wanted6(text: &str) -> Result<Wanted, AddressArgError> {
    let mut parts = text.split('/');
    let address = parts.next().unwrap_or_default();
    let ip: std::net::Ipv6Addr = address.parse().map_err(|_| AddressArgError::Address(address.to_owned()))?;
    let prefix = match parts.next().filter(|p| !p.is_empty()) {
        Some(text) => Some(text.parse().ok().filter(|n| *n <= 128).ok_or_else(|| AddressArgError::Mask(text.to_owned()))?),
        None => None,
    };
    let interface = parts.next().filter(|p| !p.is_empty()).map(str::to_owned);
    match parts.next() {
        Some(more) => Err(AddressArgError::Surplus(more.to_owned())),
        None => Ok(Wanted { ip: IpAddr::V6(ip), prefix, interface, broadcast: None, label: Label::Interface }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::haresources::resource;

    #[test]
    fn the_script_decides_about_the_label() {
        let label = |word| wanted(&resource(word)).unwrap().unwrap().label;
        assert_eq!(label("10.0.0.60"), Label::Free);
        assert_eq!(label("IPaddr::10.0.0.60/24/eth0"), Label::Free);
        assert_eq!(label("IPaddr2::10.0.0.60/24/eth0"), Label::Interface);
        assert_eq!(label("IPaddr2::10.0.0.60/24/eth0:7"), Label::Named("eth0:7".into()));
    }

    #[test]
    fn the_argument_is_taken_over() {
        let all = wanted(&resource("IPaddr2::10.0.0.60/24/eth0/10.0.0.127")).unwrap().unwrap();
        assert_eq!((all.prefix, all.interface.as_deref()), (Some(24), Some("eth0")));
        assert_eq!((all.ip.to_string().as_str(), all.broadcast), ("10.0.0.60", Some(Ipv4Addr::new(10, 0, 0, 127))));
        let bare = wanted(&resource("10.0.0.60")).unwrap().unwrap();
        assert_eq!((bare.prefix, bare.interface, bare.broadcast), (None, None, None));
        assert!(wanted(&resource("IPaddr::10.0.0/24")).unwrap().is_err());
        let six = wanted(&resource("IPv6addr::fd00::60/64/eth0")).unwrap().unwrap();
        assert_eq!((six.ip.to_string().as_str(), six.prefix, six.interface.as_deref()), ("fd00::60", Some(64), Some("eth0")));
        assert_eq!(wanted(&resource("httpd")), None);
    }
}
