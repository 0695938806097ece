//! What is read of a container only where the configuration asks for it.

use crate::metric::Text;

/// The groups that were asked for; what was not is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OnDemand {
    /// Nanoseconds used on each core that the machine may have, from core 0 on; v1 only.
    pub cores: Vec<Option<u64>>,
    /// Huge pages, by their size.
    pub huge_pages: Vec<HugePages>,
    /// Memory, by NUMA node.
    pub nodes: Vec<Node>,
    /// Where it may run.
    pub cpuset: Option<Cpuset>,
}

/// Huge pages of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HugePages {
    /// As the kernel writes it: `2MB`, `1GB`.
    pub size: Text,
    /// Those in use.
    pub used: Counts,
    /// Those that mappings have reserved, in use or not; since Linux 5.7.
    pub reserved: Counts,
}

/// How many bytes of huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Now.
    pub usage: Option<u64>,
    /// At most so far; v1 only.
    pub max_usage: Option<u64>,
    /// How often the limit stood in the way, a counter.
    pub fail_count: Option<u64>,
}

/// Memory on one NUMA node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The node's number.
    pub number: u32,
    /// What is on it, by the kernel's keys: bytes, or occurrences.
    pub values: Vec<(Text, u64)>,
}

/// The cores and memory nodes that may be used, parents' limits included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cpuset {
    /// Cores, as the kernel writes lists: `0-3,8`.
    pub cores: Option<Text>,
    /// Memory nodes.
    pub nodes: Option<Text>,
    /// Whether pages move along when the nodes change; v1 only.
    pub memory_migrate: Option<bool>,
}
