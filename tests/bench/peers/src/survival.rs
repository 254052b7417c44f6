//! What stores survive, in one run: the same damage to stores of Resilver and of its peers.
//!
//! `cargo run --release --features rocksdb --manifest-path tests/bench/peers/Cargo.toml -- survival [--seeds N]
//! [--seed N] [--keys N] [--value-bytes N] [--cost-keys N] [--engines A,B] [--rows A,B] [--jobs N] [--dir DIR]
//! [--out DIR] [--markdown FILE]`
//!
//! For each engine one store is made and its process killed. For each row and seed a copy of it is hurt, and another
//! process asks the copy for every key, one by one and in a scan. The table goes to stdout, `survival.json` and
//! `survival.html` to the directory of `--out`, a page for readers to `--markdown`. `--rows` takes beginnings of
//! names; `--cost-keys 0` leaves the costs out. Exit code 1 if Resilver breaks its promise, 2 if nothing could be
//! measured.

mod child;
mod cost;
mod harm;
mod image;
mod markdown;
mod matrix;
mod page;
mod rng;
mod story;
mod subject;
mod unreadable;
mod verdict;

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use self::{
    child::Task,
    harm::{Harm, ROWS, Row},
    image::Image,
    matrix::Matrix,
    subject::{SUBJECTS, Subject},
    unreadable::Unreadable,
    verdict::{Cell, Counts, Verdict},
};
use crate::{content::Content, engine::Failure};

/// Rounds of the costs, of which the middle counts.
const COST_ROUNDS: usize = 3;

/// What is asked for.
struct Asked {
    seeds: u64,
    seed: u64,
    keys: u64,
    value_bytes: usize,
    cost_keys: u64,
    subjects: Vec<&'static Subject>,
    rows: Vec<&'static Row>,
    jobs: usize,
    dir: Option<PathBuf>,
    out: PathBuf,
    markdown: Option<PathBuf>,
}

/// Answers whether the words were for this; else the comparison of speed has them.
pub fn run(words: &[String]) -> Option<ExitCode> {
    let (first, rest) = words.split_first()?;
    let done = match first.as_str() {
        child::WORD => child::run(rest).map(|()| ExitCode::SUCCESS),
        "survival" => Asked::parse(rest).and_then(|asked| measure(&asked)),
        _ => return None,
    };
    Some(done.unwrap_or_else(|failure| {
        eprintln!("error: {failure}; usage is at the head of src/survival.rs");
        ExitCode::from(2)
    }))
}

impl Asked {
    fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut asked = Self {
            seeds: 20,
            seed: 1,
            keys: 12_000,
            value_bytes: 300,
            cost_keys: 400_000,
            subjects: SUBJECTS.iter().collect(),
            rows: ROWS.iter().collect(),
            jobs: 2,
            dir: None,
            out: PathBuf::from("."),
            markdown: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let next = words.next().ok_or_else(|| format!("{word} wants a value"))?;
            let has = |fits: &dyn Fn(&str) -> bool| next.split(',').any(fits);
            match word.as_str() {
                "--seeds" => asked.seeds = next.parse()?,
                "--seed" => asked.seed = next.parse()?,
                "--keys" => asked.keys = next.parse()?,
                "--value-bytes" => asked.value_bytes = next.parse()?,
                "--cost-keys" => asked.cost_keys = next.parse()?,
                "--engines" => asked.subjects.retain(|subject| has(&|name| name == subject.name)),
                "--rows" => asked.rows.retain(|row| has(&|name| row.name.starts_with(name))),
                "--jobs" => asked.jobs = next.parse()?,
                "--dir" => asked.dir = Some(next.into()),
                "--out" => asked.out = next.into(),
                "--markdown" => asked.markdown = Some(next.into()),
                _ => return Err(format!("{word} is no option").into()),
            }
        }
        let fits = asked.seeds > 0 && asked.jobs > 0 && asked.keys >= 1000 && asked.value_bytes >= 16;
        if fits && !asked.subjects.is_empty() { Ok(asked) } else { Err("there is nothing to measure".into()) }
    }

    fn tempdir(&self) -> Result<tempfile::TempDir, Failure> {
        Ok(match &self.dir {
            Some(dir) => tempfile::tempdir_in(dir)?,
            None => tempfile::tempdir()?,
        })
    }
}

