//! Single bits and single pages, all of them.

use page_ecc::{DescriptorError, InnerCode, Ladder, PAGE_LEN, Region, Scheme};

use crate::damage::{self, Kind, Random};
use crate::judge::{Case, Verdict};
use crate::{INNERS, SCHEMES, seed};

fn check_every_bit(case: &Case, pages: std::ops::Range<usize>) {
    for page in pages {
        for bit in page * PAGE_LEN * 8..(page + 1) * PAGE_LEN * 8 {
            let mut hurt = case.image.as_bytes()[page * PAGE_LEN..(page + 1) * PAGE_LEN].to_vec();
            hurt[bit / 8 % PAGE_LEN] ^= 1 << (bit % 8);
            case.judge_one_page(page as u64, &hurt, bit);
        }
    }
}

impl Case {
    /// Examines one page that holds `hurt`, in a file that is right elsewhere.
    #[track_caller]
    fn judge_one_page(&self, page: u64, hurt: &[u8], bit: usize) {
        use page_ecc::{PageNo, PageSource, ReadFrom, Rung, Unreadable};
        struct OneBad<'a>(&'a [u8], u64, &'a [u8]);
        impl PageSource for OneBad<'_> {
            fn read(
                &mut self,
                first: PageNo,
                pages: &mut [page_ecc::Page],
                from: ReadFrom,
            ) -> Result<(), Unreadable> {
                self.0.read(first, pages, from)?;
                let index = self.1.checked_sub(first.get()).map(|index| index as usize);
                if let Some(page) = index.and_then(|index| pages.get_mut(index)) {
                    page.copy_from_slice(self.2);
                }
                Ok(())
            }
        }
        let source = OneBad(self.image.as_bytes(), page, hurt);
        let mut ladder = Ladder::new(self.image.descriptor().clone(), source);
        let found = ladder.examine(PageNo::new(page)..PageNo::new(page + 1));
        let [finding] = found.findings[..] else { panic!("{}, bit {bit}: {found:?}", self.name) };
        let [patch] = &found.patches[..] else { panic!("{}, bit {bit}: {found:?}", self.name) };
        assert_eq!(finding.page.get(), page);
        assert_ne!(finding.rung, Rung::Lost);
        let sealed = &self.image.as_bytes()[page as usize * PAGE_LEN..][..PAGE_LEN];
        assert_eq!(&patch.bytes[..], sealed, "{}, bit {bit}: WRONG BYTES", self.name);
    }
}

#[test]
fn every_single_bit_of_a_small_file_is_put_right_first_half() {
    let case = Case::new(PAGE_LEN + 1, Scheme::STANDARD, InnerCode::None, seed());
    check_every_bit(&case, 0..13);
}

#[test]
fn every_single_bit_of_a_small_file_is_put_right_second_half() {
    let case = Case::new(PAGE_LEN + 1, Scheme::STANDARD, InnerCode::None, seed());
    check_every_bit(&case, 13..case.geometry().total_pages() as usize);
}

#[test]
fn every_single_bit_is_put_right_without_any_parity() {
    let case = Case::new(PAGE_LEN - 1, Scheme::ChecksumOnly, InnerCode::None, seed());
    check_every_bit(&case, 0..case.geometry().total_pages() as usize);
}

#[test]
fn every_single_bit_of_a_file_with_word_checks_is_put_right() {
    let case = Case::new(100, Scheme::LIGHT, InnerCode::Hsiao, seed());
    let mut random = Random::new(seed());
    for page in 0..case.geometry().total_pages() {
        for _ in 0..64 {
            let bit = random.below(PAGE_LEN * 8);
            let mut hurt = case.image.as_bytes()[page as usize * PAGE_LEN..][..PAGE_LEN].to_vec();
            hurt[bit / 8] ^= 1 << (bit % 8);
            case.judge_one_page(page, &hurt, bit);
        }
    }
}

