//! What healing writes, and what scrubbing reads: counted, not timed.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use lsm_io::{ByteLen, CountingFs, Damage, FaultFs, FaultPlan, FileOffset, MemFs, Op, Rot};
use resilver::{Db, HealMode, Healing};
use resilver_tests::budget;

use super::patient::{PAGE, STORE, files, heal, options, pages_of, scrub};

/// One large table, and some of a log.
fn large() -> (FaultFs, CountingFs, Db) {
    let keys = if budget::is_night() { 60_000_u32 } else { 15_000 };
    let faults = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(1));
    let counting = CountingFs::new(Arc::new(faults.clone()));
    let large = options(Arc::new(counting.clone())).table_bytes(128 << 20).memtable_bytes(128 << 20);
    let db = large.open(STORE).unwrap();
    (0..keys).for_each(|number| db.put(&number.to_be_bytes(), &[number as u8; 1000]).unwrap());
    db.compact().unwrap();
    (0..100_u32).for_each(|number| db.put(&number.to_be_bytes(), b"newer").unwrap());
    db.sync().unwrap();
    (faults, counting, db)
}

fn written(fs: &CountingFs, name: &str) -> u64 {
    (fs.tally(name, Op::Write).bytes + fs.tally(name, Op::Append).bytes).get()
}

#[test]
fn a_bit_is_healed_by_one_page_and_a_little_bookkeeping() {
    let (faults, counting, db) = large();
    let tables = files(&faults, ".table");
    let table_bytes = pages_of(&faults, &tables[0]) * PAGE;
    assert!(tables.len() == 1 && table_bytes > 15_000_000, "{table_bytes} bytes");
    let at = FileOffset::new(table_bytes / 2);
    faults.damage(&tables[0], Damage::new(at, ByteLen::new(1), Rot::Flip { bits: 1 })).unwrap();
    scrub(&db).unwrap();
    counting.reset();
    let report = heal(&db, HealMode::InPlace).unwrap();
    assert_eq!(report.files[0].healed.outcome, Healing::InPlace { pages: 1 });
    let (table, all) = (written(&counting, ".table"), written(&counting, ""));
    assert!(table <= 4 << 10 && all <= 32 << 10, "{table} bytes to the table, {all} in all");
}

/// How often each page of each file was read, from the medium or through a cache.
fn page_reads(fs: &FaultFs, since: u64) -> BTreeMap<(PathBuf, u64), u64> {
    let mut reads = BTreeMap::new();
    let trace = fs.trace();
    assert!(trace[0].number <= since + 1, "the trace begins too late");
    let is_read = |op| matches!(op, Op::Read | Op::ReadMedium);
    for traced in trace.into_iter().filter(|traced| traced.number > since && is_read(traced.op)) {
        let Some((offset, len)) = traced.span else { continue };
        for page in offset.get() / PAGE..(offset + len).get().div_ceil(PAGE) {
            *reads.entry((traced.path.clone(), page)).or_default() += 1;
        }
    }
    reads
}

#[test]
fn a_scrub_reads_every_page_and_hardly_any_twice() {
    let (faults, _, db) = large();
    // So that the table of its notes is there, and reads of it are not told from the scrub's.
    scrub(&db).unwrap();
    let since = faults.trace().last().unwrap().number;
    let report = scrub(&db).unwrap();
    let reads = page_reads(&faults, since);
    // What says where everything else is, is needed first, and met again on the way.
    let more: Vec<_> = reads.iter().filter(|(_, count)| **count > 3).collect();
    assert!(more.is_empty(), "read again and again: {more:?}");
    let (pages, sum) = (reads.len() as u64, reads.values().sum::<u64>());
    assert!(sum * 100 <= pages * 102, "{sum} reads of {pages} pages");
    assert!(pages * 100 <= report.pages * 102, "{pages} pages read, {} looked at", report.pages);
    for path in ["table", "-a", "-b"].iter().flat_map(|ending| files(&faults, ending)) {
        let left_out = (0..pages_of(&faults, &path)).find(|page| !reads.contains_key(&(path.clone(), *page)));
        assert_eq!(left_out, None, "a page of {} is left out", path.display());
    }
}
