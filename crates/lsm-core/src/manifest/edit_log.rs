//! The edits of one generation, each page taken from whichever copy is good.
//!
//! Invariant: an edit is handed out only if every page of it is proven; pages are found by their own number,
//! so that a hole hides nothing behind it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use lsm_io::{File, FileOffset};
use page_ecc::{PAGE_LEN, PageNo};

use super::{
    birth::Stated,
    edit_page::{Chain, EditPage, PageFault, PageKind},
    error::ManifestError,
    fields::FieldReader,
    finding::{ManifestFault, ManifestFinding},
    medium::{read_medium_page, read_page},
    names::Generation,
};

/// Pages read at a time.
const CHUNK_PAGES: u32 = 256;

/// One of the two files of edits, if it could be opened.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) path: PathBuf,
    pub(super) file: Option<Arc<dyn File>>,
}

/// What the two files of edits of a generation say together.
#[derive(Debug, Default)]
pub(super) struct EditLog {
    /// The pages of each edit, by index.
    edits: BTreeMap<u64, BTreeMap<u32, EditPage>>,
    /// Every edit up to this one was durable once.
    pub(super) durable: u64,
    blemishes: Vec<Blemish>,
    /// Places that neither copy has any bytes for: no power cut leaves that.
    holes: BTreeSet<u32>,
    /// From here on there are no others.
    end: u32,
}

/// A page that one copy or both do not show as it was written.
#[derive(Debug)]
struct Blemish {
    copy: usize,
    page: u32,
    kind: BlemishKind,
    /// Which edit it belongs to, as far as the other copy tells.
    number: Option<u64>,
    /// Whether it looks as if it was never written.
    is_blank: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlemishKind {
    Wrong,
    Transient,
}

/// How a place in a file of edits was found.
#[derive(Debug)]
enum Place {
    Good(EditPage),
    /// Never written.
    Blank,
    /// Other bytes.
    Wrong,
    /// The disk refuses them.
    Unreadable,
    /// The file is not there, or ends before.
    Absent,
}

impl Copy {
    /// The page at a place, if it is one of edits, and whether it took a second read.
    pub(super) fn page(&self, page: u32) -> Result<Option<EditPage>, ManifestError> {
        let Some(file) = &self.file else { return Ok(None) };
        let found = read_page(file, page.into()).map(|bytes| EditPage::decode(&bytes));
        match found {
            Ok(Err(PageFault::Newer { found, known })) => {
                Err(ManifestError::NewerFormat { file: self.path.clone(), found, known })
            }
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(_)) | Err(_) => Ok(self.medium_page(page)),
        }
    }

    fn medium_page(&self, page: u32) -> Option<EditPage> {
        let bytes = read_medium_page(self.file.as_ref()?, page.into()).ok()?;
        EditPage::decode(&bytes).ok()
    }

    /// How many pages it has, at most `max`.
    fn pages(&self, max: u32) -> u32 {
        let Some(file) = &self.file else { return 0 };
        let pages = file.len().map(|len| u32::try_from(len.get() / PAGE_LEN as u64).unwrap_or(max));
        // If the disk does not say, some reads will show.
        pages.unwrap_or(CHUNK_PAGES).min(max)
    }

    /// The places from `first` on.
    fn places(&self, first: u32, count: u32) -> Vec<Place> {
        let Some(file) = &self.file else { return (0..count).map(|_| Place::Absent).collect() };
        let mut bytes = vec![0; count as usize * PAGE_LEN];
        let read = file.read_at(FileOffset::new(u64::from(first) * PAGE_LEN as u64), &mut bytes);
        let (pages, _) = bytes.as_chunks();
        match read {
            Ok(len) => {
                let there = pages.iter().take(len / PAGE_LEN).map(|page| Place::of(EditPage::decode(page)));
                let absent = std::iter::repeat_with(|| Place::Absent);
                there.chain(absent).take(count as usize).collect()
            }
            Err(_) => (first..first + count)
                .map(|page| match read_page(file, page.into()) {
                    Ok(bytes) => Place::of(EditPage::decode(&bytes)),
                    Err(_) => Place::Unreadable,
                })
                .collect(),
        }
    }

