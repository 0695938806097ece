//! The counters of the protocols, under the kernel's names. Those that tell of trouble, and those that
//! are no counters, stand here one by one.

use super::super::Unit::{Bytes, Count, Milliseconds, Unitless};
use super::super::{Field, Measurement};

const SNMP: &str = "/proc/1/net/snmp";
const NETSTAT: &str = "/proc/1/net/netstat";
const SNMP6: &str = "/proc/1/net/snmp6";

pub(super) const NSTAT: Measurement = Measurement {
    name: "nstat",
    meaning: "Counters of IP, ICMP, TCP and UDP since boot; `name` is the file: snmp, netstat or snmp6.",
    opt_in: Some(
        "`[collectors] enabled = [\"nstat\"]`; some 400 fields in 3 rows (`fields` chooses), 0.25 ms of processor time per reading, 25 plain reads of /proc/meminfo.",
    ),
    tags: &["name"],
    fields: &[
        // IP.
        Field::gauge("IpForwarding", Unitless, "1 if packets for others are forwarded, 2 if not.", SNMP)
            .prometheus("node_netstat_Ip_Forwarding"),
        Field::gauge("IpDefaultTTL", Count, "How many hops a packet may take.", SNMP),
        Field::counter("IpInReceives", Count, "Packets received.", SNMP),
        Field::counter("IpInHdrErrors", Count, "Packets dropped for an odd header.", SNMP),
        Field::counter("IpInAddrErrors", Count, "Packets dropped for an odd destination.", SNMP),
        Field::counter("IpInDiscards", Count, "Packets dropped on receipt for want of memory.", SNMP),
        Field::counter("IpOutDiscards", Count, "Packets dropped on sending for want of memory.", SNMP),
        Field::counter(
            "IpOutNoRoutes",
            Count,
            "Packets dropped because no route led to their destination.",
            SNMP,
        ),
        Field::counter("IpForwDatagrams", Count, "Packets forwarded.", SNMP),
        Field::counter("IpReasmFails", Count, "Fragments that could not be put together.", SNMP),
        Field::counter("IpFragFails", Count, "Packets that had to be cut up and could not.", SNMP),
        Field::counter("IpExtInOctets", Bytes, "Received.", NETSTAT)
            .prometheus("node_netstat_IpExt_InOctets"),
        Field::counter("IpExtOutOctets", Bytes, "Sent.", NETSTAT).prometheus("node_netstat_IpExt_OutOctets"),
        Field::counter(
            "IpExtInNoRoutes",
            Count,
            "Packets received and dropped because no route led on.",
            NETSTAT,
        ),
        Field::counter("IpExtInCsumErrors", Count, "Packets with a wrong checksum.", NETSTAT),
        Field::counter("Ip6InOctets", Bytes, "Received by IPv6.", SNMP6)
            .prometheus("node_netstat_Ip6_InOctets"),
        Field::counter("Ip6OutOctets", Bytes, "Sent by IPv6.", SNMP6)
            .prometheus("node_netstat_Ip6_OutOctets"),
        Field::counter(
            "Ip6InDiscards",
            Count,
            "Packets of IPv6 dropped on receipt for want of memory.",
            SNMP6,
        ),
        Field::counter(
            "Ip6OutDiscards",
            Count,
            "Packets of IPv6 dropped on sending for want of memory.",
            SNMP6,
        ),
        Field::counter(
            "Ip6OutNoRoutes",
            Count,
            "Packets of IPv6 dropped because no route led to their destination.",
            SNMP6,
        ),
        // ICMP.
        Field::counter("IcmpInMsgs", Count, "Messages received.", SNMP)
            .prometheus("node_netstat_Icmp_InMsgs"),
        Field::counter("IcmpOutMsgs", Count, "Messages sent.", SNMP).prometheus("node_netstat_Icmp_OutMsgs"),
        Field::counter("IcmpInErrors", Count, "Messages received that were wrong.", SNMP)
            .prometheus("node_netstat_Icmp_InErrors"),
        Field::counter("IcmpInDestUnreachs", Count, "Messages that a destination cannot be reached.", SNMP),
        Field::counter("Icmp6InMsgs", Count, "Messages of ICMPv6 received.", SNMP6)
            .prometheus("node_netstat_Icmp6_InMsgs"),
        Field::counter("Icmp6OutMsgs", Count, "Messages of ICMPv6 sent.", SNMP6)
            .prometheus("node_netstat_Icmp6_OutMsgs"),
        Field::counter("Icmp6InErrors", Count, "Messages of ICMPv6 received that were wrong.", SNMP6)
            .prometheus("node_netstat_Icmp6_InErrors"),
        // TCP.
        Field::gauge(
            "TcpRtoAlgorithm",
            Unitless,
            "How the time until a segment is sent again is found; 1 is Van Jacobson's way.",
            SNMP,
        ),
        Field::gauge("TcpRtoMin", Milliseconds, "The least of that time.", SNMP),
        Field::gauge("TcpRtoMax", Milliseconds, "The most of that time.", SNMP),
        Field::signed("TcpMaxConn", Count, "Connections that may be open at once; -1 is no limit.", SNMP),
        Field::gauge(
            "TcpCurrEstab",
            Count,
            "Connections that are open (established, or closed by the other side).",
            SNMP,
        )
        .prometheus("node_netstat_Tcp_CurrEstab"),
        Field::counter("TcpActiveOpens", Count, "Connections opened from here.", SNMP)
            .prometheus("node_netstat_Tcp_ActiveOpens"),
        Field::counter("TcpPassiveOpens", Count, "Connections opened from elsewhere.", SNMP)
            .prometheus("node_netstat_Tcp_PassiveOpens"),
        Field::counter("TcpAttemptFails", Count, "Connections that were refused or never came about.", SNMP),
        Field::counter("TcpEstabResets", Count, "Open connections that were reset.", SNMP),
        Field::counter("TcpInSegs", Count, "Segments received.", SNMP).prometheus("node_netstat_Tcp_InSegs"),
        Field::counter("TcpOutSegs", Count, "Segments sent, without those sent again.", SNMP)
            .prometheus("node_netstat_Tcp_OutSegs"),
        Field::counter("TcpRetransSegs", Count, "Segments sent again: lost on the way, or late.", SNMP)
            .prometheus("node_netstat_Tcp_RetransSegs"),
        Field::counter("TcpInErrs", Count, "Segments received that were wrong.", SNMP)
            .prometheus("node_netstat_Tcp_InErrs"),
        Field::counter("TcpInCsumErrors", Count, "Segments with a wrong checksum.", SNMP),
        Field::counter("TcpOutRsts", Count, "Resets sent.", SNMP).prometheus("node_netstat_Tcp_OutRsts"),
        Field::counter(
            "TcpExtListenOverflows",
            Count,
            "Connections dropped because a program did not accept them fast enough.",
            NETSTAT,
        )
        .prometheus("node_netstat_TcpExt_ListenOverflows"),
        Field::counter(
            "TcpExtListenDrops",
            Count,
            "Connections dropped on their way to a program, for any reason.",
            NETSTAT,
        )
        .prometheus("node_netstat_TcpExt_ListenDrops"),
        Field::counter(
            "TcpExtTCPReqQFullDrop",
            Count,
            "Connections dropped because too many were half open, without a cookie.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPReqQFullDoCookies",
            Count,
            "Connections answered with a cookie because too many were half open.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtSyncookiesSent",
            Count,
            "Cookies sent instead of keeping a half-open connection.",
            NETSTAT,
        )
        .prometheus("node_netstat_TcpExt_SyncookiesSent"),
        Field::counter("TcpExtSyncookiesRecv", Count, "Right cookies that came back.", NETSTAT)
            .prometheus("node_netstat_TcpExt_SyncookiesRecv"),
        Field::counter("TcpExtSyncookiesFailed", Count, "Wrong cookies that came back.", NETSTAT)
            .prometheus("node_netstat_TcpExt_SyncookiesFailed"),
        Field::counter(
            "TcpExtTCPTimeouts",
            Count,
            "Times that waiting for an answer ended, and a segment was sent again.",
            NETSTAT,
        )
        .prometheus("node_netstat_TcpExt_TCPTimeouts"),
        Field::counter(
            "TcpExtTCPSynRetrans",
            Count,
            "First segments of a connection that were sent again.",
            NETSTAT,
        )
        .prometheus("node_netstat_TcpExt_TCPSynRetrans"),
        Field::counter(
            "TcpExtTCPLostRetransmit",
            Count,
            "Segments that were sent again and lost again.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPFastRetrans",
            Count,
            "Segments sent again at once, since later ones were confirmed.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPSpuriousRTOs",
            Count,
            "Segments sent again that had only been late.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPAbortOnTimeout",
            Count,
            "Connections given up because no answer came.",
            NETSTAT,
        ),
        Field::counter("TcpExtTCPAbortOnMemory", Count, "Connections given up for want of memory.", NETSTAT),
        Field::counter(
            "TcpExtTCPAbortOnData",
            Count,
            "Connections reset because a program closed them in the middle of data.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPAbortOnClose",
            Count,
            "Connections reset because a program had left data unread.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPMemoryPressures",
            Count,
            "Times that the memory for TCP became scarce.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPMemoryPressuresChrono",
            Milliseconds,
            "Time in which it was scarce, Linux 4.15.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtPruneCalled",
            Count,
            "Times that received data were squeezed for want of buffer.",
            NETSTAT,
        ),
        Field::counter("TcpExtRcvPruned", Count, "Segments dropped for want of buffer.", NETSTAT),
        Field::counter(
            "TcpExtOfoPruned",
            Count,
            "Segments that came out of order, dropped for want of buffer.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPBacklogDrop",
            Count,
            "Segments dropped because a socket was busy and its queue full.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPRcvQDrop",
            Count,
            "Segments dropped because a receive queue was full, Linux 5.6.",
            NETSTAT,
        )
        .prometheus("node_netstat_TcpExt_TCPRcvQDrop"),
        Field::counter("TcpExtTCPOFOQueue", Count, "Segments that came out of order.", NETSTAT)
            .prometheus("node_netstat_TcpExt_TCPOFOQueue"),
        Field::counter(
            "TcpExtTCPZeroWindowDrop",
            Count,
            "Segments dropped because the window was closed, Linux 5.6.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtTCPTimeWaitOverflow",
            Count,
            "Closed connections forgotten early because too many waited (TIME_WAIT).",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtIPReversePathFilter",
            Count,
            "Packets dropped because their answer would go another way.",
            NETSTAT,
        ),
        Field::counter(
            "TcpExtPFMemallocDrop",
            Count,
            "Packets dropped because the memory left was for writing out memory.",
            NETSTAT,
        ),
        // UDP.
        Field::counter("UdpInDatagrams", Count, "Packets received.", SNMP)
            .prometheus("node_netstat_Udp_InDatagrams"),
        Field::counter("UdpOutDatagrams", Count, "Packets sent.", SNMP)
            .prometheus("node_netstat_Udp_OutDatagrams"),
        Field::counter("UdpNoPorts", Count, "Packets for a port that nobody listens on.", SNMP)
            .prometheus("node_netstat_Udp_NoPorts"),
        Field::counter("UdpInErrors", Count, "Packets that could not be handed over.", SNMP)
            .prometheus("node_netstat_Udp_InErrors"),
        Field::counter(
            "UdpRcvbufErrors",
            Count,
            "Packets dropped because a program did not read them fast enough.",
            SNMP,
        )
        .prometheus("node_netstat_Udp_RcvbufErrors"),
        Field::counter("UdpSndbufErrors", Count, "Packets not sent because the buffer was full.", SNMP)
            .prometheus("node_netstat_Udp_SndbufErrors"),
        Field::counter("UdpInCsumErrors", Count, "Packets with a wrong checksum.", SNMP),
        Field::counter("Udp6InDatagrams", Count, "Packets of IPv6 received.", SNMP6)
            .prometheus("node_netstat_Udp6_InDatagrams"),
        Field::counter("Udp6OutDatagrams", Count, "Packets of IPv6 sent.", SNMP6)
            .prometheus("node_netstat_Udp6_OutDatagrams"),
        Field::counter("Udp6NoPorts", Count, "Packets of IPv6 for a port that nobody listens on.", SNMP6)
            .prometheus("node_netstat_Udp6_NoPorts"),
        Field::counter("Udp6InErrors", Count, "Packets of IPv6 that could not be handed over.", SNMP6)
            .prometheus("node_netstat_Udp6_InErrors"),
        Field::counter(
            "Udp6RcvbufErrors",
            Count,
            "Packets of IPv6 dropped because a program did not read them fast enough.",
            SNMP6,
        )
        .prometheus("node_netstat_Udp6_RcvbufErrors"),
        Field::counter(
            "Udp6SndbufErrors",
            Count,
            "Packets of IPv6 not sent because the buffer was full.",
            SNMP6,
        )
        .prometheus("node_netstat_Udp6_SndbufErrors"),
        Field::counter("Udp6InCsumErrors", Count, "Packets of IPv6 with a wrong checksum.", SNMP6),
        Field::counter("UdpLiteInErrors", Count, "Packets of UDP-Lite that could not be handed over.", SNMP)
            .prometheus("node_netstat_UdpLite_InErrors"),
        Field::counter(
            "UdpLite6InErrors",
            Count,
            "Packets of UDP-Lite over IPv6 that could not be handed over.",
            SNMP6,
        )
        .prometheus("node_netstat_UdpLite6_InErrors"),
        // All others. The first that fits is meant.
        Field::counter("IpExt*", Count, "Other counters of IP.", NETSTAT),
        Field::counter("Ip6*", Count, "Other counters of IPv6.", SNMP6),
        Field::counter("Ip*", Count, "Other counters of IP.", SNMP),
        Field::counter("IcmpMsg*", Count, "Messages of ICMP by number.", SNMP),
        Field::counter("Icmp6*", Count, "Other counters of ICMPv6.", SNMP6),
        Field::counter("Icmp*", Count, "Other counters of ICMP.", SNMP),
        Field::counter("TcpExt*", Count, "Other counters of TCP.", NETSTAT),
        Field::counter("UdpLite6*", Count, "Counters of UDP-Lite over IPv6.", SNMP6),
        Field::counter("UdpLite*", Count, "Counters of UDP-Lite.", SNMP),
        Field::counter("Udp6*", Count, "Other counters of UDP over IPv6.", SNMP6),
        Field::counter("Udp*", Count, "Other counters of UDP.", SNMP),
        Field::gauge(
            "MPTcpExtMPCurrEstab",
            Count,
            "Connections of multipath TCP that are open, Linux 6.10.",
            NETSTAT,
        ),
        Field::counter("MPTcpExt*", Count, "Counters of multipath TCP, Linux 5.6.", NETSTAT),
        Field::counter("*", Count, "Whatever a newer kernel counts.", "/proc/1/net/snmp, netstat, snmp6"),
    ],
};
