//! `memory.stat`, the longest file of a sample: 35 to 60 lines of `key value`.
//!
//! The kernel writes the keys in the same order each time. So the keys of the last reading are
//! remembered by line, and a line is read by comparing it with the key that stood there last. A key
//! counts once, where it stands first. Keys of the catalogue are names of the program; one that it does
//! not know is shared by all rows. Cgroups whose files have the same keys share the list of them, which
//! takes 2 kB.

use std::cell::RefCell;
use std::sync::Arc;

use super::scan;
use crate::metric::Text;
use crate::metric::catalogue::{self, Field};

/// More lines than this are not looked at; Linux 6.18 has 60.
const MOST_KEYS: usize = 256;

/// A key may be this long.
const LONGEST_KEY: usize = 64;

/// The measurement whose fields the keys are.
pub(crate) const MEASUREMENT: &str = "docker_container_mem";

/// Fields of the row that are not from `memory.stat`. v1 has a key `swap`, which does not count
/// sub-cgroups; `total_swap`, which does, is in the field of that name.
const OWN_FIELDS: &[&str] = &[
    "container_id",
    "events_high",
    "events_low",
    "events_max",
    "events_oom",
    "events_oom_group_kill",
    "fail_count",
    "limit",
    "max_usage",
    "oom_kills",
    "swap",
    "under_oom",
    "usage",
    "usage_percent",
    "usage_total",
    "working_set",
];

thread_local! {
    /// The keys that were learnt last: what the next cgroup's file begins with, most likely.
    static LEARNT: RefCell<Arc<Vec<Key>>> = RefCell::default();
}

/// The keys of the last reading; none before the first.
#[derive(Debug, Default)]
pub(crate) struct StatKeys(Option<Arc<Vec<Key>>>);

#[derive(Debug, Clone)]
struct Key {
    name: Text,
    is_own: bool,
}

impl StatKeys {
    /// The keys and their values, in the kernel's order.
    pub(crate) fn parse(&mut self, bytes: &[u8]) -> Vec<(Text, u64)> {
        let keys = self.0.get_or_insert_with(|| LEARNT.with_borrow(Arc::clone));
        let mut found = Vec::with_capacity(keys.len());
        let mut rest = bytes;
        let mut position = 0;
        let mut has_learnt = false;
        while !rest.is_empty() && position < MOST_KEYS {
            let expected = keys.get(position).and_then(|key| quick(rest, &key.name));
            let number = if let Some((number, after)) = expected {
                rest = after;
                Some(number)
            } else {
                let number = slow(keys, position, &mut rest);
                has_learnt |= number.is_some();
                number
            };
            if let (Some(number), Some(key)) = (number, keys.get(position)) {
                if !key.is_own {
                    found.push((key.name.clone(), number));
                }
                position += 1;
            }
        }
        if has_learnt {
            LEARNT.set(keys.clone());
        }
        found
    }
}

/// Reads a line whose key is not the one that stood there last, and remembers its key.
fn slow(keys: &mut Arc<Vec<Key>>, position: usize, rest: &mut &[u8]) -> Option<u64> {
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let line = parts.next().unwrap_or_default();
    *rest = parts.next().unwrap_or_default();
    let (key, value) = scan::word(line)?;
    let number = scan::lone(value)?;
    let key = Key::new(key)?;
    // What stood behind it last is read anew too, or a key could stand at two lines.
    if keys.iter().take(position).any(|other| other.name == key.name) {
        return None;
    }
    let own = Arc::make_mut(keys);
    own.truncate(position);
    own.push(key);
    Some(number)
}

/// The number of a line that begins with `key` and a space, and what follows the line.
fn quick<'b>(bytes: &'b [u8], key: &str) -> Option<(u64, &'b [u8])> {
    let value = bytes.strip_prefix(key.as_bytes())?.strip_prefix(b" ")?;
    let (number, rest) = scan::leading(value)?;
    Some((number, rest.strip_prefix(b"\n")?))
}

impl Key {
    /// None for what cannot be a key: such a line says nothing that could be named.
    fn new(key: &[u8]) -> Option<Self> {
        let fields = catalogue::find(MEASUREMENT).map_or(&[][..], |measurement| measurement.fields);
        let name = field_name(fields, key)?;
        Some(Self { is_own: OWN_FIELDS.contains(&name.as_str()), name })
    }
}

