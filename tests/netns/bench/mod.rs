//! `netns bench NAME`: measurements beside the originals in the same run on the same kernel. What counts are the ratios: the
//! machine may be emulated and is never idle.

mod ipvs;

use std::process::ExitCode;

use crate::arena;

/// Runs one of them.
pub fn command(words: &[&str]) -> anyhow::Result<ExitCode> {
    arena::enter()?;
    match words {
        ["ipvs", ..] => ipvs::run(),
        _ => anyhow::bail!("bench NAME: ipvs"),
    }
}
