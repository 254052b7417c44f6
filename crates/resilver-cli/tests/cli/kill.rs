//! A process killed at any moment, from the first instruction of its first open on: what it acknowledged is
//! there, what is there is the state after some batch, and a checkpoint is whole or is none.
//!
//! `RESILVER_SEED` chooses what is tried; `RESILVER_MINUTES` how long, instead of a few rounds.

mod script;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        mpsc::{RecvTimeoutError, channel},
    },
    thread::scope,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use self::script::{Dice, Script, State, Text, state_of};

const OPTS: &str = "memtable=64K,table=64K,segment=256K";
const ROUNDS_BY_DAY: u64 = 16;
const SIGKILL: i32 = 9;

/// A store that is killed again and again.
struct Victim {
    dir: TempDir,
    store: PathBuf,
    /// What was there last; nothing while the store never was seen whole.
    seen: Option<State>,
    dice: Dice,
    tally: Tally,
}

/// What was judged, so that nobody takes an idle law for a kept one.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    killed: u64,
    unborn: u64,
    acks: u64,
    batches_left: u64,
    copies: u64,
}

/// When a process is killed: at whichever comes first.
#[derive(Clone, Copy, Debug)]
struct Moment {
    after: Duration,
    acks: usize,
}

/// How a process ended, and what it said until then.
struct Ended {
    status: ExitStatus,
    was_killed: bool,
    acks: usize,
    complaints: String,
}

#[test]
fn a_process_killed_at_any_moment_leaves_what_it_acknowledged() {
    let number = |name| std::env::var(name).ok().and_then(|word| word.parse::<u64>().ok());
    let seed = number("RESILVER_SEED").unwrap_or(1);
    let until = number("RESILVER_MINUTES").map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
    let mut victim = Victim::new(seed);
    for round in 0.. {
        if until.map_or(round >= ROUNDS_BY_DAY, |until| Instant::now() >= until) {
            break;
        }
        victim.round().unwrap_or_else(|wrong| panic!("seed {seed}, round {round}: {wrong}"));
    }
    // Past the test harness, which keeps what passing tests say to itself.
    let _ = writeln!(std::io::stderr(), "kills with seed {seed}: {:?}", victim.tally);
    let Tally { killed, acks, .. } = victim.tally;
    assert!(killed > 0 && acks > 0, "nothing was killed that had acknowledged anything");
}

impl Victim {
    fn new(seed: u64) -> Self {
        let dir = TempDir::new().unwrap();
        let store = dir.path().join("store-0");
        Self { dir, store, seen: None, dice: Dice::new(seed), tally: Tally::default() }
    }

    /// Feeds a process, kills it, and judges what it leaves.
    fn round(&mut self) -> Result<(), String> {
        self.tally.rounds += 1;
        if self.dice.one_in(5) {
            self.start_afresh();
        }
        let copies = self.dir.path().join(format!("copies-{}", self.tally.rounds));
        fs::create_dir(&copies).unwrap();
        let script = Script::new(&mut self.dice, self.tally.rounds, &copies);
        let moment = Moment::drawn(&mut self.dice);
        let threads = 1 + self.dice.below(4);
        let ended = self.apply(&script, moment, threads);
        self.tally.killed += u64::from(ended.was_killed);
        self.tally.acks += ended.acks as u64;
        let told = || format!("{moment:?}, {threads} threads, {} ACKs, {:?}", ended.acks, ended.complaints);
        if ended.complaints.contains("panicked") {
            return Err(format!("it panicked: {}", told()));
        }
        if !ended.was_killed && (!ended.status.success() || ended.acks != script.durable().count()) {
            return Err(format!("nobody killed it, and it ended with {}: {}", ended.status, told()));
        }
        self.judge(&script, ended.acks).map_err(|wrong| format!("{wrong}; {}", told()))?;
        fs::remove_dir_all(&copies).unwrap();
        Ok(())
    }

    fn start_afresh(&mut self) {
        if self.store.exists() {
            fs::remove_dir_all(&self.store).unwrap();
        }
        self.store = self.dir.path().join(format!("store-{}", self.tally.rounds));
        self.seen = None;
    }

