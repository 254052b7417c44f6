//! The table's first blocks, held back until a dictionary can be trained on them.

use alloc::vec::Vec;

use crate::block::Head;

/// A dictionary is best trained on a hundred times its length.
const SAMPLES_PER_DICTIONARY: usize = 100;

/// A finished data block that waits for the dictionary.
#[derive(Debug)]
pub(super) struct HeldBlock {
    pub(super) framed: Vec<u8>,
    pub(super) fence_key: Vec<u8>,
    pub(super) fence_seq: u64,
    pub(super) seqs: [u64; 2],
}

/// Blocks held back; at most a hundred dictionaries' worth and one block.
#[derive(Debug)]
pub(super) struct Samples {
    pub(super) blocks: Vec<HeldBlock>,
    pub(super) dictionary_len: usize,
    held: usize,
}

impl Samples {
    pub(super) const fn new(dictionary_len: usize) -> Self {
        Self { blocks: Vec::new(), dictionary_len, held: 0 }
    }

    pub(super) fn push(&mut self, block: HeldBlock) {
        self.held += block.framed.len();
        self.blocks.push(block);
    }

    pub(super) const fn are_enough(&self) -> bool {
        self.held >= self.dictionary_len * SAMPLES_PER_DICTIONARY
    }

    /// What to train on: each block's payload, of large ones the front.
    pub(super) fn pieces(&self) -> Vec<&[u8]> {
        let payloads = self.blocks.iter().map(|block| &block.framed[Head::LEN..]);
        payloads.map(|payload| &payload[..payload.len().min(PIECE_MAX)]).collect()
    }
}

const PIECE_MAX: usize = 128 << 10;
