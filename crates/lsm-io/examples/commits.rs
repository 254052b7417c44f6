//! Measures synced commits on a real disk: what one writer waits for, what eight share, and what the way a
//! file was prepared costs.
//!
//! `cargo run --release -p lsm-io --example commits [directory] [seconds per line]`
//!
//! Samples of what is compared are taken in turns, so that a noisy neighbour disturbs them alike.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lsm_io::{ByteLen, Durability, Epoch, EpochWorker, FileOffset, Fs, Lane, Limits, StdFs, Target};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PAGE: u64 = 4096;
const SEGMENT_PAGES: u64 = 4096;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().unwrap_or_else(|| ".".into()));
    let seconds = args.next().map_or(Ok(3), |text| text.parse::<u64>())?;
    let bench = Bench {
        dir: dir.join(format!("commits-{}", std::process::id())),
        time: Duration::from_secs(seconds),
    };
    std::fs::create_dir(&bench.dir)?;
    let outcome = bench.run();
    std::fs::remove_dir_all(&bench.dir)?;
    outcome
}

struct Bench {
    dir: PathBuf,
    time: Duration,
}

/// How a file was prepared before the commits.
#[derive(Clone, Copy, Debug)]
enum Prepared {
    Overwritten,
    Allocated,
    Appended,
}

impl Bench {
    fn run(&self) -> Outcome<()> {
        println!("one page a commit; microseconds, bare write-and-sync beside the worker");
        for prepared in [Prepared::Overwritten, Prepared::Allocated, Prepared::Appended] {
            self.lone(prepared)?;
        }
        println!("writers together, overwritten segment, slices of one writer and of many in turns");
        for durability in [Durability::Synced, Durability::Buffered] {
            for writers in [2, 4, 8, 16, 32] {
                self.together(writers, durability)?;
            }
        }
        println!("one writer beside a bulk lane that writes 64 MiB tables");
        self.beside_bulk()
    }

    /// A lone writer against the same calls without a worker, in alternating batches.
    fn lone(&self, prepared: Prepared) -> Outcome<()> {
        const BATCH: u64 = 64;
        let bare = self.segment("bare", prepared)?;
        let ours = self.segment("ours", prepared)?;
        let worker = EpochWorker::start(Limits::default())?;
        let (mut bare_times, mut our_times) = (Vec::new(), Vec::new());
        let started = Instant::now();
        let mut page = 0;
        while started.elapsed() < self.time && page + BATCH <= SEGMENT_PAGES {
            for at in page..page + BATCH {
                let bytes = vec![at as u8; PAGE as usize];
                let begun = Instant::now();
                bare.file().write_at(FileOffset::new(at * PAGE), &bytes)?;
                bare.file().sync()?;
                bare_times.push(begun.elapsed());
            }
            for at in page..page + BATCH {
                let bytes = vec![at as u8; PAGE as usize];
                let begun = Instant::now();
                worker.commit(Lane::Log, Epoch::new().write(&ours, FileOffset::new(at * PAGE), bytes))?;
                our_times.push(begun.elapsed());
            }
            page += BATCH;
            if matches!(prepared, Prepared::Overwritten) {
                page %= SEGMENT_PAGES;
            }
        }
        let (bare_at, our_at) = (Quantiles::of(bare_times), Quantiles::of(our_times));
        let ratio = our_at.median.as_secs_f64() / bare_at.median.as_secs_f64();
        let name = format!("{prepared:?}");
        println!("  {name:12} bare {bare_at}  worker {our_at}  median ratio {ratio:.3}");
        self.remove(&["bare", "ours"])
    }

