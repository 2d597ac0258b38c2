//! Changes of a table as a whole, through the client and a kernel that fails when it is told to: whatever fails, the table is
//! the one before or the one after.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use lvs_ha::ipvs::client::Client;
use lvs_ha::ipvs::diff::diff;
use lvs_ha::ipvs::fake::{Fault, Kernel};
use lvs_ha::ipvs::model::{
    Command, Dest, DestKey, Forward, Protocol, Service, ServiceFlags, ServiceKey, Table, TableService, Tunnel,
};
use lvs_ha::ipvs::transaction::{Failure, Kernel as _, carry_out};

/// `ENOMEM` of `asm-generic/errno-base.h`.
const NO_MEMORY: i32 = 12;

fn service(n: u8, scheduler: &str, reals: &[(u8, u32)]) -> (ServiceKey, TableService) {
    let key = ServiceKey::Addr { protocol: Protocol::Tcp, addr: [10, 0, 0, n].into(), port: 80 };
    let service =
        Service { key, scheduler: scheduler.to_owned(), flags: ServiceFlags::default(), persistence: None, engine: None };
    let dest = |&(host, weight): &(u8, u32)| {
        let key = DestKey { addr: [10, 0, 1, host].into(), port: 80 };
        (key, Dest { key, forward: Forward::Gate, weight, upper: 0, lower: 0, tunnel: Tunnel::default() })
    };
    (key, TableService { service, dests: reals.iter().map(dest).collect() })
}

fn before() -> Table {
    Table {
        services: [service(1, "rr", &[(1, 1), (2, 1)]), service(2, "wlc", &[(1, 1), (2, 0)]), service(3, "rr", &[(1, 1)])].into(),
    }
}

/// Another scheduler, a weight, a real server less and one more, a service less and one more.
fn after() -> Table {
    Table {
        services: [
            service(1, "wrr", &[(1, 5), (3, 1)]),
            service(2, "wlc", &[(1, 1), (2, 0)]),
            service(4, "lc", &[(7, 1), (8, 2)]),
        ]
        .into(),
    }
}

/// A kernel with the table before, and what makes the other one of it.
fn set_up() -> (Kernel, Table, Vec<Command>) {
    let kernel = Kernel::new();
    let mut client = Client::over(kernel.socket()).unwrap();
    let fill = diff(&Table::default(), &before(), &Default::default());
    assert_eq!(client.apply(&fill).unwrap().failed, []);
    let table = client.table().unwrap();
    assert_eq!(table, before());
    let owned = table.services.keys().copied().collect();
    let commands = diff(&table, &after(), &owned);
    (kernel, table, commands)
}

#[test]
fn whichever_request_is_refused_the_table_is_as_it_was() {
    let count = set_up().2.len();
    assert!(count >= 8, "{count} commands");
    for nth in 0..count {
        let (kernel, table, commands) = set_up();
        let mut client = Client::over(kernel.socket()).unwrap();
        kernel.fail(nth, Fault::Refuse(NO_MEMORY));
        let failure = carry_out(&mut client, &table, &commands).unwrap_err();
        let Failure::RolledBack { refused } = failure else { panic!("request {nth}: {failure}") };
        assert_eq!(refused[0].errno, NO_MEMORY, "request {nth}");
        assert_eq!(client.table().unwrap(), before(), "request {nth} was refused");
    }
}

#[test]
fn without_a_failure_the_table_is_the_other_one() {
    let (kernel, table, commands) = set_up();
    let mut client = Client::over(kernel.socket()).unwrap();
    carry_out(&mut client, &table, &commands).unwrap();
    assert_eq!(client.table().unwrap(), after());
}

#[test]
fn whichever_answer_is_lost_there_is_never_half_a_table() {
    let count = set_up().2.len();
    for nth in 0..count {
        let (kernel, table, commands) = set_up();
        let mut client = Client::over(kernel.socket()).unwrap();
        kernel.fail(nth, Fault::Overrun);
        match carry_out(&mut client, &table, &commands) {
            Ok(()) => assert_eq!(client.table().unwrap(), after(), "answer {nth} was lost"),
            Err(failure @ Failure::Lost { restored: true, .. }) => {
                assert_eq!(client.table().unwrap(), before(), "answer {nth} was lost: {failure}");
            }
            Err(failure) => panic!("answer {nth}: {failure}"),
        }
    }
}
