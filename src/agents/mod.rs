//! Resources: starting, stopping and asking them.
//!
//! `action` is what is asked of a resource group and how it went, as values; `haresources` runs a group's line as
//! Heartbeat's ResourceManager does; `exec` runs one script with a time limit; `builtin` are the resources that need no script.
