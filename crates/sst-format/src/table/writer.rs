//! Writes a table: sorted entries in, one sealed image out.
//!
//! Invariant: memory is the body's, the index's, eight bytes a key for the filter, and one block; with a
//! dictionary also the samples it is trained on. What is refused leaves the writer as it was.

use alloc::vec::Vec;
use core::cmp::Ordering;

use bytes::Bytes;
use page_ecc::{SealedImage, Uid};

use super::options::TableOptions;
use super::samples::{HeldBlock, Samples};
use super::spare::SpareMemory;
use super::write_error::WriteError;
use crate::block::{BlockKind, BlockSpan, FRAME_LEN, Head, Packer};
use crate::cells::{CellBuilder, NewCell};
use crate::codec::{Codec, CodecError};
use crate::crypto::{FileKey, KeyStamp};
use crate::dictionary::Dictionary;
use crate::entry::{BlobRef, Entry, EntryKind, SeqNo};
use crate::filter::{FilterBuilder, KeyHash};
use crate::index::{Child, ChildKind, Fence, IndexBuilder};
use crate::limits::{KEY_LEN_MAX, VALUE_LEN_MAX};
use crate::order::{KeyOrder, common_prefix};
use crate::properties::Properties;
use crate::ranges::{RangeEntry, RangeKind, RangeSet};
use crate::root::TableRoot;

/// What an entry takes beside its key and value, about.
const CELL_OVERHEAD: usize = 8;

/// Both copies of the ranges are at least this far apart, or a sixteenth of the body.
const COPY_DISTANCE_MAX: u64 = 17 * page_ecc::PAGE_LEN as u64;

/// Bytes of a note.
const NOTE_LEN_MAX: usize = 16 << 20;

/// A table in memory.
#[derive(Clone, Debug)]
pub struct WrittenTable {
    /// The sealed file.
    pub image: SealedImage,
    /// What it says of itself.
    pub properties: Properties,
}

/// Takes sorted entries and makes a table of them.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{Entry, MemoryTable, ReadOptions, SeqNo, TableOptions, TableWriter};
///
/// let mut writer = TableWriter::new(Uid::new([7; 16]), TableOptions::new())?;
/// writer.add(Entry::put(b"apple", SeqNo::new(9), b"green"))?;
/// writer.add(Entry::put(b"apple", SeqNo::new(3), b"red"))?; // an older version
/// writer.add(Entry::delete(b"pear", SeqNo::new(4)))?;
/// let table = writer.finish()?;
///
/// let read = MemoryTable::open(&table.image, ReadOptions::new())?;
/// assert_eq!(read.get(b"apple", SeqNo::new(5))?.map(|found| found.value), Some("red".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TableWriter {
    uid: Uid,
    options: TableOptions,
    packer: Packer,
    data: CellBuilder,
    last_seq: u64,
    samples: Option<Samples>,
    index: IndexBuilder,
    filter: Option<FilterBuilder>,
    ranges: RangeSet,
    properties: Properties,
    dictionary: BlockSpan,
    fence_key: Vec<u8>,
    key_stamp: Option<KeyStamp>,
    label: Vec<u8>,
}

impl TableWriter {
    /// An empty table that will be sealed under `uid`: 128 random bits, never used before.
    ///
    /// # Errors
    /// When an option is outside its range, or the build lacks the codec.
    pub fn new(uid: Uid, options: TableOptions) -> Result<Self, WriteError> {
        Self::with_key(uid, options, None)
    }

