use super::*;
use crate::ipvs::model::{Dest, DestKey, Forward, Persistence, Service, ServiceFlags, Stats, Tunnel};

const VIP: &str = "10.0.0.1";

fn dest(host: u8, weight: u32, (upper, lower): (u32, u32), active: u32) -> DestEntry {
    let key = DestKey { addr: IpAddr::from([10, 0, 1, host]), port: 80 };
    let dest = Dest { key, forward: Forward::Masq, weight, upper, lower, tunnel: Tunnel::default() };
    DestEntry { dest, active, inactive: 0, persistent: 0, stats: Stats::default() }
}

fn key(port: u16) -> ServiceKey {
    ServiceKey::Addr { protocol: Protocol::Tcp, addr: VIP.parse().unwrap(), port }
}

fn service(key: ServiceKey, scheduler: &str, persistent: bool, dests: Vec<DestEntry>) -> ServiceEntry {
    let persistence = persistent.then_some(Persistence { timeout: 600, granularity: Granularity::Mask(0xffff_ff00) });
    let service = Service { key, scheduler: scheduler.to_owned(), flags: ServiceFlags::default(), persistence, engine: None };
    ServiceEntry { service, stats: Stats::default(), dests }
}

fn to(port: u16) -> Packet {
    Packet { to: Some((Protocol::Tcp, VIP.parse().unwrap(), port)), mark: 0, from: None }
}

fn found(packet: &Packet, entries: &[ServiceEntry]) -> Option<(ServiceKey, Match)> {
    explain(packet, entries, &[], &BTreeMap::new()).service.map(|(s, how)| (s.service.key, how))
}

#[test]
fn the_service_is_looked_for_in_the_kernels_order() {
    let mark = ServiceKey::Fwmark { mark: 5, family: Family::Inet };
    let table = [key(80), key(21), key(0), mark].map(|k| service(k, "rr", true, vec![]));
    assert_eq!(found(&to(80), &table), Some((key(80), Match::Exact)));
    assert_eq!(found(&Packet { mark: 5, ..to(80) }, &table), Some((mark, Match::Mark)));
    assert_eq!(found(&Packet { mark: 6, ..to(80) }, &table), Some((key(80), Match::Exact)));
    assert_eq!(found(&to(20), &table), Some((key(21), Match::FtpData)));
    assert_eq!(found(&to(5000), &table), Some((key(21), Match::FtpData)));
    assert_eq!(found(&to(443), &table), Some((key(0), Match::AllPorts)));
    assert_eq!(found(&to(443), &table[..1]), None);
    let udp = Packet { to: Some((Protocol::Udp, VIP.parse().unwrap(), 80)), ..to(80) };
    assert_eq!(found(&udp, &table), None);
    let mark6 = Packet { to: Some((Protocol::Tcp, "fd00::1".parse().unwrap(), 80)), mark: 5, from: None };
    assert_eq!(found(&mark6, &table), None, "a mark's service is of one family");
    assert_eq!(found(&Packet { to: None, mark: 5, from: None }, &table), Some((mark, Match::Mark)));
}

#[test]
fn who_may_be_chosen_and_who_may_not() {
    let chances = |dests: &[DestEntry]| dests.iter().map(chance).collect::<Vec<_>>();
    let dests = [
        dest(1, 1, (0, 0), 1000),
        dest(2, 0, (0, 0), 0),
        dest(3, 1, (100, 50), 100),
        dest(4, 1, (100, 50), 60),
        dest(5, 1, (100, 50), 49),
        dest(6, 1, (100, 0), 75),
        dest(7, 1, (100, 0), 74),
    ];
    use Chance::{BetweenThresholds, Overloaded, WeightZero, Yes};
    assert_eq!(chances(&dests), [Yes, WeightZero, Overloaded, BetweenThresholds, Yes, BetweenThresholds, Yes]);
}

fn said(packet: &Packet, entries: &[ServiceEntry], templates: &[Template], settings: &[(&str, &str)]) -> String {
    let settings = settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    text(packet, &explain(packet, entries, templates, &settings))
}

#[test]
fn the_answer_in_words() {
    let table = [service(key(80), "wlc", false, vec![dest(1, 3, (0, 0), 7), dest(2, 0, (0, 0), 2), dest(3, 1, (10, 0), 12)])];
    assert_eq!(
        said(&to(80), &table, &[], &[("net.ipv4.ip_forward", "0")]),
        "tcp 10.0.0.1:80 takes tcp 10.0.0.1:80 (by address and port).\n  \
         yes 10.0.1.1:80: may be chosen, weight 3\n  \
         no  10.0.1.2:80: weight 0: drained or failed, it keeps its connections and gets no new ones\n  \
         no  10.0.1.3:80: overloaded: 12 connections, its upper threshold is 10; again below 8\n\
         - The scheduler wlc chooses the one with the fewest connections for its weight (an active one counts 256 inactive ones).\n\
         - Address translation: the replies of a real server must come back through the director.\n\
         - net.ipv4.ip_forward is 0: these replies are not passed on.\n\
         - expire_nodest_conn is 0: when a real server is removed from the table, packets of its connections are dropped until they \
         time out or it is back.\n"
    );
    let nobody = said(&to(443), &table, &[], &[]);
    assert_eq!(nobody, "No virtual service takes tcp 10.0.0.1:443: IPVS lets it pass, as if it were not there.\n");
}

#[test]
fn a_client_that_is_bound_to_a_dead_server_and_the_setting_that_frees_it() {
    let table = [service(key(80), "rr", true, vec![dest(1, 0, (0, 0), 0), dest(2, 1, (0, 0), 0)])];
    let template = Template {
        client: "192.168.7.0".parse().unwrap(),
        virtual_server: (VIP.parse().unwrap(), 80),
        dest: ("10.0.1.1".parse().unwrap(), 80),
        expires: 500,
    };
    let packet = Packet { from: Some("192.168.7.9".parse().unwrap()), ..to(80) };
    let stays = said(&packet, &table, &[template], &[]);
    assert!(stays.contains("- This client is bound to 10.0.1.1:80 for another 500 s.\n"), "{stays}");
    assert!(
        stays.contains("expire_quiescent_template is 0: clients bound to a real server of weight 0 go on getting it"),
        "{stays}"
    );
    assert!(stays.contains("all clients that are the same under 255.255.255.0 together"), "{stays}");
    let moves = said(&packet, &table, &[template], &[("net.ipv4.vs.expire_quiescent_template", "1\n")]);
    assert!(moves.contains("the client is scheduled anew"), "{moves}");
    let other = said(&Packet { from: Some("192.168.8.9".parse().unwrap()), ..to(80) }, &table, &[template], &[]);
    assert!(other.contains("This client is not bound to a real server now (it counts as 192.168.8.0)."), "{other}");
}

#[test]
fn a_hash_that_names_a_server_without_weight_and_a_service_without_servers() {
    let table = [service(key(80), "sh", false, vec![dest(1, 0, (0, 0), 0), dest(2, 1, (0, 0), 0)])];
    let text = said(&to(80), &table, &[], &[]);
    assert!(text.contains("sh-fallback would give them another"), "{text}");
    let empty = said(&to(80), &[service(key(80), "rr", false, vec![])], &[], &[]);
    assert!(empty.contains("It has no real servers.\n- No real server can be chosen: the client is told"), "{empty}");
}
