//! The sockets and protocol counters of a container's network namespace. Told of whoever owns the
//! namespace, as the traffic is: once, and not of a container with the host's network.

use super::super::Unit::{Bytes, Count, Milliseconds, Unitless};
use super::{CONTAINER_ID, Field, Measurement, tags};

/// TCP sockets in one state.
const fn state(name: &'static str, meaning: &'static str, prometheus: &'static str) -> Field {
    Field::gauge(name, Count, meaning, "/proc/PID/net/tcp (tcp6), column st").prometheus(prometheus)
}

const fn tcp_fields(prometheus: &'static str) -> [Field; 12] {
    [
        CONTAINER_ID,
        state("established", "Connections.", prometheus),
        state("syn_sent", "Being opened from here.", prometheus),
        state("syn_recv", "Being opened from elsewhere.", prometheus),
        state("fin_wait1", "Closed here, which the other side did not confirm.", prometheus),
        state("fin_wait2", "Closed here, the other side may still send.", prometheus),
        state("time_wait", "Closed, and kept a minute for what is late.", prometheus),
        state("close", "Not in use.", prometheus),
        state("close_wait", "Closed by the other side, not by the program.", prometheus),
        state("last_ack", "Closed on both sides, which the other did not confirm.", prometheus),
        state("listen", "Waiting for connections.", prometheus),
        state("closing", "Closed on both sides at once.", prometheus),
    ]
}

static TCP_FIELDS: [Field; 12] = tcp_fields("container_network_tcp_usage_total");
static TCP6_FIELDS: [Field; 12] = tcp_fields("container_network_tcp6_usage_total");

const TCP_COST: &str = "`[containers] groups = [\"tcp\"]`; per sample 30 us of processor time where there is none, else for IPv4 and IPv6 each 3 ms on a machine of 24 GB (more with its memory and its sockets) and 1.6 us for each socket; `TcpCurrEstab` of docker_container_netstat is cheaper.";

pub(super) const TCP: Measurement = Measurement {
    name: "docker_container_tcp",
    meaning: "A container's TCP sockets over IPv4, by state; left out above some 110,000.",
    opt_in: Some(TCP_COST),
    tags: tags![],
    fields: &TCP_FIELDS,
};

pub(super) const TCP6: Measurement = Measurement {
    name: "docker_container_tcp6",
    meaning: "A container's TCP sockets over IPv6 (and both), by state; left out above some 90,000.",
    opt_in: Some(TCP_COST),
    tags: tags![],
    fields: &TCP6_FIELDS,
};

const UDP_SOURCE: &str = "/proc/PID/net/udp (udp6)";

const fn udp_fields(prometheus: &'static str) -> [Field; 5] {
    [
        CONTAINER_ID,
        Field::gauge("listen", Count, "Sockets there are.", UDP_SOURCE).prometheus(prometheus),
        Field::gauge(
            "dropped",
            Count,
            "Packets that these sockets threw away since they were opened; falls as they are closed.",
            UDP_SOURCE,
        )
        .prometheus(prometheus),
        Field::gauge("rx_queued", Bytes, "Received, and not read yet.", UDP_SOURCE).prometheus(prometheus),
        Field::gauge("tx_queued", Bytes, "Waiting to be sent.", UDP_SOURCE).prometheus(prometheus),
    ]
}

static UDP_FIELDS: [Field; 5] = udp_fields("container_network_udp_usage_total");
static UDP6_FIELDS: [Field; 5] = udp_fields("container_network_udp6_usage_total");

const UDP_COST: &str =
    "`[containers] groups = [\"udp\"]`; per sample 60 us of processor time and 1 us for each socket.";

pub(super) const UDP: Measurement = Measurement {
    name: "docker_container_udp",
    meaning: "A container's UDP sockets over IPv4; left out above some 130,000.",
    opt_in: Some(UDP_COST),
    tags: tags![],
    fields: &UDP_FIELDS,
};

pub(super) const UDP6: Measurement = Measurement {
    name: "docker_container_udp6",
    meaning: "A container's UDP sockets over IPv6 (and both); left out above some 100,000.",
    opt_in: Some(UDP_COST),
    tags: tags![],
    fields: &UDP6_FIELDS,
};

