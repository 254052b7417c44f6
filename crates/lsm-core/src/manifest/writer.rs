//! Writes edits and generations.
//!
//! Invariants: each edit starts on a page of its own, the same in both files. Files that a write or a sync
//! failed on are never written again. A generation is deleted only when two newer ones were durable.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{Cause, Epoch, EpochWorker, Failed, FileOffset, Fs, Image, IoError, Lane, Standing, Target};
use page_ecc::{PAGE_LEN, Uid};
use twox_hash::XxHash3_128;

use super::{
    birth::{Birth, Stated},
    edit_page::{Chain, EditPage, PageKind},
    names::{self, Generation, Part},
    recovery::Recovered,
    snapshot,
};
use crate::{Catalog, Error, KeyOrders};

/// Pages of a file of edits: 1 MiB, so that no hole of 64 KiB reaches from one copy into the other.
const FILE_PAGES: u32 = 256;

/// Where a manifest lives and who makes it durable.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) fs: Arc<dyn Fs>,
    pub(super) dir: PathBuf,
    pub(super) worker: Arc<EpochWorker>,
    /// Random bits; what the uids of its generations are made of.
    pub(super) nonce: Uid,
    /// Pages of a file of edits, unless a longer edit needs more.
    pub(super) file_pages: u32,
}

/// The one who writes a manifest.
#[derive(Debug)]
pub(super) struct Writer {
    place: Place,
    orders: KeyOrders,
    /// The generation to begin next, above every one that a file names.
    next: Generation,
    /// The newest that is durable.
    durable: Option<DurableGeneration>,
    /// The last edit that is.
    number: u64,
    chain: Chain,
    compatible: u64,
    /// Where edits go; none if a new generation is due.
    files: Option<EditFiles>,
}

/// A generation that later ones lead back to.
#[derive(Clone, Copy, Debug)]
struct DurableGeneration {
    generation: Generation,
    uid: Uid,
    pages: u32,
}

/// The two files that edits go to.
#[derive(Debug)]
struct EditFiles {
    of: DurableGeneration,
    targets: [Arc<Target>; 2],
    /// The first that was never written.
    next_page: u32,
    /// Every edit up to this one is stated to be durable.
    marked: u64,
}

impl Place {
    pub(super) fn new(fs: Arc<dyn Fs>, dir: &Path, worker: Arc<EpochWorker>, nonce: Uid) -> Self {
        Self { fs, dir: dir.into(), worker, nonce, file_pages: FILE_PAGES }
    }

    /// Makes the directory, unless it is there, and its name durable: no file is created in it before.
    pub(super) fn make_dir(&self) -> Result<(), IoError> {
        match self.fs.create_dir(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        match self.dir.parent() {
            Some(parent) if parent.as_os_str().is_empty() => self.fs.sync_dir(Path::new(".")),
            Some(parent) => self.fs.sync_dir(parent),
            None => Ok(()),
        }
    }

    /// Removes what an attempt at creating left.
    pub(super) fn clear(&self) -> Result<(), IoError> {
        // The first goes last: without it the others would look like what is left of a store.
        for (generation, parts) in names::list(self.fs.as_ref(), &self.dir)?.into_iter().rev() {
            if generation == Generation::FIRST {
                self.fs.sync_dir(&self.dir)?;
            }
            for part in parts {
                self.fs.remove(&part.path_in(&self.dir, generation))?;
            }
        }
        self.fs.sync_dir(&self.dir)
    }

    fn uid_of(&self, generation: Generation) -> Uid {
        let mut hash = XxHash3_128::new();
        hash.write(&self.nonce.to_bytes());
        hash.write(&generation.get().to_le_bytes());
        Uid::new(hash.finish_128().to_le_bytes())
    }

    fn create(&self, part: Part, generation: Generation) -> Result<Arc<Target>, IoError> {
        Target::create(self.fs.clone(), &part.path_in(&self.dir, generation))
    }

    fn commit(&self, epoch: Epoch) -> Result<(), Error> {
        // Small, and writers may wait for it: a segment of the log comes into use with an edit.
        match self.worker.commit(Lane::Log, epoch) {
            Err(failed) if matches!(failed.cause, Cause::Closed) => Err(Error::Closed),
            outcome => Ok(outcome.map(drop)?),
        }
    }
}

impl Writer {
    /// A writer of a new store, whose catalog stands behind so many edits: none if it is empty.
    pub(super) fn new(place: Place, orders: KeyOrders, number: u64) -> Self {
        let (chain, compatible) = (Chain::default(), 0);
        Self { place, orders, next: Generation::FIRST, durable: None, number, chain, compatible, files: None }
    }

