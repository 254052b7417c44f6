//! Links between documents: each relative one must point at something that is there.

use crate::finding::Finding;
use crate::tree::Tree;

/// Every dead link of a Markdown file.
pub(super) fn check(path: &str, text: &str, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for target in targets(line).filter(|target| !is_outside(target)) {
            if resolve(path, target).is_none_or(|resolved| !tree.holds(&resolved)) {
                let what = format!("the link to `{target}` leads nowhere");
                findings.push(Finding::new(path, at + 1, what, "name a tracked file, relative to this one"));
            }
        }
    }
    findings
}

/// What stands in the parentheses of `[text](target)`, without anchor and title; code spans are skipped.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let links = line.match_indices("](").filter(|(at, _)| line[..*at].matches('`').count().is_multiple_of(2));
    links.filter_map(|(at, _)| {
        let target = line[at + 2..].split([')', ' ', '#']).next()?;
        Some(target.trim_start_matches('<').trim_end_matches('>'))
    })
}

fn is_outside(target: &str) -> bool {
    target.is_empty() || target.contains("://") || target.starts_with("mailto:")
}

/// The target as a path from the root, or `None` when it leaves the tree.
fn resolve(path: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" if target.starts_with('/') => return None,
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_count(text: &str, count: usize) {
        let tree = Tree::of(&["README.md", "docs/A.md", "crates/a/src/b.rs"]);
        let findings = check("docs/A.md", text, &tree);
        assert_eq!(findings.len(), count, "{text}: {findings:?}");
    }

    #[test]
    fn living_links_pass() {
        check_count(
            "[a](../README.md) [b](A.md#part) [c](../crates/a/) [d](#here) [e](https://example.org/x)",
            0,
        );
    }

    #[test]
    fn dead_links_are_found() {
        check_count("[a](README.md)", 1);
        check_count("[a](../../README.md) and [b](/README.md)", 2);
    }

    #[test]
    fn code_is_no_link() {
        check_count("`v[i](x)`\n```\n[a](gone.md)\n```\n", 0);
    }
}
