//! How long files and functions may be, and who may be longer for now.

use super::source::Source;
use crate::finding::Finding;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Something longer than its limit, with the size it has; it may shrink and may not grow.
#[derive(Debug)]
pub(super) struct Exception {
    /// A file's path, or the path and a function's name as `path::name`.
    name: &'static str,
    lines: usize,
}

/// The only ones that may be longer. Empty is how it should be.
pub(super) const EXCEPTIONS: &[Exception] = &[];

/// Something that has a length.
#[derive(Debug)]
pub(super) struct Size {
    path: String,
    line: usize,
    name: String,
    lines: usize,
    lines_max: usize,
}

/// The file and each of its functions; test code counts for nothing.
pub(super) fn measure(source: &Source<'_>) -> Vec<Size> {
    let path = source.path;
    let whole = (path.to_owned(), 1, source.product_lines, FILE_LINES_MAX);
    let functions = source.functions();
    let functions = functions.iter().map(|function| {
        (format!("{path}::{}", function.name), function.line, function.lines, FUNCTION_LINES_MAX)
    });
    let all = std::iter::once(whole).chain(functions);
    all.map(|(name, line, lines, lines_max)| Size { path: path.to_owned(), line, name, lines, lines_max })
        .collect()
}

/// Everything too long, and every exception that no longer says the truth.
pub(super) fn check(sizes: &[Size], exceptions: &[Exception]) -> Vec<Finding> {
    let long = sizes.iter().filter(|size| size.lines > size.lines_max);
    let unlisted = long.filter(|size| exceptions.iter().all(|exception| exception.name != size.name));
    let unlisted = unlisted.map(|size| {
        let what = format!("`{}` has {} lines of at most {}", size.name, size.lines, size.lines_max);
        Finding::new(&size.path, size.line, what, "split it where the noun changes")
    });
    unlisted.chain(exceptions.iter().filter_map(|exception| exception.check(sizes))).collect()
}

impl Exception {
    /// Of several functions of one name in a file, the longest is meant.
    fn check(&self, sizes: &[Size]) -> Option<Finding> {
        let named = sizes.iter().filter(|size| size.name == self.name);
        let Some(size) = named.max_by_key(|size| size.lines) else {
            let what = format!("the exception `{}` names nothing", self.name);
            return Some(Finding::new("xtask/src/tidy/sizes.rs", 1, what, "remove it from EXCEPTIONS"));
        };
        let (stated, lines) = (self.lines, size.lines);
        let (what, remedy) = if lines > stated {
            (
                format!("`{}` grew from {stated} to {lines} lines", self.name),
                "an exception may only shrink: split it",
            )
        } else if lines <= size.lines_max {
            (format!("`{}` needs no exception any more", self.name), "remove it from EXCEPTIONS")
        } else if lines < stated {
            (
                format!("`{}` shrank from {stated} to {lines} lines", self.name),
                "state the new size in EXCEPTIONS",
            )
        } else {
            return None;
        };
        Some(Finding::new(&size.path, size.line, what, remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_file(functions: &[usize], exceptions: &[Exception], expected: &[&str]) {
        let mut text = String::from("//! Doc.\n");
        for (at, lines) in functions.iter().enumerate() {
            text.push_str(&format!("fn f{at}() {{\n{}}}\n", "x;\n".repeat(lines - 2)));
        }
        let findings = check(&measure(&Source::parse("a.rs", &text)), exceptions);
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, text) in findings.iter().zip(expected) {
            assert!(finding.what().contains(text), "{finding}");
        }
    }

    #[test]
    fn limits_hold_to_the_line() {
        check_file(&[70], &[], &[]);
        check_file(&[70, 71], &[], &["`a.rs::f1` has 71 lines"]);
        check_file(&[60; 10], &[], &["`a.rs` has 601 lines"]);
    }

    #[test]
    fn exceptions_may_only_shrink() {
        let exception = |lines| [Exception { name: "a.rs::f0", lines }];
        check_file(&[90], &exception(90), &[]);
        check_file(&[91], &exception(90), &["grew from 90 to 91"]);
        check_file(&[89], &exception(90), &["shrank from 90 to 89"]);
        check_file(&[70], &exception(90), &["needs no exception"]);
        check_file(&[5], &[Exception { name: "b.rs", lines: 700 }], &["names nothing"]);
    }
}
