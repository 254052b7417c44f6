//! A batch: writes that take effect together, encoded once, as the log keeps them.
//!
//! The operation at place i of a batch has the sequence number of the batch's first one plus i, so a batch
//! is encoded before its sequence numbers are known and never touched again.
//!
//! | at | len | field   | meaning                                                                |
//! |---:|----:|---------|------------------------------------------------------------------------|
//! |  0 |   1 | version | 1                                                                      |
//! |  1 |  .. | ops     | each as below, up to the end                                           |
//!
//! An operation:
//!
//! | at | len | field     | meaning                                                              |
//! |---:|----:|-----------|----------------------------------------------------------------------|
//! |  0 |   1 | kind      | 1 put, 2 delete, 3 single delete, 4 merge operand, 16 range delete   |
//! |  1 |  .. | tree      | number, below: which keyspace's tree                                 |
//! | .. |  .. | key_len   | number: bytes of the key, of a range delete's start                  |
//! | .. |  .. | value_len | number: bytes of the value or operand, of a range delete's end; else 0 |
//! | .. |  .. | key       | the key                                                              |
//! | .. |  .. | value     | the value                                                            |
//!
//! A *number* is LEB128: seven bits to a byte, the low ones first, the high bit set on all but the last.
//! Operations below kind 128 that a release does not know refuse the batch.

use page_ecc::varint;
use sst_format::{EntryKind, KEY_LEN_MAX, VALUE_LEN_MAX};

use crate::TreeId;

const VERSION: u8 = 1;
const HEAD_LEN: usize = 1;
const RANGE_DELETE: u8 = 16;

/// Bytes of a batch at most.
pub const BATCH_LEN_MAX: usize = 1 << 30;

/// Writes that take effect together.
///
/// A write over a limit is remembered, and the batch is refused as a whole when it is written.
///
/// ```
/// use lsm_core::{Batch, TreeId};
/// let tree = TreeId::new(1);
/// let mut batch = Batch::new();
/// batch.put(tree, b"k1", b"v1");
/// batch.delete(tree, b"k2");
/// batch.delete_range(tree, b"a", b"c");
/// assert_eq!(batch.len(), 3);
/// assert!(batch.check().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    count: u32,
    /// Each tree once, in the order they came.
    trees: Vec<TreeId>,
    refused: Option<BatchRefused>,
}

/// What one operation of a batch does.
///
/// ```
/// use lsm_core::{Batch, BatchOp, TreeId};
/// let mut batch = Batch::new();
/// batch.put(TreeId::new(1), b"k", b"v");
/// let ops: Vec<_> = batch.ops().collect();
/// assert_eq!(ops[0].key, b"k");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOp<'a> {
    /// Of which tree.
    pub tree: TreeId,
    /// What it does.
    pub kind: OpKind,
    /// Its key; the start of a range delete.
    pub key: &'a [u8],
    /// Its value or operand; the end of a range delete.
    pub value: &'a [u8],
}

/// What an operation does.
///
/// ```
/// assert_ne!(lsm_core::OpKind::DeleteRange, lsm_core::OpKind::Entry(sst_format::EntryKind::Put));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// Writes one version of one key.
    Entry(EntryKind),
    /// Deletes every key from its key up to, not including, its value.
    DeleteRange,
}

/// Why a batch cannot be written: nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchRefused {
    /// A key over the limit.
    #[error("a key has {len} bytes, the limit is {KEY_LEN_MAX}; shorten it")]
    KeyTooLong {
        /// Its bytes.
        len: usize,
    },
    /// A value over the limit.
    #[error("a value has {len} bytes, the limit is {VALUE_LEN_MAX}; split it")]
    ValueTooLong {
        /// Its bytes.
        len: usize,
    },
    /// Too much at once.
    #[error("the batch has {len} bytes, the limit is {BATCH_LEN_MAX}; write it in parts")]
    TooLarge {
        /// Its bytes.
        len: usize,
    },
}

/// Why bytes are no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// They end early.
    #[error("a batch of {len} bytes ends within an operation; the log is damaged")]
    Length {
        /// Bytes there are.
        len: usize,
    },
    /// Its frame has another count of sequence numbers.
    #[error("a batch of {found} operations has {stated} sequence numbers; the log is damaged")]
    Count {
        /// Operations there are.
        found: usize,
        /// Sequence numbers it was given.
        stated: u64,
    },
    /// A later release wrote it.
    #[error("the batch is in format {found}, this release reads {VERSION}; use a newer release")]
    Version {
        /// The version it states.
        found: u8,
    },
    /// An operation of a kind that this release does not know.
    #[error("an operation of the batch has kind {found}, unknown to this release; use a newer release")]
    Kind {
        /// The kind found.
        found: u8,
    },
    /// A length over its limit.
    #[error("an operation of the batch states lengths over the limits; the log is damaged")]
    Limits,
}

