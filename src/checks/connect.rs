//! TCP connect.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::Failure;

pub(super) async fn ask(addr: IpAddr, port: u16) -> Result<String, Failure> {
    if port == 0 {
        return Err(Failure::Answer("there is no port to connect to".into()));
    }
    TcpStream::connect(SocketAddr::new(addr, port)).await.map_err(Failure::io("connect"))?;
    Ok("connected".into())
}
