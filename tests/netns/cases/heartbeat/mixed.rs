//! A pair of which one node is Debian's Heartbeat 3.0.6.

use anyhow::ensure;

use super::pair::{HEARTBEAT, Pair, Setup, ask, clean_log, log_lines};
use crate::lab::Lab;
use crate::runner::{Case, Failure, Kernel};
use crate::table::Product;

pub const CASES: &[Case] = &[
    Case::new("heartbeat/mixed pair: ours is alpha", Kernel::Any, ours_is_alpha).originals().slow(),
    Case::new("heartbeat/mixed pair: ours is beta", Kernel::Any, ours_is_beta).originals().slow(),
];

fn ours_is_alpha(lab: &mut Lab) -> Result<(), Failure> {
    story(lab, [Product::LvsHa, Product::Originals])
}

fn ours_is_beta(lab: &mut Lab) -> Result<(), Failure> {
    story(lab, [Product::Originals, Product::LvsHa])
}

fn story(lab: &mut Lab, products: [Product; 2]) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup { products, deadtime: 2, ..Setup::default() })?;
    pair.start()?;
    ask(pair.alpha, "hb_standby all")?;
    pair.owned("beta", "beta")?;
    ask(pair.beta, "hb_standby all")?;
    pair.owned("alpha", "alpha")?;
    ask(pair.alpha, "hb_standby foreign")?;
    pair.owned("alpha", "beta")?;
    for (lost, other) in [(pair.alpha, "beta"), (pair.beta, "alpha")] {
        pair.power_off(lost)?;
        pair.owned(other, other)?;
        lost.power_on()?;
        lost.run(HEARTBEAT)?.ok()?;
        pair.owned("alpha", "beta")?;
    }
    for host in pair.both() {
        match host.machine().product {
            Product::Originals => clean_log(host)?,
            // The original's packets overtake each other, so ours may report one as lost and found.
            Product::LvsHa | Product::Servers => {
                let errors = log_lines(host, "ERROR")?;
                ensure!(errors.is_empty(), "{errors:#?}");
            }
        }
    }
    pair.one_owner_at_a_time()
}
