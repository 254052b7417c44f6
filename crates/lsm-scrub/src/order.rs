//! What to examine and in which order: the plan of a pass, made from a list of files and what is remembered.
//!
//! Invariant: within a plan each page stands once; a file stands once. Pure.

use std::{collections::VecDeque, ops::Range};

use page_ecc::{PAGE_LEN, PageNo};

use crate::{
    FileRef, PatrolFile, PatrolOptions, Remembered, Scope, Start, Suspicion,
    note::{Note, NoteState},
    pass::Pass,
};

/// A file to be examined, and how far that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) file: PatrolFile,
    /// What of it, ascending and apart.
    stretches: Vec<Range<PageNo>>,
    pub(crate) note: Note,
    /// The page of the note as the memory has it.
    pub(crate) kept: u64,
}

/// The tasks of a pass, and what it has done already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) tasks: VecDeque<Task>,
    pub(crate) files_total: u64,
    pub(crate) files_done: u64,
    pub(crate) bytes_total: u64,
    pub(crate) bytes_done: u64,
    pub(crate) lost_before: u64,
}

impl Task {
    fn new(file: PatrolFile, scope: Scope, note: Note) -> Option<Self> {
        let stretches = match (scope, &file.suspicion) {
            (Scope::Everything, _) | (Scope::KnownDamage, Suspicion::Whole) => vec![file.all_pages()],
            (Scope::KnownDamage, Suspicion::Pages(pages)) => apart(pages, file.pages),
            (Scope::KnownDamage, Suspicion::None) => return None,
        };
        let kept = note.page;
        Some(Self { file, stretches, note, kept })
    }

    /// The pages to examine next, at most so many; None if there are no more.
    pub(crate) fn next(&self, pages_max: u64) -> Option<Range<PageNo>> {
        let stretch = self.stretches.iter().find(|stretch| stretch.end.get() > self.note.page)?;
        let start = stretch.start.get().max(self.note.page);
        let end = start.saturating_add(pages_max).min(stretch.end.get());
        (start < end).then(|| PageNo::new(start)..PageNo::new(end))
    }

    /// Bytes that are to be examined yet.
    pub(crate) fn bytes_left(&self) -> u64 {
        self.bytes_from(self.note.page)
    }

    fn bytes_from(&self, page: u64) -> u64 {
        let ahead = |stretch: &Range<PageNo>| stretch.end.get().saturating_sub(stretch.start.get().max(page));
        let pages = self.stretches.iter().map(ahead).fold(0, u64::saturating_add);
        pages.saturating_mul(PAGE_LEN as u64)
    }
}

/// Plans what `pass` has still to do of `files`.
pub(crate) fn plan(
    mut files: Vec<PatrolFile>,
    pass: &Pass,
    remembered: &Remembered,
    options: &PatrolOptions,
) -> Plan {
    let mut plan = Plan::default();
    let mut tasks = Vec::new();
    files.sort_by_key(|file| file.of);
    files.dedup_by_key(|file| file.of);
    for file in files.into_iter().filter(|file| pass.holds(file.of)) {
        let older = remembered.notes.get(&file.of);
        let note = match older {
            Some(note) if note.pass == pass.number => *note,
            older => Note::begin(file.of, pass.number, older),
        };
        let Some(task) = Task::new(file, options.scope, note) else { continue };
        let bytes = task.bytes_from(0);
        plan.files_total += 1;
        plan.bytes_total = plan.bytes_total.saturating_add(bytes);
        plan.lost_before = plan.lost_before.saturating_add(note.lost);
        match note.state {
            NoteState::Done => {
                plan.files_done += 1;
                plan.bytes_done = plan.bytes_done.saturating_add(bytes);
            }
            NoteState::UnderWay => {
                plan.bytes_done = plan.bytes_done.saturating_add(bytes.saturating_sub(task.bytes_left()));
                tasks.push(task);
            }
        }
    }
    tasks.sort_by_key(|task| rank(task, options.start));
    plan.tasks = tasks.into();
    plan
}

