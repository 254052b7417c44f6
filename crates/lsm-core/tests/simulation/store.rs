//! A store whose tables are sorted lists.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use lsm_core::{
    BusySet, Claim, CompactionJob, CompactionStrategy, FileId, JobKind, KeyBounds, Level, PlanContext, RunNo,
    TableChange, TableMeta, TreeId, Version,
};
use page_ecc::{Descriptor, SealOptions, Uid};
use sst_format::{KeyOrder, SeqNo};

pub(crate) const TREE: TreeId = TreeId::new(1);

const ORDER: &KeyOrder = &KeyOrder::Bytes;

/// No store here needs more jobs than this to come to rest.
const JOBS_MAX: usize = 2000;

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u32,
    seq: u64,
    deletes: bool,
}

/// SplitMix64.
pub(crate) struct Random(u64);

pub(crate) struct Store {
    pub(crate) version: Version,
    pub(crate) random: Random,
    /// Entries that jobs wrote.
    pub(crate) written: u64,
    /// Entries that were flushed.
    pub(crate) flushed: u64,
    /// Jobs by reason and kind.
    pub(crate) seen: BTreeMap<String, u64>,
    tables: HashMap<FileId, Arc<Vec<Entry>>>,
    descriptors: HashMap<usize, Descriptor>,
    model: BTreeMap<u32, Entry>,
    deletes_of_eight: u64,
    entry_bytes: usize,
    files: u64,
    seq: u64,
    runs: u64,
    busy: BusySet,
    jobs: Vec<(CompactionJob, Claim)>,
}

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl Store {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            version: Version::default(),
            random: Random(seed),
            written: 0,
            flushed: 0,
            seen: BTreeMap::new(),
            tables: HashMap::new(),
            descriptors: HashMap::new(),
            model: BTreeMap::new(),
            deletes_of_eight: 2,
            entry_bytes: 1,
            files: 1,
            seq: 0,
            runs: 0,
            busy: BusySet::default(),
            jobs: Vec::new(),
        }
    }

    pub(crate) fn without_deletes(seed: u64) -> Self {
        Self { deletes_of_eight: 0, ..Self::new(seed) }
    }

    /// A store whose entries take so many bytes each.
    pub(crate) fn with_entries_of(entry_bytes: usize) -> Self {
        Self { entry_bytes, ..Self::without_deletes(1) }
    }

    pub(crate) fn next_file(&self) -> FileId {
        FileId::new(self.files)
    }

    pub(crate) fn running(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn entries(&self) -> usize {
        self.version.tables().map(|(_, _, table)| self.tables[&table.id].len()).sum()
    }

    /// Every table's level and run, and how many entries and deletes it holds.
    pub(crate) fn shape(&self) -> Vec<(Level, RunNo, u64, u64)> {
        let tables = self.version.tables();
        tables.map(|(level, run, table)| (level, run, table.entries, table.deletes)).collect()
    }

    pub(crate) fn readable(&self) -> usize {
        self.model.values().filter(|entry| !entry.deletes).count()
    }

    /// A new run of level 0: one table, or now and then two.
    pub(crate) fn flush(&mut self, keys: &[u32]) {
        self.runs += 1;
        let entries = self.write(keys);
        self.flushed += entries.len() as u64;
        let run = RunNo::new(self.runs);
        let cut = if self.random.below(3) == 0 { entries.len().div_ceil(2) } else { entries.len() };
        let parts: Vec<_> = entries.chunks(cut).map(<[Entry]>::to_vec).collect();
        let add = |table| TableChange::Add { level: Level::ZERO, run, table };
        let changes: Vec<_> = parts.into_iter().map(|part| self.table(part)).map(add).collect();
        self.version = self.version.with(ORDER, &changes).unwrap();
    }

    /// A table in a deeper level, newer than all that was written: place the deepest first.
    pub(crate) fn place(&mut self, level: Level, keys: &[u32]) {
        let entries = self.write(keys);
        let table = self.table(entries);
        let change = TableChange::Add { level, run: RunNo::new(0), table };
        self.version = self.version.with(ORDER, &[change]).unwrap();
    }

    fn write(&mut self, keys: &[u32]) -> Vec<Entry> {
        let mut batch = BTreeMap::new();
        for &key in keys {
            self.seq += 1;
            let deletes = self.random.below(8) < self.deletes_of_eight;
            batch.insert(key, Entry { key, seq: self.seq, deletes });
        }
        self.model.extend(batch.iter().map(|(key, entry)| (*key, *entry)));
        batch.into_values().collect()
    }

    /// A sealed body of `entry_bytes` for each entry.
    fn table(&mut self, entries: Vec<Entry>) -> Arc<TableMeta> {
        let id = FileId::new(self.files);
        self.files += 1;
        let (first, last) = (entries.first().unwrap(), entries.last().unwrap());
        let key = |entry: &Entry| Bytes::copy_from_slice(&entry.key.to_be_bytes());
        let body_len = entries.len() * self.entry_bytes;
        let seal = || SealOptions::new(Uid::new([1; 16])).seal(&vec![0; body_len]).unwrap();
        let descriptor = self.descriptors.entry(body_len).or_insert_with(|| seal().descriptor().clone());
        let table = TableMeta {
            id,
            descriptor: descriptor.clone(),
            bounds: KeyBounds::closed(key(first), key(last)),
            seq_low: SeqNo::new(entries.iter().map(|entry| entry.seq).min().unwrap()),
            seq_high: SeqNo::new(entries.iter().map(|entry| entry.seq).max().unwrap()),
            entries: entries.len() as u64,
            deletes: entries.iter().filter(|entry| entry.deletes).count() as u64,
            range_deletes: 0,
            losses: 0,
        };
        self.tables.insert(id, Arc::new(entries));
        Arc::new(table)
    }

    /// Plans, proves and claims one job.
    pub(crate) fn start(&mut self, strategy: &dyn CompactionStrategy) -> bool {
        let context = PlanContext { tree: TREE, order: ORDER, busy: &self.busy };
        let Some(job) = strategy.choose(&self.version, &context) else { return false };
        job.prove(&self.version, ORDER).unwrap();
        assert!(
            !self.jobs.iter().any(|(other, _)| other.conflicts(ORDER, &job) || job.conflicts(ORDER, other))
        );
        let claim = self.busy.claim(ORDER, &job).unwrap();
        *self.seen.entry(format!("{:?} {:?}", job.reason, job.kind)).or_default() += 1;
        self.jobs.push((job, claim));
        true
    }

    pub(crate) fn finish_any(&mut self) {
        if !self.jobs.is_empty() {
            let at = self.random.below(self.jobs.len() as u64) as usize;
            self.finish(at);
        }
    }

    pub(crate) fn finish_all(&mut self) {
        while !self.jobs.is_empty() {
            self.finish(0);
        }
    }

    /// One job after the other, until there is none.
    #[track_caller]
    pub(crate) fn settle(&mut self, strategy: &dyn CompactionStrategy) {
        for _ in 0..JOBS_MAX {
            if !self.start(strategy) {
                return;
            }
            self.finish_all();
        }
        panic!("{JOBS_MAX} jobs and no rest: {:?}", self.seen);
    }

    fn finish(&mut self, at: usize) {
        let (job, claim) = self.jobs.swap_remove(at);
        job.prove(&self.version, ORDER).unwrap();
        let changes = match job.kind {
            JobKind::Move => job.moves(),
            JobKind::Merge | JobKind::Rewrite => {
                let outputs: Vec<_> = self.merge(&job).into_iter().map(|part| self.table(part)).collect();
                job.changes(&outputs)
            }
        };
        self.version = self.version.with(ORDER, &changes).unwrap();
        if job.kind != JobKind::Move {
            for input in &job.inputs {
                self.tables.remove(&input.table.id);
            }
        }
        drop(claim);
    }

    fn merge(&mut self, job: &CompactionJob) -> Vec<Vec<Entry>> {
        let mut merged = BTreeMap::new();
        // Newest place first: what is there already is newer.
        for input in &job.inputs {
            for entry in self.tables[&input.table.id].iter() {
                merged.entry(entry.key).or_insert(*entry);
            }
        }
        let keeps = |entry: &Entry| !entry.deletes || !job.is_bottom_at(ORDER, &entry.key.to_be_bytes());
        let mut outputs = vec![Vec::new()];
        for entry in merged.into_values().filter(|entry| job.kind == JobKind::Rewrite || keeps(entry)) {
            self.written += 1;
            if outputs.last().unwrap().len() as u64 >= job.output_bytes {
                outputs.push(Vec::new());
            }
            outputs.last_mut().unwrap().push(entry);
        }
        outputs.retain(|output| !output.is_empty());
        outputs
    }

    /// The law, key by key.
    #[track_caller]
    pub(crate) fn check(&self) {
        let mut newest = HashMap::<u32, Entry>::new();
        let mut last = HashMap::<u32, u64>::new();
        for (_, _, table) in self.version.tables() {
            for entry in self.tables[&table.id].iter() {
                newest.entry(entry.key).or_insert(*entry);
                let above = last.insert(entry.key, entry.seq).unwrap_or(u64::MAX);
                assert!(entry.seq < above, "key {} of {} below {above}", entry.key, entry.seq);
            }
        }
        let found = newest.values().filter(|entry| !entry.deletes).map(|entry| (entry.key, entry.seq));
        let found: BTreeMap<_, _> = found.collect();
        let expected = self.model.values().filter(|entry| !entry.deletes).map(|entry| (entry.key, entry.seq));
        assert!(expected.eq(found), "what is read is not what was written");
    }
}
