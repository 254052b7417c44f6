//! Lanes with several threads, made deterministic by an executor that waits at a gate.

use std::{sync::mpsc, thread};

use super::*;
use crate::{ByteLen, Crash, Durability, FileOffset, Fs, MemFs, Target, executor::Blocking};

/// Runs turns only as the test lets it, and says who ran them.
struct Gated {
    inner: Blocking,
    /// Where turns announce themselves: before they write and before they sync.
    arrivals: Mutex<mpsc::Sender<(Until, thread::ThreadId)>>,
    /// How many announcements may pass.
    passes: Mutex<usize>,
    opened: Condvar,
    panics: bool,
}

impl Executor for Arc<Gated> {
    fn run(&self, turn: &mut Turn, until: Until) {
        self.arrivals.lock().send((until, thread::current().id())).unwrap();
        let mut passes = self.passes.lock();
        while *passes == 0 {
            self.opened.wait(&mut passes);
        }
        *passes -= 1;
        drop(passes);
        assert!(!self.panics, "the test asked for a panic");
        self.inner.run(turn, until);
    }
}

struct Bench {
    queue: Arc<Queue>,
    gate: Arc<Gated>,
    arrivals: Mutex<mpsc::Receiver<(Until, thread::ThreadId)>>,
    disk: MemFs,
    target: Arc<Target>,
}

impl Bench {
    fn new(lane: Lane, limits: Limits) -> Self {
        Self::with_panics(lane, limits, false)
    }

    fn with_panics(lane: Lane, limits: Limits, panics: bool) -> Self {
        let debts = Arc::<Debts>::default();
        let (sender, arrivals) = mpsc::channel();
        let (inner, arrived) = (Blocking::new(debts.clone(), None), Mutex::new(sender));
        let gate = Arc::new(Gated {
            inner,
            arrivals: arrived,
            passes: Mutex::new(0),
            opened: Condvar::new(),
            panics,
        });
        let queue = Queue::new(lane, limits, Box::new(gate.clone()), debts, Arc::default(), Arc::default());
        let disk = MemFs::new();
        let target = Target::create(Arc::new(disk.clone()), "/f".as_ref()).unwrap();
        Self { queue, gate, arrivals: Mutex::new(arrivals), disk, target }
    }

    fn epoch(&self, at: u64) -> Epoch {
        Epoch::new().write(&self.target, FileOffset::new(at), vec![1])
    }

    /// Lets `count` announcements pass.
    fn open(&self, count: usize) {
        *self.gate.passes.lock() += count;
        self.gate.opened.notify_all();
    }

    fn arrival(&self) -> (Until, thread::ThreadId) {
        self.arrivals.lock().recv_timeout(Duration::from_secs(10)).expect("a turn announces itself")
    }

    fn serve(&self) -> thread::JoinHandle<()> {
        let queue = self.queue.clone();
        thread::spawn(move || queue.serve())
    }

    fn commit(&self, epoch: Epoch) -> thread::JoinHandle<Verdict> {
        let queue = self.queue.clone();
        thread::spawn(move || queue.commit(epoch))
    }

    /// Waits until so many epochs wait or are under way.
    fn until_held(&self, epochs: usize) {
        let begun = Instant::now();
        while self.queue.state.lock().planner.waiting().count() != epochs {
            assert!(begun.elapsed() < Duration::from_secs(10), "{epochs} epochs never waited");
            thread::yield_now();
        }
    }
}

/// Nothing in these tests may hang: a join that takes this long has.
#[track_caller]
fn joined<T>(handle: thread::JoinHandle<T>) -> T {
    let begun = Instant::now();
    while !handle.is_finished() {
        assert!(begun.elapsed() < Duration::from_secs(10), "a thread hangs");
        thread::sleep(Duration::from_micros(50));
    }
    handle.join().unwrap()
}

#[test]
fn whoever_finds_the_log_lane_idle_runs_the_turn_itself() {
    let bench = Bench::new(Lane::Log, Limits::default());
    bench.open(2);
    bench.queue.commit(bench.epoch(0)).unwrap();
    assert_eq!(bench.arrival().1, thread::current().id());
}

#[test]
fn in_the_bulk_lane_only_the_thread_runs_turns() {
    let bench = Bench::new(Lane::Bulk, Limits::default());
    let served = bench.serve();
    bench.open(2);
    bench.queue.commit(bench.epoch(0)).unwrap();
    assert_eq!(bench.arrival().1, served.thread().id());
    bench.queue.close();
    joined(served);
}

#[test]
fn commits_that_come_during_a_turn_share_the_next_one() {
    let bench = Bench::new(Lane::Log, Limits::default());
    let first = bench.commit(bench.epoch(0));
    bench.arrival();
    let others: Vec<_> = (1..=5).map(|at| bench.commit(bench.epoch(at))).collect();
    bench.until_held(5);
    bench.open(4);
    assert_eq!(joined(first).unwrap().turn, TurnId(1));
    for other in others {
        assert_eq!(joined(other).unwrap().turn, TurnId(2));
    }
}

#[test]
fn a_waiter_that_vanished_is_no_error_and_its_epoch_is_done_all_the_same() {
    let bench = Bench::new(Lane::Log, Limits::default());
    let served = bench.serve();
    bench.open(10);
    drop(bench.queue.submit(bench.epoch(3)).unwrap());
    bench.queue.close();
    joined(served);
    let left = bench.disk.crash(Crash::LoseUnsynced);
    let file = left.open("/f".as_ref(), crate::Access::ReadOnly).unwrap();
    assert_eq!(file.len().unwrap(), ByteLen::new(4));
}

