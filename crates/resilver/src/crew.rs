//! Threads that help with the pieces of a large compaction: as many as the store's own compactors leave idle.
//!
//! Invariant: helpers and compactors that are at work together are not more than the store has compactors, unless a
//! compactor begins a job of its own meanwhile: none ever waits for a helper to end.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use lsm_core::Crew;

use crate::{Background, Options};

/// Who compacts.
#[derive(Debug)]
pub(crate) struct Compactors {
    background: Background,
    threads: usize,
    pieces_max: usize,
    /// Compactors and helpers that are at work.
    busy: AtomicUsize,
}

/// One that is at work, until it is dropped.
#[derive(Debug)]
pub(crate) struct AtWork<'a> {
    busy: &'a AtomicUsize,
}

impl Compactors {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            background: options.background,
            threads: options.compaction_threads,
            pieces_max: options.compaction_pieces_max,
            busy: AtomicUsize::new(0),
        }
    }

    /// Says that a compactor begins a job.
    pub(crate) fn begin(&self) -> AtWork<'_> {
        self.busy.fetch_add(1, Relaxed);
        AtWork { busy: &self.busy }
    }

    fn idle(&self) -> usize {
        self.threads.saturating_sub(self.busy.load(Relaxed))
    }

    /// A helper, if there is an idle compactor for it to stand in for.
    fn hire(&self) -> Option<AtWork<'_>> {
        let another = |busy| (busy < self.threads).then_some(busy + 1);
        let hired = self.busy.fetch_update(Relaxed, Relaxed, another);
        hired.ok().map(|_| AtWork { busy: &self.busy })
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Relaxed);
    }
}

impl Crew for Compactors {
    /// Without threads, jobs are divided all the same, as if there were enough: steps repeat, and tests see pieces.
    fn hands(&self) -> usize {
        match self.background {
            Background::Threads => self.pieces_max.min(1 + self.idle()),
            Background::Inline => self.pieces_max,
        }
    }

    fn run(&self, count: usize, piece: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = &|| {
            loop {
                let at = next.fetch_add(1, Relaxed);
                if at >= count {
                    return;
                }
                piece(at);
            }
        };
        if count < 2 || self.background == Background::Inline {
            return work();
        }
        thread::scope(|scope| {
            for _ in 1..count {
                let Some(helper) = self.hire() else { break };
                let help = move || {
                    let _at_work = helper;
                    work();
                };
                let thread = thread::Builder::new().name("resilver-compact".into());
                if let Err(cause) = thread.spawn_scoped(scope, help) {
                    log::warn!("a compaction goes on with fewer threads than it could use: {cause}");
                    break;
                }
            }
            work();
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use bytes::Bytes;
    use parking_lot::Mutex;

    use super::*;
    use crate::{Error, Scan};

    type Item = (Bytes, Bytes);

    fn compactors(threads: usize, pieces_max: usize) -> Compactors {
        Compactors::new(&Options::new().compaction_threads(threads).compaction_pieces_max(pieces_max))
    }

    #[test]
    fn a_job_is_divided_among_idle_compactors() {
        let crew = compactors(3, 8);
        assert_eq!(crew.hands(), 4, "somebody who compacts by hand beside three idle ones");
        let own = crew.begin();
        assert_eq!(crew.hands(), 3);
        let (_second, _third) = (crew.begin(), crew.begin());
        assert_eq!(crew.hands(), 1);
        drop(own);
        assert_eq!(crew.hands(), 2);
        assert_eq!(compactors(8, 2).hands(), 2);
        let inline = Options::new().background(Background::Inline).compaction_pieces_max(3);
        assert_eq!(Compactors::new(&inline).hands(), 3);
    }

    #[test]
    fn pieces_run_side_by_side_and_each_once() {
        let crew = compactors(3, 8);
        let _own = crew.begin();
        // Nobody gets on before three are at it.
        let (barrier, done) = (Barrier::new(3), Mutex::new(Vec::new()));
        crew.run(6, &|piece| {
            barrier.wait();
            done.lock().push(piece);
        });
        let mut done = done.into_inner();
        done.sort_unstable();
        assert_eq!(done, [0, 1, 2, 3, 4, 5]);
        assert_eq!(crew.idle(), 2, "helpers are gone");
    }

    #[test]
    fn without_idle_compactors_pieces_run_one_after_the_other() {
        let crew = compactors(1, 8);
        let _own = crew.begin();
        let done = Mutex::new(Vec::new());
        crew.run(3, &|piece| done.lock().push((piece, thread::current().id())));
        let here = thread::current().id();
        assert_eq!(done.into_inner(), [(0, here), (1, here), (2, here)]);
    }

    /// What is read of a store of four overlapping runs, with deletes across them, after it was compacted; how many
    /// pieces that took, and how many tables it left.
    fn compacted(pieces_max: usize) -> Result<(Vec<Item>, usize, usize), Error> {
        let fs = Arc::new(lsm_io::MemFs::new());
        let options = Options::new().fs(fs).background(Background::Inline).block_bytes(512);
        let db = options.table_bytes(16 << 10).compaction_pieces_max(pieces_max).open("/store")?;
        let key = |number: u32| format!("key{number:05}").into_bytes();
        let mut held = None;
        for run in 0..3 {
            (0..1000).try_for_each(|at| db.put(&key(at * 3 + run), &[run as u8; 30]))?;
            db.delete_range(&key(100 * run), &key(800 * run))?;
            db.delete_range(&key(2900 - run), &key(2900 + 10 * run))?;
            held = held.or_else(|| Some(db.snapshot()));
            db.flush()?;
        }
        let snapshot = db.snapshot();
        let store = &snapshot.engine.store;
        let (tree, _) = store.tree_named("default").ok_or(Error::ReadOnly)?;
        let plan = store.plan_with(tree, &store.major()).ok_or(Error::ReadOnly)?;
        let done = store.run_compaction(plan, &snapshot.engine.compactors, &|| false)?;
        let mut found = Vec::new();
        for at in [None, held.as_ref()] {
            let scan = at.map_or_else(Scan::all, |held| Scan::all().at(held));
            found.extend(db.scan(scan)?.collect::<Result<Vec<_>, _>>()?);
        }
        Ok((found, done.pieces, done.outputs))
    }

    #[test]
    fn a_large_compaction_is_divided_and_keeps_what_one_piece_keeps() {
        let (whole, one, tables) = compacted(1).unwrap();
        let (found, pieces, divided_tables) = compacted(4).unwrap();
        assert_eq!((one, pieces), (1, 4));
        assert!(divided_tables < tables + pieces, "{divided_tables} tables, undivided {tables}");
        assert_eq!(found, whole);
        assert!(whole.len() > 1000);
    }
}
