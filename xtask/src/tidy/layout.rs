//! What a file is called and how it begins.

use super::source::{Source, word_starts};
use crate::finding::Finding;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["common", "helper", "helpers", "inner", "manager", "misc", "types", "util", "utils"];

/// Rules about a path alone, of Rust files only.
pub(super) fn check_path(path: &str) -> Vec<Finding> {
    let Some(stem) = path.strip_suffix(".rs") else { return Vec::new() };
    let mut findings = Vec::new();
    if stem == "mod" || stem.ends_with("/mod") {
        findings.push(Finding::new(path, 1, "a file named mod.rs", "name it after its folder, beside it"));
    }
    for part in stem.split('/').filter(|part| EMPTY_NAMES.contains(part)) {
        findings.push(Finding::new(
            path,
            1,
            format!("the name `{part}` says nothing"),
            "name the noun it owns",
        ));
    }
    findings
}

/// Rules about the text.
pub(super) fn check_source(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let first = source.text.lines().find(|line| !line.trim().is_empty());
    if !first.is_some_and(|line| line.starts_with("//!")) {
        let remedy = "say what the file owns, what it keeps true, what it leaves to others";
        findings.push(Finding::new(source.path, 1, "the file does not begin with `//!`", remedy));
    }
    for (line, code) in source.product() {
        if source.path.ends_with("/lib.rs") && word_starts(code, "fn").next().is_some() {
            let remedy = "move it to the file of its noun; lib.rs is a table of contents";
            findings.push(Finding::new(source.path, line, "lib.rs contains a function", remedy));
        }
        if let Some(name) = module_name(code).filter(|name| EMPTY_NAMES.contains(name)) {
            let what = format!("the module name `{name}` says nothing");
            findings.push(Finding::new(source.path, line, what, "name the noun it owns"));
        }
    }
    findings
}

fn module_name(code: &str) -> Option<&str> {
    let at = word_starts(code, "mod").next()?;
    let rest = code[at + 3..].trim();
    rest.strip_suffix(';').or_else(|| rest.split('{').next()).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let mut findings = check_path(path);
        findings.extend(check_source(&Source::parse(path, text)));
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, text) in findings.iter().zip(expected) {
            assert!(finding.what().contains(text), "{finding}");
        }
    }

    #[test]
    fn a_plain_file_passes() {
        check("crates/a/src/b.rs", "//! Doc.\nfn f() {}\n", &[]);
        check("crates/a/src/lib.rs", "//! Doc, with fn in it.\nmod b;\npub use b::F;\n", &[]);
    }

    #[test]
    fn names_must_say_something() {
        check("crates/a/src/b/mod.rs", "//! Doc.", &["mod.rs"]);
        check(&format!("crates/a/src/{}.rs", EMPTY_NAMES[0]), "//! Doc.", &["says nothing"]);
        check(&format!("crates/a/{}/b.rs", EMPTY_NAMES[2]), "//! Doc.", &["says nothing"]);
        check(
            "crates/a/src/b.rs",
            &format!("//! Doc.\npub(crate) mod {};", EMPTY_NAMES[8]),
            &["module name"],
        );
    }

    #[test]
    fn every_file_opens_with_its_doc() {
        check("crates/a/tests/b.rs", "// Doc.\nfn f() {}", &["does not begin"]);
        check("crates/a/src/b.rs", "", &["does not begin"]);
    }

    #[test]
    fn lib_rs_holds_no_function() {
        check("crates/a/src/lib.rs", "//! Doc.\n\npub fn f() {}\n", &["contains a function"]);
    }
}
