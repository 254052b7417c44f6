//! Judges one damaged file against what was sealed and what was promised.

use std::collections::{BTreeMap, BTreeSet};

use page_ecc::{
    Descriptor, Geometry, InnerCode, Ladder, PAGE_LEN, Page, PageNo, PageSource, ReadFrom, Region, Rung,
    Scheme, SealOptions, SealedImage, Uid, Unreadable,
};

use crate::damage::Random;

/// A sealed file that nothing happened to, and another one sealed alike.
pub(crate) struct Case {
    pub(crate) image: SealedImage,
    pub(crate) name: String,
    foreign: Vec<u8>,
}

/// A medium that holds a sealed file, or what is left of it.
#[derive(Clone)]
pub(crate) struct Medium {
    pub(crate) bytes: Vec<u8>,
    pub(crate) foreign: Vec<u8>,
    pub(crate) unreadable: BTreeSet<u64>,
    /// Pages that read wrong from a cache, and right from the medium.
    pub(crate) rotten_cache: BTreeSet<u64>,
}

impl PageSource for Medium {
    fn read(&mut self, first: PageNo, pages: &mut [Page], from: ReadFrom) -> Result<(), Unreadable> {
        let wanted = first.get()..first.get() + pages.len() as u64;
        if self.unreadable.range(wanted.clone()).next().is_some() {
            return Err(Unreadable);
        }
        (&self.bytes[..]).read(first, pages, from)?;
        if from == ReadFrom::Anywhere {
            for &page in self.rotten_cache.range(wanted) {
                pages[(page - first.get()) as usize][17] ^= 0x5A;
            }
        }
        Ok(())
    }
}

/// What the model says must come of a damaged file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Nothing may be lost.
    Promised,
    /// Something may be.
    Beyond,
}

impl Case {
    pub(crate) fn new(body_len: usize, scheme: Scheme, inner: InnerCode, seed: u64) -> Self {
        // Far from the seeds that damage is drawn from: garbage must not be the body by chance.
        let body_seed = seed ^ 0x00B0_D700_0000_0000;
        let body = Random::new(body_seed).bytes(body_len);
        let seal = |uid: u8, body: &[u8]| {
            SealOptions::new(Uid::new([uid; 16])).scheme(scheme).inner(inner).kind(1).seal(body).unwrap()
        };
        let foreign = seal(2, &Random::new(body_seed + 1).bytes(body_len)).into_bytes();
        let name = format!("{body_len} bytes under {scheme}, inner {inner:?}, seed {seed}");
        Self { image: seal(1, &body), name, foreign }
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        self.image.descriptor().geometry()
    }

    pub(crate) fn medium(&self) -> Medium {
        Medium {
            bytes: self.image.as_bytes().to_vec(),
            foreign: self.foreign.clone(),
            unreadable: BTreeSet::new(),
            rotten_cache: BTreeSet::new(),
        }
    }

    /// Pages that do not hold what was sealed, or cannot be read.
    fn wrong_pages(&self, medium: &Medium) -> BTreeSet<u64> {
        let sealed = self.image.as_bytes().as_chunks::<PAGE_LEN>().0;
        let found = medium.bytes.as_chunks::<PAGE_LEN>().0;
        let is_wrong = |&page: &usize| found.get(page) != Some(&sealed[page]);
        let wrong = (0..sealed.len()).filter(is_wrong).map(|page| page as u64);
        wrong.chain(medium.unreadable.iter().copied()).collect()
    }

    /// The promise, worked out from nothing but the numbering: at most m pages of a column, counted
    /// modulo L from the body through to the parity, and one copy of each digest page.
    pub(crate) fn verdict(&self, medium: &Medium) -> Verdict {
        let geometry = self.geometry();
        let mut lost_of_column: BTreeMap<u64, u64> = BTreeMap::new();
        let mut lost_digests: BTreeMap<u64, u64> = BTreeMap::new();
        for page in self.wrong_pages(medium) {
            let (region, index) = geometry.locate(PageNo::new(page)).unwrap();
            let number = match region {
                Region::Body => index,
                Region::Parity => geometry.body_pages() + index,
                Region::DigestsA | Region::DigestsB => {
                    *lost_digests.entry(index).or_default() += 1;
                    continue;
                }
                Region::Header | Region::Footer | Region::WordChecks => continue,
            };
            *lost_of_column.entry(number % geometry.columns()).or_default() += 1;
        }
        let most = u64::from(geometry.scheme().parity());
        match lost_of_column.values().all(|&lost| lost <= most) && lost_digests.values().all(|&lost| lost < 2)
        {
            true => Verdict::Promised,
            false => Verdict::Beyond,
        }
    }

