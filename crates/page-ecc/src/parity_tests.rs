//! The code against its definition: interpolation in GF(2^16), an element at a time.

use alloc::vec;

use super::*;
use crate::scheme::{InnerCode, Scheme};

/// GF(2^16) modulo x^16 + x^5 + x^3 + x^2 + 1, its elements written in a Cantor basis.
mod field {
    use alloc::vec::Vec;

    const MODULUS: u32 = 0x1_002D;
    const BASIS: [u16; 16] = [
        0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012, 0x6C98, 0x10D8, 0x6A72, 0xB900,
        0xFDB8, 0xFB34, 0xFF38, 0x991E,
    ];

    fn to_polynomial(element: u16) -> u16 {
        (0..16).filter(|bit| element >> bit & 1 == 1).fold(0, |sum, bit| sum ^ BASIS[bit])
    }

    /// The basis inverted by elimination: which element has this polynomial.
    fn from_polynomial(polynomial: u16) -> u16 {
        let mut rows: Vec<(u16, u16)> = (0..16).map(|bit| (BASIS[bit], 1 << bit)).collect();
        let (mut rest, mut element) = (polynomial, 0);
        for bit in (0..16).rev() {
            let Some(at) = rows.iter().position(|row| row.0 >> bit & 1 == 1) else { continue };
            let pivot = rows.swap_remove(at);
            for row in rows.iter_mut().filter(|row| row.0 >> bit & 1 == 1) {
                *row = (row.0 ^ pivot.0, row.1 ^ pivot.1);
            }
            if rest >> bit & 1 == 1 {
                (rest, element) = (rest ^ pivot.0, element ^ pivot.1);
            }
        }
        assert_eq!(rest, 0);
        element
    }

    pub(super) fn multiply(a: u16, b: u16) -> u16 {
        let (a, b) = (u32::from(to_polynomial(a)), u32::from(to_polynomial(b)));
        let mut product = (0..16).filter(|bit| b >> bit & 1 == 1).fold(0, |sum, bit| sum ^ a << bit);
        for bit in (16..32).rev() {
            if product >> bit & 1 == 1 {
                product ^= MODULUS << (bit - 16);
            }
        }
        from_polynomial(product as u16)
    }

    pub(super) fn invert(a: u16) -> u16 {
        // a^(2^16 - 2), the product of a^(2^i) for i in 1..16.
        let mut power = a;
        (1..16).fold(1, |product, _| {
            power = multiply(power, power);
            multiply(product, power)
        })
    }
}

/// What body shard `shard` adds to parity `parity`, for a body element of 1.
///
/// Each group of P shards is the values of a polynomial of degree below P at its P points; parity
/// is the sum of all groups' polynomials at the first P points.
fn coefficient(shard: usize, parity: usize, parity_shards: usize) -> u16 {
    let group_len = parity_shards.next_power_of_two();
    let point = (group_len + shard) as u16;
    let group = point - point % group_len as u16;
    let others = (group..group + group_len as u16).filter(|&other| other != point);
    others.fold(1, |product, other| {
        let above = parity as u16 ^ other;
        let below = field::invert(point ^ other);
        field::multiply(product, field::multiply(above, below))
    })
}

/// Element `index` of a page: in each 64 bytes, 32 low bytes then their 32 high bytes.
fn element(page: &Page, index: usize) -> u16 {
    let at = index / 32 * 64 + index % 32;
    u16::from_le_bytes([page[at], page[at + 32]])
}

fn column(seed: u64, shards: usize) -> Vec<Page> {
    let mut state = seed.wrapping_mul(2) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..shards).map(|_| core::array::from_fn(|_| next())).collect()
}

fn codec(data: usize, parity: usize) -> ColumnCodec {
    ColumnCodec { data, parity, encoder: None, solution: None }
}

fn encoded(codec: &mut ColumnCodec, body: &[Page]) -> Vec<Page> {
    let mut parity = vec![ZERO_PAGE; codec.parity];
    codec.encode(body, |index, page| parity[index] = *page);
    parity
}

#[test]
fn parity_is_what_the_definition_says() {
    for (data, parity) in [(1, 4), (3, 2), (7, 4), (64, 4), (10, 3), (32, 8), (5, 1)] {
        let body = column(data as u64, data);
        let found = encoded(&mut codec(data, parity), &body);
        for (parity_index, page) in found.iter().enumerate() {
            let weights: Vec<u16> = (0..data).map(|at| coefficient(at, parity_index, parity)).collect();
            for index in (0..PAGE_LEN / 2).step_by(97) {
                let products = body.iter().zip(&weights);
                let sum = products.fold(0, |sum, (page, &w)| sum ^ field::multiply(element(page, index), w));
                assert_eq!(element(page, index), sum, "{data}+{parity}, parity {parity_index}");
            }
        }
    }
}

#[test]
fn one_parity_page_of_either_code_is_the_xor() {
    let body = column(1, 9);
    let mut by_code = HighRateEncoder::new(9, 1, PAGE_LEN, DefaultEngine::new(), None).unwrap();
    body.iter().for_each(|page| by_code.add_original_shard(page).unwrap());
    assert_eq!(by_code.encode().unwrap().recovery(0).unwrap(), xor(&body));
}

#[test]
fn missing_shards_in_front_change_nothing_but_their_own_place() {
    // Zeros in front or not: what a shard adds depends on its place alone.
    let mut body = column(3, 8);
    body[..3].fill(ZERO_PAGE);
    let parity = encoded(&mut codec(8, 4), &body);
    let longer: Vec<Page> = body.iter().copied().chain([ZERO_PAGE; 5]).collect();
    assert_eq!(encoded(&mut codec(13, 4), &longer), parity);
}

#[test]
fn any_m_lost_shards_come_back_and_m_plus_one_never() {
    for (data, parity) in [(1, 4), (4, 2), (7, 3), (6, 1), (64, 4)] {
        let body = column(7, data);
        let mut codec = codec(data, parity);
        let all: Vec<Page> = body.iter().copied().chain(encoded(&mut codec, &body)).collect();
        for round in 0..200u64 {
            for count in 1..=parity + 1 {
                let lost = pick(round * 31 + count as u64, all.len(), count);
                let shards: Vec<Option<&Page>> =
                    all.iter().enumerate().map(|(at, page)| (!lost.contains(&at)).then_some(page)).collect();
                let rebuilt = codec.rebuild(&shards);
                let wanted = lost.iter().filter(|&&at| at < data).count();
                assert_eq!(rebuilt.len(), if count > parity { 0 } else { wanted });
                assert!(rebuilt.iter().all(|(at, page)| lost.contains(at) && *page == all[*at]));
            }
        }
    }
}

/// `count` different numbers below `below`.
fn pick(seed: u64, below: usize, count: usize) -> Vec<usize> {
    let step = (0..).map(|i| seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(i * 7) as usize % below);
    let mut picked = Vec::new();
    for at in step.take(200).chain(0..below) {
        if picked.len() < count && !picked.contains(&at) {
            picked.push(at);
        }
    }
    picked
}

#[test]
fn a_codec_takes_its_shape_from_the_geometry() {
    let geometry = Geometry::new(64 << 20, Scheme::STANDARD, InnerCode::None).unwrap();
    let codec = ColumnCodec::new(&geometry);
    assert_eq!((codec.data, codec.parity), (64, 4));
}
