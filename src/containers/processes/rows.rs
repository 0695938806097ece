//! The rows of what was read of a container's processes. Names are in the style of Telegraf's `docker`
//! input, which has none of these; of fields, those of its `procstat`, `netstat` and `nstat`.

use super::Figures;
use super::sockets::{TCP_STATES, TcpStates, Udp};
use crate::containers::rows::Identity;
use crate::metric::{Fields, Rows};

/// Adds the rows of `figures`; those of the network only for whom it belongs to.
pub(in crate::containers) fn add_rows(
    identity: &Identity,
    figures: &Figures,
    report_network: bool,
    rows: &mut Rows,
) {
    let mut fields = Fields::with_capacity(15)
        .with("processes", figures.processes)
        .with("fds", figures.open.map(|open| open.total))
        .with("fds_largest_process", figures.open.map(|open| open.most))
        .with("sockets", figures.sockets);
    for (name, limit) in &figures.limits {
        fields.set(name.clone(), *limit);
    }
    add(identity, identity.names.processes, fields, rows);
    if let Some(times) = &figures.sched {
        let fields = Fields::with_capacity(4)
            .with("run_time", times.run_ns)
            .with("runqueue_time", times.wait_ns)
            .with("run_periods", times.periods);
        add(identity, identity.names.sched, fields, rows);
    }
    if let Some((states, load)) = &figures.states {
        let fields = Fields::with_capacity(9)
            .with("total", states.total)
            .with("running", states.running)
            .with("sleeping", states.sleeping)
            .with("blocked", states.blocked)
            .with("stopped", states.stopped)
            .with("zombies", states.zombies)
            .with("load_average_10s", load.running)
            .with("load_d_average_10s", load.blocked);
        add(identity, identity.names.tasks, fields, rows);
    }
    if report_network {
        add_network(identity, figures, rows);
    }
}

fn add_network(identity: &Identity, figures: &Figures, rows: &mut Rows) {
    let [tcp, tcp6] = &figures.tcp;
    let [udp, udp6] = &figures.udp;
    let tcp = tcp.as_ref().map(|states| (identity.names.tcp, tcp_fields(states)));
    let tcp6 = tcp6.as_ref().map(|states| (identity.names.tcp6, tcp_fields(states)));
    let udp = udp.as_ref().map(|all| (identity.names.udp, udp_fields(all)));
    let udp6 = udp6.as_ref().map(|all| (identity.names.udp6, udp_fields(all)));
    for (name, fields) in [tcp, tcp6, udp, udp6].into_iter().flatten() {
        add(identity, name, fields, rows);
    }
    let netstat = figures.netstat.iter().cloned().collect();
    add(identity, identity.names.netstat, netstat, rows);
}

fn tcp_fields(states: &TcpStates) -> Fields {
    TCP_STATES
        .iter()
        .zip(states)
        .fold(Fields::with_capacity(12), |fields, (name, count)| fields.with(*name, *count))
}

fn udp_fields(all: &Udp) -> Fields {
    Fields::with_capacity(5)
        .with("listen", all.listen)
        .with("dropped", all.dropped)
        .with("rx_queued", all.rx_queued)
        .with("tx_queued", all.tx_queued)
}

fn add(identity: &Identity, measurement: &'static str, mut fields: Fields, rows: &mut Rows) {
    if !fields.is_empty() {
        fields = fields.with("container_id", identity.id());
        rows.add_tagged(measurement, identity.tags().clone(), fields);
    }
}
