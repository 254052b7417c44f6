//! A sorted map as oracle, and how a table is made of it.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use page_ecc::Uid;
use sst_format::{
    BlobRef, Codec, Entry, EntryKind, EpochKey, FileKey, FilterPin, FilterPolicy, HashIndex, KeyEpoch,
    KeyOrder, ReadOptions, SeqNo,
};

/// Key, sequence number, kind, flags, value.
pub(crate) type Row = (Vec<u8>, u64, EntryKind, u8, Vec<u8>);

pub(crate) const UID: Uid = Uid::new([0xA5; 16]);

/// Entries without order; each setup sorts them its own way.
#[derive(Clone, Debug)]
pub(crate) struct Model(pub(crate) Vec<Row>);

impl Model {
    /// Makes values fit their kinds, and drops what is there twice.
    pub(crate) fn new(mut rows: Vec<Row>) -> Self {
        rows.sort();
        rows.dedup_by(|a, b| (&a.0, a.1) == (&b.0, b.1));
        for (_, _, kind, _, value) in &mut rows {
            match kind {
                EntryKind::Delete | EntryKind::SingleDelete => value.clear(),
                EntryKind::Blob => {
                    *value = BlobRef { file: 1, offset: 2, len: value.len() as u64 }.encode().to_vec();
                }
                EntryKind::Put | EntryKind::Merge => {}
            }
        }
        Self(rows)
    }

    pub(crate) fn sorted(&self, order: &KeyOrder) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.0.iter().collect();
        rows.sort_by(|a, b| place(order, a, (&b.0, b.1)));
        rows
    }
}

pub(crate) fn place(order: &KeyOrder, row: &Row, (key, seq): (&[u8], u64)) -> Ordering {
    order.compare(&row.0, key).then(Reverse(row.1).cmp(&Reverse(seq)))
}

/// How a table is written and read.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) block_bytes: usize,
    pub(crate) index_block_bytes: usize,
    pub(crate) restart_interval: u32,
    pub(crate) hash_index: HashIndex,
    pub(crate) codec: Codec,
    pub(crate) filter: Option<FilterPolicy>,
    pub(crate) pin: FilterPin,
    pub(crate) order: KeyOrder,
    pub(crate) encrypted: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            block_bytes: 4096,
            index_block_bytes: 4096,
            restart_interval: 8,
            hash_index: HashIndex::Off,
            codec: Codec::None,
            filter: Some(FilterPolicy::default()),
            pin: FilterPin::Pinned,
            order: KeyOrder::Bytes,
            encrypted: false,
        }
    }
}

impl Setup {
    pub(crate) fn key(&self) -> Option<FileKey> {
        let derive = || FileKey::derive(&EpochKey::new([9; 32]), KeyEpoch::new(1), UID).unwrap();
        // A build without encryption tries the same tables in plain.
        (self.encrypted && cfg!(feature = "encryption")).then(derive)
    }

    pub(crate) fn read_options(&self) -> ReadOptions {
        let options = ReadOptions::new().order(self.order.clone()).filter(self.pin);
        match self.key() {
            Some(key) => options.key(Arc::new(key)),
            None => options,
        }
    }
}

pub(crate) fn entry(row: &Row) -> Entry<'_> {
    let (key, seq, kind, flags, value) = row;
    Entry { key, seq: SeqNo::new(*seq), kind: *kind, flags: *flags, value }
}
