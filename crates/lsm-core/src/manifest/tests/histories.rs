//! Edits to record, and what they should come to.

use std::sync::Arc;

use page_ecc::{Descriptor, SealOptions, Uid};
use sst_format::SeqNo;

use crate::{
    Catalog, Change, Edit, FileId, KeyBounds, KeyOrders, Level, RunNo, SegmentRef, TableChange, TableMeta,
    TreeId,
};

pub(super) const STORE: Uid = Uid::new([0x51; 16]);

pub(super) fn descriptor(of: u64) -> Descriptor {
    let uid = Uid::new([of as u8; 16]);
    SealOptions::new(uid).seal(&of.to_le_bytes()).expect("a few bytes can be sealed").descriptor().clone()
}

pub(super) fn table(id: u64, key_len: usize) -> Arc<TableMeta> {
    let mut key = id.to_be_bytes().to_vec();
    key.resize(key_len.max(8), b'k');
    Arc::new(TableMeta {
        id: FileId::new(id),
        descriptor: descriptor(id),
        bounds: KeyBounds::closed(key.clone(), key),
        seq_low: SeqNo::new(id),
        seq_high: SeqNo::new(id + 1),
        entries: id * 7,
        deletes: id,
        range_deletes: 1,
        losses: 0,
    })
}

/// The edit of this number; each fits behind the ones before, whether or not one was left out.
pub(super) fn edit(number: usize) -> Edit {
    let id = number as u64 + 1;
    let create = |tree: u32| Change::CreateTree {
        tree: TreeId::new(tree),
        name: format!("keyspace {tree}").into(),
        order: "resilver.bytes".into(),
    };
    let segment = SegmentRef { number: id, uid: Uid::new([id as u8; 16]), extent_pages: 32 };
    let base = Edit::new().and(Change::NextFile { file: FileId::new(id) });
    match number % 4 {
        0 => base.and(create(number as u32 + 1)).and(flushed(number as u32 + 1, id)).and(add(
            number as u32 + 1,
            id,
            9,
        )),
        1 => base.and(Change::AddSegment { segment }).and(Change::DropSegment { number: id - 1 }),
        // More than a page.
        2 => base.and(create(number as u32 + 1)).and(add(number as u32 + 1, id, 5000)),
        _ => base.and(Change::Hint { tree: TreeId::STORE, file: FileId::new(id), pages: vec![(1, id)] }),
    }
}

fn add(tree: u32, id: u64, key_len: usize) -> Change {
    let (level, run, table) = (Level::ZERO, RunNo::new(id), table(id, key_len));
    Change::Table { tree: TreeId::new(tree), change: TableChange::Add { level, run, table } }
}

fn flushed(tree: u32, upto: u64) -> Change {
    Change::Flushed { tree: TreeId::new(tree), upto: SeqNo::new(upto) }
}

/// What a catalog says after these edits.
pub(super) fn outcome(edits: impl IntoIterator<Item = usize>) -> Edit {
    let orders = KeyOrders::default();
    let catalog = edits.into_iter().fold(Catalog::new(STORE), |catalog, number| {
        catalog.with(&orders, &edit(number)).expect("the edits fit")
    });
    catalog.to_edit()
}
