//! Where the file system and threads may be named. Everything else takes values and returns values.

use super::source::{Source, word_starts};
use crate::finding::Finding;

/// A path of the standard library and the places that may name it; test code always may.
struct Effect {
    parent: &'static str,
    names: &'static [&'static str],
    places: &'static [&'static str],
    remedy: &'static str,
}

const EFFECTS: &[Effect] = &[
    Effect {
        parent: "std",
        names: &["fs"],
        places: &[
            "crates/lsm-io/",
            "crates/resilver/examples/",
            "crates/resilver-cli/src/bench/meter.rs",
            "crates/resilver-cli/src/files.rs",
            // What the system says of a process stands in files.
            "crates/resilver-cli/src/bench/meter.rs",
            "xtask/",
        ],
        remedy: "take bytes, or go through lsm-io",
    },
    Effect {
        parent: "thread",
        names: &["spawn", "scope", "Builder"],
        places: &[
            "crates/lsm-io/",
            "crates/lsm-wal/examples/",
            "crates/resilver/",
            "crates/resilver-cli/",
            "xtask/",
        ],
        remedy: "return a job and let the facade run it",
    },
];

/// Every effect named where it may not be.
pub(super) fn check(source: &Source<'_>) -> Vec<Finding> {
    let effects =
        EFFECTS.iter().filter(|effect| !effect.places.iter().any(|place| source.path.starts_with(place)));
    effects.flat_map(|effect| effect.check(source)).collect()
}

impl Effect {
    fn check(&self, source: &Source<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for name in self.names {
            for at in mentions(&source.code, self.parent, name) {
                let line = source.code[..at].matches('\n').count() + 1;
                if line <= source.product_lines {
                    let what = format!("`{}::{name}` may not be named here", self.parent);
                    findings.push(Finding::new(source.path, line, what, self.remedy));
                }
            }
        }
        findings
    }
}

/// Where `parent::name` stands, spelled out or inside the braces of an import.
fn mentions(code: &str, parent: &str, name: &str) -> Vec<usize> {
    let names_it = |at: &usize| {
        let Some(rest) = code[at + parent.len()..].trim_start().strip_prefix("::") else { return false };
        let rest = rest.trim_start();
        match rest.strip_prefix('{') {
            Some(group) => entries(group).any(|entry| first_word(entry) == name),
            None => first_word(rest) == name,
        }
    };
    word_starts(code, parent).filter(names_it).collect()
}

/// The entries of an import group whose brace has just been opened; nested groups stay inside theirs.
fn entries(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 1;
    let mut marks = vec![0];
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && char == ',') {
            marks.push(at + 1);
        }
        if depth == 0 {
            break;
        }
    }
    let ends = marks.clone().into_iter().skip(1);
    marks.into_iter().zip(ends).map(|(start, end)| group[start..end - 1].trim())
}

fn first_word(text: &str) -> &str {
    let end = text.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_at(path: &str, text: &str, lines: &[usize]) {
        let findings = check(&Source::parse(path, text));
        assert_eq!(findings.iter().map(Finding::line).collect::<Vec<_>>(), lines, "{findings:?}");
    }

    #[test]
    fn the_file_system_is_found_however_it_is_named() {
        check_at("crates/a/src/b.rs", "use std::fs;", &[1]);
        check_at("crates/a/src/b.rs", "\nlet f = std::fs::File::open(p);", &[2]);
        check_at("crates/a/src/b.rs", "use std::{io, fs::{File, self}};", &[1]);
        check_at("crates/a/src/b.rs", "use std::{collections::{fs}, offset};", &[]);
        check_at("crates/a/src/b.rs", "// std::fs\nlet s = \"std::fs\";", &[]);
    }

    #[test]
    fn threads_are_found() {
        check_at("crates/a/src/b.rs", "std::thread::spawn(f); thread::scope(g);", &[1, 1]);
        check_at("crates/a/src/b.rs", "use std::thread::{self, Builder};", &[1]);
        check_at("crates/a/src/b.rs", "thread::sleep(d)", &[]);
    }

    #[test]
    fn named_places_and_tests_are_free() {
        let text = "use std::fs; fn f() { std::thread::spawn(g); }";
        for path in ["crates/lsm-io/src/disk.rs", "xtask/src/a.rs", "crates/a/tests/b.rs", "tests/src/rot.rs"]
        {
            check_at(path, text, &[]);
        }
        check_at("crates/resilver-cli/src/main.rs", "use std::fs;", &[1]);
        check_at("crates/a/src/b.rs", "\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", &[]);
    }
}
