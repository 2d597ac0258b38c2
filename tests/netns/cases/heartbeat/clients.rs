//! Programs beside heartbeat: `respawn`, the scripts of `rc.d`, `#lvs-ha: notify`, the FIFO, ipfail.

use anyhow::ensure;

use super::pair::{HEARTBEAT, PATIENCE, Pair, Setup, log_lines};
use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::Product;

pub const CASES: &[Case] = &[
    Case::new("heartbeat/respawn, rc.d, notify and the FIFO", Kernel::Any, programs).slow(),
    Case::new("heartbeat/ipfail moves resources to the side that sees more", Kernel::Any, ipfail_ours).slow(),
    Case::new("heartbeat/ipfail with the original's on the other side", Kernel::Any, ipfail_mixed).originals().slow(),
];

/// Adds lines to a host's ha.cf.
pub(super) fn configure(host: &Host, lines: &str) -> Result<(), Failure> {
    let text = host.read_file("/etc/ha.d/ha.cf")?;
    host.write_file("/etc/ha.d/ha.cf", &format!("{text}{lines}"))
}

/// Waits until a file of the host has this text.
pub(super) fn written(host: &Host, file: &str, text: &str) -> Result<(), Failure> {
    wait_for(&format!("{text:?} in {file} of {}", host.name()), PATIENCE, || {
        let seen = host.read_file(file).unwrap_or_default();
        if seen.contains(text) {
            return Ok(Ok(()));
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        Ok(Err(seen))
    })
}

fn programs(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    for host in pair.both() {
        host.write_file_mode(
            "/usr/local/bin/child",
            "#!/bin/sh\ntrap 'echo told to end >>/var/log/child; exit 0' TERM\n\
             echo \"$$ $1 $2 as $(id -un):$(id -G) for $HA_CURHOST with $HA_cheese\" >>/var/log/child\nwhile :; do sleep 0.1; done\n",
            0o755,
        )?;
        host.write_file_mode("/usr/local/bin/over", "#!/bin/sh\necho over >>/var/log/over\nexit 100\n", 0o755)?;
        let tell = "#!/bin/sh\necho \"$LVS_HA_EVENT $LVS_HA_NODE $LVS_HA_STATUS $LVS_HA_GROUP: $LVS_HA_TEXT\" >>/var/log/told\n";
        host.write_file_mode("/usr/local/bin/tell", tell, 0o755)?;
        let script = "#!/bin/sh\necho \"$1 $HA_t $HA_src $HA_st $HA_word $HA_CURHOST $HA_NICEFAILBACK\" >>/var/log/rc.d\n";
        host.write_file_mode("/etc/ha.d/rc.d/status", script, 0o755)?;
        host.write_file_mode("/etc/ha.d/rc.d/hello", script, 0o755)?;
        let original = "#!/bin/sh\necho bad >/var/log/original\n$HA_NOARCHBIN/mach_down $HA_src\n";
        host.write_file_mode("/etc/ha.d/rc.d/hb_takeover", original, 0o755)?;
        configure(
            host,
            "respawn root /usr/local/bin/child \"a b\" c\nrespawn root /usr/local/bin/over\nenv cheese=stilton\n\
             #lvs-ha: notify /usr/local/bin/tell\n",
        )?;
    }
    pair.start()?;
    let alpha = pair.alpha;
    written(alpha, "/var/log/child", " a b c as root:0 for alpha with stilton")?;
    alpha.run("kill -9 $(head -n 1 /var/log/child | cut -d ' ' -f 1)")?.ok()?;
    wait_for("a second life of the child", PATIENCE, || {
        let lives = alpha.read_file("/var/log/child")?.lines().count();
        Ok(if lives == 2 { Ok(()) } else { Err(lives.to_string()) })
    })?;
    let killed = log_lines(alpha, "killed by signal 9")?;
    ensure!(killed.len() == 1 && killed[0].contains("Managed /usr/local/bin/child"), "{killed:?}");

    written(alpha, "/var/log/rc.d", "status status beta active  alpha yes\n")?;
    alpha.run("printf '>>>\\nt=hello\\nword=cheese\\n<<<\\n' >/var/lib/heartbeat/fifo")?.ok()?;
    for host in pair.both() {
        written(host, "/var/log/rc.d", &format!("hello hello alpha  cheese {} yes\n", host.name()))?;
    }
    alpha.run("printf '>>>\\nt=ask_resources\\nrsc_hold=all\\ninfo=me\\n<<<\\n' >/var/lib/heartbeat/fifo")?.ok()?;
    pair.owned("beta", "beta")?;
    written(
        alpha,
        "/var/log/told",
        "group   IPaddr2::10.9.0.101/24/eth0: Resource group IPaddr2::10.9.0.101/24/eth0 released: ",
    )?;
    super::pair::ask(alpha, "hb_takeover local")?;
    pair.owned("alpha", "beta")?;
    ensure!(alpha.read_file("/var/log/original").is_err(), "the original's rc.d/hb_takeover was run");

    alpha.run(&format!("{HEARTBEAT} -k"))?.ok()?;
    ensure!(alpha.read_file("/var/log/child")?.ends_with("told to end\n"), "{}", alpha.read_file("/var/log/child")?);
    ensure!(alpha.read_file("/var/log/over")? == "over\n", "a program that ended with 100 was started again");
    written(pair.beta, "/var/log/told", "node alpha dead : node alpha: is dead")
}

fn ipfail_ours(lab: &mut Lab) -> Result<(), Failure> {
    ipfail(lab, [Product::LvsHa; 2])
}

fn ipfail_mixed(lab: &mut Lab) -> Result<(), Failure> {
    ipfail(lab, [Product::LvsHa, Product::Originals])
}

/// The ping node's address is beta's own, so that alpha can lose it and beta not.
fn ipfail(lab: &mut Lab, products: [Product; 2]) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup { products, ..Setup::default() })?;
    for host in pair.both() {
        configure(host, "ping 10.9.0.9\ndeadping 2\nrespawn hacluster /usr/lib/heartbeat/ipfail\n")?;
        if host.machine().product == Product::Originals {
            let text = host.read_file("/etc/ha.d/ha.cf")?.replace("/usr/lib/heartbeat/", "/usr/libexec/heartbeat/");
            host.write_file("/etc/ha.d/ha.cf", &text)?;
        }
    }
    pair.beta.run("ip addr add 10.9.0.9/24 dev eth0")?.ok()?;
    pair.start()?;
    pair.alpha.run("ip route add blackhole 10.9.0.9/32")?.ok()?;
    pair.owned("beta", "beta")?;
    let why = log_lines(pair.alpha, "ipfail: ")?;
    ensure!(why.iter().any(|l| l.contains("Asking other side for ping node count.")), "{why:#?}");
    pair.one_owner_at_a_time()?;
    // Both see it again: with auto_failback on, beta gives alpha's group back.
    pair.alpha.run("ip route del blackhole 10.9.0.9/32")?.ok()?;
    pair.owned("alpha", "beta")?;
    pair.one_owner_at_a_time()
}
