//! Network devices.

use super::super::Unit::{Bytes, Count, MegabitsPerSecond};
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
