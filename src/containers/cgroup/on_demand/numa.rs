//! `memory.numa_stat`: what of a cgroup's memory is on which NUMA node.
//!
//! v1 counts four things in pages, its children's under `hierarchical_` (which are taken: `use_hierarchy`
//! is what every runtime sets); v2, since Linux 5.9, most keys of `memory.stat` in bytes. Both have the same
//! names here, and bytes.

use std::sync::Arc;

use crate::containers::cgroup::file::LazyFile;
use crate::containers::cgroup::scan;
use crate::containers::cgroup::stat::field_name;
use crate::containers::reading::Node;
use crate::host::Host;
use crate::metric::catalogue::{self, Field};

/// The measurement whose fields the keys are.
const MEASUREMENT: &str = "docker_container_numa";

/// More nodes than this are not looked at; Linux has 1024 at most.
const MOST_NODES: usize = 1024;

/// More lines than this are not looked at.
const MOST_LINES: usize = 256;

/// The file of one cgroup.
#[derive(Debug)]
pub(super) struct NumaFile(LazyFile);

impl NumaFile {
    pub(super) fn below(directory: &Arc<str>) -> Self {
        Self(LazyFile::below(Some(directory), "memory.numa_stat"))
    }

    pub(super) fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Vec<Node> {
        let fields = catalogue::find(MEASUREMENT).map_or(&[][..], |measurement| measurement.fields);
        let page_size = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        self.0.read(host, buffer).bytes().map(|bytes| nodes(bytes, page_size, fields)).unwrap_or_default()
    }
}

/// v1 `anon=37 N0=30 N1=7`, v2 `anon N0=122880 N1=28672`.
fn nodes(bytes: &[u8], page_size: u64, fields: &[Field]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for line in scan::lines(bytes).take(MOST_LINES) {
        let Some((key, mut rest)) = scan::word(line) else { continue };
        let (key, unit) = match key.iter().position(|byte| *byte == b'=') {
            Some(end) => (key.get(..end).unwrap_or_default(), page_size),
            None => (key, 1),
        };
        let key = key.strip_prefix(b"hierarchical_").unwrap_or(key);
        let Some(name) = field_name(fields, key).filter(|name| *name != "container_id") else { continue };
        while let Some((word, after)) = scan::word(rest) {
            rest = after;
            let Some((number, value)) = on_node(word) else { continue };
            let Some(value) = value.checked_mul(unit) else { continue };
            let Some(node) = node_in(&mut nodes, number) else { continue };
            // What counts the children too stands behind what does not.
            match node.values.iter_mut().find(|(own, _)| *own == name) {
                Some((_, own)) => *own = value,
                None => node.values.push((name.clone(), value)),
            }
        }
    }
    nodes
}

/// `N1=7`.
fn on_node(word: &[u8]) -> Option<(u32, u64)> {
    let (number, rest) = scan::leading(word.strip_prefix(b"N")?)?;
    Some((u32::try_from(number).ok()?, scan::lone(rest.strip_prefix(b"=")?)?))
}

/// The node of that number, added if it is new and there is room.
fn node_in(nodes: &mut Vec<Node>, number: u32) -> Option<&mut Node> {
    let at = match nodes.iter().position(|node| node.number == number) {
        Some(at) => at,
        None if nodes.len() < MOST_NODES => {
            nodes.push(Node { number, values: Vec::new() });
            nodes.len().saturating_sub(1)
        }
        None => return None,
    };
    nodes.get_mut(at)
}

#[cfg(test)]
mod tests {
    use super::nodes;

    fn check(text: &str, expected: &[(u32, &[(&str, u64)])]) {
        let found = nodes(text.as_bytes(), 4096, &[]);
        let found: Vec<_> = found
            .iter()
            .map(|node| {
                let values = node.values.iter().map(|(name, value)| (name.as_str(), *value));
                (node.number, values.collect::<Vec<_>>())
            })
            .collect();
        let expected: Vec<_> = expected.iter().map(|(number, values)| (*number, values.to_vec())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn v1_counts_pages_and_its_children() {
        check(
            "total=3 N0=2 N1=1\nanon=3 N0=2 N1=1\n",
            &[(0, &[("total", 8192), ("anon", 8192)]), (1, &[("total", 4096), ("anon", 4096)])],
        );
        check("total=3 N0=3\nhierarchical_total=5 N0=5\n", &[(0, &[("total", 20_480)])]);
    }

    #[test]
    fn v2_counts_bytes() {
        check(
            "anon N0=110592 N1=0\nfile N0=5 N1=18446744073709551615\n",
            &[(0, &[("anon", 110_592), ("file", 5)]), (1, &[("anon", 0), ("file", u64::MAX)])],
        );
    }

    #[test]
    fn odd_lines_are_skipped() {
        check("", &[]);
        check("\nanon\nanon N0\nanon N=1\nanon 0=1\nanon Nx=1\nanon N0=x\nanon N4294967296=1\n", &[]);
        check("container_id N0=1\n", &[]);
        check("=3 N0=1\na-b N0=1\n\u{fffd} N0=1\n", &[]);
        check("anon=1 N0=18446744073709551615 N1=1\nfile N0=18446744073709551616", &[(1, &[("anon", 4096)])]);
        check("anon N0=1 N", &[(0, &[("anon", 1)])]);
    }

    #[test]
    fn a_file_without_end_is_cut() {
        let line: Vec<_> = (0..2000).map(|number| format!(" N{number}=1")).collect();
        assert_eq!(nodes(format!("anon{}", line.concat()).as_bytes(), 1, &[]).len(), super::MOST_NODES);
        let lines: Vec<_> = (0..2000).map(|number| format!("key_{number} N0=1\n")).collect();
        assert_eq!(nodes(lines.concat().as_bytes(), 1, &[])[0].values.len(), super::MOST_LINES);
    }
}