#[test]
fn closing_while_a_turn_runs_finishes_it_and_what_waits_behind_it() {
    let bench = Bench::new(Lane::Log, Limits::default());
    let served = bench.serve();
    let first = bench.commit(bench.epoch(0));
    bench.arrival();
    let second = bench.commit(bench.epoch(1));
    bench.until_held(1);
    bench.queue.close();
    let late = bench.queue.commit(bench.epoch(2)).unwrap_err();
    assert!(matches!((&late.cause, late.turn), (Cause::Closed, None)));
    bench.open(4);
    joined(first).unwrap();
    joined(second).unwrap();
    joined(served);
}

#[test]
fn a_full_lane_holds_submitters_up_until_a_turn_is_done() {
    let bench = Bench::new(Lane::Log, Limits::default().queue_epochs_max(2));
    let first = bench.commit(bench.epoch(0));
    bench.arrival();
    let second = bench.commit(bench.epoch(1));
    bench.until_held(1);
    let (refusal, _) = bench.queue.try_submit(bench.epoch(2)).unwrap_err();
    assert_eq!(refusal, Refusal::Full);
    let third = bench.commit(bench.epoch(2));
    bench.open(6);
    for commit in [first, second, third] {
        joined(commit).unwrap();
    }
}

#[test]
fn closing_turns_away_submitters_who_wait_for_room() {
    let bench = Bench::new(Lane::Log, Limits::default().queue_epochs_max(1));
    let first = bench.commit(bench.epoch(0));
    bench.arrival();
    let (queue, epoch) = (bench.queue.clone(), bench.epoch(1));
    let held_up = thread::spawn(move || queue.submit(epoch).map(|_| ()));
    thread::sleep(Duration::from_millis(5));
    bench.queue.close();
    assert!(joined(held_up).is_err());
    bench.open(2);
    joined(first).unwrap();
}

#[test]
fn a_buffered_group_is_written_while_a_sync_is_under_way() {
    let bench = Bench::new(Lane::Log, Limits::default());
    bench.open(1);
    let synced = bench.commit(bench.epoch(0));
    while bench.arrival().0 != Until::Finished {}
    let buffered = bench.commit(bench.epoch(1).durability(Durability::Buffered));
    let (_, writer) = bench.arrival();
    assert_eq!(writer, buffered.thread().id());
    assert_eq!(bench.queue.state.lock().leader, Role::Taken);
    bench.open(3);
    joined(buffered).unwrap();
    joined(synced).unwrap();
}

#[test]
fn a_buffered_group_never_overtakes_what_is_ordered_before_it() {
    let bench = Bench::new(Lane::Log, Limits::default());
    let synced = bench.commit(bench.epoch(0));
    assert_eq!(bench.arrival().0, Until::Written);
    let buffered = bench.commit(bench.epoch(0).durability(Durability::Buffered));
    bench.until_held(1);
    bench.open(4);
    let (first, second) = (joined(synced).unwrap(), joined(buffered).unwrap());
    assert!(first.seq < second.seq && first.turn < second.turn);
}

#[test]
fn a_buffered_group_waits_for_what_it_depends_on_even_if_that_is_only_being_synced() {
    let bench = Bench::new(Lane::Log, Limits::default());
    let served = bench.serve();
    bench.open(1);
    let first = bench.queue.submit(bench.epoch(0)).unwrap();
    while bench.arrival().0 != Until::Finished {}
    let second = bench.commit(bench.epoch(1).durability(Durability::Buffered).after(&first));
    bench.until_held(1);
    bench.open(3);
    assert!(first.wait().unwrap().turn < joined(second).unwrap().turn);
    bench.queue.close();
    joined(served);
}

#[test]
fn a_panic_of_the_file_system_fails_its_turn_and_hangs_nobody() {
    let bench = Bench::with_panics(Lane::Log, Limits::default(), true);
    let served = bench.serve();
    bench.open(100);
    for at in 0..3 {
        let failed = bench.queue.commit(bench.epoch(at)).unwrap_err();
        assert!(matches!(failed.cause, Cause::Panicked | Cause::Distrusted { .. }), "{failed:?}");
        assert_eq!(failed.returned.writes.len(), 1);
    }
    bench.queue.close();
    joined(served);
}

#[test]
fn eight_writers_over_many_turns_all_hear_of_their_own_epochs() {
    let bench = Bench::new(Lane::Log, Limits::default().queue_epochs_max(5));
    let served = bench.serve();
    bench.open(1_000_000);
    let rounds = if cfg!(miri) { 5 } else { 2000 };
    thread::scope(|scope| {
        for writer in 0..8 {
            let bench = &bench;
            scope.spawn(move || {
                let mut last = None;
                for round in 0..rounds {
                    let epoch = bench.epoch(writer);
                    let done = match (writer + round) % 4 {
                        0 => bench.queue.submit(epoch).unwrap().wait().unwrap(),
                        1 => bench.queue.commit(epoch.durability(Durability::Buffered)).unwrap(),
                        _ => bench.queue.commit(epoch).unwrap(),
                    };
                    assert!(last < Some(done.seq), "a writer's own epochs keep their order");
                    last = Some(done.seq);
                }
            });
        }
    });
    bench.queue.close();
    joined(served);
}
