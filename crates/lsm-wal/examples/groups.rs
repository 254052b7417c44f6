//! Appends to a log on a real disk, and to a bare one: one extent, no header, nothing but a checksum.
//!
//! `cargo run --release -p lsm-wal --example groups DIR SECONDS` prints, for one and for eight writers, synced
//! and buffered, how many groups a second each log takes and the ratio of their costs.

use std::{
    error::Error,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use lsm_io::{Epoch, EpochWorker, FileOffset, Fs, Lane, Limits, StdFs, Target};
use lsm_wal::{DirectoryOnly, Durability, Log, LogOptions, Recovery, Uid, Whereabouts};
use parking_lot::{Condvar, Mutex};

const GROUP_LEN: usize = 512;
const SEGMENT_LEN: u64 = 64 << 20;

/// The bare log: groups behind each other in a zeroed file, written and synced together by whoever comes first.
struct Bare {
    worker: Arc<EpochWorker>,
    target: Arc<Target>,
    state: Mutex<BareState>,
    turn: Condvar,
}

#[derive(Default)]
struct BareState {
    waiting: Vec<Bytes>,
    at: u64,
    /// Groups taken in, and groups done.
    taken: u64,
    done: u64,
    busy: bool,
}

impl Bare {
    fn create(fs: Arc<dyn Fs>, dir: &Path, worker: Arc<EpochWorker>) -> Result<Self, Box<dyn Error>> {
        let path = dir.join("bare");
        let _ = fs.remove(&path);
        let target = Target::create(fs, &path)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..SEGMENT_LEN).step_by(zeros.len()) {
            target.file().write_at(FileOffset::new(at), &zeros)?;
        }
        target.file().sync()?;
        Ok(Self { worker, target, state: Mutex::default(), turn: Condvar::new() })
    }

    fn append(&self, group: Bytes, durability: Durability) -> Result<(), Box<dyn Error>> {
        let mut state = self.state.lock();
        state.waiting.push(group);
        state.taken += 1;
        let mine = state.taken;
        while state.done < mine {
            if state.busy {
                self.turn.wait(&mut state);
                continue;
            }
            state.busy = true;
            let groups = std::mem::take(&mut state.waiting);
            let upto = state.taken;
            let mut image = Vec::with_capacity(groups.len() * (GROUP_LEN + 16) + 4096);
            for group in &groups {
                image.extend_from_slice(&(group.len() as u64).to_le_bytes());
                image.extend_from_slice(&u64::from(crc32c::crc32c(group)).to_le_bytes());
                image.extend_from_slice(group);
            }
            let durable = match durability {
                Durability::Synced => {
                    image.resize(image.len().next_multiple_of(4096), 0);
                    lsm_io::Durability::Synced
                }
                Durability::Buffered => lsm_io::Durability::Buffered,
            };
            if state.at + image.len() as u64 > SEGMENT_LEN {
                state.at = 0;
            }
            let at = FileOffset::new(state.at);
            state.at += image.len() as u64;
            drop(state);
            self.worker.commit(Lane::Log, Epoch::new().write(&self.target, at, image).durability(durable))?;
            state = self.state.lock();
            (state.done, state.busy) = (upto, false);
            self.turn.notify_all();
        }
        Ok(())
    }
}

/// Groups a second with `writers` threads, and the latency of one in microseconds.
fn rate(writers: u64, time: Duration, append: impl Fn() -> bool + Sync) -> f64 {
    let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) && append() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(dir), Some(seconds)) = (args.next(), args.next()) else {
        return Err("usage: groups DIR SECONDS".into());
    };
    let (dir, time) = (Path::new(&dir).join("groups"), Duration::from_secs_f64(seconds.parse()?));
    let fs: Arc<dyn Fs> = Arc::new(StdFs::new());
    let _ = fs.create_dir(&dir);
    let store = Uid::new([7; 16]);
    let group = Bytes::from(vec![0xA5; GROUP_LEN]);
    println!("{:>9} {:>8} {:>12} {:>12} {:>7}", "", "writers", "bare /s", "log /s", "cost");
    for (durability, writers) in [
        (Durability::Synced, 1),
        (Durability::Synced, 8),
        (Durability::Buffered, 1),
        (Durability::Buffered, 8),
    ] {
        let worker = Arc::new(EpochWorker::start(Limits::default())?);
        let bare = Bare::create(fs.clone(), &dir, worker.clone())?;
        let recovery = Recovery::scan(Whereabouts::new(fs.clone(), &dir, store), &[])?;
        let options = LogOptions::default().segment_bytes(4 * SEGMENT_LEN);
        let log: Log = recovery.open(worker, Arc::new(DirectoryOnly::new(store)), options)?;
        // In turns, so that what else the machine does falls on both.
        let (mut plain, mut full) = (0.0, 0.0);
        for _ in 0..5 {
            plain += rate(writers, time / 10, || bare.append(group.clone(), durability).is_ok());
            full += rate(writers, time / 10, || log.append(group.clone(), 1, durability).is_ok());
            log.sync()?;
        }
        let (plain, full) = (plain / 5.0, full / 5.0);
        println!("{durability:>9?} {writers:>8} {plain:>12.0} {full:>12.0} {:>7.2}", plain / full);
        log.close()?;
        for record in log.segments().into_iter().chain(log.trim(log.next_seq())) {
            let _ = fs.remove(&record.path(&dir));
        }
        fs.remove(&dir.join("bare"))?;
    }
    Ok(())
}
