//! Eight columns of one block at once: adding up the rows an equation names.
//!
//! Invariant: column `j` of eight lies in half `j % 2` of word `j / 2`, and its sum in bit 0 of the byte whose
//! index is `j` with its three bits reversed. The fold below decides that order; everything else follows it.

use super::equation::ROWS;

/// Columns handled together.
pub(super) const COLUMNS: usize = 8;
/// Bytes of so many columns of a block.
pub(super) const COLUMNS_LEN: usize = COLUMNS * 4;
/// Bit 0 of every byte: where sums are.
const SUMS: u64 = 0x0101_0101_0101_0101;

/// Eight columns of a block, two to a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns([u64; 4]);

impl Columns {
    #[inline]
    pub(super) fn from_bytes(bytes: &[u8; COLUMNS_LEN]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        Self([0, 1, 2, 3].map(|word| u64::from_le_bytes(words[word])))
    }
}

/// Which rows of two neighbouring blocks an equation adds up.
#[derive(Clone, Copy)]
pub(super) struct Window {
    here: u64,
    next: u64,
}

impl Window {
    #[inline]
    pub(super) const fn new(coefficients: u32, row: usize) -> Self {
        let wide = (coefficients as u64) << (row % ROWS);
        let (here, next) = (wide & 0xFFFF_FFFF, wide >> 32);
        Self { here: here | here << 32, next: next | next << 32 }
    }

    /// The sums of eight columns, in bit 0 of each byte; other bits are zero.
    #[inline]
    pub(super) fn sum(self, here: Columns, next: Columns) -> u64 {
        let word = |at: usize| (here.0[at] & self.here) ^ (next.0[at] & self.next);
        let (low, high) = (halve(word(0), word(1), 16), halve(word(2), word(3), 16));
        let mut bytes = halve(low, high, 8);
        bytes ^= bytes >> 4;
        bytes ^= bytes >> 2;
        bytes ^= bytes >> 1;
        bytes & SUMS
    }
}

/// Folds lanes of twice `bits` bits to `bits` bits by XOR; `low` keeps the lower lane of each pair, `high` the upper.
#[inline]
const fn halve(low: u64, high: u64, bits: u32) -> u64 {
    let lower = if bits == 16 { 0x0000_FFFF_0000_FFFF } else { 0x00FF_00FF_00FF_00FF };
    ((low ^ (low >> bits)) & lower) | ((high ^ (high << bits)) & !lower)
}

/// Where [`Window::sum`] has the first `columns` columns.
#[inline]
pub(super) const fn mask(columns: usize) -> u64 {
    const MASKS: [u64; COLUMNS + 1] = {
        let mut masks = [0; COLUMNS + 1];
        let mut column = 0;
        while column < COLUMNS {
            masks[column + 1] = masks[column] | 1 << (8 * reversed(column));
            column += 1;
        }
        masks
    };
    MASKS[if columns < COLUMNS { columns } else { COLUMNS }]
}

/// The byte in which the sum of column `column` of eight is found.
pub(super) const fn reversed(column: usize) -> usize {
    (column & 1) << 2 | column & 2 | column >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same sums, a bit at a time.
    fn naive(coefficients: u32, row: usize, here: Columns, next: Columns) -> u64 {
        let bit = |columns: Columns, column: usize, row: usize| {
            columns.0[column / 2] >> (column % 2 * 32 + row) & 1
        };
        let mut sums = 0;
        for column in 0..COLUMNS {
            for at in (0..ROWS).filter(|at| coefficients >> at & 1 != 0) {
                let (block, row) = if row + at < ROWS { (here, row + at) } else { (next, row + at - ROWS) };
                sums ^= bit(block, column, row) << (8 * reversed(column));
            }
        }
        sums
    }

    fn numbers() -> impl FnMut() -> u64 {
        let mut state = 1u64;
        move || {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            state ^ (state >> 29)
        }
    }

    #[test]
    fn folded_sums_are_the_naive_sums() {
        let mut number = numbers();
        for round in 0..2000 {
            let (here, next) = (Columns([(); 4].map(|()| number())), Columns([(); 4].map(|()| number())));
            let (coefficients, row) = (number() as u32, round % ROWS);
            assert_eq!(Window::new(coefficients, row).sum(here, next), naive(coefficients, row, here, next));
        }
    }

    #[test]
    fn masks_grow_by_the_column_they_add() {
        for column in 0..COLUMNS {
            assert_eq!(mask(column + 1) & !mask(column), 1 << (8 * reversed(column)));
        }
        assert_eq!((mask(0), mask(COLUMNS), mask(31)), (0, SUMS, SUMS));
    }
}
