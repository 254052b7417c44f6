//! The code over one column: parity from body pages, and lost pages from those that are left.
//!
//! One parity page is the XOR of the column. More are Reed–Solomon over GF(2^16) as
//! `reed-solomon-simd` 3 defines it, always at its *high rate*: with P the power of two at or above
//! m, shard `i` of the body stands at point P + i and parity `j` at point j, so that missing shards
//! (zeros) change nothing. With m = 1 that code is the XOR.

use alloc::boxed::Box;
use alloc::vec::Vec;

use reed_solomon_simd::engine::DefaultEngine;
use reed_solomon_simd::rate::{HighRateDecoder, HighRateEncoder, RateDecoder, RateEncoder};

use crate::geometry::Geometry;
use crate::page::{PAGE_LEN, Page, ZERO_PAGE};

const IN_LIMITS: &str = "a geometry keeps shards within the limits of the code";
const ADDED: &str = "each shard is a page and is added once";

/// Encodes and rebuilds the columns of one geometry; keeps its work space between columns.
pub(crate) struct ColumnCodec {
    data: usize,
    parity: usize,
    encoder: Option<HighRateEncoder<DefaultEngine>>,
    decoder: Option<HighRateDecoder<DefaultEngine>>,
}

impl core::fmt::Debug for ColumnCodec {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ColumnCodec({}+{})", self.data, self.parity)
    }
}

impl ColumnCodec {
    pub(crate) fn new(geometry: &Geometry) -> Self {
        let (data, parity) = (geometry.data_shards(), geometry.parity_shards());
        Self { data, parity, encoder: None, decoder: None }
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
    pub(crate) fn rebuild(&mut self, shards: &[Option<&Page>]) -> Vec<(usize, Box<Page>)> {
        debug_assert_eq!(shards.len(), self.data + self.parity);
        let lost = |shards: &[Option<&Page>]| shards.iter().filter(|shard| shard.is_none()).count();
        let (body, parity) = shards.split_at(self.data);
        if lost(body) == 0 || lost(shards) > self.parity {
            return Vec::new();
        }
        if self.parity == 1 {
            let at = body.iter().position(Option::is_none).expect("a body page is lost");
            return Vec::from([(at, Box::new(xor(shards.iter().flatten().copied())))]);
        }
        let decoder = self.decoder.get_or_insert_with(|| {
            let engine = DefaultEngine::new();
            HighRateDecoder::new(self.data, self.parity, PAGE_LEN, engine, None).expect(IN_LIMITS)
        });
        for (index, page) in present(body) {
            decoder.add_original_shard(index, page).expect(ADDED);
        }
        for (index, page) in present(parity) {
            decoder.add_recovery_shard(index, page).expect(ADDED);
        }
        let decoded = decoder.decode().expect("no more shards are lost than there are parity pages");
        let restored = decoded.restored_original_iter();
        restored.map(|(index, page)| (index, Box::new(*as_page(page)))).collect()
    }
}

fn present<'a>(shards: &'a [Option<&'a Page>]) -> impl Iterator<Item = (usize, &'a Page)> {
    shards.iter().enumerate().filter_map(|(index, shard)| shard.map(|page| (index, page)))
}

fn as_page(shard: &[u8]) -> &Page {
    shard.try_into().expect("the code was told that shards are pages")
}

fn xor<'a>(pages: impl IntoIterator<Item = &'a Page>) -> Page {
    let mut sum = ZERO_PAGE;
    for page in pages {
        sum.iter_mut().zip(page).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

#[cfg(test)]
#[path = "parity_tests.rs"]
mod tests;
