//! What every manifest states: the oldest compiler, and for each outside dependency a reason, once.

use crate::failure::Failure;
use crate::finding::Finding;
use crate::tree::Tree;
use crate::workspace::{Package, Workspace};

const ROOT: &str = "Cargo.toml";

/// The root manifest and those of all members.
pub(super) fn check(workspace: &Workspace, tree: &Tree) -> Result<Vec<Finding>, Failure> {
    let mut findings = check_reasons(&tree.text(ROOT)?.unwrap_or_default());
    for package in &workspace.packages {
        let path = package.manifest();
        findings.extend(check_package(package));
        findings.extend(check_members_own(&path, &tree.text(&path)?.unwrap_or_default()));
    }
    Ok(findings)
}

fn check_package(package: &Package) -> Option<Finding> {
    let remedy = "write `rust-version.workspace = true`";
    let finding = || Finding::new(&package.manifest(), 1, "no oldest compiler is stated", remedy);
    package.rust_version.is_none().then(finding)
}

/// A shared dependency stands right below a comment; our own crates, by path, need none.
fn check_reasons(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut above = "";
    for (line, entry) in entries(text, |table| table == "workspace.dependencies") {
        if is_dependency(entry) && !entry.contains("path =") && !above.starts_with('#') {
            let what = format!("`{}` comes without a reason", name(entry));
            findings.push(Finding::new(
                ROOT,
                line,
                what,
                "say in a comment right above why it is worth its weight",
            ));
        }
        above = entry;
    }
    findings
}

/// A member takes every dependency from the root, so that its version and reason stand once.
fn check_members_own(path: &str, text: &str) -> Vec<Finding> {
    let own = entries(text, |table| table.ends_with("dependencies"))
        .filter(|(_, entry)| is_dependency(entry) && !entry.replace(' ', "").contains("workspace=true"));
    let finding = |(line, entry): (usize, &str)| {
        let what = format!("`{}` states its own version", name(entry));
        Finding::new(path, line, what, "list it in the root manifest and write `workspace = true` here")
    };
    own.map(finding).collect()
}

/// The numbered lines of the tables whose name is asked for.
fn entries(text: &str, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim();
        if let Some(table) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = wanted(table);
            return None;
        }
        inside.then_some((at + 1, line))
    })
}

/// An entry begins with a bare name; a continued line of a long entry does not.
fn is_dependency(entry: &str) -> bool {
    entry.split_once('=').is_some_and(|(key, _)| !key.starts_with('#') && !key.contains(['{', '"', '[']))
}

fn name(entry: &str) -> &str {
    entry.split(['.', '=', ' ']).next().unwrap_or(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_lines(findings: &[Finding], lines: &[usize]) {
        assert_eq!(findings.iter().map(Finding::line).collect::<Vec<_>>(), lines, "{findings:?}");
    }

    #[test]
    fn a_shared_dependency_needs_a_reason_right_above() {
        let text = "[workspace.dependencies]\nown = { path = \"x\" }\n# Why.\na = \"1\"\nb = \"1\"\n# Why.\n\nc = \"1\"\n";
        check_lines(&check_reasons(text), &[5, 8]);
        check_lines(&check_reasons("[profile.dev]\nopt-level = 1\n"), &[]);
    }

    #[test]
    fn a_member_states_no_version() {
        let text = "[dependencies]\na.workspace = true\nb = { workspace = true, optional = true }\nc = \"1\"\n\
                    [target.'cfg(unix)'.dependencies]\nd = { version = \"1\" }\n";
        check_lines(&check_members_own("crates/a/Cargo.toml", text), &[4, 6]);
    }

    #[test]
    fn the_oldest_compiler_is_stated() {
        assert!(check_package(&Package::default()).is_some());
        assert!(
            check_package(&Package { rust_version: Some("1.88".into()), ..Package::default() }).is_none()
        );
    }
}