    /// Whether all of it can be read and no edit was ever written to it.
    pub(super) fn is_new(&self) -> bool {
        let Some(file) = &self.file else { return true };
        let is_readable =
            file.len().is_ok_and(|len| len.get() < PAGE_LEN as u64 || read_page(file, 0).is_ok());
        is_readable && !self.any(|place| !matches!(place, Place::Blank | Place::Absent))
    }

    /// Whether any page behind the first is one of an edit.
    pub(super) fn has_edits(&self) -> bool {
        self.any(|place| matches!(place, Place::Good(page) if page.kind == PageKind::Edit))
    }

    fn any(&self, mut is_it: impl FnMut(&Place) -> bool) -> bool {
        chunks(1, self.pages(u32::MAX)).any(|(first, count)| self.places(first, count).iter().any(&mut is_it))
    }
}

impl EditLog {
    /// Reads both copies to their end.
    pub(super) fn read(copies: &[Copy; 2], stated: &Stated) -> Self {
        let end = copies.iter().map(|copy| copy.pages(stated.birth.pages)).max().unwrap_or(0);
        let mut log = Self { durable: stated.birth.number, end, ..Self::default() };
        for (first, count) in chunks(0, end) {
            let [a, b] = copies.each_ref().map(|copy| copy.places(first, count));
            for (page, places) in (first..).zip(a.into_iter().zip(b)) {
                log.take(copies, stated, page, [places.0, places.1]);
            }
        }
        log
    }

    /// What edit `number` says, if all of it is there and it follows `chain`.
    pub(super) fn edit(&self, number: u64, chain: Chain) -> Option<Vec<u8>> {
        let pages = self.edits.get(&number)?;
        let count = pages.first_key_value()?.1.count;
        let is_whole = (0..count).eq(pages.keys().copied());
        let fits = pages.values().all(|page| page.count == count && page.chain == chain);
        (is_whole && fits).then(|| pages.values().flat_map(|page| page.payload.iter().copied()).collect())
    }

    /// Whether an edit behind `number` may have stood where neither copy has any bytes.
    pub(super) fn is_cut_behind(&self, number: u64) -> bool {
        let read = self.edits.range(..=number).flat_map(|(_, pages)| pages.values());
        let next_page = read.map(|page| page.page + 1).max().unwrap_or(1);
        let begun = self.edits.range(number + 1..).flat_map(|(_, pages)| pages.values()).next();
        let count = begun.map_or(1, |page| page.count);
        let end = next_page.saturating_add(count);
        end > self.end || self.holes.range(next_page..end).next().is_some()
    }

    /// Whether there is any page of an edit.
    pub(super) fn has_edits(&self) -> bool {
        !self.edits.is_empty()
    }

    /// What is wrong with the two files, if every edit up to `durable` was durable.
    pub(super) fn findings(&self, copies: &[Copy; 2], stated: &Stated, durable: u64) -> Vec<ManifestFinding> {
        let mut findings = Vec::new();
        for (index, copy) in copies.iter().enumerate() {
            let mut find = |fault| findings.push(ManifestFinding { file: copy.path.clone(), fault });
            if copy.file.is_none() {
                find(ManifestFault::Missing);
                continue;
            }
            if copy.pages(u32::MAX) < stated.birth.pages {
                find(ManifestFault::Short);
            }
            let was_durable = |blemish: &&Blemish| blemish.number.is_some_and(|number| number <= durable);
            let of = |kind| self.blemishes.iter().filter(move |it| it.copy == index && it.kind == kind);
            let pages: page_ecc::PageRanges =
                of(BlemishKind::Wrong).filter(was_durable).map(|it| PageNo::new(it.page.into())).collect();
            if !pages.is_empty() {
                find(ManifestFault::Copied { pages });
            }
            let pages: page_ecc::PageRanges =
                of(BlemishKind::Transient).map(|it| PageNo::new(it.page.into())).collect();
            if !pages.is_empty() {
                find(ManifestFault::Transient { pages });
            }
            if of(BlemishKind::Wrong).any(|blemish| !was_durable(&blemish)) {
                find(ManifestFault::Unfinished);
            }
        }
        findings
    }

