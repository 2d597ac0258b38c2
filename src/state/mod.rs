//! What must survive a daemon: generation and uuid files (as Heartbeat keeps them) and the record of what is ours.
