//! `IPVS_STATS_ATTR_*`: counters and rates, in a nest of 32-bit numbers and, since Linux 4.1, one of 64-bit ones.

use super::DecodeError;
use super::attrs::{Attr, Attrs};
use super::constants::stats;
use crate::ipvs::model::Stats;

/// Reads either nest: each number has the width of its payload (also in the old nest the bytes are 64 bits wide).
pub(super) fn decode(nest: Attrs<'_>) -> Result<Stats, DecodeError> {
    let mut out = Stats::default();
    for attr in nest {
        let attr = attr?;
        let field = match attr.kind {
            stats::CONNS => &mut out.conns,
            stats::INPKTS => &mut out.in_packets,
            stats::OUTPKTS => &mut out.out_packets,
            stats::INBYTES => &mut out.in_bytes,
            stats::OUTBYTES => &mut out.out_bytes,
            stats::CPS => &mut out.cps,
            stats::INPPS => &mut out.in_pps,
            stats::OUTPPS => &mut out.out_pps,
            stats::INBPS => &mut out.in_bps,
            stats::OUTBPS => &mut out.out_bps,
            _ => continue,
        };
        *field = number(&attr)?;
    }
    Ok(out)
}

fn number(attr: &Attr<'_>) -> Result<u64, DecodeError> {
    if attr.payload.len() < 8 { attr.u32("counter").map(u64::from) } else { attr.u64("counter") }
}
