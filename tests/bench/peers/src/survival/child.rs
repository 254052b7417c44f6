//! What is done in processes of their own: making a store whose process is killed, and asking one that was hurt, for
//! whatever that does to who asks.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::{
    story::Story,
    subject::Subject,
    verdict::{Found, Verdict},
};
use crate::{
    content::Content,
    engine::{Creation, Engine, Failure, Settings},
};

/// The word that such processes are told by.
pub const WORD: &str = "survival-child";
/// What they may take.
const MEMORY_BYTES: u64 = 8 << 30;
const TIME: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(2);
const WHY_MAX: usize = 400;
/// What a maker says when its store is as it shall be.
const MADE: &str = "made";

pub const SETTINGS: Settings = Settings {
    cache_bytes: 8 << 20,
    memtable_bytes: 1 << 20,
    block_bytes: 4096,
    filter_bits: 10.0,
    workers: 2,
    creation: Creation::Allowed,
};

/// Which store, and what it lives through.
#[derive(Clone, Debug)]
pub struct Task {
    pub subject: &'static str,
    pub store: PathBuf,
    pub keys: u64,
    pub value_bytes: usize,
    pub seed: u64,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Make,
    Ask,
}

impl Task {
    fn command(&self, act: Act) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let numbers = [self.keys, self.value_bytes as u64, self.seed].map(|number| number.to_string());
        command.args([WORD, &format!("{act:?}"), self.subject]).arg(&self.store).args(numbers);
        command.stdout(Stdio::piped()).stdin(Stdio::piped());
        Ok(command)
    }

    /// Makes the store, in a process that is killed with it open.
    pub fn make(&self) -> Result<(), Failure> {
        let mut child = self.command(Act::Make)?.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        child.kill()?;
        child.wait()?;
        if line.trim() == MADE { Ok(()) } else { Err(format!("{} was not made", self.subject).into()) }
    }

    /// Asks the store for everything, in a process that `prepare` may do something to.
    pub fn ask(&self, prepare: impl FnOnce(&mut Command)) -> Result<Found, Failure> {
        let mut command = self.command(Act::Ask)?;
        command.stderr(Stdio::null());
        prepare(&mut command);
        let mut child = command.spawn()?;
        let Some(status) = wait(&mut child)? else {
            return Ok(Found::new(Verdict::Crash, format!("no answer after {TIME:?}")));
        };
        let mut told = String::new();
        child.stdout.take().ok_or("no stdout")?.read_to_string(&mut told)?;
        let (verdict, why) = told.lines().last().unwrap_or("").split_once(": ").unwrap_or_default();
        Ok(match Verdict::named(verdict) {
            Some(verdict) if verdict == Verdict::Wrong || status.success() => Found::new(verdict, why),
            _ => Found::new(Verdict::Crash, status),
        })
    }

    fn parse(words: &[String]) -> Result<(Act, Self), Failure> {
        let [act, subject, store, keys, value_bytes, seed] = words else {
            return Err("these are not the words of a child".into());
        };
        let act = if act == "Make" { Act::Make } else { Act::Ask };
        let subject = Subject::named(subject).ok_or("there is no such store")?.name;
        let (keys, value_bytes, seed) = (keys.parse()?, value_bytes.parse()?, seed.parse()?);
        Ok((act, Self { subject, store: store.into(), keys, value_bytes, seed }))
    }
}