    /// A writer that goes on from what was read.
    pub(super) fn resume(recovered: Recovered, place: Place) -> Self {
        let Recovered { orders, at, born, highest, .. } = recovered;
        let Birth { generation, pages, compatible, .. } = born.birth;
        let durable = Some(DurableGeneration { generation, uid: born.descriptor.uid(), pages });
        let next = highest.next();
        let (number, chain) = (at.number, at.chain);
        Self { place, orders, next, durable, number, chain, compatible, files: None }
    }

    /// Where it lives.
    pub(super) fn place(&self) -> (&Arc<dyn Fs>, &Path) {
        (&self.place.fs, &self.place.dir)
    }

    pub(super) fn orders(&self) -> &KeyOrders {
        &self.orders
    }

    pub(super) fn generation(&self) -> Option<Generation> {
        self.files.as_ref().map(|files| files.of.generation)
    }

    pub(super) fn has_files(&self) -> bool {
        self.files.is_some()
    }

    /// Whether there are files with room for this edit.
    pub(super) fn has_room(&self, payload: &[u8]) -> bool {
        self.files.as_ref().is_some_and(|files| {
            let room = files.of.pages - 1 - files.next_page;
            pages_for(payload.len()) <= room
        })
    }

    /// Writes an edit to both files.
    pub(super) fn write(&mut self, payload: &[u8]) -> Result<(), Error> {
        let Some(files) = &mut self.files else { return Err(Error::Closed) };
        let (number, chain) = (self.number + 1, self.chain);
        let image = Image::from(files.edit_image(number, chain, payload));
        let offset = FileOffset::new(u64::from(files.next_page) * PAGE_LEN as u64);
        let mut epoch = Epoch::new();
        for target in &files.targets {
            epoch = epoch.write(target, offset, image.clone());
        }
        let done = self.place.commit(epoch);
        match &done {
            Ok(()) => {
                files.next_page += pages_for(payload.len());
                (self.number, self.chain) = (number, chain.and(number, payload));
            }
            Err(Error::NotDurable(failed)) if !files.are_untouched(failed) => self.abandon_files(),
            Err(_) => {}
        }
        done
    }

    /// States behind the last edit that it is durable, unless that is stated or there is no room.
    pub(super) fn mark(&mut self) -> Result<(), Error> {
        let (number, chain) = (self.number, self.chain);
        let Some(files) = &mut self.files else { return Ok(()) };
        if files.marked >= number || files.next_page + 1 >= files.of.pages {
            return Ok(());
        }
        let image = Image::from(files.mark_page(number, chain));
        let offset = FileOffset::new(u64::from(files.next_page) * PAGE_LEN as u64);
        let epoch = files
            .targets
            .iter()
            .fold(Epoch::new(), |epoch, target| epoch.write(target, offset, image.clone()));
        let done = self.place.commit(epoch);
        match &done {
            Ok(()) => {
                files.next_page += 1;
                files.marked = number;
            }
            Err(Error::NotDurable(failed)) if !files.are_untouched(failed) => self.abandon_files(),
            Err(_) => {}
        }
        done
    }

    /// Begins a generation with this catalog, and with room for an edit of `payload_len` bytes.
    pub(super) fn begin_generation(&mut self, catalog: &Catalog, payload_len: usize) -> Result<(), Error> {
        self.abandon_files();
        let generation = self.next;
        self.next = generation.next();
        let uid = self.place.uid_of(generation);
        // The birth and the successor take a page each.
        let pages = self.place.file_pages.max(pages_for(payload_len).saturating_add(2));
        let birth = Birth {
            generation,
            previous: self.durable.map(|before| before.generation),
            number: self.number,
            chain: self.chain,
            origin: catalog.origin(),
            compatible: self.compatible,
            pages,
        };
        let of = DurableGeneration { generation, uid, pages };
        let targets = self.write_generation(birth, catalog, uid)?;
        self.files = Some(EditFiles { of, targets, next_page: 1, marked: self.number });
        let before = self.durable.replace(of);
        self.leave_behind(before, generation);
        Ok(())
    }

    fn write_generation(&self, birth: Birth, catalog: &Catalog, uid: Uid) -> Result<[Arc<Target>; 2], Error> {
        let generation = birth.generation;
        let sealed = snapshot::seal(&birth, catalog, uid).expect("a catalog fits a sealed file");
        let stated = Stated { birth, descriptor: sealed.descriptor().clone() };
        let mut edits = stated.encode_page().to_vec();
        edits.resize(stated.birth.pages as usize * PAGE_LEN, 0);
        let edits = Image::from(edits);
        let snapshot = self.place.create(Part::Snapshot, generation)?;
        let targets =
            [self.place.create(Part::EditsA, generation)?, self.place.create(Part::EditsB, generation)?];
        let mut epoch = Epoch::new();
        for target in &targets {
            epoch = epoch.write(target, FileOffset::ZERO, edits.clone());
        }
        // A birth that shows without its snapshot leads back to edits that may have been read from the page cache
        // of a process that was killed, and are not durable.
        let snapshot_first = Epoch::new().write(&snapshot, FileOffset::ZERO, sealed.into_bytes());
        let done = self.place.commit(snapshot_first).and_then(|()| self.place.commit(epoch));
        snapshot.retire();
        if done.is_err() {
            targets.iter().for_each(|target| target.retire());
        }
        done.map(|()| targets)
    }

