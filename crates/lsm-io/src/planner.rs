//! Plans turns: which waiting epochs go together, and whether it is worth waiting for more.
//!
//! A pure state machine: what it holds is opaque, the time is an argument. Its queue is bounded by count and
//! by bytes, what is in the running turn included, so a slow disk pushes back on whoever submits.
//!
//! **Invariant**: epochs leave in the order they came, and never two in one turn of which one depends on
//! the other.

use std::{collections::VecDeque, time::Duration};

use crate::ByteLen;

/// A turn that ended longer ago than this says nothing about who comes next.
const RECENT: Duration = Duration::from_millis(1);

/// The bounds of a worker's queues and turns, the same for each lane.
///
/// ```
/// use lsm_io::{ByteLen, Limits};
/// let small = Limits::default().queue_epochs_max(16).queue_bytes_max(ByteLen::new(1 << 20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) queue_epochs_max: usize,
    pub(crate) queue_bytes_max: ByteLen,
    pub(crate) turn_epochs_max: usize,
    pub(crate) linger_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_epochs_max: 1024,
            queue_bytes_max: ByteLen::new(256 << 20),
            turn_epochs_max: 64,
            linger_max: Duration::from_micros(100),
        }
    }
}

impl Limits {
    /// How many epochs may wait or be under way (1024); further submitters wait.
    ///
    /// ```
    /// let limits = lsm_io::Limits::default().queue_epochs_max(16);
    /// ```
    #[must_use]
    pub fn queue_epochs_max(mut self, epochs: usize) -> Self {
        self.queue_epochs_max = epochs.max(1);
        self
    }

    /// How many bytes may wait or be under way (256 MiB); further submitters wait. A single epoch larger than
    /// that is taken when nothing else is there.
    ///
    /// ```
    /// let limits = lsm_io::Limits::default().queue_bytes_max(lsm_io::ByteLen::new(1 << 20));
    /// ```
    #[must_use]
    pub fn queue_bytes_max(mut self, bytes: ByteLen) -> Self {
        self.queue_bytes_max = bytes;
        self
    }

    /// How many epochs share a turn at most (64).
    ///
    /// ```
    /// let alone = lsm_io::Limits::default().turn_epochs_max(1);
    /// ```
    #[must_use]
    pub fn turn_epochs_max(mut self, epochs: usize) -> Self {
        self.turn_epochs_max = epochs.max(1);
        self
    }

    /// How long a turn waits for as many epochs as there were a moment ago (100 microseconds).
    ///
    /// ```
    /// let never = lsm_io::Limits::default().linger_max_micros(0);
    /// ```
    #[must_use]
    pub fn linger_max_micros(mut self, micros: u64) -> Self {
        self.linger_max = Duration::from_micros(micros);
        self
    }
}

/// The queue of one lane.
#[derive(Debug)]
pub(crate) struct Planner<T> {
    limits: Limits,
    queue: VecDeque<Waiting<T>>,
    gate: Gate,
    next: u64,
    /// Epochs and bytes that wait or are under way.
    held: (usize, ByteLen),
    running: Option<(usize, ByteLen)>,
    /// How many were there when the last turn ended, its own included: as many may come again.
    crowd: usize,
    ended: Duration,
    lingers_since: Option<Duration>,
}

#[derive(Debug)]
struct Waiting<T> {
    number: u64,
    bytes: ByteLen,
    after: Option<u64>,
    item: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Closed,
}

/// Why an epoch was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Closed,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing waits, or a turn is running.
    Rest,
    /// Wait until an epoch comes, at most so long, and ask again: others are likely to come.
    Linger(Duration),
    /// Take a turn.
    Run,
}