#[test]
fn every_single_page_lost_in_any_way_comes_back() {
    for scheme in SCHEMES.into_iter().filter(|&scheme| scheme != Scheme::ChecksumOnly) {
        for inner in INNERS {
            let larger: &[usize] = match (scheme, inner) {
                (Scheme::STANDARD, InnerCode::None) => &[1, 4096, 5 * 4096, 150 * 4096 - 1],
                _ => &[40 * 4096 + 7],
            };
            for body_len in [0, 4097].iter().chain(larger).copied() {
                let case = Case::new(body_len, scheme, inner, seed());
                let mut random = Random::new(seed() ^ body_len as u64);
                for page in 0..case.geometry().total_pages() as usize {
                    for kind in Kind::ALL {
                        let mut medium = case.medium();
                        damage::hurt(&mut medium, kind, page * PAGE_LEN, PAGE_LEN, &mut random);
                        let what = format!("page {page} {kind:?}");
                        assert_eq!(case.judge(&medium, &what), Verdict::Promised, "{what}");
                        let found = case.find_descriptor(&medium).unwrap();
                        assert_eq!(&found, case.image.descriptor(), "{}: {what}", case.name);
                    }
                }
            }
        }
    }
}

#[test]
fn without_parity_a_lost_page_is_named_and_only_that() {
    let case = Case::new(30 * 4096, Scheme::ChecksumOnly, InnerCode::None, seed());
    for page in 1..31 {
        for kind in Kind::ALL {
            let mut medium = case.medium();
            damage::hurt(&mut medium, kind, page * PAGE_LEN, PAGE_LEN, &mut Random::new(page as u64));
            let what = format!("page {page} {kind:?}");
            assert_eq!(case.judge(&medium, &what), Verdict::Beyond, "{what}");
            let mut ladder = Ladder::new(case.image.descriptor().clone(), medium);
            assert_eq!(ladder.read_body(0..30).unwrap_err().pages.to_string(), page.to_string());
        }
    }
}

#[test]
fn head_and_tail_may_both_go_if_the_descriptor_was_kept_elsewhere() {
    for scheme in SCHEMES {
        let case = Case::new(77_777, scheme, InnerCode::None, seed());
        let mut medium = case.medium();
        for region in [Region::Header, Region::Footer] {
            let at = case.geometry().region(region).start.offset() as usize;
            damage::hurt(&mut medium, Kind::Zero, at, PAGE_LEN, &mut Random::new(1));
        }
        assert_eq!(case.judge(&medium, "head and tail"), Verdict::Promised);
        assert_eq!(case.find_descriptor(&medium), Err(DescriptorError::NotSealed));
    }
}

#[test]
fn either_copy_of_the_digests_may_go() {
    for scheme in SCHEMES {
        let case = Case::new(600 * 4096, scheme, InnerCode::None, seed());
        for region in [Region::DigestsA, Region::DigestsB] {
            for kind in Kind::ALL {
                let mut medium = case.medium();
                let pages = case.geometry().region(region);
                let (at, end) = (pages.start.offset() as usize, pages.end.offset() as usize);
                damage::hurt(&mut medium, kind, at, end - at, &mut Random::new(2));
                assert_eq!(case.judge(&medium, &format!("{region} {kind:?}")), Verdict::Promised);
            }
        }
    }
}

#[test]
fn digests_lost_twice_are_worked_out_anew_if_the_pages_are_right() {
    for inner in INNERS {
        let case = Case::new(600 * 4096, Scheme::STANDARD, inner, seed());
        let mut medium = case.medium();
        for region in [Region::DigestsA, Region::DigestsB] {
            let at = case.geometry().region(region).start.offset() as usize;
            damage::hurt(&mut medium, Kind::Zero, at, PAGE_LEN, &mut Random::new(2));
        }
        assert_eq!(case.judge(&medium, "digest page 0, twice"), Verdict::Beyond);
        let mut ladder = Ladder::new(case.image.descriptor().clone(), medium.clone());
        let found = ladder.examine(case.geometry().all_pages());
        assert_eq!((found.evidence().copied, found.evidence().lost), (2, 0));

        // With one of their pages hurt as well, nothing can tell which page it is.
        damage::hurt(&mut medium, Kind::Garble, 9 * PAGE_LEN, PAGE_LEN, &mut Random::new(3));
        case.judge(&medium, "digest page 0 twice and a page under it");
    }
}

#[test]
fn a_rotten_cache_is_transient_and_heals_nothing() {
    for scheme in SCHEMES {
        for inner in INNERS {
            let case = Case::new(20 * 4096, scheme, inner, seed());
            let mut medium = case.medium();
            medium.rotten_cache = (0..case.geometry().total_pages()).collect();
            case.judge(&medium, "every page rotten in the cache");
            let mut ladder = Ladder::new(case.image.descriptor().clone(), medium);
            let found = ladder.examine(case.geometry().all_pages());
            assert!(found.patches.is_empty());
            assert_eq!(found.evidence().transient, case.geometry().total_pages());
        }
    }
}

