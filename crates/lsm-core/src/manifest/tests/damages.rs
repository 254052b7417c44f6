//! Damage to what lies on the disk: any one file in any way, and what goes beyond that.

use std::{path::Path, sync::Arc};

use lsm_io::{ByteLen, Damage, FaultFs, FaultPlan, FileOffset, MemFs, Rng, Rot};

use super::{
    super::ManifestError,
    beds::{DIR, FILE_PAGES, content, disk, files, open, read, worker},
    histories::{edit, outcome},
};
use crate::Edit;

const PAGE: usize = 4096;
const EDITS: usize = 7;

type Files = Vec<(String, Vec<u8>)>;

/// The files of a store with two generations, edits in both.
fn store() -> (Files, Edit) {
    let (disk, worker) = (MemFs::new(), worker());
    let manifest = open(Arc::new(disk.clone()), &worker, 1).unwrap().0;
    for number in 0..EDITS {
        if number == 3 {
            manifest.roll().unwrap();
        }
        manifest.record(&edit(number)).unwrap();
    }
    let files = files(&disk);
    let names: Vec<_> = files.iter().map(|(name, _)| &name[..]).collect();
    let expected = ["MANIFEST-000002-a", "MANIFEST-000002-b", "MANIFEST-000003-a", "MANIFEST-000003-b"];
    assert_eq!(names[..4], expected);
    assert_eq!(names[4..], ["SNAPSHOT-000002", "SNAPSHOT-000003"]);
    (files, outcome(0..EDITS))
}

/// These files, changed.
fn changed(files: &Files, change: impl FnOnce(&mut Files)) -> Files {
    let mut changed = files.clone();
    change(&mut changed);
    changed
}

#[track_caller]
fn check_reading(files: &Files, right: &Edit, what: &str) {
    let content = content(Arc::new(disk(files))).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(content == *right, "{what}: another catalog");
}

/// It says the right thing, and once opened for writing does so without a finding.
#[track_caller]
fn check_healing(files: &Files, right: &Edit, what: &str) {
    check_reading(files, right, what);
    let (disk, worker) = (disk(files), worker());
    let (manifest, _) = open(Arc::new(disk.clone()), &worker, 9).unwrap();
    drop(manifest);
    let recovered = read(Arc::new(disk)).unwrap();
    assert!(recovered.findings().is_empty(), "{what}: {:?}", recovered.findings());
    assert!(recovered.catalog().to_edit() == *right, "{what}: healed to another catalog");
}

#[test]
fn any_garbled_byte_costs_nothing() {
    let (files, right) = store();
    for (index, (name, bytes)) in files.iter().enumerate() {
        let mut garbled = files.clone();
        for at in (index..bytes.len()).step_by(211) {
            garbled[index].1[at] ^= 1 << (at % 8);
            check_reading(&garbled, &right, &format!("{name} byte {at}"));
            garbled[index].1[at] = bytes[at];
        }
    }
}

#[test]
fn any_page_lost_zeroed_or_foreign_costs_nothing() {
    let (files, right) = store();
    for (index, (name, bytes)) in files.iter().enumerate() {
        for page in 0..bytes.len() / PAGE {
            let at = page * PAGE..(page + 1) * PAGE;
            let what = format!("{name} page {page}");
            let with =
                |fill: &[u8]| changed(&files, |files| files[index].1[at.clone()].copy_from_slice(fill));
            check_healing(&with(&[0; PAGE]), &right, &what);
            check_reading(&with(&[0xFF; PAGE]), &right, &what);
            for other in &files {
                let foreign = other.1.get(at.clone()).unwrap_or(&other.1[..PAGE]);
                check_reading(&with(foreign), &right, &format!("{what} from {}", other.0));
            }
            let neighbour = (page + 1) % (bytes.len() / PAGE) * PAGE;
            check_reading(&with(&bytes[neighbour..][..PAGE]), &right, &format!("{what} from its neighbour"));
        }
    }
}

