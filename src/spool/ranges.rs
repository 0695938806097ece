//! Pure: sets of sequence numbers as ranges, both ends included. What has to do with a backlog is held
//! as ranges, never as single numbers, so that memory does not grow with it.

/// Ranges in order, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    /// Adds `first..=last`.
    pub(super) fn insert(&mut self, first: i64, last: i64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        self.0.retain(|(own_first, own_last)| {
            let apart = own_last.saturating_add(1) < first || *own_first > last.saturating_add(1);
            if !apart {
                first = first.min(*own_first);
                last = last.max(*own_last);
            }
            apart
        });
        let at = self.0.partition_point(|(own_first, _)| *own_first < first);
        self.0.insert(at, (first, last));
    }

    /// Whether `number` is in it.
    pub(super) fn contains(&self, number: i64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| number <= *last)
    }

    /// Forgets all that lies before `number`.
    pub(super) fn forget_before(&mut self, number: i64) {
        self.0.retain(|(_, last)| *last >= number);
    }

    /// What of `first..=last` is not in it, in order.
    pub(super) fn gaps(&self, first: i64, last: i64) -> Vec<(i64, i64)> {
        let mut found = Vec::new();
        let mut next = Some(first);
        for (own_first, own_last) in &self.0 {
            let Some(from) = next else { break };
            if from < *own_first && from <= last {
                found.push((from, own_first.saturating_sub(1).min(last)));
            }
            next = own_last.checked_add(1).map(|behind| behind.max(from));
        }
        found.extend(next.filter(|from| *from <= last).map(|from| (from, last)));
        found
    }
}

impl FromIterator<(i64, i64)> for Ranges {
    fn from_iter<I: IntoIterator<Item = (i64, i64)>>(pairs: I) -> Self {
        let mut ranges = Self::default();
        pairs.into_iter().for_each(|(first, last)| ranges.insert(first, last));
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    fn ranges(pairs: &[(i64, i64)]) -> Ranges {
        pairs.iter().copied().collect()
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let check = |pairs: &[(i64, i64)], expected: &[(i64, i64)]| {
            assert_eq!(ranges(pairs).0, expected, "{pairs:?}");
        };
        check(&[(5, 6), (1, 2)], &[(1, 2), (5, 6)]);
        check(&[(1, 2), (3, 4)], &[(1, 4)]);
        check(&[(1, 2), (5, 6), (2, 5)], &[(1, 6)]);
        check(&[(4, 4), (1, 9)], &[(1, 9)]);
        check(&[(3, 2)], &[]);
        check(&[(5, i64::MAX), (i64::MIN, 3)], &[(i64::MIN, 3), (5, i64::MAX)]);
    }

    #[test]
    fn a_number_is_in_it_or_in_a_gap() {
        let set = ranges(&[(2, 3), (6, 6), (9, i64::MAX)]);
        let gaps = set.gaps(i64::MIN, i64::MAX);
        assert_eq!(gaps, [(i64::MIN, 1), (4, 5), (7, 8)]);
        for number in 0..20 {
            let in_gap = gaps.iter().any(|(first, last)| (*first..=*last).contains(&number));
            assert_eq!(set.contains(number), !in_gap, "{number}");
        }
        assert_eq!(set.gaps(3, 7), [(4, 5), (7, 7)]);
        assert_eq!(set.gaps(3, 3), []);
        assert_eq!(ranges(&[]).gaps(1, 2), [(1, 2)]);
    }

    #[test]
    fn what_lies_before_is_forgotten() {
        let mut set = ranges(&[(1, 2), (4, 8)]);
        set.forget_before(5);
        assert_eq!(set, ranges(&[(4, 8)]));
    }
}
