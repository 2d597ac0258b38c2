//! Composition: clock, sockets, tasks, signals and the drivers of the two state machines.
