//! The column rule and the promises of space, over many geometries.

use alloc::vec;
use alloc::vec::Vec;

use super::*;

const SCHEMES: [Scheme; 6] = [
    Scheme::STANDARD,
    Scheme::LIGHT,
    Scheme::STRONG,
    Scheme::Xor { data: 10 },
    Scheme::ReedSolomon { data: 5, parity: 3 },
    Scheme::ReedSolomon { data: 3, parity: 7 },
];

fn pages(body_pages: u64, scheme: Scheme) -> Geometry {
    Geometry::new(body_pages * PAGE_LEN as u64, scheme, InnerCode::None).unwrap()
}

/// Slides a window over body and parity, counting what each column has lost.
fn worst_column(geometry: &Geometry, window: u64) -> u32 {
    let mut lost = vec![0u32; geometry.columns() as usize];
    let mut worst = 0;
    let total = geometry.column_pages();
    let column = |number| geometry.column_of(CodeNo(number)) as usize;
    for end in 0..total {
        lost[column(end)] += 1;
        if let Some(left) = end.checked_sub(window) {
            lost[column(left)] -= 1;
        }
        worst = worst.max(lost[column(end)]);
    }
    worst
}

#[test]
fn a_window_of_m_shards_costs_no_column_more_than_m_pages() {
    for scheme in SCHEMES {
        for body_pages in (0..700).chain((700..40_000).step_by(1777)) {
            let geometry = pages(body_pages, scheme);
            let worst = worst_column(&geometry, geometry.parity_pages());
            assert!(worst <= u32::from(scheme.parity()), "{scheme}, {body_pages} pages: {worst}");
        }
    }
}

#[test]
fn one_page_more_than_the_window_is_beyond_the_promise() {
    let geometry = pages(1000, Scheme::STANDARD);
    assert_eq!(worst_column(&geometry, geometry.parity_pages() + 1), 5);
}

#[test]
fn the_window_covers_the_promised_holes() {
    for scheme in SCHEMES {
        for body_pages in 0..5000 {
            let geometry = pages(body_pages, scheme);
            let share = geometry.body_len() * u64::from(scheme.parity()) / u64::from(scheme.data());
            let touched = if share == 0 { 0 } else { (share - 1).div_ceil(PAGE_LEN as u64) + 1 };
            assert!(geometry.parity_pages() >= touched, "{scheme}, {body_pages} pages: m/k of the body");
            assert!(geometry.parity_pages() >= HOLE_64K_PAGES, "{scheme}, {body_pages} pages: 64 KiB");
            assert_eq!(geometry.columns() % 2, 1);
        }
    }
}

#[test]
fn every_page_has_one_place_and_one_column_seat() {
    for scheme in SCHEMES.into_iter().chain([Scheme::ChecksumOnly]) {
        for inner in [InnerCode::None, InnerCode::Hsiao] {
            for body_pages in [0, 1, 2, 16, 17, 65, 300] {
                let geometry = Geometry::new(body_pages * 4096, scheme, inner).unwrap();
                let mut seats = Vec::new();
                for page in (0..geometry.total_pages()).map(PageNo::new) {
                    let (region, index) = geometry.locate(page).unwrap();
                    assert_eq!(geometry.region(region).start.plus(index), page);
                }
                assert_eq!(geometry.locate(PageNo::new(geometry.total_pages())), None);
                let coded = [Region::Body, Region::Parity, Region::WordChecks].map(|at| geometry.region(at));
                let coded = coded.into_iter().flat_map(|pages| pages.start.get()..pages.end.get());
                assert!(coded.eq((0..geometry.code_pages()).map(|at| geometry.page_of(CodeNo(at)).get())));
                for shard in 0..geometry.data_shards() + geometry.parity_shards() {
                    for column in 0..geometry.columns() {
                        if let Some(number) = geometry.code_no_at(shard, column) {
                            assert_eq!(geometry.column_of(number), column);
                            seats.push(number.0);
                        }
                    }
                }
                assert!(seats.into_iter().eq(0..geometry.column_pages()));
            }
        }
    }
}

