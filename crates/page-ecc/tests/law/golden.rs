//! The format's bytes, pinned: a change here is a new format version.

use page_ecc::{InnerCode, Scheme, SealOptions, Uid};

use crate::damage::Random;

/// FNV-1a: told in one line, so that the pin does not hang on a library.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

#[test]
fn sealed_files_keep_their_bytes() {
    let body = Random::new(5).bytes(300_000);
    let rows = [
        (Scheme::STANDARD, InnerCode::None, 0, 0xa5e4_0e12_a280_b35d),
        (Scheme::STANDARD, InnerCode::None, 300_000, 0x0c12_48e9_1917_dc45),
        (Scheme::LIGHT, InnerCode::None, 300_000, 0x6806_d08d_c272_e849),
        (Scheme::STRONG, InnerCode::Hsiao, 299_999, 0x7af2_d251_3528_2491),
        (Scheme::Xor { data: 10 }, InnerCode::None, 300_000, 0xc26c_1e59_91f6_8645),
        (Scheme::ChecksumOnly, InnerCode::None, 300_000, 0xae46_54f9_99c9_be18),
    ];
    let found = rows.map(|(scheme, inner, len, _)| {
        let options = SealOptions::new(Uid::new(*b"0123456789abcdef")).scheme(scheme).inner(inner).kind(7);
        let image = options.field(3, b"pinned").unwrap().seal(&body[..len]).unwrap();
        (scheme, inner, len, fingerprint(image.as_bytes()))
    });
    assert_eq!(found, rows, "found {found:#x?}");
}
