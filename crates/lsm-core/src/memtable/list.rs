//! A skip list whose nodes are words of one arena: what stands in it is never moved, changed or taken out.
//!
//! Invariant: every level is sorted by key and, within a key, newest first; a node on a level is on all levels
//! below it too. A link is one word: the node's place, and above it a hint of its key, which decides
//! most comparisons without a look at the node. A search begins at a finger a few nodes before what is sought,
//! or behind the last node, and comes from the head only where there is neither. The lowest two levels have
//! fingers, so that of 64 inserts one comes from the head.
//!
//! Whoever sees a link sees the node: its words are written first, then each link to it is stored by a
//! compare-and-swap with `Release`, level 0 first, and links are loaded with `Acquire`. A new node's own links
//! name nodes that its writer came upon by `Acquire` loads, so they too are seen by whoever comes along. As
//! nothing is taken out, a place a search went by stays before what is sought, and a swap that fails goes on
//! from there; a link that is as it was read is the same link.

use std::{
    iter,
    sync::{
        OnceLock,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use bytes::Bytes;
use sst_format::{Entry, KeyOrder, SeqNo};

use super::{
    arena::{Arena, Values},
    fingers::Fingers,
    key_hint::KeyHint,
    node::{Meta, Node, key_word},
};

/// Levels at most. Each has an eighth of the nodes below, so sixteen million nodes use them all. Few nodes have
/// more than one, since those are inserted from the head.
const LEVELS: usize = 8;
/// Steps from a finger until the search begins anew from the head.
const STEPS: usize = 12;

/// A node, or the head, which is before all nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(pub(super) u32);

/// What a place's word of one level holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Link(pub(super) u64);

impl Link {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn new(hint: u32, to: Place) -> Self {
        Self(u64::from(hint) << 32 | u64::from(to.0))
    }

    pub(super) fn hint(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn place(self) -> Place {
        Place(self.0 as u32)
    }

    fn node(self) -> Option<Place> {
        (self != Self::NONE).then(|| self.place())
    }
}

/// What is looked for: the newest version of a key not newer than a number, or what would be behind it.
struct Sought<'k> {
    key: &'k [u8],
    hint: u32,
    seq: SeqNo,
}

/// Where a search went down: on each level the last place before what is sought, and its link.
type Way = [(Place, Link); LEVELS];

pub(super) struct List {
    order: KeyOrder,
    arena: Arena,
    values: Values,
    head: Place,
    /// On each level the last node, or one of late.
    tails: [AtomicU64; LEVELS],
    /// Nodes of more than one level.
    tall: AtomicU64,
    /// There once there are entries enough to choose it.
    hint: OnceLock<KeyHint>,
    /// Of all nodes, and of those of more than one level.
    fingers: [Fingers; 2],
}

impl List {
    pub(super) fn new(order: KeyOrder) -> Self {
        let arena = Arena::new();
        let head = Place(arena.take(LEVELS + 1) + LEVELS as u32);
        let tails = [const { AtomicU64::new(Link::NONE.0) }; LEVELS];
        let (tall, hint, fingers) = (AtomicU64::new(0), OnceLock::new(), [const { Fingers::new() }; 2]);
        Self { order, arena, values: Values::new(), head, tails, tall, hint, fingers }
    }

    /// Bytes that entries take.
    pub(super) fn bytes(&self) -> u64 {
        let nodes = (self.arena.taken() - (LEVELS as u64 + 1)) * size_of::<u64>() as u64;
        nodes + self.values.bytes() + self.fingers.iter().map(Fingers::bytes).sum::<u64>()
    }

    /// Adds an entry; none may have its key and sequence number yet.
    pub(super) fn insert(&self, entry: &Entry<'_>) {
        let height = height(entry);
        let meta = Meta::new(entry);
        let large = if meta.is_large() { self.values.add(Bytes::copy_from_slice(entry.value)) } else { 0 };
        let place = Place(self.arena.take(height + meta.words()) + height as u32);
        self.node(place).write(entry, large);
        let sought = self.sought(entry.key, entry.seq);
        let link = Link::new(sought.hint, place);
        let mut way = self.way(&sought, height);
        for (level, (before, next)) in way[..height].iter_mut().enumerate() {
            loop {
                self.word(place, level).store(next.0, Relaxed);
                let word = self.word(*before, level);
                if word.compare_exchange(next.0, link.0, Release, Relaxed).is_ok() {
                    break;
                }
                (*before, *next) = self.walk(*before, level, Link::NONE, &sought);
            }
            if *next == Link::NONE {
                self.tails[level].store(link.0, Release);
            }
        }
        self.note(link, height);
    }

    /// Makes a node that is linked known to the fingers.
    fn note(&self, link: Link, height: usize) {
        if link.hint() != KeyHint::UNKNOWN {
            self.fingers.iter().take(height).for_each(|fingers| fingers.note(link));
        }
        // One of eight is tall: they tell how many there are, and writers seldom meet at the count.
        if height > 1 && matches!(self.order, KeyOrder::Bytes) {
            let tall = 1 + self.tall.fetch_add(1, Relaxed);
            for (level, entries) in [8 * tall, tall].into_iter().enumerate() {
                if self.fingers[level].claim(entries) {
                    self.fingers[level].grow(|| self.choose_hint(level));
                }
            }
        }
    }

    /// Looks at the keys that are there on a level, so that links made from now on have hints, and gives theirs.
    fn choose_hint(&self, level: usize) -> Vec<Link> {
        let after = |at: &Place| self.link(*at, level).node();
        let nodes: Vec<_> = iter::successors(after(&self.head), after).collect();
        let key = |at: &Place| {
            let mut key = Vec::new();
            self.node(*at).read_key(&mut key);
            key
        };
        let keys: Vec<_> = nodes.iter().map(key).collect();
        let hint = self.hint.get_or_init(|| KeyHint::choose(&keys));
        nodes.iter().zip(&keys).map(|(at, key)| Link::new(hint.of(key), *at)).collect()
    }

    /// The newest version of `key` not newer than `seq`, or else the first node behind it.
    #[inline]
    pub(super) fn seek(&self, key: &[u8], seq: SeqNo) -> Option<Place> {
        self.search(&self.sought(key, seq)).1.node()
    }

    /// The node with the newest version of `key` not newer than `seq`.
    #[inline]
    pub(super) fn find(&self, key: &[u8], seq: SeqNo) -> Option<Node<'_>> {
        let sought = self.sought(key, seq);
        let link = self.search(&sought).1;
        let node = self.node(link.node().filter(|_| !is_told_apart(link, &sought))?);
        node.compare_key(&self.order, key).is_eq().then_some(node)
    }

    /// The last node before what [`seek`](Self::seek) finds.
    pub(super) fn seek_before(&self, key: &[u8], seq: SeqNo) -> Option<Place> {
        let before = self.search(&self.sought(key, seq)).0;
        (before != self.head).then_some(before)
    }

    pub(super) fn first(&self) -> Option<Place> {
        self.link(self.head, 0).node()
    }

    pub(super) fn last(&self) -> Option<Place> {
        let mut at = self.head;
        for level in (0..LEVELS).rev() {
            while let Some(next) = self.link(at, level).node() {
                at = next;
            }
        }
        (at != self.head).then_some(at)
    }

    #[inline]
    pub(super) fn next(&self, at: Place) -> Option<Place> {
        self.link(at, 0).node()
    }

    #[inline]
    pub(super) fn node(&self, at: Place) -> Node<'_> {
        let (chunk, at) = self.arena.chunk(at.0);
        Node(&chunk[at..])
    }

    /// The value of a node, if it stands by itself.
    pub(super) fn large(&self, node: Node<'_>) -> Option<Bytes> {
        node.meta().is_large().then(|| self.values.get(node.large()))
    }

    fn sought<'k>(&self, key: &'k [u8], seq: SeqNo) -> Sought<'k> {
        let hint = self.hint.get().map_or(KeyHint::UNKNOWN, |hint| hint.of(key));
        Sought { key, hint, seq }
    }

    /// The last place before what is sought, and its link.
    #[inline]
    fn search(&self, sought: &Sought<'_>) -> (Place, Link) {
        self.search_near(sought, 0).unwrap_or_else(|| self.search_all(sought)[0])
    }

    /// The same on so many levels, or more.
    #[inline]
    fn way(&self, sought: &Sought<'_>, height: usize) -> Way {
        let mut way = [(self.head, Link::NONE); LEVELS];
        let near = if height <= self.fingers.len() { self.search_near(sought, height - 1) } else { None };
        let Some(found) = near else { return self.search_all(sought) };
        way[height - 1] = found;
        if height == 2 {
            let tail = self.tail(0);
            let (at, behind) = if self.is_before(tail, sought) { (tail.place(), Link::NONE) } else { found };
            way[0] = self.walk(at, 0, behind, sought);
        }
        way
    }

    /// On one level, from a finger or the last node, if that is near.
    #[inline]
    fn search_near(&self, sought: &Sought<'_>, level: usize) -> Option<(Place, Link)> {
        let tail = self.tail(level);
        let mut at = match self.is_before(tail, sought) {
            true => tail.place(),
            false if sought.hint == KeyHint::UNKNOWN => return None,
            false => self.fingers[level].near(sought.hint)?.place(),
        };
        let mut steps = 0;
        while steps < STEPS {
            let link = self.link(at, level);
            if !self.is_before(link, sought) {
                return Some((at, link));
            }
            at = link.place();
            // Where hints are alike there may be many, and keys have to be read.
            steps += if is_told_apart(link, sought) { 1 } else { STEPS / 3 };
        }
        None
    }

    /// Down from the head, or on each level from its last node if that is before what is sought.
    fn search_all(&self, sought: &Sought<'_>) -> Way {
        let is_at_end = self.is_before(self.tail(0), sought);
        let mut way = [(self.head, Link::NONE); LEVELS];
        let (mut at, mut behind) = (self.head, Link::NONE);
        for level in (0..LEVELS).rev() {
            let tail = self.tail(level);
            if is_at_end && self.is_before(tail, sought) {
                at = tail.place();
            }
            (at, behind) = self.walk(at, level, behind, sought);
            way[level] = (at, behind);
        }
        way
    }

    #[inline]
    fn tail(&self, level: usize) -> Link {
        Link(self.tails[level].load(Acquire))
    }

    /// Along one level to the last place before what is sought; `behind` is a link known to lead behind that.
    #[inline]
    fn walk(&self, mut at: Place, level: usize, behind: Link, sought: &Sought<'_>) -> (Place, Link) {
        loop {
            let link = self.link(at, level);
            if link == behind || !self.is_before(link, sought) {
                return (at, link);
            }
            at = link.place();
        }
    }

    /// Whether a link leads to a node before what is sought.
    #[inline]
    fn is_before(&self, link: Link, sought: &Sought<'_>) -> bool {
        if link == Link::NONE {
            return false;
        }
        if is_told_apart(link, sought) {
            return link.hint() < sought.hint;
        }
        let node = self.node(link.place());
        node.compare_key(&self.order, sought.key).then_with(|| sought.seq.cmp(&node.seq())).is_lt()
    }

    #[inline]
    fn link(&self, at: Place, level: usize) -> Link {
        Link(self.word(at, level).load(Acquire))
    }

    /// The word of a link.
    #[inline]
    fn word(&self, at: Place, level: usize) -> &AtomicU64 {
        let (chunk, at) = self.arena.chunk(at.0);
        &chunk[at - 1 - level]
    }
}

/// Whether hints decide where a link leads to.
#[inline]
fn is_told_apart(link: Link, sought: &Sought<'_>) -> bool {
    link.hint() != sought.hint && link.hint() != KeyHint::UNKNOWN && sought.hint != KeyHint::UNKNOWN
}

/// On how many levels a node stands: drawn from what it holds, so that the same writes make the same list.
#[inline]
fn height(entry: &Entry<'_>) -> usize {
    let last = entry.key.len().saturating_sub(8);
    let mut hash = entry.seq.get().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash ^= key_word(entry.key).rotate_left(23) ^ key_word(&entry.key[last..]);
    hash = (hash ^ hash >> 31).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    hash = (hash ^ hash >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (1 + (hash ^ hash >> 32).trailing_zeros() as usize / 3).min(LEVELS)
}
