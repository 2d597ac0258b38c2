//! ipvsadm on a real kernel: our listings are the original's, byte for byte, of tables that the original made; command lines
//! do what they do in the original; and what goes beyond it.

mod beside;
mod crowd;
mod replay;
mod whole;

use anyhow::ensure;

use crate::host::executable;
use crate::lab::Lab;
use crate::runner::{Case, Failure, Kernel};
use crate::table::{Machine, Product};

pub const CASES: &[Case] = &[
    Case::new("ipvsadm/listings are the original's", Kernel::Ipvs, listings).originals(),
    Case::new("ipvsadm/any command line does what it does in the original", Kernel::Ipvs, beside::some).originals(),
    Case::new("ipvsadm/five hundred command lines do what they do in the original", Kernel::Ipvs, beside::many)
        .originals()
        .long(),
    Case::new("ipvsadm/restore changes what differs, or nothing", Kernel::Ipvs, whole::restore),
    Case::new("ipvsadm/a file is compared and applied", Kernel::Ipvs, whole::apply),
    Case::new("ipvsadm/the original's cases, replayed: 1 of 4", Kernel::Ipvs, replay::recorded::<1>),
    Case::new("ipvsadm/the original's cases, replayed: 2 of 4", Kernel::Ipvs, replay::recorded::<2>),
    Case::new("ipvsadm/the original's cases, replayed: 3 of 4", Kernel::Ipvs, replay::recorded::<3>),
    Case::new("ipvsadm/the original's cases, replayed: 4 of 4", Kernel::Ipvs, replay::recorded::<4>),
    Case::new("ipvsadm/a table of another network namespace", Kernel::Ipvs, replay::elsewhere),
    Case::new("ipvsadm/what stays is listed once while others change the table", Kernel::Ipvs, crowd::changing),
    Case::new("ipvsadm/twenty thousand real servers come back as they were", Kernel::Ipvs, crowd::large),
    Case::new("ipvsadm/boot does what Debian's files say", Kernel::Ipvs, whole::boot),
];

/// What one command of the original each puts into the table.
const TABLE: &[&str] = &[
    "-A -t 172.25.60.200:80 -s rr",
    "-a -t 172.25.60.200:80 -r 172.25.60.12:80 -g",
    "-a -t 172.25.60.200:80 -r 172.25.60.13:80 -g -w 5",
    "-A -u 172.25.60.200:53 -s wlc -p 600 -M 255.255.255.0",
    "-a -u 172.25.60.200:53 -r 172.25.60.12:5353 -m -w 0",
    "-A -f 7 -s lc",
    "-a -f 7 -r 172.25.60.13:0 -i -x 100 -y 10",
    "-A -t [fd00::200]:443 -s sh -b sh-port",
    "-a -t [fd00::200]:443 -r [fd00::12]:443 -m",
];

/// Goes in: an empty table, then the one above. Must come out: the same text and exit status of both programs.
fn listings(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("server10", "172.25.60.10/24").product(Product::Originals)])?;
    let host = lab.host("server10")?;
    let compare = |options: &str| -> Result<(), Failure> {
        let original = host.run(&format!("ipvsadm {options}"))?;
        let ours = host.run(&format!("{} ipvsadm {options}", executable().display()))?;
        ensure!(
            (original.code, &original.out, &original.err) == (ours.code, &ours.out, &ours.err),
            "ipvsadm {options}: the original ended with {}:\n{}ours with {}:\n{}",
            original.code,
            original.text(),
            ours.code,
            ours.text()
        );
        Ok(())
    };
    compare("-Ln")?;
    for line in TABLE {
        host.run(&format!("ipvsadm {line}"))?.ok()?;
    }
    let seen = host.run("ipvsadm -Ln")?.ok()?;
    ensure!(seen.lines().count() == 3 + TABLE.len(), "the table is not the one that was made:\n{seen}");
    for options in [
        "-Ln",
        "-l -n",
        "-L -n --stats",
        "-L -n --rate",
        "-L -n --thresholds",
        "-L -n --persistent-conn",
        "-ln -t 172.25.60.200:80",
    ] {
        compare(options)?;
    }
    Ok(())
}