    fn apply(&self, script: &Script, moment: Moment, threads: u64) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resilver"));
        command.args(["drill", "apply", "--opts", OPTS, "--threads", &threads.to_string()]).arg(&self.store);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let child = Mutex::new(child);
        let kill = || child.lock().unwrap().kill().unwrap();
        let (ending, ended) = channel::<()>();
        scope(|scope| {
            // Who is killed does not read to the end.
            scope.spawn(move || stdin.write_all(script.lines().as_bytes()));
            let complaints = scope.spawn(move || {
                let mut text = String::new();
                let _ = stderr.read_to_string(&mut text);
                text
            });
            scope.spawn(move || {
                if ended.recv_timeout(moment.after) == Err(RecvTimeoutError::Timeout) {
                    kill();
                }
            });
            let mut acks = 0;
            for line in BufReader::new(stdout).lines() {
                acks += 1;
                assert_eq!(line.unwrap(), format!("ACK {acks}"), "acknowledgements count from one");
                if acks == moment.acks {
                    kill();
                }
            }
            drop(ending);
            let status = child.lock().unwrap().wait().unwrap();
            let complaints = complaints.join().unwrap();
            Ended { status, was_killed: status.signal() == Some(SIGKILL), acks, complaints }
        })
    }

    fn judge(&mut self, script: &Script, acks: usize) -> Result<(), String> {
        let base = self.seen.clone().unwrap_or_default();
        let needed = acks.checked_sub(1).map_or(0, |last| script.durable().nth(last).unwrap() + 1);
        let dice = &mut self.dice;
        let way = ["scan", "reverse", "by-get"][dice.below(3) as usize];
        match dump(&self.store, way)? {
            None if self.seen.is_none() && needed == 0 => self.tally.unborn += 1,
            None => return Err("the store is gone".into()),
            Some(found) => {
                let Some((at, left)) = script.find(&base, needed, &found) else {
                    return Err(script.difference(&base, needed, &found));
                };
                self.tally.batches_left += at as u64;
                self.seen = Some(left);
            }
        }
        for copy in script.copies() {
            let is_done = script.durable().take(acks).any(|durable| durable >= copy.batches);
            match dump(&copy.path, way)? {
                None if !is_done => {}
                None => return Err(format!("{} was finished and is gone", copy.path.display())),
                Some(found) if found == script.state_after(&base, copy.batches) => self.tally.copies += 1,
                Some(_) => return Err(format!("{} holds another state", copy.path.display())),
            }
        }
        Ok(())
    }
}

impl Moment {
    fn drawn(dice: &mut Dice) -> Self {
        if dice.one_in(2) {
            // What was acknowledged this instant is what is there most narrowly.
            return Self { after: Duration::from_secs(20), acks: 1 + dice.below(60) as usize };
        }
        let longest = [1, 4, 12, 50, 200, 600, 1500][dice.below(7) as usize];
        Self { after: Duration::from_micros(dice.below(longest * 1000)), acks: usize::MAX }
    }
}

/// What a store holds; nothing if there is none, or none yet.
fn dump(store: &Path, way: &str) -> Result<Option<State>, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resilver"));
    command.args(["drill", "dump"]).arg(store);
    match way {
        "reverse" => drop(command.arg("--reverse")),
        "by-get" => {
            let names = store.with_extension("names");
            fs::write(&names, script::every_key()).unwrap();
            command.arg("--by-get").arg(names);
        }
        _ => {}
    }
    let output = command.output().unwrap();
    let (Text(text), Text(complaint)) = (output.stdout.into(), output.stderr.into());
    let is_none =
        ["holds no store", "cut short", "there is no store"].iter().any(|part| complaint.contains(part));
    match output.status.code() {
        Some(0) => state_of(&text, way == "reverse").map(Some),
        Some(1) if is_none => Ok(None),
        _ => Err(format!("dump of {} by {way} ends with {}: {complaint}", store.display(), output.status)),
    }
}
