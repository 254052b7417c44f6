//! The patrol: step by step through everything, for as long as it is asked to, or a whole pass in one call.
//!
//! Invariant: whatever is met becomes a finding, and nothing ends a pass but its end or a cancellation. One pass
//! is under way at a time; it is planned once, when it begins or is resumed.

use std::time::Duration;

use parking_lot::Mutex;

use crate::{
    Around, End, Ground, MemoryFault, MemoryKey, PatrolOptions, Remembered, Report, Start,
    desk::{Desk, Halt},
    order::plan,
    pass::{Pass, PassState},
    worker::Worker,
};

/// How long a paused pass rests before it looks again.
const PAUSE_REST: Duration = Duration::from_millis(100);

/// Walks over everything once and says what it found; it never fails.
///
/// Paused, it rests until it is resumed; cancelled, it comes back with what it has, and the next one goes on from
/// there if the memory lasts.
///
/// ```
/// # use std::{ops::Range, time::Duration};
/// # use lsm_core::{FileId, TreeId};
/// # use lsm_scrub::*;
/// # use page_ecc::{Fault, PageNo, Region, Rung};
/// # struct Still;
/// # impl Pace for Still {
/// #     fn now(&self) -> Duration { Duration::ZERO }
/// #     fn rest(&self, _: Duration) -> bool { true }
/// #     fn foreground_latency(&self) -> Option<Duration> { None }
/// # }
/// # struct Store;
/// # impl Ground for Store {
/// #     fn files(&self) -> Vec<PatrolFile> {
/// #         let of = FileRef { tree: TreeId::new(1), kind: FileKind::Table, file: FileId::new(1) };
/// #         vec![PatrolFile::new(of, 100)]
/// #     }
/// #     fn examiner(&self, _: &PatrolFile) -> Result<Option<Box<dyn Examiner + '_>>, IoFault> {
/// #         Ok(Some(Box::new(Store)))
/// #     }
/// #     fn found(&self, _: &Finding) -> Action { Action::Scheduled }
/// # }
/// # impl Examiner for Store {
/// #     fn examine(&mut self, pages: Range<PageNo>) -> Examined {
/// #         let flaw = Flaw {
/// #             page: PageNo::new(7), region: Region::Body, fault: Fault::Mismatch, rung: Rung::Rebuilt, keys: None,
/// #         };
/// #         Examined { bytes: 4096 * (pages.end.get() - pages.start.get()), flaws: vec![flaw] }
/// #     }
/// # }
/// // A store of one file, whose page 7 is wrong and can be rebuilt; see `Ground`.
/// let report = patrol_scrub(&Store, &PatrolOptions::new().bytes_per_sec(0), &Around::new(&Still));
/// assert!(report.is_complete() && report.is_ok());
/// assert_eq!((report.pages, report.evidence.rebuilt, report.files_scheduled), (100, 1, 1));
/// ```
pub fn patrol_scrub(ground: &dyn Ground, options: &PatrolOptions, around: &Around<'_>) -> Report {
    let mut patrol = Patrol::new(options.clone());
    loop {
        match patrol.step(ground, around, u64::MAX) {
            Step::Finished(report) | Step::Cancelled(report) => return report,
            Step::Paused if !around.pace.rest(PAUSE_REST) => around.control.cancel(),
            Step::Paused | Step::Worked => {}
        }
    }
}

/// A patrol that goes on step by step: each as long as its budget, from one pass to the next.
///
/// ```
/// # use std::time::Duration;
/// # use lsm_scrub::*;
/// # struct Still;
/// # impl Pace for Still {
/// #     fn now(&self) -> Duration { Duration::ZERO }
/// #     fn rest(&self, _: Duration) -> bool { true }
/// #     fn foreground_latency(&self) -> Option<Duration> { None }
/// # }
/// # struct Empty;
/// # impl Ground for Empty {
/// #     fn files(&self) -> Vec<PatrolFile> { Vec::new() }
/// #     fn examiner(&self, _: &PatrolFile) -> Result<Option<Box<dyn Examiner + '_>>, IoFault> { Ok(None) }
/// #     fn found(&self, _: &Finding) -> Action { Action::Scheduled }
/// # }
/// let mut patrol = Patrol::new(PatrolOptions::new());
/// // An empty store is through at once.
/// match patrol.step(&Empty, &Around::new(&Still), 64 << 20) {
///     Step::Finished(report) => assert!(report.is_ok()),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug)]
pub struct Patrol {
    options: PatrolOptions,
    /// What the pass under way has to do and has found; only its workers share it.
    desk: Option<Mutex<Desk>>,
}

