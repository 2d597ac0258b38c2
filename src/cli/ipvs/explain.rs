//! `lvs-ha ipvs explain`: what becomes of a packet, and why.

use std::net::{IpAddr, SocketAddr};

use super::render::explain::Explained;
use super::{json, open};
use crate::cli::ipvsadm::render::templates;
use crate::cli::print;
use crate::errors::chain;
use crate::ipvs::explain::{Packet, explain, text};
use crate::ipvs::model::Protocol;
use crate::ipvs::proc_sys;

/// Arguments of `lvs-ha ipvs explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Told from the kernel's table, its persistence templates and its settings; no packet is sent. A packet of a connection that \
is known already goes where the connection goes.\n\nExit status: 0 a real server may be chosen, 1 none, or no service takes the packet, 2 trouble."
)]
pub(in crate::cli) struct Args {
    /// Where the packet goes: ADDRESS:PORT or [ADDRESS]:PORT
    #[arg(value_name = "IP:PORT", required_unless_present = "fwmark")]
    to: Option<SocketAddr>,
    /// It is UDP, not TCP
    #[arg(long, conflicts_with = "sctp")]
    udp: bool,
    /// It is SCTP
    #[arg(long)]
    sctp: bool,
    /// Its firewall mark
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    fwmark: Option<u32>,
    /// Where it comes from
    #[arg(long, value_name = "CLIENT")]
    from: Option<IpAddr>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command; the exit status.
pub(super) fn run(args: &Args) -> Result<u8, String> {
    let protocol = match (args.udp, args.sctp) {
        (true, _) => Protocol::Udp,
        (_, true) => Protocol::Sctp,
        _ => Protocol::Tcp,
    };
    let to = args.to.map(|to| (protocol, to.ip(), to.port()));
    if let (Some(to), Some(from)) = (args.to, args.from)
        && to.is_ipv4() != from.is_ipv4()
    {
        return Err(format!("{from} and {to} are of different families"));
    }
    let packet = Packet { to, mark: args.fwmark.unwrap_or(0), from: args.from };
    let entries = open()?.dump().map_err(|e| chain(&e))?;
    let path = "/proc/thread-self/net/ip_vs_conn";
    let connections = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
    let templates = templates(&String::from_utf8_lossy(&connections));
    let settings = proc_sys::read_all().map_err(|e| chain(&e))?;
    let answer = explain(&packet, &entries, &templates, &settings);
    print(&if args.json { json(&Explained::of(&answer))? } else { text(&packet, &answer) });
    let usable = answer.candidates.iter().any(|c| c.chance.is_possible());
    Ok(u8::from(!usable))
}
