//! Which processes are reported: few enough for every row to be worth its way, whatever runs.

use crate::host::process::Stat;

/// A process, as a reading of all of them saw it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) pid: u32,
    pub(super) stat: Stat,
    /// Processor time since the reading before, in ticks; none at the first.
    pub(super) used: Option<u64>,
    /// The pattern that it matches.
    pub(super) pattern: Option<usize>,
}

/// Those that match a pattern, up to `max_rows` of them, and the `top` that use most of the processor and of
/// the memory; each once, by number. Who uses nothing is none of those that use most.
pub(super) fn chosen(seen: &[Seen], top: usize, max_rows: usize) -> Vec<&Seen> {
    let matching = seen.iter().filter(|one| one.pattern.is_some());
    let mut chosen: Vec<_> = matching.take(max_rows).collect();
    chosen.extend(most(seen, top, |one| one.used.unwrap_or(0)));
    chosen.extend(most(seen, top, |one| one.stat.resident_pages.unwrap_or(0)));
    chosen.sort_by_key(|one| one.pid);
    chosen.dedup_by_key(|one| one.pid);
    chosen
}

/// Of two that use the same, the one with the lower number.
fn most(seen: &[Seen], top: usize, of: impl Fn(&Seen) -> u64) -> Vec<&Seen> {
    let mut all: Vec<_> = seen.iter().filter(|one| of(one) > 0).collect();
    let key = |one: &&Seen| (std::cmp::Reverse(of(one)), one.pid);
    if all.len() > top && top > 0 {
        all.select_nth_unstable_by_key(top, key);
    }
    all.truncate(top);
    all
}

#[cfg(test)]
mod tests {
    use super::{Seen, chosen};
    use crate::host::process::stat;

    /// Number, ticks used, pages, pattern.
    fn seen(pid: u32, used: Option<u64>, pages: u64, pattern: Option<usize>) -> Seen {
        let line = format!("{pid} (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 0 {pages}");
        let (_, stat) = stat(line.as_bytes()).unwrap();
        Seen { pid, stat, used, pattern }
    }

    #[test]
    fn those_that_use_most_and_those_that_match() {
        let all = [
            seen(1, Some(5), 10, None),
            seen(2, Some(0), 30, None),
            seen(3, Some(7), 0, Some(1)),
            seen(4, Some(5), 20, None),
            seen(5, None, 0, Some(0)),
            seen(6, None, 0, None),
        ];
        let check = |top, max_rows, expected: &[u32]| {
            let pids: Vec<_> = chosen(&all, top, max_rows).iter().map(|one| one.pid).collect();
            assert_eq!(pids, expected, "top {top}, {max_rows} rows");
        };
        check(0, 0, &[]);
        check(0, 9, &[3, 5]);
        check(0, 1, &[3]);
        check(1, 0, &[2, 3]);
        check(2, 0, &[1, 2, 3, 4]);
        check(9, 9, &[1, 2, 3, 4, 5]);
        assert!(chosen(&[], 9, 9).is_empty());
    }
}