#[test]
fn an_older_copy_fills_what_parity_cannot() {
    let case = Case::new(200 * 4096, Scheme::LIGHT, InnerCode::None, seed());
    let mut medium = case.medium();
    damage::hurt(&mut medium, Kind::Zero, PAGE_LEN, 120 * PAGE_LEN, &mut Random::new(1));
    let mut older = case.medium();
    damage::hurt(&mut older, Kind::Garble, 20 * PAGE_LEN, 9 * PAGE_LEN, &mut Random::new(2));
    let ladder = Ladder::new(case.image.descriptor().clone(), medium);
    let read = ladder.with_older_copy(older).read_body(0..200).unwrap();
    assert!(read.bytes == case.image.body(), "WRONG BYTES were read");
    assert!(read.examination.evidence().supplied > 0 && read.examination.evidence().rebuilt > 0);

    let mut foreign = case.medium();
    foreign.bytes = foreign.foreign.clone();
    let mut hurt = case.medium();
    damage::hurt(&mut hurt, Kind::Zero, PAGE_LEN, 120 * PAGE_LEN, &mut Random::new(1));
    let ladder = Ladder::new(case.image.descriptor().clone(), hurt);
    ladder.with_older_copy(foreign).read_body(0..200).expect_err("a copy of another file is no help");
}

#[test]
fn scattered_flips_are_turned_back_by_the_word_checks() {
    let case = Case::new(64 * 4096, Scheme::ChecksumOnly, InnerCode::Hsiao, seed());
    let mut medium = case.medium();
    let mut random = Random::new(seed());
    for page in 1..65 {
        for word in 0..512 {
            damage::flip(&mut medium, (page * PAGE_LEN + word * 8) * 8 + random.below(64));
        }
    }
    let mut ladder = Ladder::new(case.image.descriptor().clone(), medium);
    let read = ladder.read_body(0..64).unwrap();
    assert!(read.bytes == case.image.body(), "WRONG BYTES were read");
    assert_eq!(read.examination.evidence().bits, 64 * 512);
}

/// The CRC's own polynomial, laid over a page, leaves its sum as it is: the other half has to tell.
#[test]
fn a_page_with_the_right_crc_and_other_bytes_is_never_taken_for_right() {
    const POLYNOMIAL: u64 = 1 | 0x82F6_3B78 << 1;
    for scheme in SCHEMES {
        let case = Case::new(40 * PAGE_LEN, scheme, InnerCode::None, seed());
        for page in 1..case.geometry().total_pages() - 1 {
            let mut hurt = case.image.as_bytes()[page as usize * PAGE_LEN..][..PAGE_LEN].to_vec();
            let before = crc32c(&hurt);
            hurt[1000..1008].iter_mut().zip(POLYNOMIAL.to_le_bytes()).for_each(|(byte, turn)| *byte ^= turn);
            assert_eq!(crc32c(&hurt), before);
            let mut medium = case.medium();
            medium.bytes[page as usize * PAGE_LEN..][..PAGE_LEN].copy_from_slice(&hurt);
            case.judge(&medium, &format!("page {page}"));
            let whole = Ladder::new(case.image.descriptor().clone(), &medium.bytes[..]);
            assert_eq!({ whole }.examine(case.geometry().all_pages()).findings.len(), 1, "page {page}");
        }
    }
}

#[test]
fn an_older_copy_brings_back_digests_that_are_gone_twice() {
    let case = Case::new(40 * PAGE_LEN, Scheme::STANDARD, InnerCode::None, seed());
    let mut bytes = case.image.as_bytes().to_vec();
    let gone = [Region::DigestsA, Region::DigestsB].map(|region| case.geometry().region(region).start);
    for offset in gone.map(|page| page.offset() as usize).into_iter().chain([PAGE_LEN]) {
        bytes[offset..offset + PAGE_LEN].fill(0);
    }
    let ladder = || Ladder::new(case.image.descriptor().clone(), &bytes[..]);
    assert!(!ladder().examine(case.geometry().all_pages()).lost().is_empty());
    let found = ladder().with_older_copy(case.image.as_bytes()).examine(case.geometry().all_pages());
    assert!(found.lost().is_empty());
    for patch in &found.patches {
        bytes[patch.page.offset() as usize..][..PAGE_LEN].copy_from_slice(&patch.bytes[..]);
    }
    assert!(bytes == case.image.as_bytes());
}

/// CRC-32C, a bit at a time.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0x82F6_3B78 & (sum & 1u32).wrapping_neg()))
    })
}
