//! A tree in miniature: flushes and compactions of random histories through files, held against a reader who
//! forgets nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use sst_format::{MemoryTable, ReadOptions, SpareMemory};

use super::*;
use crate::{
    Change, Edit, FileId, Level, Run, Snapshot, Snapshots, TableChange,
    flush::{flush_edit, flush_retention},
    merge_model::{Deed, Layer, PLACES, Scribe, deed},
    output_cuts::OverlapLimit,
    retention::{Floor, Retention},
};

const ORDER: &KeyOrder = &KeyOrder::Bytes;
/// Of each table of level 2, so that a limit of two of them is two of them.
const BELOW_MAX: u64 = 9_000;

/// What happens to the tree.
#[derive(Clone, Debug)]
enum Step {
    Flush(Vec<Deed>),
    /// All of level 0, into level 1.
    CompactFlushes,
    /// One table of level 1, into level 2.
    CompactTable(prop::sample::Index),
    /// One table, wherever it is, written anew where it stands.
    Rewrite(prop::sample::Index),
    /// From now on, jobs are divided before these of [`PLACES`].
    Cut(Vec<usize>),
    Hold,
    LetGo(prop::sample::Index),
}

struct Tree {
    disk: MemFs,
    worker: EpochWorker,
    version: Version,
    next_file: AtomicU64,
    cuts: Vec<Bytes>,
    snapshots: Snapshots,
    held: Vec<Snapshot>,
    scribe: Scribe,
    /// Everything that ever happened.
    all: Layer,
    contents: BTreeMap<FileId, Layer>,
}

impl Tree {
    fn new() -> Self {
        Self {
            disk: disk(),
            worker: worker(),
            version: Version::default(),
            next_file: AtomicU64::new(1),
            cuts: Vec::new(),
            snapshots: Snapshots::default(),
            held: Vec::new(),
            scribe: Scribe::default(),
            all: Layer::default(),
            contents: BTreeMap::new(),
        }
    }

    fn newest(&self) -> SeqNo {
        SeqNo::new(self.scribe.newest)
    }

