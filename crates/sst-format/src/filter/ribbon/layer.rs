//! Solves one layer: places what fits, bumps the rest.
//!
//! Invariant: every key is either placed or in `bumped`, and its bucket's cut says which. A span is placed whole
//! or not at all.

use alloc::vec;
use alloc::vec::Vec;

use super::band::{Band, Equation, Placed};
use super::equation::Mixed;
use super::order::{Parts, SPANS, Spans};
use super::shape::Layer;

/// A solved layer, as bytes, and the keys it does not hold.
#[derive(Debug)]
pub(super) struct Solved {
    pub(super) blocks: Vec<u8>,
    pub(super) cuts: Vec<u8>,
    pub(super) bumped: Vec<u64>,
}

/// Solves `layer` for `keys`; `spare` is memory to sort in.
pub(super) fn solve(layer: Layer, keys: &[u64], spare: &mut Vec<u64>) -> Solved {
    let mut solver = Solver {
        layer,
        band: Band::new(layer.rows()),
        cuts: vec![0; layer.cuts_len() as usize],
        bumped: Vec::new(),
        rows: Vec::new(),
    };
    let parts = Parts::new(layer);
    let mut spans = Spans::default();
    let (mut bucket, mut begin) = (0, 0);
    for (part, end) in parts.divide(keys, spare).into_iter().enumerate() {
        parts.sort(part, &spare[begin..end], &mut spans);
        begin = end;
        let mut keys_begin = 0;
        for ends in spans.ends.as_chunks::<SPANS>().0 {
            solver.bucket(bucket, &spans.keys[keys_begin..ends[SPANS - 1]], ends.map(|end| end - keys_begin));
            keys_begin = ends[SPANS - 1];
            bucket += 1;
        }
    }
    let mut blocks = vec![0; layer.blocks_len() as usize];
    solver.band.solve(&layer, &mut blocks);
    Solved { blocks, cuts: solver.cuts, bumped: solver.bumped }
}

struct Solver {
    layer: Layer,
    band: Band,
    cuts: Vec<u8>,
    bumped: Vec<u64>,
    /// Rows filled by the span at hand.
    rows: Vec<usize>,
}

impl Solver {
    /// Places the spans of one bucket until one does not fit; bumps that one and those after it.
    fn bucket(&mut self, bucket: usize, keys: &[u64], ends: [usize; SPANS]) {
        let mut begin = 0;
        for (span, end) in ends.into_iter().enumerate() {
            if !self.place(&keys[begin..end]) {
                let cut = (SPANS - span) as u8;
                self.cuts[bucket / 4] |= cut << (bucket % 4 * 2);
                self.bumped.extend_from_slice(&keys[begin..]);
                return;
            }
            begin = end;
        }
    }

    /// Places all of a span's keys or none.
    fn place(&mut self, keys: &[u64]) -> bool {
        self.rows.clear();
        let (multiplier, starts) = (self.layer.multiplier, self.layer.starts());
        for &key in keys {
            let key = Mixed(key);
            match self.band.place(Equation::new(key, key.start(multiplier, starts))) {
                Placed::At(row) => self.rows.push(row),
                Placed::Redundant => {}
                Placed::Contradiction => {
                    self.band.undo(&self.rows);
                    return false;
                }
            }
        }
        true
    }
}
