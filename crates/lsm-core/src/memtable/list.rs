//! A skip list whose nodes are words of one arena: what stands in it is never moved, changed or taken out.
//!
//! Invariant: every level is sorted by key and, within a key, newest first; a node on a level is on all levels
//! below it too. A link is one word: the node's place, and above it the first four bytes of its key, which
//! decide most comparisons without a look at the node.
//!
//! Whoever sees a link sees the node: its words are written first, then each link to it is stored by a
//! compare-and-swap with `Release`, level 0 first, and links are loaded with `Acquire`. A new node's own links
//! name nodes that its writer came upon by `Acquire` loads, so they too are seen by whoever comes along. As
//! nothing is taken out, a place a search went by stays before what is sought, and a swap that fails goes on
//! from there; a link that is as it was read is the same link.

use std::{
    cmp::Ordering,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use bytes::Bytes;
use sst_format::{Entry, KeyOrder, SeqNo};

use super::{
    arena::{Arena, Values},
    node::{Meta, Node, key_word},
};

/// Levels at most. Each has a quarter of the nodes below, so sixteen million nodes use them all.
const LEVELS: usize = 12;

/// A node, or the head, which is before all nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

/// What a place's word of one level holds.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Link(u64);

impl Link {
    const NONE: Self = Self(0);

    fn new(prefix: u32, to: Place) -> Self {
        Self(u64::from(prefix) << 32 | u64::from(to.0))
    }

    fn prefix(self) -> u32 {
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
    prefix: u32,
    seq: SeqNo,
}

/// Where a search went down: on each level the last place before what is sought, and its link.
type Way = [(Place, Link); LEVELS];

pub(super) struct List {
    order: KeyOrder,
    arena: Arena,
    values: Values,
    head: Place,
}

impl List {
    pub(super) fn new(order: KeyOrder) -> Self {
        let arena = Arena::new();
        let head = Place(arena.take(LEVELS + 1) + LEVELS as u32);
        Self { order, arena, values: Values::new(), head }
    }

    /// Bytes that entries take.
    pub(super) fn bytes(&self) -> u64 {
        (self.arena.taken() - (LEVELS as u64 + 1)) * size_of::<u64>() as u64 + self.values.bytes()
    }

    /// Adds an entry; none may have its key and sequence number yet.
    pub(super) fn insert(&self, entry: &Entry<'_>) {
        let height = height(entry);
        let meta = Meta::new(entry);
        let large = if meta.is_large() { self.values.add(Bytes::copy_from_slice(entry.value)) } else { 0 };
        let place = Place(self.arena.take(height + meta.words()) + height as u32);
        self.node(place).write(entry, large);
        let sought = self.sought(entry.key, entry.seq);
        let link = Link::new(sought.prefix, place);
        let mut way = self.search(&sought);
        for (level, (before, next)) in way[..height].iter_mut().enumerate() {
            loop {
                self.word(place, level).store(next.0, Relaxed);
                let word = self.word(*before, level);
                if word.compare_exchange(next.0, link.0, Release, Relaxed).is_ok() {
                    break;
                }
                (*before, *next) = self.walk(*before, level, Link::NONE, &sought);
            }
        }
    }

    /// The newest version of `key` not newer than `seq`, or else the first node behind it.
    #[inline]
    pub(super) fn seek(&self, key: &[u8], seq: SeqNo) -> Option<Place> {
        self.search(&self.sought(key, seq))[0].1.node()
    }

    /// The node with the newest version of `key` not newer than `seq`.
    #[inline]
    pub(super) fn find(&self, key: &[u8], seq: SeqNo) -> Option<Node<'_>> {
        let sought = self.sought(key, seq);
        let link = self.search(&sought)[0].1;
        let node = self.node(link.node().filter(|_| link.prefix() == sought.prefix)?);
        node.compare_key(&self.order, key).is_eq().then_some(node)
    }

    /// The last node before what [`seek`](Self::seek) finds.
    pub(super) fn seek_before(&self, key: &[u8], seq: SeqNo) -> Option<Place> {
        let before = self.search(&self.sought(key, seq))[0].0;
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
        let prefix = match self.order {
            KeyOrder::Bytes => (key_word(key) >> 32) as u32,
            // What another order says of the first bytes is not known.
            KeyOrder::Custom(_) => 0,
        };
        Sought { key, prefix, seq }
    }

    #[inline]
    fn search(&self, sought: &Sought<'_>) -> Way {
        let mut way = [(self.head, Link::NONE); LEVELS];
        let (mut at, mut behind) = (self.head, Link::NONE);
        for level in (0..LEVELS).rev() {
            (at, behind) = self.walk(at, level, behind, sought);
            way[level] = (at, behind);
        }
        way
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
        let order = link.prefix().cmp(&sought.prefix).then_with(|| {
            let node = self.node(link.place());
            node.compare_key(&self.order, sought.key).then_with(|| sought.seq.cmp(&node.seq()))
        });
        order == Ordering::Less
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

/// On how many levels a node stands: drawn from what it holds, so that the same writes make the same list.
#[inline]
fn height(entry: &Entry<'_>) -> usize {
    let last = entry.key.len().saturating_sub(8);
    let mut hash = entry.seq.get().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash ^= key_word(entry.key).rotate_left(23) ^ key_word(&entry.key[last..]);
    hash = (hash ^ hash >> 31).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    hash = (hash ^ hash >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (1 + (hash ^ hash >> 32).trailing_zeros() as usize / 2).min(LEVELS)
}
