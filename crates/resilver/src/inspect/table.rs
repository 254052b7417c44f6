//! A table: what its descriptor and its properties say.

use std::{ops::Range, path::Path};

use lsm_core::Examiner;
use page_ecc::{Descriptor, PAGE_LEN};
use sst_format::{
    BlockAddr, CodecTag, Opening, Properties, RangeKind, RawBlock, ReadError, ReadOptions, SeqNo, Step,
    TableRoot, TableView,
};

use super::{InspectError, SealedFile, sealed};
use crate::Options;

/// Parts longer than this are not read: no writer makes them.
const PART_BYTES_MAX: u64 = 256 << 20;

/// Blocks on the way from the index to the first entry.
const DEPTH_MAX: usize = 4;

/// A table as it lies there. See [`table`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectedTable {
    /// The sealed file.
    pub sealed: SealedFile,
    /// What it says of itself; none if that is lost, or cannot be read.
    pub properties: Option<Properties>,
    /// How its first data block is compressed, if it has one that can be read.
    pub first_codec: Option<CodecTag>,
    /// Range deletes and loss markers, if they can be read.
    pub ranges: Option<(u64, u64)>,
    /// The epoch of its key, if it is encrypted.
    pub key_epoch: Option<String>,
    /// What kept parts of it from being read.
    pub trouble: Option<ReadError>,
}

/// Says what is in a table, through its parity where it is damaged, and looks at each of its pages.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// # let db = resilver::Db::open(&path)?;
/// # db.put(b"a", b"b")?;
/// # db.flush()?;
/// # db.close()?;
/// let table = std::fs::read_dir(&path)?.filter_map(Result::ok).map(|entry| entry.path());
/// let mut tables = table.filter(|path| path.extension().is_some_and(|end| end == "table"));
/// let told = resilver::inspect::table(tables.next().ok_or("a table")?, &resilver::Options::new())?;
/// assert_eq!(told.properties.map(|properties| properties.entries), Some(1));
/// assert!(told.sealed.wrong.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If it cannot be opened, is no table, or is of a later release.
pub fn table(path: impl AsRef<Path>, options: &Options) -> Result<InspectedTable, InspectError> {
    let path = path.as_ref();
    let mut found = sealed::open(path, options)?;
    if found.descriptor.kind() != TableRoot::FILE_KIND {
        return Err(InspectError::NotATable { path: path.into(), kind: found.descriptor.kind() });
    }
    let root = TableRoot::in_descriptor(&found.descriptor)
        .map_err(|cause| InspectError::Table { path: path.into(), cause })?;
    let mut parts =
        Parts { descriptor: found.descriptor.clone(), examiner: &mut found.examiner, trouble: None };
    let view = parts.view(root);
    let first_codec = view.as_ref().and_then(|view| parts.first_codec(view));
    let trouble = parts.trouble;
    let ranges = view.as_ref().and_then(TableView::ranges).map(|ranges| {
        let count = |kind| ranges.iter().filter(|range| range.kind == kind).count() as u64;
        (count(RangeKind::Delete), count(RangeKind::Loss))
    });
    let properties = view.as_ref().and_then(TableView::properties).cloned();
    let key_epoch = root.key_stamp().map(|stamp| stamp.epoch().to_string());
    Ok(InspectedTable { sealed: found.examine(), properties, first_codec, ranges, key_epoch, trouble })
}

/// Reads parts of a table.
struct Parts<'a> {
    descriptor: Descriptor,
    examiner: &'a mut Examiner,
    trouble: Option<ReadError>,
}

impl Parts<'_> {
    /// The table opened, parts that are lost left out.
    fn view(&mut self, root: TableRoot) -> Option<TableView> {
        let opened = Opening::new(self.descriptor.uid(), root, ReadOptions::new());
        let mut opening = self.sound(opened)?;
        while let Step::Read(addr) = opening.step() {
            let supplied = match self.read(addr) {
                Some(raw) => opening.supply(raw),
                None => Err(ReadError::Lost { at: addr.span }),
            };
            if self.sound(supplied).is_none() {
                let given_up = opening.give_up();
                self.sound(given_up)?;
            }
        }
        let finished = opening.finish();
        self.sound(finished)
    }

    fn first_codec(&mut self, view: &TableView) -> Option<CodecTag> {
        let mut cursor = view.cursor();
        let sought = cursor.seek(b"", SeqNo::MAX);
        self.sound(sought)?;
        let mut codec = None;
        for _ in 0..DEPTH_MAX {
            let Step::Read(addr) = cursor.step() else { break };
            let raw = self.read(addr)?;
            codec = raw.clone().verify(addr).ok().and_then(|block| block.codec().ok());
            let admitted = view.admit(addr, raw);
            let block = self.sound(admitted)?;
            let supplied = cursor.supply(&block);
            self.sound(supplied)?;
        }
        codec
    }

    /// A block's bytes, whatever it takes.
    fn read(&mut self, addr: BlockAddr) -> Option<RawBlock> {
        let (start, len) = (addr.span.offset, u64::from(addr.span.len));
        let end = start.checked_add(len).filter(|end| *end <= self.descriptor.geometry().body_len())?;
        if len > PART_BYTES_MAX {
            return None;
        }
        let page = PAGE_LEN as u64;
        let pages: Range<u64> = start / page..end.div_ceil(page);
        let from = (start - pages.start * page) as usize;
        let bytes = self.examiner.read_body(pages).ok()?;
        Some(RawBlock::new(bytes.get(from..from + len as usize)?.to_vec()))
    }

    /// The result; of errors the first is kept.
    fn sound<T>(&mut self, result: Result<T, ReadError>) -> Option<T> {
        result.map_err(|cause| self.trouble.get_or_insert(cause)).ok()
    }
}
