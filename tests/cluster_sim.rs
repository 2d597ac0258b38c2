//! The cluster core in a seeded world of faults (`sim`): whatever happens, a group never has two owners that can hear each
//! other, and once the faults end every group has one.
//!
//! `LVS_HA_SIM_SEEDS=n` sets the number of seeds, `LVS_HA_SIM_SEED=n` replays one and prints what happens.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind};

use lvs_ha::cluster::io::{Command, Set};
use lvs_ha::config::settings::Failback;
use sim::life::{expect_order, live};
use sim::{KEEPALIVE, LONGEST_SCRIPT, SECOND, World};

const SEEDS: u64 = 10_000;
const THREADS: u64 = 2;

/// A two-node world with one group of each node, both daemons running and every group at home.
fn pair(seed: u64, failback: Failback) -> World {
    world_of_two(World::new(seed, 2, &[0, 1], failback, 1))
}

/// The same, speaking Heartbeat's words only.
fn plain_pair(seed: u64, failback: Failback) -> World {
    let mut world = World::new(seed, 2, &[0, 1], failback, 1);
    world.speak_plainly(0);
    world.speak_plainly(1);
    world_of_two(world)
}

fn world_of_two(mut world: World) -> World {
    world.trace = std::env::var_os("LVS_HA_SIM_TRACE").is_some();
    world.boot(0);
    world.boot(1);
    world.run(14 * SECOND);
    expect_owners(&world, &[Some(0), Some(1)]);
    world
}

fn expect_owners(world: &World, owners: &[Option<usize>]) {
    for (group, owner) in owners.iter().enumerate() {
        assert_eq!(world.owners(group), owner.iter().copied().collect::<Vec<_>>(), "owners of group {group}");
    }
}

#[test]
fn groups_have_one_owner_whatever_happens() {
    if let Ok(seed) = std::env::var("LVS_HA_SIM_SEED") {
        live(seed.parse().expect("LVS_HA_SIM_SEED is a number"), true);
        return;
    }
    let seeds = std::env::var("LVS_HA_SIM_SEEDS").map_or(SEEDS, |n| n.parse().expect("LVS_HA_SIM_SEEDS is a number"));
    let some = |thread: u64| {
        let mut failed = Vec::new();
        for seed in (thread..seeds).step_by(usize::try_from(THREADS).unwrap()) {
            if let Err(why) = catch_unwind(AssertUnwindSafe(|| live(seed, false))) {
                let text = why.downcast_ref::<String>().cloned().or_else(|| why.downcast_ref::<&str>().map(|s| (*s).into()));
                failed.push((seed, text.unwrap_or_default()));
                if failed.len() > 20 {
                    break;
                }
            }
        }
        failed
    };
    let failed: Vec<(u64, String)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || some(t))).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    for (seed, why) in &failed {
        println!("seed {seed}: {why}");
    }
    assert!(failed.is_empty(), "{} of {seeds} seeds failed; LVS_HA_SIM_SEED=n replays one", failed.len());
}

#[test]
fn a_pair_starts_and_a_crash_is_taken_over() {
    let mut world = pair(1, Failback::On);
    world.crash(0);
    world.run(3 * SECOND);
    expect_owners(&world, &[Some(1), Some(1)]);
    world.boot(0);
    world.run(8 * SECOND);
    expect_owners(&world, &[Some(0), Some(1)]);
}

/// Both groups of a node are broken at the same moment.
#[test]
fn groups_that_are_broken_together_move_together() {
    for plain in [false, true] {
        let mut world = World::new(31, 2, &[0, 0, 1], Failback::On, 1);
        world.trace = std::env::var_os("LVS_HA_SIM_TRACE").is_some();
        if plain {
            world.speak_plainly(0);
            world.speak_plainly(1);
        }
        world.boot(0);
        world.boot(1);
        world.run(14 * SECOND);
        world.broken(0, 0);
        world.broken(0, 1);
        world.run(3 * SECOND);
        expect_owners(&world, &[Some(1), Some(1), Some(1)]);
    }
}

/// Nobody else is there at first. What was mended meanwhile stays, what was not goes as soon as somebody is.
#[test]
fn a_broken_group_waits_for_a_node_that_can_take_it() {
    let mut world = World::new(32, 2, &[0, 0], Failback::Off, 1);
    world.boot(0);
    world.run(40 * SECOND);
    world.broken(0, 0);
    world.broken(0, 1);
    world.run(5 * SECOND);
    expect_owners(&world, &[Some(0), Some(0)]);
    world.mended(0, 1);
    world.boot(1);
    world.run(14 * SECOND);
    expect_owners(&world, &[Some(1), Some(0)]);
    let moves = world.log.iter().filter(|(.., text)| text.contains("is to move to another node")).count();
    assert_eq!(moves, 2, "told once each");
}

