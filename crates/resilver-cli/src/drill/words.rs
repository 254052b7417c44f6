//! Keys and values as words of a line: printable bytes stand for themselves, others as `%XX`.

use std::fmt::Write as _;

/// Why a word is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} has a `%` that two hexadecimal digits do not follow; write `%25` for the sign itself")]
pub(super) struct BadWord {
    word: String,
}

/// The bytes a word stands for.
pub(super) fn unescape(word: &str) -> Result<Vec<u8>, BadWord> {
    let bad = || BadWord { word: word.chars().take(80).collect() };
    let (mut bytes, mut rest) = (Vec::with_capacity(word.len()), word.as_bytes());
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = behind;
            continue;
        }
        let (&[high, low], behind) = behind.split_first_chunk().ok_or_else(bad)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(bad);
        bytes.push((digit(high)? << 4 | digit(low)?) as u8);
        rest = behind;
    }
    Ok(bytes)
}

/// Appends the word of some bytes.
pub(crate) fn escape(into: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if byte.is_ascii_graphic() && byte != b'%' {
            into.push(byte.into());
        } else {
            write!(into, "%{byte:02X}").expect("a string takes everything");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let mut word = String::new();
        escape(&mut word, &all);
        assert!(word.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(unescape(&word), Ok(all));
    }

    #[test]
    fn other_text_stands_for_its_bytes() {
        assert_eq!(unescape("a/ü"), Ok("a/ü".into()));
        assert_eq!(unescape("%2f%2F"), Ok(b"//".to_vec()));
    }

    #[test]
    fn half_an_escape_is_refused() {
        for word in ["%", "a%4", "%G0", "%4%"] {
            unescape(word).unwrap_err();
        }
    }
}
