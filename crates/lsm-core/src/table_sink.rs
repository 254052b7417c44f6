//! Cuts what survives a merge into tables, one in memory at a time.
//!
//! Invariants: outputs ascend and do not overlap; all versions of a key are in one of them, and so is every
//! part of a range that holds over the key. Cuts lie just before a key, so that two outputs never share one.
//! A range over keys without entries is in some output all the same, alone if need be.

use std::cmp::Ordering;

use bytes::Bytes;
use page_ecc::{SealedImage, Uid};
use sst_format::{Entry, FileKey, KeyOrder, SpareMemory, TableOptions, TableWriter};

use crate::{
    Error, FileId, TableMeta,
    key_span::{Edge, Span},
    merge_ranges::RangePiece,
    output_cuts::{OverlapLimit, OverlapWalk},
    pedigree::{Birth, Share},
};

/// What outputs are to be like.
#[derive(Clone, Debug)]
pub(crate) struct OutputShape {
    /// How tables are written, when, and in which order of keys.
    pub(crate) options: TableOptions,
    /// The same order of keys.
    pub(crate) order: KeyOrder,
    /// A body of so many bytes takes no further key.
    pub(crate) body_bytes: u64,
    /// What lies below.
    pub(crate) overlap: OverlapLimit,
    /// What they say of themselves.
    pub(crate) birth: Option<Birth>,
}

/// A file that nobody has used.
#[derive(Debug)]
pub(crate) struct NewFile {
    /// Its number.
    pub(crate) id: FileId,
    /// 128 random bits.
    pub(crate) uid: Uid,
    /// The key of this uid, if tables are encrypted.
    pub(crate) key: Option<FileKey>,
    /// What it is made in.
    pub(crate) memory: SpareMemory,
}

/// A table that is ready to be written.
#[derive(Debug)]
pub(crate) struct OutputTable {
    pub(crate) meta: TableMeta,
    pub(crate) image: SealedImage,
    /// What it was made in beside the image.
    pub(crate) left: SpareMemory,
}

/// Cuts entries and ranges into tables.
#[derive(Debug)]
pub(crate) struct TableSink<'a, F, E> {
    shape: &'a OutputShape,
    new_file: F,
    emit: E,
    walk: OverlapWalk<'a>,
    ranges: RangeFeed<'a>,
    open: Option<OpenTable>,
    /// The number of the job, once it has one, and the share of it that comes here.
    job: Option<FileId>,
    share: Share,
    /// How many outputs there are.
    parts: u32,
}

/// The table that takes entries.
#[derive(Debug)]
struct OpenTable {
    id: FileId,
    writer: TableWriter,
    /// Both empty until there is an entry.
    first_key: Vec<u8>,
    last_key: Vec<u8>,
}

