//! Builds a cell block: cells in ascending order, restarts, and the hash index if it is asked for.

use alloc::vec::Vec;

use super::buckets::BucketBuilder;
use super::cell::CellParts;
use super::{TAIL_LEN, Tail};
use crate::block::Head;
use crate::filter::KeyHash;
use crate::order::common_prefix;

/// Whether a block carries a hash index for point reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Buckets {
    Off,
    On,
}

/// One cell to add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewCell<'a> {
    pub(crate) tag: u8,
    pub(crate) flags: u8,
    pub(crate) key: &'a [u8],
    pub(crate) seq: u64,
    pub(crate) value: &'a [u8],
}

/// Collects the cells of one block behind the room for its head, and is then used for the next.
#[derive(Debug)]
pub(crate) struct CellBuilder {
    framed: Vec<u8>,
    restarts: Vec<u32>,
    buckets: Option<BucketBuilder>,
    last_key: Vec<u8>,
    interval: u32,
    since_restart: u32,
    base_seq: u64,
    seqs: [u64; 2],
}

impl CellBuilder {
    pub(crate) fn new(interval: u32, buckets: Buckets) -> Self {
        assert!(interval > 0);
        let mut builder = Self {
            framed: Vec::new(),
            restarts: Vec::new(),
            buckets: (buckets == Buckets::On).then(BucketBuilder::new),
            last_key: Vec::new(),
            interval,
            since_restart: 0,
            base_seq: 0,
            seqs: [u64::MAX, 0],
        };
        builder.clear();
        builder
    }

    /// Starts the next block; the last key stays known, as it bounds the next one.
    pub(crate) fn clear(&mut self) {
        self.framed.clear();
        self.framed.extend_from_slice(&[0; Head::LEN]);
        self.framed.shrink_to(KEPT_MAX);
        self.restarts.clear();
        self.buckets.iter_mut().for_each(BucketBuilder::clear);
        self.since_restart = 0;
        self.seqs = [u64::MAX, 0];
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.restarts.is_empty()
    }

    /// Bytes the payload would have if it ended here.
    pub(crate) fn payload_len(&self) -> usize {
        self.framed.len() - Head::LEN + 4 * self.restarts.len() + TAIL_LEN
    }

    /// Lowest and highest sequence number.
    pub(crate) const fn seqs(&self) -> [u64; 2] {
        self.seqs
    }

    /// The key added last, to this block or the one before.
    pub(crate) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// Adds a cell; it must not be before the last one.
    pub(crate) fn add(&mut self, cell: NewCell<'_>) {
        let shared = common_prefix(&self.last_key, cell.key);
        self.add_sharing(cell, shared);
    }

    /// Adds a cell of which the caller knows how many bytes its key shares with the last one's. Where there is
    /// a hash index, [`add_to_buckets`](Self::add_to_buckets) comes next.
    #[inline]
    pub(crate) fn add_sharing(&mut self, cell: NewCell<'_>, shared: usize) {
        debug_assert!(shared == common_prefix(&self.last_key, cell.key));
        let mut kept = shared;
        if self.is_empty() {
            self.base_seq = cell.seq;
            self.since_restart = self.interval;
        }
        if self.since_restart == self.interval {
            self.restarts.push((self.framed.len() - Head::LEN) as u32);
            self.since_restart = 0;
            kept = 0;
        }
        self.since_restart += 1;
        let parts = CellParts {
            tag: cell.tag,
            flags: cell.flags,
            shared: kept,
            unshared: &cell.key[kept..],
            seq_distance: cell.seq.wrapping_sub(self.base_seq),
            value: cell.value,
        };
        parts.encode(&mut self.framed);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(&cell.key[shared..]);
        self.seqs = [self.seqs[0].min(cell.seq), self.seqs[1].max(cell.seq)];
    }

    /// Adds the last cell's key, by its hash, to the hash index if there is one.
    #[inline]
    pub(crate) fn add_to_buckets(&mut self, hash: KeyHash) {
        if let Some(buckets) = &mut self.buckets {
            buckets.add(hash, self.restarts.len() - 1);
        }
    }

    /// Ends the payload and lends it, behind room for the head; [`clear`](Self::clear) comes next.
    pub(crate) fn finish(&mut self) -> &mut Vec<u8> {
        assert!(!self.is_empty());
        for restart in &self.restarts {
            self.framed.extend_from_slice(&restart.to_le_bytes());
        }
        let buckets = self.buckets.as_ref().map_or(0, |buckets| buckets.write(&mut self.framed));
        let tail = Tail { base_seq: self.base_seq, restarts: self.restarts.len() as u32, buckets };
        self.framed.extend_from_slice(&tail.encode());
        &mut self.framed
    }
}

/// A buffer that one huge entry made larger is not kept.
const KEPT_MAX: usize = 1 << 20;
