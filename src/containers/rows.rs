//! From readings and what a runtime says of a container to rows: names, tags and types are those of
//! Telegraf's `docker` input, so that its dashboards work for every runtime.
//!
//! Pure: two readings and two looks at the host make the rows, nothing is asked. A number that is
//! made of two readings is left out where there is only one, or where a counter went back.
//!
//! On purpose unlike Telegraf: a first reading has no `usage_percent` (Telegraf sends 0), v2 has
//! `max_usage` from `memory.peak` or none (0), all keys of `memory.stat` are there (29), a v2
//! container has its numbers of requests, and what is not known is left out.

use std::cell::RefCell;

use super::identity::{ContainerId, Runtime};
use super::metadata::{Engine, Metadata};
use super::reading::{BlockDevice, Cpu, Memory, Operations, Reading, Resource, Stalled, Traffic};
use crate::host::{Host, HostError, counter, text};
use crate::metric::{Fields, Rows, Tags, Text, UnixNanos};

/// `/proc/stat` counts in steps of `USER_HZ`, which is 100 on every architecture of today.
const NANOS_PER_TICK: u64 = 10_000_000;

/// Tags of more interfaces or devices of one container than this are made anew each time.
const MOST_KEPT: usize = 64;

/// The host beside which a container's numbers are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SystemCpu {
    /// Nanoseconds of all cores since boot, idle ones included; 0 if not known.
    pub total_ns: u64,
    /// Cores that are on.
    pub online: u32,
    /// Memory in bytes; 0 if not known.
    pub memory_total: u64,
}

impl SystemCpu {
    /// Reads `/proc/stat` and `/proc/meminfo`.
    pub fn read(host: &Host) -> Result<Self, HostError> {
        let mut buffer = Vec::new();
        host.read_into("/proc/stat", &mut buffer)?;
        let (total_ns, online) = processors(&buffer);
        host.read_into("/proc/meminfo", &mut buffer)?;
        Ok(Self { total_ns, online, memory_total: memory_total(&buffer) })
    }
}

/// Docker's sum: user, nice, system, idle, iowait, irq, softirq. Time in guests is in user already;
/// stolen time is left out.
fn processors(stat: &[u8]) -> (u64, u32) {
    let mut ticks: u64 = 0;
    let mut online: u32 = 0;
    for line in text::lines(stat) {
        match line.strip_prefix("cpu") {
            Some(all) if all.starts_with(' ') => {
                let columns = all.split_ascii_whitespace().take(7).filter_map(|column| column.parse().ok());
                ticks = columns.fold(0, u64::saturating_add);
            }
            Some(_) => online = online.saturating_add(1),
            // The processors come first; behind them are lines of thousands of interrupts.
            None => break,
        }
    }
    (ticks.saturating_mul(NANOS_PER_TICK), online)
}

fn memory_total(meminfo: &[u8]) -> u64 {
    let kibibytes = text::lines(meminfo).find_map(|line| {
        let value = line.strip_prefix("MemTotal:")?;
        value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    });
    kibibytes.unwrap_or(0).saturating_mul(1024)
}

/// The tags of a container's series, made once and then shared by its rows.
#[derive(Debug)]
pub struct Identity {
    id: Text,
    tags: Tags,
    cpu_total: Tags,
    network_total: Tags,
    device_total: Tags,
    networks: Kept<Text>,
    devices: Kept<(u32, u32)>,
    pressures: Kept<(Resource, Stalled)>,
}

impl Identity {
    /// Telegraf's tags and `runtime`. A label cannot take the place of another tag.
    pub fn new(
        base: &Tags,
        metadata: &Metadata,
        engine: &Engine,
        runtime: Runtime,
        id: &ContainerId,
    ) -> Self {
        let own = [
            ("engine_host", engine.host.clone()),
            ("server_version", engine.version.clone()),
            ("container_name", metadata.name.clone()),
            ("container_image", metadata.image.clone()),
            ("container_version", metadata.version.clone()),
            ("container_status", Text::of(metadata.state.name())),
            ("runtime", Text::of(runtime.name())),
        ];
        let labels = metadata.labels.iter().filter(|(key, _)| !is_taken(key)).cloned();
        let base = base.iter().map(|(key, value)| (key.clone(), value.clone()));
        let own = own.into_iter().map(|(key, value)| (Text::of(key), value));
        let tags = Tags::new(labels.chain(base).chain(own));
        Self {
            id: id.as_str().to_owned().into(),
            cpu_total: tags.with("cpu", "cpu-total"),
            network_total: tags.with("network", "total"),
            device_total: tags.with("device", "total"),
            networks: Kept::default(),
            devices: Kept::default(),
            pressures: Kept::default(),
            tags,
        }
    }

