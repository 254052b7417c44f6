//! The classical way: blocks that carry their own parity beside their data.
//!
//! A block is data, whose last eight bytes are XXH3-64 of the rest, and parity over all of it. No
//! shard has a digest of its own, so a bad one is found by trying. The checksum is protected with
//! the data and the blocks' bounds are known, which flatters these schemes.

use page_ecc::WordCode;
use twox_hash::XxHash3_64;

use crate::damage::{Damage, Random};
use crate::{BODY_LEN, Patient, Verdict};

const CHECKSUM_LEN: usize = 8;
const XOR_SHARDS: usize = 10;
const RS_SHARDS: usize = 4;

/// A code inside a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlockCode {
    /// Hsiao (72,64) on each word.
    SecDed,
    /// One parity shard for ten.
    Xor,
    /// Two parity shards for four, over GF(2^8).
    ReedSolomon,
}

impl BlockCode {
    pub(crate) const ALL: [Self; 3] = [Self::SecDed, Self::Xor, Self::ReedSolomon];

    const fn name(self) -> &'static str {
        match self {
            Self::SecDed => "SEC-DED",
            Self::Xor => "XOR 10+1",
            Self::ReedSolomon => "RS 4+2",
        }
    }

    const fn parity_len(self, data_len: usize) -> usize {
        match self {
            Self::SecDed => data_len / 8,
            Self::Xor => data_len.div_ceil(XOR_SHARDS),
            Self::ReedSolomon => 2 * data_len / RS_SHARDS,
        }
    }

    fn encode(self, data: &[u8], parity: &mut [u8]) {
        match self {
            Self::SecDed => WordCode::encode(data, parity),
            Self::Xor => {
                parity.fill(0);
                data.chunks(parity.len()).for_each(|shard| add(parity, shard));
            }
            Self::ReedSolomon => {
                let (sum, weighted) = parity.split_at_mut(data.len() / RS_SHARDS);
                syndromes(data, sum, weighted, &[]);
            }
        }
    }

    /// Tries what the code can do until the checksum agrees.
    fn recover(self, data: &mut [u8], parity: &[u8]) -> bool {
        if is_right(data) {
            return true;
        }
        let hurt = data.to_vec();
        let mut attempt = |change: &dyn Fn(&mut [u8])| {
            data.copy_from_slice(&hurt);
            change(data);
            is_right(data)
        };
        match self {
            Self::SecDed => attempt(&|data| {
                WordCode::correct(data, parity);
            }),
            Self::Xor => (0..XOR_SHARDS).any(|lost| attempt(&|data| rebuild_by_xor(data, parity, lost))),
            Self::ReedSolomon => {
                let one = (0..RS_SHARDS).flat_map(|lost| [[lost, RS_SHARDS], [lost, RS_SHARDS + 1]]);
                let two = (0..RS_SHARDS).flat_map(|first| (0..first).map(move |second| [second, first]));
                one.chain(two).any(|lost| attempt(&|data| rebuild_by_two(data, parity, lost)))
            }
        }
    }
}

fn is_right(data: &[u8]) -> bool {
    let (payload, checksum) = data.split_at(data.len() - CHECKSUM_LEN);
    XxHash3_64::oneshot(payload).to_le_bytes() == checksum
}

fn add(sum: &mut [u8], shard: &[u8]) {
    sum.iter_mut().zip(shard).for_each(|(sum, byte)| *sum ^= byte);
}

fn rebuild_by_xor(data: &mut [u8], parity: &[u8], lost: usize) {
    let mut sum = parity.to_vec();
    let others = data.chunks(parity.len()).enumerate().filter(|shard| shard.0 != lost);
    others.for_each(|(_, shard)| add(&mut sum, shard));
    let lost = data.chunks_mut(parity.len()).nth(lost).expect("there are ten shards");
    lost.copy_from_slice(&sum[..lost.len()]);
}

/// The sum of all shards but some, and the sum of each times 2^index.
fn syndromes(data: &[u8], sum: &mut [u8], weighted: &mut [u8], but: &[usize]) {
    sum.fill(0);
    weighted.fill(0);
    for (index, shard) in data.chunks(sum.len()).enumerate().rev() {
        weighted.iter_mut().for_each(|byte| *byte = double(*byte));
        if !but.contains(&index) {
            add(sum, shard);
            add(weighted, shard);
        }
    }
}

