//! Replay: what the log holds goes into memtables, and into tables where it is too much for memory.
//!
//! A table is made while the next memtable fills, unless steps must repeat.
//!
//! **Invariant**: no more than one memtable is full while another fills, and what waits to go into one counts
//! against its room. Groups keep the order of the log from one such portion to the next.

use std::thread::{Builder, Scope, ScopedJoinHandle};

use lsm_core::{Backlog, Store};
use lsm_wal::{Recovery, Replayed};
use sst_format::SeqNo;

use crate::{Background, Error, LogLoss, Options};

/// So many bytes of groups go into memtables at once: an eighth of one at most.
const BACKLOG_BYTES_MAX: u64 = 16 << 20;

/// What becomes of more than memtables may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// Tables.
    BecomesTables,
    /// It is held in memory: the store is only read.
    StaysInMemory,
}

/// Puts everything that the log holds into the store.
pub(crate) fn replay(
    recovery: &Recovery,
    store: &Store,
    excess: Excess,
    options: &Options,
) -> Result<(), Error> {
    std::thread::scope(|scope| {
        let portion = (options.memtable_bytes / 8).min(BACKLOG_BYTES_MAX);
        let (backlog, upto, flushing) = (Backlog::default(), SeqNo::new(0), None);
        let mut intake =
            Intake { scope, store, options, excess, portion, room: portion, backlog, upto, flushing };
        recovery.replay(|what, _| intake.take(what))?;
        intake.work_off()?;
        intake.join()
    })
}

/// The way of groups into the store.
struct Intake<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    store: &'env Store,
    options: &'env Options,
    excess: Excess,
    /// The most bytes that wait.
    portion: u64,
    /// How many may wait now.
    room: u64,
    backlog: Backlog,
    /// Everything up to this was taken.
    upto: SeqNo,
    /// Makes tables of what is sealed.
    flushing: Option<ScopedJoinHandle<'scope, Result<(), Error>>>,
}

impl Intake<'_, '_> {
    fn take(&mut self, what: Replayed) -> Result<(), Error> {
        match what {
            Replayed::Changes { seqs, payload } => {
                self.upto = SeqNo::new(seqs.next.get() - 1);
                self.backlog.push(SeqNo::new(seqs.first.get()), seqs.count(), payload);
            }
            Replayed::Lost(loss) => match self.options.log_loss {
                // What was there when the log was looked through is refused by now; this went since.
                LogLoss::Refuse => return Err(Error::LogLost { losses: vec![loss] }),
                LogLoss::Accept => log::error!("{loss}"),
            },
        }
        if self.backlog.bytes() < self.room {
            return Ok(());
        }
        self.work_off()?;
        match self.excess {
            Excess::BecomesTables => self.make_room(),
            Excess::StaysInMemory => Ok(()),
        }
    }

    fn work_off(&mut self) -> Result<(), Error> {
        let backlog = std::mem::take(&mut self.backlog);
        self.store.replay(backlog).map_err(|cause| Error::LogForeign { cause })
    }

    fn make_room(&mut self) -> Result<(), Error> {
        let most = self.options.memtable_bytes;
        if self.store.memtable_bytes().0 >= most {
            self.join()?;
            self.store.seal_replayed(most, self.upto);
            self.flush()?;
        }
        self.room = self.portion.min(most.saturating_sub(self.store.memtable_bytes().0));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let store = self.store;
        match self.options.background {
            Background::Inline => flush_sealed(store),
            Background::Threads => {
                let thread = Builder::new().name("resilver-replay".into());
                let spawned = thread.spawn_scoped(self.scope, || flush_sealed(store));
                self.flushing = Some(spawned.map_err(|cause| Error::NoThread { cause })?);
                Ok(())
            }
        }
    }

    /// Waits for tables that are being made.
    fn join(&mut self) -> Result<(), Error> {
        let joined = self.flushing.take().map(ScopedJoinHandle::join);
        joined.map_or(Ok(()), |done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

fn flush_sealed(store: &Store) -> Result<(), Error> {
    while let Some(job) = store.plan_flush() {
        store.run_flush(job, &|| false)?;
    }
    Ok(())
}
