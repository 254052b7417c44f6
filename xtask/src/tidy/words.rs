//! Words that should not reach the history of this project.
//!
//! Every literal is cut in two, so that this list does not find itself. Files that must name such
//! words, because they are about them, are listed too.

use crate::finding::Finding;

struct Banned {
    literal: &'static str,
    reach: Reach,
    remedy: &'static str,
}

/// Where a literal counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Anywhere in a Rust file.
    Rust,
    /// As a word of its own, in any file and any case of its first letter.
    Word,
    /// As the start of an absolute path, in any file.
    Path,
}

const UNFINISHED: &str = "finish it, or write the plan down in docs/";
const MACHINE: &str = "a path of one machine means nothing on another; make it relative";

const BANNED: &[Banned] = &[
    Banned { literal: concat!("to", "do!"), reach: Reach::Rust, remedy: UNFINISHED },
    Banned { literal: concat!("unimple", "mented!"), reach: Reach::Rust, remedy: UNFINISHED },
    Banned { literal: concat!("db", "g!("), reach: Reach::Rust, remedy: "remove it" },
    Banned {
        literal: concat!("#[ig", "nore"),
        reach: Reach::Rust,
        remedy: "make it fast, or a nightly part",
    },
    Banned { literal: concat!("#[al", "low("), reach: Reach::Rust, remedy: "expect the lint, with a reason" },
    Banned {
        literal: concat!("#![al", "low("),
        reach: Reach::Rust,
        remedy: "expect the lint, with a reason",
    },
    Banned { literal: concat!("TO", "DO"), reach: Reach::Word, remedy: UNFINISHED },
    Banned { literal: concat!("FIX", "ME"), reach: Reach::Word, remedy: UNFINISHED },
    Banned { literal: concat!("XX", "X"), reach: Reach::Word, remedy: UNFINISHED },
    Banned {
        literal: concat!("previ", "ously"),
        reach: Reach::Word,
        remedy: "tell the present; commits tell the past",
    },
    Banned { literal: concat!("/ho", "me/"), reach: Reach::Path, remedy: MACHINE },
    Banned { literal: concat!("/ro", "ot/"), reach: Reach::Path, remedy: MACHINE },
    Banned { literal: concat!("/Us", "ers/"), reach: Reach::Path, remedy: MACHINE },
    Banned { literal: concat!("/wo", "rk/"), reach: Reach::Path, remedy: MACHINE },
    Banned { literal: concat!("C:\\Us", "ers\\"), reach: Reach::Path, remedy: MACHINE },
];

/// The style page quotes the words it bans; licences and lock files are not ours to word.
const EXEMPT: &[&str] = &["docs/STYLE.md", "LICENSE-APACHE", "LICENSE-MIT", "Cargo.lock"];

/// Every banned word in a text.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    if EXEMPT.contains(&path) {
        return Vec::new();
    }
    let lines = text.lines().enumerate();
    lines.flat_map(|(at, line)| check_line(path, at + 1, line)).collect()
}

fn check_line(path: &str, number: usize, line: &str) -> Vec<Finding> {
    let found = BANNED.iter().filter(|banned| banned.is_in(path, line));
    let finding = |banned: &Banned| {
        let what = format!("`{}` does not belong here", banned.literal);
        Finding::new(path, number, what, banned.remedy)
    };
    found.map(finding).collect()
}

impl Banned {
    fn is_in(&self, path: &str, line: &str) -> bool {
        if self.reach == Reach::Rust && !path.ends_with(".rs") {
            return false;
        }
        let mut capital = self.literal.to_owned();
        if self.reach == Reach::Word {
            capital[..1].make_ascii_uppercase();
        }
        let all = line.match_indices(self.literal).chain(line.match_indices(&capital));
        all.into_iter().any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + self.literal.len()..].chars().next();
            self.reach.admits(before, after)
        })
    }
}

impl Reach {
    fn admits(self, before: Option<char>, after: Option<char>) -> bool {
        let in_word = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
        match self {
            Self::Rust => true,
            Self::Word => !in_word(before) && !in_word(after),
            Self::Path => {
                !in_word(before) && !before.is_some_and(|char| matches!(char, '.' | '-' | '}' | ')' | '*'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_banned_literal_is_found() {
        for banned in BANNED {
            let findings = check("crates/a/src/b.rs", &format!("fine\n// {} here", banned.literal));
            assert_eq!(findings.iter().map(Finding::line).collect::<Vec<_>>(), [2], "{}", banned.literal);
        }
    }

    #[track_caller]
    fn check_count(path: &str, line: &str, count: usize) {
        assert_eq!(check(path, line).len(), count, "{path}: {line}");
    }

    #[test]
    fn words_count_only_alone() {
        let word = concat!("XX", "X");
        check_count("docs/a.md", &format!("({word})"), 1);
        check_count("docs/a.md", &format!("{word}X {word}_1"), 0);
        check_count("docs/a.md", &format!("{}, it", concat!("Previ", "ously")), 1);
    }

    #[test]
    fn paths_count_only_when_absolute() {
        let path = concat!("/wo", "rk/");
        check_count(".ci/run", &format!("cd {path}x"), 1);
        check_count(".ci/run", &format!("cd \"{path}x\""), 1);
        check_count(".ci/run", &format!("cd docs{path}x ..{path}"), 0);
    }

    #[test]
    fn code_words_count_only_in_code_and_exempt_files_never() {
        let word = concat!("db", "g!(");
        check_count("docs/a.md", word, 0);
        check_count("a.rs", word, 1);
        check_count("docs/STYLE.md", concat!("TO", "DO"), 0);
    }
}
