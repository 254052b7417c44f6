//! Where everything of a ribbon filter lies: widths, layers, offsets.
//!
//! Invariant: the writer and the reader compute offsets here and nowhere else, from the same few counts. A shape
//! read from bytes has been checked against their length, so every offset below lies inside them.

use super::super::error::FilterError;
use super::super::policy::FalsePositiveRate;
use super::super::trailer::Trailer;
use super::equation::{ROWS, multiplier};

/// Layers a filter may have: at 4 % bumped, 2^32 keys need seven.
pub(super) const LAYERS_MAX: usize = 8;
/// Start rows that share one cut.
pub(super) const BUCKET: usize = 64;
/// Offsets in a bucket below which keys are bumped, for each value of a cut.
pub(super) const CUTS: [usize; 4] = [0, 8, 20, BUCKET];
/// Columns of a narrow block, at most.
const COLUMNS_MAX: u8 = 31;
/// A layer's fewest blocks, so that every equation fits.
const BLOCKS_MIN: u32 = 2;

/// How many columns blocks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width {
    /// Columns of a narrow block; a wide one has one more.
    pub(super) narrow: u8,
    /// Share of wide blocks, in 65536ths.
    pub(super) wide: u16,
}

impl Width {
    /// The least width that reaches a rate with a sixteenth to spare, so that counting agrees, too.
    pub(super) const fn for_rate(rate: FalsePositiveRate) -> Self {
        let aim = rate.parts() - rate.parts() / 16;
        let narrow = aim.leading_zeros();
        // A share `f` of one more column gives `2^-narrow · (1 - f / 2)`, so `f = 2 · (1 - aim · 2^narrow)`.
        let short = (1 << 32) - ((aim as u64) << narrow);
        Self { narrow: narrow as u8, wide: ((short >> 15) as u16).saturating_add(1) }
    }

    /// Wide blocks of a layer; one more than the share, as a key at the seam counts as narrow.
    fn wide_blocks(self, blocks: u32) -> u32 {
        let share = (u64::from(blocks) * u64::from(self.wide)).div_ceil(1 << 16) as u32;
        blocks.min(share + 1)
    }
}

/// One layer's place in a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layer {
    /// Turns a mixed hash into this layer's start row.
    pub(super) multiplier: u64,
    pub(super) blocks: u32,
    /// Blocks at the front that have one more column.
    pub(super) wide: u32,
    narrow: u32,
    /// Byte at which the first block starts.
    blocks_at: usize,
    /// Byte at which the first cut starts.
    pub(super) cuts_at: usize,
}

impl Layer {
    /// A layer that stands alone, at offset 0 of its blocks and of its cuts.
    pub(super) fn alone(layer: usize, salt: u8, blocks: u32, width: Width) -> Self {
        debug_assert!(blocks >= BLOCKS_MIN);
        Self {
            multiplier: multiplier(layer, salt),
            blocks,
            wide: width.wide_blocks(blocks),
            narrow: width.narrow.into(),
            blocks_at: 0,
            cuts_at: 0,
        }
    }

    /// Rows an equation may start at: all whose 32 rows end inside the last block.
    #[inline]
    pub(super) const fn starts(&self) -> u64 {
        (self.blocks as u64 - 1) * ROWS as u64
    }

    pub(super) const fn buckets(&self) -> usize {
        (self.starts() as usize).div_ceil(BUCKET)
    }

    /// The byte at which block `block` starts.
    #[inline]
    pub(super) const fn block_at(&self, block: usize) -> usize {
        let extra = if block < self.wide as usize { block } else { self.wide as usize };
        self.blocks_at + 4 * (block * self.narrow as usize + extra)
    }

    /// Columns of the fingerprint of a key that starts in block `block`.
    #[inline]
    pub(super) const fn columns(&self, block: usize) -> usize {
        self.narrow as usize + (block + 1 < self.wide as usize) as usize
    }

