//! Telling the neighbours where an address now lives: a burst of gratuitous ARP, or of neighbour advertisements.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::addr::Interface;
use super::wire::{self, Form};

/// How often an address is announced, as IPaddr2 does it.
pub const COUNT: u32 = 5;
/// Time between two of them.
pub const SPACING: Duration = Duration::from_millis(200);

/// A burst under way. Dropping it lets it go on; see [`Burst::stop`].
#[derive(Debug, Clone)]
pub struct Burst {
    stopped: Arc<AtomicBool>,
}

impl Burst {
    /// Ends it before its next announcement: the address has been given away.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }
}

/// Announces `ip` a single time.
pub fn once(interface: &Interface, ip: IpAddr, failed: impl FnOnce(io::Error) + Send + 'static) {
    start(interface, ip, 1, failed);
}

/// Starts announcing `ip` on `interface`, the first time at once. `failed` gets the error that ended the burst, if one
/// did. An interface without an Ethernet address has nobody to tell.
pub fn announce(interface: &Interface, ip: IpAddr, failed: impl FnOnce(io::Error) + Send + 'static) -> Burst {
    start(interface, ip, COUNT, failed)
}

fn start(interface: &Interface, ip: IpAddr, count: u32, failed: impl FnOnce(io::Error) + Send + 'static) -> Burst {
    let burst = Burst { stopped: Arc::default() };
    let stopped = Arc::clone(&burst.stopped);
    let interface = interface.clone();
    tokio::task::spawn_blocking(move || {
        let result = match ip {
            IpAddr::V4(_) => arp_burst(&interface, ip, count, &stopped),
            IpAddr::V6(v6) => advertisement_burst(&interface, v6, count, &stopped),
        };
        if let Err(e) = result {
            failed(e);
        }
    });
    burst
}

fn arp_burst(interface: &Interface, ip: IpAddr, count: u32, stopped: &AtomicBool) -> io::Result<()> {
    let (Some(mac), IpAddr::V4(ip)) = (interface.ethernet(), ip) else { return Ok(()) };
    let (mut sender, receiver) = super::probe::channel(interface)?;
    drop(receiver);
    for turn in 0..count {
        if turn > 0 {
            std::thread::sleep(SPACING);
        }
        if stopped.load(Ordering::Acquire) {
            return Ok(());
        }
        let form = if turn % 2 == 0 { Form::Request } else { Form::Reply };
        sender.send_to(&wire::gratuitous_arp(form, mac, ip), None).unwrap_or(Ok(()))?;
    }
    Ok(())
}

fn advertisement_burst(interface: &Interface, ip: Ipv6Addr, count: u32, stopped: &AtomicBool) -> io::Result<()> {
    const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let Some(mac) = interface.ethernet() else { return Ok(()) };
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    // Neighbours drop what may have crossed a router (RFC 4861 section 7.1.2).
    socket.set_multicast_hops_v6(255)?;
    socket.set_multicast_if_v6(interface.index)?;
    socket.bind(&SocketAddrV6::new(ip, 0, 0, interface.index).into())?;
    let packet = wire::neighbour_advertisement(mac, ip);
    for turn in 0..count {
        if turn > 0 {
            std::thread::sleep(SPACING);
        }
        if stopped.load(Ordering::Acquire) {
            return Ok(());
        }
        socket.send_to(&packet, &SocketAddrV6::new(ALL_NODES, 0, 0, interface.index).into())?;
    }
    Ok(())
}
