//! Rust source with comments and literals blanked out, so that rules see code and nothing else.
//!
//! Invariant: the masked text has the same lines as the source, each starting where it did.

/// Replaces comments, strings and characters by spaces; quotes stay, as two spaces would join words.
pub(super) fn mask(source: &str) -> String {
    let mut mask = Mask { rest: source, out: String::with_capacity(source.len()) };
    while let Some(first) = mask.rest.chars().next() {
        if mask.rest.starts_with("//") {
            let len = mask.rest.find('\n').unwrap_or(mask.rest.len());
            mask.blank(len);
        } else if mask.rest.starts_with("/*") {
            let len = comment_len(mask.rest);
            mask.blank(len);
        } else if let Some(len) = literal_len(mask.rest, mask.out.chars().next_back()) {
            mask.blank(len);
        } else {
            mask.keep(first);
        }
    }
    mask.out
}

struct Mask<'a> {
    rest: &'a str,
    out: String,
}

impl Mask<'_> {
    fn keep(&mut self, char: char) {
        self.out.push(char);
        self.rest = &self.rest[char.len_utf8()..];
    }

    fn blank(&mut self, len: usize) {
        let (gone, rest) = self.rest.split_at(len);
        self.out.extend(gone.chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }
}

/// Block comments nest.
fn comment_len(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of a string or character literal that starts here, prefix included.
fn literal_len(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|char| char.is_alphanumeric() || char == '_') {
        return None;
    }
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        let quoted = text.strip_prefix(prefix);
        quoted.is_some_and(|rest| rest.starts_with('"') || (prefix.ends_with('r') && raw_start(rest)))
    });
    match prefix {
        Some(prefix) if prefix.ends_with('r') => Some(prefix.len() + raw_len(&text[prefix.len()..])),
        Some(prefix) => Some(prefix.len() + string_len(&text[prefix.len()..])),
        None => char_len(text.strip_prefix('b').unwrap_or(text))
            .map(|len| len + usize::from(text.starts_with('b'))),
    }
}

fn raw_start(text: &str) -> bool {
    text.trim_start_matches('#').starts_with('"')
}

fn raw_len(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    let body = &text[hashes + 1..];
    body.find(&end).map_or(text.len(), |at| hashes + 1 + at + end.len())
}

fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A quote that starts a lifetime or a label is no literal.
fn char_len(text: &str) -> Option<usize> {
    let mut chars = text.strip_prefix('\'')?.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (after, _) = chars.next()?;
        let end = text[1 + after + 1..].find('\'')?;
        return Some(1 + after + 1 + end + 1);
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(1 + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, code: &str) {
        let masked = mask(source);
        assert_eq!(masked.split_whitespace().collect::<Vec<_>>().join(" "), code);
        assert_eq!(masked.lines().count(), source.lines().count());
    }

    #[test]
    fn comments_go() {
        check("a // b\nc /* d /* e */\n f */ g", "a c g");
        check("/// std::fs\nfn", "fn");
    }

    #[test]
    fn literals_go() {
        check(r#"f("a\"b", 'x', '\'', '\u{1F}', b'"', b"q") + g"#, "f( , , , , , ) + g");
        check("r#\"one \" two\"# x br\"\\\" y", "x y");
    }

    #[test]
    fn lifetimes_and_names_stay() {
        check(
            "fn f<'a>(x: &'a str) -> r#type { 'outer: loop {} }",
            "fn f<'a>(x: &'a str) -> r#type { 'outer: loop {} }",
        );
        check("bar\"s\"", "bar\"s\"");
    }
}
