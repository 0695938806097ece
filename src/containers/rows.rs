//! From readings and what a runtime says of a container to rows: names, tags and types are those of
//! Telegraf's `docker` input, so that its dashboards work for every runtime. Control groups that are no
//! containers have the same rows under the names `cgroup_*`.
//!
//! Pure: two readings and two looks at the host make the rows, nothing is asked. A number that is
//! made of two readings is left out where there is only one, or where a counter went back.
//!
//! On purpose unlike Telegraf: a first reading has no `usage_percent` (Telegraf sends 0), v2 has
//! `max_usage` from `memory.peak` or none (0), all keys of `memory.stat` are there (29), a v2
//! container has its numbers of requests, and what is not known is left out.

mod on_demand;
mod series;
mod system;

pub use self::series::Identity;
pub use self::system::{SystemCpu, oom_kills};

use super::identity::Runtime;
use super::metadata::Metadata;
use super::reading::{BlockDevice, Cpu, Memory, MemoryEvents, Operations, Reading, Traffic};
use crate::host::counter;
use crate::metric::{Fields, Rows, UnixNanos};

/// Adds the rows of a reading. `before` is of the reading that this one follows.
pub fn add_rows(
    identity: &Identity,
    now: &Reading,
    system: &SystemCpu,
    before: Option<(&Cpu, &SystemCpu)>,
    report_network: bool,
    rows: &mut Rows,
) {
    if let Some(cpu) = &now.cpu {
        add_cpu(identity, cpu, system, before, rows);
    }
    if let Some(memory) = &now.memory {
        add_memory(identity, memory, system.memory_total, rows);
    }
    if report_network {
        add_network(identity, now, rows);
    }
    if let Some(devices) = &now.block_io {
        add_block_io(identity, devices, rows);
    }
    if let Some(pids) = &now.pids {
        let fields = identity
            .fields(4)
            .with("current", pids.current)
            .with("limit", pids.limit)
            .with("limit_hits", pids.limit_hits);
        rows.add_tagged(identity.names.pids, identity.tags.clone(), fields);
    }
    for pressure in &now.pressure {
        let key = (pressure.resource, pressure.stalled);
        let tags = identity.pressures.get(&key, || {
            let (resource, stalled) = key;
            identity.tags.with("resource", resource.name()).with("type", stalled.name())
        });
        let fields = identity
            .fields(5)
            .with("avg10", pressure.avg10)
            .with("avg60", pressure.avg60)
            .with("avg300", pressure.avg300)
            .with("total", pressure.total_us);
        rows.add_tagged(identity.names.pressure, tags, fields);
    }
    if let Some(more) = &now.on_demand {
        on_demand::add(identity, more, system, rows);
    }
}

fn add_cpu(
    identity: &Identity,
    cpu: &Cpu,
    system: &SystemCpu,
    before: Option<(&Cpu, &SystemCpu)>,
    rows: &mut Rows,
) {
    let percent = before.and_then(|(before, system_before)| cpu_percent(cpu, system, before, system_before));
    let fields = identity
        .fields(11)
        .with("usage_total", cpu.usage_ns)
        .with("usage_in_usermode", cpu.user_ns)
        .with("usage_in_kernelmode", cpu.system_ns)
        .with("usage_system", (system.total_ns > 0).then_some(system.total_ns))
        .with("usage_percent", percent)
        .with("throttling_periods", cpu.periods)
        .with("throttling_throttled_periods", cpu.throttled_periods)
        .with("throttling_throttled_time", cpu.throttled_ns)
        .with("throttling_bursts", cpu.bursts)
        .with("throttling_burst_time", cpu.burst_ns);
    rows.add_tagged(identity.names.cpu, identity.cpu_total.clone(), fields);
}

/// Docker's share of processor time: 100 stands for one core.
fn cpu_percent(cpu: &Cpu, system: &SystemCpu, before: &Cpu, system_before: &SystemCpu) -> Option<f64> {
    let used = counter::rise(before.usage_ns, cpu.usage_ns)?;
    let passed = counter::rise(system_before.total_ns, system.total_ns)?;
    counter::percent(used, passed).map(|percent| percent * f64::from(system.online.max(1)))
}

fn add_memory(identity: &Identity, memory: &Memory, host_total: u64, rows: &mut Rows) {
    let limit = limit(memory.limit, host_total);
    let usage = memory.usage_without_cache();
    // Rows are many and wait in memory: no room for what v1 never has.
    let own = if memory.events == MemoryEvents::default() { 11 } else { 15 };
    let mut fields = identity
        .fields(memory.stat.len().saturating_add(own))
        .with("usage", usage)
        .with("usage_total", memory.usage)
        .with("limit", limit)
        .with("usage_percent", usage.zip(limit).and_then(|(usage, limit)| counter::percent(usage, limit)))
        .with("max_usage", memory.max_usage)
        .with("fail_count", memory.fail_count.filter(|count| *count > 0))
        .with("working_set", memory.working_set())
        .with("swap", memory.swap)
        .with("oom_kills", memory.oom_kills)
        .with("under_oom", memory.under_oom)
        .with("events_low", memory.events.low)
        .with("events_high", memory.events.high)
        .with("events_max", memory.events.max)
        .with("events_oom", memory.events.oom)
        .with("events_oom_group_kill", memory.events.oom_group_kill);
    for (key, value) in &memory.stat {
        fields.set(key.clone(), *value);
    }
    rows.add_tagged(identity.names.memory, identity.tags.clone(), fields);
}

