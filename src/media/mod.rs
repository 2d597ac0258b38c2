//! Heartbeat links: sockets that carry bytes and know nothing of their meaning. One file a kind.
