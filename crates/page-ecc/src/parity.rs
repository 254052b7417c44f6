//! The code over one column: parity from body pages, and lost pages from those that are left.
//!
//! One parity page is the XOR of the column. More are Reed–Solomon over GF(2^16) as
//! `reed-solomon-simd` 3 defines it, always at its *high rate*: with P the power of two at or above
//! m, shard `i` of the body stands at point P + i and parity `j` at point j, so that missing shards
//! (zeros) change nothing. With m = 1 that code is the XOR.

use alloc::vec::Vec;

use reed_solomon_simd::engine::DefaultEngine;
use reed_solomon_simd::rate::{HighRateEncoder, RateEncoder};

use crate::erasures::{self, Solution};
use crate::geometry::Geometry;
use crate::page::{PAGE_LEN, Page, ZERO_PAGE};

const IN_LIMITS: &str = "a geometry keeps shards within the limits of the code";
const ADDED: &str = "each shard is a page and is added once";

/// Encodes and rebuilds the columns of one geometry; keeps its work space between columns.
pub(crate) struct ColumnCodec {
    data: usize,
    parity: usize,
    encoder: Option<HighRateEncoder<DefaultEngine>>,
    /// Keeps the last one: neighbouring columns mostly lose the same shards.
    solution: Option<Solution>,
}

impl core::fmt::Debug for ColumnCodec {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ColumnCodec({}+{})", self.data, self.parity)
    }
}

impl ColumnCodec {
    pub(crate) fn new(geometry: &Geometry) -> Self {
        let (data, parity) = (geometry.data_shards(), geometry.parity_shards());
        Self { data, parity, encoder: None, solution: None }
    }

    /// Hands each parity page of a column to `put`, given its body pages, one a shard.
    pub(crate) fn encode<'a>(
        &mut self,
        body: impl IntoIterator<Item = &'a Page>,
        mut put: impl FnMut(usize, &Page),
    ) {
        match self.parity {
            0 => {}
            1 => put(0, &xor(body)),
            _ => {
                let encoder = self.encoder.get_or_insert_with(|| {
                    let engine = DefaultEngine::new();
                    HighRateEncoder::new(self.data, self.parity, PAGE_LEN, engine, None).expect(IN_LIMITS)
                });
                for page in body {
                    encoder.add_original_shard(page).expect(ADDED);
                }
                let encoded = encoder.encode().expect("a column has a page for every shard");
                for (index, page) in encoded.recovery_iter().enumerate() {
                    put(index, as_page(page));
                }
            }
        }
    }

    /// The lost body pages of a column from its other shards, body then parity, `None` where lost.
    ///
    /// Gives nothing when more shards are lost than there are parity pages.
    pub(crate) fn rebuild(&mut self, shards: &[Option<&Page>]) -> Vec<(usize, Page)> {
        debug_assert_eq!(shards.len(), self.data + self.parity);
        let (body, parity) = shards.split_at(self.data);
        let lost: Vec<usize> = (0..self.data).filter(|&at| body[at].is_none()).collect();
        let kept = (0..self.parity).filter(|&at| parity[at].is_some());
        let kept: Vec<usize> = kept.take(lost.len()).collect();
        if lost.is_empty() || kept.len() < lost.len() {
            return Vec::new();
        }
        let mut syndromes: Vec<Page> = kept.iter().filter_map(|&at| parity[at].copied()).collect();
        self.encode(body.iter().map(|page| page.unwrap_or(&ZERO_PAGE)), |at, page| {
            if let Some(syndrome) = kept.iter().position(|&kept| kept == at) {
                erasures::add(&mut syndromes[syndrome], page);
            }
        });
        if self.parity == 1 {
            return lost.into_iter().zip(syndromes).collect();
        }
        let solution = match self.solution.take() {
            Some(solution) if solution.is_for(&lost, &kept) => solution,
            _ => Solution::new(lost, kept, self.parity),
        };
        let rebuilt = solution.solve(&syndromes).collect();
        self.solution = Some(solution);
        rebuilt
    }
}

fn as_page(shard: &[u8]) -> &Page {
    shard.try_into().expect("the code was told that shards are pages")
}

fn xor<'a>(pages: impl IntoIterator<Item = &'a Page>) -> Page {
    let mut sum = ZERO_PAGE;
    pages.into_iter().for_each(|page| erasures::add(&mut sum, page));
    sum
}

#[cfg(test)]
#[path = "parity_tests.rs"]
mod tests;