impl<T> Planner<T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            queue: VecDeque::new(),
            gate: Gate::Open,
            next: 1,
            held: (0, ByteLen::ZERO),
            running: None,
            crowd: 0,
            ended: Duration::ZERO,
            lingers_since: None,
        }
    }

    /// Whether an epoch of `bytes` would be taken in now.
    pub(crate) fn admits(&self, bytes: ByteLen) -> Result<(), Refusal> {
        let (epochs, held) = self.held;
        let fits = epochs < self.limits.queue_epochs_max && held + bytes <= self.limits.queue_bytes_max;
        match self.gate {
            Gate::Closed => Err(Refusal::Closed),
            Gate::Open if fits || epochs == 0 => Ok(()),
            Gate::Open => Err(Refusal::Full),
        }
    }

    /// Takes an epoch in; `after` is the number of one that must not share its turn.
    pub(crate) fn push(&mut self, item: T, bytes: ByteLen, after: Option<u64>) -> u64 {
        debug_assert!(self.admits(bytes).is_ok());
        let number = self.stamp();
        self.held = (self.held.0 + 1, self.held.1 + bytes);
        self.queue.push_back(Waiting { number, bytes, after, item });
        number
    }

    /// The next number, for an epoch that passes by the queue.
    pub(crate) fn stamp(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    pub(crate) fn poll(&mut self, now: Duration) -> Next {
        if self.queue.is_empty() || self.running.is_some() {
            return Next::Rest;
        }
        let quiet = now.saturating_sub(self.ended) > RECENT;
        if self.gate == Gate::Closed || quiet || self.crowd_is_back() {
            return Next::Run;
        }
        let since = *self.lingers_since.get_or_insert(now);
        match self.limits.linger_max.saturating_sub(now.saturating_sub(since)) {
            Duration::ZERO => Next::Run,
            left => Next::Linger(left),
        }
    }

    /// Whether half as many wait as there were when the last turn ended. Waiting for the other half costs
    /// more than it saves: they arrive during the sync and make up the next turn.
    pub(crate) fn crowd_is_back(&self) -> bool {
        self.queue.len() >= self.crowd.div_ceil(2).min(self.limits.turn_epochs_max)
    }

    /// Begins a turn with what waits, as far as it may share one.
    pub(crate) fn take(&mut self) -> Vec<(u64, T)> {
        debug_assert!(self.running.is_none());
        let first = self.queue.front().map_or(0, |waiting| waiting.number);
        let fits = |waiting: &&Waiting<T>| waiting.after.is_none_or(|after| after < first);
        let count = self.queue.iter().take(self.limits.turn_epochs_max).take_while(fits).count();
        let taken: Vec<_> = self.queue.drain(..count).collect();
        let bytes = taken.iter().fold(ByteLen::ZERO, |sum, waiting| sum + waiting.bytes);
        self.running = Some((count, bytes));
        self.lingers_since = None;
        taken.into_iter().map(|waiting| (waiting.number, waiting.item)).collect()
    }

    /// Ends the turn.
    pub(crate) fn done(&mut self, now: Duration) {
        let Some((epochs, bytes)) = self.running.take() else { return };
        self.held = (self.held.0 - epochs, ByteLen::new(self.held.1.get() - bytes.get()));
        self.crowd = epochs + self.queue.len();
        self.ended = now;
    }

    /// Takes no more in; what waits will still run.
    pub(crate) fn close(&mut self) {
        self.gate = Gate::Closed;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.gate == Gate::Closed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = &T> {
        self.queue.iter().map(|waiting| &waiting.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    fn planner(limits: Limits, count: u64) -> Planner<u64> {
        let mut planner = Planner::new(limits);
        for item in 0..count {
            planner.push(item, ByteLen::new(10), None);
        }
        planner
    }

    fn items(turn: Vec<(u64, u64)>) -> Vec<u64> {
        turn.into_iter().map(|(_, item)| item).collect()
    }

    #[test]
    fn epochs_leave_in_order_and_at_most_64_at_once() {
        let mut planner = planner(Limits::default(), 100);
        assert_eq!(items(planner.take()), (0..64).collect::<Vec<_>>());
        planner.done(micros(1));
        assert_eq!(items(planner.take()), (64..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_lone_epoch_never_waits_for_company() {
        let mut planner = planner(Limits::default(), 1);
        for turn in 0..10 {
            assert_eq!(planner.poll(micros(turn)), Next::Run);
            planner.take();
            planner.done(micros(turn));
            planner.push(turn, ByteLen::ZERO, None);
        }
    }

    #[test]
    fn a_turn_lingers_for_a_recent_crowd_and_no_longer_than_the_limit() {
        let mut planner = planner(Limits::default(), 3);
        planner.take();
        planner.done(micros(1000));
        planner.push(7, ByteLen::ZERO, None);
        assert_eq!(planner.poll(micros(1010)), Next::Linger(micros(100)));
        assert_eq!(planner.poll(micros(1109)), Next::Linger(micros(1)));
        assert_eq!(planner.poll(micros(1110)), Next::Run);
    }

    #[test]
    fn lingering_ends_when_half_the_crowd_is_back() {
        let mut planner = planner(Limits::default(), 4);
        planner.take();
        planner.done(micros(1000));
        planner.push(7, ByteLen::ZERO, None);
        assert_eq!(planner.poll(micros(1010)), Next::Linger(micros(100)));
        planner.push(8, ByteLen::ZERO, None);
        assert_eq!(planner.poll(micros(1011)), Next::Run);
    }

    #[test]
    fn a_crowd_long_gone_is_not_waited_for() {
        let mut planner = planner(Limits::default(), 8);
        planner.take();
        planner.done(micros(0));
        planner.push(7, ByteLen::ZERO, None);
        assert_eq!(planner.poll(micros(1001)), Next::Run);
    }

    #[test]
    fn an_epoch_never_shares_a_turn_with_one_it_depends_on() {
        let mut planner = planner(Limits::default(), 1);
        planner.push(1, ByteLen::ZERO, Some(1));
        planner.push(2, ByteLen::ZERO, None);
        assert_eq!(items(planner.take()), [0]);
        planner.done(micros(1));
        assert_eq!(items(planner.take()), [1, 2]);
    }

    #[test]
    fn the_queue_is_bounded_by_count_what_is_under_way_included() {
        let mut planner = planner(Limits::default().queue_epochs_max(2), 2);
        assert_eq!(planner.admits(ByteLen::ZERO), Err(Refusal::Full));
        planner.take();
        assert_eq!(planner.admits(ByteLen::ZERO), Err(Refusal::Full));
        planner.done(micros(1));
        assert_eq!(planner.admits(ByteLen::ZERO), Ok(()));
    }

    #[test]
    fn the_queue_is_bounded_by_bytes_but_takes_one_giant_alone() {
        let limits = Limits::default().queue_bytes_max(ByteLen::new(15));
        let mut planner = planner(limits, 1);
        assert_eq!(planner.admits(ByteLen::new(6)), Err(Refusal::Full));
        planner.take();
        planner.done(micros(1));
        assert_eq!(planner.admits(ByteLen::new(1 << 40)), Ok(()));
    }

    #[test]
    fn a_closed_queue_takes_nothing_in_and_runs_what_waits_at_once() {
        let mut planner = planner(Limits::default(), 2);
        planner.take();
        planner.done(micros(1));
        planner.push(9, ByteLen::ZERO, None);
        planner.close();
        assert_eq!(planner.admits(ByteLen::ZERO), Err(Refusal::Closed));
        assert_eq!(planner.poll(micros(2)), Next::Run);
        assert_eq!(items(planner.take()), [9]);
    }
}
