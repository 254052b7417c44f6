//! Holes of every promised length at every page, aligned and not, and tails cut off.

use page_ecc::{InnerCode, PAGE_LEN, Region, Scheme};

use crate::damage::{self, Kind, Random};
use crate::judge::{Case, Verdict};
use crate::{SCHEMES, seed};

fn check_holes(scheme: Scheme, inner: InnerCode, body_pages: usize) {
    let case = Case::new(body_pages * PAGE_LEN - body_pages.min(1) * 3, scheme, inner, seed());
    let geometry = case.geometry();
    let mut random = Random::new(seed() + body_pages as u64);
    let share = geometry.body_len() as usize * usize::from(scheme.parity()) / usize::from(scheme.data());
    let window = geometry.parity_pages() as usize * PAGE_LEN;
    for page in 0..geometry.total_pages() as usize {
        for (len, shift) in [(64 << 10, random.below(PAGE_LEN)), (share, random.below(PAGE_LEN)), (window, 0)]
        {
            let kind = Kind::ALL[random.below(Kind::ALL.len())];
            let mut medium = case.medium();
            damage::hurt(&mut medium, kind, page * PAGE_LEN + shift, len, &mut random);
            let what = format!("a hole of {len} bytes, {kind:?}, at byte {shift} of page {page}");
            assert_eq!(case.judge(&medium, &what), Verdict::Promised, "{}: {what}", case.name);
        }
    }
}

#[test]
fn every_promised_hole_comes_back_standard() {
    [0, 1, 16, 64, 130].into_iter().for_each(|pages| check_holes(Scheme::STANDARD, InnerCode::None, pages));
}

#[test]
fn every_promised_hole_comes_back_light_and_xor() {
    [0, 3, 65].into_iter().for_each(|pages| check_holes(Scheme::LIGHT, InnerCode::None, pages));
    [0, 30, 171].into_iter().for_each(|pages| check_holes(Scheme::Xor { data: 10 }, InnerCode::None, pages));
}

#[test]
fn every_promised_hole_comes_back_strong() {
    [0, 5, 60].into_iter().for_each(|pages| check_holes(Scheme::STRONG, InnerCode::None, pages));
}

#[test]
fn every_promised_hole_comes_back_with_word_checks() {
    [0, 40].into_iter().for_each(|pages| check_holes(Scheme::STANDARD, InnerCode::Hsiao, pages));
}

#[test]
fn a_sixteenth_of_a_larger_file_comes_back_wherever_it_is_missing() {
    let case = Case::new(700 * PAGE_LEN, Scheme::STANDARD, InnerCode::None, seed());
    let mut random = Random::new(seed());
    for page in (0..case.geometry().total_pages() as usize).step_by(41) {
        let mut medium = case.medium();
        let kind = Kind::ALL[random.below(Kind::ALL.len())];
        damage::hurt(
            &mut medium,
            kind,
            page * PAGE_LEN + random.below(PAGE_LEN),
            700 * PAGE_LEN / 16,
            &mut random,
        );
        assert_eq!(case.judge(&medium, &format!("1/16 from page {page} on, {kind:?}")), Verdict::Promised);
    }
}

#[test]
fn one_page_beyond_the_promise_is_right_or_a_named_loss() {
    for scheme in SCHEMES {
        let case = Case::new(90 * PAGE_LEN, scheme, InnerCode::None, seed());
        let window = case.geometry().parity_pages() as usize * PAGE_LEN;
        let mut lost = 0;
        for page in 0..case.geometry().total_pages() as usize {
            let mut medium = case.medium();
            damage::hurt(&mut medium, Kind::Zero, page * PAGE_LEN, window + PAGE_LEN, &mut Random::new(1));
            lost += u32::from(
                case.judge(&medium, &format!("m L + 1 pages from page {page} on")) == Verdict::Beyond,
            );
        }
        assert!(lost > 0, "{scheme}: this was to be beyond the promise");
    }
}

#[test]
fn a_tail_cut_within_the_parity_comes_back_and_one_cut_deeper_is_never_wrong() {
    for scheme in SCHEMES {
        for inner in [InnerCode::None, InnerCode::Hsiao] {
            let case = Case::new(50 * PAGE_LEN, scheme, inner, seed());
            let parity_at = case.geometry().region(Region::Parity).start.offset() as usize;
            let total = case.image.as_bytes().len();
            for cut in (0..total).step_by(PAGE_LEN).flat_map(|page| [page, page + 1, page + PAGE_LEN - 1]) {
                let mut medium = case.medium();
                medium.bytes.truncate(cut);
                let verdict = case.judge(&medium, &format!("cut to {cut} bytes"));
                if cut >= parity_at {
                    assert_eq!(verdict, Verdict::Promised, "{}: cut to {cut} bytes", case.name);
                    assert_eq!(&case.find_descriptor(&medium).unwrap(), case.image.descriptor());
                }
            }
        }
    }
}