    /// Pages of a copy that do not show what the other one has.
    pub(super) fn bad_pages(&self, copy: usize) -> Vec<PageNo> {
        let wrong = self.blemishes.iter().filter(|blemish| blemish.copy == copy && blemish.number.is_some());
        let kept = wrong.filter(|blemish| {
            // A page that one copy never got was on its way when everything stopped.
            let was_durable = blemish.number.is_some_and(|number| number <= self.durable);
            blemish.kind == BlemishKind::Wrong && (was_durable || !blemish.is_blank)
        });
        kept.map(|blemish| PageNo::new(blemish.page.into())).collect()
    }

    fn take(&mut self, copies: &[Copy; 2], stated: &Stated, page: u32, places: [Place; 2]) {
        let is_empty = |place: &Place| matches!(place, Place::Absent | Place::Unreadable);
        if places.iter().all(is_empty) {
            self.holes.insert(page);
        }
        if places.iter().all(|place| matches!(place, Place::Absent | Place::Blank)) {
            return;
        }
        let mut good = None;
        let mut blemished = Vec::new();
        for (copy, place) in places.into_iter().enumerate() {
            match place {
                Place::Good(found) if is_of(&found, stated, page) => good = Some(found),
                Place::Absent => {}
                Place::Blank => blemished.push((copy, true)),
                Place::Good(_) | Place::Wrong | Place::Unreadable => blemished.push((copy, false)),
            }
        }
        for (copy, is_blank) in blemished {
            let again = copies[copy].medium_page(page).filter(|again| is_of(again, stated, page));
            let kind = if again.is_some() { BlemishKind::Transient } else { BlemishKind::Wrong };
            good = good.or(again);
            let number = good.as_ref().map(|page| page.number);
            self.blemishes.push(Blemish { copy, page, kind, number, is_blank });
        }
        if let Some(page) = good {
            self.add(page);
        }
    }

    fn add(&mut self, page: EditPage) {
        self.durable = self.durable.max(page.durable);
        match page.kind {
            PageKind::Birth | PageKind::Successor | PageKind::Mark => {}
            PageKind::Edit => {
                self.edits.entry(page.number).or_default().insert(page.index, page);
            }
        }
    }
}

impl Place {
    fn of(decoded: Result<EditPage, PageFault>) -> Self {
        match decoded {
            Ok(page) => Self::Good(page),
            Err(PageFault::Blank) => Self::Blank,
            Err(PageFault::Mismatch | PageFault::Newer { .. }) => Self::Wrong,
        }
    }
}

impl EditPage {
    /// The newer generation that this page of a generation states to be durable.
    pub(super) fn successor_in(&self, stated: &Stated) -> Option<Generation> {
        let states_it = self.kind == PageKind::Successor && is_of(self, stated, stated.birth.pages - 1);
        let number = FieldReader::new(&self.payload).u64("successor").ok()?;
        states_it.then_some(Generation::new(number))
    }
}

/// Whether a page belongs to this generation, at this place.
fn is_of(found: &EditPage, stated: &Stated, page: u32) -> bool {
    found.generation == stated.birth.generation && found.uid == stated.descriptor.uid() && found.page == page
}

/// Places `first..end` in pieces: where each starts and how long it is.
fn chunks(first: u32, end: u32) -> impl Iterator<Item = (u32, u32)> {
    (first..end).step_by(CHUNK_PAGES as usize).map(move |at| (at, CHUNK_PAGES.min(end - at)))
}