    /// The tags that all rows of the container carry.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    fn fields(&self, count: usize) -> Fields {
        Fields::with_capacity(count).with("container_id", self.id.clone())
    }
}

/// Tags that tell the series of one measurement apart: a label of that name would make two series
/// of one, or one of two.
fn is_taken(key: &str) -> bool {
    ["cpu", "network", "device", "resource", "type"].contains(&key)
}

/// Tags by what they were made for.
#[derive(Debug)]
struct Kept<K>(RefCell<Vec<(K, Tags)>>);

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: PartialEq + Clone> Kept<K> {
    fn get(&self, key: &K, make: impl FnOnce() -> Tags) -> Tags {
        let mut kept = self.0.borrow_mut();
        if let Some((_, tags)) = kept.iter().find(|(own, _)| own == key) {
            return tags.clone();
        }
        let tags = make();
        if kept.len() < MOST_KEPT {
            kept.push((key.clone(), tags.clone()));
        }
        tags
    }
}

/// Adds the rows of a reading. `before` is the reading that this one follows.
pub fn add_rows(
    identity: &Identity,
    now: &Reading,
    system: &SystemCpu,
    before: Option<(&Reading, &SystemCpu)>,
    report_network: bool,
    rows: &mut Rows,
) {
    if let Some(cpu) = &now.cpu {
        let before = before.and_then(|(reading, system)| Some((reading.cpu.as_ref()?, system)));
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
        let fields = identity.fields(3).with("current", pids.current).with("limit", pids.limit);
        rows.add_tagged("docker_container_pids", identity.tags.clone(), fields);
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
        rows.add_tagged("docker_container_pressure", tags, fields);
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
        .fields(9)
        .with("usage_total", cpu.usage_ns)
        .with("usage_in_usermode", cpu.user_ns)
        .with("usage_in_kernelmode", cpu.system_ns)
        .with("usage_system", (system.total_ns > 0).then_some(system.total_ns))
        .with("usage_percent", percent)
        .with("throttling_periods", cpu.periods)
        .with("throttling_throttled_periods", cpu.throttled_periods)
        .with("throttling_throttled_time", cpu.throttled_ns);
    rows.add_tagged("docker_container_cpu", identity.cpu_total.clone(), fields);
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
    let mut fields = identity
        .fields(memory.stat.len().saturating_add(9))
        .with("usage", usage)
        .with("limit", limit)
        .with("usage_percent", usage.zip(limit).and_then(|(usage, limit)| counter::percent(usage, limit)))
        .with("max_usage", memory.max_usage)
        .with("fail_count", memory.fail_count.filter(|count| *count > 0))
        .with("working_set", memory.working_set())
        .with("swap", memory.swap)
        .with("oom_kills", memory.oom_kills);
    for (key, value) in &memory.stat {
        fields.set(key.clone(), *value);
    }
    rows.add_tagged("docker_container_mem", identity.tags.clone(), fields);
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
        rows.add_tagged("docker_container_net", tags, traffic_fields(identity, &interface.traffic));
    }
    let fields = traffic_fields(identity, &total);
    rows.add_tagged("docker_container_net", identity.network_total.clone(), fields);
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
        let make = || identity.tags.with("device", format!("{}:{}", device.major, device.minor));
        let tags = identity.devices.get(&(device.major, device.minor), make);
        rows.add_tagged("docker_container_blkio", tags, block_fields(identity, device));
    }
    let fields = block_fields(identity, &total);
    rows.add_tagged("docker_container_blkio", identity.device_total.clone(), fields);
}

fn block_fields(identity: &Identity, device: &BlockDevice) -> Fields {
    let BlockDevice { bytes, requests, .. } = device;
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
}

/// Adds what the runtime says of the container's state at that moment.
pub fn add_state_rows(identity: &Identity, metadata: &Metadata, at: UnixNanos, rows: &mut Rows) {
    let fields = identity
        .fields(8)
        .with("oomkilled", metadata.oom_killed)
        .with("pid", u64::from(metadata.pid.unwrap_or(0)))
        .with("exitcode", metadata.exit_code)
        .with("restart_count", metadata.restart_count)
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