#[test]
fn any_page_that_the_disk_refuses_costs_nothing() {
    let (files, right) = store();
    for (name, bytes) in &files {
        for page in 0..bytes.len() / PAGE {
            let fs = Arc::new(FaultFs::new(Arc::new(disk(&files)), FaultPlan::new(0)));
            let at = FileOffset::new((page * PAGE) as u64);
            let damage = Damage::new(at, ByteLen::new(PAGE as u64), Rot::Unreadable);
            fs.damage(&Path::new(DIR).join(name), damage).unwrap();
            assert!(content(fs).unwrap() == right, "{name} page {page}");
        }
    }
}

#[test]
fn any_hole_of_64_kib_any_cut_and_any_lost_file_cost_nothing() {
    let (files, right) = store();
    for (index, (name, bytes)) in files.iter().enumerate() {
        for page in 0..bytes.len() / PAGE {
            let at = page * PAGE;
            let hole = changed(&files, |files| {
                let end = bytes.len().min(at + (64 << 10));
                files[index].1[at..end].fill(0);
            });
            check_reading(&hole, &right, &format!("{name} hole at page {page}"));
            let cut = changed(&files, |files| files[index].1.truncate(at + page % 2));
            check_healing(&cut, &right, &format!("{name} cut at page {page}"));
        }
        let gone = changed(&files, |files| drop(files.remove(index)));
        check_healing(&gone, &right, &format!("{name} is gone"));
    }
}

#[test]
fn a_snapshot_and_one_copy_of_each_generation_may_go_together() {
    let (files, right) = store();
    for copies in [["-a", "-a"], ["-a", "-b"], ["-b", "-a"], ["-b", "-b"]] {
        let lost = [format!("MANIFEST-000002{}", copies[0]), format!("MANIFEST-000003{}", copies[1])];
        let left = changed(&files, |files| {
            files.retain(|(name, _)| !lost.contains(name) && name != "SNAPSHOT-000003");
        });
        check_healing(&left, &right, &format!("{lost:?} and the snapshot are gone"));
    }
    let left = changed(&files, |files| files.retain(|(name, _)| name.contains("000003")));
    check_healing(&left, &right, "the older generation is gone");
    let left = changed(&files, |files| files.retain(|(name, _)| name.contains("MANIFEST")));
    assert!(content(Arc::new(disk(&left))).is_err());
}

#[test]
fn a_page_gone_from_both_copies_is_told_once_a_mark_stands_behind_it() {
    let disk = MemFs::new();
    let (manifest, _) = open(Arc::new(disk.clone()), &worker(), 1).unwrap();
    for number in 0..2 {
        manifest.record(&edit(number)).unwrap();
    }
    manifest.mark().unwrap();
    let (marked, right) = (files(&disk), content(Arc::new(disk.clone())).unwrap());
    manifest.mark().unwrap();
    assert!(files(&disk) == marked, "it is stated once");
    let newest = |name: &str| name.starts_with("MANIFEST-000002");
    let mut told = 0;
    for (page, fill) in (1..FILE_PAGES as usize).flat_map(|page| [(page, 0), (page, 0xA5)]) {
        let both = changed(&marked, |files| {
            for (_, bytes) in files.iter_mut().filter(|(name, _)| newest(name)) {
                bytes[page * PAGE..(page + 1) * PAGE].fill(fill);
            }
        });
        match content(Arc::new(super::beds::disk(&both))) {
            Ok(found) => assert!(found == right, "page {page} filled with {fill}"),
            Err(error) => {
                assert!(matches!(error, ManifestError::EditLost { .. }), "{error}");
                told += 1;
            }
        }
    }
    assert_eq!(told, 4, "two edits, each of a page");
}

