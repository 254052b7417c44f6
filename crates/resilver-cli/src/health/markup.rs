//! Text as HTML shows it.
//!
//! **Invariant**: nothing that a store holds, names of keyspaces and paths among it, reaches the page but through
//! [`Shown`]: no markup, no control character, no run of text that reads backwards.

use std::fmt;

/// The most of a text that is shown.
const CHARS_MAX: usize = 200;

/// Any text, escaped for an element or an attribute in double quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.chars().enumerate() {
            if at == CHARS_MAX {
                return f.write_str("\u{2026}");
            }
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                letter if letter.is_control() || turns(letter) => f.write_str("\u{fffd}")?,
                letter => fmt::Write::write_char(f, letter)?,
            }
        }
        Ok(())
    }
}

/// Whether a letter changes the direction in which others are read, or is not seen.
const fn turns(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        for (text, shown) in [
            ("plain \u{e9}\u{4e2d}", "plain \u{e9}\u{4e2d}"),
            ("<script>alert('a')</script>", "&lt;script&gt;alert(&#39;a&#39;)&lt;/script&gt;"),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
            ("a&amp;b", "a&amp;amp;b"),
            ("a\0b\u{1b}[31m\nc\u{202e}d", "a\u{fffd}b\u{fffd}[31m\u{fffd}c\u{fffd}d"),
        ] {
            assert_eq!(Shown(text).to_string(), shown);
        }
        assert_eq!(Shown(&"<".repeat(10_000)).to_string().len(), 4 * CHARS_MAX + 3);
    }
}
