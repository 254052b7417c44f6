//! Bytes as text: as they are, in hexadecimal, or in base64.

use serde_json::{Value, json};

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How keys and values are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    Text,
    Hex,
    Base64,
}

/// The text does not stand for bytes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NoBytes {
    #[error("{0:?} is not hexadecimal; write two digits for each byte")]
    Hex(String),
    #[error("{0:?} is not base64; write four signs of A-Z a-z 0-9 + / for three bytes, `=` at the end")]
    Base64(String),
}

impl Encoding {
    pub(crate) fn parse(self, text: &str) -> Result<Vec<u8>, NoBytes> {
        let shown = || text.chars().take(40).collect();
        match self {
            Self::Text => Ok(text.as_bytes().to_vec()),
            Self::Hex => parse_hex(text).ok_or_else(|| NoBytes::Hex(shown())),
            Self::Base64 => parse_base64(text).ok_or_else(|| NoBytes::Base64(shown())),
        }
    }

    /// For people; text that is none is shown with signs in the place of what cannot be shown.
    pub(crate) fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::Text => String::from_utf8_lossy(bytes).into_owned(),
            Self::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Base64 => base64(bytes),
        }
    }

    /// For programs: a string, or `{"hex": ..}` where text is asked for and there is none.
    pub(crate) fn json(self, bytes: &[u8]) -> Value {
        match (self, std::str::from_utf8(bytes)) {
            (Self::Text, Err(_)) => json!({ "hex": Self::Hex.text(bytes) }),
            _ => self.text(bytes).into(),
        }
    }

    /// The bytes of what [`json`](Self::json) made.
    pub(crate) fn parse_json(self, value: &Value) -> Option<Vec<u8>> {
        match value {
            Value::String(text) => self.parse(text).ok(),
            Value::Object(object) => parse_hex(object.get("hex")?.as_str()?),
            _ => None,
        }
    }
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |&[high, low]: &[u8; 2]| Some((digit(high)? << 4 | digit(low)?) as u8);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { digit.into() } else { '=' });
        }
    }
    text
}

fn parse_base64(text: &str) -> Option<Vec<u8>> {
    let (quads, rest) = text.as_bytes().as_chunks::<4>();
    let mut bytes = Vec::with_capacity(quads.len() * 3);
    for (at, quad) in quads.iter().enumerate() {
        let signs = quad.iter().position(|&sign| sign == b'=').unwrap_or(4);
        let is_last = at + 1 == quads.len();
        if signs < 2 || (signs < 4 && !is_last) || quad[signs..].iter().any(|&sign| sign != b'=') {
            return None;
        }
        let mut bits = 0;
        for &sign in &quad[..signs] {
            bits = bits << 6 | DIGITS.iter().position(|&digit| digit == sign)? as u32;
        }
        bits <<= 6 * (4 - signs);
        bytes.extend_from_slice(&bits.to_be_bytes()[1..signs]);
    }
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_published() {
        let rows = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in rows {
            assert_eq!(Encoding::Base64.text(bytes.as_bytes()), text);
            assert_eq!(Encoding::Base64.parse(text), Ok(bytes.into()));
        }
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).rev().collect();
        for encoding in [Encoding::Hex, Encoding::Base64] {
            for len in 0..all.len() {
                assert_eq!(encoding.parse(&encoding.text(&all[..len])), Ok(all[..len].to_vec()));
            }
        }
        assert_eq!(Encoding::Text.parse_json(&Encoding::Text.json(&all)), Some(all));
    }

    #[test]
    fn what_stands_for_no_bytes_is_refused() {
        for text in ["Z", "Zg=", "Zg==Zg==", "=g==", "Z===", "Zm9!"] {
            Encoding::Base64.parse(text).unwrap_err();
        }
        for text in ["0", "0g", "zz", "000"] {
            Encoding::Hex.parse(text).unwrap_err();
        }
    }
}
