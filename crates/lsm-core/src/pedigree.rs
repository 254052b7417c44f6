//! Pedigree: what a table says of whose it is, where it was put, and what it took the place of.
//!
//! Nothing reads it while there is a manifest. Without one it tells tables of this store from others, and living ones
//! from those that were replaced: a table that was merged away may hold what was deleted since, and must not come back.
//!
//! **Invariants**: whatever was let go of and may still have a file is named by a table that was written later, or by
//! the one that took its place. Every part of a job says the same of it, so one part speaks for all.
//!
//! The label of a table, in its descriptor:
//!
//! | at | len | field   | meaning                                                                        |
//! |---:|----:|---------|--------------------------------------------------------------------------------|
//! |  0 |   1 | version | 1                                                                              |
//! |  1 |   1 | flags   | bit 0: the last part of its piece; bit 1: a flush, otherwise a merge           |
//! |  2 |   1 | piece   | of which piece of its job, from 0                                              |
//! |  3 |   1 | pieces  | how many pieces the job has, less one                                          |
//! |  4 |  16 | origin  | who the store was at first                                                     |
//! | 20 |  16 | store   | who it was when the table was written                                          |
//! | 36 |   4 | tree    | of which tree                                                                  |
//! | 40 |   1 | level   | in which level it was put                                                      |
//! | 41 |   8 | run     | in which run of it                                                             |
//! | 49 |   8 | flushed | everything of the tree up to this is in its tables, once a flush is whole      |
//! | 57 |   8 | job     | a number that no other job has: of its first file, or of none                  |
//! | 65 |   4 | part    | which part of the piece it is, from 0                                          |
//! | 69 |   8 | file    | its own number                                                                 |
//!
//! The note, among its properties:
//!
//! | at | len | field     | meaning                                                                      |
//! |---:|----:|-----------|------------------------------------------------------------------------------|
//! |  0 |   1 | version   | 1                                                                            |
//! |  1 |   4 | name_len  | bytes of the keyspace's name, n                                              |
//! |  5 |   n | name      | in UTF-8                                                                     |
//! | .. |   4 | inputs    | how many tables the job took                                                 |
//! | .. |  8i | inputs    | their numbers                                                                |
//! | .. |   4 | gone      | how many other tables were let go of and may still have had a file           |
//! | .. |  8g | gone      | their numbers                                                                |
//! | .. |   4 | next_tree | every keyspace's tree so far has a lower number                              |
//! | .. |   4 | trees     | how many keyspaces there were; all ones if too many to tell                  |
//! | .. |  .. | trees     | of each: number u32, name and comparator behind their u32 lengths            |
//! | .. |   8 | settled   | every table below this number is among those that live, or was replaced      |
//! | .. |   4 | living    | bytes of the list of those that live                                         |
//! | .. |  .. | living    | of each tree, all LEB128: its number, how many tables it has, and how much   |
//! |    |     |           | each one's number is over the one before, in order                           |

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use page_ecc::{Descriptor, Uid, varint};
use sst_format::{SeqNo, TableRoot};

use crate::{
    Catalog, FileId, Level, Place, RunNo, TreeId, TreeState,
    manifest::fields::{FieldError, FieldReader, FieldWriter},
};

const VERSION: u8 = 1;
const LAST: u8 = 1;
const FLUSH: u8 = 2;
/// Keyspaces that are told of by each table.
const TREES_MAX: usize = 64;
/// Stands for more than that.
const TOO_MANY: u32 = u32::MAX;

/// Whose a table is, and where it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pedigree {
    pub(crate) origin: Uid,
    pub(crate) store: Uid,
    pub(crate) tree: TreeId,
    pub(crate) place: Place,
    pub(crate) flushed: SeqNo,
    pub(crate) made_by: MadeBy,
    pub(crate) job: FileId,
    pub(crate) share: Share,
    pub(crate) part: u32,
    pub(crate) file: FileId,
    pub(crate) is_last: bool,
}

/// Which piece of its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// From 0.
    pub(crate) piece: u8,
    /// The last one's.
    pub(crate) last: u8,
}

/// What a table came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MadeBy {
    /// Memtables.
    Flush,
    /// Other tables.
    Merge,
}

/// What a table took the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kin {
    /// The keyspace's name.
    pub(crate) keyspace: Arc<str>,
    /// What its job took.
    pub(crate) inputs: Vec<FileId>,
    /// What else was let go of before.
    pub(crate) gone: Vec<FileId>,
    /// Which keyspaces there were.
    pub(crate) census: Census,
    /// Which tables lived.
    pub(crate) living: Living,
}

/// Which tables a store had when one was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Living {
    /// Every table with a lower number is among them, or has been replaced or given up.
    pub(crate) settled: FileId,
    pub(crate) trees: BTreeMap<TreeId, BTreeSet<FileId>>,
}

