//! The bytes of one file in memory: as they are, as they are durable, and what lies between.
//!
//! **Invariant**: applying `pending` in order to `durable` gives `live`.

use std::sync::Arc;

use super::{Piece, pages::Pages};
use crate::Rng;

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    live: Pages,
    durable: Pages,
    pending: Vec<Change>,
}

/// What was done to a file since its last sync.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Arc<[u8]> },
    SetLen { len: usize },
}

impl Inode {
    /// A new file with the same bytes, none of them durable.
    pub(super) fn twin(&self) -> Self {
        let mut bytes = vec![0; self.live.len()];
        self.live.read(0, &mut bytes);
        let mut twin = Self::default();
        twin.write(0, &bytes);
        twin
    }

    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        self.live.read(usize::try_from(offset).unwrap_or(usize::MAX), buf)
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.live.write(offset as usize, bytes);
        self.pending.push(Change::Write { offset: offset as usize, bytes: bytes.into() });
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.live.set_len(len as usize);
        self.pending.push(Change::SetLen { len: len as usize });
    }

    pub(super) fn sync(&mut self) {
        self.pending.clear();
        self.durable = self.live.clone();
    }

    /// What a power cut leaves if nothing unsynced was written back.
    pub(super) fn synced(&self) -> Self {
        Self::all_durable(self.durable.clone())
    }

    fn all_durable(bytes: Pages) -> Self {
        Self { live: bytes.clone(), durable: bytes, pending: Vec::new() }
    }

    /// What a power cut leaves if some of what was unsynced had been written back: each piece of the file
    /// shows some moment between the last sync and now, each its own, and so does the length.
    pub(super) fn synced_in_part(&self, rng: &mut Rng, piece: Piece) -> Self {
        if self.pending.is_empty() {
            return self.synced();
        }
        // Moment k is the file after the first k pending changes.
        let moments = self.pending.len() as u64 + 1;
        let mut left = vec![0; self.len_at(rng.below(moments) as usize)];
        for (index, shown) in left.chunks_mut(piece.len()).enumerate() {
            let start = index * piece.len();
            let (newer, older) = (rng.below(moments) as usize, rng.below(moments) as usize);
            let torn_at = piece.torn_at(rng, shown.len());
            let (head, tail) = shown.split_at_mut(torn_at);
            self.show_at(newer, start, head);
            self.show_at(older, start + torn_at, tail);
        }
        Self::all_durable(left.as_slice().into())
    }

    /// How long the file was at a moment.
    fn len_at(&self, moment: usize) -> usize {
        self.pending[..moment].iter().fold(self.durable.len(), |len, change| match change {
            Change::Write { offset, bytes } => len.max(offset + bytes.len()),
            Change::SetLen { len } => *len,
        })
    }

    /// The bytes from `start` on as they were at a moment, zeros where the file had ended.
    fn show_at(&self, moment: usize, start: usize, shown: &mut [u8]) {
        let end = start + shown.len();
        shown.fill(0);
        self.durable.read(start, shown);
        for change in &self.pending[..moment] {
            match change {
                Change::Write { offset, bytes } => overlay(bytes, *offset, start, shown),
                Change::SetLen { len } if *len < end => shown[len.saturating_sub(start)..].fill(0),
                Change::SetLen { .. } => {}
            }
        }
    }
}

/// Copies what `bytes`, lying at `offset`, show of the range that begins at `start`.
fn overlay(bytes: &[u8], offset: usize, start: usize, shown: &mut [u8]) {
    let from = offset.max(start);
    let to = (offset + bytes.len()).min(start + shown.len());
    if from < to {
        shown[from - start..to - start].copy_from_slice(&bytes[from - offset..to - offset]);
    }
}
