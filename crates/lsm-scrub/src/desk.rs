//! The desk of a pass: what is still to do, what may be read now, what was found. Its workers share it.
//!
//! Invariant: a task is on the desk or with one worker, never both. The desk is locked for moments only, never
//! while something is read, told, remembered or waited for.

use std::{
    collections::{BTreeSet, VecDeque},
    ops::Range,
    time::Duration,
};

use page_ecc::{PAGE_LEN, PageNo};

use crate::{
    Action, End, FileRef, Finding, Found, PatrolOptions, Progress, Reason, Report, Severity, Trouble,
    back_off::BackOff,
    bucket::{Bucket, Rate},
    finding::is_redundancy,
    order::{Plan, Task},
    pass::Pass,
};

/// What workers share while a pass goes.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) pass: Pass,
    tasks: VecDeque<Task>,
    pub(crate) report: Report,
    progress: Progress,
    scheduled: BTreeSet<FileRef>,
    healed: BTreeSet<FileRef>,
    findings_max: usize,
    bucket: Bucket,
    pub(crate) back_off: BackOff,
    /// Pages that this step may still examine.
    budget_pages: u64,
    pub(crate) halt: Option<Halt>,
    /// When this step began, and the time spent on steps before it.
    clock: (Duration, Duration),
}

/// Why workers stop before there is nothing left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    Paused,
    Cancelled,
}

/// What a worker may do next in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Examine these pages.
    Read(Range<PageNo>),
    /// Ask again after this time.
    Wait(Duration),
    /// Put the file back: the step is over.
    Over,
    /// There is nothing left in it.
    Through,
}

impl Desk {
    pub(crate) fn new(pass: Pass, plan: Plan, options: &PatrolOptions) -> Self {
        let progress = Progress {
            files_total: plan.files_total,
            files_done: plan.files_done,
            bytes_total: plan.bytes_total,
            bytes_done: plan.bytes_done,
            bytes_before: plan.bytes_done,
            pages_lost: plan.lost_before,
            ..Progress::default()
        };
        let report = Report {
            bytes_before: plan.bytes_done,
            pages_lost_before: plan.lost_before,
            ..Report::default()
        };
        Self {
            pass,
            tasks: plan.tasks,
            report,
            progress,
            scheduled: BTreeSet::new(),
            healed: BTreeSet::new(),
            findings_max: options.findings_max,
            bucket: Bucket::default(),
            back_off: BackOff::default(),
            budget_pages: 0,
            halt: None,
            clock: (Duration::ZERO, Duration::ZERO),
        }
    }

    /// A step begins.
    pub(crate) fn open(&mut self, now: Duration, budget_bytes: u64) {
        let pages = budget_bytes / PAGE_LEN as u64;
        self.budget_pages = if budget_bytes == 0 { 0 } else { pages.max(1) };
        self.halt = None;
        self.clock = (now, self.report.duration);
    }

    /// The time that the pass has taken up to now.
    pub(crate) fn tick(&mut self, now: Duration) -> Progress {
        let (began, before) = self.clock;
        self.report.duration = before.saturating_add(now.saturating_sub(began));
        self.progress.elapsed = self.report.duration;
        self.progress
    }

    /// A file to examine, if the step goes on.
    pub(crate) fn take(&mut self) -> Option<Task> {
        if self.halt.is_some() || self.budget_pages == 0 { None } else { self.tasks.pop_front() }
    }

    /// A file whose turn goes on in the next step.
    pub(crate) fn put_back(&mut self, task: Task) {
        self.tasks.push_front(task);
    }

    pub(crate) fn is_through(&self) -> bool {
        self.tasks.is_empty()
    }

    /// What the worker of `task` may do now, at this rate.
    pub(crate) fn turn(&mut self, task: &Task, read_pages: u64, now: Duration, rate: Rate) -> Turn {
        let Some(pages) = task.next(read_pages.min(self.budget_pages.max(1))) else { return Turn::Through };
        if self.halt.is_some() || self.budget_pages == 0 {
            return Turn::Over;
        }
        let count = pages.end.get() - pages.start.get();
        let bytes = count * PAGE_LEN as u64;
        match self.bucket.take(now, rate, bytes) {
            Err(wait) => Turn::Wait(wait),
            Ok(()) => {
                self.budget_pages -= count;
                Turn::Read(pages)
            }
        }
    }

    /// Pages were examined, for which so many bytes were read.
    pub(crate) fn examined(&mut self, pages: u64, bytes: u64) {
        let asked = pages * PAGE_LEN as u64;
        self.bucket.charge(bytes.saturating_sub(asked));
        self.report.pages += pages;
        self.report.bytes = self.report.bytes.saturating_add(bytes);
        self.progress.bytes_done = self.progress.bytes_done.saturating_add(asked);
    }

    /// Something was found and dealt with.
    pub(crate) fn found(&mut self, finding: Finding, action: Action) {
        self.progress.findings += 1;
        match action {
            Action::Scheduled => drop(self.scheduled.insert(finding.file)),
            Action::Healed => drop(self.healed.insert(finding.file)),
            Action::Left(_) => {}
        }
        self.report.files_scheduled = self.scheduled.len() as u64;
        self.report.files_healed = self.healed.len() as u64;
        match &finding.trouble {
            Trouble::Pages { region, evidence, .. } => {
                self.report.evidence = sum(self.report.evidence, *evidence);
                self.progress.pages_lost += evidence.lost;
                if is_redundancy(*region) && finding.severity() > Severity::Passing {
                    self.report.redundancy_damaged += finding.page_count();
                }
            }
            Trouble::Unopened(_) => self.report.files_unopened += 1,
        }
        match self.report.found.len() < self.findings_max {
            true => self.report.found.push(Found { finding, action }),
            false => self.report.found_unlisted += 1,
        }
    }

    /// A file is done with: examined to its end, or gone, or not to be opened.
    pub(crate) fn done(&mut self, task: &Task, leaving: Leaving) {
        self.progress.files_done += 1;
        match leaving {
            Leaving::Through => self.report.files += 1,
            Leaving::Gone => self.report.files_gone += 1,
            Leaving::Unopened => {}
        }
        self.progress.bytes_total = self.progress.bytes_total.saturating_sub(task.bytes_left());
    }

    /// The report as it stands.
    pub(crate) fn report(&self, end: End) -> Report {
        Report { end, ..self.report.clone() }
    }
}

/// How a patrol leaves a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    Through,
    Gone,
    Unopened,
}

/// Whether the owner says that what was found does not matter any more.
pub(crate) fn is_gone(action: Action) -> bool {
    action == Action::Left(Reason::Gone)
}

fn sum(a: page_ecc::Evidence, b: page_ecc::Evidence) -> page_ecc::Evidence {
    page_ecc::Evidence {
        transient: a.transient + b.transient,
        corrected: a.corrected + b.corrected,
        bits: a.bits + b.bits,
        copied: a.copied + b.copied,
        rebuilt: a.rebuilt + b.rebuilt,
        supplied: a.supplied + b.supplied,
        lost: a.lost + b.lost,
    }
}
