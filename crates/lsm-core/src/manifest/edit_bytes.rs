//! An edit as bytes: its changes, one behind the other.
//!
//! Every change has the same head:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |   1 | tag   | which change                                                         |
//! |  1 |   4 | len   | bytes of what it says, n                                             |
//! |  5 |   n | body  | what it says                                                         |
//!
//! A reader that does not know a tag below 0x80 refuses. One of 0x80 or above it passes over, keeping the
//! change as it is for those who know it.
//!
//! 0x01, a keyspace begins:
//!
//! | at | len | field     | meaning                                                          |
//! |---:|----:|-----------|------------------------------------------------------------------|
//! |  0 |   4 | tree      | its tree                                                         |
//! |  4 |   4 | name_len  | bytes of its name, n                                             |
//! |  8 |   n | name      | its name, UTF-8                                                  |
//! | .. |   4 | order_len | bytes of the comparator's name, m                                |
//! | .. |   m | order     | the comparator's name, UTF-8                                     |
//!
//! 0x02, a keyspace ends:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |   4 | tree  | its tree                                                             |
//!
//! 0x03, a table comes:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |   4 | tree  | to which tree                                                        |
//! |  4 |   1 | level | to which level                                                       |
//! |  5 |   8 | run   | to which run of it                                                   |
//! | 13 |  .. | table | what is kept of it                                                   |
//!
//! 0x04, a table goes:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |   4 | tree  | from which tree                                                      |
//! |  4 |   1 | level | from which level                                                     |
//! |  5 |   8 | table | number of its file                                                   |
//!
//! 0x05, a tree is flushed:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |   4 | tree  | which tree                                                           |
//! |  4 |   8 | upto  | sequence number up to and including which                            |
//!
//! 0x06, a segment of the log comes into use:
//!
//! | at | len | field  | meaning                                                             |
//! |---:|----:|--------|---------------------------------------------------------------------|
//! |  0 |   8 | number | its number                                                          |
//! |  8 |  16 | uid    | its uid                                                             |
//! | 24 |   8 | pages  | of one of its two extents                                           |
//!
//! 0x07, a segment of the log goes:
//!
//! | at | len | field  | meaning                                                             |
//! |---:|----:|--------|---------------------------------------------------------------------|
//! |  0 |   8 | number | its number                                                          |
//!
//! 0x08, file numbers are taken:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |   8 | file  | the first that may be free                                           |
//!
//! 0x09, tree numbers are taken:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |   4 | tree  | the first that may be free                                           |
//!
//! 0x0a, pages of a file are wrong:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |   4 | tree  | which tree                                                           |
//! |  4 |   8 | file  | which file                                                           |
//! | 12 | 16n | pages | n ranges: first page u64, count u64                                  |
//!
//! 0x0b, a file is right again:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |   4 | tree  | which tree                                                           |
//! |  4 |   8 | file  | which file                                                           |
//!
//! 0x0c, the store takes a new identity:
//!
//! | at | len | field | meaning                                                              |
//! |---:|----:|-------|----------------------------------------------------------------------|
//! |  0 |  16 | store | its uid                                                              |

use bytes::Bytes;
use sst_format::SeqNo;

use super::{
    fields::{FieldError, FieldReader, FieldWriter},
    table_bytes::{put_table, take_table},
};
use crate::{Change, Edit, FileId, Level, RunNo, SegmentRef, TableChange, TreeId};

const CREATE_TREE: u8 = 0x01;
const DROP_TREE: u8 = 0x02;
const ADD_TABLE: u8 = 0x03;
const REMOVE_TABLE: u8 = 0x04;
const FLUSHED: u8 = 0x05;
const ADD_SEGMENT: u8 = 0x06;
const DROP_SEGMENT: u8 = 0x07;
const NEXT_FILE: u8 = 0x08;
const NEXT_TREE: u8 = 0x09;
const HINT: u8 = 0x0A;
const HEALED: u8 = 0x0B;
const REBIRTH: u8 = 0x0C;
const CHECKPOINTED: u8 = 0x0D;
/// From here on a reader that does not know a tag passes it over.
const OPTIONAL: u8 = 0x80;

/// The edit's bytes.
///
/// # Panics
/// If it has a foreign change whose tag is below 0x80, which no reader hands out.
pub(super) fn encode(edit: &Edit) -> Vec<u8> {
    let mut writer = FieldWriter::default();
    for change in &edit.changes {
        let mut body = FieldWriter::default();
        let tag = put_change(&mut body, change);
        writer.put([tag]).put_bytes(&body.into_bytes());
    }
    writer.into_bytes()
}

/// The edit that these bytes are.
pub(super) fn decode(bytes: &[u8]) -> Result<Edit, FieldError> {
    let mut reader = FieldReader::new(bytes);
    let mut edit = Edit::new();
    while !reader.is_at_end() {
        let at = reader.at();
        let tag = reader.u8("change")?;
        let body = reader.bytes("change")?;
        edit.changes.push(take_change(at, tag, body)?);
    }
    Ok(edit)
}