#[test]
fn standard_keeps_its_word_on_space() {
    for body_pages in 512..20_000 {
        let share = pages(body_pages, Scheme::STANDARD).overhead();
        let most = if body_pages >= 4096 { 0.07 } else { 0.09 };
        assert!(share <= most, "{body_pages} pages: {share}");
    }
    assert_eq!(pages(0, Scheme::STANDARD).total_pages(), 24);
    let whole_disk = Geometry::new(1 << 40, Scheme::STANDARD, InnerCode::None).unwrap();
    assert!(whole_disk.overhead() < 0.0667);
    let all = Geometry::new(Geometry::BODY_LEN_MAX, Scheme::STRONG, InnerCode::Hsiao).unwrap();
    assert!(all.total_len() > all.body_len());
}

#[test]
fn shapes_that_cannot_be_are_refused() {
    let scheme = Scheme::ReedSolomon { data: 0, parity: 4 };
    assert!(matches!(Geometry::new(1, scheme, InnerCode::None), Err(GeometryError::Scheme { .. })));
    assert!(matches!(
        Geometry::new(u64::MAX, Scheme::STANDARD, InnerCode::None),
        Err(GeometryError::BodyTooLong { .. })
    ));
    let heavy = Scheme::ReedSolomon { data: 1, parity: 256 };
    assert!(matches!(
        Geometry::new(1 << 56, heavy, InnerCode::Hsiao),
        Err(GeometryError::FileTooLong { .. })
    ));
    for columns in [0, 1, 1 << 40, u64::MAX] {
        assert!(matches!(
            Geometry::with_columns(65 << 12, Scheme::STANDARD, InnerCode::None, columns),
            Err(GeometryError::Columns { .. })
        ));
    }
}

#[test]
fn any_64_kib_come_back_under_every_parity() {
    for parity in 1..=Scheme::PARITY_MAX {
        for data in [1, 8, 64, Scheme::DATA_MAX] {
            let scheme = Scheme::ReedSolomon { data, parity };
            let geometry = Geometry::new(1, scheme, InnerCode::None).unwrap();
            // Seventeen pages are what an unaligned 64 KiB touch.
            assert!(geometry.parity_pages() >= 17, "{scheme}: {}", geometry.parity_pages());
        }
    }
}

#[test]
fn the_margin_is_that_of_the_weakest_column() {
    let geometry = Geometry::new(3000 << 12, Scheme::STANDARD, InnerCode::None).unwrap();
    let column = |page: u64| (page + geometry.columns(), page);
    let (second, first) = column(5);
    for (lost, margin) in [
        (vec![], 4),
        (vec![first], 3),
        (vec![first, first + 1, first + 2], 3),
        (vec![first, second], 2),
        (vec![first, second, second + geometry.columns()], 1),
        ((0..6).map(|shard| first + shard * geometry.columns()).collect(), 0),
        // Header, footer, digests and what is behind the end are of no column.
        (vec![0, geometry.total_pages() - 1, geometry.region(Region::DigestsA).start.get(), u64::MAX], 4),
        (vec![geometry.region(Region::Parity).start.get()], 3),
    ] {
        assert_eq!(geometry.margin(lost.iter().copied().map(PageNo::new)), margin, "{lost:?}");
    }
    let every_hole = 0..geometry.body_pages() - geometry.parity_pages();
    for start in every_hole.step_by(7) {
        let hole = 1 + start..1 + start + geometry.parity_pages();
        assert_eq!(geometry.margin(hole.clone().map(PageNo::new)), 0, "{hole:?}");
        assert_eq!(geometry.margin((hole.start..hole.end - geometry.columns()).map(PageNo::new)), 1);
    }
}
