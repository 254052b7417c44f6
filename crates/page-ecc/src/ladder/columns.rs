//! The rungs that need a page's whole column: parity, then the older copy.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::Range;

use super::Suspects;
use super::digests::Digests;
use super::reader::Reader;
use crate::evidence::Rung;
use crate::page::{CodeNo, Page};
use crate::parity::ColumnCodec;
use crate::source::PageSource;
use crate::strip::{Strip, columns_within};

/// Bytes of columns held at a time while rebuilding.
const STRIP_BYTES: usize = 16 << 20;

/// Rebuilds columns; keeps its work space between calls.
#[derive(Debug)]
pub(super) struct Columns {
    strip: Strip,
    codec: ColumnCodec,
    /// Seats of the strip whose page is not right.
    bad: BTreeSet<(u64, usize)>,
}

impl Columns {
    pub(super) fn new(geometry: &crate::Geometry) -> Self {
        Self { strip: Strip::new(*geometry), codec: ColumnCodec::new(geometry), bad: BTreeSet::new() }
    }

    /// Climbs for pages that their own rungs did not bring back; hands each to `put` with its bytes,
    /// or with none if it is lost.
    pub(super) fn climb<S: PageSource, O: PageSource>(
        &mut self,
        wanted: &Suspects,
        reader: &mut Reader<S, O>,
        digests: &mut Digests,
        mut put: impl FnMut(CodeNo, Option<(Rung, &Page)>),
    ) {
        let geometry = reader.geometry;
        let mut by_column: BTreeMap<u64, Vec<CodeNo>> = BTreeMap::new();
        for &number in wanted.keys() {
            by_column.entry(geometry.column_of(number)).or_default().push(number);
        }
        for columns in neighbours(by_column.keys().copied(), columns_within(&geometry, STRIP_BYTES)) {
            self.load(columns.clone(), wanted, reader, digests);
            for column in columns {
                let supplied = self.rebuild(column, reader, digests);
                for &number in by_column.get(&column).into_iter().flatten() {
                    let shard = geometry.shard_of(number);
                    let rung = match supplied.contains(&shard) {
                        true => Rung::Supplied,
                        false => Rung::Rebuilt,
                    };
                    let is_right = !self.bad.contains(&(column, shard));
                    put(number, is_right.then(|| (rung, self.strip.page(shard, column))));
                }
            }
        }
    }

    /// Loads columns; every page that is not right and does not get right by itself is bad.
    fn load<S: PageSource, O: PageSource>(
        &mut self,
        columns: Range<u64>,
        wanted: &Suspects,
        reader: &mut Reader<S, O>,
        digests: &mut Digests,
    ) {
        let geometry = reader.geometry;
        self.bad.clear();
        self.strip.move_to(columns);
        for run in self.strip.runs(0..geometry.data_shards() + geometry.parity_shards()) {
            let mut unread = BTreeSet::new();
            let first = geometry.page_of(run.first);
            reader.read_run(first, self.strip.run_mut(&run), |index| {
                unread.insert(index);
            });
            let digests = digests.of_run(run.first, run.len, reader);
            for (index, (page, digest)) in self.strip.run_mut(&run).iter_mut().zip(digests).enumerate() {
                let number = CodeNo(run.first.0 + index as u64);
                let is_right = digest.is_some_and(|digest| reader.matches(number, digest, page))
                    && !unread.contains(&index);
                if is_right {
                    continue;
                }
                // Each climb is a read from the medium; in a column beyond hope it changes nothing.
                let column = run.column + index as u64;
                let bad = self.bad.range((column, 0)..(column + 1, 0)).count();
                let is_hopeless = bad > geometry.parity_shards() && !reader.has_older();
                // A wanted page has been on its own rungs already.
                let has_climbed = is_hopeless || wanted.contains_key(&number);
                if has_climbed || reader.climb(number, digest, page).is_err() {
                    self.bad.insert((column, run.shard));
                }
            }
        }
    }

    /// Makes the bad pages of a column right as far as parity and older copy go; says which shards
    /// the older copy had.
    fn rebuild<S: PageSource, O: PageSource>(
        &mut self,
        column: u64,
        reader: &mut Reader<S, O>,
        digests: &mut Digests,
    ) -> Vec<usize> {
        let geometry = reader.geometry;
        let bad: Vec<usize> = self.bad.range((column, 0)..(column + 1, 0)).map(|seat| seat.1).collect();
        let mut supplied = Vec::new();
        let excess = bad.len().saturating_sub(geometry.parity_shards());
        for &shard in &bad {
            let Some(number) = geometry.code_no_at(shard, column) else { continue };
            if supplied.len() == excess {
                break;
            }
            let digest = digests.of(number, reader);
            if reader.supply(number, digest, self.strip.page_mut(shard, column)) {
                self.bad.remove(&(column, shard));
                supplied.push(shard);
            }
        }
        if supplied.len() == excess && !bad.is_empty() {
            self.decode(column, reader, digests);
        }
        supplied
    }

    /// Body from parity, then parity from body; each page counts only if its digest agrees.
    fn decode<S: PageSource, O: PageSource>(
        &mut self,
        column: u64,
        reader: &mut Reader<S, O>,
        digests: &mut Digests,
    ) {
        let geometry = reader.geometry;
        let data_shards = geometry.data_shards();
        let shards = data_shards + geometry.parity_shards();
        let kept = |shard| (!self.bad.contains(&(column, shard))).then(|| self.strip.page(shard, column));
        let present: Vec<Option<&Page>> = (0..shards).map(kept).collect();
        for (shard, page) in self.codec.rebuild(&present) {
            *self.strip.page_mut(shard, column) = page;
            self.settle(column, shard, reader, digests);
        }
        let is_bad = |shard: &usize| self.bad.contains(&(column, *shard));
        let parity: Vec<usize> = (data_shards..shards).filter(is_bad).collect();
        if !parity.is_empty() && !(0..data_shards).any(|shard| is_bad(&shard)) {
            self.strip.encode(column, &mut self.codec);
            for shard in parity {
                self.settle(column, shard, reader, digests);
            }
        }
    }

    /// Takes a page out of the bad ones if its digest agrees.
    fn settle<S: PageSource, O: PageSource>(
        &mut self,
        column: u64,
        shard: usize,
        reader: &mut Reader<S, O>,
        digests: &mut Digests,
    ) {
        let Some(number) = reader.geometry.code_no_at(shard, column) else { return };
        let digest = digests.of(number, reader);
        if digest.is_some_and(|digest| reader.matches(number, digest, self.strip.page(shard, column))) {
            self.bad.remove(&(column, shard));
        }
    }
}

/// Ascending columns as ranges of neighbours, none wider than `most`.
fn neighbours(columns: impl Iterator<Item = u64>, most: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for column in columns {
        match ranges.last_mut() {
            Some(last) if last.end == column && last.end - last.start < most => last.end += 1,
            _ => ranges.push(column..column + 1),
        }
    }
    ranges
}