#[test]
fn a_partition_is_not_handed_on_to_a_next_run() {
    for (plain, failback) in [(true, Failback::On), (true, Failback::Legacy), (false, Failback::On), (false, Failback::Off)] {
        let mut world = if plain { plain_pair(34, failback) } else { pair(34, failback) };
        // One takes over from the other, which has noticed nothing.
        world.set_cut(0, 1, true);
        world.run(3 * SECOND);
        world.set_cut(0, 1, false);
        world.run(300_000);
        world.command(1, Command::Succeed);
        world.run(60 * SECOND);
        expect_order(&world);
    }
}

/// The next run of a node holds what the last one held; nothing is stopped, started or taken over.
#[test]
fn a_next_run_keeps_what_it_finds() {
    for (plain, failback) in [(false, Failback::On), (true, Failback::On), (false, Failback::Off), (true, Failback::Off)] {
        let mut world = if plain { plain_pair(33, failback) } else { pair(33, failback) };
        world.crash(1);
        world.run(4 * SECOND);
        expect_owners(&world, &[Some(0), Some(0)]);
        let scripts = |world: &World| world.log.iter().filter(|(.., text)| text.starts_with("Resource group")).count();
        let before = scripts(&world);
        world.command(0, Command::Succeed);
        world.run(15 * SECOND);
        expect_order(&world);
        assert_eq!(scripts(&world), before, "plain {plain}, {failback:?}");
        // On loan is still on loan.
        world.boot(1);
        world.run(14 * SECOND);
        expect_owners(&world, &[Some(0), Some(usize::from(failback == Failback::On))]);
        let before = scripts(&world);
        world.command(1, Command::Succeed);
        world.run(3 * SECOND);
        expect_order(&world);
        assert_eq!(scripts(&world), before, "plain {plain}, {failback:?}, with a partner");
    }
}

#[test]
fn without_failback_a_group_stays() {
    let mut world = pair(2, Failback::Off);
    world.crash(0);
    world.run(3 * SECOND);
    world.boot(0);
    world.run(8 * SECOND);
    expect_owners(&world, &[Some(1), Some(1)]);
}

#[test]
fn a_stop_hands_over_and_standby_moves() {
    let mut world = pair(3, Failback::On);
    world.command(0, Command::Standby(Set::All));
    world.run(3 * SECOND);
    expect_owners(&world, &[Some(1), Some(1)]);
    world.command(0, Command::Takeover(Set::Local));
    world.run(3 * SECOND);
    expect_owners(&world, &[Some(0), Some(1)]);
    world.command(1, Command::Stop);
    world.run(6 * SECOND);
    expect_owners(&world, &[Some(0), Some(0)]);
    assert!(!world.is_on(1));
}

/// The giver must not take back what it has just given because the taker's report is still on the way, and a taker that loses
/// power and comes back at once must not start what the giver is still stopping.
#[test]
fn a_crash_in_the_middle_of_a_handshake() {
    for crash_after in (0..1_800_000).step_by(60_000) {
        for back_after in [40_000, 300_000, 900_000] {
            let mut world = pair(4, Failback::On);
            world.weather.delay = 60_000;
            world.command(0, Command::Standby(Set::All));
            world.run(crash_after);
            world.crash(1);
            world.run(back_after);
            world.boot(1);
            world.run(25 * SECOND);
            expect_order(&world);
        }
    }
}

#[test]
fn a_giver_that_crashes_leaves_no_group_behind() {
    for crash_after in (0..1_800_000).step_by(60_000) {
        let mut world = pair(5, Failback::On);
        world.command(0, Command::Standby(Set::All));
        world.run(crash_after);
        world.crash(0);
        world.run(6 * SECOND);
        expect_owners(&world, &[Some(1), Some(1)]);
    }
}