/// Which keyspaces a store had when a table was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    /// No tree of this number or a higher one had begun.
    pub(crate) next_tree: TreeId,
    /// Tree, name and comparator of each; none if there were too many to tell.
    pub(crate) trees: Option<Vec<Counted>>,
}

/// A tree, its name and its comparator.
pub(crate) type Counted = (TreeId, Arc<str>, Arc<str>);

impl Census {
    pub(crate) fn of(catalog: &Catalog) -> Self {
        let trees = (catalog.trees.len() <= TREES_MAX).then(|| {
            let trees = catalog.trees.iter();
            trees.map(|(tree, state)| (*tree, state.name.clone(), state.order.name().into())).collect()
        });
        Self { next_tree: catalog.next_tree, trees }
    }
}

/// What all tables of a job say alike.
#[derive(Clone, Debug)]
pub(crate) struct Birth {
    pub(crate) origin: Uid,
    pub(crate) store: Uid,
    pub(crate) tree: TreeId,
    pub(crate) place: Place,
    pub(crate) flushed: SeqNo,
    pub(crate) made_by: MadeBy,
    pub(crate) kin: Kin,
}

impl Birth {
    /// What a part of a job says.
    pub(crate) fn pedigree(
        &self,
        job: FileId,
        share: Share,
        part: u32,
        file: FileId,
        is_last: bool,
    ) -> Pedigree {
        let Self { origin, store, tree, place, flushed, made_by, .. } = *self;
        Pedigree { origin, store, tree, place, flushed, made_by, job, share, part, file, is_last }
    }
}

impl Pedigree {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let flush = if self.made_by == MadeBy::Flush { FLUSH } else { 0 };
        let flags = flush | if self.is_last { LAST } else { 0 };
        let mut writer = FieldWriter::default();
        let Share { piece, last } = self.share;
        writer.put([VERSION, flags, piece, last]).put(self.origin.to_bytes()).put(self.store.to_bytes());
        writer.put(self.tree.get().to_le_bytes()).put([self.place.level.get()]);
        for number in [self.place.run.get(), self.flushed.get(), self.job.get()] {
            writer.put(number.to_le_bytes());
        }
        writer.put(self.part.to_le_bytes()).put(self.file.get().to_le_bytes());
        writer.into_bytes()
    }

    /// That of the table which this descriptor describes, if it has one that this release knows.
    pub(crate) fn of(descriptor: &Descriptor) -> Option<Self> {
        Self::decode(TableRoot::label_in(descriptor)?).ok()
    }

    fn decode(bytes: &[u8]) -> Result<Self, FieldError> {
        let mut from = FieldReader::new(bytes);
        let [version, flags, piece, last] = from.array::<4>("version")?;
        if version != VERSION || flags > (LAST | FLUSH) || piece > last {
            return Err(FieldError::Value { at: 0, field: "version" });
        }
        let (origin, store) = (from.uid("origin")?, from.uid("store")?);
        let tree = TreeId::new(from.u32("tree")?);
        let at = from.at();
        let level = Level::parse(from.u8("level")?).ok_or(FieldError::Value { at, field: "level" })?;
        let place = Place { level, run: RunNo::new(from.u64("run")?) };
        let flushed = SeqNo::new(from.u64("flushed")?);
        let (job, part) = (FileId::new(from.u64("job")?), from.u32("part")?);
        let file = FileId::new(from.u64("file")?);
        from.finish()?;
        let made_by = if flags & FLUSH > 0 { MadeBy::Flush } else { MadeBy::Merge };
        let is_last = flags & LAST > 0;
        let share = Share { piece, last };
        Ok(Self { origin, store, tree, place, flushed, made_by, job, share, part, file, is_last })
    }
}

impl Kin {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = FieldWriter::default();
        writer.put([VERSION]).put_bytes(self.keyspace.as_bytes());
        for files in [&self.inputs, &self.gone] {
            let count = u32::try_from(files.len()).expect("no store has 2^32 tables");
            writer.put(count.to_le_bytes());
            files.iter().for_each(|file| _ = writer.put(file.get().to_le_bytes()));
        }
        writer.put(self.census.next_tree.get().to_le_bytes());
        let trees = self.census.trees.as_deref();
        let count = trees.and_then(|trees| u32::try_from(trees.len()).ok()).unwrap_or(TOO_MANY);
        writer.put(count.to_le_bytes());
        for (tree, name, order) in trees.into_iter().flatten() {
            writer.put(tree.get().to_le_bytes()).put_bytes(name.as_bytes()).put_bytes(order.as_bytes());
        }
        writer.put(self.living.settled.get().to_le_bytes()).put_bytes(&self.living.encode());
        writer.into_bytes()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FieldError> {
        let mut from = FieldReader::new(bytes);
        if from.u8("version")? != VERSION {
            return Err(FieldError::Value { at: 0, field: "version" });
        }
        let keyspace = from.text("name")?.into();
        let mut files = |field| {
            let at = from.at();
            let count = from.u32(field)?;
            let len = usize::try_from(u64::from(count) * 8).map_err(|_| FieldError::Cut { at, field })?;
            let (numbers, _) = from.slice(len, field)?.as_chunks::<8>();
            Ok(numbers.iter().map(|number| FileId::new(u64::from_le_bytes(*number))).collect())
        };
        let (inputs, gone) = (files("inputs")?, files("gone")?);
        let (next_tree, count) = (TreeId::new(from.u32("next tree")?), from.u32("trees")?);
        let mut trees = (count != TOO_MANY).then(Vec::new);
        if let Some(trees) = &mut trees {
            for _ in 0..count {
                trees.push((
                    TreeId::new(from.u32("tree")?),
                    from.text("name")?.into(),
                    from.text("order")?.into(),
                ));
            }
        }
        let settled = FileId::new(from.u64("settled")?);
        let at = from.at();
        let living =
            Living::decode(from.bytes("living")?).ok_or(FieldError::Value { at, field: "living" })?;
        from.finish()?;
        let (census, living) = (Census { next_tree, trees }, Living { settled, trees: living });
        Ok(Self { keyspace, inputs, gone, census, living })
    }
}

