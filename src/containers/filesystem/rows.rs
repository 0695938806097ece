//! From what a walk found to rows.

use super::Usage;
use crate::containers::rows::Identity;
use crate::host::Walked;
use crate::metric::{Fields, Monotonic, Rows, Text};

/// Adds what a container takes, with how old that is.
pub fn add_rows(identity: &Identity, usage: &Usage, now: Monotonic, rows: &mut Rows) {
    let age = now.since(usage.finished).as_secs();
    let log = usage.log.unwrap_or_default();
    let unread = usage.layer.unread.saturating_add(log.unread);
    let inodes = usage.fill.filter(|fill| fill.inodes > 0);
    let fields = identity
        .fields(11)
        .with("usage_bytes", usage.layer.bytes.saturating_add(log.bytes))
        .with("base_usage_bytes", usage.layer.bytes)
        .with("log_bytes", usage.log.map(|log| log.bytes))
        .with("inodes_used", usage.layer.inodes)
        .with("limit_bytes", usage.fill.map(|fill| fill.total))
        .with("available_bytes", usage.fill.map(|fill| fill.available))
        .with("inodes_total", inodes.map(|fill| fill.inodes))
        .with("inodes_free", inodes.map(|fill| fill.inodes_free))
        .with("unread", unread)
        .with("age", age);
    rows.add_tagged("docker_container_fs", identity.tags().clone(), fields);
    for (name, Walked { bytes, inodes, unread }) in &usage.volumes {
        let tags = identity.tags().and([(Text::of("volume"), name.clone().into())]);
        let fields: Fields = identity
            .fields(5)
            .with("usage_bytes", *bytes)
            .with("inodes_used", *inodes)
            .with("unread", *unread)
            .with("age", age);
        rows.add_tagged("docker_container_volume", tags, fields);
    }
}
