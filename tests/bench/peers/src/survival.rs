//! What stores survive, in one run: the same damage to stores of Resilver and of its peers.
//!
//! `cargo run --release --features rocksdb --manifest-path tests/bench/peers/Cargo.toml -- survival [--seeds N]
//! [--seed N] [--keys N] [--value-bytes N] [--cost-keys N] [--engines A,B] [--rows A,B] [--dir DIR] [--out DIR]
//! [--markdown FILE]`
//!
//! For each engine one store is made and its process killed. For each row and seed a copy of it is hurt, and another
//! process asks the copy for every key, one by one and in a scan. The table goes to stdout, `survival.json` and
//! `survival.html` to the directory of `--out`, a page for readers to `--markdown`. `--rows` takes beginnings of
//! names; `--cost-keys 0` leaves the costs out. Exit code 1 if Resilver breaks its promise, 2 if nothing could be
//! measured.

mod child;
mod cost;
mod harm;
mod markdown;
mod matrix;
mod page;
mod rng;
mod story;
mod subject;
mod unreadable;
mod verdict;

use std::{fs, path::Path, path::PathBuf, process::ExitCode};

use self::{
    child::Task,
    harm::{Harm, ROWS, Row},
    matrix::Matrix,
    subject::{SUBJECTS, Subject},
    unreadable::Unreadable,
    verdict::{Cell, Counts},
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
            seeds: 25,
            seed: 1,
            keys: 30_000,
            value_bytes: 300,
            cost_keys: 400_000,
            subjects: SUBJECTS.iter().collect(),
            rows: ROWS.iter().collect(),
            dir: None,
            out: PathBuf::from("."),
            markdown: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let next = words.next().ok_or_else(|| format!("{word} wants a value"))?;
            let mut named = next.split(',');
            match word.as_str() {
                "--seeds" => asked.seeds = next.parse()?,
                "--seed" => asked.seed = next.parse()?,
                "--keys" => asked.keys = next.parse()?,
                "--value-bytes" => asked.value_bytes = next.parse()?,
                "--cost-keys" => asked.cost_keys = next.parse()?,
                "--engines" => asked.subjects.retain(|subject| named.clone().any(|name| name == subject.name)),
                "--rows" => asked.rows.retain(|row| named.any(|name| row.name.starts_with(name))),
                "--dir" => asked.dir = Some(next.into()),
                "--out" => asked.out = next.into(),
                "--markdown" => asked.markdown = Some(next.into()),
                _ => return Err(format!("{word} is no option").into()),
            }
        }
        let fits = asked.seeds > 0 && asked.keys >= 1000 && asked.value_bytes >= 16;
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
        "{} seeds from {}; {} keys of 16 B with values of {} B",
        asked.seeds, asked.seed, asked.keys, asked.value_bytes
    );
    let tools = asked.tempdir()?;
    let unreadable = Unreadable::build(tools.path());
    if let Err(error) = &unreadable {
        eprintln!("pages that cannot be read are not measured: {error}");
    }
    for (column, subject) in asked.subjects.iter().enumerate() {
        let cells = hurt_all(asked, subject, unreadable.as_ref().ok())?;
        matrix.cells[column] = cells;
        matrix.costs[column] = cost(asked, subject)?;
        // After each, so that an end before the last one leaves those before.
        fs::write(asked.out.join("survival.json"), format!("{:#}\n", matrix.json()))?;
        fs::write(asked.out.join("survival.html"), page::page(&matrix))?;
    }
    print!("{}", matrix.text());
    if let Some(path) = &asked.markdown {
        fs::write(path, markdown::page(&matrix))?;
    }
    let broken = matrix.broken();
    broken.iter().for_each(|told| eprintln!("broken: {told}"));
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn hurt_all(
    asked: &Asked,
    subject: &'static Subject,
    unreadable: Option<&Unreadable>,
) -> Result<Vec<Cell>, Failure> {
    let dir = asked.tempdir()?;
    let (made, copy) = (dir.path().join("made"), dir.path().join("copy"));
    let task = Task {
        subject: subject.name,
        store: made.clone(),
        keys: asked.keys,
        value_bytes: asked.value_bytes,
        seed: asked.seed,
    };
    eprintln!("{}: making the store", subject.name);
    task.make()?;
    let task = Task { store: copy.clone(), ..task };
    // What is right unhurt tells of the damage when it is not right any more.
    copy_all(&made, &copy)?;
    let whole = task.ask(|_| ())?;
    if whole.verdict != verdict::Verdict::Right {
        return Err(format!("{} unhurt: {whole:?}", subject.name).into());
    }
    let mut cells = Vec::new();
    for row in &asked.rows {
        let cell = hurt(asked, row, &task, &made, unreadable)?;
        eprintln!("{}: {}: {}", subject.name, row.name, cell.told());
        cells.push(cell);
    }
    Ok(cells)
}

fn hurt(
    asked: &Asked,
    row: &Row,
    task: &Task,
    made: &Path,
    unreadable: Option<&Unreadable>,
) -> Result<Cell, Failure> {
    let subject = Subject::named(task.subject).ok_or("there is no such store")?;
    let mut counts = Counts::default();
    if row.harm == Harm::Unreadable && unreadable.is_none() {
        return Ok(Cell::NotMeasured);
    }
    for seed in asked.seed..asked.seed + asked.seeds {
        copy_all(made, &task.store)?;
        let Some(hurt) = harm::draw(subject, &task.store, row, seed)? else { return Ok(Cell::Nothing) };
        hurt.inflict(seed)?;
        let found = task.ask(|command| match unreadable {
            Some(unreadable) if hurt.harm == Harm::Unreadable => unreadable.load(command, &hurt),
            _ => {}
        })?;
        counts.take(seed, &hurt, found);
    }
    Ok(Cell::Counted(counts))
}

/// Makes one directory what another is.
fn copy_all(from: &Path, to: &Path) -> Result<(), Failure> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        match path.is_dir() {
            true => copy_all(&path, &to.join(name))?,
            false => _ = fs::copy(&path, to.join(name))?,
        }
    }
    Ok(())
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
