//! One life of a cluster, drawn from a seed: nodes that start, faults, and the order that must be there once they end.

use lvs_ha::cluster::io::{Command, View};
use lvs_ha::config::settings::Failback;

use super::{Chance, DEADTIME, KEEPALIVE, LONGEST_SCRIPT, SECOND, Weather, World, random_set};

/// Every group is held by one machine, every running node is at rest and agrees with the others.
pub(crate) fn in_order(world: &World) -> Result<(), String> {
    for group in 0..world.group_count() {
        let owners = world.owners(group);
        if owners.len() != 1 {
            return Err(format!("group {group} is held by {owners:?}"));
        }
    }
    let views: Vec<View> = (0..world.count()).filter_map(|m| world.node(m)).map(|n| n.view()).collect();
    let owners = |v: &View| v.groups.iter().map(|g| g.owner.clone()).collect::<Vec<_>>();
    for view in &views {
        if !view.stable {
            return Err(format!("not at rest: {view:?}"));
        }
        if owners(view) != owners(&views[0]) {
            return Err(format!("nodes disagree: {:?} and {:?}", owners(view), owners(&views[0])));
        }
    }
    Ok(())
}

pub(crate) fn expect_order(world: &World) {
    if let Err(why) = in_order(world) {
        panic!("at the end {why}");
    }
}

/// One life of a cluster.
pub(crate) fn live(seed: u64, trace: bool) {
    let mut dice = Chance::new(seed ^ 0xABCD_EF01);
    let nodes = match dice.range(0, 20) {
        0..14 => 2,
        14..19 => 3,
        _ => dice.range(4, 6),
    };
    let count = usize::try_from(dice.range(1, 4)).unwrap();
    let groups: Vec<usize> = (0..count).map(|_| usize::try_from(dice.range(0, nodes)).unwrap()).collect();
    let failback = match dice.range(0, 10) {
        0..5 => Failback::On,
        5..8 => Failback::Off,
        _ => Failback::Legacy,
    };
    let links = if dice.percent(20) { 2 } else { 1 };
    let mut world = World::new(seed, usize::try_from(nodes).unwrap(), &groups, failback, links);
    world.trace = trace;
    // Old and new nodes in one cluster.
    let plain = [0, 0, 50, 100][usize::try_from(dice.range(0, 4)).unwrap()];
    for machine in 0..world.count() {
        if dice.percent(plain) {
            world.speak_plainly(machine);
        }
    }
    if trace {
        println!("seed {seed}: {nodes} nodes, groups of {groups:?}, failback {failback:?}, {links} links");
    }
    // Worlds without partitions, heavy loss and sleep are never excused.
    let kind = dice.range(0, 4);
    let fails = dice.percent(10);
    if fails {
        world.failing_starts = 20;
    }
    if dice.percent(80) {
        world.weather = Weather { loss: dice.range(0, 3), twice: dice.range(0, 20), delay: dice.range(1_000, 120_000) };
    }
    for machine in 0..world.count() {
        world.boot(machine);
        let wait = if dice.percent(50) { dice.range(0, 300_000) } else { dice.range(2 * SECOND, 4 * SECOND) };
        world.run(wait);
    }
    if dice.percent(60) {
        world.run(11 * SECOND);
    }
    for _ in 0..dice.range(2, 7) {
        fault(&mut world, &mut dice, kind);
        let wait = if dice.percent(40) { dice.range(0, SECOND) } else { dice.range(SECOND, 5 * SECOND) };
        world.run(wait);
    }
    // The faults end; everybody is there again.
    calm(&mut world);
    while (0..world.count()).any(|m| world.is_stopping(m)) {
        world.run(SECOND);
    }
    for machine in 0..world.count() {
        world.boot(machine);
    }
    // A restart, its 10 s pause and a handshake; after a failed start half a minute, twice.
    let bound = if world.failed_starts > 0 { 100 } else { 27 };
    let to_the_end = dice.percent(10);
    for _ in 0..bound {
        world.run(SECOND);
        let all_there = (0..world.count()).all(|m| world.is_awake(m));
        if !to_the_end && all_there && in_order(&world).is_ok() {
            break;
        }
    }
    expect_order(&world);
    let victim = usize::try_from(dice.range(0, nodes)).unwrap();
    world.crash(victim);
    world.run(DEADTIME + 3 * SECOND + 2 * KEEPALIVE + 2 * LONGEST_SCRIPT);
    expect_order(&world);
    // No silence here is so long that a message cannot be sent again.
    let lost = world.log.iter().find(|(.., text)| text.starts_with("Irretrievably lost"));
    assert_eq!(lost, None);
}

pub(crate) fn calm(world: &mut World) {
    world.weather = Weather { delay: 2_000, ..Weather::default() };
    world.failing_starts = 0;
    for from in 0..world.count() {
        for to in 0..world.count() {
            world.set_cut(from, to, false);
        }
    }
}

fn fault(world: &mut World, dice: &mut Chance, kind: u64) {
    let count = u64::try_from(world.count()).unwrap();
    let machine = usize::try_from(dice.range(0, count)).unwrap();
    let other = (machine + 1) % world.count();
    match dice.range(0, if kind == 0 { 12 } else { 9 }) {
        0 => world.crash(machine),
        1 => {
            // Power loss and back, often faster than the dead time.
            world.crash(machine);
            let wait = dice.range(100_000, 2 * SECOND);
            world.run(wait);
            world.boot(machine);
        }
        2 => world.command(machine, Command::Stop),
        3 => {
            let set = random_set(dice);
            world.command(machine, Command::Standby(set));
        }
        4 => {
            let set = random_set(dice);
            world.command(machine, Command::Takeover(set));
        }
        5 | 6 => world.boot(machine),
        7 => {
            let group = usize::try_from(dice.range(0, u64::try_from(world.group_count()).unwrap())).unwrap();
            world.broken(machine, group);
            if dice.percent(50) {
                let wait = dice.range(0, 2 * SECOND);
                world.run(wait);
                world.mended(machine, group);
            }
        }
        8 => world.command(machine, Command::Succeed),
        9 => {
            // Links break, in one direction or both, and are mended after a while.
            let both = dice.percent(70);
            world.set_cut(machine, other, true);
            if both {
                world.set_cut(other, machine, true);
            }
            let wait = dice.range(200_000, 6 * SECOND);
            world.run(wait);
            world.set_cut(machine, other, false);
            world.set_cut(other, machine, false);
        }
        10 => {
            let length = dice.range(100_000, 3 * SECOND);
            world.pause(machine, length);
        }
        _ => {
            let before = world.weather;
            world.weather.loss = dice.range(10, 60);
            let wait = dice.range(SECOND, 4 * SECOND);
            world.blind(wait);
            world.run(wait);
            world.weather = before;
        }
    }
}