/// Without reports: each node asks for its groups, and gets them back from whoever took them.
#[test]
fn in_legacy_mode_groups_go_home() {
    let mut world = pair(14, Failback::Legacy);
    world.command(0, Command::Standby(Set::All));
    world.run(3 * SECOND);
    expect_owners(&world, &[Some(0), Some(1)]);
    assert!(world.log.iter().any(|(.., text)| text == "Standby mode only implemented when nice_failback on"));
    world.crash(0);
    world.run(4 * SECOND);
    expect_owners(&world, &[Some(1), Some(1)]);
    world.boot(0);
    world.run(6 * SECOND);
    expect_owners(&world, &[Some(0), Some(1)]);
    world.command(1, Command::Stop);
    world.run(6 * SECOND);
    expect_owners(&world, &[Some(0), Some(0)]);
    world.boot(1);
    world.run(6 * SECOND);
    expect_order(&world);
    expect_owners(&world, &[Some(0), Some(1)]);
}

/// Half a minute of patience after a failed start is for a group that another node may run, not for one nobody else can.
#[test]
fn a_failed_start_is_tried_again_when_the_other_node_is_gone() {
    let mut world = pair(6, Failback::On);
    world.failing_starts = 100;
    world.command(0, Command::Standby(Set::All));
    world.run(4 * SECOND);
    expect_owners(&world, &[None, Some(1)]);
    world.failing_starts = 0;
    world.crash(0);
    world.run(4 * SECOND);
    expect_owners(&world, &[Some(1), Some(1)]);
}

/// A group that fails to start is not lost: half a minute later it is offered to the other node.
#[test]
fn a_group_that_does_not_start_is_passed_on() {
    let mut world = pair(7, Failback::Off);
    world.crash(0);
    world.run(3 * SECOND);
    world.boot(0);
    world.run(3 * SECOND);
    world.failing_starts = 100;
    world.command(1, Command::Standby(Set::Foreign));
    world.run(3 * SECOND);
    assert_eq!(world.owners(0), [0_usize; 0]);
    world.failing_starts = 0;
    world.run(32 * SECOND);
    expect_order(&world);
}

/// Whoever slept through its dead time has been replaced: it lets go before it speaks, and joins as a new run.
#[test]
fn a_node_that_slept_lets_go_and_comes_back() {
    let mut world = pair(8, Failback::On);
    world.pause(0, 3 * SECOND);
    world.run(2_900_000);
    assert_eq!(world.owners(0), [0, 1], "its resources stay while it sleeps, and are taken over");
    world.run(SECOND);
    assert_eq!(world.owners(0), [1]);
    assert!(world.log.iter().any(|(_, on, _, text)| *on == 0 && text.contains("No local heartbeat")));
    world.run(12 * SECOND);
    expect_owners(&world, &[Some(0), Some(1)]);
    let partition = world.log.iter().any(|(.., text)| text.contains("returning after partition"));
    assert!(!partition, "a node that slept must not look like a healed partition");
}

/// Late by less than the dead time is no reason for anything.
#[test]
fn a_short_sleep_changes_nothing() {
    let mut world = pair(9, Failback::On);
    let before = world.log.len();
    world.pause(0, 700_000);
    world.run(5 * SECOND);
    expect_owners(&world, &[Some(0), Some(1)]);
    let texts: Vec<&str> = world.log[before..].iter().map(|l| l.3.as_str()).filter(|t| !t.contains("Late heartbeat")).collect();
    assert_eq!(texts, [""; 0]);
}

/// Two nodes that never heard each other both hold everything when the links come up: that is a partition as well.
#[test]
fn nodes_that_started_apart_find_together() {
    let mut world = World::new(10, 2, &[0, 1], Failback::On, 1);
    world.trace = std::env::var_os("LVS_HA_SIM_TRACE").is_some();
    world.set_cut(0, 1, true);
    world.set_cut(1, 0, true);
    world.boot(0);
    world.boot(1);
    world.run(6 * SECOND);
    assert_eq!((world.owners(0), world.owners(1)), (vec![0, 1], vec![0, 1]));
    world.set_cut(0, 1, false);
    world.set_cut(1, 0, false);
    world.run(25 * SECOND);
    expect_owners(&world, &[Some(0), Some(1)]);
}

/// Two of our nodes start together: nobody waits for anybody else.
#[test]
fn two_of_ours_start_without_the_wait() {
    for mode in [Failback::On, Failback::Off, Failback::Legacy] {
        let mut world = World::new(15, 2, &[0, 1], mode, 1);
        world.boot(0);
        world.run(300_000);
        world.boot(1);
        world.run(4 * SECOND);
        expect_owners(&world, &[Some(0), Some(1)]);
        expect_order(&world);
    }
}

