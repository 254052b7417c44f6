//! Damage as values, where it strikes, and the small generator that draws both.

use std::fmt;
use std::ops::Range;

use page_ecc::PAGE_LEN;

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Damage {
    /// So many flipped bits within one page.
    Flips(usize),
    /// So many bytes side by side, anywhere: zeros or garbage.
    Hole(usize),
    /// A whole page.
    Page,
    /// So many pages, anywhere.
    RandomPages(usize),
    /// The first page.
    Head,
    /// The last page.
    Tail,
    /// At most so many bytes cut off.
    Cut(usize),
}

/// What became of the file.
pub(crate) struct Hurt {
    /// Where its bytes may differ now.
    pub(crate) touched: Vec<Range<usize>>,
    /// Where it ends now; behind are zeros.
    pub(crate) len: usize,
}

impl Damage {
    /// Pages that it can touch side by side, wherever it strikes; `None` if they are scattered.
    pub(crate) const fn pages_touched(self) -> Option<usize> {
        match self {
            Self::Flips(_) | Self::Page | Self::Head | Self::Tail => Some(1),
            Self::Hole(len) => Some((len - 1).div_ceil(PAGE_LEN) + 1),
            Self::Cut(len) => Some(len.div_ceil(PAGE_LEN) + 1),
            Self::RandomPages(_) => None,
        }
    }

    /// Whether a trial takes long.
    pub(crate) const fn is_large(self) -> bool {
        match self.pages_touched() {
            Some(pages) => pages >= (1 << 20) / PAGE_LEN,
            None => true,
        }
    }

    pub(crate) fn strike(self, file: &mut [u8], random: &mut Random) -> Hurt {
        let len = file.len();
        let page = |number: usize| number * PAGE_LEN..(number + 1) * PAGE_LEN;
        let (touched, len) = match self {
            Self::Flips(count) => {
                let page = page(random.below(len / PAGE_LEN));
                let mut bits = Vec::new();
                while bits.len() < count {
                    let bit = random.below(PAGE_LEN * 8);
                    if !bits.contains(&bit) {
                        bits.push(bit);
                        file[page.start + bit / 8] ^= 1 << (bit % 8);
                    }
                }
                return Hurt { touched: vec![page], len };
            }
            Self::Hole(hole) => {
                let start = random.below(len - hole + 1);
                (only(start..start + hole), len)
            }
            Self::Page => (vec![page(random.below(len / PAGE_LEN))], len),
            Self::RandomPages(count) => {
                let mut pages: Vec<_> = (0..count).map(|_| random.below(len / PAGE_LEN)).collect();
                pages.sort_unstable();
                pages.dedup();
                (pages.into_iter().map(page).collect(), len)
            }
            Self::Head => (vec![page(0)], len),
            Self::Tail => (only(len - PAGE_LEN..len), len),
            Self::Cut(most) => {
                let end = len - 1 - random.below(most);
                file[end..].fill(0);
                return Hurt { touched: only(end..len), len: end };
            }
        };
        let zeros = random.below(2) == 0;
        for range in &touched {
            overwrite(&mut file[range.clone()], zeros, random);
        }
        Hurt { touched, len }
    }
}

fn only(range: Range<usize>) -> Vec<Range<usize>> {
    vec![range]
}

/// Overwrites bytes so that something differs.
fn overwrite(bytes: &mut [u8], zeros: bool, random: &mut Random) {
    let first = bytes[0];
    if zeros {
        bytes.fill(0);
    } else {
        random.fill(bytes);
    }
    if bytes[0] == first {
        bytes[0] ^= 0x55;
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Flips(1) => f.write_str("1 flipped bit"),
            Self::Flips(count) => write!(f, "{count} flips in 4 KiB"),
            Self::Hole(len) if len >= 1 << 20 => write!(f, "hole of {} MiB", len >> 20),
            Self::Hole(len) if len >= 1 << 10 => write!(f, "hole of {} KiB", len >> 10),
            Self::Hole(len) => write!(f, "hole of {len} B"),
            Self::Page => f.write_str("one 4 KiB page"),
            Self::RandomPages(count) => write!(f, "{count} random pages"),
            Self::Head => f.write_str("first page gone"),
            Self::Tail => f.write_str("last page gone"),
            Self::Cut(len) => write!(f, "up to {} MiB cut off", len >> 20),
        }
    }
}