#[test]
fn what_is_beyond_the_copies_is_an_error_and_never_an_older_catalog() {
    let (files, _) = store();
    let lose = |lost: &dyn Fn(&str) -> bool| changed(&files, |files| files.retain(|(name, _)| !lost(name)));
    let read = |files: &Files| content(Arc::new(disk(files))).unwrap_err();
    let error = read(&lose(&|name| name.contains("000003")));
    assert!(matches!(error, ManifestError::GenerationLost { .. }), "{error}");
    let error = read(&lose(&|name| name.starts_with("MANIFEST-000003")));
    assert!(matches!(error, ManifestError::EditLost { .. }), "{error}");
    let error = read(&lose(&|name| name.starts_with("SNAPSHOT")));
    assert!(matches!(error, ManifestError::GenerationLost { .. }), "{error}");
    // Nothing is left that could say how far it went: not even what the generation before says of it.
    let error = read(&lose(&|name| name.starts_with("MANIFEST")));
    assert!(matches!(error, ManifestError::EditLost { number: 4, .. }), "{error}");
    for byte in [0, 0xA5] {
        let blank = changed(&files, |files| files[2..4].iter_mut().for_each(|(_, bytes)| bytes.fill(byte)));
        let error = read(&blank);
        assert!(matches!(error, ManifestError::EditLost { number: 4, .. }), "{error}");
    }
    // The same page of both copies, with an edit on it that is not the last.
    let both =
        changed(&files, |files| files[2..4].iter_mut().for_each(|(_, bytes)| bytes[PAGE..2 * PAGE].fill(0)));
    let error = read(&both);
    assert!(matches!(error, ManifestError::EditLost { number: 4, .. }), "{error}");
}

#[test]
fn any_mix_of_damage_gives_the_right_catalog_or_an_error() {
    let (files, right) = store();
    // The edits of the newest generation and their pages.
    let pages_of = [(3, 1..2), (4, 2..3), (5, 3..4), (6, 4..7)];
    let (mut rights, mut errors) = (0, 0);
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let mut hit = [[false; 64]; 4];
        let (mut mixed, mut told) = (files.clone(), Vec::new());
        for _ in 0..=rng.below(10) {
            let index = rng.below(files.len() as u64) as usize;
            let bytes = &mut mixed[index].1;
            let pages = bytes.len() / PAGE;
            if pages == 0 {
                continue;
            }
            let page = rng.below(pages as u64) as usize;
            let end = match rng.below(4) {
                0 => pages,
                1 => (page + 16).min(pages),
                _ => page + 1,
            };
            let how = rng.below(3);
            let end = if how == 0 { pages } else { end };
            if let Some(hit) = hit.get_mut(index) {
                hit[page..end].fill(true);
            }
            told.push((&files[index].0, page..end, how));
            match how {
                0 => bytes.truncate(page * PAGE),
                1 => bytes[page * PAGE..end * PAGE].fill(0),
                _ => bytes[page * PAGE..end * PAGE].fill(rng.below(255) as u8 + 1),
            }
        }
        match content(Arc::new(disk(&mixed))) {
            Ok(content) if content == right => rights += 1,
            // Both copies of an edit and of all behind it, gone at once, look like edits that were never made.
            Ok(content) => {
                let is_hit = |page: usize| hit[2][page] && hit[3][page];
                let undecidable = pages_of.iter().enumerate().any(|(at, (number, pages))| {
                    pages.clone().any(is_hit)
                        && pages_of[at + 1..].iter().all(|(_, pages)| pages.clone().all(is_hit))
                        && content == outcome(0..*number)
                });
                // So does a generation nothing of which is left, not even in both copies before it.
                let is_forgotten =
                    hit.iter().all(|file| file[7]) && (0..=3).any(|number| content == outcome(0..number));
                assert!(undecidable || is_forgotten, "seed {seed}: an older catalog from {told:?}");
            }
            Err(_) => errors += 1,
        }
    }
    assert!(rights > 50 && errors > 50, "{rights} right, {errors} errors");
}
