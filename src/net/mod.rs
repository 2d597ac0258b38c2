//! Addresses of this host (`addr`, over rtnetlink) and their announcement on the wire (`announce`).
