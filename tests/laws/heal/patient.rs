//! A store with known contents, and files of it to be hurt.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{Access, FileOffset, Fs, Rng};
use resilver::{
    Background, Db, HealMode, HealReport, Options, PatrolOptions, Scan, ScrubControl, ScrubReport, verify,
};

/// Where stores are.
pub(super) const STORE: &str = "/store";

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;

/// A key.
pub(super) fn key(number: u32) -> Vec<u8> {
    format!("key{number:06}").into_bytes()
}

/// What it must have for a value.
pub(super) fn value(number: u32) -> Vec<u8> {
    let mut rng = Rng::new(u64::from(number));
    (0..200 + number % 100).map(|_| rng.next_u64() as u8).collect()
}

/// A store that does everything on the thread that asks for it, and reads from the medium each time.
pub(super) fn options(fs: Arc<dyn Fs>) -> Options {
    Options::new()
        .fs(fs)
        .background(Background::Inline)
        .memtable_bytes(256 << 10)
        .table_bytes(64 << 10)
        .segment_bytes(256 << 10)
        .cache_bytes(0)
        .pinned_bytes(0)
}

/// Writes keys, each with its value.
pub(super) fn fill(db: &Db, numbers: std::ops::Range<u32>) {
    numbers.for_each(|number| db.put(&key(number), &value(number)).unwrap());
}

/// Whether exactly the keys below `count` are there, each with its value, by gets and by a scan.
pub(super) fn reads_right(db: &Db, count: u32) -> Result<(), String> {
    for number in 0..count {
        match db.get(&key(number)) {
            Ok(Some(found)) if found == value(number) => {}
            other => return Err(format!("key {number}: {}", told_of(&other))),
        }
    }
    let mut scanned = 0;
    for item in db.scan(Scan::all()).map_err(|error| told(&error))? {
        let (found, held) = item.map_err(|error| told(&error))?;
        if found != key(scanned) || held != value(scanned) {
            return Err(format!("a scan shows something else for key {scanned}"));
        }
        scanned += 1;
    }
    if scanned == count { Ok(()) } else { Err(format!("a scan shows {scanned} keys of {count}")) }
}

fn told_of(answer: &Result<Option<bytes::Bytes>, resilver::Error>) -> String {
    match answer {
        Ok(Some(found)) => format!("{} wrong bytes", found.len()),
        Ok(None) => "not there".into(),
        Err(error) => told(error),
    }
}

/// An error with its causes.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A pass over everything, as fast as can be; it goes on where one was cut short.
pub(super) fn scrub(db: &Db) -> Result<ScrubReport, String> {
    let options = PatrolOptions::new().bytes_per_sec(0);
    db.scrub(&options, &ScrubControl::new()).map_err(|error| format!("scrubbing: {}", told(&error)))
}

/// Heals what is known to be wrong; all of it must be whole afterwards.
pub(super) fn heal(db: &Db, mode: HealMode) -> Result<HealReport, String> {
    let report = db.heal(mode).map_err(|error| format!("healing: {}", told(&error)))?;
    if report.is_whole() && db.hints().is_empty() {
        return Ok(report);
    }
    Err(format!("not all is healed: {report:?}, left {:?}", db.hints()))
}

/// Whether no page of a closed store is wrong.
pub(super) fn is_clean(fs: Arc<dyn Fs>) -> Result<(), String> {
    let verified =
        verify(STORE, &options(fs), |_| {}).map_err(|error| format!("verify: {}", told(&error)))?;
    if verified.bad.is_empty() && verified.log_losses.is_empty() {
        return Ok(());
    }
    let bad: Vec<_> = verified.bad.iter().map(|bad| (&bad.file, bad.page, bad.state)).collect();
    Err(format!("not clean: {bad:?}, log {:?}", verified.log_losses))
}

/// The store's files whose names end so, in order.
pub(super) fn files(fs: &dyn Fs, ending: &str) -> Vec<PathBuf> {
    let listed = fs.list(STORE.as_ref()).unwrap();
    let names = listed.into_iter().map(|entry| entry.name.to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(ending)).map(|name| Path::new(STORE).join(name)).collect()
}

/// How many pages a file has.
pub(super) fn pages_of(fs: &dyn Fs, path: &Path) -> u64 {
    fs.open(path, Access::ReadOnly).unwrap().len().unwrap().get() / PAGE
}

/// Turns the bytes of pages over where they lie, durably.
pub(super) fn spoil(fs: &dyn Fs, path: &Path, pages: std::ops::Range<u64>) {
    let file = fs.open(path, Access::ReadWrite).unwrap();
    let at = FileOffset::new(pages.start * PAGE);
    let mut bytes = file.read_to_vec(at, ((pages.end - pages.start) * PAGE) as usize).unwrap();
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
    file.write_at(at, &bytes).unwrap();
    file.sync().unwrap();
}