impl<'a, F, E> TableSink<'a, F, E>
where
    F: FnMut() -> NewFile,
    E: FnMut(OutputTable) -> Result<(), Error>,
{
    /// A sink for the ranges, which are sorted by start, and the entries to come; each table goes to `emit`.
    pub(crate) fn new(shape: &'a OutputShape, ranges: &'a [RangePiece], new_file: F, emit: E) -> Self {
        let walk = OverlapWalk::new(&shape.overlap);
        let ranges = RangeFeed::new(ranges);
        Self { shape, new_file, emit, walk, ranges, open: None, job: None, share: Share::default(), parts: 0 }
    }

    /// The same, for a share of the job with this number.
    pub(crate) fn for_share(self, job: Option<FileId>, share: Share) -> Self {
        Self { job, share, ..self }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// If it cannot be written, or a table that it ends is refused.
    pub(crate) fn add(&mut self, entry: Entry<'_>) -> Result<(), Error> {
        if self.open.as_ref().is_none_or(|open| open.last_key != entry.key) {
            self.begin_key(entry.key)?;
        }
        Ok(self.open()?.writer.add(entry)?)
    }

    /// Says that there are no more entries.
    ///
    /// # Errors
    /// If a table is refused.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        if let Some(end) = self.ranges.last_edge(&self.shape.order).map(|edge| edge.key.clone()) {
            self.cut_below(&end)?;
        }
        self.cut(None)
    }

    fn begin_key(&mut self, key: &[u8]) -> Result<(), Error> {
        self.cut_below(key)?;
        if self.open.as_ref().is_some_and(|open| open.writer.body_len() >= self.shape.body_bytes) {
            self.cut(Some(&Edge::before(Bytes::copy_from_slice(key))))?;
        }
        let open = self.open()?;
        if open.writer.entries() == 0 {
            open.first_key = key.to_vec();
        }
        open.last_key.clear();
        open.last_key.extend_from_slice(key);
        Ok(())
    }

    fn open(&mut self) -> Result<&mut OpenTable, Error> {
        match &mut self.open {
            Some(open) => Ok(open),
            none => Ok(none.insert(OpenTable::new(self.shape, (self.new_file)())?)),
        }
    }

    /// Makes the cuts that the level below asks for, up to `key`.
    fn cut_below(&mut self, key: &[u8]) -> Result<(), Error> {
        loop {
            let (order, open, ranges) = (&self.shape.order, &self.open, &self.ranges);
            let has_content = |edge: &Edge| open.is_some() || ranges.starts_before(order, edge);
            let Some(edge) = self.walk.cut_before(order, key, has_content) else { return Ok(()) };
            self.cut(Some(&edge))?;
        }
    }

    /// Ends the open table at an edge, or where everything ends.
    fn cut(&mut self, edge: Option<&Edge>) -> Result<(), Error> {
        let order = &self.shape.order;
        self.walk.begin_output();
        let pieces = self.ranges.take_before(order, edge);
        let mut open = match self.open.take() {
            Some(open) => open,
            None if pieces.is_empty() => return Ok(()),
            None => OpenTable::new(self.shape, (self.new_file)())?,
        };
        let mut concerned = open.span();
        for piece in pieces {
            concerned = Some(match concerned {
                Some(span) => span.hull(order, &piece.span),
                None => piece.span.clone(),
            });
            open.writer.add_range(piece.span.range_like(&piece.range))?;
        }
        let Some(concerned) = concerned else { return Ok(()) };
        if let Some(birth) = &self.shape.birth {
            let job = *self.job.get_or_insert(open.id);
            let pedigree = birth.pedigree(job, self.share, self.parts, open.id, edge.is_none());
            open.writer.describe(&pedigree.encode(), &birth.kin.encode())?;
            self.parts += 1;
        }
        let (written, left) = open.writer.finish_sparing()?;
        let descriptor = written.image.descriptor().clone();
        let meta = TableMeta::new(open.id, descriptor, concerned.bounds(), &written.properties);
        (self.emit)(OutputTable { meta, image: written.image, left })
    }
}

impl OpenTable {
    fn new(shape: &OutputShape, file: NewFile) -> Result<Self, Error> {
        let options = shape.options.clone().order(shape.order.clone());
        let writer = TableWriter::with_key(file.uid, options, file.key)?.reusing(file.memory);
        Ok(Self { id: file.id, writer, first_key: Vec::new(), last_key: Vec::new() })
    }

    /// From its first entry to its last.
    fn span(&self) -> Option<Span> {
        let copy = Bytes::copy_from_slice;
        let (start, end) = (Edge::before(copy(&self.first_key)), Edge::behind(copy(&self.last_key)));
        (self.writer.entries() > 0).then_some(Span { start, end })
    }
}

/// Gives out ranges piece by piece, as tables are cut.
#[derive(Debug)]
struct RangeFeed<'a> {
    /// Those that start behind the last cut.
    ahead: &'a [RangePiece],
    /// What is left of those that cross the last cut.
    crossing: Vec<RangePiece>,
}

impl<'a> RangeFeed<'a> {
    const fn new(pieces: &'a [RangePiece]) -> Self {
        Self { ahead: pieces, crossing: Vec::new() }
    }

    fn starts_before(&self, order: &KeyOrder, edge: &Edge) -> bool {
        !self.crossing.is_empty()
            || self.ahead.first().is_some_and(|piece| piece.span.start.compare(order, edge) == Ordering::Less)
    }

    /// Where the last range ends.
    fn last_edge(&self, order: &KeyOrder) -> Option<&Edge> {
        let all = self.crossing.iter().chain(self.ahead);
        all.map(|piece| &piece.span.end).max_by(|a, b| a.compare(order, b))
    }

    /// What holds before `edge`, clipped to it; everything if there is none.
    fn take_before(&mut self, order: &KeyOrder, edge: Option<&Edge>) -> Vec<RangePiece> {
        let is_before = |at: &Edge| edge.is_none_or(|edge| at.compare(order, edge) == Ordering::Less);
        let mut taken = std::mem::take(&mut self.crossing);
        let (reached, ahead) =
            self.ahead.split_at(self.ahead.partition_point(|piece| is_before(&piece.span.start)));
        self.ahead = ahead;
        taken.extend_from_slice(reached);
        let Some(edge) = edge else { return taken };
        for piece in &mut taken {
            if piece.span.end.compare(order, edge) == Ordering::Greater {
                let start = edge.clone();
                let rest = Span { start, end: std::mem::replace(&mut piece.span.end, edge.clone()) };
                self.crossing.push(RangePiece { span: rest, range: piece.range.clone() });
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests;