/// The field that a key of the kernel's becomes; none for what cannot be a key.
pub(crate) fn field_name(fields: &[Field], key: &[u8]) -> Option<Text> {
    let key = std::str::from_utf8(key).ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(plain) {
        return None;
    }
    let known = fields.iter().find(|field| field.name == key);
    Some(known.map_or_else(|| Text::from(key.to_owned()), |field| Text::of(field.name)))
}

/// The value of a key.
pub(crate) fn value_of(stat: &[(Text, u64)], key: &str) -> Option<u64> {
    stat.iter().find(|(own, _)| own == key).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::StatKeys;
    use crate::metric::Text;

    fn check(keys: &mut StatKeys, text: &str, expected: &[(&'static str, u64)]) {
        let expected: Vec<_> = expected.iter().map(|(key, value)| (Text::of(key), *value)).collect();
        assert_eq!(keys.parse(text.as_bytes()), expected, "{text:?}");
    }

    #[test]
    fn the_kernels_order_is_kept_and_remembered() {
        let mut keys = StatKeys::default();
        for _ in 0..3 {
            check(
                &mut keys,
                "anon 1\nfile 22\nnovel_key 3\n",
                &[("anon", 1), ("file", 22), ("novel_key", 3)],
            );
        }
        check(&mut keys, "anon 4\nkernel 5\nfile 6\n", &[("anon", 4), ("kernel", 5), ("file", 6)]);
        check(&mut keys, "file 7\n", &[("file", 7)]);
        check(&mut keys, "", &[]);
        check(&mut keys, "file_mapped 8\nfile 9\n", &[("file_mapped", 8), ("file", 9)]);
    }

    #[test]
    fn cgroups_with_the_same_keys_share_them() {
        let [mut first, mut second] = [StatKeys::default(), StatKeys::default()];
        let share = |first: &StatKeys, second: &StatKeys| {
            Arc::ptr_eq(first.0.as_ref().unwrap(), second.0.as_ref().unwrap())
        };
        check(&mut first, "anon 1\nfile 2\n", &[("anon", 1), ("file", 2)]);
        check(&mut second, "anon 3\nfile 4\n", &[("anon", 3), ("file", 4)]);
        assert!(share(&first, &second));
        check(&mut second, "anon 3\nkernel 5\n", &[("anon", 3), ("kernel", 5)]);
        assert!(!share(&first, &second));
        check(&mut first, "anon 6\nfile 7\n", &[("anon", 6), ("file", 7)]);
    }

    #[test]
    fn odd_lines_are_skipped() {
        let mut keys = StatKeys::default();
        for _ in 0..2 {
            check(
                &mut keys,
                "anon 1\nfile\nkernel x\nshmem 18446744073709551616\n\u{fffd} 1\na=b 1\n\nsock 2\npercpu 3",
                &[("anon", 1), ("sock", 2), ("percpu", 3)],
            );
            check(&mut keys, "anon 1\nsock 18446744073709551616\npercpu 3\n", &[("anon", 1), ("percpu", 3)]);
        }
        check(&mut keys, &format!("{} 1\nanon 2\n", "k".repeat(65)), &[("anon", 2)]);
    }

    #[test]
    fn a_key_counts_once() {
        let mut keys = StatKeys::default();
        for _ in 0..2 {
            check(&mut keys, "anon 1\nfile 2\nanon 3\nsock 4\n", &[("anon", 1), ("file", 2), ("sock", 4)]);
            check(&mut keys, "file 5\nfile 6\nsock 7\n", &[("file", 5), ("sock", 7)]);
        }
    }

    #[test]
    fn keys_that_other_fields_stand_for_are_left_out() {
        let mut keys = StatKeys::default();
        for _ in 0..2 {
            check(&mut keys, "cache 1\nswap 2\nlimit 3\ntotal_swap 4\n", &[("cache", 1), ("total_swap", 4)]);
        }
    }

    #[test]
    fn a_file_without_end_is_cut() {
        let text: Vec<_> = (0..1000).map(|number| format!("key_{number} {number}\n")).collect();
        let text = text.concat();
        assert_eq!(StatKeys::default().parse(text.as_bytes()).len(), super::MOST_KEYS);
    }
}
