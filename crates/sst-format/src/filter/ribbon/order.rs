//! The order in which a layer places its keys: buckets from left to right, spans of a bucket from right to left.
//!
//! Invariant: only the order changes, never the keys. Two counting passes do it: one over the whole layer into
//! parts that fit the cache, one inside a part.

use alloc::vec;
use alloc::vec::Vec;

use super::equation::Mixed;
use super::shape::{BUCKET, CUTS, Layer};

/// Spans of a bucket between its cuts.
pub(super) const SPANS: usize = CUTS.len() - 1;
/// Buckets of a part, where there are not too many parts.
const PART_BUCKETS: usize = 64;
/// Parts at most, so that writing to all of them in turn stays in the cache.
const PARTS_MAX: usize = 2048;

/// The span of each offset in a bucket, the rightmost first.
const SPAN_OF: [u8; BUCKET] = {
    let mut spans = [0; BUCKET];
    let mut offset = 0;
    while offset < BUCKET {
        spans[offset] = (offset < CUTS[2]) as u8 + (offset < CUTS[1]) as u8;
        offset += 1;
    }
    spans
};

/// How a layer is divided into parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    layer: Layer,
    /// Buckets of each part but the last.
    buckets: usize,
}

impl Parts {
    pub(super) fn new(layer: Layer) -> Self {
        let mut buckets = PART_BUCKETS;
        while layer.buckets().div_ceil(buckets) > PARTS_MAX {
            buckets *= 2;
        }
        Self { layer, buckets }
    }

    fn count(&self) -> usize {
        self.layer.buckets().div_ceil(self.buckets)
    }

    fn start(&self, key: u64) -> usize {
        Mixed(key).start(self.layer.multiplier, self.layer.starts())
    }

    /// Groups `keys` by part, at the front of `sorted`; returns where each part ends.
    pub(super) fn divide(&self, keys: &[u64], sorted: &mut Vec<u64>) -> Vec<usize> {
        if sorted.len() < keys.len() {
            *sorted = vec![0; keys.len()]; // fresh zeros come from the system, where growing would write them
        }
        let rows_log = (self.buckets * BUCKET).ilog2();
        let mut ends = vec![0usize; self.count()];
        if let [end] = &mut ends[..] {
            sorted[..keys.len()].copy_from_slice(keys);
            *end = keys.len();
            return ends;
        }
        keys.iter().for_each(|&key| ends[self.start(key) >> rows_log] += 1);
        counts_to_starts(&mut ends);
        for &key in keys {
            let end = &mut ends[self.start(key) >> rows_log];
            sorted[*end] = key;
            *end += 1;
        }
        ends
    }

    /// Sorts the keys of part `part` by bucket and span into `spans`.
    pub(super) fn sort(&self, part: usize, keys: &[u64], spans: &mut Spans) {
        let first = part * self.buckets;
        let buckets = self.buckets.min(self.layer.buckets() - first);
        let class = |key: u64| {
            let start = self.start(key) - first * BUCKET;
            start / BUCKET * SPANS + usize::from(SPAN_OF[start % BUCKET])
        };
        spans.ends.clear();
        spans.ends.resize(buckets * SPANS, 0);
        keys.iter().for_each(|&key| spans.ends[class(key)] += 1);
        counts_to_starts(&mut spans.ends);
        spans.keys.resize(keys.len(), 0);
        for &key in keys {
            let end = &mut spans.ends[class(key)];
            spans.keys[*end] = key;
            *end += 1;
        }
    }
}

/// The keys of a part, span after span.
#[derive(Debug, Default)]
pub(super) struct Spans {
    pub(super) keys: Vec<u64>,
    /// Where each span ends, [`SPANS`] to a bucket.
    pub(super) ends: Vec<usize>,
}

fn counts_to_starts(counts: &mut [usize]) {
    let mut sum = 0;
    for count in counts {
        sum += core::mem::replace(count, sum);
    }
}
