//! Pictures of pages: a strip for each file and a map of the whole store, each page in the colour of its state.
//!
//! **Invariant**: what a picture costs is bounded by its cells, not by the pages it shows; a cell of several pages has
//! the state of the worst.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::Arc,
};

use resilver::{BadPage, Event, EventKind, PageState, Region, Rung, SeenFile, Verified};

/// Cells of a strip.
const STRIP_CELLS: u64 = 128;
/// Cells of the map, and of a row of it.
const MAP_CELLS: u64 = 1536;
const MAP_COLUMNS: u64 = 64;

/// How a page is, the worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    #[default]
    Clean,
    /// It was wrong, by the record, and is right.
    Mended,
    /// Redundancy is wrong, data is not.
    Parity,
    /// Flipped bits can be turned back.
    Corrected,
    /// It can be brought back from others.
    Rebuilt,
    Lost,
}

impl State {
    pub(super) const ALL: [Self; 6] =
        [Self::Clean, Self::Mended, Self::Parity, Self::Corrected, Self::Rebuilt, Self::Lost];

    /// Its class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Mended => "mended",
            Self::Parity => "parity",
            Self::Corrected => "corrected",
            Self::Rebuilt => "rebuilt",
            Self::Lost => "lost",
        }
    }

    /// What it is called, and what that means.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Clean => ("clean", "right as written"),
            Self::Mended => ("healed", "was wrong once, by the ledger, and is right again"),
            Self::Parity => ("parity hurt", "parity, digests or a header are wrong; the data is not"),
            Self::Corrected => ("correctable", "wrong bits that its own digest turns back"),
            Self::Rebuilt => ("rebuildable", "wrong, and brought back from parity or a copy"),
            Self::Lost => ("lost", "nothing the store has brings it back"),
        }
    }

    fn of(bad: &BadPage) -> Self {
        match (bad.state, bad.region, bad.rung) {
            (PageState::Lost, ..) => Self::Lost,
            (_, Region::Body, Rung::Corrected { .. }) => Self::Corrected,
            (_, Region::Body, _) => Self::Rebuilt,
            _ => Self::Parity,
        }
    }
}

/// The pages of every file that are, or were, not right.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(HashMap<Arc<str>, BTreeMap<u64, State>>);

impl Marks {
    pub(super) fn of(verified: &Verified, events: &[Event]) -> Self {
        let mut marks = HashMap::<Arc<str>, BTreeMap<u64, State>>::new();
        let lens: HashMap<_, _> = verified.seen.iter().map(|seen| (seen.name.clone(), seen.pages)).collect();
        let was_wrong = |event: &&Event| event.is_damage() || event.kind == EventKind::Heal;
        for event in events.iter().filter(was_wrong) {
            let Some(&end) = lens.get(&event.file) else { continue };
            let of_file = marks.entry(event.file.clone()).or_default();
            for &(first, count) in &event.pages {
                let pages = first..first.saturating_add(count).min(end);
                of_file.extend(pages.map(|page| (page, State::Mended)));
            }
        }
        for bad in &verified.bad {
            let state = marks.entry(bad.file.clone()).or_default().entry(bad.page).or_default();
            *state = State::of(bad).max(*state);
        }
        Self(marks)
    }

    /// What is not clean of a file.
    pub(super) fn of_file(&self, file: &str) -> impl Iterator<Item = (u64, State)> {
        self.0.get(file).into_iter().flatten().map(|(page, state)| (*page, *state))
    }

    /// How many pages of a file are in each state but clean, the worst first.
    pub(super) fn counts(&self, file: &str) -> Vec<(State, u64)> {
        let mut counts = BTreeMap::<State, u64>::new();
        self.of_file(file).for_each(|(_, state)| *counts.entry(state).or_default() += 1);
        counts.into_iter().rev().collect()
    }
}

