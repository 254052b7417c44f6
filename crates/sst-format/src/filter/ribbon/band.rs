//! The band matrix: equations in echelon form, one to a row at most, and the solution read off from its end.
//!
//! Invariant: the equation stored at a row has its first coefficient there, and a stored equation never changes
//! until it is taken out again. So whatever was placed last can be undone by emptying its row.

use alloc::vec;
use alloc::vec::Vec;

use super::columns::{COLUMNS, COLUMNS_LEN, Columns, SUMS, Window};
use super::equation::{Fingerprint, Mixed, ROWS};
use super::shape::Layer;

/// An equation that is being placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Equation {
    pub(super) start: usize,
    pub(super) coefficients: u32,
    /// A packed [`Fingerprint`].
    pub(super) value: u32,
}

impl Equation {
    #[inline]
    pub(super) fn new(key: Mixed, start: usize) -> Self {
        Self { start, coefficients: key.coefficients(), value: key.fingerprint().pack() }
    }
}

/// What became of an equation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It is stored at this row.
    At(usize),
    /// It follows from those stored.
    Redundant,
    /// It contradicts those stored.
    Contradiction,
}

/// The matrix of one layer.
pub(super) struct Band {
    /// Coefficients in the low half, the value in the high half; 0 is an empty row.
    rows: Vec<u64>,
}

impl Band {
    pub(super) fn new(rows: usize) -> Self {
        Self { rows: vec![0; rows] }
    }

    /// Reduces an equation by those stored and stores what is left of it.
    #[inline]
    pub(super) fn place(&mut self, equation: Equation) -> Placed {
        let Equation { start: mut row, mut coefficients, mut value } = equation;
        loop {
            let stored = self.rows[row];
            if stored == 0 {
                self.rows[row] = u64::from(coefficients) | u64::from(value) << 32;
                return Placed::At(row);
            }
            coefficients ^= stored as u32;
            value ^= (stored >> 32) as u32;
            if coefficients == 0 {
                return if value == 0 { Placed::Redundant } else { Placed::Contradiction };
            }
            let zeros = coefficients.trailing_zeros();
            coefficients >>= zeros;
            row += zeros as usize;
        }
    }

    /// Empties the rows that were filled last.
    pub(super) fn undo(&mut self, rows: &[usize]) {
        for &row in rows {
            self.rows[row] = 0;
        }
    }

    /// Solves the matrix from its last row to its first and writes the blocks of `layer` to `out`.
    pub(super) fn solve(&self, layer: &Layer, out: &mut [u8]) {
        let columns_all = (layer.block_at(1) - layer.block_at(0)) / 4;
        let mut next = [Columns::default(); 4];
        for (block, rows) in self.rows.as_chunks::<ROWS>().0.iter().enumerate().rev() {
            let (at, end) = (layer.block_at(block), layer.block_at(block + 1));
            let groups = out[at..end].chunks_mut(COLUMNS_LEN);
            for (group, out) in groups.enumerate() {
                let here = solve_block(rows, next[group], group as u32);
                out.copy_from_slice(&here.to_bytes()[..out.len()]);
                next[group] = here;
            }
            debug_assert!((end - at) / 4 <= columns_all);
        }
    }
}

/// Rows solved together: their sums over older rows do not wait for each other.
const STEP: usize = 4;
const _: () = assert!(ROWS % STEP == 0 && COLUMNS == 8);

/// Solves eight columns of one block, given those of the block after it.
fn solve_block(rows: &[u64; ROWS], next: Columns, group: u32) -> Columns {
    let mut here = Columns::default();
    for first in (0..ROWS).step_by(STEP).rev() {
        let mut sums = [0u64; STEP];
        for at in 0..STEP {
            let stored = rows[first + at];
            let value = Fingerprint::unpack((stored >> 32) as u32).0 >> group & SUMS;
            sums[at] = Window::new(stored as u32, first + at).sum(here, next) ^ value;
        }
        for at in (0..STEP).rev() {
            for later in at + 1..STEP {
                let coefficient = rows[first + at] >> (later - at) & 1;
                sums[at] ^= sums[later] & coefficient.wrapping_neg();
            }
            here.add(first + at, sums[at]);
        }
    }
    here
}
