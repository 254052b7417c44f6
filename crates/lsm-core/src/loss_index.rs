//! The losses of a table, found by key.
//!
//! Invariant: they stand by where they start, and each place knows which of those up to it reaches furthest. So a
//! search begins at the last one that starts at the key or before it, and ends where none reaches the key any more.

use std::cmp::Ordering;

use sst_format::KeyOrder;

use crate::{
    covers::{compare_ends, compare_starts},
    loss::TableLoss,
};

/// Losses by where they start.
#[derive(Clone, Debug, Default)]
pub(crate) struct LossIndex {
    losses: Vec<TableLoss>,
    /// Which of those up to each reaches furthest.
    furthest: Vec<usize>,
}

impl LossIndex {
    pub(crate) fn new(order: &KeyOrder, mut losses: Vec<TableLoss>) -> Self {
        losses.sort_by(|a, b| compare_starts(order, &a.lost.lower, &b.lost.lower));
        let mut furthest = Vec::with_capacity(losses.len());
        for (at, loss) in losses.iter().enumerate() {
            let before = furthest.last().copied().unwrap_or(at);
            let reaches = compare_ends(order, &loss.lost.upper, &losses[before].lost.upper);
            furthest.push(if reaches == Ordering::Greater { at } else { before });
        }
        Self { losses, furthest }
    }

    /// All of them, by where they start.
    pub(crate) fn all(&self) -> &[TableLoss] {
        &self.losses
    }

    /// Whether nothing was lost: all that a read asks of a sound table.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.losses.is_empty()
    }

    /// Those that hold a key.
    #[inline]
    pub(crate) fn over(&self, order: &KeyOrder, key: &[u8]) -> impl Iterator<Item = &TableLoss> {
        let started = self.losses.partition_point(|loss| !loss.is_behind(order, key));
        (0..started)
            .rev()
            .take_while(move |&at| !self.losses[self.furthest[at]].is_before(order, key))
            .map(|at| &self.losses[at])
            .filter(move |loss| !loss.is_before(order, key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sst_format::{BlockSpan, LostRange, SeqNo};

    use super::*;
    use crate::{FileId, TreeId, covers::tests::bound};

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn a_search_finds_what_looking_at_each_would(
            ranges in prop::collection::vec((bound(), bound(), 1..1000u64), 0..20),
        ) {
            let order = &KeyOrder::Bytes;
            let loss = |(lower, upper, seq)| {
                let (seq_low, seq_high) = (SeqNo::new(0), SeqNo::new(seq));
                let lost = LostRange { at: BlockSpan::default(), lower, upper, seq_low, seq_high };
                TableLoss { tree: TreeId::new(1), table: FileId::new(1), lost }
            };
            let losses: Vec<_> = ranges.into_iter().map(loss).collect();
            let index = LossIndex::new(order, losses.clone());
            let sorted = |losses: Vec<&TableLoss>| {
                let mut shown: Vec<_> = losses.into_iter().map(|loss| format!("{loss:?}")).collect();
                shown.sort();
                shown
            };
            prop_assert_eq!(sorted(index.all().iter().collect()), sorted(losses.iter().collect()));
            for key in 0..13u8 {
                let holds = |loss: &&TableLoss| !loss.is_before(order, &[key]) && !loss.is_behind(order, &[key]);
                let looked = losses.iter().filter(holds).collect();
                prop_assert_eq!(sorted(index.over(order, &[key]).collect()), sorted(looked), "{}", key);
            }
        }
    }
}