    /// An empty table whose blocks are encrypted under `key`, which must be that of `uid`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_key(uid: Uid, options: TableOptions, key: Option<FileKey>) -> Result<Self, WriteError> {
        options.check()?;
        let key_stamp = key.as_ref().map(FileKey::stamp);
        let samples = match options.codec {
            Codec::ZstdDictionary { .. } => Some(Samples::new(options.dictionary_bytes)),
            _ => None,
        };
        let (low, high) = (SeqNo::MAX, SeqNo::new(0));
        let properties = Properties { seq_low: low, seq_high: high, ..Properties::default() };
        let [low, high, ..] = *uid.to_bytes().as_chunks::<8>().0 else { unreachable!("a uid has 16 bytes") };
        let seed = u64::from_le_bytes(low) ^ u64::from_le_bytes(high);
        Ok(Self {
            uid,
            packer: Packer::new(uid, options.codec, key, options.body())?,
            data: CellBuilder::new(options.restart_interval, options.buckets()),
            last_seq: 0,
            samples,
            index: IndexBuilder::new(options.index_block_bytes - FRAME_LEN),
            filter: options.filter.map(|policy| FilterBuilder::new(policy).seed(seed)),
            ranges: RangeSet::default(),
            properties,
            dictionary: BlockSpan::default(),
            fence_key: Vec::new(),
            key_stamp,
            label: Vec::new(),
            options,
        })
    }

    /// Makes the table in memory that another was made in; see [`SpareMemory`].
    #[must_use]
    pub fn reusing(mut self, spare: SpareMemory) -> Self {
        self.packer.move_into(spare.image);
        if let Some(filter) = &mut self.filter {
            filter.move_into(spare.filter);
        }
        self
    }

    /// Adds an entry behind the last one: keys ascend, and of one key the newest version comes first.
    ///
    /// # Errors
    /// When the entry is out of order or over a limit, or a block cannot be compressed.
    #[inline]
    pub fn add(&mut self, entry: Entry<'_>) -> Result<(), WriteError> {
        check_lengths(&entry)?;
        let shared = self.check_order(&entry)?;
        let is_same_key =
            self.properties.entries > 0 && shared == entry.key.len() && shared == self.data.last_key().len();
        let entry_len = entry.key.len() + entry.value.len() + CELL_OVERHEAD;
        if !self.data.is_empty() && self.data.payload_len() + entry_len > self.options.block_bytes - FRAME_LEN
        {
            self.finish_block(Some(entry.key))?;
        }
        if self.properties.entries == 0 {
            self.properties.smallest = Bytes::copy_from_slice(entry.key);
        }
        self.data.add_sharing(
            NewCell {
                tag: entry.kind.tag(),
                flags: entry.flags,
                key: entry.key,
                seq: entry.seq.get(),
                value: entry.value,
            },
            shared,
        );
        self.last_seq = entry.seq.get();
        let hash = KeyHash::of_key(entry.key);
        self.data.add_to_buckets(hash);
        if let Some(filter) = self.filter.as_mut().filter(|_| !is_same_key) {
            filter.add_hash(hash);
        }
        self.count(&entry);
        Ok(())
    }

    /// Adds a range delete or a loss marker, in any order.
    ///
    /// # Errors
    /// When nothing can be within it, or a bound is over the limit.
    pub fn add_range(&mut self, range: RangeEntry) -> Result<(), WriteError> {
        for key in [&range.lower, &range.upper] {
            if let core::ops::Bound::Included(key) | core::ops::Bound::Excluded(key) = key
                && key.len() > KEY_LEN_MAX
            {
                return Err(WriteError::KeyTooLong { len: key.len() });
            }
        }
        if range.is_empty(&self.options.order) || range.seq_low > range.seq_high {
            return Err(WriteError::EmptyRange);
        }
        match range.kind {
            RangeKind::Delete => self.properties.range_deletes += 1,
            RangeKind::Loss => self.properties.losses += 1,
        }
        self.properties.seq_low = self.properties.seq_low.min(match range.kind {
            RangeKind::Delete => range.seq_high,
            RangeKind::Loss => range.seq_low,
        });
        self.properties.seq_high = self.properties.seq_high.max(range.seq_high);
        self.ranges.push(range);
        Ok(())
    }

    /// What the caller wants a table to say of itself, and this crate never interprets: the `label` in the file's
    /// descriptor, so that it is there as long as the file can be told, and the `note` among the properties.
    ///
    /// ```
    /// use page_ecc::Uid;
    /// use sst_format::{TableOptions, TableRoot, TableWriter};
    /// let mut writer = TableWriter::new(Uid::new([7; 16]), TableOptions::new())?;
    /// writer.describe(b"label", b"a longer note")?;
    /// let written = writer.finish()?;
    /// assert_eq!(TableRoot::label_in(written.image.descriptor()), Some(&b"label"[..]));
    /// assert_eq!(&written.properties.note[..], b"a longer note");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the label has over [`TableRoot::LABEL_LEN_MAX`] bytes, or the note over 16 MiB.
    pub fn describe(&mut self, label: &[u8], note: &[u8]) -> Result<(), WriteError> {
        if label.len() > TableRoot::LABEL_LEN_MAX || note.len() > NOTE_LEN_MAX {
            return Err(WriteError::DescriptionTooLong { label: label.len(), note: note.len() });
        }
        self.label = label.to_vec();
        self.properties.note = Bytes::copy_from_slice(note);
        Ok(())
    }

    /// The blocks of the body that are done: bytes of the image, from its second page on, that will not change.
    /// Whoever writes them to the file as they come writes from the cache what would be read from memory later.
    ///
    /// ```
    /// use page_ecc::{PAGE_LEN, Uid};
    /// use sst_format::{Entry, SeqNo, TableOptions, TableWriter};
    ///
    /// let mut file = vec![0; PAGE_LEN]; // the first page is written last
    /// let mut writer = TableWriter::new(Uid::new([7; 16]), TableOptions::new())?;
    /// for number in 0..1000_u64 {
    ///     writer.add(Entry::put(&number.to_be_bytes(), SeqNo::new(1), &[7; 100]))?;
    ///     let done = &writer.finished_blocks()[file.len() - PAGE_LEN..];
    ///     if done.len() >= 1 << 16 {
    ///         file.extend_from_slice(done);
    ///     }
    /// }
    /// let table = writer.finish()?;
    /// file.extend_from_slice(&table.image.as_bytes()[file.len()..]);
    /// file[..PAGE_LEN].copy_from_slice(&table.image.as_bytes()[..PAGE_LEN]);
    /// assert_eq!(file, table.image.as_bytes());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn finished_blocks(&self) -> &[u8] {
        self.packer.body()
    }

    /// Bytes of the body so far, the open block included: what decides when a table is large enough.
    #[must_use]
    pub fn body_len(&self) -> u64 {
        self.packer.len() + self.data.payload_len() as u64
    }

    /// Entries so far.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.properties.entries
    }

    /// How many bytes the key shares with the last one, if the entry is behind the last one.
    #[inline]
    fn check_order(&self, entry: &Entry<'_>) -> Result<usize, WriteError> {
        let last = self.data.last_key();
        let shared = common_prefix(last, entry.key);
        let order = match &self.options.order {
            KeyOrder::Bytes => last.get(shared).cmp(&entry.key.get(shared)),
            KeyOrder::Custom(comparator) => comparator.compare(last, entry.key),
        };
        let order = order.then(entry.seq.get().cmp(&self.last_seq));
        if self.properties.entries > 0 && order != Ordering::Less {
            return Err(WriteError::Unsorted { entry: self.properties.entries });
        }
        Ok(shared)
    }

    #[inline]
    fn count(&mut self, entry: &Entry<'_>) {
        let properties = &mut self.properties;
        properties.entries += 1;
        properties.key_bytes += entry.key.len() as u64;
        properties.value_bytes += entry.value.len() as u64;
        match entry.kind {
            EntryKind::Put => {}
            EntryKind::Delete => properties.deletes += 1,
            EntryKind::SingleDelete => properties.single_deletes += 1,
            EntryKind::Merge => properties.merges += 1,
            EntryKind::Blob => {
                properties.blobs += 1;
                properties.blob_bytes += entry.blob().map_or(0, |blob| blob.len);
            }
        }
    }

    /// Ends the open data block; `next` is the key of the entry behind it.
    fn finish_block(&mut self, next: Option<&[u8]>) -> Result<(), WriteError> {
        let last = self.data.last_key();
        let seqs = self.data.seqs();
        let mut fence_seq = 0;
        match next {
            Some(next) if next != last => self.options.order.separate(last, next, &mut self.fence_key),
            _ => {
                self.fence_key.clear();
                self.fence_key.extend_from_slice(last);
                if next.is_some() {
                    fence_seq = self.last_seq;
                }
            }
        }
        let framed = self.data.finish();
        if let Some(samples) = &mut self.samples {
            let (framed, fence_key) = (framed.clone(), self.fence_key.clone());
            samples.push(HeldBlock { framed, fence_key, fence_seq, seqs });
            if samples.are_enough() {
                self.use_samples()?;
            }
        } else {
            let fence = Fence { key: &self.fence_key, seq: fence_seq };
            append_data(&mut self.packer, &mut self.index, &mut self.properties, framed, fence, seqs)?;
        }
        self.data.clear();
        Ok(())
    }

    /// Trains the dictionary and writes the blocks held back; without one if the samples teach nothing.
    fn use_samples(&mut self) -> Result<(), WriteError> {
        let Some(samples) = self.samples.take() else { return Ok(()) };
        match Dictionary::train(&samples.pieces(), samples.dictionary_len) {
            Ok(dictionary) => {
                let mut framed = [0; Head::LEN].to_vec();
                framed.extend_from_slice(dictionary.as_bytes());
                self.dictionary = self.packer.append(BlockKind::Dictionary, &mut framed)?;
                self.packer.set_dictionary(&dictionary)?;
            }
            Err(CodecError::Untrained { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        for mut held in samples.blocks {
            let HeldBlock { framed, fence_key, fence_seq, seqs } = &mut held;
            let fence = Fence { key: fence_key, seq: *fence_seq };
            append_data(&mut self.packer, &mut self.index, &mut self.properties, framed, fence, *seqs)?;
        }
        Ok(())
    }

    /// Writes what is open, and everything behind the data; seals the body.
    ///
    /// # Errors
    /// When a block cannot be compressed, or no sealed file has this shape.
    pub fn finish(self) -> Result<WrittenTable, WriteError> {
        self.finish_sparing().map(|(table, _)| table)
    }

    /// As [`finish`](Self::finish), and gives back what memory is not the image's.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_sparing(mut self) -> Result<(WrittenTable, SpareMemory), WriteError> {
        if !self.data.is_empty() {
            self.properties.largest = Bytes::copy_from_slice(self.data.last_key());
            self.finish_block(None)?;
        }
        self.use_samples()?;
        if self.properties.entries == 0 && self.ranges.is_empty() {
            (self.properties.seq_low, self.properties.seq_high) = (SeqNo::new(0), SeqNo::new(0));
        }
        let mut root = TableRoot {
            comparator: self.options.order.fingerprint(),
            dictionary: self.dictionary,
            data_end: self.packer.len(),
            entries: self.properties.entries,
            key_stamp: self.key_stamp,
            ..TableRoot::default()
        };
        self.ranges.sort(&self.options.order);
        root.ranges = append_ranges(&mut self.packer, &self.ranges)?;
        let index = self.index.finish(&mut self.packer)?;
        (root.levels, root.top_index) = (index.levels, index.top);
        (self.properties.index_blocks, self.properties.index_bytes) = (index.blocks, index.bytes);
        let mut spare = SpareMemory::default();
        if let Some(filter) = self.filter.filter(|filter| !filter.is_empty()) {
            let mut framed = [0; Head::LEN].to_vec();
            let bytes = self.properties.key_bytes.saturating_add(self.properties.value_bytes);
            let entry_bytes = bytes / self.properties.entries.max(1);
            let (bytes, memory) = filter.entry_bytes(entry_bytes).finish_sparing();
            framed.extend_from_slice(&bytes);
            spare.filter = memory;
            root.filter = self.packer.append(BlockKind::Filter, &mut framed)?;
            self.properties.filter_bytes = root.filter.len.into();
        }
        self.properties.created_at = self.options.created_at;
        self.properties.comparator = self.options.order.name().into();
        let mut framed = [0; Head::LEN].to_vec();
        self.properties.encode(&mut framed);
        root.properties = self.packer.append(BlockKind::Properties, &mut framed)?;
        append_padding(&mut self.packer, root.ranges)?;
        root.ranges_copy = append_ranges(&mut self.packer, &self.ranges)?;
        let mut framed = [0; Head::LEN].to_vec();
        framed.extend_from_slice(&root.encode());
        self.packer.append(BlockKind::Root, &mut framed)?;
        let seal = self.options.seal(self.uid).kind(TableRoot::FILE_KIND);
        let seal = seal.field(TableRoot::FIELD_TAG, &root.encode())?;
        let seal = match &self.label[..] {
            [] => seal,
            label => seal.field(TableRoot::LABEL_TAG, label)?,
        };
        let image = self.packer.into_body().seal(&seal)?;
        Ok((WrittenTable { image, properties: self.properties }, spare))
    }
}

fn check_lengths(entry: &Entry<'_>) -> Result<(), WriteError> {
    let (key, value) = (entry.key.len(), entry.value.len());
    if key > KEY_LEN_MAX {
        return Err(WriteError::KeyTooLong { len: key });
    }
    if value > VALUE_LEN_MAX {
        return Err(WriteError::ValueTooLong { len: value });
    }
    match entry.kind {
        EntryKind::Put | EntryKind::Merge => Ok(()),
        EntryKind::Delete | EntryKind::SingleDelete if value == 0 => Ok(()),
        EntryKind::Blob if value == BlobRef::LEN => Ok(()),
        _ => Err(WriteError::ValueOfKind { len: value }),
    }
}

fn append_data(
    packer: &mut Packer,
    index: &mut IndexBuilder,
    properties: &mut Properties,
    framed: &mut Vec<u8>,
    fence: Fence<'_>,
    seqs: [u64; 2],
) -> Result<(), CodecError> {
    let start = packer.len();
    let span = packer.append(BlockKind::Data, framed)?;
    index.add(fence, Child { kind: ChildKind::Block, span, seqs });
    properties.data_blocks += 1;
    properties.data_bytes += packer.len() - start;
    properties.seq_low = properties.seq_low.min(SeqNo::new(seqs[0]));
    properties.seq_high = properties.seq_high.max(SeqNo::new(seqs[1]));
    Ok(())
}

fn append_ranges(packer: &mut Packer, ranges: &RangeSet) -> Result<BlockSpan, CodecError> {
    if ranges.is_empty() {
        return Ok(BlockSpan::default());
    }
    packer.append(BlockKind::Ranges, &mut ranges.encode())
}

/// Keeps the second copy of the ranges away from the first.
fn append_padding(packer: &mut Packer, first: BlockSpan) -> Result<(), CodecError> {
    let wanted = COPY_DISTANCE_MAX.min(packer.len() / 16);
    let missing = (first.end() + wanted).saturating_sub(packer.len());
    if first.len > 0 && missing > 0 {
        let len = (missing as usize).saturating_sub(FRAME_LEN);
        packer.append(BlockKind::Padding, &mut [0].repeat(Head::LEN + len))?;
    }
    Ok(())
}
