//! Command lines of ipvsadm to requests, against what ipvsadm 1.31 was recorded to send for them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use lvs_ha::cli::ipvsadm::args::{Action, Listing, Lookup, parse};
use lvs_ha::ipvs::model::{Command, Protocol};
use lvs_ha::ipvs::wire::attrs::attrs;
use lvs_ha::ipvs::wire::message::{Content, messages};
use lvs_ha::ipvs::wire::{Request, get_family};
use support::netlink::{Vector, vectors};

struct NoNames;

impl Lookup for NoNames {
    fn address(&self, host: &str) -> Option<Ipv4Addr> {
        panic!("{host} looked up")
    }

    fn port(&self, service: &str, _: Protocol) -> Option<u16> {
        panic!("{service} looked up")
    }
}

/// The requests that a command line leads to.
fn requests(command: &str) -> Vec<Request> {
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    match parse(&words, &NoNames).unwrap_or_else(|e| panic!("{command}: {e:?}")) {
        Action::Change(request) => vec![request],
        Action::List { what: Listing::Table, .. } => vec![Request::GetInfo, Request::DumpServices],
        Action::List { what: Listing::Service(key), .. } => vec![Request::GetService(key), Request::DumpDests(key)],
        Action::List { what: Listing::Timeouts, .. } => vec![Request::GetTimeouts],
        Action::List { what: Listing::Daemons, .. } => vec![Request::DumpSync],
        other => panic!("{command}: {other:?}"),
    }
}

/// Attributes of a message by kind at the top and kind within; those that are no nests have 0 there.
type Tree = BTreeMap<(u16, u16), Vec<u8>>;

fn tree(message: &[u8]) -> (u16, u8, Tree) {
    let Content::Data { family, command, attrs: top } = messages(message).next().unwrap().unwrap().content else {
        panic!("no request")
    };
    let mut tree = Tree::new();
    for attr in attrs(top).map(Result::unwrap) {
        if attr.kind <= 3 && family != 16 {
            for inner in attr.nest().map(Result::unwrap) {
                tree.insert((attr.kind, inner.kind), inner.payload.to_vec());
            }
        } else {
            tree.insert((attr.kind, 0), attr.payload.to_vec());
        }
    }
    (family, command, tree)
}

/// What the kernel looks at in a request of ours. ipvsadm sends whole services and real servers also where their identity
/// is enough.
fn counts(request: &Request, kind: (u16, u16)) -> bool {
    let (service, dest) = match request {
        Request::Change(Command::AddService(_) | Command::EditService(_)) => (true, true),
        Request::Change(Command::AddDest(..) | Command::EditDest(..)) => (false, true),
        _ => (false, false),
    };
    match kind {
        (1, attr) => service || attr <= 5,
        (2, attr) => dest || [1, 2, 11].contains(&attr),
        (3, attr) => matches!(request, Request::StartSync(_)) || attr == 1,
        _ => true,
    }
}

fn check(vector: &Vector) {
    let name = &vector.name;
    let (family, command, mut recorded) = tree(&vector.request);
    if family == 16 {
        assert_eq!(tree(&get_family(1)), (family, command, recorded), "{name}");
        return;
    }
    let list = requests(&vector.command);
    let request = list.iter().find(|r| r.command() == command).unwrap_or_else(|| panic!("{name}: no such request"));
    let mut ours = Vec::new();
    request.push(&mut ours, family, 1, true);
    recorded.retain(|kind, _| counts(request, *kind));
    assert_eq!(tree(&ours), (family, command, recorded), "{name}");
    assert_eq!(ours[4..8], vector.request[4..8], "{name}: message type and flags");
}

#[test]
fn every_recorded_command_line_leads_to_the_recorded_request() {
    vectors().iter().for_each(check);
}
