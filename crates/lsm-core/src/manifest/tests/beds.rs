//! A store to try things on.

use std::{path::Path, sync::Arc};

use lsm_io::{Access, EpochWorker, FileOffset, Fs, Limits, MemFs};
use page_ecc::Uid;

use super::{
    super::{Manifest, ManifestError, ManifestFinding, Recovered, writer::Place},
    histories::STORE,
};
use crate::{Edit, Error, KeyOrders};

/// Small enough that a few edits fill them.
pub(super) const FILE_PAGES: u32 = 8;
pub(super) const DIR: &str = "/store";

pub(super) fn worker() -> Arc<EpochWorker> {
    let limits = Limits::default().linger_max_micros(0);
    Arc::new(EpochWorker::start(limits).expect("threads can be started"))
}

/// Opens for writing, or creates.
pub(super) fn open(
    fs: Arc<dyn Fs>,
    worker: &Arc<EpochWorker>,
    nonce: u8,
) -> Result<(Manifest, Vec<ManifestFinding>), Error> {
    let mut place = Place::new(fs, Path::new(DIR), worker.clone(), Uid::new([nonce; 16]));
    place.file_pages = FILE_PAGES;
    Manifest::open_or_create_at(place, &KeyOrders::default(), STORE)
}

pub(super) fn read(fs: Arc<dyn Fs>) -> Result<Recovered, ManifestError> {
    Recovered::read(&fs, Path::new(DIR), &KeyOrders::default())
}

/// What the store on this disk says, as an edit of an empty one.
pub(super) fn content(fs: Arc<dyn Fs>) -> Result<Edit, ManifestError> {
    Ok(read(fs)?.catalog().to_edit())
}

/// Every file of the store by name, and its bytes.
pub(super) fn files(disk: &MemFs) -> Vec<(String, Vec<u8>)> {
    let entries = disk.list(Path::new(DIR)).expect("the store is there");
    let bytes = |name: &Path| {
        let file = disk.open(&Path::new(DIR).join(name), Access::ReadOnly).expect("listed files open");
        let len = file.len().expect("memory says how long").get() as usize;
        file.read_to_vec(FileOffset::ZERO, len).expect("memory can be read")
    };
    entries.iter().map(|entry| (entry.name.display().to_string(), bytes(&entry.name))).collect()
}

/// A disk with these files.
pub(super) fn disk(files: &[(String, Vec<u8>)]) -> MemFs {
    let disk = MemFs::new();
    disk.create_dir(Path::new(DIR)).expect("memory has room");
    disk.sync_dir(Path::new("/")).expect("memory syncs");
    for (name, bytes) in files {
        let file = disk.create(&Path::new(DIR).join(name)).expect("names differ");
        file.write_at(FileOffset::ZERO, bytes).expect("memory has room");
        file.sync().expect("memory syncs");
    }
    disk.sync_dir(Path::new(DIR)).expect("memory syncs");
    disk
}