impl Batch {
    /// A batch without operations.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// A batch without operations, with room for `bytes` of keys and values.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut head = Vec::with_capacity(HEAD_LEN + bytes);
        head.push(VERSION);
        Self { bytes: head, count: 0, trees: Vec::new(), refused: None }
    }

    /// Sets a key's value.
    pub fn put(&mut self, tree: TreeId, key: &[u8], value: &[u8]) {
        self.push(tree, tag_of(EntryKind::Put), key, value);
    }

    /// Removes a key.
    pub fn delete(&mut self, tree: TreeId, key: &[u8]) {
        self.push(tree, tag_of(EntryKind::Delete), key, &[]);
    }

    /// Removes a key that was put at most once since it was last deleted: both go at once when they meet.
    pub fn single_delete(&mut self, tree: TreeId, key: &[u8]) {
        self.push(tree, tag_of(EntryKind::SingleDelete), key, &[]);
    }

    /// Removes every key from `from` up to, not including, `to`; nothing if no key lies there.
    pub fn delete_range(&mut self, tree: TreeId, from: &[u8], to: &[u8]) {
        if to.len() > KEY_LEN_MAX {
            self.refuse(BatchRefused::KeyTooLong { len: to.len() });
        }
        self.push(tree, RANGE_DELETE, from, to);
    }

    /// How many operations there are: as many sequence numbers it takes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its encoded bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets its operations and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.truncate(HEAD_LEN);
        self.trees.clear();
        (self.count, self.refused) = (0, None);
    }

    /// Whether everything in it is within the limits.
    ///
    /// # Errors
    /// For the first operation that is not.
    pub const fn check(&self) -> Result<(), BatchRefused> {
        match self.refused {
            None => Ok(()),
            Some(refused) => Err(refused),
        }
    }

    /// The trees it writes to, each once.
    #[must_use]
    pub fn trees(&self) -> &[TreeId] {
        &self.trees
    }

    /// Its operations, in order.
    pub fn ops(&self) -> impl Iterator<Item = BatchOp<'_>> {
        Ops { rest: &self.bytes[HEAD_LEN..] }
    }

    fn push(&mut self, tree: TreeId, kind: u8, key: &[u8], value: &[u8]) {
        if key.len() > KEY_LEN_MAX {
            return self.refuse(BatchRefused::KeyTooLong { len: key.len() });
        }
        if value.len() > VALUE_LEN_MAX {
            return self.refuse(BatchRefused::ValueTooLong { len: value.len() });
        }
        let numbers = [tree.get().into(), key.len() as u64, value.len() as u64];
        let head = 1 + numbers.into_iter().map(varint::len).sum::<usize>();
        let len = self.bytes.len() + head + key.len() + value.len();
        if len > BATCH_LEN_MAX {
            return self.refuse(BatchRefused::TooLarge { len });
        }
        if self.trees.last() != Some(&tree) && !self.trees.contains(&tree) {
            self.trees.push(tree);
        }
        self.bytes.push(kind);
        numbers.into_iter().for_each(|number| varint::put(&mut self.bytes, number));
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.count += 1;
    }

    fn refuse(&mut self, why: BatchRefused) {
        self.refused.get_or_insert(why);
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

/// A batch as the log gave it back, proven sound.
///
/// ```
/// use lsm_core::{Batch, BatchView, TreeId};
/// let mut batch = Batch::new();
/// batch.delete(TreeId::new(1), b"k");
/// let view = BatchView::parse(batch.bytes())?;
/// assert_eq!(view.ops().count(), 1);
/// assert!(BatchView::parse(b"no batch").is_err());
/// # Ok::<(), lsm_core::BatchError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    count: u32,
    ops: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Proves that bytes are a batch.
    ///
    /// # Errors
    /// If they are not, or of a later release.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let cut = BatchError::Length { len: bytes.len() };
        let (&version, ops) = bytes.split_first().ok_or(cut)?;
        if version != VERSION {
            return Err(BatchError::Version { found: version });
        }
        let (mut rest, mut count) = (ops, 0);
        while !rest.is_empty() {
            (_, rest) = parse_op(rest, cut)?;
            count += 1;
        }
        Ok(Self { count, ops })
    }

    /// How many operations there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its operations, in order.
    pub fn ops(&self) -> impl Iterator<Item = BatchOp<'a>> + use<'a> {
        Ops { rest: self.ops }
    }
}

