//! One format: the module doc of the file that owns it, up to its last table.

use super::byte_table::ByteTable;
use crate::finding::Finding;

/// A format's documentation, ready to print.
#[derive(Debug)]
pub(super) struct Section {
    path: String,
    heading: String,
    body: Vec<String>,
    tables: Vec<ByteTable>,
}

impl Section {
    /// `None` when the module doc holds no byte table.
    pub(super) fn parse(path: &str, text: &str) -> Option<Self> {
        let doc = module_doc(text);
        let headers = doc.iter().enumerate().filter(|(_, (_, line))| ByteTable::is_header(line));
        let tables: Vec<_> = headers.map(|(at, _)| ByteTable::parse(doc[at..].iter().copied())).collect();
        if tables.is_empty() {
            return None;
        }
        let end = doc.iter().rposition(|(_, line)| line.trim_start().starts_with('|'))? + 1;
        let lines: Vec<&str> = doc[..end].iter().map(|(_, line)| *line).collect();
        let (heading, rest) = split_heading(&lines.join("\n"));
        let body = rest.lines().map(|line| plain(&demote(line))).collect();
        Some(Self { path: path.to_owned(), heading: plain(&heading), body, tables })
    }

    pub(super) fn check(&self) -> Vec<Finding> {
        self.tables.iter().flat_map(|table| table.check(&self.path)).collect()
    }

    pub(super) fn to_markdown(&self) -> String {
        let link = format!("Source: [`{0}`](../{0})", self.path);
        format!("## {}\n\n{link}\n\n{}\n", self.heading, self.body.join("\n").trim())
    }
}

/// The `//!` lines at the top, with their numbers, without their marks.
fn module_doc(text: &str) -> Vec<(usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let doc = lines.map_while(|(at, line)| line.strip_prefix("//!").map(|rest| (at, rest)));
    doc.map(|(at, line)| (at, line.strip_prefix(' ').unwrap_or(line))).collect()
}

/// The first sentence, and what follows it. Of a sentence like "Trailer: the last 24 bytes." only the
/// name becomes the heading, and the sentence stays.
fn split_heading(doc: &str) -> (String, String) {
    let paragraph = doc.split("\n\n").next().unwrap_or(doc);
    let end = [". ", ".\n"].iter().filter_map(|mark| paragraph.find(mark)).min();
    let sentence = &paragraph[..end.unwrap_or(paragraph.len())];
    let whole = || sentence.trim_end_matches('.').trim_start_matches("# ").replace('\n', " ");
    match sentence.split_once(": ") {
        Some((name, _)) => (name.replace('\n', " "), doc.to_owned()),
        None => (whole(), doc[sentence.len()..].trim_start_matches('.').trim_start().to_owned()),
    }
}

/// Headings of a module doc go below the heading of its section.
fn demote(line: &str) -> String {
    if line.starts_with('#') && line.trim_start_matches('#').starts_with(' ') {
        format!("##{line}")
    } else {
        line.to_owned()
    }
}

/// Links to items mean nothing outside rustdoc: only their text stays.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((item, tail)) = after.split_once("`]") else { break };
        out.push_str(&format!("{before}`{item}`"));
        rest = match tail.strip_prefix('(').and_then(|tail| tail.split_once(')')) {
            Some((_, tail)) => tail,
            None => tail,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = "//! Block trailer: the last
//! bytes of every [`Block`](crate::Block).
//!
//! # Layout
//! | at | len | field | meaning |
//! |---:|----:|-------|---------|
//! |  0 |   4 | magic | a mark  |
//! |  5 |   1 | kind  | a kind  |
//!
//! | kind | means |
//! |-----:|-------|
//! |    1 | data  |
//!
//! Not for the page.
use x;
";

    #[test]
    fn a_section_ends_with_the_last_table() {
        let section = Section::parse("crates/a/src/b.rs", DOC).unwrap();
        let text = section.to_markdown();
        let head = "## Block trailer\n\nSource: [`crates/a/src/b.rs`](../crates/a/src/b.rs)\n\nBlock trailer: the last\n\
                    bytes of every `Block`.\n\n### Layout\n| at";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("|    1 | data  |\n"), "{text}");
    }

    #[test]
    fn a_wrong_offset_is_found_on_its_line() {
        let findings = Section::parse("crates/a/src/b.rs", DOC).unwrap().check();
        assert_eq!(findings.iter().map(Finding::line).collect::<Vec<_>>(), [8]);
    }

    #[test]
    fn a_plain_first_sentence_becomes_the_heading() {
        let doc = "The footer of a file. It comes last.\n\n| at |";
        assert_eq!(
            split_heading(doc),
            ("The footer of a file".to_owned(), "It comes last.\n\n| at |".to_owned())
        );
    }

    #[test]
    fn a_file_without_byte_table_has_no_section() {
        assert!(Section::parse("a.rs", "//! Doc.\n//! | a | b |\n//! |---|---|\n").is_none());
    }
}
