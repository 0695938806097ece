//! stand-in
use super::{identity::*, metadata::*, reading::Reading};
use crate::host::Host;
use crate::metric::*;
#[derive(Default, Clone, Debug)]
pub struct SystemCpu;
impl SystemCpu {
    pub fn read(_: &Host) -> Option<Self> {
        Some(Self)
    }
}
pub struct Identity(Tags);
impl Identity {
    pub fn new(base: &Tags, m: &Metadata, e: &Engine, r: Runtime, _: &ContainerId) -> Self {
        Self(
            base.and(
                [
                    ("container_name".into(), m.name.clone()),
                    ("container_image".into(), m.image.clone()),
                    ("container_version".into(), m.version.clone()),
                    ("container_status".into(), m.state.name().into()),
                    ("runtime".into(), r.name().into()),
                    ("engine_host".into(), e.host.clone()),
                    ("server_version".into(), e.version.clone()),
                ]
                .into_iter()
                .chain(m.labels.iter().cloned()),
            ),
        )
    }
}
pub fn add_rows(
    identity: &Identity,
    _: &Reading,
    _: &SystemCpu,
    before: Option<(&Reading, &SystemCpu)>,
    net: bool,
    rows: &mut Rows,
) {
    rows.add_tagged(
        "docker_container_cpu",
        identity.0.clone(),
        Fields::new().with("before", before.is_some()),
    );
    if net {
        rows.add_tagged("docker_container_net", identity.0.clone(), Fields::new().with("x", true));
    }
}
pub fn add_state_rows(identity: &Identity, m: &Metadata, _: UnixNanos, rows: &mut Rows) {
    rows.add_tagged(
        "docker_container_status",
        identity.0.clone(),
        Fields::new().with("exitcode", m.exit_code),
    );
}
