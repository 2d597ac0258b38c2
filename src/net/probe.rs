//! Asking the network whether somebody answers for an address.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use pnet::datalink::{self, Channel, DataLinkReceiver, DataLinkSender};

use super::Mac;
use super::addr::Interface;
use super::wire;

/// Questions asked.
const COUNT: u32 = 3;
/// Time an answer has before the next question, or the end.
const PATIENCE: Duration = Duration::from_millis(30);

/// How long a first look takes: on a network that is not congested whoever has an address answers in less.
const GLANCE: Duration = Duration::from_millis(10);

/// The Ethernet address of a host that answers for `ip` on `interface`, if one does within a tenth of a second. Own
/// addresses don't answer, through whichever interface. An interface without an Ethernet address has nobody to ask.
pub async fn who_has(interface: &Interface, ip: Ipv4Addr) -> io::Result<Option<Mac>> {
    ask(interface, ip, COUNT, PATIENCE).await
}

/// The same with one question and a hundredth of a second: no answer means little.
pub async fn glance(interface: &Interface, ip: Ipv4Addr) -> io::Result<Option<Mac>> {
    ask(interface, ip, 1, GLANCE).await
}

async fn ask(interface: &Interface, ip: Ipv4Addr, count: u32, patience: Duration) -> io::Result<Option<Mac>> {
    let interface = interface.clone();
    tokio::task::spawn_blocking(move || ask_now(&interface, ip, count, patience)).await.map_err(io::Error::other)?
}

fn ask_now(interface: &Interface, ip: Ipv4Addr, count: u32, patience: Duration) -> io::Result<Option<Mac>> {
    let Some(mac) = interface.ethernet() else { return Ok(None) };
    // A host with two interfaces on one network answers itself, through the other one.
    let own: Vec<Mac> = datalink::interfaces().iter().filter_map(|i| i.mac).map(|mac| Mac(mac.octets())).collect();
    let (mut sender, mut receiver) = channel(interface)?;
    for _ in 0..count {
        sender.send_to(&wire::arp_probe(mac, ip), None).unwrap_or(Ok(()))?;
        let until = Instant::now() + patience;
        while Instant::now() < until {
            match receiver.next() {
                Ok(frame) => match wire::arp_answer(frame, ip) {
                    Some(other) if !own.contains(&other) => return Ok(Some(other)),
                    _ => {}
                },
                Err(e) if matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(None)
}

/// An Ethernet channel on the interface. It queues every frame of the interface until dropped: not to be kept.
pub(super) fn channel(interface: &Interface) -> io::Result<(Box<dyn DataLinkSender>, Box<dyn DataLinkReceiver>)> {
    let gone = || io::Error::new(io::ErrorKind::NotFound, format!("network interface {} is gone", interface.name));
    let found = datalink::interfaces().into_iter().find(|i| i.index == interface.index).ok_or_else(gone)?;
    let config =
        datalink::Config { promiscuous: false, read_timeout: Some(Duration::from_millis(10)), ..datalink::Config::default() };
    match datalink::channel(&found, config)? {
        Channel::Ethernet(sender, receiver) => Ok((sender, receiver)),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, format!("{} is no Ethernet interface", interface.name))),
    }
}
