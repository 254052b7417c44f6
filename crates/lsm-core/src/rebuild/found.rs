//! A table found in a directory: what it says of itself, without a manifest that names it.
//!
//! Invariant: what is said here was proven by the file's own digests and checksums; what could not be read is said as
//! wide as it may be.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{Access, FileOffset, Fs};
use page_ecc::{Descriptor, DescriptorError, PAGE_LEN, Page};
use sst_format::{KeyOrder, RangeEntry, ReadError, SeqNo, TableRoot};

use super::RebuildGround;
use crate::{
    Error, Examiner, FileId, KeyBounds, ManifestError, NoWitness, TableMeta,
    block_cache::BlockCache,
    key_span::{Edge, Span},
    names::table_path,
    pedigree::{Kin, Pedigree},
    pins::PinBudget,
    reader::{ReadEnv, TreeReader},
    table_file::{Opened, TableFile},
    tables::Tables,
};

/// Bytes of blocks kept while tables are compared.
const CACHE_BYTES: u64 = 32 << 20;
/// Tables held open meanwhile.
const OPEN_TABLES: usize = 256;
/// The longest key there is.
const KEY_LEN_MAX: usize = u16::MAX as usize;

/// A table found in a directory.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) pedigree: Pedigree,
    /// None if the block that says so is lost.
    pub(super) kin: Option<Kin>,
    pub(super) meta: Arc<TableMeta>,
    pub(super) order: KeyOrder,
    /// Its range deletes and loss markers, as far as they are known.
    pub(super) ranges: Vec<RangeEntry>,
}

/// What a file with the name of a table turned out to be.
#[derive(Debug)]
pub(super) enum Look {
    Table(Box<Found>),
    /// No descriptor is left of it, or it never was one.
    NoTable,
    /// It does not say whose it is.
    NoPedigree,
}

/// What reading tables of a directory takes.
pub(super) fn read_env(ground: &RebuildGround, dir: &Path) -> Arc<ReadEnv> {
    Arc::new(ReadEnv {
        fs: ground.fs.clone(),
        dir: dir.into(),
        tables: Tables::new(OPEN_TABLES),
        blocks: BlockCache::new(CACHE_BYTES),
        pins: Arc::new(PinBudget::new(0)),
        witness: Arc::new(NoWitness),
        repair_source: ground.repair_source.clone(),
    })
}

/// Looks at the file of a table.
///
/// # Errors
/// If the disk refuses to open it, or a later release or another comparator is needed.
pub(super) fn look(ground: &RebuildGround, env: &Arc<ReadEnv>, id: FileId) -> Result<Look, Error> {
    let path = table_path(&env.dir, id);
    let Some(descriptor) = find_descriptor(&ground.fs, &path)? else { return Ok(Look::NoTable) };
    let Ok(root) = TableRoot::in_descriptor(&descriptor) else { return Ok(Look::NoTable) };
    let Some(pedigree) = Pedigree::of(&descriptor) else { return Ok(Look::NoPedigree) };
    // What is known before a block of it is read.
    let unknown = TableMeta {
        id,
        bounds: everything(),
        seq_low: SeqNo::new(0),
        seq_high: pedigree.flushed,
        entries: root.entries(),
        deletes: 0,
        range_deletes: 0,
        losses: 0,
        descriptor,
    };
    for order in ground.orders.all() {
        let reader = TreeReader { env: env.clone(), tree: pedigree.tree, order: order.clone() };
        let meta = Arc::new(unknown.clone());
        match TableFile::open(&reader, &meta) {
            Err(Error::Table { cause: ReadError::OtherOrder, .. }) => {}
            Err(error) => return Err(error),
            Ok(Opened::Lost(_)) => {
                let meta = Arc::new(TableMeta { range_deletes: 1, ..unknown });
                let found = Found { path, pedigree, kin: None, meta, order, ranges: Vec::new() };
                return Ok(Look::Table(Box::new(found)));
            }
            Ok(Opened::Table(table)) => {
                let found = describe(path, pedigree, unknown, order, &table)?;
                return Ok(Look::Table(Box::new(found)));
            }
        }
    }
    let name = format!("of table {id}").into();
    let catalog = crate::CatalogError::UnknownOrder { name, order: "that of its keys".into() };
    Err(ManifestError::from(catalog).into())
}

