//! Range deletes judged by a list.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use proptest::prelude::*;
use sst_format::{KeyOrder, RangeEntry, RangeKind, SeqNo};

use super::LongFirst;
use crate::{Memtable, mem_source::MemSource};

fn bound() -> impl Strategy<Value = Bound<Bytes>> {
    let key = || prop::collection::vec(0..3u8, 0..3).prop_map(Bytes::from);
    prop_oneof![
        1 => Just(Bound::Unbounded),
        4 => key().prop_map(Bound::Included),
        4 => key().prop_map(Bound::Excluded),
    ]
}

/// Ranges of every shape, empty and turned round ones too.
fn range() -> impl Strategy<Value = RangeEntry> {
    (bound(), bound(), 1..60u64).prop_map(|(lower, upper, seq)| RangeEntry {
        kind: RangeKind::Delete,
        lower,
        upper,
        seq_low: SeqNo::new(0),
        seq_high: SeqNo::new(seq),
    })
}

fn check(order: &KeyOrder, ranges: &[RangeEntry]) {
    let memtable = Memtable::new(order.clone());
    let keys: Vec<Vec<u8>> =
        (0..40).map(|n: u8| vec![n / 9 % 4, n / 3 % 3, n % 3][..usize::from(n % 4)].into()).collect();
    for known in 0..=ranges.len() {
        if let Some(added) = known.checked_sub(1) {
            memtable.add_range(ranges[added].clone());
        }
        assert_eq!(memtable.is_empty(), known == 0);
        for snapshot in [0, 1, 20, 40, 60].map(SeqNo::new) {
            let seen = ranges[..known].iter().filter(|range| range.seq_high <= snapshot);
            for key in &keys {
                let newest =
                    seen.clone().filter(|range| range.holds(order, key)).map(|range| range.seq_high).max();
                assert_eq!(memtable.deleted_at(key, snapshot), newest, "{key:?} at {snapshot} of {known}");
            }
            assert_eq!(memtable.range_deletes(snapshot).len(), seen.count());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn range_deletes_cover_what_a_list_of_them_covers(ranges in prop::collection::vec(range(), 0..30)) {
        check(&KeyOrder::Bytes, &ranges);
        check(&KeyOrder::Custom(Arc::new(LongFirst)), &ranges);
    }
}