/// Rebuilds two lost shards; numbers from four on are parity.
fn rebuild_by_two(data: &mut [u8], parity: &[u8], [first, second]: [usize; 2]) {
    let len = data.len() / RS_SHARDS;
    let (mut sum, mut weighted) = (vec![0; len], vec![0; len]);
    syndromes(data, &mut sum, &mut weighted, &[first, second]);
    add(&mut sum, &parity[..len]);
    add(&mut weighted, &parity[len..]);
    let weight = |shard: usize| 1u8 << shard;
    if second == RS_SHARDS + 1 {
        data[first * len..][..len].copy_from_slice(&sum);
        return;
    }
    if second == RS_SHARDS {
        let scale = inverse(weight(first));
        data[first * len..][..len].iter_mut().zip(weighted).for_each(|(to, from)| *to = times(from, scale));
        return;
    }
    // x + y = sum and ax + by = weighted, so (a + b) y = weighted + a sum.
    let (a, b) = (weight(first), weight(second));
    let scale = inverse(a ^ b);
    for at in 0..len {
        let y = times(weighted[at] ^ times(sum[at], a), scale);
        data[second * len + at] = y;
        data[first * len + at] = sum[at] ^ y;
    }
}

/// A product in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1.
fn times(a: u8, b: u8) -> u8 {
    let (mut product, mut power) = (0, a);
    for bit in 0..8 {
        if b >> bit & 1 == 1 {
            product ^= power;
        }
        power = double(power);
    }
    product
}

const fn double(a: u8) -> u8 {
    a << 1 ^ (0x1D & (a >> 7).wrapping_neg())
}

/// a^254.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    (1..8).fold(1, |product, _| {
        power = times(power, power);
        times(product, power)
    })
}

/// A file of such blocks, one behind the other.
pub(crate) struct BlockFile {
    code: BlockCode,
    data_len: usize,
    original: Vec<u8>,
    file: Vec<u8>,
}

impl BlockFile {
    pub(crate) fn new(code: BlockCode, data_len: usize, seed: u64) -> Self {
        let block_len = data_len + code.parity_len(data_len);
        let mut file = vec![0; BODY_LEN / data_len * block_len];
        let mut random = Random::new(seed);
        for block in file.chunks_exact_mut(block_len) {
            let (data, parity) = block.split_at_mut(data_len);
            let (payload, checksum) = data.split_at_mut(data_len - CHECKSUM_LEN);
            random.fill(payload);
            checksum.copy_from_slice(&XxHash3_64::oneshot(payload).to_le_bytes());
            code.encode(data, parity);
        }
        Self { code, data_len, original: file.clone(), file }
    }

    const fn block_len(&self) -> usize {
        self.data_len + self.code.parity_len(self.data_len)
    }

    fn recover_block(&mut self, number: usize) -> Verdict {
        let (start, len) = (number * self.block_len(), self.block_len());
        let (data, parity) = self.file[start..start + len].split_at_mut(self.data_len);
        match self.code.recover(data, parity) {
            true if *data == self.original[start..start + self.data_len] => Verdict::Survived,
            true => Verdict::Wrong,
            false => Verdict::Lost,
        }
    }
}

impl Patient for BlockFile {
    fn name(&self) -> [String; 2] {
        [self.code.name().to_owned(), format!("{} KiB", self.data_len >> 10)]
    }

    fn cost(&self) -> f64 {
        self.code.parity_len(self.data_len) as f64 / self.data_len as f64
    }

    fn promises(&self, damage: Damage) -> bool {
        matches!(damage, Damage::Flips(1))
    }

    fn trial(&mut self, damage: Damage, random: &mut Random) -> Verdict {
        let hurt = damage.strike(&mut self.file, random);
        let len = self.block_len();
        let blocks = |range: &std::ops::Range<usize>| range.start / len..range.end.div_ceil(len);
        let mut touched = hurt.touched.iter().flat_map(blocks);
        let bad = touched.find_map(|block| match self.recover_block(block) {
            Verdict::Survived => None,
            other => Some(other),
        });
        for range in hurt.touched.iter().map(blocks) {
            let bytes = range.start * len..range.end * len;
            self.file[bytes.clone()].copy_from_slice(&self.original[bytes]);
        }
        bad.unwrap_or(Verdict::Survived)
    }
}
