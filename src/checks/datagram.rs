//! Questions and answers over UDP: asked again while no answer comes, since packets get lost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::{Failure, trace};

/// Between two askings.
const AGAIN: Duration = Duration::from_secs(1);
/// Largest packet.
const PACKET: usize = 65536;

/// A socket that talks to this address alone.
pub(super) async fn open(addr: IpAddr, port: u16) -> Result<UdpSocket, Failure> {
    if port == 0 {
        return Err(Failure::Answer("there is no port to ask".into()));
    }
    let any: IpAddr = if addr.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(Failure::io("socket"))?;
    socket.connect(SocketAddr::new(addr, port)).await.map_err(Failure::io("connect"))?;
    Ok(socket)
}

/// Asks until `judge` finds an answer in a packet (`None`: not this one, wait on).
pub(super) async fn ask<T>(
    addr: IpAddr,
    port: u16,
    request: &[u8],
    judge: impl Fn(&[u8]) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let socket = open(addr, port).await?;
    exchange(&socket, request, judge).await
}

/// The same on a socket.
pub(super) async fn exchange<T>(
    socket: &UdpSocket,
    request: &[u8],
    judge: impl Fn(&[u8]) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let mut buffer = vec![0; PACKET];
    trace::doing("waiting for an answer");
    loop {
        socket.send(request).await.map_err(Failure::io("send"))?;
        trace::sent(request);
        let answered = tokio::time::timeout(AGAIN, async {
            loop {
                let n = socket.recv(&mut buffer).await.map_err(Failure::io("receive"))?;
                let packet = buffer.get(..n).unwrap_or_default();
                trace::received(packet);
                if let Some(found) = judge(packet)? {
                    return Ok(found);
                }
            }
        });
        if let Ok(result) = answered.await {
            return result;
        }
    }
}
