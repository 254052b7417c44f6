//! Walks all records of a body, over gaps.
//!
//! Invariant: records and gaps come in order and do not overlap; what is a record is proven; each byte is
//! hashed at most once as part of a record, so that the time is linear whatever the bytes are.

use core::iter::FusedIterator;
use core::ops::Range;

use page_ecc::Uid;

use super::RECORD_ALIGN;
use super::addr::RecordAddr;
use super::head::Head;
use super::record::{RawRecord, Record};
use super::salt::Salter;

/// Every record of a body, and every range that has none where there should be one.
///
/// A damaged record whose head is right is a gap of its own; where heads are gone too, the gap reaches to the
/// next record. `bad` are byte ranges of the body that are known to be lost, in order and apart.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlobOptions, BlobReader, BlobWriter, SeqNo, Walked};
/// let uid = Uid::new([7; 16]);
/// let mut writer = BlobWriter::new(1, uid, BlobOptions::new())?;
/// let references = [writer.append(b"a", SeqNo::new(1), b"first")?, writer.append(b"b", SeqNo::new(2), b"second")?];
/// let mut body = writer.finish()?.body().to_vec();
/// body[0] ^= 1;
///
/// let reader = BlobReader::new(1, uid);
/// let mut walk = reader.walk(&body, &[]);
/// assert!(matches!(walk.next(), Some(Walked::Gap(range)) if range == (0..references[1].offset)));
/// let Some(Walked::Record(record)) = walk.next() else { panic!("the second record is whole") };
/// assert_eq!(reader.reference(record.addr()), references[1]);
/// assert_eq!(record.open(None)?.value, b"second");
/// assert!(walk.next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    body: &'a [u8],
    bad: &'a [Range<u64>],
    uid: Uid,
    salter: Salter,
    at: u64,
}

/// What stands at a place.
#[derive(Clone, Debug)]
pub enum Walked<'a> {
    /// A whole record.
    Record(Record<'a>),
    /// Bytes that are no record and should be.
    Gap(Range<u64>),
}

impl<'a> Walk<'a> {
    pub(super) fn new(body: &'a [u8], bad: &'a [Range<u64>], uid: Uid, salter: Salter) -> Self {
        assert!(
            bad.windows(2).all(|pair| pair[0].end <= pair[1].start),
            "bad ranges come in order and apart"
        );
        Self { body, bad, uid, salter, at: 0 }
    }

    /// Where the record ends whose head stands here, if one does.
    fn end_of_record_at(&self, offset: u64) -> Option<u64> {
        let head = self.body.get(offset as usize..)?.first_chunk()?;
        let end = offset + Head::record_len(head, self.salter, offset)?;
        let is_within = end <= self.body.len() as u64;
        (is_within && !self.is_bad(offset..offset + Head::LEN as u64)).then_some(end)
    }

    fn record(&self, span: Range<u64>) -> Option<Record<'a>> {
        if self.is_bad(span.clone()) {
            return None;
        }
        let bytes = &self.body[span.start as usize..span.end as usize];
        let addr = RecordAddr { uid: self.uid, offset: span.start, len: span.end - span.start };
        RawRecord::new(bytes).verify_with(addr, self.salter).ok()
    }

    fn is_bad(&self, range: Range<u64>) -> bool {
        let first = self.bad.partition_point(|bad| bad.end <= range.start);
        self.bad.get(first).is_some_and(|bad| bad.start < range.end)
    }

    /// The next place behind `offset` at which a head is right, or the body's end.
    fn next_head(&self, offset: u64) -> u64 {
        let end = self.body.len() as u64;
        let mut places = (offset + RECORD_ALIGN..end).step_by(RECORD_ALIGN as usize);
        places.find(|&place| self.end_of_record_at(place).is_some()).unwrap_or(end)
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Walked<'a>;

    fn next(&mut self) -> Option<Walked<'a>> {
        let start = self.at;
        if start >= self.body.len() as u64 {
            return None;
        }
        let Some(end) = self.end_of_record_at(start) else {
            self.at = self.next_head(start);
            return Some(Walked::Gap(start..self.at));
        };
        self.at = end.next_multiple_of(RECORD_ALIGN);
        Some(self.record(start..end).map_or(Walked::Gap(start..end), Walked::Record))
    }
}

impl FusedIterator for Walk<'_> {}
