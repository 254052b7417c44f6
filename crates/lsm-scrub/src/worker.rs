//! One worker of a step: takes files from the desk, examines them stretch by stretch, tells what it finds.
//!
//! Invariant: pages count as examined once their findings were told; a place is remembered only after that. So a
//! kill at any moment leaves findings to be told twice at worst, and none untold.

use std::{ops::Range, time::Duration};

use page_ecc::PageNo;
use parking_lot::Mutex;

use crate::{
    Access, Action, Around, Examiner, Finding, Ground, MemoryFault, MemoryKey, PatrolOptions, Reason,
    Severity, Trouble,
    bucket::Rate,
    control::Order,
    desk::{Desk, Halt, Leaving, Turn, is_gone},
    finding::gather,
    order::Task,
};

/// No rest is longer, so that orders are heard soon.
const REST_MAX: Duration = Duration::from_millis(100);

/// What a worker stands on.
pub(crate) struct Worker<'a> {
    pub(crate) ground: &'a dyn Ground,
    pub(crate) around: &'a Around<'a>,
    pub(crate) options: &'a PatrolOptions,
    /// A leaf: nothing else is locked or called under it.
    pub(crate) desk: &'a Mutex<Desk>,
}

impl Worker<'_> {
    /// Works until the step is over.
    pub(crate) fn work(&self) {
        loop {
            self.listen();
            let Some(task) = self.desk.lock().take() else { return };
            self.patrol(task);
            if !self.rest(self.options.pause_between_files) {
                return;
            }
        }
    }

    fn patrol(&self, mut task: Task) {
        let mut examiner = match self.ground.examiner(&task.file) {
            Ok(Some(examiner)) => examiner,
            Ok(None) => return self.leave(task, Leaving::Gone),
            Err(fault) => {
                let finding = Finding::new(&task.file, Trouble::Unopened(fault));
                let leaving = if self.tell(&mut task, finding) { Leaving::Unopened } else { Leaving::Gone };
                return self.leave(task, leaving);
            }
        };
        loop {
            match self.turn(&task) {
                Turn::Through => return self.leave(task, Leaving::Through),
                Turn::Over => return self.put_back(task),
                Turn::Read(pages) => {
                    if !self.examine(&mut task, examiner.as_mut(), &pages) {
                        return self.leave(task, Leaving::Gone);
                    }
                }
                Turn::Wait(wait) => {
                    self.rest(wait.min(REST_MAX));
                }
            }
        }
    }

    /// What to do next, after standing back for the foreground.
    fn turn(&self, task: &Task) -> Turn {
        let latency = self.around.pace.foreground_latency();
        let back = self.desk.lock().back_off.rest(latency, self.options.foreground_latency_max);
        self.rest(back);
        self.listen();
        let rate = self.around.control.rate().unwrap_or(Rate::per_sec(self.options.bytes_per_sec));
        let now = self.around.pace.now();
        self.desk.lock().turn(task, self.options.read_pages, now, rate)
    }

    /// Examines pages and tells what it finds; whether the file is still there.
    fn examine(&self, task: &mut Task, examiner: &mut dyn Examiner, pages: &Range<PageNo>) -> bool {
        let examined = examiner.examine(pages.clone());
        let findings = gather(&task.file, pages, examined.flaws);
        let is_there = findings.into_iter().all(|finding| self.tell(task, finding));
        task.note.page = pages.end.get();
        let mut desk = self.desk.lock();
        desk.examined(pages.end.get() - pages.start.get(), examined.bytes);
        let progress = desk.tick(self.around.pace.now());
        drop(desk);
        self.around.control.show(progress);
        if is_there && task.note.page - task.kept >= self.options.keep_pages {
            self.keep(task);
        }
        is_there
    }

    /// Tells the owner and the log; false if the owner says that the file is gone, so that nothing is wrong.
    fn tell(&self, task: &mut Task, finding: Finding) -> bool {
        let action = match self.options.access {
            Access::Healing => self.ground.found(&finding),
            Access::ReadOnly => Action::Left(Reason::ReadOnly),
        };
        let severity = finding.severity();
        if is_gone(action) {
            log::info!("patrol: {finding}: {action}");
            return false;
        }
        match severity {
            Severity::Lost => log::error!("patrol: {finding}: {action}"),
            Severity::Healable => log::warn!("patrol: {finding}: {action}"),
            Severity::Passing => log::info!("patrol: {finding}: {action}"),
        }
        if severity > Severity::Passing {
            task.note.wrong += finding.page_count().max(1);
        }
        task.note.lost += match &finding.trouble {
            Trouble::Pages { evidence, .. } => evidence.lost,
            Trouble::Unopened(_) => 1,
        };
        self.desk.lock().found(finding, action);
        true
    }

    fn leave(&self, mut task: Task, leaving: Leaving) {
        let now = self.around.pace.now();
        match leaving {
            Leaving::Gone => self.forget(&task),
            Leaving::Through | Leaving::Unopened => {
                task.note.finish(now);
                self.keep(&mut task);
            }
        }
        let mut desk = self.desk.lock();
        desk.done(&task, leaving);
        let progress = desk.tick(now);
        drop(desk);
        self.around.control.show(progress);
    }

    fn put_back(&self, mut task: Task) {
        if task.note.page > task.kept {
            self.keep(&mut task);
        }
        self.desk.lock().put_back(task);
    }

    fn keep(&self, task: &mut Task) {
        task.kept = task.note.page;
        if self.options.is_remembered() {
            let kept = self.around.memory.store(MemoryKey::File(task.file.of), &task.note.encode());
            self.mind(kept);
        }
    }

    fn forget(&self, task: &Task) {
        if self.options.is_remembered() {
            let forgotten = self.around.memory.forget(MemoryKey::File(task.file.of));
            self.mind(forgotten);
        }
    }

    /// A memory that refuses costs reading again, nothing else.
    fn mind(&self, outcome: Result<(), crate::IoFault>) {
        if let Err(fault) = outcome {
            log::warn!("{}", MemoryFault::Refused(fault));
            self.desk.lock().report.memory_faults += 1;
        }
    }

    /// Rests, in pieces, unless the step should end; whether it goes on.
    fn rest(&self, time: Duration) -> bool {
        let mut left = time;
        while !left.is_zero() && self.desk.lock().halt.is_none() {
            self.listen();
            let piece = left.min(REST_MAX);
            if !self.around.pace.rest(piece) {
                self.desk.lock().halt = Some(Halt::Cancelled);
            }
            left -= piece;
        }
        self.desk.lock().halt.is_none()
    }

    /// Hears what was ordered.
    fn listen(&self) {
        let halt = match self.around.control.order() {
            Order::Go => return,
            Order::Pause => Halt::Paused,
            Order::Cancel => Halt::Cancelled,
        };
        let mut desk = self.desk.lock();
        if desk.halt != Some(Halt::Cancelled) {
            desk.halt = Some(halt);
        }
    }
}
