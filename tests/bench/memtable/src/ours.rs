//! The memtable of lsm-core.

use std::sync::Arc;

use sst_format::{Entry, KeyOrder, SeqNo};

use crate::{
    Subject,
    data::{Key, Value},
    entry_cursor::EntryCursor,
    mem_source::MemSource,
    memtable::Memtable,
};

pub struct Ours(Arc<Memtable>);

impl Subject for Ours {
    fn new() -> Self {
        Self(Arc::new(Memtable::new(KeyOrder::Bytes)))
    }

    fn insert(&self, key: &Key, seq: u64, value: &Value) {
        self.0.insert(Entry::put(key, SeqNo::new(seq), value));
    }

    fn get(&self, key: &Key) -> Option<u8> {
        self.0.get(key, SeqNo::MAX).map(|found| found.value[0])
    }

    fn scan(&self, mut visit: impl FnMut(&[u8], &[u8])) {
        let mut cursor = self.0.cursor();
        let mut moved = cursor.seek_first();
        while let (Ok(()), Some(entry)) = (&moved, cursor.entry()) {
            visit(entry.key, entry.value);
            moved = cursor.move_next();
        }
    }

    fn claimed_bytes(&self) -> Option<u64> {
        Some(self.0.bytes())
    }
}
