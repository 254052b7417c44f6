//! What a store does by itself: flushes, compactions, healing, and keeping the log short and ready.
//!
//! Each thread looks for work, does it, and sleeps until the bell rings. What fails is logged, told to waiting
//! writers, and tried again a little later.

use std::{
    sync::Arc,
    task::Wake,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::{Error, engine::Engine, ledger::Take, scrubbing::Schedule};

/// How long a thread sleeps when nobody rings.
const NAP: Duration = Duration::from_millis(250);
/// How long it waits after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Memory that no flush or compaction used for so long goes back to the system.
const REST: Duration = Duration::from_secs(2);

/// Wakes the threads, and tells them to end.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// A leaf.
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    rings: u64,
    is_over: bool,
}

/// The threads of a store.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    handles: Vec<JoinHandle<()>>,
}

impl Bell {
    /// There may be something to do.
    pub(crate) fn ring(&self) {
        self.state.lock().rings += 1;
        self.rung.notify_all();
    }

    /// There will be nothing more to do.
    fn end(&self) {
        self.state.lock().is_over = true;
        self.rung.notify_all();
    }

    /// How often it rang.
    pub(crate) fn rings(&self) -> u64 {
        self.state.lock().rings
    }

    /// Sleeps until it rings more often than `heard`, or for `nap` at most; false when it is over.
    pub(crate) fn wait(&self, heard: u64, nap: Duration) -> bool {
        let mut state = self.state.lock();
        if state.rings == heard && !state.is_over {
            self.rung.wait_for(&mut state, nap);
        }
        !state.is_over
    }

    /// Sleeps for `time`, whether it rings or not; false when it is over.
    pub(crate) fn rest(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.state.lock();
        while !state.is_over && !self.rung.wait_until(&mut state, until).timed_out() {}
        !state.is_over
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().is_over
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

impl Threads {
    /// Starts one thread that keeps the log ready, one that flushes, one that heals, and `compactors` that compact.
    ///
    /// # Errors
    /// If the system refuses a thread; those that were started end with the bell.
    pub(crate) fn start(engine: &Arc<Engine>, compactors: usize) -> Result<Self, Error> {
        let mut threads = Self::default();
        threads.spawn("resilver-log", engine, |engine| &engine.log_bell, log_round)?;
        threads.spawn("resilver-flush", engine, main_bell, flush_round)?;
        threads.spawn("resilver-heal", engine, main_bell, heal_round)?;
        if let Some(schedule) = engine.schedule() {
            threads.spawn("resilver-scrub", engine, main_bell, scrub_round(schedule))?;
        }
        for _ in 0..compactors {
            threads.spawn("resilver-compact", engine, main_bell, compact_round)?;
        }
        Ok(threads)
    }

    fn spawn(
        &mut self,
        name: &str,
        engine: &Arc<Engine>,
        bell: impl Fn(&Engine) -> &Bell + Send + 'static,
        round: impl FnMut(&Engine) -> Result<Work, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let engine = engine.clone();
        let thread =
            std::thread::Builder::new().name(name.into()).spawn(move || serve(&engine, bell(&engine), round));
        self.handles.push(thread.map_err(|cause| Error::NoThread { cause })?);
        Ok(())
    }

    /// Ends all threads, each after what it is at.
    pub(crate) fn stop(&mut self, engine: &Engine) {
        engine.bell.end();
        engine.log_bell.end();
        engine.pacer.wake();
        for handle in self.handles.drain(..) {
            if handle.join().is_err() {
                log::error!("a background thread panicked");
            }
        }
    }
}

/// Whether a round found something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Done,
    Nothing,
}

/// What most threads hear.
fn main_bell(engine: &Engine) -> &Bell {
    &engine.bell
}

fn serve(engine: &Engine, bell: &Bell, mut round: impl FnMut(&Engine) -> Result<Work, Error>) {
    loop {
        let heard = bell.rings();
        let goes_on = match round(engine) {
            Ok(Work::Done) => !bell.is_over(),
            Ok(Work::Nothing) => bell.wait(heard, NAP),
            Err(error) => {
                if bell.is_over() {
                    return;
                }
                log::error!("background work failed and is tried again: {error}");
                bell.wait(bell.rings(), PAUSE)
            }
        };
        if !goes_on {
            return;
        }
    }
}

fn flush_round(engine: &Engine) -> Result<Work, Error> {
    engine.shorten_log();
    let flushed = engine.flush_one();
    engine.pacer.flushed(&flushed);
    let flushed = flushed?;
    engine.update_pressure();
    if flushed {
        engine.trim_log()?;
        engine.bell.ring();
        return Ok(Work::Done);
    }
    engine.mark_manifest();
    engine.store.let_go_of_memory(REST);
    engine.store.sweep()?;
    Ok(Work::Nothing)
}

fn compact_round(engine: &Engine) -> Result<Work, Error> {
    if !engine.compact_one()? {
        return Ok(Work::Nothing);
    }
    engine.update_pressure();
    engine.bell.ring();
    Ok(Work::Done)
}

/// Keeps the log ready for whoever writes, also while a flush runs.
fn log_round(engine: &Engine) -> Result<Work, Error> {
    engine.take_care_of_log()?;
    Ok(Work::Nothing)
}

/// Writes what is to be on record, heals one file, and rests as long as that took.
fn heal_round(engine: &Engine) -> Result<Work, Error> {
    engine.write_ledger(Take::Due);
    engine.trim_quarantine();
    let begun = Instant::now();
    if engine.heal_next()?.is_none() {
        return Ok(Work::Nothing);
    }
    engine.bell.rest(begun.elapsed().min(PAUSE));
    Ok(Work::Done)
}

/// Scrubs what is due, a little at a time.
fn scrub_round(mut schedule: Schedule) -> impl FnMut(&Engine) -> Result<Work, Error> {
    move |engine| {
        let nap = engine.scrub_due(&mut schedule)?;
        engine.bell.rest(nap);
        Ok(Work::Done)
    }
}
