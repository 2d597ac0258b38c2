//! Configurations that start and then do not do what their writer wants.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Diagnostic, Finding, Resolver, Which};
use crate::config::haresources::{AddressArg, Line};
use crate::config::settings::{Method, PingNode};

/// The keys of the sample file, known to everybody.
const PUBLISHED: &[&[u8]] = &[b"HI!", b"Hello!"];

/// The scripts whose argument is an address.
const ADDRESS_SCRIPTS: &[&str] = &["IPaddr", "IPaddr2", "IPsrcaddr"];

impl Resolver<'_> {
    pub(super) fn traps(&mut self, ping: &[PingNode]) {
        self.ping_own_address(ping);
        self.keys();
        self.same_group_twice();
    }

    /// A ping node that is an address of the cluster is dead until somebody takes it, and then says nothing about the network.
    fn ping_own_address(&mut self, ping: &[PingNode]) {
        let groups = &self.files.haresources.groups;
        for node in &self.files.ha_cf.ping {
            let Some(resolved) = ping.iter().find(|p| p.name == node.name.value) else { continue };
            if let Some(line) = groups.iter().find(|l| addresses(l).iter().any(|a| resolved.hosts.contains(a))) {
                let what = format!("ping node {} is an address of haresources, of node {}", node.name.value, line.node.value);
                let hint = "it is dead until the address is taken; name something outside the cluster, such as the router";
                self.push_late(Diagnostic::warning(node.name.span, what).hint(hint));
            }
        }
    }

    fn keys(&mut self) {
        let file = self.files.authkeys;
        let Some(active) = &file.active else { return };
        let Some(key) = file.keys.iter().find(|k| k.value.number == active.value) else { return };
        let warning = match key.value.method {
            Method::Crc => {
                Some(("auth crc is no protection: anybody on the network can take over", "use sha1 with a long random key"))
            }
            _ if PUBLISHED.contains(&key.value.secret.as_slice()) => {
                Some(("the key is that of the sample file, which everybody knows", "use a long random key"))
            }
            _ => None,
        };
        if let Some((what, hint)) = warning {
            self.found.push(Finding::late(Which::Authkeys, Diagnostic::warning(key.span, what).hint(hint)));
        }
    }

    /// A group is named by its first resource. Two of one name on two nodes would both be held, one address twice.
    fn same_group_twice(&mut self) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for line in &self.files.haresources.groups {
            let Some(first) = line.resources.first() else { continue };
            let (key, node) = (first.value.word.as_str(), line.node.value.as_str());
            match seen.get(key) {
                None => drop(seen.insert(key, node)),
                Some(other) => {
                    let what = format!("resource group {key} is there twice, for {other} and for {node}");
                    let hint = "the first resource of a line must be in no other line";
                    let d =
                        if *other == node { Diagnostic::warning(first.span, what) } else { Diagnostic::error(first.span, what) };
                    self.found.push(Finding::late(Which::Haresources, d.hint(hint)));
                }
            }
        }
    }
}

/// The addresses that a group takes.
fn addresses(line: &Line) -> Vec<IpAddr> {
    let of = line.resources.iter().filter(|r| ADDRESS_SCRIPTS.contains(&r.value.script.as_str()));
    of.filter_map(|r| AddressArg::parse(r.value.args.first()?).ok()).map(|a| IpAddr::V4(a.addr)).collect()
}