/// Between two of our nodes a healed partition ends without a restart, at once, with every group at home.
#[test]
fn a_healed_partition_of_ours_is_sorted_out() {
    for (from, to) in [(0, 1), (1, 0)] {
        for both in [true, false] {
            let mut world = pair(16, Failback::On);
            world.set_cut(from, to, true);
            world.set_cut(to, from, both);
            world.run(4 * SECOND);
            assert!(world.owners(0).len() + world.owners(1).len() > 2, "both have what the other has");
            world.set_cut(from, to, false);
            world.set_cut(to, from, false);
            // The next heartbeat, and a script.
            world.run(KEEPALIVE + LONGEST_SCRIPT + 100_000);
            expect_owners(&world, &[Some(0), Some(1)]);
            world.run(2 * SECOND);
            expect_order(&world);
            assert!((0..2).all(|m| world.is_awake(m)), "nobody restarts");
            // Clients believe a group where it is no more: whoever keeps it says so at once, and again when the other is done.
            for group in 0..2 {
                let told: Vec<_> = world.announced.iter().filter(|(_, g)| *g == group).map(|(by, _)| *by).collect();
                assert!((!both || told.contains(&group)) && told.iter().all(|by| *by == group), "{:?}", world.announced);
            }
        }
    }
}

/// With one of our like a group moves alone: the other group of its node stays where it is.
#[test]
fn a_group_that_does_not_start_moves_alone() {
    let mut world = World::new(17, 2, &[0, 0, 1], Failback::Off, 1);
    world.trace = std::env::var_os("LVS_HA_SIM_TRACE").is_some();
    world.failing_group = Some(0);
    world.boot(0);
    world.boot(1);
    world.run(5 * SECOND);
    assert_eq!(world.owners(0), [1], "the one that starts");
    world.failing_group = None;
    world.run(32 * SECOND);
    expect_owners(&world, &[Some(1), Some(0), Some(1)]);
}

/// A healed partition restarts both, as the original's nodes do.
#[test]
fn a_healed_partition_restarts_both() {
    let mut world = plain_pair(11, Failback::On);
    world.set_cut(0, 1, true);
    world.set_cut(1, 0, true);
    world.run(4 * SECOND);
    assert_eq!((world.owners(0), world.owners(1)), (vec![0, 1], vec![0, 1]));
    world.set_cut(0, 1, false);
    world.set_cut(1, 0, false);
    world.run(25 * SECOND);
    expect_owners(&world, &[Some(0), Some(1)]);
    let restarts = world.log.iter().filter(|(.., text)| text == "Cluster node alpha returning after partition.").count();
    assert_eq!(restarts, 1);
}

/// Of three nodes the next in line takes a dead node's group, and only that one.
#[test]
fn of_three_nodes_one_takes_over() {
    let mut world = World::new(12, 3, &[0, 1, 2, 2], Failback::On, 1);
    world.trace = std::env::var_os("LVS_HA_SIM_TRACE").is_some();
    for machine in 0..3 {
        world.boot(machine);
    }
    world.run(16 * SECOND);
    expect_owners(&world, &[Some(0), Some(1), Some(2), Some(2)]);
    world.crash(2);
    world.run(5 * SECOND);
    expect_owners(&world, &[Some(0), Some(1), Some(0), Some(0)]);
    world.boot(2);
    world.run(10 * SECOND);
    expect_owners(&world, &[Some(0), Some(1), Some(2), Some(2)]);
    world.crash(0);
    world.run(5 * SECOND);
    expect_owners(&world, &[Some(1), Some(1), Some(2), Some(2)]);
}

/// A stop is not kept waiting by a request that nobody answers.
#[test]
fn a_stop_does_not_wait_for_an_answer() {
    let mut world = pair(13, Failback::On);
    world.set_cut(0, 1, true);
    world.command(0, Command::Standby(Set::All));
    world.command(0, Command::Stop);
    world.run(5 * SECOND);
    assert!(!world.is_on(0));
}

/// Just after a node has taken everything another one joins, and hears what it said in another order.
#[test]
fn who_joins_in_the_moment_of_a_takeover_takes_nothing() {
    for seed in 0..300 {
        let mut world = World::new(seed, 2, &[0, 1], Failback::Off, 1);
        world.trace = std::env::var_os("LVS_HA_SIM_TRACE").is_some();
        world.weather.delay = 120_000;
        world.boot(0);
        // `initdead` of the first node ends at two seconds.
        world.run(2 * SECOND - 20_000 + seed % 10 * 10_000);
        world.boot(1);
        world.run(14 * SECOND);
        expect_order(&world);
    }
}
