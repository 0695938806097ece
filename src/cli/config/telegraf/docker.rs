//! `[[inputs.docker]]` as `[containers]`.

use super::plugin::Plugin;
use super::text::{Table, is_plain_glob};

/// What containers are told.
#[derive(Debug, Default)]
pub(super) struct Docker {
    labels: Vec<String>,
    env: Vec<String>,
    socket: Option<String>,
}

const OTHERS: &str =
    "devices and networks are told one by one and all together; a sink's exclude leaves some out";

impl Docker {
    /// Reads an input; gives patterns of rows that no sink is to take.
    pub(super) fn read(&mut self, table: &Plugin<'_>) -> Vec<String> {
        let mut excluded = Vec::new();
        if let Some(endpoint) = table.text("endpoint") {
            match endpoint.strip_prefix("unix://") {
                Some(path) => {
                    self.socket = Some(path.to_owned()).filter(|path| path != "/var/run/docker.sock");
                }
                None => table.note("endpoint", "Docker is asked over its socket on this machine"),
            }
        }
        // Telegraf takes all labels if none are chosen.
        let labels = table.texts("docker_label_include").filter(|labels| !labels.is_empty());
        self.labels = globs(table, "docker_label_include", labels.unwrap_or_else(|| vec!["*".to_owned()]));
        self.env = table.texts("tag_env").unwrap_or_default();
        table.already(
            "docker_label_exclude",
            &[""],
            "labels are chosen by labels in [containers], none is taken out again",
        );
        for key in ["container_name_exclude", "container_exclude"] {
            let names = table.texts(key).unwrap_or_default();
            excluded.extend(globs(table, key, names).iter().map(|glob| format!("container_name={glob}")));
        }
        for key in ["container_names", "container_name_include", "container_include"] {
            table.already(
                key,
                &["", "*"],
                "all containers are read; a sink's exclude = [\"container_name=...\"] leaves some out",
            );
        }
        for key in ["container_state_include", "container_state_exclude"] {
            table.already(key, &["", "running"], "containers that have ended are told as such, once a tick");
        }
        table.already("gather_services", &["false"], "Swarm's services are not measured");
        table.already("source_tag", &["false"], "rows have no such tag");
        table.already("include_source_tag", &["false"], "rows have no such tag");
        table.already("storage_objects", &[""], "sizes of images and volumes are not measured");
        for (key, same) in [
            ("perdevice", &["true"][..]),
            ("total", &["false", "true"]),
            ("perdevice_include", &["cpu", "cpu,blkio,network"]),
            ("total_include", &["cpu,blkio,network"]),
        ] {
            table.already(key, same, OTHERS);
        }
        table.duration("timeout");
        excluded
    }

    pub(super) fn write(&self, out: &mut String) {
        let mut containers = Table::new("\n[containers]");
        containers.comment("Telegraf knew Docker only; idle containers are read less often than others (agent.max_interval).");
        containers.set("runtimes", vec!["docker"]);
        if !self.labels.is_empty() {
            containers.set("labels", self.labels.clone());
        }
        if !self.env.is_empty() {
            containers.set("env", self.env.clone());
        }
        containers.write(out);
        if let Some(socket) = &self.socket {
            let mut docker = Table::new("\n[containers.docker]");
            docker.set("socket", socket.as_str());
            docker.write(out);
        }
    }
}

/// Those that we have too.
fn globs(table: &Plugin<'_>, key: &str, globs: Vec<String>) -> Vec<String> {
    let (plain, odd): (Vec<_>, Vec<_>) = globs.into_iter().partition(|glob| is_plain_glob(glob));
    if !odd.is_empty() {
        table.note(key, "has patterns with more than * and ?");
    }
    plain
}
