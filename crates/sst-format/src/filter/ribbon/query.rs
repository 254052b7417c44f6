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

#[cfg(test)]
mod tests {
    use super::super::super::builder::FilterMemory;
    use alloc::vec::Vec;

    use super::super::super::policy::FalsePositiveRate;
    use super::super::build::build;
    use super::super::equation::multiplier;
    use super::*;

    /// The same answer from the byte table: one bit at a time, offsets counted up rather than computed.
    fn naive(filter: &[u8], hash: u64) -> bool {
        let (body, trailer) = Trailer::split(filter).unwrap();
        let (mut blocks_at, mut cuts_at) = (0, 0);
        let counts: Vec<usize> = body[body.len() - 4 * usize::from(trailer.layers)..]
            .chunks(4)
            .map(|count| u32::from_le_bytes(count.try_into().unwrap()) as usize)
            .collect();
        let wide_of = |blocks: usize| blocks.min((blocks * usize::from(trailer.wide)).div_ceil(65536) + 1);
        let columns_of =
            |block: usize, blocks: usize| usize::from(trailer.width) + usize::from(block < wide_of(blocks));
        for &blocks in &counts {
            cuts_at += (0..blocks).map(|block| 4 * columns_of(block, blocks)).sum::<usize>();
        }
        let key = Mixed::new(hash, trailer.seed);
        for (layer, &blocks) in counts.iter().enumerate() {
            let starts = (blocks - 1) * ROWS;
            let salt = if layer + 1 == counts.len() { trailer.salt } else { 0 };
            let start = key.start(multiplier(layer, salt), starts as u64);
            let cut = filter[cuts_at + start / 64 / 4] >> (start / 64 % 4 * 2) & 3;
            if start % 64 >= [0, 8, 20, 64][usize::from(cut)] {
                let bit = |row: usize, column: usize| {
                    let at: usize = (0..row / 32).map(|block| 4 * columns_of(block, blocks)).sum();
                    filter[blocks_at + at + 4 * column + row % 32 / 8] >> (row % 8) & 1
                };
                let columns = columns_of(start / 32, blocks).min(columns_of(start / 32 + 1, blocks));
                return (0..columns).all(|column| {
                    let rows = (0..32).filter(|at| key.coefficients() >> at & 1 != 0);
                    let sum = rows.fold(0, |sum, at| sum ^ bit(start + at, column));
                    let byte = [0, 4, 2, 6, 1, 5, 3, 7][column % 8];
                    key.fingerprint().0 >> (8 * byte + column / 8) & 1 == u64::from(sum)
                });
            }
            blocks_at += (0..blocks).map(|block| 4 * columns_of(block, blocks)).sum::<usize>();
            cuts_at += starts.div_ceil(64).div_ceil(4);
        }
        trailer.layers > 0
    }

    #[test]
    fn answers_are_those_of_the_byte_table() {
        for (ppm, keys) in [(500_000, 10), (10_000, 0), (10_000, 1), (10_000, 300), (100, 1500), (1, 40)] {
            let hashes: Vec<u64> =
                (0..3000u64).map(|at| KeyHash::of_key(&at.to_le_bytes()).to_u64()).collect();
            let mut memory = FilterMemory { hashes: hashes[..keys].to_vec(), ..FilterMemory::default() };
            let filter = build(&mut memory, FalsePositiveRate::per_million(ppm), 5);
            let (body, trailer) = Trailer::split(&filter).unwrap();
            let ribbon = Ribbon::parse(body, &trailer).unwrap();
            for (at, &hash) in hashes.iter().enumerate() {
                let maybe = ribbon.may_contain(&filter, KeyHash::from_u64(hash)) == Answer::Maybe;
                assert_eq!(maybe, naive(&filter, hash), "{ppm} ppm, {keys} keys, hash {hash:#x}");
                assert!(maybe || at >= keys);
            }
        }
    }
}
