//! Neighbouring columns in memory, shard above shard.
//!
//! A strip is what sealing encodes at a time and what rebuilding loads: for each shard the pages of
//! these columns, which stand side by side in the file, so that each shard costs one read.
//! **Invariant**: the pages missing before the body are zeros.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::geometry::Geometry;
use crate::page::{CodeNo, PAGE_LEN, Page, ZERO_PAGE};
use crate::parity::ColumnCodec;

/// The pages of some neighbouring columns.
#[derive(Debug)]
pub(crate) struct Strip {
    geometry: Geometry,
    columns: Range<u64>,
    pages: Vec<Page>,
}

/// Pages of one shard that stand side by side in file and strip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) shard: usize,
    /// The first page's number.
    pub(crate) first: CodeNo,
    /// The first page's column.
    pub(crate) column: u64,
    pub(crate) len: usize,
}

/// How many columns fit a strip of `budget_bytes`; at least one.
pub(crate) fn columns_within(geometry: &Geometry, budget_bytes: usize) -> u64 {
    let shards = geometry.data_shards() + geometry.parity_shards();
    let fitting = (budget_bytes / (shards * PAGE_LEN)).max(1) as u64;
    // An even stride would alias in the cache.
    let odd = if fitting.is_multiple_of(2) { fitting - 1 } else { fitting };
    odd.min(geometry.columns())
}

impl Strip {
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self { geometry, columns: 0..0, pages: Vec::new() }
    }

    /// Makes room for other columns; what was in it is of no use any more.
    pub(crate) fn move_to(&mut self, columns: Range<u64>) {
        let shards = self.geometry.data_shards() + self.geometry.parity_shards();
        let pages = shards * (columns.end - columns.start) as usize;
        if self.pages.len() < pages {
            self.pages = vec![ZERO_PAGE; pages];
        }
        self.columns = columns;
        for column in self.columns.clone() {
            for shard in 0..shards {
                if self.geometry.code_no_at(shard, column).is_some() {
                    break;
                }
                *self.page_mut(shard, column) = ZERO_PAGE;
            }
        }
    }

    fn width(&self) -> usize {
        (self.columns.end - self.columns.start) as usize
    }

    /// The run of each of these shards; none where all its pages are missing ones.
    pub(crate) fn runs(&self, shards: Range<usize>) -> impl Iterator<Item = Run> + use<> {
        let (geometry, columns) = (self.geometry, self.columns.clone());
        shards.filter_map(move |shard| {
            let mut seated = columns
                .clone()
                .filter_map(|column| geometry.code_no_at(shard, column).map(|number| (column, number)));
            let (column, first) = seated.next()?;
            Some(Run { shard, first, column, len: (columns.end - column) as usize })
        })
    }

    fn cell(&self, shard: usize, column: u64) -> usize {
        debug_assert!(self.columns.contains(&column));
        shard * self.width() + (column - self.columns.start) as usize
    }

    pub(crate) fn page(&self, shard: usize, column: u64) -> &Page {
        &self.pages[self.cell(shard, column)]
    }

    pub(crate) fn page_mut(&mut self, shard: usize, column: u64) -> &mut Page {
        let cell = self.cell(shard, column);
        &mut self.pages[cell]
    }

    pub(crate) fn run(&self, run: &Run) -> &[Page] {
        let cell = self.cell(run.shard, run.column);
        &self.pages[cell..cell + run.len]
    }

    pub(crate) fn run_mut(&mut self, run: &Run) -> &mut [Page] {
        let cell = self.cell(run.shard, run.column);
        &mut self.pages[cell..cell + run.len]
    }

    /// Writes the parity pages of a column from its body pages.
    pub(crate) fn encode(&mut self, column: u64, codec: &mut ColumnCodec) {
        let (width, data_shards) = (self.width(), self.geometry.data_shards());
        let at = (column - self.columns.start) as usize;
        let (body, parity) = self.pages.split_at_mut(data_shards * width);
        let column = body[at..].iter().step_by(width);
        codec.encode(column, |index, page| parity[index * width + at] = *page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::{InnerCode, Scheme};

    #[test]
    fn the_runs_of_all_strips_are_every_page_once() {
        for body_pages in [0, 1, 3, 5, 64, 65, 330] {
            let geometry = Geometry::new(body_pages << 12, Scheme::STANDARD, InnerCode::None).unwrap();
            let shards = geometry.data_shards() + geometry.parity_shards();
            for width in 1..=geometry.columns() {
                let mut strip = Strip::new(geometry);
                let mut seen = Vec::new();
                for start in (0..geometry.columns()).step_by(width as usize) {
                    strip.move_to(start..(start + width).min(geometry.columns()));
                    for run in strip.runs(0..shards) {
                        assert_eq!(geometry.code_no_at(run.shard, run.column), Some(run.first));
                        assert_eq!(strip.run(&run).len(), run.len);
                        seen.extend(run.first.0..run.first.0 + run.len as u64);
                    }
                }
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..geometry.column_pages()));
            }
        }
    }
}
