//! `-h` and `-v`. The first line of both begins as the original's, since scripts take the version from it.

/// The version line.
pub const VERSION: &str = concat!("ipvsadm v1.31 (lvs-ha ", env!("CARGO_PKG_VERSION"), ", compiled with IPVS v1.2.1)\n");

/// The help text.
pub const HELP: &str = concat!(
    "ipvsadm v1.31 (lvs-ha ",
    env!("CARGO_PKG_VERSION"),
    ", compiled with IPVS v1.2.1)\n",
    "\
Usage: (the command comes first)
  ipvsadm -A|-E SERVICE [-s NAME] [-p [SECONDS]] [-M MASK] [--pe NAME] [-o] [-b FLAGS]
  ipvsadm -D SERVICE
  ipvsadm -a|-e SERVICE -r SERVER [-g|-i|-m] [-w N] [-x N] [-y N] [tunnel options]
  ipvsadm -d SERVICE -r SERVER
  ipvsadm [-L|-l [-n] [SERVICE|-c|--timeout|--daemon] [view options]]
  ipvsadm -Z [SERVICE]
  ipvsadm -C
  ipvsadm -S [-n]
  ipvsadm -R < FILE
  ipvsadm --set TCP TCPFIN UDP
  ipvsadm --start-daemon master|backup [daemon options]
  ipvsadm --stop-daemon master|backup
  ipvsadm -h|-v

Commands:
  -A --add-service       add a virtual service
  -E --edit-service      replace what a virtual service is; what is not named gets its default
  -D --delete-service    delete a virtual service and its real servers
  -a --add-server        add a real server to a service
  -e --edit-server       replace what a real server is; what is not named gets its default
  -d --delete-server     delete a real server
  -L -l --list           show the table; also without any argument
  -Z --zero              set counters to zero, of one service or of all
  -C --clear             delete every virtual service
  -S --save              write the table as lines for -R (without thresholds)
  -R --restore           read command lines from standard input; adds to the table
     --set               set connection timeouts in seconds; 0 leaves one as it is
     --start-daemon      start connection synchronisation
     --stop-daemon       stop connection synchronisation
  -h --help              this text
  -v --version           the version

SERVICE:
  -t --tcp-service       ADDRESS[:PORT]; IPv6 as [ADDRESS]:PORT; names are looked up
  -u --udp-service       the same for UDP
     --sctp-service      the same for SCTP
  -f --fwmark-service    firewall mark, from 1; followed by -6 --ipv6 for IPv6 packets

Options of services:
  -s --scheduler         rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh (default wlc)
  -p --persistent        seconds that a client stays with its real server (default 360)
  -M --netmask           which clients count as one: IPv4 mask or IPv6 prefix length
     --pe                persistence engine: sip
  -o --ops               schedule each UDP datagram
  -b --sched-flags       sh-fallback sh-port mh-fallback mh-port flag-1 flag-2 flag-3, with commas

Options of real servers:
  -r --real-server       ADDRESS[:PORT] (default: the service's port)
  -g --gatewaying        direct routing (default)
  -i --ipip              tunnel
  -m --masquerading      network address translation
  -w --weight            0 for no new connections (default 1)
  -x --u-threshold       no new connections from so many on
  -y --l-threshold       new connections again below so many
     --tun-type          ipip gue gre (default ipip)
     --tun-port          UDP port of gue
     --tun-nocsum --tun-csum --tun-remcsum

Views:
  -n --numeric           addresses and ports as numbers
  -c --connection        connection entries
     --timeout --daemon  connection timeouts; running synchronisation daemons
     --stats --rate      counters; what happens per second
  -X --exact             counters in full
     --thresholds --persistent-conn --tun-info
     --json              the listing as JSON, with all that is known (not an option of the original)
     --nosort            in the kernel's order (--sort does nothing)

Daemon options:
     --mcast-interface   interface (default eth0)
     --syncid            0 to 255 (default 0)
     --sync-maxlen --mcast-group --mcast-port --mcast-ttl
                         longest message, group (224.0.0.81), port (8848), TTL (1)
"
);
