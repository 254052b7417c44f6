//! Edits as bytes and back, and bytes that nobody wrote.

use std::sync::Arc;

use bytes::Bytes;
use page_ecc::Uid;
use proptest::{collection::vec, prelude::*};
use sst_format::SeqNo;

use super::{
    super::{edit_bytes, edit_page::EditPage, fields::FieldError},
    histories::descriptor,
};
use crate::{
    Change, Edit, FileId, KeyBounds, KeyEnd, Level, RunNo, SegmentRef, TableChange, TableMeta, TreeId,
};

fn key() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn uid() -> impl Strategy<Value = Uid> {
    any::<[u8; 16]>().prop_map(Uid::new)
}

fn tree() -> impl Strategy<Value = TreeId> {
    any::<u32>().prop_map(TreeId::new)
}

fn file() -> impl Strategy<Value = FileId> {
    any::<u64>().prop_map(FileId::new)
}

fn level() -> impl Strategy<Value = Level> {
    (0..Level::COUNT as u8).prop_map(Level::new)
}

fn table() -> impl Strategy<Value = Arc<TableMeta>> {
    let end = prop_oneof![Just(KeyEnd::Included), Just(KeyEnd::Excluded)];
    (file(), 0u64..4, key(), key(), end, any::<[u64; 6]>()).prop_map(
        |(id, of, smallest, largest, end, counts)| {
            let [seq_low, seq_high, entries, deletes, range_deletes, losses] = counts;
            let (seq_low, seq_high) = (SeqNo::new(seq_low), SeqNo::new(seq_high));
            let bounds = KeyBounds { smallest, largest, end };
            let descriptor = descriptor(of);
            Arc::new(TableMeta {
                id,
                descriptor,
                bounds,
                seq_low,
                seq_high,
                entries,
                deletes,
                range_deletes,
                losses,
            })
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (tree(), ".{0,20}", ".{0,20}").prop_map(|(tree, name, order)| Change::CreateTree {
            tree,
            name: name.into(),
            order: order.into()
        }),
        tree().prop_map(|tree| Change::DropTree { tree }),
        (tree(), level(), any::<u64>(), table()).prop_map(|(tree, level, run, table)| {
            Change::Table { tree, change: TableChange::Add { level, run: RunNo::new(run), table } }
        }),
        (tree(), level(), file()).prop_map(|(tree, level, table)| Change::Table {
            tree,
            change: TableChange::Remove { level, table }
        }),
        (tree(), any::<u64>()).prop_map(|(tree, upto)| Change::Flushed { tree, upto: SeqNo::new(upto) }),
        (any::<u64>(), uid(), any::<u64>()).prop_map(|(number, uid, extent_pages)| Change::AddSegment {
            segment: SegmentRef { number, uid, extent_pages }
        }),
        Just(Change::Checkpointed),
        any::<u64>().prop_map(|number| Change::DropSegment { number }),
        file().prop_map(|file| Change::NextFile { file }),
        tree().prop_map(|tree| Change::NextTree { tree }),
        (tree(), file(), vec(any::<(u64, u64)>(), 0..5)).prop_map(|(tree, file, pages)| Change::Hint {
            tree,
            file,
            pages
        }),
        (tree(), file()).prop_map(|(tree, file)| Change::Healed { tree, file }),
        uid().prop_map(|store| Change::Rebirth { store }),
        (0x80u8.., key()).prop_map(|(tag, bytes)| Change::Foreign { tag, bytes }),
    ]
}

fn edits() -> impl Strategy<Value = Edit> {
    vec(change(), 0..12).prop_map(|changes| Edit { changes })
}

proptest! {
    #[test]
    fn edits_come_back_from_their_bytes(edit in edits()) {
        prop_assert_eq!(edit_bytes::decode(&edit_bytes::encode(&edit)), Ok(edit));
    }

    #[test]
    fn edits_cut_or_changed_anywhere_are_an_edit_or_an_error(edit in edits(), at: prop::sample::Index, byte: u8) {
        let mut bytes = edit_bytes::encode(&edit);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            let _ = edit_bytes::decode(&bytes[..at]);
            bytes[at] = byte;
            if let Ok(other) = edit_bytes::decode(&bytes) {
                prop_assert_eq!(edit_bytes::encode(&other), bytes);
            }
        }
    }

    #[test]
    fn any_bytes_are_an_edit_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let _ = edit_bytes::decode(&bytes);
    }

    #[test]
    fn any_page_is_one_of_edits_or_not(bytes in vec(any::<u8>(), 4096)) {
        let page = bytes.as_slice().try_into().expect("a page long");
        prop_assert!(EditPage::decode(page).is_err());
    }
}

#[test]
fn a_length_of_4_gib_sizes_nothing() {
    let claim = [&[0x80][..], &u32::MAX.to_le_bytes(), b"short"].concat();
    assert_eq!(edit_bytes::decode(&claim), Err(FieldError::Cut { at: 5, field: "change" }));
}

#[test]
fn an_unknown_change_below_0x80_is_refused_and_one_above_is_kept() {
    let change = |tag: u8| [&[tag][..], &2u32.to_le_bytes(), b"hi"].concat();
    assert_eq!(edit_bytes::decode(&change(0x7F)), Err(FieldError::UnknownChange { at: 0, tag: 0x7F }));
    let kept = Change::Foreign { tag: 0x80, bytes: Bytes::from_static(b"hi") };
    assert_eq!(edit_bytes::decode(&change(0x80)), Ok(Edit::new().and(kept)));
}
