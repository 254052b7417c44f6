//! What must hold in every schedule.

use std::task::{Wake, Waker};

use shuttle::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use shuttle_laws::{deletion_pause::DeletionPause, publication::Publication};
use sst_format::SeqNo;

use crate::snapshots::Snapshots;

/// Laws by name.
pub(crate) const ALL: &[(&str, fn())] = &[
    ("batches show in order, whole, and before their writers go on", batches_show_in_order),
    ("what a job collects is seen by no snapshot", jobs_see_snapshots),
    ("a paused file stays, and each file goes once", paused_files_stay),
    ("what a pause held back is due once whoever is woken looks", a_wake_is_no_dream),
];

/// Two threads that read, then write: one update is lost in some schedule.
pub(crate) const WRONG: fn() = || {
    let count = Arc::new(AtomicU64::new(0));
    let other = count.clone();
    let thread = thread::spawn(move || other.store(other.load(Ordering::SeqCst) + 1, Ordering::SeqCst));
    count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    thread.join().unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2, "the planted fault");
};

fn batches_show_in_order() {
    let publication = Arc::new(Publication::new(SeqNo::new(0)));
    let applied = Arc::new(Mutex::new([false; 7]));
    let writers = [(1, 2), (3, 1), (4, 3)].map(|(first, count)| {
        let (publication, applied) = (publication.clone(), applied.clone());
        thread::spawn(move || {
            (first..first + count).for_each(|seq| applied.lock().unwrap()[seq as usize] = true);
            publication.publish(SeqNo::new(first), count);
            assert!(publication.visible().get() >= first + count - 1, "acknowledged, but it does not show");
        })
    });
    let mut last = 0;
    for _ in 0..3 {
        let visible = publication.visible().get();
        assert!(visible >= last, "what showed is gone");
        assert!([0, 2, 3, 6].contains(&visible), "half a batch shows, up to {visible}");
        let applied = applied.lock().unwrap();
        assert!((1..=visible as usize).all(|seq| applied[seq]), "shown before it is applied");
        last = visible;
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(publication.visible().get(), 6);
}

/// A job merges versions 1 and 2 of a key once both are published, and drops the first unless a snapshot in its
/// list needs it. Whoever takes a snapshot and then looks finds the version of its moment.
fn jobs_see_snapshots() {
    let snapshots = Snapshots::default();
    let publication = Arc::new(Publication::new(SeqNo::new(1)));
    let kept = Arc::new(Mutex::new([true, true]));
    let job = {
        let (snapshots, publication, kept) = (snapshots.clone(), publication.clone(), kept.clone());
        thread::spawn(move || {
            publication.publish(SeqNo::new(2), 1);
            let live = snapshots.live(SeqNo::new(2), || publication.visible());
            if !live.as_slice().contains(&SeqNo::new(1)) {
                kept.lock().unwrap()[0] = false;
            }
        })
    };
    let reader = {
        let (snapshots, publication, kept) = (snapshots.clone(), publication.clone(), kept.clone());
        thread::spawn(move || {
            let held = snapshots.take(|| publication.visible());
            let twin = held.clone();
            drop(held);
            for _ in 0..2 {
                let is_kept = kept.lock().unwrap()[twin.seq().get() as usize - 1];
                assert!(is_kept, "the version that snapshot {:?} sees was collected", twin.seq());
            }
        })
    };
    job.join().unwrap();
    reader.join().unwrap();
    assert_eq!(snapshots.oldest(), None, "nobody holds one any more");
}

#[derive(Default)]
struct Bell(AtomicU64);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A version names one of two files; a merge takes the file out of the version and lets it go; a checkpoint pauses,
/// reads the version and links what it names; another drains.
fn paused_files_stay() {
    let deletions = DeletionPause::new(Waker::noop().clone());
    let version = Arc::new(Mutex::new(vec![0_usize, 1]));
    let deleted = Arc::new(Mutex::new([0_u32; 2]));
    let delete = |deleted: &Mutex<[u32; 2]>, file: usize| deleted.lock().unwrap()[file] += 1;
    let merges = [0, 1].map(|file| {
        let (deletions, version, deleted) = (deletions.clone(), version.clone(), deleted.clone());
        thread::spawn(move || {
            version.lock().unwrap().retain(|&named| named != file);
            if let Err(file) = deletions.try_enqueue(file) {
                delete(&deleted, file);
            }
            deletions.drain().into_iter().for_each(|file| delete(&deleted, file));
        })
    });
    let checkpoints = [(), ()].map(|()| {
        let (deletions, version, deleted) = (deletions.clone(), version.clone(), deleted.clone());
        thread::spawn(move || {
            let pause = deletions.pause();
            let named = version.lock().unwrap().clone();
            for file in named {
                assert_eq!(deleted.lock().unwrap()[file], 0, "file {file} went while it was needed");
            }
            drop(pause);
        })
    });
    merges.into_iter().chain(checkpoints).for_each(|thread| thread.join().unwrap());
    deletions.drain().into_iter().for_each(|file| delete(&deleted, file));
    assert_eq!(*deleted.lock().unwrap(), [1, 1], "each file goes once");
}

/// Nobody but the end of a pause wakes who drains: so if something is due in the end, it was woken for.
fn a_wake_is_no_dream() {
    let bell = Arc::new(Bell::default());
    let deletions = DeletionPause::new(Waker::from(bell.clone()));
    let pauses = [(), ()].map(|()| {
        let deletions = deletions.clone();
        thread::spawn(move || drop(deletions.pause()))
    });
    let kept = deletions.try_enqueue(7).is_ok();
    let rung = bell.0.load(Ordering::SeqCst);
    pauses.into_iter().for_each(|thread| thread.join().unwrap());
    let due = deletions.drain();
    assert_eq!(due.len(), usize::from(kept), "what was kept is due once nobody pauses");
    let rings = bell.0.load(Ordering::SeqCst);
    assert!((1..=2).contains(&rings) && rings >= rung, "{rings} rings for two pauses");
}