    /// Many writers against one, in alternating slices of time.
    fn together(&self, writers: u64, durability: Durability) -> Outcome<()> {
        const SLICE: Duration = Duration::from_millis(100);
        let log = self.segment("log", Prepared::Overwritten)?;
        let mut slices = Vec::new();
        let mut group = 0.0;
        let begun = Instant::now();
        while begun.elapsed() < self.time {
            let (one, _) = slice(&log, 1, durability, SLICE)?;
            let (many, in_a_turn) = slice(&log, writers, durability, SLICE)?;
            slices.push((many / one, one, many));
            group += in_a_turn;
        }
        slices.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, one, many) = slices[slices.len() / 2];
        let group = group / slices.len() as f64;
        println!(
            "  {durability:?} {writers:2} writers: {many:7.0} commits/s against {one:6.0}, \
             median ratio {ratio:.2}, {group:.1} a turn"
        );
        self.remove(&["log"])
    }

    fn beside_bulk(&self) -> Outcome<()> {
        const TABLE: usize = 64 << 20;
        let log = self.segment("log", Prepared::Overwritten)?;
        let worker = EpochWorker::start(Limits::default())?;
        let stop = AtomicBool::new(false);
        let fs: Arc<dyn Fs> = Arc::new(StdFs::new());
        let (tables, times) = std::thread::scope(|scope| -> Outcome<_> {
            let bulk = scope.spawn(|| {
                let mut tables = 0;
                while !stop.load(Ordering::Relaxed) {
                    let path = self.dir.join(format!("table-{tables}"));
                    let Ok(table) = Target::create(fs.clone(), &path) else { break };
                    let epoch = Epoch::new().write(&table, FileOffset::ZERO, vec![5; TABLE]);
                    let written = worker.commit(Lane::Bulk, epoch);
                    let deleted = worker.commit(Lane::Bulk, Epoch::new().delete(fs.clone(), &path));
                    if written.is_err() || deleted.is_err() {
                        break;
                    }
                    tables += 1;
                }
                tables
            });
            let (mut times, begun) = (Vec::new(), Instant::now());
            let mut at = 0;
            while begun.elapsed() < self.time {
                let epoch = Epoch::new().write(
                    &log,
                    FileOffset::new(at % SEGMENT_PAGES * PAGE),
                    vec![3; PAGE as usize],
                );
                let commit = Instant::now();
                worker.commit(Lane::Log, epoch)?;
                times.push(commit.elapsed());
                at += 1;
            }
            stop.store(true, Ordering::Relaxed);
            Ok((bulk.join().unwrap_or(0), times))
        })?;
        let rate = tables as f64 * (TABLE >> 20) as f64 / self.time.as_secs_f64();
        println!("  {} commits {}; bulk {rate:.0} MiB/s", times.len(), Quantiles::of(times));
        self.remove(&["log"])
    }

    fn segment(&self, name: &str, prepared: Prepared) -> Outcome<Arc<Target>> {
        let target = Target::create(Arc::new(StdFs::new()), &self.dir.join(name))?;
        let len = SEGMENT_PAGES * PAGE;
        match prepared {
            Prepared::Overwritten => target.file().write_at(FileOffset::ZERO, &vec![0; len as usize])?,
            Prepared::Allocated => target.file().allocate(ByteLen::new(len))?,
            Prepared::Appended => {}
        }
        target.file().sync()?;
        StdFs::new().sync_dir(&self.dir)?;
        // Opened again, so that no first commit pays for the name.
        Ok(Target::open(Arc::new(StdFs::new()), target.path())?)
    }

    fn remove(&self, names: &[&str]) -> Outcome<()> {
        names.iter().try_for_each(|name| Ok(StdFs::new().remove(Path::new(&self.dir.join(name)))?))
    }
}

/// Lets writers commit for a while, each waiting for its own; answers commits a second and in a turn.
fn slice(log: &Arc<Target>, writers: u64, durability: Durability, time: Duration) -> Outcome<(f64, f64)> {
    let worker = EpochWorker::start(Limits::default())?;
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let barrier = Barrier::new(writers as usize + 1);
    let commit = || {
        barrier.wait();
        let mut count = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed) % SEGMENT_PAGES;
            let epoch = Epoch::new().write(log, FileOffset::new(at * PAGE), vec![7; PAGE as usize]);
            worker.commit(Lane::Log, epoch.durability(durability)).expect("the disk is healthy");
            count += 1;
        }
        count
    };
    let (commits, elapsed) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers).map(|_| scope.spawn(commit)).collect();
        barrier.wait();
        let begun = Instant::now();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let commits: u64 = threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum();
        (commits as f64, begun.elapsed())
    });
    worker.stop()?;
    Ok((commits / elapsed.as_secs_f64(), commits / worker.turns() as f64))
}

struct Quantiles {
    median: Duration,
    high: Duration,
    worst: Duration,
}

impl Quantiles {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 1000).copied().unwrap_or_default();
        let worst = times.last().copied().unwrap_or_default();
        Self { median: at(500), high: at(990), worst }
    }
}

impl std::fmt::Display for Quantiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        write!(
            f,
            "p50 {:6.1} p99 {:7.1} max {:8.1}",
            micros(self.median),
            micros(self.high),
            micros(self.worst)
        )
    }
}