/// None if it had to be ended.
fn wait(child: &mut Child) -> Result<Option<ExitStatus>, Failure> {
    let begun = Instant::now();
    while begun.elapsed() < TIME {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(LOOK_EVERY);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// What a child does.
pub fn run(words: &[String]) -> Result<(), Failure> {
    let (act, task) = Task::parse(words)?;
    let subject = Subject::named(task.subject).ok_or("there is no such store")?;
    let story = Story::new(task.keys, task.value_bytes, task.seed);
    match act {
        Act::Make => {
            let _open = story.tell(subject.kind, &task.store, &SETTINGS)?;
            println!("{MADE}");
            // Until it is killed; or until nobody is there any more to do that.
            std::io::stdin().read_to_end(&mut Vec::new())?;
        }
        Act::Ask => {
            let most = Some(MEMORY_BYTES);
            setrlimit(Resource::As, Rlimit { current: most, maximum: most })?;
            let found = catch_unwind(AssertUnwindSafe(|| ask(subject, &task.store, &story)));
            let found = found.unwrap_or_else(|_| Found::new(Verdict::Crash, "it panicked"));
            tell(&found);
        }
    }
    Ok(())
}

fn ask(subject: &Subject, store: &Path, story: &Story) -> Found {
    let settings = Settings { creation: Creation::Never, ..SETTINGS };
    let before = subject.before.map_or(Ok(()), |before| before(store, &settings));
    let engine = match (subject.kind.open)(store, &settings) {
        Ok(engine) => engine,
        Err(failure) => return Found::new(Verdict::NoOpen, failure),
    };
    let end = story.end();
    let (got, scanned) = (get_all(&*engine, story, &end), scan_all(&*engine, story, &end));
    let mut found = if scanned.verdict > got.verdict { scanned } else { got };
    if let (Verdict::Right, Err(failure)) = (found.verdict, before) {
        found = Found::new(Verdict::Error, failure);
    }
    if found.verdict == Verdict::Wrong {
        // Before whatever closing may do.
        tell(&found);
    }
    found
}

/// On one line, which is read only once this process has ended: no more than a pipe holds.
fn tell(found: &Found) {
    let why: String = found.why.replace('\n', " ").chars().take(WHY_MAX).collect();
    println!("{}: {why}", found.verdict.name());
}

/// Each key by itself.
fn get_all(engine: &dyn Engine, story: &Story, end: &[Option<u64>]) -> Found {
    let (mut found, mut value) = (Found::new(Verdict::Right, ""), Vec::new());
    for (number, &stamp) in (0..).zip(end) {
        let key = story.entry(number, stamp.unwrap_or(0), &mut value);
        let mut is_right = false;
        let got = engine.get(&key, &mut |got| is_right = got == value);
        let why = match (got, stamp) {
            (Err(failure), _) => {
                if found.verdict == Verdict::Right {
                    found = Found::new(Verdict::Error, failure);
                }
                continue;
            }
            (Ok(true), Some(_)) if is_right => continue,
            (Ok(false), None) => continue,
            (Ok(true), Some(_)) => "has an old or wrong value",
            (Ok(true), None) => "was deleted, and is there",
            (Ok(false), _) => "is not there",
        };
        return Found::new(Verdict::Wrong, format!("key number {number} {why}"));
    }
    found
}

/// All keys in order.
fn scan_all(engine: &dyn Engine, story: &Story, end: &[Option<u64>]) -> Found {
    let mut there = (0..).zip(end).filter_map(|(number, stamp)| Some((number, (*stamp)?)));
    let (mut value, mut wrong) = (Vec::new(), None);
    let scanned = engine.scan(&Content::key(0), end.len() + 1, &mut |key, got| {
        let next = there.next().map(|(number, stamp)| (number, story.entry(number, stamp, &mut value)));
        match next {
            Some((_, next)) if *key == next && got == value => {}
            Some((number, _)) => _ = wrong.get_or_insert(format!("instead of key number {number}")),
            None => _ = wrong.get_or_insert("behind the last key".into()),
        }
    });
    match (wrong, scanned) {
        (Some(place), _) => Found::new(Verdict::Wrong, format!("a scan meets something else {place}")),
        (None, Err(failure)) => Found::new(Verdict::Error, failure),
        (None, Ok(())) => match there.next() {
            Some((number, _)) => {
                Found::new(Verdict::Wrong, format!("a scan ends before key number {number}"))
            }
            None => Found::new(Verdict::Right, ""),
        },
    }
}
