//! One Rust file, read the way the rules need it: its code without literals, its functions, its tests.

use super::mask::mask;

/// A parsed file.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    /// As `text`, with comments and literals blank.
    pub(super) code: String,
    /// Lines before the tests at the file's end; all of them when there are none, 0 in a test file.
    pub(super) product_lines: usize,
}

/// Where a function starts and how long it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// Counts from 1.
    pub(super) line: usize,
    pub(super) lines: usize,
}

impl<'a> Source<'a> {
    pub(super) fn parse(path: &'a str, text: &'a str) -> Self {
        let code = mask(text);
        let product_lines = if is_test_path(path) { 0 } else { tests_start(&code) };
        Self { path, text, code, product_lines }
    }

    /// The code that is not test code.
    pub(super) fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().take(self.product_lines).enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Every function with a body, test code left out.
    pub(super) fn functions(&self) -> Vec<Function> {
        let ends = self.code.split_inclusive('\n').take(self.product_lines).map(str::len).sum();
        let code = &self.code[..ends];
        word_starts(code, "fn").filter_map(|at| Function::parse(code, at)).collect()
    }
}

impl Function {
    fn parse(code: &str, at: usize) -> Option<Self> {
        let rest = &code[at + 2..];
        let name = rest.trim_start();
        let name = &name[..name.find(|char| !is_word(char)).unwrap_or(name.len())];
        let open = body_start(rest)?;
        let len = block_len(&rest[open..])?;
        let lines = code[at..at + 2 + open + len].matches('\n').count() + 1;
        let line = code[..at].matches('\n').count() + 1;
        (!name.is_empty()).then(|| Self { name: name.to_owned(), line, lines })
    }
}

/// Whether a whole file is test code.
pub(super) fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches" | "tests.rs"))
}

/// Where `word` stands alone in `code`.
pub(super) fn word_starts<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// The first `{` outside of brackets, unless a `;` ends the item first.
fn body_start(code: &str) -> Option<usize> {
    let mut depth = 0i32;
    for (at, char) in code.char_indices() {
        match char {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Length of the block that opens at the start.
fn block_len(code: &str) -> Option<usize> {
    let mut depth = 0i32;
    for (at, char) in code.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// Lines before a test module that ends the file.
fn tests_start(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let is_test_cfg = |line: &str| line.starts_with("#[cfg(") && word_starts(line, "test").next().is_some();
    let Some(at) = lines.iter().rposition(|line| is_test_cfg(line)) else { return lines.len() };
    let tail = lines[at + 1..].join("\n");
    let module = tail.trim_start();
    let last = module.starts_with("mod ")
        && module.find('{').is_some_and(|open| {
            let len = block_len(&module[open..]);
            len.is_some_and(|len| module[open + len..].trim().is_empty())
        });
    if last { at } else { lines.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "//! Doc.
fn short() {}

trait T { fn none(&self) -> [u8; 4]; }

fn long<F: Fn(u8)>(f: F)
where
    F: Clone,
{
    // fn fake() {
    f(b'}');
}

#[cfg(test)]
mod tests {
    fn t() {}
}
";

    #[test]
    fn functions_are_measured_and_tests_are_not() {
        let source = Source::parse("crates/a/src/b.rs", FILE);
        let function = |name: &str, line, lines| Function { name: name.to_owned(), line, lines };
        assert_eq!(source.functions(), [function("short", 2, 1), function("long", 6, 7)]);
        assert_eq!(source.product_lines, 13);
    }

    #[test]
    fn a_test_module_counts_when_code_follows_it() {
        let text = format!("{FILE}fn after() {{}}\n");
        assert_eq!(Source::parse("a.rs", &text).product_lines, text.lines().count());
    }

    #[test]
    fn test_files_hold_no_product() {
        for path in ["crates/a/tests/law.rs", "crates/a/src/b/tests.rs", "tests/src/model.rs"] {
            assert!(Source::parse(path, FILE).functions().is_empty(), "{path}");
        }
    }
}
