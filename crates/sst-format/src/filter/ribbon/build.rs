//! Builds a ribbon filter: layer after layer until no key is left.
//!
//! Invariant: ends after at most [`LAYERS_MAX`] layers and [`SALTS`] attempts at the last, whatever the hashes.
//! Keys that even then do not fit are outside every layer, where a query says "maybe".

use alloc::vec::Vec;

use super::super::builder::FilterMemory;
use super::super::policy::FalsePositiveRate;
use super::super::trailer::{FilterKind, Trailer};
use super::equation::{Mixed, ROWS};
use super::layer::{self, Solved};
use super::shape::{LAYERS_MAX, Layer, Width};

/// Keys a row, in percent, of a layer that may bump.
const LOAD_PERCENT: u64 = 102;
/// Keys at which a layer is the last one.
const LAST_KEYS: usize = 160;
/// Attempts at a last layer before its remaining keys are left to "maybe".
const SALTS: u8 = 32;

/// Serialises a filter of the hashes in `memory`, which are used up.
pub(in super::super) fn build(memory: &mut FilterMemory, rate: FalsePositiveRate, seed: u64) -> Vec<u8> {
    let width = Width::for_rate(rate);
    let FilterMemory { hashes: keys, sorted } = memory;
    let count = keys.len() as u64;
    keys.iter_mut().for_each(|hash| *hash = Mixed::new(*hash, seed).0);
    let mut parts = Assembly::default();
    let mut salt = 0;
    while !keys.is_empty() && parts.layers < LAYERS_MAX {
        let last = keys.len() <= LAST_KEYS || parts.layers + 1 == LAYERS_MAX;
        let (solved, blocks) = if last {
            let (solved, blocks);
            (solved, blocks, salt) = solve_last(parts.layers, keys, width);
            keys.clear();
            (solved, blocks)
        } else {
            let blocks = blocks_for(keys.len() as u64 * 100 / LOAD_PERCENT);
            let layer = Layer::alone(parts.layers, 0, blocks, width);
            (layer::solve(layer, keys, sorted), blocks)
        };
        parts.push(&solved, blocks);
        if !last {
            keys.clear();
            keys.extend_from_slice(&solved.bumped);
        }
    }
    let layers = parts.layers as u8;
    let trailer = Trailer {
        kind: FilterKind::Ribbon,
        width: width.narrow,
        layers,
        wide: width.wide,
        salt,
        seed,
        keys: count,
    };
    parts.finish(&trailer)
}

/// Solves the last layer with growing room until it bumps nothing.
fn solve_last(layer: usize, keys: &[u64], width: Width) -> (Solved, u32, u8) {
    let mut salt = 0;
    loop {
        let rows = keys.len() as u64 + keys.len() as u64 * (4 + u64::from(salt)) / 64;
        let blocks = blocks_for(rows);
        let solved =
            layer::solve(Layer::alone(layer, salt, blocks, width), &mut keys.to_vec(), &mut Vec::new());
        if solved.bumped.is_empty() || salt + 1 == SALTS || keys.len() > LAST_KEYS {
            return (solved, blocks, salt);
        }
        salt += 1;
    }
}

fn blocks_for(rows: u64) -> u32 {
    u32::try_from(rows.div_ceil(ROWS as u64)).expect("fewer than 2^32 blocks hold 2^36 keys").max(2)
}

/// The parts of a filter, in the order they are written.
#[derive(Default)]
struct Assembly {
    layers: usize,
    blocks: Vec<u8>,
    cuts: Vec<u8>,
    counts: Vec<u8>,
}

impl Assembly {
    fn push(&mut self, solved: &Solved, blocks: u32) {
        self.layers += 1;
        self.blocks.extend_from_slice(&solved.blocks);
        self.cuts.extend_from_slice(&solved.cuts);
        self.counts.extend_from_slice(&blocks.to_le_bytes());
    }

    fn finish(self, trailer: &Trailer) -> Vec<u8> {
        let mut out = self.blocks;
        out.reserve_exact(self.cuts.len() + self.counts.len() + Trailer::LEN);
        out.extend_from_slice(&self.cuts);
        out.extend_from_slice(&self.counts);
        out.extend_from_slice(&trailer.encode());
        out
    }
}