    fn live(&self) -> LiveSnapshots {
        self.snapshots.live(self.newest(), || self.newest())
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Flush(deeds) => self.flush(deeds),
            Step::CompactFlushes => {
                let inputs = self.tables(|level, _| level == Level::ZERO);
                self.compact(inputs, Level::new(1));
            }
            Step::CompactTable(which) => {
                let inputs = self.tables(|level, _| level == Level::new(1));
                let one = (!inputs.is_empty()).then(|| which.get(&inputs).clone());
                self.compact(one.into_iter().collect(), Level::new(2));
            }
            Step::Rewrite(which) => self.rewrite(*which),
            Step::Cut(at) => {
                let places: std::collections::BTreeSet<_> = at.iter().map(|at| PLACES[*at]).collect();
                self.cuts = places.into_iter().map(Bytes::from).collect();
            }
            Step::Hold => self.held.push(self.snapshots.take(|| self.newest())),
            Step::LetGo(_) if self.held.is_empty() => {}
            Step::LetGo(which) => drop(self.held.swap_remove(which.index(self.held.len()))),
        }
    }

    fn tables(&self, which: impl Fn(Level, &TableMeta) -> bool) -> Vec<Arc<TableMeta>> {
        let tables = self.version.tables().filter(|(level, _, table)| which(*level, table));
        tables.map(|(_, _, table)| table.clone()).collect()
    }

    fn run(&mut self, input: &Layer, retention: Retention, overlap: OverlapLimit) -> JobOutput {
        let new_file = || {
            let number = self.next_file.fetch_add(1, Relaxed);
            NewFile {
                id: FileId::new(number),
                uid: Uid::new([number as u8; 16]),
                key: None,
                memory: SpareMemory::default(),
            }
        };
        let (dir, worker) = (DIR.as_ref(), &self.worker);
        let fs = Arc::new(self.disk.clone());
        let env =
            JobEnv { fs, dir, worker, spare: &Arc::default(), new_file: &new_file, should_stop: &|| false };
        let shape = OutputShape {
            options: TableOptions::new(),
            order: ORDER.clone(),
            body_bytes: 60,
            overlap,
            birth: None,
        };
        let plan = MergePlan { retention, shape, accepted: Acceptance::default() };
        let inputs = || VecCursor::new(input.entries.clone());
        let output = run_pieces(&inputs, &input.ranges, &plan, &self.cuts, &env, &LastFirst).unwrap();
        let layers = self.read(&output);
        if !self.cuts.is_empty() {
            let whole = run_merge(&mut inputs(), input.ranges.clone(), &plan, &env).unwrap();
            assert_eq!(output.tally, whole.tally);
            let entries = |layers: &[Layer]| Layer::union(layers).entries;
            assert_eq!(entries(&layers), entries(&self.read(&whole)), "pieces keep what one keeps");
        }
        self.contents.extend(output.tables.iter().map(|table| table.id).zip(layers));
        output
    }

    /// What outputs say once they survived a power cut.
    fn read(&self, output: &JobOutput) -> Vec<Layer> {
        let disk = self.disk.crash(Crash::LoseUnsynced);
        output.tables.iter().map(|table| read_back(&disk, table)).collect()
    }

    fn flush(&mut self, deeds: &[Deed]) {
        let mut memtable = Layer::default();
        deeds.iter().for_each(|deed| self.scribe.note(deed, &mut memtable));
        self.all = Layer::union([&self.all, &memtable]);
        let retention = flush_retention(ORDER, &self.version, self.live());
        let output = self.run(&memtable, retention, OverlapLimit::NONE);
        let edit = flush_edit(TreeId::new(1), RunNo::new(self.scribe.newest), &output, self.newest());
        let Edit { changes } = edit;
        let table_changes = changes.into_iter().filter_map(|change| match change {
            Change::Table { change, .. } => Some(change),
            _ => None,
        });
        self.version = self.version.with(ORDER, &table_changes.collect::<Vec<_>>()).unwrap();
    }

    /// Merges tables, and what they overlap in the level they go to, into it.
    fn compact(&mut self, mut inputs: Vec<Arc<TableMeta>>, to: Level) {
        let hull = inputs.iter().map(|table| table.bounds.clone()).reduce(|a, b| a.union(ORDER, &b));
        let Some(hull) = hull else { return };
        inputs.extend(self.tables(|level, table| level == to && table.bounds.overlap(ORDER, &hull)));
        let is_input = |id| inputs.iter().any(|table| table.id == id);
        let floor = Floor::beneath(ORDER, &self.version, is_input);
        let overlap = OverlapLimit::of_tables(
            self.version.runs(to.below()).first().map_or(&[], Run::tables),
            BELOW_MAX,
        );
        let input = Layer::union(inputs.iter().map(|table| &self.contents[&table.id]));
        let output = self.run(&input, Retention::Needed { live: self.live(), floor }, overlap);
        self.swap(&inputs, to, RunNo::new(0), &output);
    }

    fn rewrite(&mut self, which: prop::sample::Index) {
        let tables: Vec<_> =
            self.version.tables().map(|(level, run, table)| (level, run, table.clone())).collect();
        if tables.is_empty() {
            return;
        }
        let (level, run, table) = which.get(&tables);
        let input = self.contents[&table.id].clone();
        let output = self.run(&input, Retention::Everything, OverlapLimit::NONE);
        self.swap(std::slice::from_ref(table), *level, *run, &output);
    }

    fn swap(&mut self, inputs: &[Arc<TableMeta>], level: Level, run: RunNo, output: &JobOutput) {
        let remove = inputs.iter().map(|input| {
            let (level, _, _) = self.version.find(input.id).unwrap();
            TableChange::Remove { level, table: input.id }
        });
        let add = output.tables.iter().map(|table| TableChange::Add { level, run, table: table.clone() });
        self.version = self.version.with(ORDER, &remove.chain(add).collect::<Vec<_>>()).unwrap();
    }

    /// What the tree has on a key: of each run, what the one table over the key says.
    fn found(&self, key: &str) -> Layer {
        let over = self.version.all_runs().filter_map(|(_, run)| run.table_over(ORDER, key.as_bytes()));
        Layer::union(over.map(|table| &self.contents[&table.id]))
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for key in PLACES {
            let (found, bytes) = (self.found(key), key.as_bytes());
            prop_assert_eq!(found.losses(bytes), self.all.losses(bytes), "losses over {}", key);
            let held = self.held.iter().map(Snapshot::seq);
            for snapshot in held.chain([self.newest()]) {
                let (was, is) = (self.all.answer(bytes, snapshot), found.answer(bytes, snapshot));
                prop_assert_eq!(is, was, "{} at {}", key, snapshot);
            }
        }
        Ok(())
    }
}

/// What a table that survived a power cut says.
fn read_back(disk: &MemFs, table: &TableMeta) -> Layer {
    let file = disk.open(&table_path(DIR.as_ref(), table.id), Access::ReadOnly).unwrap();
    let bytes =
        file.read_to_vec(FileOffset::new(page_ecc::PAGE_LEN as u64), table.body_bytes() as usize).unwrap();
    let read =
        MemoryTable::open_body(table.descriptor.uid(), Bytes::from(bytes), ReadOptions::new()).unwrap();
    Layer::of_table(&read)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(deed(), 1..8).prop_map(Step::Flush),
        2 => Just(Step::CompactFlushes),
        2 => any::<prop::sample::Index>().prop_map(Step::CompactTable),
        1 => any::<prop::sample::Index>().prop_map(Step::Rewrite),
        1 => prop::collection::vec(0..PLACES.len(), 0..4).prop_map(Step::Cut),
        1 => Just(Step::Hold),
        1 => any::<prop::sample::Index>().prop_map(Step::LetGo),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_reads_the_same_through_any_flushes_and_compactions(steps in prop::collection::vec(step(), 1..24)) {
        let mut tree = Tree::new();
        for step in &steps {
            tree.take(step);
            tree.check()?;
        }
    }
}
