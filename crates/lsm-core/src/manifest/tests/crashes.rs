//! Power cuts before every change of the disk, in every way a disk may take one.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use lsm_io::{Crash, Fs, MemFs, Piece};
use page_ecc::Uid;
use parking_lot::Mutex;

use super::{
    super::{Manifest, ManifestError, ManifestFault},
    beds::{content, open, read, worker},
    histories::{STORE, edit, outcome},
    hook_fs::HookFs,
};
use crate::{Catalog, KeyOrders};

const EDITS: usize = 9;
/// Not even created.
const NOTHING: usize = usize::MAX;

/// How many edits are acknowledged, and how many may be there.
#[derive(Clone, Copy, Debug)]
struct Legal {
    acknowledged: usize,
    begun: usize,
}

fn crashes(salt: u64) -> impl Iterator<Item = Crash> {
    let pieces = [Piece::Page, Piece::Sector, Piece::Torn];
    let some = pieces.into_iter().zip(0..).map(move |(piece, at)| {
        let seed = salt.wrapping_mul(31).wrapping_add(at);
        Crash::KeepSome { seed, piece }
    });
    std::iter::once(Crash::LoseUnsynced).chain(some)
}

impl Legal {
    /// Whether what a disk says is what it may say; how many edits that is.
    fn check(self, disk: &MemFs) -> Result<usize, String> {
        let recovered = match read(Arc::new(disk.clone())) {
            Err(ManifestError::NotAStore { .. } | ManifestError::Unfinished { .. })
                if self.acknowledged == NOTHING =>
            {
                return Ok(0);
            }
            recovered => recovered.map_err(|error| format!("refused: {error}"))?,
        };
        let of_damage = |fault: &ManifestFault| fault.is_damage();
        if let Some(found) = recovered.findings().iter().find(|found| of_damage(&found.fault)) {
            return Err(format!("a power cut is taken for damage: {found:?}"));
        }
        let found = recovered.catalog().to_edit();
        let least = if self.acknowledged == NOTHING { 0 } else { self.acknowledged };
        let mut legal = least..=self.begun;
        legal.find(|&edits| outcome(0..edits) == found).ok_or_else(|| format!("neither of {self:?}"))
    }

