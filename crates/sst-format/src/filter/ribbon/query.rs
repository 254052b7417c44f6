//! Looks a hash up in a ribbon filter's bytes.
//!
//! Invariant: reads are bounds-checked and fall back to "maybe", so bytes that lie cost a wasted read of the
//! table at worst. A query reads one cut and two neighbouring blocks, rarely those of a second layer.

use super::super::error::FilterError;
use super::super::hash::KeyHash;
use super::super::trailer::Trailer;
use super::super::view::Answer;
use super::columns::{COLUMNS, COLUMNS_LEN, Columns, Window, mask};
use super::equation::{Mixed, ROWS};
use super::shape::{BUCKET, CUTS, Layer, Shape};

/// What a query needs besides the bytes.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Ribbon {
    seed: u64,
    shape: Shape,
}

impl Ribbon {
    pub(in super::super) fn parse(body: &[u8], trailer: &Trailer) -> Result<Self, FilterError> {
        Ok(Self { seed: trailer.seed, shape: Shape::parse(body, trailer)? })
    }

    #[inline]
    pub(in super::super) fn may_contain(&self, bytes: &[u8], hash: KeyHash) -> Answer {
        let layers = self.shape.layers();
        if layers.is_empty() {
            return Answer::Absent;
        }
        let key = Mixed::new(hash.to_u64(), self.seed);
        for layer in layers {
            let start = key.start(layer.multiplier, layer.starts());
            let bucket = start / BUCKET;
            let Some(cuts) = bytes.get(layer.cuts_at + bucket / 4) else { return Answer::Maybe };
            if start % BUCKET >= CUTS[usize::from(cuts >> (bucket % 4 * 2) & 3)] {
                return Self::compare(bytes, layer, key, start);
            }
        }
        Answer::Maybe
    }

    /// Compares the fingerprint with what the rows add up to, eight columns at a time.
    #[inline]
    fn compare(bytes: &[u8], layer: &Layer, key: Mixed, start: usize) -> Answer {
        let block = start / ROWS;
        let window = Window::new(key.coefficients(), start);
        let mut fingerprint = key.fingerprint().0;
        let (mut here_at, mut next_at) = (layer.block_at(block), layer.block_at(block + 1));
        let mut columns = layer.columns(block);
        loop {
            // Eight columns are read even where a block has fewer: the trailer follows the last block.
            let (Some(here), Some(next)) = (eight(bytes, here_at), eight(bytes, next_at)) else {
                return Answer::Maybe;
            };
            if (window.sum(here, next) ^ fingerprint) & mask(columns) != 0 {
                return Answer::Absent;
            }
            if columns <= COLUMNS {
                return Answer::Maybe;
            }
            columns -= COLUMNS;
            fingerprint >>= 1;
            here_at += COLUMNS_LEN;
            next_at += COLUMNS_LEN;
        }
    }
}

#[inline]
fn eight(bytes: &[u8], at: usize) -> Option<Columns> {
    Some(Columns::from_bytes(bytes.get(at..)?.first_chunk()?))
}
