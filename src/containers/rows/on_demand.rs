//! Rows of what `[containers] groups` asks for.

use super::series::Identity;
use super::system::SystemCpu;
use crate::containers::reading::{Cpuset, HugePages, Node, OnDemand};
use crate::host::text;
use crate::metric::{Rows, Text};

pub(super) fn add(identity: &Identity, now: &OnDemand, system: &SystemCpu, rows: &mut Rows) {
    add_cores(identity, &now.cores, system.online, rows);
    for pages in &now.huge_pages {
        add_huge_pages(identity, pages, rows);
    }
    for node in &now.nodes {
        add_node(identity, node, rows);
    }
    if let Some(cpuset) = &now.cpuset {
        add_cpuset(identity, cpuset, rows);
    }
}

/// The kernel counts every core that the machine might ever have. One that is not there and never was
/// gets no row.
fn add_cores(identity: &Identity, cores: &[Option<u64>], online: u32, rows: &mut Rows) {
    for (number, used) in (0_u32..).zip(cores) {
        if let Some(used) = *used
            && (used > 0 || number < online || online == 0)
        {
            let tags = identity.cores.get(&number, || identity.tags.with("cpu", format!("cpu{number}")));
            rows.add_tagged(identity.names.cpu, tags, identity.fields(2).with("usage_total", used));
        }
    }
}

fn add_huge_pages(identity: &Identity, pages: &HugePages, rows: &mut Rows) {
    let HugePages { size, used, reserved } = pages;
    let tags = identity.page_sizes.get(size, || identity.tags.with("pagesize", size.clone()));
    let fields = identity
        .fields(7)
        .with("usage", used.usage)
        .with("max_usage", used.max_usage)
        .with("fail_count", used.fail_count)
        .with("rsvd_usage", reserved.usage)
        .with("rsvd_max_usage", reserved.max_usage)
        .with("rsvd_fail_count", reserved.fail_count);
    rows.add_tagged(identity.names.hugetlb, tags, fields);
}

fn add_node(identity: &Identity, node: &Node, rows: &mut Rows) {
    let tags = identity.nodes.get(&node.number, || identity.tags.with("node", node.number.to_string()));
    let mut fields = identity.fields(node.values.len().saturating_add(1));
    for (key, value) in &node.values {
        fields.set(key.clone(), *value);
    }
    rows.add_tagged(identity.names.numa, tags, fields);
}

fn add_cpuset(identity: &Identity, cpuset: &Cpuset, rows: &mut Rows) {
    let count = |list: &Option<Text>| list.as_ref().and_then(|list| text::count_of_list(list.as_bytes()));
    let fields = identity
        .fields(6)
        .with("cpus", cpuset.cores.clone())
        .with("cpu_count", count(&cpuset.cores))
        .with("mems", cpuset.nodes.clone())
        .with("mem_count", count(&cpuset.nodes))
        .with("memory_migrate", cpuset.memory_migrate);
    rows.add_tagged(identity.names.cpuset, identity.tags.clone(), fields);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, rows, system};
    use crate::containers::reading::{Counts, Cpuset, HugePages, Node, OnDemand, Reading};

    fn reading(on_demand: OnDemand) -> Reading {
        Reading { on_demand: Some(Box::new(on_demand)), ..Reading::default() }
    }

    /// The host of these tests has two cores.
    #[test]
    fn cores_that_are_not_there_have_no_row() {
        let cores = |cores: &[Option<u64>], online| {
            let now = reading(OnDemand { cores: cores.to_vec(), ..OnDemand::default() });
            let mut system = system(0);
            system.online = online;
            let found = rows(&now, &system, None);
            found.iter().map(|sample| sample.tags.get("cpu").unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(cores(&[Some(0), Some(5), Some(0), None], 2), ["cpu0", "cpu1"]);
        assert_eq!(cores(&[Some(0), None, Some(5), Some(0)], 2), ["cpu0", "cpu2"]);
        assert_eq!(cores(&[Some(0), Some(0)], 0), ["cpu0", "cpu1"]);
        let now = reading(OnDemand { cores: vec![Some(7)], ..OnDemand::default() });
        check(&now, "cpu", &["docker_container_cpu,cpu=cpu0 usage_total=7u"]);
    }

    #[test]
    fn huge_pages_nodes_and_the_cpuset() {
        let used = Counts { usage: Some(1), max_usage: Some(2), fail_count: Some(3) };
        let reserved = Counts { usage: Some(4), max_usage: Some(5), fail_count: Some(6) };
        let pages = |size: &'static str, used| HugePages { size: size.into(), used, reserved };
        let now = reading(OnDemand {
            huge_pages: vec![pages("1GB", used), pages("2MB", Counts::default())],
            ..OnDemand::default()
        });
        let rsvd = "rsvd_usage=4u rsvd_max_usage=5u rsvd_fail_count=6u";
        check(
            &now,
            "pagesize",
            &[
                &format!("docker_container_hugetlb,pagesize=1GB usage=1u max_usage=2u fail_count=3u {rsvd}"),
                &format!("docker_container_hugetlb,pagesize=2MB {rsvd}"),
            ],
        );
        let nodes = vec![
            Node { number: 0, values: vec![("anon".into(), 1), ("some_new_key".into(), 2)] },
            Node { number: 1, values: vec![("anon".into(), 3)] },
        ];
        check(
            &reading(OnDemand { nodes, ..OnDemand::default() }),
            "node",
            &["docker_container_numa,node=0 anon=1u some_new_key=2u", "docker_container_numa,node=1 anon=3u"],
        );
        let cpuset =
            Cpuset { cores: Some("0-3,8".into()), nodes: Some("1".into()), memory_migrate: Some(false) };
        check(
            &reading(OnDemand { cpuset: Some(cpuset), ..OnDemand::default() }),
            "none",
            &[
                "docker_container_cpuset cpus=\"0-3,8\" cpu_count=5u mems=\"1\" mem_count=1u memory_migrate=false",
            ],
        );
    }
}