/// As Docker has it: no limit, or one that the host cannot reach, is the host's memory.
fn limit(own: Option<u64>, host_total: u64) -> Option<u64> {
    match own? {
        limit if limit <= host_total => Some(limit),
        limit if host_total == 0 => Some(limit).filter(|limit| *limit < u64::MAX),
        _ => Some(host_total),
    }
}

fn add_network(identity: &Identity, now: &Reading, rows: &mut Rows) {
    if now.network.is_empty() {
        return;
    }
    let mut total = Traffic::default();
    for interface in &now.network {
        total = total.plus(&interface.traffic);
        let make = || identity.tags.with("network", interface.name.clone());
        let tags = identity.networks.get(&interface.name, make);
        rows.add_tagged(identity.names.network, tags, traffic_fields(identity, &interface.traffic));
    }
    let fields = traffic_fields(identity, &total);
    rows.add_tagged(identity.names.network, identity.network_total.clone(), fields);
}

fn traffic_fields(identity: &Identity, traffic: &Traffic) -> Fields {
    identity
        .fields(9)
        .with("rx_bytes", traffic.rx_bytes)
        .with("rx_packets", traffic.rx_packets)
        .with("rx_errors", traffic.rx_errors)
        .with("rx_dropped", traffic.rx_dropped)
        .with("tx_bytes", traffic.tx_bytes)
        .with("tx_packets", traffic.tx_packets)
        .with("tx_errors", traffic.tx_errors)
        .with("tx_dropped", traffic.tx_dropped)
}

/// A row per device and one for all. A container that has done no I/O yet has a total of zero
/// (Telegraf: a row without a number), so that its first bytes are seen as a rise.
fn add_block_io(identity: &Identity, devices: &[BlockDevice], rows: &mut Rows) {
    // No device was used: nothing was read or written. Of one that was used, what is not known is not nothing.
    let zero = devices.is_empty().then_some(0);
    let zero = Operations { read: zero, write: zero, ..Operations::default() };
    let mut total = BlockDevice { bytes: zero, requests: zero, ..BlockDevice::default() };
    for device in devices {
        total.bytes = total.bytes.plus(&device.bytes);
        total.requests = total.requests.plus(&device.requests);
        total.cost = total.cost.plus(&device.cost);
        let make = || identity.tags.with("device", format!("{}:{}", device.major, device.minor));
        let tags = identity.devices.get(&(device.major, device.minor), make);
        rows.add_tagged(identity.names.block_io, tags, block_fields(identity, device));
    }
    let fields = block_fields(identity, &total);
    rows.add_tagged(identity.names.block_io, identity.device_total.clone(), fields);
}

fn block_fields(identity: &Identity, device: &BlockDevice) -> Fields {
    let BlockDevice { bytes, requests, cost, .. } = device;
    identity
        .fields(13)
        .with("io_service_bytes_recursive_read", bytes.read)
        .with("io_service_bytes_recursive_write", bytes.write)
        .with("io_service_bytes_recursive_sync", bytes.sync)
        .with("io_service_bytes_recursive_async", bytes.asynchronous)
        .with("io_service_bytes_recursive_discard", bytes.discard)
        .with("io_service_bytes_recursive_total", bytes.total)
        .with("io_serviced_recursive_read", requests.read)
        .with("io_serviced_recursive_write", requests.write)
        .with("io_serviced_recursive_sync", requests.sync)
        .with("io_serviced_recursive_async", requests.asynchronous)
        .with("io_serviced_recursive_discard", requests.discard)
        .with("io_serviced_recursive_total", requests.total)
        .with("io_cost_usage", cost.usage_us)
        .with("io_cost_wait", cost.wait_us)
        .with("io_cost_indebt", cost.indebt_us)
        .with("io_cost_indelay", cost.indelay_us)
}

/// Adds what the runtime says of the container's state at that moment.
pub fn add_state_rows(identity: &Identity, metadata: &Metadata, at: UnixNanos, rows: &mut Rows) {
    // Files do not tell how a container ended.
    let is_told = metadata.runtime.is_asked();
    let counts_restarts = is_told || metadata.runtime == Runtime::Crio;
    let fields = identity
        .fields(8)
        .with("oomkilled", is_told.then_some(metadata.oom_killed))
        .with("pid", metadata.pid.or(is_told.then_some(0)).map(u64::from))
        .with("exitcode", is_told.then_some(metadata.exit_code))
        .with("restart_count", counts_restarts.then_some(metadata.restart_count))
        .with("started_at", metadata.started_at.map(|started| started.0))
        .with("finished_at", metadata.finished_at.map(|finished| finished.0))
        .with("uptime_ns", uptime_ns(metadata, at));
    rows.add_tagged("docker_container_status", identity.tags.clone(), fields);
    if let Some(health) = &metadata.health {
        let fields = Fields::with_capacity(2)
            .with("health_status", health.status.clone())
            .with("failing_streak", health.failing_streak);
        rows.add_tagged("docker_container_health", identity.tags.clone(), fields);
    }
}

/// How long it has run, or ran the last time. One that was started again has an older end.
fn uptime_ns(metadata: &Metadata, at: UnixNanos) -> Option<u64> {
    let started = metadata.started_at?;
    let end = metadata.finished_at.filter(|finished| *finished >= started).unwrap_or(at);
    u64::try_from(end.since(started).as_nanos()).ok()
}

#[cfg(test)]
mod tests;
