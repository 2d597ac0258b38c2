//! The order of a listing. Addresses and marks compare by their wrapped 32-bit difference read as signed, so that values
//! more than 2^31 apart compare the other way round. That is no total order: the outcome is what a merge sort makes of it,
//! and scripts compare listings. The standard library's sort may not be given such an order.

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::ipvs::model::{DestEntry, Family, ServiceEntry, ServiceKey};

/// Services by mark (0 for those with an address), family, protocol, address and port.
pub(super) fn services(entries: &[ServiceEntry]) -> Vec<&ServiceEntry> {
    merge_sort(entries.iter().collect(), &|a, b| compare_services(&a.service.key, &b.service.key))
}

/// Real servers by address and port.
pub(super) fn dests(entries: &[DestEntry]) -> Vec<&DestEntry> {
    merge_sort(entries.iter().collect(), &|a, b| {
        let (a, b) = (a.dest.key, b.dest.key);
        compare_addrs(a.addr, b.addr).then(a.port.cmp(&b.port))
    })
}

fn compare_services(a: &ServiceKey, b: &ServiceKey) -> Ordering {
    let mark = |key: &ServiceKey| match *key {
        ServiceKey::Addr { .. } => 0,
        ServiceKey::Fwmark { mark, .. } => mark,
    };
    let family = |key: &ServiceKey| key.family() == Family::Inet6;
    wrapped(mark(a), mark(b)).then(family(a).cmp(&family(b))).then_with(|| match (*a, *b) {
        (
            ServiceKey::Addr { protocol: a_protocol, addr: a_addr, port: a_port },
            ServiceKey::Addr { protocol: b_protocol, addr: b_addr, port: b_port },
        ) => a_protocol.number().cmp(&b_protocol.number()).then(compare_addrs(a_addr, b_addr)).then(a_port.cmp(&b_port)),
        _ => Ordering::Equal,
    })
}

fn compare_addrs(a: IpAddr, b: IpAddr) -> Ordering {
    let differing = words(a).into_iter().zip(words(b)).find(|(a, b)| a != b);
    differing.map_or(Ordering::Equal, |(a, b)| wrapped(a, b))
}

fn wrapped(a: u32, b: u32) -> Ordering {
    a.wrapping_sub(b).cast_signed().cmp(&0)
}

/// The four 32-bit words, the first one first. IPv4 has one, so in a mixed service it stands among the IPv6 addresses.
fn words(addr: IpAddr) -> [u32; 4] {
    match addr {
        IpAddr::V4(v4) => [v4.to_bits(), 0, 0, 0],
        IpAddr::V6(v6) => [96, 64, 32, 0].map(|shift| u32::try_from(v6.to_bits() >> shift & 0xffff_ffff).unwrap_or_default()),
    }
}

/// Top-down: the first half is the smaller one, and of two that are equal the left one comes first.
fn merge_sort<T: Copy>(mut list: Vec<T>, compare: &impl Fn(T, T) -> Ordering) -> Vec<T> {
    let mut spare = Vec::with_capacity(list.len());
    sort(&mut list, &mut spare, compare);
    list
}

fn sort<T: Copy>(list: &mut [T], spare: &mut Vec<T>, compare: &impl Fn(T, T) -> Ordering) {
    if list.len() < 2 {
        return;
    }
    let (left, right) = list.split_at_mut(list.len() / 2);
    sort(left, spare, compare);
    sort(right, spare, compare);
    spare.clear();
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if compare(*a, *b) == Ordering::Greater => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        };
        match next {
            Some(next) => spare.push(next),
            None => break,
        }
    }
    list.copy_from_slice(spare);
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn sorted(addrs: &[&str]) -> Vec<String> {
        let addrs: Vec<IpAddr> = addrs.iter().map(|a| a.parse().unwrap()).collect();
        merge_sort(addrs, &compare_addrs).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_far_apart_compare_the_other_way_round() {
        assert_eq!(sorted(&["10.0.0.1", "192.168.0.1"]), ["192.168.0.1", "10.0.0.1"]);
    }

    #[test]
    fn families_are_not_kept_apart_within_a_service() {
        assert_eq!(sorted(&["10.9.0.3", "fd00:9::11"]), ["fd00:9::11", "10.9.0.3"]);
    }

    /// As recorded from ipvsadm 1.31, for both orders of the same cycle in the kernel's list.
    #[test]
    fn a_cycle_comes_out_as_the_original_has_it() {
        let cycle = sorted(&["192.168.0.1", "100.64.0.1", "10.0.0.1"]);
        assert_eq!(cycle, ["192.168.0.1", "10.0.0.1", "100.64.0.1"]);
        let cycle = sorted(&["10.0.0.1", "100.64.0.1", "192.168.0.1"]);
        assert_eq!(cycle, ["10.0.0.1", "100.64.0.1", "192.168.0.1"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_whatever_the_order(bits in prop::collection::vec(any::<u32>(), 0..40)) {
            let addrs: Vec<IpAddr> = bits.iter().map(|b| IpAddr::V4(Ipv4Addr::from_bits(*b))).collect();
            let mut out = merge_sort(addrs.clone(), &compare_addrs);
            out.sort();
            let mut expected = addrs;
            expected.sort();
            prop_assert_eq!(out, expected);
        }
    }
}