fn describe(
    path: PathBuf,
    pedigree: Pedigree,
    unknown: TableMeta,
    order: KeyOrder,
    table: &TableFile,
) -> Result<Found, Error> {
    let view = table.view();
    let ranges: Vec<_> = view.ranges().into_iter().flat_map(|ranges| ranges.iter().cloned()).collect();
    let Some(properties) = view.properties() else {
        // That there are ranges, which nobody knows, makes all of it doubtful where they are lost.
        let range_deletes = if view.ranges().is_none() { 1 } else { ranges.len() as u64 };
        let meta = Arc::new(TableMeta { range_deletes, ..unknown });
        return Ok(Found { path, pedigree, kin: None, meta, order, ranges });
    };
    let entries = (properties.entries > 0).then(|| Span {
        start: Edge::before(properties.smallest.clone()),
        end: Edge::behind(properties.largest.clone()),
    });
    let mut concerned = entries;
    for range in &ranges {
        if let Some(span) = Span::of_range(&order, range)? {
            concerned = Some(match concerned {
                Some(so_far) => so_far.hull(&order, &span),
                None => span,
            });
        }
    }
    let knows_ranges = view.ranges().is_some() || properties.range_deletes + properties.losses == 0;
    let bounds = concerned.filter(|_| knows_ranges).map_or_else(everything, |span| span.bounds());
    let meta = Arc::new(TableMeta::new(unknown.id, unknown.descriptor, bounds, properties));
    let kin = Kin::decode(&properties.note).ok();
    Ok(Found { path, pedigree, kin, meta, order, ranges })
}

/// Every key there can be, in the order of bytes.
pub(super) fn everything() -> KeyBounds {
    KeyBounds::closed("", [u8::MAX].repeat(KEY_LEN_MAX))
}

/// What a file says it is, by its head or its tail.
fn find_descriptor(fs: &Arc<dyn Fs>, path: &Path) -> Result<Option<Descriptor>, Error> {
    let file = match fs.open(path, Access::ReadOnly) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let len = file.len()?.get();
    let last = (len / PAGE_LEN as u64).saturating_sub(1);
    let read = |page: u64| -> Option<Page> {
        let (offset, mut bytes) = (FileOffset::new(page * PAGE_LEN as u64), [0; PAGE_LEN]);
        let read = file
            .read_at(offset, &mut bytes)
            .or_else(|_| file.read_medium_at(offset, &mut bytes).map(|read| read.len));
        (read.ok()? == PAGE_LEN).then_some(bytes)
    };
    let pages: Vec<_> = [0, last].into_iter().filter_map(read).collect();
    let candidates = match Descriptor::find(&pages.iter().collect::<Vec<_>>()) {
        Ok(found) => found,
        Err(DescriptorError::NewerVersion { found, known }) => {
            return Err(ManifestError::NewerFormat { file: path.into(), found, known }.into());
        }
        Err(DescriptorError::UnknownFeatures { unknown }) => {
            return Err(ManifestError::UnknownFeatures { file: path.into(), unknown }.into());
        }
        Err(_) => return Ok(None),
    };
    // A file shorter than half of its body is not worth the memory that its descriptor asks for.
    let is_plausible = |found: &Descriptor| found.geometry().body_len() <= len.saturating_mul(2);
    let mut candidates: Vec<_> = candidates.into_iter().filter(is_plausible).collect();
    let borne_out = |found: &Descriptor| {
        Examiner::open(&**fs, path, found).is_ok_and(|mut examiner| examiner.is_borne_out())
    };
    match candidates.iter().position(borne_out) {
        Some(at) => Ok(Some(candidates.swap_remove(at))),
        None => Ok(candidates.into_iter().next()),
    }
}
