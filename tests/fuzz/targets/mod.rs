//! What is fuzzed: a name, the seeds, and a function that reads the bytes and panics when something does not hold.

mod answers;
mod commands;
mod config;
mod heartbeat;
mod ipvs;
mod names;
mod net;
mod pattern;

/// A reader of bytes.
pub struct Target {
    pub name: &'static str,
    /// Recorded inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
    pub run: fn(&[u8]),
    /// Longest input, bytes.
    pub longest: usize,
}

/// All of them.
pub const ALL: &[Target] = &[
    Target { name: "heartbeat_packet", seeds: heartbeat::packets, run: heartbeat::packet, longest: 4096 },
    Target { name: "heartbeat_fields", seeds: heartbeat::texts, run: heartbeat::fields, longest: 2048 },
    Target { name: "heartbeat_node", seeds: heartbeat::scenarios, run: heartbeat::node, longest: 8192 },
    Target { name: "ha_cf", seeds: config::ha_cf_seeds, run: config::ha_cf, longest: 4096 },
    Target { name: "haresources", seeds: config::haresources_seeds, run: config::haresources, longest: 2048 },
    Target { name: "authkeys", seeds: config::authkeys_seeds, run: config::authkeys, longest: 1024 },
    Target { name: "ldirectord_cf", seeds: config::ldirectord_cf_seeds, run: config::ldirectord_cf, longest: 4096 },
    Target { name: "perl_pattern", seeds: pattern::seeds, run: pattern::pattern, longest: 512 },
    Target { name: "ipvs_answers", seeds: ipvs::answers, run: ipvs::datagram, longest: 4096 },
    Target { name: "ipvs_attributes", seeds: ipvs::attributes, run: ipvs::attrs, longest: 1024 },
    Target { name: "ipvs_connections", seeds: ipvs::connection_tables, run: ipvs::connections, longest: 2048 },
    Target { name: "ipvsadm_words", seeds: commands::ipvsadm_words, run: commands::ipvsadm, longest: 512 },
    Target { name: "ipvsadm_saved", seeds: commands::ipvsadm_saved, run: commands::saved, longest: 2048 },
    Target { name: "ipvsadm_default", seeds: commands::defaults, run: commands::default, longest: 512 },
    Target { name: "agent_line", seeds: net::agent_lines, run: net::agent_line, longest: 256 },
    Target { name: "command_words", seeds: commands::words, run: commands::others, longest: 256 },
    Target { name: "control_lines", seeds: commands::control_lines, run: commands::control, longest: 8192 },
    Target { name: "check_lines", seeds: answers::lines, run: answers::line, longest: 1024 },
    Target { name: "check_sip", seeds: answers::sips, run: answers::sip, longest: 1024 },
    Target { name: "check_dns", seeds: answers::dns_packets, run: answers::dns, longest: 1024 },
    Target { name: "check_radius", seeds: answers::radius_packets, run: answers::radius, longest: 512 },
    Target { name: "arp", seeds: net::arp_frames, run: net::arp, longest: 128 },
    Target { name: "icmp_echo", seeds: net::echoes, run: net::echo, longest: 256 },
    Target { name: "generation", seeds: net::generations, run: net::generation, longest: 64 },
];

/// Errors made on purpose: a fuzzer that does not find them would find nothing.
pub const PLANTED: &[Target] = &[
    Target {
        name: "planted panic",
        seeds: || vec![b"weight 1".to_vec()],
        run: |bytes| assert!(!bytes.ends_with(b" 0")),
        longest: 64,
    },
    Target {
        name: "planted waste of memory",
        seeds: || vec![b"weight 1".to_vec()],
        run: |bytes| drop(std::hint::black_box(vec![1u8; bytes.len() << 19])),
        longest: 512,
    },
];
