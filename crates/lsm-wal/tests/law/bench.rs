//! A disk, a worker and a manifest for tests.

use std::sync::Arc;

use lsm_io::{EpochWorker, Fs, Limits, MemFs};
use lsm_wal::{
    Log, LogOptions, Recovery, Registry, RegistryError, Replayed, SegmentNo, SegmentRecord, Seqs, Uid,
    Whereabouts,
};
use parking_lot::Mutex;

pub(crate) const STORE: Uid = Uid::new([7; 16]);

/// Remembers records in memory; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest(pub(crate) Arc<Mutex<Vec<SegmentRecord>>>);

impl Registry for Manifest {
    fn uid(&self, number: SegmentNo) -> Uid {
        Uid::new(
            (u128::from(number.get()).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)).to_le_bytes(),
        )
    }

    fn record(&self, segment: &SegmentRecord) -> Result<(), RegistryError> {
        self.0.lock().push(*segment);
        Ok(())
    }
}

/// A disk and what a store would know beside its log.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) manifest: Manifest,
    pub(crate) options: LogOptions,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::on(Arc::new(MemFs::new()), Manifest::default())
    }

    pub(crate) fn on(fs: Arc<dyn Fs>, manifest: Manifest) -> Self {
        Self { fs, manifest, options: LogOptions::default().segment_bytes(256 << 10) }
    }

    /// The same store on another disk, with a manifest of its own.
    pub(crate) fn moved_to(&self, fs: Arc<dyn Fs>) -> Self {
        let manifest = Manifest(Arc::new(Mutex::new(self.records())));
        Self { fs, manifest, options: self.options }
    }

    pub(crate) fn records(&self) -> Vec<SegmentRecord> {
        self.manifest.0.lock().clone()
    }

    pub(crate) fn scan(&self) -> Recovery {
        Recovery::scan(Whereabouts::new(self.fs.clone(), "/", STORE), &self.records()).unwrap()
    }

    pub(crate) fn open(&self) -> Log {
        self.scan().open(worker(), Arc::new(self.manifest.clone()), self.options).unwrap()
    }

    /// Forgets records, then deletes their files.
    pub(crate) fn forget(&self, records: &[SegmentRecord]) {
        self.manifest.0.lock().retain(|record| !records.contains(record));
        for record in records {
            self.fs.remove(&record.path("/".as_ref())).unwrap();
        }
    }

    /// Every group; a loss fails.
    #[track_caller]
    pub(crate) fn replay(&self) -> Vec<(Seqs, Vec<u8>)> {
        let (groups, losses) = groups(&self.scan());
        assert!(losses.is_empty(), "{losses:?}");
        groups
    }
}

pub(crate) fn worker() -> Arc<EpochWorker> {
    Arc::new(EpochWorker::start(Limits::default()).unwrap())
}

/// What a recovery replays: the groups, and what is lost.
pub(crate) fn groups(recovery: &Recovery) -> (Vec<(Seqs, Vec<u8>)>, Vec<Seqs>) {
    let (mut groups, mut losses) = (Vec::new(), Vec::new());
    let done: Result<(), std::convert::Infallible> = recovery.replay(|what, _| {
        match what {
            Replayed::Changes { seqs, payload } => groups.push((seqs, payload)),
            Replayed::Lost(loss) => losses.push(loss.seqs),
        }
        Ok(())
    });
    done.unwrap();
    (groups, losses)
}