    /// Examines the whole file and judges what comes of it.
    #[track_caller]
    pub(crate) fn judge(&self, medium: &Medium, what: &str) -> Verdict {
        self.judge_pages(medium, 0..self.geometry().total_pages(), what)
    }

    /// Examines some pages and judges what comes of them.
    #[track_caller]
    pub(crate) fn judge_pages(&self, medium: &Medium, pages: std::ops::Range<u64>, what: &str) -> Verdict {
        let verdict = self.verdict(medium);
        let wrong = self.wrong_pages(medium);
        let sealed = self.image.as_bytes().as_chunks::<PAGE_LEN>().0;
        let context = || format!("{}: {what}", self.name);
        let mut ladder = Ladder::new(self.image.descriptor().clone(), medium.clone());
        let found = ladder.examine(PageNo::new(pages.start)..PageNo::new(pages.end));

        let mut seen = BTreeSet::new();
        for finding in &found.findings {
            let page = finding.page.get();
            assert!(seen.insert(page), "{}: page {page} is found twice", context());
            let is_transient = finding.rung == Rung::Transient;
            let rotten = medium.rotten_cache.contains(&page) && !wrong.contains(&page);
            assert!(!is_transient || rotten, "{}: page {page} is called transient", context());
            if finding.rung != Rung::Lost {
                assert!(wrong.contains(&page) || rotten, "{}: page {page} was right, {finding:?}", context());
            } else {
                assert_eq!(verdict, Verdict::Beyond, "{}: {finding:?}", context());
            }
        }
        for &page in wrong.range(pages.clone()) {
            assert!(seen.contains(&page), "{}: page {page} is wrong and was not found", context());
        }
        let mut healed: BTreeSet<u64> = BTreeSet::new();
        for patch in &found.patches {
            assert_eq!(
                *patch.bytes,
                sealed[patch.page.get() as usize],
                "{}: WRONG BYTES in {patch:?}",
                context()
            );
            healed.insert(patch.page.get());
        }
        let lost = found.lost();
        for &page in wrong.range(pages.clone()) {
            let is_lost = lost.iter().any(|range| range.contains(&PageNo::new(page)));
            assert!(
                healed.contains(&page) != is_lost,
                "{}: page {page} is neither healed nor lost",
                context()
            );
        }
        self.judge_body(ladder, &pages, &context);
        verdict
    }

    /// Reads the body pages among `pages` and compares them.
    #[track_caller]
    fn judge_body(
        &self,
        mut ladder: Ladder<Medium>,
        pages: &std::ops::Range<u64>,
        context: &dyn Fn() -> String,
    ) {
        let all = self.geometry().body_pages();
        let body = pages.start.max(1) - 1..pages.end.saturating_sub(1).min(all);
        if body.is_empty() {
            return;
        }
        match ladder.read_body(body.clone()) {
            Ok(read) => {
                let from = self.image.as_bytes()[PAGE_LEN..].as_chunks::<PAGE_LEN>().0;
                let sealed = from[body.start as usize..body.end as usize].as_flattened();
                assert!(read.bytes == sealed, "{}: WRONG BYTES were read", context());
            }
            Err(loss) => {
                assert!(!loss.pages.is_empty(), "{}: a loss that names nothing", context());
                assert!(loss.to_string().contains("lost (pages"), "{loss}");
            }
        }
    }

    /// The descriptor as the damaged file tells it.
    pub(crate) fn find_descriptor(&self, medium: &Medium) -> Result<Descriptor, page_ecc::DescriptorError> {
        let pages = medium.bytes.as_chunks::<PAGE_LEN>().0;
        let ends: Vec<&Page> = pages.first().into_iter().chain(pages.last()).collect();
        let found = Descriptor::find(&ends)?;
        let own = found.iter().find(|found| Ladder::new((*found).clone(), medium.clone()).is_borne_out());
        Ok(own.unwrap_or(&found[0]).clone())
    }
}