const SNMP: &str = "/proc/PID/net/snmp";
const EXT: &str = "/proc/PID/net/netstat";
const ADVANCED: &str = "container_network_advance_tcp_stats_total";

/// A counter of TCP.
const fn tcp(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::counter(name, Count, meaning, source).prometheus(ADVANCED)
}

pub(super) const NETSTAT: Measurement = Measurement {
    name: "docker_container_netstat",
    meaning: "Counters of IP, TCP and UDP in a container's network, under the kernel's names.",
    opt_in: Some(
        "`[containers] groups = [\"netstat\"]`; per sample 70 us of processor time, and some 210 fields.",
    ),
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        Field::gauge("IpForwarding", Unitless, "1 if packets are forwarded, 2 if not.", SNMP),
        Field::gauge("IpDefaultTTL", Unitless, "Time to live of packets.", SNMP),
        Field::gauge("IpReasmTimeout", Unitless, "Seconds that fragments are waited for.", SNMP),
        Field::counter("Ip*", Count, "A counter of IPv4, such as IpInDiscards.", SNMP),
        Field::counter("IpExtInOctets", Bytes, "Bytes received over IPv4.", EXT),
        Field::counter("IpExtOutOctets", Bytes, "Bytes sent over IPv4.", EXT),
        Field::gauge("TcpRtoAlgorithm", Unitless, "How the time of retransmissions is found.", SNMP)
            .prometheus(ADVANCED),
        Field::gauge("TcpRtoMin", Milliseconds, "The shortest time to a retransmission.", SNMP)
            .prometheus(ADVANCED),
        Field::gauge("TcpRtoMax", Milliseconds, "The longest time to a retransmission.", SNMP)
            .prometheus(ADVANCED),
        Field::signed("TcpMaxConn", Count, "How many connections there may be; -1 if any number.", SNMP)
            .prometheus(ADVANCED),
        Field::gauge("TcpCurrEstab", Count, "Connections, over IPv4 and IPv6.", SNMP).prometheus(ADVANCED),
        tcp("TcpActiveOpens", "Connections opened from here.", SNMP),
        tcp("TcpPassiveOpens", "Connections opened from elsewhere.", SNMP),
        tcp("TcpAttemptFails", "Connections that were not made.", SNMP),
        tcp("TcpEstabResets", "Connections that were reset.", SNMP),
        tcp("TcpInSegs", "Segments received.", SNMP),
        tcp("TcpOutSegs", "Segments sent, without retransmissions.", SNMP),
        tcp("TcpRetransSegs", "Segments sent again.", SNMP),
        tcp("TcpInErrs", "Segments received that were damaged.", SNMP),
        tcp("TcpOutRsts", "Resets sent.", SNMP),
        tcp("TcpExtListenOverflows", "Connections refused because a program did not accept in time.", EXT),
        tcp("TcpExtListenDrops", "Connections not taken, for that or another reason.", EXT),
        tcp("TcpExtTCPTimeouts", "Retransmissions because nothing was heard for too long.", EXT),
        tcp("TcpExtTCPSynRetrans", "First segments of connections sent again.", EXT),
        tcp("TcpExtTCPBacklogDrop", "Segments thrown away because a program was busy.", EXT),
        tcp("TcpExtTCPAbortOnTimeout", "Connections given up for want of an answer.", EXT),
        tcp("TcpExtTCPMemoryPressures", "How often TCP ran short of memory.", EXT),
        tcp("TcpExtTCPMemoryPressuresChrono", "Milliseconds that TCP was short of memory.", EXT),
        tcp("TcpExt*", "Another counter of Linux' TCP.", EXT),
        tcp("Tcp*", "Another counter of TCP.", SNMP),
        Field::counter("UdpInDatagrams", Count, "Packets received.", SNMP),
        Field::counter("UdpOutDatagrams", Count, "Packets sent.", SNMP),
        Field::counter("UdpNoPorts", Count, "Packets received that nobody waited for.", SNMP),
        Field::counter("UdpInErrors", Count, "Packets received that could not be delivered.", SNMP),
        Field::counter("UdpRcvbufErrors", Count, "Of those the ones for which a program was too slow.", SNMP),
        Field::counter("Udp*", Count, "Another counter of UDP over IPv4.", SNMP),
    ],
};
