//! Scrubs: the patrol over everything a store holds, run on the store's threads or by its schedule.
//!
//! What the patrol finds becomes hints, which are healed in the background like those of reads. Where it stands and
//! when each file was last clean is kept in a keyspace of the store's own.

mod ground;
mod memory;
mod surroundings;

use std::time::{Duration, Instant};

use lsm_scrub::{
    Access, Around, Control, Cycle, End, Ground as _, Patrol, PatrolOptions, Remembered, Report, Step,
    patrol_scrub,
};

use self::{
    ground::Beat,
    memory::SystemMemory,
    surroundings::{Clock, Crew},
};
use crate::{Error, Event, EventKind, Outcome, engine::Engine, ledger::Take};

/// How often the schedule asks what is due.
const TICK: Duration = Duration::from_secs(5);

/// The patrol that the schedule walks, from one tick to the next.
#[derive(Debug)]
pub(crate) struct Schedule {
    patrol: Patrol,
    cycle: Cycle,
    clock: Clock,
    next: Option<Instant>,
}

/// What scrubs of a store have done so far.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let db = resilver::Db::open(dir.path().join("store"))?;
/// assert_eq!(db.scrub_status()?.oldest_clean, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubStatus {
    /// Files there are.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that no pass ever found clean.
    pub files_never_clean: u64,
    /// When the one was found clean that was so longest ago, since 1970.
    pub oldest_clean: Option<Duration>,
    /// Whether a pass was begun and is not finished.
    pub is_under_way: bool,
}

impl Engine {
    /// What scrubs have done so far.
    pub(crate) fn scrub_status(&self) -> Result<ScrubStatus, Error> {
        self.check_open()?;
        let remembered = Remembered::load(&SystemMemory::new(self));
        let mut status = ScrubStatus { is_under_way: remembered.is_under_way(), ..ScrubStatus::default() };
        for file in Beat::new(self).files() {
            status.files += 1;
            status.bytes += file.bytes();
            match remembered.last_clean(file.of) {
                Some(at) => {
                    status.oldest_clean = Some(status.oldest_clean.map_or(at, |oldest| oldest.min(at)));
                }
                None => status.files_never_clean += 1,
            }
        }
        Ok(status)
    }

    /// Runs a whole pass. In a store that is only read, nothing comes of it but the report.
    pub(crate) fn scrub(&self, options: &PatrolOptions, control: &Control) -> Result<Report, Error> {
        self.check_open()?;
        let looks_only = self.log().is_err();
        let options = match looks_only {
            true => &options.clone().access(Access::ReadOnly),
            false => options,
        };
        let (beat, memory, clock) = (Beat::new(self), SystemMemory::new(self), Clock::new(self));
        self.latency.watch();
        let around = Around { pace: &clock, crew: &Crew, memory: &memory, control: control.clone() };
        let report = patrol_scrub(&beat, options, &around);
        self.latency.look_away();
        if !looks_only {
            self.store.record_hints()?;
            self.forget_lost_memory()?;
        }
        if !options.looks_only() {
            self.note_pass(&report);
            self.write_ledger(Take::All);
        }
        Ok(report)
    }

    /// Examines what is due by now; how long to wait for the next time.
    pub(crate) fn scrub_due(&self, schedule: &mut Schedule) -> Result<Duration, Error> {
        let now = Instant::now();
        if let Some(next) = schedule.next.filter(|next| *next > now) {
            return Ok(next - now);
        }
        schedule.next = Some(now + TICK);
        let (beat, memory) = (Beat::new(self), SystemMemory::new(self));
        let clock = schedule.clock.clone();
        let around = Around { pace: &clock, crew: &Crew, memory: &memory, control: Control::new() };
        let due = schedule.cycle.due(&beat.files(), &Remembered::load(&memory), around.pace.now());
        let budget = due.bytes_within(TICK);
        if budget > 0 {
            let rate = self.options.scrub_bytes_per_sec.max(1);
            match schedule.patrol.step(&beat, &around, budget.min(rate.saturating_mul(TICK.as_secs()))) {
                Step::Finished(report) => {
                    log::info!("scheduled scrub: {report}");
                    self.note_pass(&report);
                }
                Step::Worked | Step::Paused | Step::Cancelled(_) => {}
            }
            self.store.record_hints()?;
        }
        Ok(TICK)
    }

    fn note_pass(&self, report: &Report) {
        let outcome = match report.end {
            End::Complete => Outcome::Complete,
            End::Cancelled | End::UnderWay => Outcome::Cancelled,
        };
        let note = format!("{} files, {} pages", report.files, report.pages);
        let pass = Event::new(EventKind::Pass, outcome).with_evidence(report.evidence).with_note(note);
        self.record(pass);
    }

    /// The schedule that the options ask for.
    pub(crate) fn schedule(&self) -> Option<Schedule> {
        let every = self.options.scrub_every?;
        let options = PatrolOptions::new().bytes_per_sec(self.options.scrub_bytes_per_sec);
        let (patrol, cycle) = (Patrol::new(options), Cycle::new(every));
        Some(Schedule { patrol, cycle, clock: Clock::new(self), next: None })
    }
}