/// The picture of one file from its first page to its last; where its body ends is under it.
pub(super) fn strip(file: &SeenFile, marks: &Marks, words: &str) -> String {
    let cells = Cells::of(file.pages, STRIP_CELLS, marks.of_file(&file.name));
    let width = cells.states.len();
    let mut svg = format!(
        "<svg class=\"strip\" viewBox=\"0 0 {width} 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{words}\">\
         <path class=\"clean\" d=\"M0 0h{width}v8H0z\"/>"
    );
    for state in &State::ALL[1..] {
        let path = cells.runs(*state).map(|(first, len)| format!("M{first} 0h{len}v8h-{len}z"));
        push_path(&mut svg, *state, &path.collect::<String>());
    }
    if let Some(geometry) = file.geometry {
        let body = geometry.region(Region::Body);
        let cell = |page: u64| page as f64 * width as f64 / file.pages.max(1) as f64;
        // A string takes everything.
        let _ = write!(
            svg,
            "<path class=\"body\" d=\"M{:.1} 9H{:.1}v1H{:.1}z\"/>",
            cell(body.start.get()),
            cell(body.end.get()),
            cell(body.start.get())
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The picture of a whole store, file behind file.
pub(super) fn map(verified: &Verified, marks: &Marks, words: &str) -> String {
    let mut before = 0;
    let mut wrong = Vec::new();
    for file in &verified.seen {
        // Pages behind the end of a file that was cut belong to its last.
        let last = file.pages.saturating_sub(1);
        wrong.extend(marks.of_file(&file.name).map(|(page, state)| (before + page.min(last), state)));
        before += file.pages;
    }
    let cells = Cells::of(before, MAP_CELLS, wrong.into_iter());
    let count = cells.states.len() as u64;
    let (columns, rows) = (MAP_COLUMNS.min(count), count.div_ceil(MAP_COLUMNS));
    let mut svg = format!(
        "<svg class=\"map\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{words}\">",
        10 * columns,
        10 * rows
    );
    for state in State::ALL {
        let mut path = String::new();
        for (first, len) in cells.runs(state) {
            for cell in first..first + len {
                let (x, y) = (10 * (cell % MAP_COLUMNS), 10 * (cell / MAP_COLUMNS));
                let _ = write!(path, "M{x} {y}h9v9h-9z");
            }
        }
        push_path(&mut svg, state, &path);
    }
    svg.push_str("</svg>");
    svg
}

/// How many pages a cell of the map stands for at most.
pub(super) fn pages_of_cell(pages: u64) -> u64 {
    pages.div_ceil(MAP_CELLS).max(1)
}

fn push_path(svg: &mut String, state: State, path: &str) {
    if !path.is_empty() {
        let _ = write!(svg, "<path class=\"{}\" d=\"{path}\"/>", state.class());
    }
}

/// Pages gathered into cells.
struct Cells {
    states: Vec<State>,
}

impl Cells {
    fn of(pages: u64, cells_max: u64, wrong: impl Iterator<Item = (u64, State)>) -> Self {
        let count = pages.clamp(1, cells_max);
        let mut states = vec![State::Clean; count as usize];
        for (page, state) in wrong {
            let page = page.min(pages.saturating_sub(1));
            let cell = (u128::from(page) * u128::from(count) / u128::from(pages.max(1))) as usize;
            states[cell] = states[cell].max(state);
        }
        Self { states }
    }

    /// First cell and count of each run of a state.
    fn runs(&self, state: State) -> impl Iterator<Item = (u64, u64)> {
        let mut at = 0;
        let runs = self.states.chunk_by(|a, b| a == b).map(move |run| {
            let first = at;
            at += run.len() as u64;
            (run[0], first, run.len() as u64)
        });
        runs.filter(move |(of, ..)| *of == state).map(|(_, first, len)| (first, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pages: u64, wrong: &[(u64, State)], runs: &[(State, u64, u64)]) {
        let cells = Cells::of(pages, 10, wrong.iter().copied());
        let found = State::ALL.into_iter().rev().flat_map(|state| {
            cells.runs(state).map(move |(first, len)| (state, first, len)).collect::<Vec<_>>()
        });
        assert_eq!(found.collect::<Vec<_>>(), runs);
    }

    #[test]
    fn a_cell_has_the_state_of_its_worst_page() {
        use State::{Clean, Lost, Mended, Parity};
        check(0, &[], &[(Clean, 0, 1)]);
        check(3, &[(1, Lost)], &[(Lost, 1, 1), (Clean, 0, 1), (Clean, 2, 1)]);
        check(
            1000,
            &[(0, Mended), (99, Lost), (100, Parity)],
            &[(Lost, 0, 1), (Parity, 1, 1), (Clean, 2, 8)],
        );
        check(1000, &[(999, Lost), (5000, Lost)], &[(Lost, 9, 1), (Clean, 0, 9)]);
        check(u64::MAX, &[(u64::MAX - 1, Lost)], &[(Lost, 9, 1), (Clean, 0, 9)]);
    }

    #[test]
    fn pictures_do_not_grow_with_files() {
        let file = |pages| SeenFile {
            name: "f".into(),
            kind: resilver::FileKind::Log,
            pages,
            keyspace: None,
            level: None,
            geometry: None,
        };
        let mut marks = Marks::default();
        let striped = (0..100_000).step_by(2).map(|page| (page * 391, State::Lost)).collect();
        marks.0.insert("f".into(), striped);
        assert!(strip(&file(40_000_000), &marks, "").len() < 4_000);
        let verified = Verified { seen: vec![file(40_000_000)], ..Verified::default() };
        assert!(map(&verified, &marks, "").len() < 64_000);
    }
}
