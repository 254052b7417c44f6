//! One entry among the words of the arena.
//!
//! A node's place is that of its meta word:
//!
//! | words from its place | |
//! |---|---|
//! | -height .. 0 | its links, level 0 last |
//! | 0 | lengths, kind, flags: [`Meta`] |
//! | 1 | sequence number |
//! | 2 .. | key, eight bytes a word, the first byte the most significant, the last word filled with zeros |
//! | then | value, eight bytes a word; or the place of a large one |
//!
//! Invariant: all words but the links are written before the first link to the node is, and never after. A
//! link is stored with `Release` and loaded with `Acquire`, so whoever came here by a link reads what was
//! written; the words themselves need no order and are loaded and stored `Relaxed`.

use std::{
    cmp::Ordering,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use sst_format::{Entry, EntryKind, KeyOrder, SeqNo};

/// Values of more bytes than this stand by themselves, and are shared and not copied by reads.
pub(super) const INLINE_MAX: usize = 2048;

/// Words before the key.
const HEAD: usize = 2;

/// The first word of a node: key length in 32 bits, value length in 16, kind in 4, flags in 8, largeness in 1.
#[derive(Clone, Copy)]
pub(super) struct Meta(u64);

impl Meta {
    pub(super) fn new(entry: &Entry<'_>) -> Self {
        let is_large = entry.value.len() > INLINE_MAX;
        let value = if is_large { 0 } else { entry.value.len() as u64 };
        let kind = entry.kind as u64;
        Self(
            entry.key.len() as u64
                | value << 32
                | kind << 48
                | u64::from(entry.flags) << 52
                | u64::from(is_large) << 60,
        )
    }

    pub(super) fn key_len(self) -> usize {
        self.0 as u32 as usize
    }

    /// Of a value that is not large.
    pub(super) fn value_len(self) -> usize {
        usize::from((self.0 >> 32) as u16)
    }

    pub(super) fn kind(self) -> EntryKind {
        EntryKind::ALL[(self.0 >> 48) as usize & 0xF]
    }

    pub(super) fn flags(self) -> u8 {
        (self.0 >> 52) as u8
    }

    pub(super) fn is_large(self) -> bool {
        self.0 >> 60 == 1
    }

    /// Words from the meta word on.
    pub(super) fn words(self) -> usize {
        let value = if self.is_large() { 1 } else { self.value_len().div_ceil(8) };
        HEAD + self.key_len().div_ceil(8) + value
    }
}

/// The words of a node from its place on, and maybe what follows it.
#[derive(Clone, Copy)]
pub(super) struct Node<'a>(pub(super) &'a [AtomicU64]);

impl<'a> Node<'a> {
    /// Writes what an entry is; of a large value, its place.
    pub(super) fn write(self, entry: &Entry<'_>, large: u32) {
        let meta = Meta::new(entry);
        self.0[0].store(meta.0, Relaxed);
        self.0[1].store(entry.seq.get(), Relaxed);
        let (key, value) = self.0[HEAD..meta.words()].split_at(entry.key.len().div_ceil(8));
        for (word, bytes) in key.iter().zip(entry.key.chunks(8)) {
            word.store(key_word(bytes), Relaxed);
        }
        if meta.is_large() {
            value[0].store(u64::from(large), Relaxed);
            return;
        }
        let (whole, rest) = entry.value.as_chunks::<8>();
        for (word, bytes) in value.iter().zip(whole) {
            word.store(u64::from_le_bytes(*bytes), Relaxed);
        }
        if let Some(word) = value.get(whole.len()) {
            word.store(u64::from_le_bytes(padded(rest)), Relaxed);
        }
    }

    #[inline]
    pub(super) fn meta(self) -> Meta {
        Meta(self.0[0].load(Relaxed))
    }

    #[inline]
    pub(super) fn seq(self) -> SeqNo {
        SeqNo::new(self.0[1].load(Relaxed))
    }

    /// Puts its key in place of what `into` had.
    pub(super) fn read_key(self, into: &mut Vec<u8>) {
        let len = self.meta().key_len();
        let words = &self.0[HEAD..HEAD + len.div_ceil(8)];
        into.resize(words.len() * 8, 0);
        for (bytes, word) in into.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.load(Relaxed).to_be_bytes();
        }
        into.truncate(len);
    }

    /// Puts its value in place of what `into` had, if it is not large.
    #[inline]
    pub(super) fn read_value(self, into: &mut Vec<u8>) {
        let meta = self.meta();
        let words = self.value(meta);
        // Not a byte more, so that it can be shared as it is.
        into.clear();
        into.reserve_exact(meta.value_len());
        into.resize(meta.value_len(), 0);
        let (whole, rest) = into.as_chunks_mut::<8>();
        for (bytes, word) in whole.iter_mut().zip(words) {
            *bytes = word.load(Relaxed).to_le_bytes();
        }
        if let Some(word) = words.get(whole.len()) {
            rest.copy_from_slice(&word.load(Relaxed).to_le_bytes()[..rest.len()]);
        }
    }

    /// Where its large value is.
    pub(super) fn large(self) -> u32 {
        self.value(self.meta())[0].load(Relaxed) as u32
    }

    fn value(self, meta: Meta) -> &'a [AtomicU64] {
        &self.0[HEAD + meta.key_len().div_ceil(8)..meta.words()]
    }

    /// How its key stands to `key`.
    #[inline]
    pub(super) fn compare_key(self, order: &KeyOrder, key: &[u8]) -> Ordering {
        match order {
            KeyOrder::Bytes => self.compare_bytes(key),
            KeyOrder::Custom(comparator) => {
                let mut own = Vec::new();
                self.read_key(&mut own);
                comparator.compare(&own, key)
            }
        }
    }

    /// Words compare as their bytes do; the zeros behind a key make it a prefix or equal, and the lengths decide.
    #[inline]
    fn compare_bytes(self, key: &[u8]) -> Ordering {
        let len = self.meta().key_len();
        let words = &self.0[HEAD..HEAD + len.div_ceil(8)];
        let (whole, rest) = key.as_chunks::<8>();
        for (word, bytes) in words.iter().zip(whole) {
            let (own, other) = (word.load(Relaxed), u64::from_be_bytes(*bytes));
            if own != other {
                return own.cmp(&other);
            }
        }
        let rest = match words.get(whole.len()) {
            Some(word) if !rest.is_empty() => word.load(Relaxed).cmp(&u64::from_be_bytes(padded(rest))),
            _ => Ordering::Equal,
        };
        rest.then(len.cmp(&key.len()))
    }
}

/// Up to eight bytes, the first the most significant.
#[inline]
pub(super) fn key_word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => u64::from_be_bytes(padded(bytes)),
    }
}

/// Fewer than eight bytes, filled with zeros.
#[inline]
fn padded(bytes: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    word
}