/// What decides the order: a file that was begun, then the oldest; or files as they are numbered from one on.
fn rank(task: &Task, start: Start) -> impl Ord + use<> {
    let of = task.file.of;
    match start {
        Start::At(from) => (FileOrder::from(of, from), None, None, of),
        Start::Resume | Start::Over => {
            let order = if task.note.page > 0 { FileOrder::First } else { FileOrder::Second };
            (order, task.note.clean, task.file.level, of)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FileOrder {
    First,
    Second,
}

impl FileOrder {
    fn from(file: FileRef, from: FileRef) -> Self {
        if file >= from { Self::First } else { Self::Second }
    }
}

/// Ranges as they lie within a file of so many pages: ascending, none empty, none touching another.
fn apart(ranges: &[Range<PageNo>], pages: u64) -> Vec<Range<PageNo>> {
    let end = PageNo::new(pages);
    let mut ranges: Vec<_> = ranges.iter().map(|range| range.start..range.end.min(end)).collect();
    ranges.retain(|range| range.start < range.end);
    ranges.sort_by_key(|range| range.start);
    let mut out: Vec<Range<PageNo>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileKind;
    use lsm_core::{FileId, Level, TreeId};
    use std::time::Duration;

    fn of(tree: u32, file: u64) -> FileRef {
        FileRef { tree: TreeId::new(tree), kind: FileKind::Table, file: FileId::new(file) }
    }

    fn table(tree: u32, level: u8, file: u64) -> PatrolFile {
        PatrolFile::new(of(tree, file), 10).at_level(Level::new(level))
    }

    fn remembered(clean: &[(FileRef, u64)]) -> Remembered {
        let mut remembered = Remembered::default();
        for (of, at) in clean {
            let mut note = Note::begin(*of, 1, None);
            note.finish(Duration::from_secs(*at));
            remembered.notes.insert(*of, note);
        }
        remembered
    }

    #[track_caller]
    fn check(files: Vec<PatrolFile>, remembered: &Remembered, start: Start, expected: &[(u32, u64)]) {
        let pass = Pass::begin(2, &files);
        let plan = plan(files, &pass, remembered, &PatrolOptions::new().start(start));
        let order: Vec<_> =
            plan.tasks.iter().map(|task| (task.file.of.tree.get(), task.file.of.file.get())).collect();
        assert_eq!(order, expected);
    }

    #[test]
    fn the_oldest_comes_first_then_the_one_never_seen_before_it() {
        let files = || vec![table(1, 1, 4), table(1, 0, 5), table(2, 0, 1), table(1, 0, 2)];
        check(files(), &remembered(&[]), Start::Resume, &[(1, 2), (1, 5), (2, 1), (1, 4)]);
        let old = remembered(&[(of(1, 2), 9), (of(1, 4), 3)]);
        check(files(), &old, Start::Over, &[(1, 5), (2, 1), (1, 4), (1, 2)]);
    }

    #[test]
    fn a_start_point_comes_first_and_what_is_before_it_last() {
        let files = || vec![table(1, 1, 4), table(1, 0, 5), table(2, 0, 1), table(1, 0, 2)];
        let old = remembered(&[(of(1, 2), 9)]);
        check(files(), &old, Start::At(of(1, 5)), &[(1, 5), (2, 1), (1, 2), (1, 4)]);
        check(files(), &old, Start::At(of(1, 3)), &[(1, 4), (1, 5), (2, 1), (1, 2)]);
        check(files(), &old, Start::At(of(9, 0)), &[(1, 2), (1, 4), (1, 5), (2, 1)]);
    }

    #[test]
    fn a_file_that_was_begun_goes_on_where_it_was() {
        let mut known = remembered(&[]);
        known.notes.insert(of(1, 5), Note { page: 4, ..Note::begin(of(1, 5), 2, None) });
        let mut done = Note::begin(of(1, 2), 2, None);
        done.finish(Duration::ZERO);
        known.notes.insert(of(1, 2), Note { lost: 3, wrong: 3, ..done });
        let files = vec![table(1, 0, 1), table(1, 0, 2), table(1, 0, 5)];
        let pass = Pass::begin(2, &files);
        let plan = plan(files, &pass, &known, &PatrolOptions::new());
        assert_eq!(plan.tasks[0].next(100), Some(PageNo::new(4)..PageNo::new(10)));
        assert_eq!(plan.tasks[1].next(3), Some(PageNo::new(0)..PageNo::new(3)));
        assert_eq!((plan.files_total, plan.files_done, plan.lost_before), (3, 1, 3));
        assert_eq!((plan.bytes_total, plan.bytes_done), (30 * 4096, 14 * 4096));
    }

    #[test]
    fn known_damage_is_a_few_pages_each_once() {
        let page = PageNo::new;
        let pages =
            vec![page(7)..page(9), page(2)..page(3), page(3)..page(4), page(8)..page(99), page(5)..page(5)];
        let files = vec![table(1, 0, 1).suspected_of(Suspicion::Pages(pages)), table(1, 0, 2)];
        let pass = Pass::begin(2, &files);
        let plan = plan(files, &pass, &remembered(&[]), &PatrolOptions::new().scope(Scope::KnownDamage));
        assert_eq!((plan.tasks.len(), plan.bytes_total), (1, 5 * 4096));
        let mut task = plan.tasks[0].clone();
        let mut seen = Vec::new();
        while let Some(pages) = task.next(2) {
            seen.push(pages.start.get()..pages.end.get());
            task.note.page = pages.end.get();
        }
        assert_eq!(seen, [2..4, 7..9, 9..10]);
    }
}
