//! Network devices, sockets, the firewall's table of connections.

use super::super::Unit::{Bytes, Count, MegabitsPerSecond, Pages};
use super::super::{Field, Measurement};

const SOURCE: &str = "/proc/1/net/dev";

pub(super) const NET: Measurement = Measurement {
    name: "net",
    meaning: "What a network device has received and sent since it came up.",
    opt_in: None,
    tags: &["interface"],
    fields: &[
        Field::counter("bytes_sent", Bytes, "Sent.", SOURCE).prometheus("node_network_transmit_bytes_total"),
        Field::counter("bytes_recv", Bytes, "Received.", SOURCE)
            .prometheus("node_network_receive_bytes_total"),
        Field::counter("packets_sent", Count, "Packets sent.", SOURCE)
            .prometheus("node_network_transmit_packets_total"),
        Field::counter("packets_recv", Count, "Packets received.", SOURCE)
            .prometheus("node_network_receive_packets_total"),
        Field::counter("err_in", Count, "Packets received in error.", SOURCE)
            .prometheus("node_network_receive_errs_total"),
        Field::counter("err_out", Count, "Packets not sent for an error.", SOURCE)
            .prometheus("node_network_transmit_errs_total"),
        Field::counter("drop_in", Count, "Packets received and dropped.", SOURCE)
            .prometheus("node_network_receive_drop_total"),
        Field::counter("drop_out", Count, "Packets dropped instead of sent.", SOURCE)
            .prometheus("node_network_transmit_drop_total"),
        Field::signed(
            "speed",
            MegabitsPerSecond,
            "Speed of the link; -1 if unknown.",
            "/sys/class/net/*/speed",
        ),
    ],
};

const fn sockets(name: &'static str, meaning: &'static str) -> Field {
    Field::gauge(name, Count, meaning, "/proc/1/net/sockstat")
}

const fn sockets6(name: &'static str, meaning: &'static str) -> Field {
    Field::gauge(name, Count, meaning, "/proc/1/net/sockstat6")
}

pub(super) const SOCKSTAT: Measurement = Measurement {
    name: "sockstat",
    meaning: "Sockets by protocol, and the memory they take.",
    opt_in: None,
    tags: &[],
    fields: &[
        sockets("sockets_used", "Sockets of all kinds.").prometheus("node_sockstat_sockets_used"),
        sockets("tcp_inuse", "TCP over IPv4, in use.").prometheus("node_sockstat_TCP_inuse"),
        sockets("tcp_orphan", "TCP, closed by their program and not yet by the kernel; of all networks.")
            .prometheus("node_sockstat_TCP_orphan"),
        sockets("tcp_tw", "TCP, closed and waiting for what is still on its way (TIME_WAIT).")
            .prometheus("node_sockstat_TCP_tw"),
        sockets("tcp_alloc", "TCP, all that exist; of all networks.").prometheus("node_sockstat_TCP_alloc"),
        Field::gauge("tcp_mem", Pages, "Memory of TCP; of all networks.", "/proc/1/net/sockstat")
            .prometheus("node_sockstat_TCP_mem"),
        sockets("udp_inuse", "UDP over IPv4, in use.").prometheus("node_sockstat_UDP_inuse"),
        Field::gauge("udp_mem", Pages, "Memory of UDP; of all networks.", "/proc/1/net/sockstat")
            .prometheus("node_sockstat_UDP_mem"),
        sockets("udplite_inuse", "UDP-Lite over IPv4, in use.").prometheus("node_sockstat_UDPLITE_inuse"),
        sockets("raw_inuse", "Raw sockets of IPv4.").prometheus("node_sockstat_RAW_inuse"),
        sockets("frag_inuse", "Packets of IPv4 being put together.").prometheus("node_sockstat_FRAG_inuse"),
        Field::gauge("frag_memory", Bytes, "Their memory.", "/proc/1/net/sockstat")
            .prometheus("node_sockstat_FRAG_memory"),
        sockets6("tcp6_inuse", "TCP over IPv6, in use.").prometheus("node_sockstat_TCP6_inuse"),
        sockets6("udp6_inuse", "UDP over IPv6, in use.").prometheus("node_sockstat_UDP6_inuse"),
        sockets6("udplite6_inuse", "UDP-Lite over IPv6, in use.").prometheus("node_sockstat_UDPLITE6_inuse"),
        sockets6("raw6_inuse", "Raw sockets of IPv6.").prometheus("node_sockstat_RAW6_inuse"),
        sockets6("frag6_inuse", "Packets of IPv6 being put together.")
            .prometheus("node_sockstat_FRAG6_inuse"),
        Field::gauge("frag6_memory", Bytes, "Their memory.", "/proc/1/net/sockstat6")
            .prometheus("node_sockstat_FRAG6_memory"),
    ],
};

