//! Looks at every page of a pair with as many threads as help, and keeps what it found in little
//! space.
//!
//! Patches are kept up to a bound and given up beyond it: whoever heals then works them out anew.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use page_ecc::{
    Evidence, Examination, Fault, Finding, Ladder, PAGE_LEN, PageNo, Patch, ReadFrom, Region, Rung,
};

use crate::foresee;
use crate::pair::Pair;
use crate::progress::Progress;
use crate::spans::Spans;

/// Threads at most; each takes about 20 MiB while it rebuilds.
pub(crate) const THREADS_MAX: usize = 4;
/// Pages that a thread takes at a time: 4 MiB.
const UNIT_PAGES: u64 = 1024;
/// Stretches that are listed, of damage and of losses each; the rest is only counted.
const LISTED_MAX: usize = 1 << 17;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) checked: u64,
    pub(crate) evidence: Evidence,
    /// Body pages that neither a second read nor turning bits back made right.
    pub(crate) body_strange: u64,
    /// Body pages that are wrong on the medium, lost ones included.
    pub(crate) body_wrong: u64,
    /// Damage that can be put right, in the order of the file.
    pub(crate) damaged: Vec<Stretch>,
    pub(crate) lost: Vec<Stretch>,
    /// Pages of stretches beyond those listed.
    pub(crate) unlisted: u64,
    /// What heals all of it; `None` if that is more than was to be kept.
    pub(crate) patches: Option<Vec<Patch>>,
}

/// Neighbouring pages that were wrong in the same way and that the same thing helped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stretch {
    pub(crate) pages: Range<u64>,
    pub(crate) region: Region,
    pub(crate) fault: Fault,
    pub(crate) rung: Rung,
}

/// How to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Where every read comes from, if not from wherever the ladder asks.
    pub(crate) always: Option<ReadFrom>,
    /// Bytes of patches to keep.
    pub(crate) patch_bytes: u64,
}

impl Survey {
    pub(crate) fn has_loss(&self) -> bool {
        self.evidence.lost > 0
    }

    /// Pages that are wrong on the medium.
    pub(crate) fn wrong(&self) -> u64 {
        self.evidence.healable() + self.evidence.lost
    }
}

/// Looks at some pages of a pair.
pub(crate) fn survey(pair: &Pair, pages: &Spans, look: Look, progress: &Progress) -> Survey {
    let mut found = Survey { checked: pages.count(), patches: Some(Vec::new()), ..Survey::default() };
    let mut foreseen = Vec::new();
    for (fault, lost) in foresee::losses(pair.geometry(), &pair.cut_off()) {
        let lost = Spans::of(pages.iter().flat_map(|range| lost.within(&range).into_ranges()).collect());
        found.foresee(pair, fault, &lost);
        foreseen.extend(lost.iter());
    }
    progress.add(Spans::of(foreseen.clone()).count().saturating_mul(PAGE_LEN as u64));
    let foreseen = Spans::of(foreseen);
    let open = pages.iter().flat_map(|range| foreseen.rest_of(range).into_ranges()).collect();
    let open = Spans::of(open);
    let units = Mutex::new(units(open.clone()));
    let patch_bytes = AtomicU64::new(0);
    let found = Mutex::new(found);
    let work = || {
        let mut ladder = Ladder::new(pair.descriptor.clone(), pair.source(look.always));
        loop {
            let unit = units.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(unit) = unit else { return };
            let mut examination = ladder.examine(PageNo::new(unit.start)..PageNo::new(unit.end));
            let bytes = (examination.patches.len() * PAGE_LEN) as u64;
            let keeps = patch_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= look.patch_bytes;
            if !keeps {
                examination.patches.clear();
            }
            found.lock().unwrap_or_else(PoisonError::into_inner).add(examination, keeps);
            progress.add((unit.end - unit.start) * PAGE_LEN as u64);
        }
    };
    let threads = thread_count().min(open.count().div_ceil(UNIT_PAGES).try_into().unwrap_or(THREADS_MAX));
    thread::scope(|scope| {
        (1..threads).for_each(|_| {
            scope.spawn(work);
        });
        work();
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.settle();
    found
}

/// As many threads as there are processors, within bounds.
pub(crate) fn thread_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX)
}

/// Pages in pieces that one thread takes at a time.
fn units(pages: Spans) -> impl Iterator<Item = Range<u64>> + Send {
    pages.into_ranges().into_iter().flat_map(|range| {
        let end = range.end;
        let mut at = range.start;
        std::iter::from_fn(move || {
            let unit = at..(at + UNIT_PAGES).min(end);
            at = unit.end;
            (!unit.is_empty()).then_some(unit)
        })
    })
}

impl Survey {
    /// Takes in pages that are lost for certain, without a look at them.
    fn foresee(&mut self, pair: &Pair, fault: Fault, lost: &Spans) {
        for region in Region::ALL {
            let at = pair.geometry().region(region);
            for pages in lost.within(&(at.start.get()..at.end.get())).into_ranges() {
                let count = pages.end - pages.start;
                self.evidence.lost += count;
                if region == Region::Body {
                    self.body_strange += count;
                    self.body_wrong += count;
                }
                self.list(Stretch { pages, region, fault, rung: Rung::Lost });
            }
        }
    }

    fn add(&mut self, examination: Examination, keeps_patches: bool) {
        let mut stretch: Option<Stretch> = None;
        for finding in &examination.findings {
            self.evidence.count(finding.rung);
            if finding.region == Region::Body {
                self.body_strange +=
                    u64::from(!matches!(finding.rung, Rung::Transient | Rung::Corrected { .. }));
                self.body_wrong += u64::from(finding.rung != Rung::Transient);
            }
            let next = Stretch::of(finding);
            match &mut stretch {
                Some(last) if last.takes(&next) => last.pages.end = next.pages.end,
                _ => {
                    let done = stretch.replace(next);
                    done.into_iter().for_each(|done| self.list(done));
                }
            }
        }
        stretch.into_iter().for_each(|done| self.list(done));
        match &mut self.patches {
            Some(patches) if keeps_patches => patches.extend(examination.patches),
            patches => *patches = None,
        }
    }

    fn list(&mut self, stretch: Stretch) {
        let list = match stretch.rung {
            Rung::Transient => return,
            Rung::Lost => &mut self.lost,
            _ => &mut self.damaged,
        };
        match list.len() < LISTED_MAX {
            true => list.push(stretch),
            false => self.unlisted += stretch.pages.end - stretch.pages.start,
        }
    }

    /// Puts what the threads found into the order of the file.
    fn settle(&mut self) {
        for list in [&mut self.damaged, &mut self.lost] {
            list.sort_unstable_by_key(|stretch| stretch.pages.start);
            list.dedup_by(|next, last| {
                let merges = last.takes(next);
                if merges {
                    last.pages.end = next.pages.end;
                }
                merges
            });
        }
        self.patches.iter_mut().for_each(|patches| patches.sort_unstable_by_key(|patch| patch.page));
    }
}

impl Stretch {
    fn of(finding: &Finding) -> Self {
        let rung = match finding.rung {
            // How many bits is of no matter to a stretch.
            Rung::Corrected { .. } => Rung::Corrected { bits: 1 },
            rung => rung,
        };
        let first = finding.page.get();
        Self { pages: first..first + 1, region: finding.region, fault: finding.fault, rung }
    }

    /// Whether `next` continues this one.
    fn takes(&self, next: &Self) -> bool {
        self.pages.end == next.pages.start
            && (self.region, self.fault, self.rung) == (next.region, next.fault, next.rung)
    }
}
