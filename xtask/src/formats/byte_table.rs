//! A byte table: rows of offset, length, field and meaning, as a module doc draws it.
//!
//! Offsets are checked against lengths as far as both are plain numbers. After a length like `4n` or
//! `..` nothing is known about the next offset, except that it does not go back.

use crate::finding::Finding;

/// The rows of one table with the lines they stand on.
#[derive(Debug)]
pub(super) struct ByteTable {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    line: usize,
    at: Option<u64>,
    len: Option<u64>,
    field: String,
}

impl ByteTable {
    /// Whether this line is the header of a byte table.
    pub(super) fn is_header(line: &str) -> bool {
        cells(line).is_some_and(|cells| cells == ["at", "len", "field", "meaning"])
    }

    /// Reads the rows below a header; `lines` begins with the header and carries line numbers.
    pub(super) fn parse<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let body = lines.skip(2).map_while(|(line, text)| Row::parse(line, text));
        Self { rows: body.collect() }
    }

    pub(super) fn check(&self, path: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut end = None; // known as long as every length since was a number
        let mut least = 0;
        for row in &self.rows {
            let expected = end.unwrap_or(least);
            if let Some(at) = row.at.filter(|at| *at < least || end.is_some_and(|end| end != *at)) {
                let what =
                    format!("field `{}` is at {at}, but the fields before it end at {expected}", row.field);
                findings.push(Finding::new(
                    path,
                    row.line,
                    what,
                    "correct the offset, or the length above it",
                ));
            }
            let at = row.at.or(end);
            least = at.unwrap_or(least);
            end = at.zip(row.len).map(|(at, len)| at + len);
            least = end.unwrap_or(least);
        }
        findings
    }
}

impl Row {
    fn parse(line: usize, text: &str) -> Option<Self> {
        let cells = cells(text)?;
        let number = |at: usize| cells.get(at).and_then(|cell| cell.replace('_', "").parse().ok());
        let field = cells.get(2).unwrap_or(&"").trim_matches('`').to_owned();
        Some(Self { line, at: number(0), len: number(1), field })
    }
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inside.split('|').map(str::trim).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[(&str, &str)], lines: &[usize]) {
        let rows = rows.iter().map(|(at, len)| format!("| {at} | {len} | f | m |"));
        let header = ["| at | len | field | meaning |".to_owned(), "|---:|---:|---|---|".to_owned()];
        let text: Vec<String> = header.into_iter().chain(rows).collect();
        let table = ByteTable::parse(text.iter().enumerate().map(|(at, line)| (at, line.as_str())));
        let findings = table.check("a.rs");
        assert_eq!(
            findings.iter().map(|finding| finding.line() - 1).collect::<Vec<_>>(),
            lines,
            "{findings:?}"
        );
    }

    #[test]
    fn contiguous_offsets_pass() {
        check(&[("0", "4"), ("4", "1"), ("5", "3")], &[]);
        check(&[("0", "4_096"), ("4096", "4n"), ("..", "8")], &[]);
        check(&[("0", "4n"), ("4n", "8"), ("100", "1"), ("101", "..")], &[]);
    }

    #[test]
    fn gaps_and_overlaps_are_found() {
        check(&[("0", "4"), ("5", "1")], &[2]);
        check(&[("0", "4"), ("3", "1"), ("4", "1")], &[2]);
        check(&[("0", "4"), ("4", "4n"), ("3", "1")], &[3]);
    }

    #[test]
    fn headers_may_be_padded() {
        assert!(ByteTable::is_header("|  at | len | field    | meaning      |"));
        assert!(!ByteTable::is_header("| at | size | field | meaning |"));
    }
}