    /// Whether the store can be opened for writing and goes on from there; also if the power fails again before
    /// any change that opening makes.
    fn check_open(self, disk: &MemFs, again: Again) -> Result<(), String> {
        let edits = self.check(disk)?;
        let worker = worker();
        let failures = Arc::new(Mutex::new(Vec::new()));
        let told = failures.clone();
        let within = Self { acknowledged: self.acknowledged, begun: self.begun };
        let hook = move |disk: &MemFs, what: &str| {
            if again == Again::Crash {
                let crashed = crashes(what.len() as u64).map(|how| (how, disk.crash(how)));
                let bad = crashed.filter_map(|(how, left)| {
                    let checked = within.check_open(&left, Again::Never);
                    checked.err().map(|error| format!("opening, before {what}, {how:?}: {error}"))
                });
                told.lock().extend(bad);
            }
        };
        let fs = HookFs { disk: disk.clone(), hook: Arc::new(hook) };
        let (manifest, _) =
            open(Arc::new(fs), &worker, 77).map_err(|error| format!("not opened: {error}"))?;
        let found = manifest.catalog().to_edit();
        if found != outcome(0..edits) || !manifest.is_settled() {
            return Err("opening changed what it says".into());
        }
        drop(manifest);
        let (manifest, _) = open(Arc::new(disk.clone()), &worker, 78).map_err(|error| error.to_string())?;
        manifest.record(&edit(edits)).map_err(|error| error.to_string())?;
        let left = disk.crash(Crash::LoseUnsynced);
        if content(Arc::new(left)).map_err(|error| error.to_string())? != outcome(0..=edits) {
            return Err("what was recorded after opening is not there".into());
        }
        failures.lock().pop().map_or(Ok(()), Err)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Crash,
    Never,
}

/// Runs a history and cuts the power before each change; opens the store after each cut, and after every
/// `nth_again` one cuts it again while it opens.
fn cut_everywhere(nth_again: usize) {
    let acknowledged = Arc::new(AtomicUsize::new(NOTHING));
    let begun = Arc::new(AtomicUsize::new(0));
    let (cuts, failures) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (of, told) = ((acknowledged.clone(), begun.clone(), cuts.clone()), failures.clone());
    let hook = move |disk: &MemFs, what: &str| {
        let legal = Legal { acknowledged: of.0.load(Ordering::SeqCst), begun: of.1.load(Ordering::SeqCst) };
        let cut = of.2.fetch_add(1, Ordering::SeqCst);
        for (way, how) in crashes(cut as u64).enumerate() {
            let again = if (cut * 4 + way).is_multiple_of(nth_again) { Again::Crash } else { Again::Never };
            if let Err(error) = legal.check_open(&disk.crash(how), again) {
                told.lock().push(format!("cut {cut}, before {what}, {how:?}: {error}"));
            }
        }
        // After a kill opening reads what no power cut has left yet, and must not lean on it.
        let again = if cut.is_multiple_of(nth_again.div_ceil(20)) { Again::Crash } else { Again::Never };
        if let Err(error) = legal.check_open(&disk.fork(), again) {
            told.lock().push(format!("cut {cut}, before {what}, a kill: {error}"));
        }
    };
    let fs: Arc<HookFs> = Arc::new(HookFs { disk: MemFs::new(), hook: Arc::new(hook) });
    let worker = worker();
    let mut manifest = open(fs.clone(), &worker, 1).unwrap().0;
    acknowledged.store(0, Ordering::SeqCst);
    for number in 0..EDITS {
        if number == 5 {
            drop(manifest);
            manifest = open(fs.clone(), &worker, 2).unwrap().0;
        }
        begun.store(number + 1, Ordering::SeqCst);
        manifest.record(&edit(number)).unwrap();
        acknowledged.store(number + 1, Ordering::SeqCst);
    }
    manifest.roll().unwrap();
    assert!(cuts.load(Ordering::SeqCst) > 100);
    let failures = failures.lock();
    assert!(failures.is_empty(), "{} failures, first: {}", failures.len(), failures[0]);
}

#[test]
fn acknowledged_edits_survive_a_power_cut_anywhere_and_another_while_opening() {
    cut_everywhere(29);
}

#[test]
fn a_checkpoint_cut_short_is_no_store_and_never_an_empty_one() {
    let whole = edit(0);
    let catalog = Catalog::new(STORE).with(&KeyOrders::default(), &whole).unwrap().as_checkpoint();
    let failures = Arc::new(Mutex::new(Vec::new()));
    let (told, expected) = (failures.clone(), catalog.to_edit());
    let hook = move |disk: &MemFs, what: &str| {
        for how in (0..8).flat_map(crashes) {
            let found = content(Arc::new(disk.crash(how)));
            let is_right = match &found {
                Ok(found) => *found == expected,
                Err(error) => {
                    matches!(error, ManifestError::NotAStore { .. } | ManifestError::Unfinished { .. })
                }
            };
            if !is_right {
                told.lock().push(format!("before {what}, {how:?}: {found:?}"));
            }
        }
    };
    let fs: Arc<dyn Fs> = Arc::new(HookFs { disk: MemFs::new(), hook: Arc::new(hook) });
    let (dir, orders, nonce) = (Path::new("/store"), KeyOrders::default(), Uid::new([3; 16]));
    Manifest::create_from(&fs, dir, &worker(), &orders, catalog, nonce).unwrap();
    let failures = failures.lock();
    assert!(failures.is_empty(), "{} failures, first: {}", failures.len(), failures[0]);
}