impl Living {
    pub(crate) fn of(catalog: &Catalog, settled: FileId) -> Self {
        let tables_of = |state: &TreeState| state.version.tables().map(|(_, _, table)| table.id).collect();
        Self { settled, trees: catalog.trees.iter().map(|(tree, state)| (*tree, tables_of(state))).collect() }
    }

    /// Whether a table was no part of the store any more.
    pub(crate) fn is_over(&self, table: FileId) -> bool {
        table < self.settled && self.tree_of(table).is_none()
    }

    /// The tree that a table lived in.
    pub(crate) fn tree_of(&self, table: FileId) -> Option<TreeId> {
        self.trees.iter().find_map(|(tree, tables)| tables.contains(&table).then_some(*tree))
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (tree, tables) in &self.trees {
            varint::put(&mut bytes, tree.get().into());
            varint::put(&mut bytes, tables.len() as u64);
            let mut before = 0;
            for table in tables {
                varint::put(&mut bytes, table.get() - before);
                before = table.get();
            }
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<BTreeMap<TreeId, BTreeSet<FileId>>> {
        let (mut trees, mut at) = (BTreeMap::new(), 0);
        while at < bytes.len() {
            let tree = TreeId::new(u32::try_from(varint::take(bytes, &mut at)?).ok()?);
            let (count, mut number, mut tables) = (varint::take(bytes, &mut at)?, 0_u64, BTreeSet::new());
            for _ in 0..count {
                number = number.checked_add(varint::take(bytes, &mut at)?)?;
                tables.insert(FileId::new(number));
            }
            trees.insert(tree, tables);
        }
        Some(trees)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_pinned_both_ways() {
        let place = Place { level: Level::new(3), run: RunNo::new(4) };
        let pedigree = Pedigree {
            origin: Uid::new([1; 16]),
            store: Uid::new([2; 16]),
            tree: TreeId::new(7),
            place,
            flushed: SeqNo::new(5),
            made_by: MadeBy::Flush,
            job: FileId::new(6),
            share: Share { piece: 2, last: 5 },
            part: 8,
            file: FileId::new(9),
            is_last: true,
        };
        let bytes = pedigree.encode();
        assert_eq!((bytes.len(), &bytes[..4], bytes[36], bytes[40]), (77, &[1, 3, 2, 5][..], 7, 3));
        assert_eq!((bytes[41], bytes[49], bytes[57], bytes[65], bytes[69]), (4, 5, 6, 8, 9));
        assert_eq!(Pedigree::decode(&bytes), Ok(pedigree));
        let census = Census {
            next_tree: TreeId::new(2),
            trees: Some(vec![(TreeId::new(1), "users".into(), "resilver.bytes".into())]),
        };
        let (inputs, gone) = (vec![FileId::new(1)], vec![FileId::new(9)]);
        let tables = [2, 3, 299].map(FileId::new).into();
        let living = Living { settled: FileId::new(300), trees: [(TreeId::new(5), tables)].into() };
        assert!(living.is_over(FileId::new(4)) && !living.is_over(FileId::new(300)));
        assert_eq!(living.encode(), b"\x05\x03\x02\x01\xa8\x02");
        let kin = Kin { keyspace: "users".into(), inputs, gone, census, living };
        let bytes = kin.encode();
        assert_eq!(bytes[..10], *b"\x01\x05\0\0\0users");
        assert_eq!(Kin::decode(&bytes), Ok(kin));
    }

    #[test]
    fn bytes_that_say_something_else_are_refused() {
        for cut in 0..77 {
            assert!(Pedigree::decode(&[1; 77][..cut]).is_err(), "{cut}");
        }
        assert!(Kin::decode(b"\x01\0\0\0\0\xff\xff\xff\xff").is_err());
    }
}
