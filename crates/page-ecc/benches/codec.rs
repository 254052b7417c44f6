//! What sealing, checking and recovering cost, against the bare codes they are made of.
//!
//! `cargo bench -p page-ecc --bench codec`. What is compared runs in turn, round by round, so that a
//! busy machine slows both sides; ratios are medians over the rounds. Exit code 1 if a target is
//! missed. One argument, a word, runs only the parts whose name contains it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use page_ecc::{
    BodyBuffer, Descriptor, Ladder, PAGE_LEN, Page, PageNo, Region, SealOptions, SealStore, StripSealer, Uid,
};
use reed_solomon_simd::engine::DefaultEngine;
use reed_solomon_simd::rate::{HighRateEncoder, RateEncoder};
use twox_hash::XxHash3_64;

const BODY_LEN: usize = 64 << 20;
const BODY_PAGES: usize = BODY_LEN / PAGE_LEN;
/// Sealing may cost at most this many times its bare codes.
const SEAL_MOST: f64 = 1.5;
/// Checking reaches at least this share of the speed of bare CRC-32C.
const CHECK_LEAST: f64 = 0.55;

/// A part's name, and what measures it: whether its targets are met.
type Part = (&'static str, fn() -> bool);

fn main() -> ExitCode {
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let parts: [Part; 5] = [
        ("seal", sealing_against_bare_codes),
        ("check", checking_against_bare_crc),
        ("recover", recovery),
        ("flip", single_flips),
        ("strips", strips_against_memory),
    ];
    let met: Vec<bool> =
        parts.iter().filter(|part| part.0.contains(&wanted)).map(|part| (part.1)()).collect();
    if met.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn sealing_against_bare_codes() -> bool {
    let body = random_bytes(BODY_LEN);
    let mut parity = vec![0; sealed(&body).0.len()];
    let [filled, copy, digests, code] = rounds(
        21,
        [
            // Digests are taken while the body is handed over, so that counts; the copy itself does not.
            &mut || {
                seconds(|| {
                    let mut buffer = BodyBuffer::with_capacity(BODY_LEN);
                    body.chunks(PAGE_LEN).for_each(|page| buffer.extend_from_slice(page));
                    buffer.seal(&options()).expect("a 64 MiB body can be sealed")
                })
            },
            &mut || seconds(|| bare_copy(&body)),
            &mut || seconds(|| bare_digests(&body)),
            &mut || seconds(|| bare_code(&body, &mut parity)),
        ],
    );
    let seal: Vec<f64> = filled.iter().zip(&copy).map(|(filled, copy)| filled - copy).collect();
    let bare: Vec<f64> = digests.iter().zip(&code).map(|(digests, code)| digests + code).collect();
    println!("seal 64 MiB in memory        {}", Speed(&seal, BODY_LEN));
    println!("  bare digests               {}", Speed(&digests, BODY_LEN));
    println!("  bare Reed–Solomon 64+4     {}", Speed(&code, BODY_LEN));
    judge("  seal / (digests + code)", median_ratio(&seal, &bare), |ratio| ratio <= SEAL_MOST)
}

fn checking_against_bare_crc() -> bool {
    let (file, descriptor) = sealed(&random_bytes(BODY_LEN));
    let pages = descriptor.geometry().region(Region::Body);
    let body = &file[PAGE_LEN..][..BODY_LEN];
    let [check, crc, digests] = rounds(
        21,
        [
            &mut || {
                let mut ladder = Ladder::new(descriptor.clone(), &file[..]);
                let mut is_clean = false;
                let time = seconds(|| is_clean = ladder.examine(pages.clone()).is_clean());
                assert!(is_clean);
                time
            },
            &mut || seconds(|| bare_crc(body)),
            &mut || seconds(|| bare_digests(body)),
        ],
    );
    println!("check 64 MiB                 {}", Speed(&check, BODY_LEN));
    println!("  bare CRC-32C               {}", Speed(&crc, BODY_LEN));
    println!("  bare digests               {}", Speed(&digests, BODY_LEN));
    judge("  check speed / CRC speed", median_ratio(&crc, &check), |ratio| ratio >= CHECK_LEAST)
}

fn recovery() -> bool {
    let pages_of = |mib: usize| (mib << 20) / PAGE_LEN;
    for (mib, what, lost) in [
        (64, "one lost page of 64 MiB", 1),
        (64, "64 KiB of 64 MiB", 17),
        (64, "4 MiB of 64 MiB", pages_of(4)),
        (256, "4 MiB of 256 MiB", pages_of(4)),
        (256, "16 MiB of 256 MiB", pages_of(16)),
    ] {
        let (mut file, descriptor) = sealed(&random_bytes(mib << 20));
        let first = PageNo::new(5000);
        let hole = first..first.plus(lost as u64);
        file[hole.start.offset() as usize..hole.end.offset() as usize].fill(0);
        let [time] = rounds(
            9,
            [&mut || {
                let mut ladder = Ladder::new(descriptor.clone(), &file[..]);
                let mut rebuilt = 0;
                let time = seconds(|| rebuilt = ladder.examine(hole.clone()).evidence().rebuilt);
                assert_eq!(rebuilt, lost as u64);
                time
            }],
        );
        println!("recover {what:<24} {:7.2} ms median, {:.2} GB/s", median(&time) * 1e3, {
            (lost * PAGE_LEN) as f64 / median(&time) / 1e9
        });
    }
    true
}

fn single_flips() -> bool {
    const FLIPS: usize = 200;
    let (mut file, descriptor) = sealed(&random_bytes(1 << 20));
    let mut times = Vec::new();
    for flip in 0..FLIPS {
        let (at, bit) = (PAGE_LEN + flip * 5231, flip % 8);
        let page = PageNo::new((at / PAGE_LEN) as u64);
        file[at] ^= 1 << bit;
        let mut ladder = Ladder::new(descriptor.clone(), &file[..]);
        assert!(ladder.examine(PageNo::new(1)..PageNo::new(2)).findings.len() <= 1); // digests are read
        let mut corrected = 0;
        times.push(seconds(|| corrected = ladder.examine(page..page.plus(1)).evidence().corrected));
        assert_eq!(corrected, 1);
        file[at] ^= 1 << bit;
    }
    let mean = times.iter().sum::<f64>() / FLIPS as f64;
    println!(
        "turn back one flipped bit    {:.1} µs on average, {:.1} at most",
        mean * 1e6,
        max(&times) * 1e6
    );
    true
}

fn strips_against_memory() -> bool {
    let body = random_bytes(BODY_LEN);
    let sealer = StripSealer::new(BODY_LEN as u64, &options(), 16 << 20).expect("it can be sealed");
    let store = Memory(RefCell::new(vec![0; sealer.geometry().total_len() as usize]));
    store.0.borrow_mut()[PAGE_LEN..][..BODY_LEN].copy_from_slice(&body);
    let mut scratch = sealer.scratch();
    let [strips, memory] = rounds(
        11,
        [
            &mut || {
                seconds(|| {
                    for strip in 0..sealer.strips() {
                        sealer.seal_strip(strip, &store, &mut scratch).unwrap();
                    }
                    sealer.finish(&store).unwrap()
                })
            },
            &mut || {
                seconds(|| {
                    let mut buffer = BodyBuffer::with_capacity(BODY_LEN);
                    buffer.extend_from_slice(&body);
                    buffer.seal(&options()).expect("a 64 MiB body can be sealed")
                })
            },
        ],
    );
    assert_eq!(store.0.into_inner(), sealed(&body).0);
    println!("seal 64 MiB in strips        {}", Speed(&strips, BODY_LEN));
    println!("  in memory                  {}", Speed(&memory, BODY_LEN));
    println!("  strips / memory            {:.2}", median_ratio(&strips, &memory));
    true
}

fn options() -> SealOptions {
    SealOptions::new(Uid::new([7; 16]))
}

fn sealed(body: &[u8]) -> (Vec<u8>, Descriptor) {
    let image = options().seal(body).expect("the body can be sealed");
    let descriptor = image.descriptor().clone();
    (image.into_bytes(), descriptor)
}

/// The body in fresh memory, page by page, as it is handed over.
fn bare_copy(body: &[u8]) -> Vec<u8> {
    let mut memory = Vec::with_capacity(BODY_LEN);
    body.chunks(PAGE_LEN).for_each(|page| memory.extend_from_slice(black_box(page)));
    black_box(memory)
}

/// Both digest halves of every page, as sealing needs them, without anything around them.
fn bare_digests(bytes: &[u8]) -> u64 {
    let pages = bytes.chunks_exact(PAGE_LEN);
    pages.map(|page| u64::from(crc32c::crc32c(page)) ^ XxHash3_64::oneshot(page)).fold(0, |a, b| a ^ b)
}

fn bare_crc(bytes: &[u8]) -> u64 {
    bytes.chunks_exact(PAGE_LEN).map(|page| u64::from(crc32c::crc32c(page))).fold(0, |a, b| a ^ b)
}

/// 64+4 over columns of pages that stand 257 pages apart, without anything around it.
fn bare_code(body: &[u8], parity: &mut [u8]) {
    const COLUMNS: usize = 257;
    const PARITY: usize = 4;
    let pages = body.as_chunks::<PAGE_LEN>().0;
    let missing = [0; PAGE_LEN];
    let pad = 64 * COLUMNS - BODY_PAGES;
    let parity: &mut [Page] = parity.as_chunks_mut().0;
    let mut encoder =
        HighRateEncoder::new(64, PARITY, PAGE_LEN, DefaultEngine::new(), None).expect("64+4 is a code");
    for column in 0..COLUMNS {
        for shard in 0..64 {
            let page = (shard * COLUMNS + column).checked_sub(pad).map_or(&missing, |at| &pages[at]);
            encoder.add_original_shard(page).expect("each is added once");
        }
        let encoded = encoder.encode().expect("all shards are there");
        for (index, page) in encoded.recovery_iter().enumerate() {
            parity[index * COLUMNS + column].copy_from_slice(page);
        }
    }
}

struct Memory(RefCell<Vec<u8>>);

impl SealStore for Memory {
    type Error = Infallible;

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.borrow()[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.borrow_mut()[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

fn random_bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut bytes = vec![0; len];
    for word in bytes.as_chunks_mut().0 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *word = state.to_le_bytes();
    }
    bytes
}

/// The seconds of every round of each side; a first round that warms caches does not count.
fn rounds<const N: usize>(count: usize, mut sides: [&mut dyn FnMut() -> f64; N]) -> [Vec<f64>; N] {
    let mut times = [(); N].map(|()| Vec::new());
    for round in 0..=count {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            let time = side();
            if round > 0 {
                times.push(time);
            }
        }
    }
    times
}

fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    let result = black_box(work());
    let time = start.elapsed().as_secs_f64();
    drop(result);
    time
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn median_ratio(over: &[f64], under: &[f64]) -> f64 {
    let ratios: Vec<f64> = over.iter().zip(under).map(|(over, under)| over / under).collect();
    median(&ratios)
}

fn max(times: &[f64]) -> f64 {
    times.iter().copied().fold(0.0, f64::max)
}

fn judge(what: &str, ratio: f64, is_met: impl Fn(f64) -> bool) -> bool {
    let met = is_met(ratio);
    println!("{what:<28} {ratio:.2}  {}", if met { "(target met)" } else { "(TARGET MISSED)" });
    met
}

/// Times of a side as a speed over so many bytes.
struct Speed<'a>(&'a [f64], usize);

impl std::fmt::Display for Speed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let best = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let speed = |time: f64| self.1 as f64 / time / 1e9;
        write!(f, "{:6.2} GB/s median, {:6.2} best", speed(median(self.0)), speed(best))
    }
}