/// How a step ended.
///
/// ```
/// fn is_idle(step: &lsm_scrub::Step) -> bool {
///     !matches!(step, lsm_scrub::Step::Worked)
/// }
/// ```
#[derive(Debug)]
pub enum Step {
    /// Its budget is used up; the pass goes on with the next one.
    Worked,
    /// The pass came to its end; the next step begins another.
    Finished(Report),
    /// It is paused: nothing happens until it is resumed.
    Paused,
    /// It is cancelled; this is what it has. What it did is remembered.
    Cancelled(Report),
}

impl Patrol {
    /// A patrol that has not begun.
    #[must_use]
    pub const fn new(options: PatrolOptions) -> Self {
        Self { options, desk: None }
    }

    /// Examines no more than this many bytes, but a page at least unless it is 0. Begins a pass if none is under
    /// way, or resumes the one that the memory tells of.
    pub fn step(&mut self, ground: &dyn Ground, around: &Around<'_>, budget_bytes: u64) -> Step {
        let options = &self.options;
        let desk = self.desk.get_or_insert_with(|| Mutex::new(begin(ground, around, options)));
        desk.get_mut().open(around.pace.now(), budget_bytes);
        let worker = Worker { ground, around, options, desk };
        around.crew.run(options.parallelism.get(), &|| worker.work());
        // Whatever a crew without threads left is done here.
        worker.work();
        let now = around.pace.now();
        let desk_now = desk.get_mut();
        around.control.show(desk_now.tick(now));
        match desk_now.halt {
            _ if desk_now.is_through() => {
                finish(desk_now, around, options);
                let report = desk_now.report(End::Complete);
                self.desk = None;
                Step::Finished(report)
            }
            Some(Halt::Cancelled) => Step::Cancelled(desk_now.report(End::Cancelled)),
            Some(Halt::Paused) => Step::Paused,
            None => Step::Worked,
        }
    }

    /// What came of the pass under way up to now; None between two passes.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        self.desk.as_ref().map(|desk| desk.lock().report(End::UnderWay))
    }
}

/// Plans a pass: the remembered one, if there is one to be resumed, or another.
fn begin(ground: &dyn Ground, around: &Around<'_>, options: &PatrolOptions) -> Desk {
    let files = ground.files();
    let remembered = Remembered::load(around.memory);
    remembered.faults().iter().for_each(|fault| log::warn!("{fault}"));
    let mut faults = remembered.faults().len() as u64;
    let resumed = remembered
        .pass
        .filter(|_| options.start == Start::Resume && options.is_remembered() && remembered.is_under_way());
    let pass = resumed.unwrap_or_else(|| Pass::begin(remembered.next_number(around.pace.now()), &files));
    if options.is_remembered() {
        if resumed.is_none() {
            faults += keep(around, &pass);
        }
        faults += forget_gone(around, &remembered, &files);
    }
    let mut desk = Desk::new(pass, plan(files, &pass, &remembered, options), options);
    desk.report.memory_faults = faults;
    desk
}

fn finish(desk: &mut Desk, around: &Around<'_>, options: &PatrolOptions) {
    desk.pass.state = PassState::Finished;
    if options.is_remembered() {
        desk.report.memory_faults += keep(around, &desk.pass);
    }
}

/// Remembers the pass; how many times that failed.
fn keep(around: &Around<'_>, pass: &Pass) -> u64 {
    refused(around.memory.store(MemoryKey::Pass, &pass.encode()))
}

/// Forgets files that are not there any more; how many times that failed.
fn forget_gone(around: &Around<'_>, remembered: &Remembered, files: &[crate::PatrolFile]) -> u64 {
    let there: std::collections::BTreeSet<_> = files.iter().map(|file| file.of).collect();
    let gone = remembered.notes.keys().filter(|of| !there.contains(of));
    gone.map(|of| refused(around.memory.forget(MemoryKey::File(*of)))).sum()
}

fn refused(outcome: Result<(), crate::IoFault>) -> u64 {
    match outcome {
        Ok(()) => 0,
        Err(fault) => {
            log::warn!("{}", MemoryFault::Refused(fault));
            1
        }
    }
}