const fn tcp(name: &'static str, meaning: &'static str) -> Field {
    Field::gauge(name, Count, meaning, "/proc/1/net/tcp, tcp6")
}

pub(super) const NETSTAT: Measurement = Measurement {
    name: "netstat",
    meaning: "How many sockets there are: TCP by state, UDP.",
    opt_in: Some(
        "`[collectors] enabled = [\"netstat\"]`; 3.4 ms of processor time per reading (the kernel walks its table of 262,144 places twice, 350 plain reads of /proc/meminfo) and 1.8 us for each socket.",
    ),
    tags: &[],
    fields: &[
        tcp("tcp_established", "Open."),
        tcp("tcp_syn_sent", "Opening, no answer yet."),
        tcp("tcp_syn_recv", "Opening from elsewhere, answered."),
        tcp("tcp_fin_wait1", "Closed here, not yet confirmed."),
        tcp("tcp_fin_wait2", "Closed here, not yet there."),
        tcp("tcp_time_wait", "Closed, waiting for what is still on its way."),
        tcp("tcp_close", "Not connected."),
        tcp("tcp_close_wait", "Closed there, not yet here: the program has not noticed."),
        tcp("tcp_last_ack", "Closed on both sides, not yet confirmed."),
        tcp("tcp_listen", "Listening."),
        tcp("tcp_closing", "Closed on both sides at once, not yet confirmed."),
        Field::gauge("udp_socket", Count, "UDP.", "/proc/1/net/udp, udp6"),
    ],
};

const fn tracked(name: &'static str, meaning: &'static str) -> Field {
    Field::counter(name, Count, meaning, "/proc/1/net/stat/nf_conntrack, where a column has this name")
}

pub(super) const CONNTRACK: Measurement = Measurement {
    name: "conntrack",
    meaning: "The firewall's table of connections; its statistics, summed over processors, are the row with cpu=all.",
    opt_in: None,
    tags: &["cpu"],
    fields: &[
        Field::float(
            "ip_conntrack_count",
            Count,
            "Connections in the table.",
            "/proc/1/net/stat/nf_conntrack entries, or /proc/sys/net/netfilter/nf_conntrack_count",
        )
        .prometheus("node_nf_conntrack_entries"),
        Field::float(
            "ip_conntrack_max",
            Count,
            "Connections that fit; more are dropped.",
            "/proc/sys/net/netfilter/nf_conntrack_max",
        )
        .prometheus("node_nf_conntrack_entries_limit"),
        Field::gauge(
            "entries",
            Count,
            "Connections in the table.",
            "/proc/1/net/stat/nf_conntrack, where a column has this name",
        ),
        tracked("searched", "Lookups; until Linux 5.9.").prometheus("node_nf_conntrack_stat_searched"),
        tracked("clashres", "Connections entered twice at once, which was put right; Linux 5.9."),
        tracked("found", "Lookups that found a connection.").prometheus("node_nf_conntrack_stat_found"),
        tracked("new", "Connections that nobody had expected; 0 since Linux 4.9."),
        tracked("invalid", "Packets that belong to no connection.")
            .prometheus("node_nf_conntrack_stat_invalid"),
        tracked("ignore", "Packets that belonged to one already.")
            .prometheus("node_nf_conntrack_stat_ignore"),
        tracked("delete", "Connections taken out; 0 since Linux 4.9."),
        tracked("delete_list", "Connections put on the list of dying ones; until Linux 5.14."),
        tracked("chainlength", "Connections dropped because too many had the same hash; Linux 5.15."),
        tracked("insert", "Connections entered.").prometheus("node_nf_conntrack_stat_insert"),
        tracked("insert_failed", "Connections not entered because they were there.")
            .prometheus("node_nf_conntrack_stat_insert_failed"),
        tracked("drop", "Packets dropped because their connection could not be entered.")
            .prometheus("node_nf_conntrack_stat_drop"),
        tracked("early_drop", "Connections thrown out to make room in a full table.")
            .prometheus("node_nf_conntrack_stat_early_drop"),
        tracked("icmp_error", "Packets that belong to no connection because of an error of ICMP."),
        tracked("expect_new", "Connections that had been expected."),
        tracked("expect_create", "Expectations made."),
        tracked("expect_delete", "Expectations given up."),
        tracked("search_restart", "Lookups begun again because the table was resized."),
    ],
};
