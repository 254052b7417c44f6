//! What is told of one segment file, alone and in any state.

use std::path::{Path, PathBuf};

use lsm_io::{Access, FileOffset, Fs};
use lsm_wal::{Durability, Extent, InspectError, SegmentRecord, inspect, inspect_page};

use crate::bench::{Bench, STORE};

const PAGE: u64 = 4096;

/// A log of one segment with groups of more than a page.
fn written() -> (Bench, SegmentRecord, PathBuf) {
    let bench = Bench::new();
    let log = bench.open();
    for index in 0..6u8 {
        log.append(vec![index; 5000], 3, Durability::Synced).unwrap();
    }
    log.close().unwrap();
    let record = bench.records()[0];
    (bench, record, record.path("/".as_ref()))
}

fn overwrite(fs: &dyn Fs, path: &Path, page: u64, bytes: &[u8]) {
    let file = fs.open(path, Access::ReadWrite).unwrap();
    file.write_at(FileOffset::new(page * PAGE), bytes).unwrap();
}

fn page_of(fs: &dyn Fs, path: &Path, page: u64) -> Vec<u8> {
    let file = fs.open(path, Access::ReadOnly).unwrap();
    file.read_to_vec(FileOffset::new(page * PAGE), PAGE as usize).unwrap()
}

#[test]
fn a_whole_segment_is_told_with_its_groups() {
    let (bench, record, path) = written();
    let told = inspect(&bench.fs, &path, None).unwrap();
    assert_eq!((told.record, told.len), (record, record.file_len()));
    let header = told.header.unwrap();
    assert_eq!((header.store, header.first.get(), header.predecessor), (STORE, 1, None));
    assert_eq!((told.held.groups, told.held.gaps), (6, 0));
    let (first, next) = told.held.numbers.unwrap();
    assert_eq!((first.get(), next.get()), (1, 19));
    assert!(told.held.used > 6 * 5000 && told.held.used < record.file_len() / 2);
    assert!(told.mendable.is_empty() && told.lost.is_empty());
    assert_eq!((told.not_yet_twice, told.unproven, told.cut_off), (0, 0, 0));
}

#[test]
fn a_page_gone_from_either_extent_is_told_with_its_right_bytes() {
    for page in 0..4 {
        for extent in [Extent::A, Extent::B] {
            let (bench, record, path) = written();
            let page = page + if extent == Extent::B { record.extent_pages } else { 0 };
            let right = page_of(&*bench.fs, &path, page);
            for wrong in [[0; PAGE as usize], [0xEE; PAGE as usize]] {
                overwrite(&*bench.fs, &path, page, &wrong);
                let told = inspect(&bench.fs, &path, None).unwrap();
                assert_eq!(told.mendable.to_string(), page.to_string());
                assert_eq!((told.held.groups, told.lost.page_count()), (6, 0), "page {page}");
                let seen = inspect_page(&bench.fs, &path, None, page).unwrap().unwrap();
                assert_eq!((seen.extent, seen.right.unwrap().to_vec() == right), (extent, true));
            }
        }
    }
}

#[test]
fn a_page_gone_from_both_extents_is_lost() {
    let (bench, record, path) = written();
    for page in [3, record.extent_pages + 3] {
        overwrite(&*bench.fs, &path, page, &[0; PAGE as usize]);
    }
    let told = inspect(&bench.fs, &path, None).unwrap();
    assert_eq!(told.lost.to_string(), format!("3, {}", record.extent_pages + 3));
    assert!(told.held.groups < 6 && told.held.gaps == 1, "{:?}", told.held);
}

#[test]
fn what_a_manifest_knows_stands_in_for_a_header_that_is_gone() {
    let (bench, record, path) = written();
    for page in [0, record.extent_pages] {
        overwrite(&*bench.fs, &path, page, &[0xEE; PAGE as usize]);
    }
    assert!(matches!(inspect(&bench.fs, &path, None), Err(InspectError::NotASegment)));
    let told = inspect(&bench.fs, &path, Some(record)).unwrap();
    assert_eq!((told.header, told.held.groups), (None, 6));
    assert_eq!(told.lost.to_string(), format!("0, {}", record.extent_pages));
}

#[test]
fn a_segment_cut_short_is_told_as_far_as_it_goes() {
    let (bench, record, path) = written();
    let whole = bench.fs.open(&path, Access::ReadOnly).unwrap();
    let start = whole.read_to_vec(FileOffset::ZERO, 5 * PAGE as usize).unwrap();
    let short = Path::new("/short");
    bench.fs.create(short).unwrap().write_at(FileOffset::ZERO, &start).unwrap();
    let told = inspect(&bench.fs, short, None).unwrap();
    assert_eq!(told.cut_off, 2 * record.extent_pages - 5);
    assert!((1..6).contains(&told.held.groups), "{:?}", told.held);
    assert_eq!(inspect_page(&bench.fs, short, None, 2 * record.extent_pages).unwrap(), None);
}

#[test]
fn what_is_no_segment_is_said_to_be_none() {
    let (bench, ..) = written();
    let rows: [(&str, &[u8], bool); 4] = [
        ("/empty", &[], true),
        ("/zeros", &[0; 8192], true),
        ("/short", b"something else", false),
        ("/long", &[7; 20_000], false),
    ];
    for (path, bytes, is_unused) in rows {
        bench.fs.create(path.as_ref()).unwrap().write_at(FileOffset::ZERO, bytes).unwrap();
        let error = inspect(&bench.fs, path.as_ref(), None).unwrap_err();
        assert_eq!(matches!(error, InspectError::Unused), is_unused, "{path}: {error}");
        assert_eq!(matches!(error, InspectError::NotASegment), !is_unused, "{path}: {error}");
    }
    assert!(matches!(inspect(&bench.fs, "/none".as_ref(), None), Err(InspectError::Io(_))));
}