fn measure(asked: &Asked) -> Result<ExitCode, Failure> {
    fs::create_dir_all(&asked.out)?;
    let mut matrix = Matrix::new(asked.subjects.clone(), asked.rows.clone());
    matrix.head = format!(
        "{} seeds from {}; {} keys of 16 B with values of {} B, for the costs {} keys",
        asked.seeds, asked.seed, asked.keys, asked.value_bytes, asked.cost_keys
    );
    let tools = asked.tempdir()?;
    let unreadable = Unreadable::build(tools.path());
    if let Err(error) = &unreadable {
        eprintln!("pages that cannot be read are not measured: {error}");
    }
    for (column, cells) in hurt_all(asked, unreadable.as_ref().ok())?.into_iter().enumerate() {
        matrix.cells[column] = cells;
    }
    told(asked, &matrix)?;
    // By themselves, for nobody else is to be in the way.
    for (column, subject) in asked.subjects.iter().enumerate() {
        matrix.costs[column] = cost(asked, subject)?;
    }
    told(asked, &matrix)?;
    print!("{}", matrix.text());
    let broken = matrix.broken();
    broken.iter().for_each(|told| eprintln!("broken: {told}"));
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn told(asked: &Asked, matrix: &Matrix) -> Result<(), Failure> {
    fs::write(asked.out.join("survival.json"), format!("{:#}\n", matrix.json()))?;
    fs::write(asked.out.join("survival.html"), page::page(matrix))?;
    if let Some(path) = &asked.markdown {
        fs::write(path, markdown::page(matrix))?;
    }
    Ok(())
}

/// The cells of each engine; one engine after the other for each thread.
fn hurt_all(asked: &Asked, unreadable: Option<&Unreadable>) -> Result<Vec<Vec<Cell>>, Failure> {
    let (next, cells) = (AtomicUsize::new(0), Mutex::new(vec![Vec::new(); asked.subjects.len()]));
    let work = || -> Result<(), Failure> {
        loop {
            let column = next.fetch_add(1, Ordering::Relaxed);
            let Some(subject) = asked.subjects.get(column) else { return Ok(()) };
            let told = Column { asked, subject, unreadable }.hurt()?;
            cells.lock().unwrap()[column] = told;
        }
    };
    thread::scope(|scope| {
        let crew: Vec<_> = (0..asked.jobs).map(|_| scope.spawn(work)).collect();
        crew.into_iter().try_for_each(|member| member.join().unwrap())
    })?;
    Ok(cells.into_inner().unwrap())
}

/// One engine.
struct Column<'a> {
    asked: &'a Asked,
    subject: &'static Subject,
    unreadable: Option<&'a Unreadable>,
}

impl Column<'_> {
    fn hurt(&self) -> Result<Vec<Cell>, Failure> {
        let Self { asked, subject, .. } = self;
        let dir = asked.tempdir()?;
        let task = Task {
            subject: subject.name,
            store: dir.path().join("store"),
            keys: asked.keys,
            value_bytes: asked.value_bytes,
            seed: asked.seed,
        };
        eprintln!("{}: making the store", subject.name);
        task.make()?;
        let image = Image::of(&task.store)?;
        // What is right unhurt tells of the damage when it is not right any more.
        image.lay(&task.store)?;
        let whole = task.ask(|_| ())?;
        if whole.verdict != Verdict::Right {
            return Err(format!("{} unhurt: {whole:?}", subject.name).into());
        }
        let mut cells = Vec::new();
        for row in &asked.rows {
            let cell = self.hurt_row(row, &task, &image)?;
            eprintln!("{}: {}: {}", subject.name, row.name, cell.told());
            cells.push(cell);
        }
        Ok(cells)
    }

    fn hurt_row(&self, row: &Row, task: &Task, image: &Image) -> Result<Cell, Failure> {
        let (mut counts, mut met) = (Counts::default(), 0);
        let unreadable = match (row.harm, self.unreadable) {
            (Harm::Unreadable, None) => return Ok(Cell::NotMeasured),
            (Harm::Unreadable, unreadable) => unreadable,
            _ => None,
        };
        for seed in self.asked.seed..self.asked.seed + self.asked.seeds {
            image.lay(&task.store)?;
            let Some(hurt) = harm::draw(self.subject, &task.store, row, seed)? else {
                return Ok(Cell::Nothing);
            };
            hurt.inflict(seed)?;
            let loaded = unreadable.map(|unreadable| unreadable.loaded(&hurt, &task.store));
            let found = task.ask(|command| _ = loaded.as_ref().map(|loaded| loaded.put_before(command)))?;
            met += usize::from(loaded.is_none_or(|loaded| loaded.was_met()));
            counts.take(seed, &hurt, found);
        }
        // Whoever reads in a way that the library does not know has met nothing.
        Ok(if met == 0 { Cell::NotMeasured } else { Cell::Counted(counts) })
    }
}

fn cost(asked: &Asked, subject: &Subject) -> Result<Option<cost::Cost>, Failure> {
    // What is done to a store later has no part in what it cost.
    if asked.cost_keys == 0 || subject.before.is_some() {
        return Ok(None);
    }
    let content = Content::new(asked.cost_keys, asked.value_bytes, asked.seed);
    let mut costs = Vec::new();
    for round in 0..COST_ROUNDS {
        eprintln!("{}: costs, round {} of {COST_ROUNDS}", subject.name, round + 1);
        let dir = asked.tempdir()?;
        costs.push(cost::measure(subject, &dir.path().join("filled"), &content)?);
    }
    Ok(cost::middle(&costs))
}
