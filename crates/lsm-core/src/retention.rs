//! What a merge may leave out, and what it must know to decide.

use sst_format::KeyOrder;

use crate::{
    FileId, KeyBounds, LiveSnapshots, Run, Version,
    key_span::{Span, SpanSet},
};

/// What a merge keeps.
#[derive(Clone, Debug)]
pub(crate) enum Retention {
    /// Every version, delete and range: the table is only written anew.
    Everything,
    /// What a snapshot, or a read of the newest, may see, or what hides something older.
    Needed {
        /// The moments that stay readable, asked for after the inputs were chosen.
        live: LiveSnapshots,
        /// Where older versions may lie.
        floor: Floor,
    },
}

/// Where, outside the inputs of a merge, versions older than those in the inputs may lie.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    /// Where the tables are that may hold some.
    pub(crate) spans: SpanSet,
    /// Where those of them are that hold a loss marker.
    pub(crate) lossy: SpanSet,
}

impl Floor {
    /// What the tables of a version tell: only in those that are no inputs and not newer than the newest
    /// input. Without an input among them (a flush), in any.
    ///
    /// Other jobs may run meanwhile: older versions only ever sink, and no job gives a key to keys that had
    /// none, so what held when the inputs were chosen still holds when they are merged.
    pub(crate) fn beneath(order: &KeyOrder, version: &Version, is_input: impl Fn(FileId) -> bool) -> Self {
        let holds_input = |run: &Run| run.tables().iter().any(|table| is_input(table.id));
        let newer = version.all_runs().position(|(_, run)| holds_input(run)).unwrap_or_default();
        let older = version.all_runs().skip(newer).flat_map(|(_, run)| run.tables());
        let older = older.filter(|table| !is_input(table.id));
        Self::of_tables(order, older.map(|table| (&table.bounds, table.losses)))
    }

    /// Only in the tables of these bounds and numbers of loss markers.
    pub(crate) fn of_tables<'a>(
        order: &KeyOrder,
        tables: impl Iterator<Item = (&'a KeyBounds, u64)>,
    ) -> Self {
        let (mut spans, mut lossy) = (Vec::new(), Vec::new());
        for (bounds, losses) in tables {
            let span = Span::of_bounds(bounds);
            if losses > 0 {
                lossy.push(span.clone());
            }
            spans.push(span);
        }
        Self { spans: SpanSet::new(order, spans), lossy: SpanSet::new(order, lossy) }
    }

    /// Whether a version of `key` may lie there. `at` remembers the place between calls with ascending keys.
    pub(crate) fn holds(&self, order: &KeyOrder, at: &mut usize, key: &[u8]) -> bool {
        self.spans.holds(order, at, key)
    }

    /// Whether a loss marker may lie there over `key`, as far as is known. `at` as above, but a place of its own.
    pub(crate) fn holds_loss(&self, order: &KeyOrder, at: &mut usize, key: &[u8]) -> bool {
        self.lossy.holds(order, at, key)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use page_ecc::{SealOptions, Uid};
    use sst_format::Properties;

    use super::*;
    use crate::{Level, RunNo, TableChange, TableMeta};

    /// Table 4 over table 3 over table 2 over table 1, each over one key more.
    fn version() -> Version {
        let descriptor = SealOptions::new(Uid::new([1; 16])).seal(b"").unwrap().descriptor().clone();
        let place = |id| {
            if id > 2 { (Level::ZERO, RunNo::new(id)) } else { (Level::new(3 - id as u8), RunNo::new(0)) }
        };
        let add = |(id, key): (u64, &'static str)| {
            let ((level, run), bounds) = (place(id), KeyBounds::closed(key, key));
            let table = TableMeta::new(FileId::new(id), descriptor.clone(), bounds, &Properties::default());
            TableChange::Add { level, run, table: Arc::new(table) }
        };
        let tables: Vec<_> = [(1, "a"), (2, "b"), (3, "c"), (4, "d")].into_iter().map(add).collect();
        Version::default().with(&KeyOrder::Bytes, &tables).unwrap()
    }

    #[track_caller]
    fn check(inputs: &[u64], held: &[&str]) {
        let floor = Floor::beneath(&KeyOrder::Bytes, &version(), |id| inputs.contains(&id.get()));
        let holds = |key: &&&str| floor.holds(&KeyOrder::Bytes, &mut 0, key.as_bytes());
        assert_eq!(["a", "b", "c", "d"].iter().filter(holds).copied().collect::<Vec<_>>(), held);
    }

    #[test]
    fn older_versions_lie_in_what_is_no_input_and_not_newer() {
        check(&[], &["a", "b", "c", "d"]);
        check(&[4], &["a", "b", "c"]);
        check(&[3, 2], &["a"]);
        check(&[3, 1], &["b"]);
        check(&[1], &[]);
        check(&[4, 3, 2, 1], &[]);
    }
}
