//! The files: text to typed models, models to what the daemons want.
//!
//! Two steps. `ha_cf`, `haresources`, `authkeys` and `ldirectord_cf` each turn bytes into a low model that mirrors the
//! file, with a [`diag::Span`] for every value and all errors at once. `resolve` turns low models and the answers of a
//! passed-in [`lookup::Lookup`] (names, services, interfaces) into [`settings::Settings`] (cluster) or
//! [`crate::director::plan::Plan`]. Everything here is pure but `load`, which alone touches the disk and the resolver.

pub mod authkeys;
pub mod diag;
pub mod digest;
pub mod ha_cf;
pub mod haresources;
pub mod ipvsadm_default;
pub mod kind;
pub mod ldirectord_cf;
pub mod load;
pub mod lookup;
pub mod pattern;
pub mod report;
pub mod resolve;
pub mod settings;
