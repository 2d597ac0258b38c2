//! Low models to what the daemons want: names to numbers, defaults filled in, what can't be done refused.

pub mod cluster;
pub mod director;
