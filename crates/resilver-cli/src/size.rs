//! Sizes for people.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, in the unit that leaves it short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} {}", self.0, if self.0 == 1 { "byte" } else { "bytes" });
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1023.95 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", UNITS[unit])
    }
}

/// The text is no number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write a number of bytes, or one with K, M, G or T behind it for powers of 1024")]
pub(crate) struct NoSize;

impl FromStr for Bytes {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<Self, NoSize> {
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
            "" | "B" => 0,
            "K" | "KB" | "KIB" => 10,
            "M" | "MB" | "MIB" => 20,
            "G" | "GB" | "GIB" => 30,
            "T" | "TB" | "TIB" => 40,
            _ => return Err(NoSize),
        };
        let number: u64 = digits.parse().map_err(|_| NoSize)?;
        number.checked_mul(1 << shift).map(Self).ok_or(NoSize)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, NoSize};

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let rows =
            [("0", 0), ("4096", 4096), ("64K", 65536), ("4M", 4 << 20), ("1gib", 1 << 30), ("2T", 2 << 40)];
        for (text, bytes) in rows {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text:?}");
        }
        for text in ["", "K", "1X", "-1", "1.5M", "1 M", "99999999T", "\u{e9}"] {
            assert_eq!(text.parse::<Bytes>(), Err(NoSize), "{text:?}");
        }
    }

    #[test]
    fn sizes_read_well() {
        let rows = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in rows {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
}
