//! Back substitution: the solution of one block of rows from the echelon form and the rows after it.
//!
//! Invariant: all 32 columns are solved at once, a row to a `u32`, so the cost does not depend on how many are
//! kept. Sums of every subset of four neighbouring rows are tabled as soon as the rows are known; an equation's
//! sum is then nine look-ups instead of some sixteen rows.

use super::equation::ROWS;

/// Rows whose subset sums are tabled together.
const QUAD: usize = 4;
const QUADS: usize = ROWS / QUAD;

/// Subset sums of the block at hand, then of the block after it.
#[derive(Debug, Default)]
pub(super) struct BlockSolver {
    sums: [[u32; 1 << QUAD]; 2 * QUADS],
}

impl BlockSolver {
    /// Solves the block before those solved so far; `rows` hold coefficients in the low and values in the high
    /// half, 0 if empty. Returns a word for each packed fingerprint bit, row 0 lowest.
    pub(super) fn solve(&mut self, rows: &[u64; ROWS]) -> [u32; ROWS] {
        self.sums.copy_within(..QUADS, QUADS);
        let mut solution = [0; ROWS];
        for quad in (0..QUADS).rev() {
            let (sums, later) = self.sums[quad..].split_first_mut().expect("a block follows every quad");
            sums[0] = 0;
            for at in (0..QUAD).rev() {
                let stored = rows[quad * QUAD + at];
                // Without the row itself, which is what is sought.
                let coefficients = u64::from(stored as u32) >> 1 << (at + 1);
                let mut sum = (stored >> 32) as u32 ^ sums[coefficients as usize % (1 << QUAD)];
                for (quad, sums) in later[..QUADS].iter().enumerate() {
                    sum ^= sums[(coefficients >> (QUAD * (quad + 1))) as usize % (1 << QUAD)];
                }
                solution[quad * QUAD + at] = sum;
                for subset in (0..1 << QUAD).step_by(2 << at) {
                    sums[subset | 1 << at] = sums[subset] ^ sum;
                }
            }
        }
        transpose(&mut solution);
        solution
    }
}

/// Swaps rows and columns of a square of bits.
fn transpose(square: &mut [u32; 32]) {
    let mut mask = 0x0000_FFFF;
    let mut width = 16;
    while width > 0 {
        for pair in square.chunks_exact_mut(2 * width) {
            let (low, high) = pair.split_at_mut(width);
            for (low, high) in low.iter_mut().zip(high) {
                let swap = ((*low >> width) ^ *high) & mask;
                *low ^= swap << width;
                *high ^= swap;
            }
        }
        width /= 2;
        mask ^= mask << width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_moves_every_bit() {
        for (row, column) in (0..32).flat_map(|row| (0..32).map(move |column| (row, column))) {
            let mut square = [0; 32];
            square[row] = 1 << column;
            transpose(&mut square);
            let mut want = [0; 32];
            want[column] = 1 << row;
            assert_eq!(square, want);
        }
    }
}