/// Operations that were proven, or that we encoded.
struct Ops<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Ops<'a> {
    type Item = BatchOp<'a>;

    fn next(&mut self) -> Option<BatchOp<'a>> {
        let (op, rest) = parse_op(self.rest, BatchError::Limits).ok()?;
        self.rest = rest;
        Some(op)
    }
}

fn parse_op(bytes: &[u8], cut: BatchError) -> Result<(BatchOp<'_>, &[u8]), BatchError> {
    let kind = parse_kind(*bytes.first().ok_or(cut)?)?;
    let mut at = 1;
    let mut take = || varint::take(bytes, &mut at).ok_or(cut);
    let (tree, key_len, value_len) = (take()?, take()?, take()?);
    let tree = u32::try_from(tree).map_err(|_| BatchError::Limits)?;
    let value_len_max = if kind == OpKind::DeleteRange { KEY_LEN_MAX } else { VALUE_LEN_MAX };
    if key_len > KEY_LEN_MAX as u64 || value_len > value_len_max as u64 {
        return Err(BatchError::Limits);
    }
    let (key, rest) = bytes[at..].split_at_checked(key_len as usize).ok_or(cut)?;
    let (value, rest) = rest.split_at_checked(value_len as usize).ok_or(cut)?;
    Ok((BatchOp { tree: TreeId::new(tree), kind, key, value }, rest))
}

fn parse_kind(tag: u8) -> Result<OpKind, BatchError> {
    if tag == RANGE_DELETE {
        return Ok(OpKind::DeleteRange);
    }
    let entry = EntryKind::ALL.into_iter().find(|kind| tag_of(*kind) == tag && *kind != EntryKind::Blob);
    entry.map(OpKind::Entry).ok_or(BatchError::Kind { found: tag })
}

const fn tag_of(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Put => 1,
        EntryKind::Delete => 2,
        EntryKind::SingleDelete => 3,
        EntryKind::Merge => 4,
        // A reference into a blob file is made by a flush; no batch holds one.
        EntryKind::Blob => 5,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Batch {
        let mut batch = Batch::new();
        batch.put(TreeId::new(1), b"key", b"value");
        batch.delete(TreeId::new(2), b"gone");
        batch.single_delete(TreeId::new(2), b"once");
        batch.delete_range(TreeId::new(1), b"a", b"b");
        batch.put(TreeId::new(1), b"", b"");
        batch
    }

    #[test]
    fn a_batch_keeps_its_bytes() {
        let mut batch = Batch::new();
        batch.put(TreeId::new(0x0102_0304), b"k", b"vw");
        assert_eq!(batch.bytes(), b"\x01\x01\x84\x86\x88\x08\x01\x02kvw");
    }

    #[test]
    fn what_was_added_is_given_back_in_order() {
        let batch = sample();
        let view = BatchView::parse(batch.bytes()).unwrap();
        assert_eq!(view.len(), 5);
        assert!(view.ops().eq(batch.ops()));
        let kinds: Vec<_> = view.ops().map(|op| (op.kind, op.key, op.value)).collect();
        assert_eq!(kinds[0], (OpKind::Entry(EntryKind::Put), &b"key"[..], &b"value"[..]));
        assert_eq!(kinds[3], (OpKind::DeleteRange, &b"a"[..], &b"b"[..]));
    }

    #[test]
    fn a_cut_is_noticed_or_leaves_whole_operations() {
        let batch = sample();
        for len in 0..batch.bytes().len() {
            if let Ok(view) = BatchView::parse(&batch.bytes()[..len]) {
                assert!(view.ops().eq(batch.ops().take(view.len())) && view.len() < batch.len());
            }
        }
        BatchView::parse(&[batch.bytes(), &[0]].concat()).unwrap_err();
    }

    #[test]
    fn what_is_over_a_limit_refuses_the_batch() {
        let mut batch = sample();
        batch.put(TreeId::new(1), &vec![0; KEY_LEN_MAX + 1], b"");
        assert_eq!(batch.check(), Err(BatchRefused::KeyTooLong { len: KEY_LEN_MAX + 1 }));
        assert_eq!(batch.len(), 5);
        batch.clear();
        assert!(batch.check().is_ok() && batch.is_empty());
        assert_eq!(BatchView::parse(batch.bytes()).unwrap().len(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_batch_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(view) = BatchView::parse(&bytes) {
                prop_assert_eq!(view.ops().count(), view.len());
            }
        }

        #[test]
        fn a_batch_with_one_byte_changed_is_a_batch_or_an_error(at in 0_usize..1000, byte in any::<u8>()) {
            let mut bytes = sample().bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(view) = BatchView::parse(&bytes) {
                prop_assert_eq!(view.ops().count(), view.len());
            }
        }
    }
}
