//! The harm a fire drill can do to a file: what was asked for, and what is drawn from a seed.

use serde_json::{Value, json};

use page_ecc::PAGE_LEN;

use crate::args::DamageOptions;
use crate::size::Bytes;

const PAGE: u64 = PAGE_LEN as u64;
/// A hole whose place and length are left out.
const HOLE_LEN: u64 = 64 << 10;

/// One thing to do to a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Hurt {
    FlipBit { byte: u64, bit: u8 },
    ZeroPage { page: u64 },
    GarblePage { page: u64, seed: u64 },
    SwapPages { one: u64, other: u64 },
    Hole { offset: u64, len: u64 },
    Truncate { len: u64 },
}

/// Why a plan cannot be.
#[derive(Debug)]
pub(crate) enum Nonsense {
    /// It is not even well written.
    Unreadable(String),
    /// The file has no such place.
    BehindEnd(String),
}

/// SplitMix64: enough for drills, and the same everywhere.
#[derive(Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if that is.
    pub(crate) const fn within(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.below(end) }
    }

    /// A number below `end`, which is not 0.
    const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Everything that is asked for, in a fixed order, cutting last.
pub(crate) fn plan(options: &DamageOptions, len: u64, seed: u64) -> Result<Vec<Hurt>, Nonsense> {
    let mut draws = Draws::new(seed);
    let mut plan = Vec::new();
    type Parse = fn(&str) -> Option<Hurt>;
    type Draw = fn(u64, &mut Draws) -> Hurt;
    let kinds: [(&str, &[String], Parse, Draw); 5] = [
        ("--flip-bit BYTE:BIT", &options.flip_bit, parse_flip, draw_flip),
        ("--zero-page PAGE", &options.zero_page, parse_zero, draw_zero),
        ("--garble-page PAGE", &options.garble_page, parse_garble, draw_garble),
        ("--swap-pages PAGE:PAGE", &options.swap_pages, parse_swap, draw_swap),
        ("--hole OFFSET:LEN", &options.hole, parse_hole, draw_hole),
    ];
    for (usage, places, parse, draw) in kinds {
        for place in places {
            if !place.is_empty() {
                let hurt = parse(place);
                plan.push(hurt.ok_or_else(|| {
                    Nonsense::Unreadable(format!("`{place}` is not understood; write {usage}"))
                })?);
                continue;
            }
            for _ in 0..options.count {
                if len == 0 || (usage.starts_with("--swap") && len < 2 * PAGE) {
                    return Err(Nonsense::BehindEnd(format!("a place for {usage}")));
                }
                plan.push(draw(len, &mut draws));
            }
        }
    }
    plan.extend(options.truncate.map(|len| Hurt::Truncate { len: len.0 }));
    for hurt in &mut plan {
        if let Hurt::GarblePage { seed, .. } = hurt {
            *seed = draws.next();
        }
        if hurt.end() > len {
            return Err(Nonsense::BehindEnd(hurt.to_string()));
        }
    }
    match plan.is_empty() {
        true => Err(Nonsense::Unreadable(
            "nothing to do: say how to damage the file, as with --flip-bit".to_owned(),
        )),
        false => Ok(plan),
    }
}

fn two(place: &str) -> Option<(u64, u64)> {
    let (one, other) = place.split_once(':')?;
    Some((one.parse().ok()?, other.parse().ok()?))
}

fn parse_flip(place: &str) -> Option<Hurt> {
    let (byte, bit) = two(place)?;
    (bit < 8).then_some(Hurt::FlipBit { byte, bit: bit as u8 })
}

fn parse_zero(place: &str) -> Option<Hurt> {
    Some(Hurt::ZeroPage { page: place.parse().ok()? })
}

fn parse_garble(place: &str) -> Option<Hurt> {
    Some(Hurt::GarblePage { page: place.parse().ok()?, seed: 0 })
}

fn parse_swap(place: &str) -> Option<Hurt> {
    let (one, other) = two(place)?;
    (one != other).then_some(Hurt::SwapPages { one, other })
}

fn parse_hole(place: &str) -> Option<Hurt> {
    let (offset, len) = place.split_once(':')?;
    let (Bytes(offset), Bytes(len)) = (offset.parse().ok()?, len.parse().ok()?);
    (len > 0).then_some(Hurt::Hole { offset, len })
}

fn draw_flip(len: u64, draws: &mut Draws) -> Hurt {
    Hurt::FlipBit { byte: draws.below(len), bit: draws.below(8) as u8 }
}

fn draw_zero(len: u64, draws: &mut Draws) -> Hurt {
    Hurt::ZeroPage { page: draws.below(len.div_ceil(PAGE)) }
}

fn draw_garble(len: u64, draws: &mut Draws) -> Hurt {
    Hurt::GarblePage { page: draws.below(len.div_ceil(PAGE)), seed: 0 }
}

/// Two whole pages that differ.
fn draw_swap(len: u64, draws: &mut Draws) -> Hurt {
    let pages = len / PAGE;
    let one = draws.below(pages);
    Hurt::SwapPages { one, other: (one + 1 + draws.below(pages - 1)) % pages }
}

fn draw_hole(len: u64, draws: &mut Draws) -> Hurt {
    let hole = HOLE_LEN.min(len);
    Hurt::Hole { offset: draws.below(len - hole + 1), len: hole }
}

impl Hurt {
    /// The first byte that need not be there.
    fn end(&self) -> u64 {
        match *self {
            Self::FlipBit { byte, .. } => byte.saturating_add(1),
            Self::ZeroPage { page } | Self::GarblePage { page, .. } => {
                page.saturating_mul(PAGE).saturating_add(1)
            }
            Self::SwapPages { one, other } => one.max(other).saturating_add(1).saturating_mul(PAGE),
            Self::Hole { offset, len } => offset.saturating_add(len),
            Self::Truncate { len } => len,
        }
    }

    pub(crate) fn json(&self) -> Value {
        match *self {
            Self::FlipBit { byte, bit } => json!({ "kind": "flip_bit", "byte": byte, "bit": bit }),
            Self::ZeroPage { page } => json!({ "kind": "zero_page", "page": page }),
            Self::GarblePage { page, .. } => json!({ "kind": "garble_page", "page": page }),
            Self::SwapPages { one, other } => json!({ "kind": "swap_pages", "pages": [one, other] }),
            Self::Hole { offset, len } => json!({ "kind": "hole", "offset": offset, "len": len }),
            Self::Truncate { len } => json!({ "kind": "truncate", "len": len }),
        }
    }
}

impl std::fmt::Display for Hurt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FlipBit { byte, bit } => write!(f, "bit {bit} of byte {byte} turned over"),
            Self::ZeroPage { page } => write!(f, "page {page} zeroed"),
            Self::GarblePage { page, .. } => write!(f, "page {page} garbled"),
            Self::SwapPages { one, other } => write!(f, "pages {one} and {other} exchanged"),
            Self::Hole { offset, len } => write!(f, "{len} bytes from {offset} on zeroed"),
            Self::Truncate { len } => write!(f, "cut to {len} bytes"),
        }
    }
}