    /// Bytes of all blocks.
    pub(super) const fn blocks_len(&self) -> u64 {
        4 * (self.blocks as u64 * self.narrow as u64 + self.wide as u64)
    }

    /// Bytes of all cuts.
    pub(super) const fn cuts_len(&self) -> u64 {
        self.starts().div_ceil(BUCKET as u64).div_ceil(4)
    }
}

/// All layers of a filter that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    layers: [Layer; LAYERS_MAX],
    count: usize,
}

impl Shape {
    #[inline]
    pub(super) fn layers(&self) -> &[Layer] {
        &self.layers[..self.count.min(LAYERS_MAX)]
    }

    /// Reads the counts before the trailer and places the layers they name.
    pub(super) fn parse(body: &[u8], trailer: &Trailer) -> Result<Self, FilterError> {
        let field = |field, found| FilterError::Field { field, found };
        if !(1..=COLUMNS_MAX).contains(&trailer.width) {
            return Err(field("width", trailer.width.into()));
        }
        let count = usize::from(trailer.layers);
        if count > LAYERS_MAX {
            return Err(field("layers", trailer.layers.into()));
        }
        let short = FilterError::Short { len: body.len() + Trailer::LEN, min: 4 * count + Trailer::LEN };
        let (body, counts) = body.split_at_checked(body.len().wrapping_sub(4 * count)).ok_or(short)?;
        let width = Width { narrow: trailer.width, wide: trailer.wide };
        let mut layers = [Layer::default(); LAYERS_MAX];
        for (at, bytes) in counts.as_chunks::<4>().0.iter().enumerate() {
            let blocks = u32::from_le_bytes(*bytes);
            if blocks < BLOCKS_MIN {
                return Err(field("counts", blocks.into()));
            }
            let salt = if at + 1 == count { trailer.salt } else { 0 };
            layers[at] = Layer::alone(at, salt, blocks, width);
        }
        let mut shape = Self { layers, count };
        let described = shape.place();
        if described != body.len() as u64 {
            let around = (4 * count + Trailer::LEN) as u64;
            return Err(FilterError::Len {
                described: described + around,
                len: body.len() + around as usize,
            });
        }
        Ok(shape)
    }

    /// Lays the layers out and returns how many bytes they take: at most `8 · 2^32 · 130`, far from wrapping.
    fn place(&mut self) -> u64 {
        let mut at = 0u64;
        let layers = &mut self.layers[..self.count];
        for layer in layers.iter_mut() {
            layer.blocks_at = usize::try_from(at).unwrap_or(usize::MAX);
            at += layer.blocks_len();
        }
        for layer in layers.iter_mut() {
            layer.cuts_at = usize::try_from(at).unwrap_or(usize::MAX);
            at += layer.cuts_len();
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rate: FalsePositiveRate, narrow: u8, wide_percent: u32) {
        let width = Width::for_rate(rate);
        assert_eq!((width.narrow, (u32::from(width.wide) * 100) >> 16), (narrow, wide_percent), "{rate}");
    }

    #[test]
    fn widths_follow_rates() {
        check(FalsePositiveRate::per_million(10_000), 6, 80);
        check(FalsePositiveRate::per_million(1_000), 10, 8);
        check(FalsePositiveRate::per_million(100), 13, 46);
        check(FalsePositiveRate::one_in_power_of_two(1), 1, 12);
        check(FalsePositiveRate::one_in_power_of_two(24), 24, 12);
    }

    #[test]
    fn blocks_follow_each_other_without_gaps() {
        let layer = Layer::alone(0, 0, 10, Width { narrow: 6, wide: 1 << 15 });
        assert_eq!(layer.wide, 6);
        for block in 0..10 {
            let columns = if block < 6 { 7 } else { 6 };
            assert_eq!(layer.block_at(block + 1) - layer.block_at(block), 4 * columns);
        }
        assert_eq!(layer.block_at(10) as u64, layer.blocks_len());
        assert_eq!((layer.columns(4), layer.columns(5)), (7, 6));
    }
}