    /// Takes no more edits into the files there are.
    fn abandon_files(&mut self) {
        for target in self.files.take().iter().flat_map(|files| &files.targets) {
            target.retire();
        }
    }

    /// States in the generation before that there is a newer one, and removes all that are neither. What fails
    /// here is tried again by the next generation; nothing depends on it.
    fn leave_behind(&self, before: Option<DurableGeneration>, now: Generation) {
        let marks = before.map_or_else(Vec::new, |before| self.open_files(before));
        let mut epoch = Epoch::new();
        if let Some(before) = before {
            let page = Image::from(self.successor_page(before, now));
            let offset = FileOffset::new(u64::from(before.pages - 1) * PAGE_LEN as u64);
            epoch = marks.iter().fold(epoch, |epoch, mark| epoch.write(mark, offset, page.clone()));
        }
        let keep = [Some(now), before.map(|before| before.generation)];
        let deletions = self.deletions(keep);
        let all = deletions.iter().fold(epoch, |epoch, path| epoch.delete(self.place.fs.clone(), path));
        let done = self.place.commit(all);
        marks.iter().for_each(|mark| mark.retire());
        let again = done.or_else(|_| {
            let fs = || self.place.fs.clone();
            let epoch = deletions.iter().fold(Epoch::new(), |epoch, path| epoch.delete(fs(), path));
            self.place.commit(epoch)
        });
        if let Err(error) = again {
            log::warn!("old generations of the manifest are still there, the next one tries again: {error}");
        }
    }

    fn open_files(&self, of: DurableGeneration) -> Vec<Arc<Target>> {
        let paths = Part::EDITS.map(|part| part.path_in(&self.place.dir, of.generation));
        paths.iter().filter_map(|path| Target::open(self.place.fs.clone(), path).ok()).collect()
    }

    fn successor_page(&self, before: DurableGeneration, now: Generation) -> Vec<u8> {
        let page = EditPage {
            kind: PageKind::Successor,
            generation: before.generation,
            uid: before.uid,
            number: self.number,
            chain: self.chain,
            durable: self.number,
            page: before.pages - 1,
            index: 0,
            count: 1,
            payload: now.get().to_le_bytes().to_vec(),
        };
        page.encode().to_vec()
    }

    /// The files of every generation but these.
    fn deletions(&self, keep: [Option<Generation>; 2]) -> Vec<PathBuf> {
        let listed = names::list(self.place.fs.as_ref(), &self.place.dir).unwrap_or_default();
        let old = listed.into_iter().filter(|(generation, _)| !keep.contains(&Some(*generation)));
        let dir = &self.place.dir;
        old.flat_map(|(generation, parts)| parts.into_iter().map(move |part| part.path_in(dir, generation)))
            .collect()
    }
}

impl EditFiles {
    /// The pages of an edit, for both files.
    fn edit_image(&self, number: u64, chain: Chain, payload: &[u8]) -> Vec<u8> {
        let count = pages_for(payload.len());
        let mut parts = payload.chunks(EditPage::PAYLOAD_MAX);
        let page_at = |index: u32| {
            let page = EditPage {
                kind: PageKind::Edit,
                generation: self.of.generation,
                uid: self.of.uid,
                number,
                chain,
                durable: number - 1,
                page: self.next_page + index,
                index,
                count,
                payload: parts.next().unwrap_or_default().to_vec(),
            };
            page.encode()
        };
        (0..count).flat_map(page_at).collect()
    }

    /// A page that says how far the edits are durable.
    fn mark_page(&self, number: u64, chain: Chain) -> Vec<u8> {
        let page = EditPage {
            kind: PageKind::Mark,
            generation: self.of.generation,
            uid: self.of.uid,
            number,
            chain,
            durable: number,
            page: self.next_page,
            index: 0,
            count: 1,
            payload: Vec::new(),
        };
        page.encode().to_vec()
    }

    /// Whether a failed epoch never wrote a byte, and the files are as good as before.
    fn are_untouched(&self, failed: &Failed) -> bool {
        let resumed = self.targets.each_ref().map(|target| target.resume());
        failed.writes.attempted == 0 && resumed == [Standing::Trusted; 2]
    }
}

/// Pages of an edit whose bytes are so many.
fn pages_for(payload_len: usize) -> u32 {
    let pages = payload_len.div_ceil(EditPage::PAYLOAD_MAX).max(1);
    u32::try_from(pages).expect("an edit is shorter than 16 TB")
}
