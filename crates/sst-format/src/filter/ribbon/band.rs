//! The band matrix: equations in echelon form, one to a row at most, and the solution read off from its end.
//!
//! Invariant: the equation stored at a row has its first coefficient there, and a stored equation never changes
//! until it is taken out again. So whatever was placed last can be undone by emptying its row.

use alloc::vec::Vec;
use core::array;

use super::back::BlockSolver;
use super::equation::{Fingerprint, Mixed, ROWS};
use super::shape::{BUCKET, Layer};

/// Equations under way at once.
const LANES: usize = 3;
/// Rows at hand: those the equations of one bucket reach, and the one where idle lanes turn.
const WINDOW: usize = 256;
const IDLE_ROW: usize = WINDOW - 1;
const _: () = assert!(BUCKET + ROWS <= 2 * BUCKET && 2 * BUCKET < IDLE_ROW);

/// An equation that is being placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Equation {
    /// Coefficients in the low half, a packed [`Fingerprint`] in the high half.
    packed: u64,
    /// Its first row, counted from its bucket's.
    row: u32,
    /// The row filled by the equation that made way for this one, [`IDLE_ROW`] if none.
    filled: u32,
}

impl Equation {
    /// Neither fits the idle row nor moves on from it: 1 and 3 in turn against the 2 stored there.
    const IDLE: Self = Self { packed: 1, row: IDLE_ROW as u32, filled: IDLE_ROW as u32 };

    #[inline]
    pub(super) fn new(key: Mixed, start: usize) -> Self {
        let packed = u64::from(key.coefficients()) | u64::from(key.fingerprint().pack()) << 32;
        Self { packed, row: (start % BUCKET) as u32, ..Self::IDLE }
    }
}

/// A span does not fit; nothing of it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction;

/// The matrix of one layer.
pub(super) struct Band {
    /// Coefficients in the low half, the value in the high half; 0 is an empty row.
    rows: Vec<u64>,
    /// The rows after those, of which the first bucket is at hand.
    window: [u64; WINDOW],
}

impl Band {
    /// An empty band, kept in the memory of `rows`.
    pub(super) fn new(mut rows: Vec<u64>) -> Self {
        rows.clear();
        let mut window = [0; WINDOW];
        window[IDLE_ROW] = 2;
        Self { rows, window }
    }

    /// Stores all of `equations`, or nothing if one contradicts those before it.
    ///
    /// Three are under way at once: a stored row does not change, so they may take their steps in any order, and
    /// the processor need not wait for one row before it loads another's.
    ///
    /// # Errors
    /// [`Contradiction`], with the band as it was.
    pub(super) fn place(&mut self, equations: &mut Vec<Equation>) -> Result<(), Contradiction> {
        let count = equations.len();
        equations.resize(count + LANES, Equation::IDLE);
        let placed = place(&mut self.window, equations, count);
        if placed.is_err() {
            for equation in equations.iter().filter(|equation| equation.filled < IDLE_ROW as u32) {
                self.window[equation.filled as usize] = 0;
            }
        }
        placed
    }

    /// Moves on to the next bucket.
    pub(super) fn advance(&mut self) {
        self.rows.extend_from_slice(&self.window[..BUCKET]);
        self.window.copy_within(BUCKET..2 * BUCKET, 0);
        self.window[BUCKET..2 * BUCKET].fill(0);
    }

    /// Solves the matrix from its last row to its first and writes the blocks of `layer` to `out`; returns the
    /// memory the band was kept in.
    pub(super) fn solve(mut self, layer: &Layer, out: &mut [u8]) -> Vec<u64> {
        self.advance();
        let (blocks, _) = self.rows.as_chunks::<ROWS>();
        let mut solver = BlockSolver::default();
        for (block, rows) in blocks[..layer.blocks as usize].iter().enumerate().rev() {
            let columns = solver.solve(rows);
            let words = out[layer.block_at(block)..layer.block_at(block + 1)].as_chunks_mut::<4>().0;
            for (column, word) in words.iter_mut().enumerate() {
                *word = columns[Fingerprint::packed_bit(column)].to_le_bytes();
            }
        }
        self.rows
    }
}

/// Steps three lanes in turn until `count` equations are stored; each free lane takes the next one.
fn place(rows: &mut [u64; WINDOW], equations: &mut [Equation], count: usize) -> Result<(), Contradiction> {
    let [mut first, mut second, mut third] = array::from_fn(|lane| Lane::of(&equations[lane]));
    let mut next = LANES;
    while next < count + LANES {
        first.step(rows, equations, &mut next)?;
        second.step(rows, equations, &mut next)?;
        third.step(rows, equations, &mut next)?;
    }
    Ok(())
}

/// An equation under way.
struct Lane {
    packed: u64,
    row: usize,
}

impl Lane {
    #[inline(always)]
    fn of(equation: &Equation) -> Self {
        Self { packed: equation.packed, row: equation.row as usize }
    }

    /// Reduces the equation by the one stored where it starts, or stores it there and takes the next.
    #[inline(always)]
    fn step(
        &mut self,
        rows: &mut [u64; WINDOW],
        equations: &mut [Equation],
        next: &mut usize,
    ) -> Result<(), Contradiction> {
        let row = self.row % WINDOW;
        let stored = rows[row];
        let reduced = self.packed ^ stored;
        let coefficients = reduced as u32;
        if stored == 0 {
            rows[row] = reduced;
            let following = &mut equations[*next];
            *self = Self::of(following);
            following.filled = row as u32;
            *next += 1;
        } else if coefficients != 0 {
            let zeros = coefficients.trailing_zeros();
            self.packed = (reduced & !0xFFFF_FFFF) | u64::from(coefficients >> zeros);
            self.row += zeros as usize;
        } else if reduced == 0 {
            *self = Self::of(&equations[*next]);
            *next += 1;
        } else {
            return Err(Contradiction);
        }
        Ok(())
    }
}
