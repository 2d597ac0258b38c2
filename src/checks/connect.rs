//! TCP connect.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::{Failure, trace};

pub(super) async fn ask(addr: IpAddr, port: u16) -> Result<String, Failure> {
    open(addr, port).await?;
    Ok("connected".into())
}

/// A connection.
pub(super) async fn open(addr: IpAddr, port: u16) -> Result<TcpStream, Failure> {
    if port == 0 {
        return Err(Failure::Answer("there is no port to connect to".into()));
    }
    trace::doing("connect");
    let target = SocketAddr::new(addr, port);
    let stream = TcpStream::connect(target).await.map_err(Failure::io("connect"))?;
    trace::note(|| format!("connected to {target}"));
    Ok(stream)
}
