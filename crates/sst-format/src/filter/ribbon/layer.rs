//! Solves one layer: places what fits, bumps the rest.
//!
//! Invariant: every key is either placed or in `bumped`, and its bucket's cut says which. A span is placed whole
//! or not at all.

use alloc::vec;
use alloc::vec::Vec;

use super::band::{Band, Equation};
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

/// Solves `layer` for `keys`. Both vectors only lend their memory, so that a build needs little more than the
/// 16 bytes a key they have.
pub(super) fn solve(layer: Layer, keys: &mut Vec<u64>, sorted: &mut Vec<u64>) -> Solved {
    let parts = Parts::new(layer);
    let ends = parts.divide(keys, sorted);
    let mut solver = Solver {
        layer,
        band: Band::new(core::mem::take(keys)),
        cuts: vec![0; layer.cuts_len() as usize],
        bumped: Vec::new(),
        equations: Vec::new(),
    };
    let mut spans = Spans::default();
    let (mut bucket, mut begin) = (0, 0);
    for (part, end) in ends.into_iter().enumerate() {
        parts.sort(part, &sorted[begin..end], &mut spans);
        begin = end;
        let mut keys_begin = 0;
        for ends in spans.ends.as_chunks::<SPANS>().0 {
            solver.bucket(bucket, &spans.keys[keys_begin..ends[SPANS - 1]], ends.map(|end| end - keys_begin));
            keys_begin = ends[SPANS - 1];
            bucket += 1;
        }
    }
    let mut blocks = vec![0; layer.blocks_len() as usize];
    *keys = solver.band.solve(&layer, &mut blocks);
    Solved { blocks, cuts: solver.cuts, bumped: solver.bumped }
}

struct Solver {
    layer: Layer,
    band: Band,
    cuts: Vec<u8>,
    bumped: Vec<u64>,
    /// Those of the bucket at hand.
    equations: Vec<Equation>,
}

impl Solver {
    /// Places the spans of one bucket until one does not fit; bumps that one and those after it.
    fn bucket(&mut self, bucket: usize, keys: &[u64], ends: [usize; SPANS]) {
        let (multiplier, starts) = (self.layer.multiplier, self.layer.starts());
        let mut begin = 0;
        for (span, end) in ends.into_iter().enumerate() {
            self.equations.clear();
            self.equations.extend(keys[begin..end].iter().map(|&key| {
                let key = Mixed(key);
                Equation::new(key, key.start(multiplier, starts))
            }));
            if self.band.place(&mut self.equations).is_err() {
                let cut = (SPANS - span) as u8;
                self.cuts[bucket / 4] |= cut << (bucket % 4 * 2);
                self.bumped.extend_from_slice(&keys[begin..]);
                break;
            }
            begin = end;
        }
        self.band.advance();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::policy::FalsePositiveRate;
    use super::super::equation::ROWS;
    use super::super::shape::{BUCKET, CUTS, Width};
    use super::*;

    /// Plain Gaussian elimination over whole rows: 0 and 1 as booleans, the right side in the last 32 places.
    #[derive(Clone, Default)]
    struct Gauss {
        rows: Vec<Vec<bool>>,
    }

    impl Gauss {
        /// Adds an equation; false if it contradicts those before it.
        fn add(&mut self, mut row: Vec<bool>) -> bool {
            for other in &self.rows {
                let lead = other.iter().position(|bit| *bit).unwrap();
                if row[lead] {
                    row.iter_mut().zip(other).for_each(|(bit, other)| *bit ^= other);
                }
            }
            match row.iter().position(|bit| *bit) {
                None => true,
                Some(lead) if lead >= row.len() - 32 => false,
                Some(_) => {
                    self.rows.push(row);
                    true
                }
            }
        }
    }

    fn row(layer: &Layer, key: u64) -> Vec<bool> {
        let key = Mixed(key);
        let rows = layer.blocks as usize * ROWS;
        let start = key.start(layer.multiplier, layer.starts());
        let mut row = vec![false; rows + 32];
        (0..ROWS).filter(|at| key.coefficients() >> at & 1 != 0).for_each(|at| row[start + at] = true);
        (0..32).for_each(|at| row[rows + at] = key.fingerprint().pack() >> at & 1 != 0);
        row
    }

    /// What elimination says must be bumped.
    fn bumped_by_gauss(layer: &Layer, keys: &[u64]) -> Vec<u64> {
        let mut gauss = Gauss::default();
        let mut bumped = Vec::new();
        let starts = |key: u64, bucket: usize, from: usize, to: usize| {
            let start = Mixed(key).start(layer.multiplier, layer.starts());
            start / BUCKET == bucket && (from..to).contains(&(start % BUCKET))
        };
        for bucket in 0..layer.buckets() {
            for span in (0..SPANS).rev() {
                let mut trial = gauss.clone();
                let mut of_span = keys.iter().filter(|key| starts(**key, bucket, CUTS[span], CUTS[span + 1]));
                if of_span.all(|key| trial.add(row(layer, *key))) {
                    gauss = trial;
                } else {
                    bumped.extend(keys.iter().filter(|key| starts(**key, bucket, 0, CUTS[span + 1])));
                    break;
                }
            }
        }
        bumped
    }

    #[track_caller]
    fn check(blocks: u32, keys: usize, seed: u64) {
        let width = Width::for_rate(FalsePositiveRate::default());
        let layer = Layer::alone(0, 0, blocks, width);
        let keys: Vec<u64> = (0..keys as u64).map(|key| Mixed::new(key, seed).0).collect();
        let solved = solve(layer, &mut keys.clone(), &mut Vec::new());
        let (mut got, mut want) = (solved.bumped, bumped_by_gauss(&layer, &keys));
        got.sort_unstable();
        want.sort_unstable();
        assert_eq!(got, want, "{blocks} blocks, {} keys, seed {seed}", keys.len());
    }

    #[test]
    fn what_is_bumped_is_what_gaussian_elimination_bumps() {
        for seed in 0..12 {
            check(2, 20 + 5 * seed as usize, seed);
            check(4, 130, seed);
            check(7, 240, seed);
        }
    }

    #[test]
    fn overfull_layers_bump_nearly_everything() {
        check(2, 500, 1);
        check(3, 300, 2);
    }
}
