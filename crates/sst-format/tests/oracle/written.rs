//! A table beside its oracle: every way of reading, compared.

use std::cmp::Ordering;
use std::sync::Arc;

use proptest::prelude::*;
use sst_format::{
    Comparator, Cursor, Entry, FalsePositiveRate, FilterPin, FilterPolicy, HashIndex, KeyOrder, MemoryTable,
    Properties, SeqNo, TableView,
};

use crate::image::{self, codecs};
use crate::model::{Model, Row, Setup, UID, entry, place};

/// A table that was written and opened again.
pub(crate) struct Written {
    setup: Setup,
    table: MemoryTable,
    pub(crate) properties: Properties,
}

impl Written {
    pub(crate) fn new(model: &Model, setup: Setup) -> Self {
        let written = image::write(&setup, model);
        let table = MemoryTable::open(&written.image, setup.read_options()).unwrap();
        let bare = bytes::Bytes::copy_from_slice(written.image.body());
        MemoryTable::open_body(UID, bare, setup.read_options()).unwrap();
        assert_eq!(table.view().properties(), Some(&written.properties));
        Self { setup, table, properties: written.properties }
    }

    fn drive(&self, cursor: &mut Cursor<&TableView>) {
        self.table.drive(cursor).unwrap();
    }

    /// Every entry forward and back, every key by point read at its own and the newest sequence number.
    pub(crate) fn check_all(&self, model: &Model) {
        let rows = model.sorted(&self.setup.order);
        let mut cursor = self.table.view().cursor();
        cursor.seek_first().unwrap();
        for row in &rows {
            self.drive(&mut cursor);
            assert_eq!(cursor.entry().unwrap(), Some(entry(row)));
            assert_eq!(cursor.share_value().as_deref(), Some(&row.4[..]));
            cursor.move_next().unwrap();
        }
        self.drive(&mut cursor);
        assert_eq!(cursor.entry().unwrap(), None);
        cursor.seek_last().unwrap();
        for row in rows.iter().rev() {
            self.drive(&mut cursor);
            assert_eq!(cursor.entry().unwrap(), Some(entry(row)));
            cursor.move_prev().unwrap();
        }
        self.drive(&mut cursor);
        assert_eq!(cursor.entry().unwrap(), None);
        for row in &rows {
            self.check_get(&rows, &row.0, row.1);
            self.check_get(&rows, &row.0, u64::MAX);
        }
        assert_eq!(self.properties.entries, rows.len() as u64);
        assert_eq!(self.properties.smallest, rows.first().map_or(Vec::new(), |row| row.0.clone()));
        assert_eq!(self.properties.largest, rows.last().map_or(Vec::new(), |row| row.0.clone()));
    }

    fn check_get(&self, rows: &[&Row], key: &[u8], seq: u64) {
        let at = rows.partition_point(|row| place(&self.setup.order, row, (key, seq)) == Ordering::Less);
        let want = rows.get(at).filter(|row| row.0 == key).map(|row| entry(row));
        let found = self.table.get(key, SeqNo::new(seq)).unwrap();
        let got = found.as_ref().map(|found| Entry {
            key,
            seq: found.seq,
            kind: found.kind,
            flags: found.flags,
            value: &found.value,
        });
        assert_eq!(got, want);
    }

    /// Point read, both seeks, and a step from there to each side.
    pub(crate) fn check_place(&self, model: &Model, key: &[u8], seq: u64) {
        let rows = model.sorted(&self.setup.order);
        self.check_get(&rows, key, seq);
        let at = rows.partition_point(|row| place(&self.setup.order, row, (key, seq)) == Ordering::Less);
        let row = |at: Option<usize>| at.and_then(|at| rows.get(at)).map(|row| entry(row));
        let mut cursor = self.table.view().cursor();
        let mut check = |move_to: &dyn Fn(&mut Cursor<&TableView>), want: Option<usize>| {
            move_to(&mut cursor);
            self.drive(&mut cursor);
            assert_eq!(cursor.entry().unwrap(), row(want));
        };
        check(&|cursor| cursor.seek(key, SeqNo::new(seq)).unwrap(), Some(at));
        if at < rows.len() {
            check(&|cursor| cursor.move_prev().unwrap(), at.checked_sub(1));
        }
        check(&|cursor| cursor.seek_before(key, SeqNo::new(seq)).unwrap(), at.checked_sub(1));
        if at > 0 {
            check(&|cursor| cursor.move_next().unwrap(), Some(at));
        }
    }
}

struct ByLength;

impl Comparator for ByLength {
    fn name(&self) -> &str {
        "test.by-length-backwards"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.len().cmp(&b.len()).then(b.cmp(a))
    }
}

/// Every way of writing and reading.
pub(crate) fn setup() -> impl Strategy<Value = Setup> {
    let sizes =
        (prop::sample::select(vec![64, 200, 1000, 4096, 65_536]), prop::sample::select(vec![64, 300, 4096]));
    let filters = prop_oneof![
        Just(None),
        Just(Some(FilterPolicy::default())),
        Just(Some(FilterPolicy::Bloom(FalsePositiveRate::default()))),
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (sizes, 1..20u32, prop::sample::select(codecs()), filters, flags).prop_map(
        |(
            (block_bytes, index_block_bytes),
            restart_interval,
            codec,
            filter,
            (hashed, on_demand, custom, encrypted),
        )| {
            Setup {
                block_bytes,
                index_block_bytes,
                restart_interval,
                hash_index: if hashed { HashIndex::On } else { HashIndex::Off },
                codec,
                filter,
                pin: if on_demand { FilterPin::OnDemand } else { FilterPin::Pinned },
                order: if custom { KeyOrder::Custom(Arc::new(ByLength)) } else { KeyOrder::Bytes },
                encrypted: encrypted && cfg!(feature = "encryption"),
            }
        },
    )
}
