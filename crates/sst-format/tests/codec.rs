//! Codecs from outside: what goes in comes out, and bytes that lie give an error of a bounded size.

use proptest::prelude::*;
use sst_format::{Codec, CodecError, CodecTag, Compressor, Dictionary, RawLen, ZstdLevel, decompress};

const LIMIT: u32 = 1 << 20;

fn raw_len(raw: &[u8]) -> RawLen {
    RawLen::within(raw.len() as u32, LIMIT).expect("tests stay within the limit")
}

/// Codecs of this build.
fn codecs() -> Vec<Codec> {
    let levels = [ZstdLevel::MIN, ZstdLevel::default(), ZstdLevel::MAX];
    let zstd = levels.into_iter().map(|level| Codec::Zstd { level });
    let all = [Codec::None, Codec::Lz4].into_iter().chain(zstd.filter(|_| cfg!(feature = "zstd")));
    all.collect()
}

/// Bytes that compress: `kind` words out of a few, spread by `seed`.
fn words(len: usize, kind: u64, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&((state >> 33) % kind).to_le_bytes()[..4]);
    }
    bytes.truncate(len);
    bytes
}

#[test]
fn one_compressor_serves_pieces_of_all_sizes_in_any_order() {
    for codec in codecs() {
        let mut compressor = Compressor::new(codec, None).unwrap();
        for len in [4096, 0, 1, 65_534, 65_535, 65_536, 300_000, 17, 4096] {
            let raw = words(len, 40, len as u64);
            let compressed = compressor.compress(&raw).unwrap();
            let back = decompress(compressed.tag, compressed.bytes, raw_len(&raw), None);
            assert_eq!(back.as_deref(), Ok(&raw[..]), "{codec:?}, {len} bytes");
            if len >= 4096 {
                assert_eq!(compressed.tag == CodecTag::None, codec == Codec::None);
            }
        }
    }
}

#[test]
fn another_length_than_the_raw_one_is_refused() {
    let raw = words(5000, 9, 1);
    for codec in codecs() {
        let mut compressor = Compressor::new(codec, None).unwrap();
        let compressed = compressor.compress(&raw).unwrap();
        for len in [0, 1, 4999, 5001, 100_000, LIMIT] {
            let wrong = RawLen::within(len, LIMIT).unwrap();
            let error = decompress(compressed.tag, compressed.bytes, wrong, None).unwrap_err();
            let len = compressed.bytes.len();
            assert_eq!(error, CodecError::Refused { tag: compressed.tag, len, raw_len: wrong.get() });
        }
    }
}

#[test]
fn bytes_behind_the_compressed_ones_are_refused() {
    let raw = words(5000, 9, 1);
    for codec in codecs() {
        let mut compressor = Compressor::new(codec, None).unwrap();
        let compressed = compressor.compress(&raw).unwrap();
        // The second tail is an empty zstd frame of the kind that decoders skip.
        for tail in [&[0][..], &[0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]] {
            let longer = [compressed.bytes, tail].concat();
            assert!(decompress(compressed.tag, &longer, raw_len(&raw), None).is_err(), "{codec:?}");
        }
    }
}

#[test]
fn bytes_of_the_first_version_are_read_for_ever() {
    let raw = b"resilver resilver resilver resilver resilver resilver!";
    let lz4 = b"\x9Fresilver \x09\0\x14\x60ilver!";
    let zstd = b"\x28\xB5\x2F\xFD\x20\x36\x85\0\0Presilver !\x01\0\xD1\x2C\x47";
    assert_eq!(decompress(CodecTag::Lz4, lz4, raw_len(raw), None).as_deref(), Ok(&raw[..]));
    if cfg!(feature = "zstd") {
        assert_eq!(decompress(CodecTag::Zstd, zstd, raw_len(raw), None).as_deref(), Ok(&raw[..]));
    }
}

#[test]
fn a_missing_or_garbled_dictionary_is_an_error_of_its_own() {
    let len = RawLen::within(10, LIMIT).unwrap();
    assert_eq!(decompress(CodecTag::ZstdDictionary, &[1; 9], len, None), Err(CodecError::NoDictionary));
    if cfg!(feature = "zstd") {
        let garbled = Dictionary::parse(vec![1; 64]).unwrap_err();
        assert_eq!(garbled, CodecError::Dictionary { len: 64 });
        let nothing = Dictionary::train(&[b"too little"], 4096).unwrap_err();
        assert_eq!(nothing, CodecError::Untrained { samples: 1, bytes: 10 });
    }
}

#[cfg(not(feature = "zstd"))]
#[test]
fn a_build_without_zstd_names_the_feature() {
    let level = ZstdLevel::default();
    let tag = CodecTag::Zstd;
    let error = Compressor::new(Codec::Zstd { level }, None).unwrap_err();
    assert_eq!(error, CodecError::WithoutZstd { tag });
    assert!(error.to_string().contains("feature `zstd`"));
    let len = RawLen::within(10, LIMIT).unwrap();
    assert_eq!(decompress(tag, &[1; 9], len, None), Err(error));
    let trained = Dictionary::train(&[[1; 100]; 100], 4096).unwrap_err();
    assert_eq!(trained, CodecError::WithoutZstd { tag: CodecTag::ZstdDictionary });
}

#[test]
fn every_flipped_bit_and_every_cut_gives_the_length_or_an_error() {
    let raw = words(1500, 9, 1);
    for codec in codecs() {
        let mut compressor = Compressor::new(codec, None).unwrap();
        let compressed = compressor.compress(&raw).unwrap();
        let mut bytes = compressed.bytes.to_vec();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(back) = decompress(compressed.tag, &bytes, raw_len(&raw), None) {
                assert_eq!(back.len(), raw.len());
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..bytes.len() {
            let cut = decompress(compressed.tag, &bytes[..len], raw_len(&raw), None);
            assert!(cut.is_err(), "{codec:?} cut to {len}");
        }
    }
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        raw in proptest::collection::vec(prop_oneof![Just(0u8), 97..100u8, any::<u8>()], 0..6000),
    ) {
        for codec in codecs() {
            let mut compressor = Compressor::new(codec, None).unwrap();
            let compressed = compressor.compress(&raw).unwrap();
            prop_assert!(compressed.tag == CodecTag::None || compressed.bytes.len() <= raw.len() - raw.len() / 16);
            let back = decompress(compressed.tag, compressed.bytes, raw_len(&raw), None);
            prop_assert_eq!(back.as_deref(), Ok(&raw[..]));
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_as_long_as_promised(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        promised in 0u32..5000,
    ) {
        let promised = RawLen::within(promised, 5000).unwrap();
        for tag in [CodecTag::None, CodecTag::Lz4, CodecTag::Zstd] {
            for magic in [&[][..], &[0x28, 0xB5, 0x2F, 0xFD]] {
                let bytes = [magic, &bytes].concat();
                if let Ok(raw) = decompress(tag, &bytes, promised, None) {
                    prop_assert_eq!(raw.len(), promised.get() as usize);
                }
            }
        }
    }
}