fn put_change(into: &mut FieldWriter, change: &Change) -> u8 {
    match change {
        Change::CreateTree { tree, name, order } => {
            put_tree(into, *tree).put_bytes(name.as_bytes()).put_bytes(order.as_bytes());
            CREATE_TREE
        }
        Change::DropTree { tree } => {
            put_tree(into, *tree);
            DROP_TREE
        }
        Change::Table { tree, change } => put_table_change(into, *tree, change),
        Change::Flushed { tree, upto } => {
            put_tree(into, *tree).put(upto.get().to_le_bytes());
            FLUSHED
        }
        Change::AddSegment { segment } => {
            into.put(segment.number.to_le_bytes()).put(segment.uid.to_bytes());
            into.put(segment.extent_pages.to_le_bytes());
            ADD_SEGMENT
        }
        Change::DropSegment { number } => {
            into.put(number.to_le_bytes());
            DROP_SEGMENT
        }
        Change::NextFile { file } => {
            into.put(file.get().to_le_bytes());
            NEXT_FILE
        }
        Change::NextTree { tree } => {
            put_tree(into, *tree);
            NEXT_TREE
        }
        Change::Hint { tree, file, pages } => {
            put_tree(into, *tree).put(file.get().to_le_bytes());
            for (first, count) in pages {
                into.put(first.to_le_bytes()).put(count.to_le_bytes());
            }
            HINT
        }
        Change::Healed { tree, file } => {
            put_tree(into, *tree).put(file.get().to_le_bytes());
            HEALED
        }
        Change::Checkpointed => CHECKPOINTED,
        Change::Rebirth { store } => {
            into.put(store.to_bytes());
            REBIRTH
        }
        Change::Foreign { tag, bytes } => {
            assert!(*tag >= OPTIONAL, "only optional changes are kept unread");
            into.put(bytes);
            *tag
        }
    }
}

fn put_table_change(into: &mut FieldWriter, tree: TreeId, change: &TableChange) -> u8 {
    match change {
        TableChange::Add { level, run, table } => {
            put_tree(into, tree).put([level.get()]).put(run.get().to_le_bytes());
            put_table(into, table);
            ADD_TABLE
        }
        TableChange::Remove { level, table } => {
            put_tree(into, tree).put([level.get()]).put(table.get().to_le_bytes());
            REMOVE_TABLE
        }
    }
}

/// The change that stands at `at`; what it says is read to its end.
fn take_change(at: usize, tag: u8, body: &[u8]) -> Result<Change, FieldError> {
    let mut from = FieldReader::new(body);
    let change = match tag {
        CREATE_TREE => {
            let tree = take_tree(&mut from)?;
            let (name, order) = (from.text("keyspace name")?.into(), from.text("comparator name")?.into());
            Change::CreateTree { tree, name, order }
        }
        DROP_TREE => Change::DropTree { tree: take_tree(&mut from)? },
        ADD_TABLE => {
            let (tree, level) = (take_tree(&mut from)?, take_level(&mut from)?);
            let (run, table) = (RunNo::new(from.u64("run")?), take_table(&mut from)?.into());
            Change::Table { tree, change: TableChange::Add { level, run, table } }
        }
        REMOVE_TABLE => {
            let (tree, level) = (take_tree(&mut from)?, take_level(&mut from)?);
            Change::Table { tree, change: TableChange::Remove { level, table: take_file(&mut from)? } }
        }
        FLUSHED => {
            let tree = take_tree(&mut from)?;
            Change::Flushed { tree, upto: SeqNo::new(from.u64("sequence number")?) }
        }
        ADD_SEGMENT => {
            let (number, uid) = (from.u64("segment")?, from.uid("segment uid")?);
            let extent_pages = from.u64("segment pages")?;
            Change::AddSegment { segment: SegmentRef { number, uid, extent_pages } }
        }
        DROP_SEGMENT => Change::DropSegment { number: from.u64("segment")? },
        NEXT_FILE => Change::NextFile { file: take_file(&mut from)? },
        NEXT_TREE => Change::NextTree { tree: take_tree(&mut from)? },
        HINT => {
            let (tree, file) = (take_tree(&mut from)?, take_file(&mut from)?);
            let mut pages = Vec::new();
            while !from.is_at_end() {
                pages.push((from.u64("first page")?, from.u64("count of pages")?));
            }
            Change::Hint { tree, file, pages }
        }
        HEALED => Change::Healed { tree: take_tree(&mut from)?, file: take_file(&mut from)? },
        CHECKPOINTED => Change::Checkpointed,
        REBIRTH => Change::Rebirth { store: from.uid("store uid")? },
        OPTIONAL.. => return Ok(Change::Foreign { tag, bytes: Bytes::copy_from_slice(body) }),
        _ => return Err(FieldError::UnknownChange { at, tag }),
    };
    from.finish()?;
    Ok(change)
}

fn put_tree(into: &mut FieldWriter, tree: TreeId) -> &mut FieldWriter {
    into.put(tree.get().to_le_bytes())
}

fn take_tree(from: &mut FieldReader<'_>) -> Result<TreeId, FieldError> {
    Ok(TreeId::new(from.u32("tree")?))
}

fn take_file(from: &mut FieldReader<'_>) -> Result<FileId, FieldError> {
    Ok(FileId::new(from.u64("file")?))
}

fn take_level(from: &mut FieldReader<'_>) -> Result<Level, FieldError> {
    let at = from.at();
    Level::parse(from.u8("level")?).ok_or(FieldError::Value { at, field: "level" })
}
