//! The arrows between our crates: who may use whom, as `deny.toml` states it.
//!
//! One list serves two readers: cargo-deny, which sees what the build resolves, and tidy, which sees
//! the manifests, optional and development dependencies included. The list is in layer order, so an
//! upward arrow cannot even be written down.

use crate::finding::Finding;
use crate::workspace::Package;

const FILE: &str = "deny.toml";

/// A crate and those allowed to depend on it.
#[derive(Debug, PartialEq, Eq)]
struct Arrow {
    line: usize,
    target: String,
    users: Vec<String>,
}

/// All arrows, lowest layer first.
#[derive(Debug)]
pub(crate) struct Arrows(Vec<Arrow>);

impl Arrows {
    /// Reads the lines of the form `{ crate = "a", wrappers = ["b", "c"] },`.
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().enumerate();
        Self(lines.filter_map(|(at, line)| Arrow::parse(at + 1, line)).collect())
    }

    /// The layer of a crate, counted from the lowest.
    pub(crate) fn layer(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|arrow| arrow.target == name)
    }

    /// Checks the list itself, then every dependency of every package against it.
    /// Each package comes with the text of its manifest.
    pub(crate) fn check(&self, packages: &[(&Package, String)]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.0.iter().flat_map(|arrow| self.check_order(arrow)).collect();
        for (package, manifest) in packages {
            findings.extend(self.check_package(package, manifest));
        }
        findings
    }

    fn check_order(&self, arrow: &Arrow) -> Vec<Finding> {
        let layer = self.layer(&arrow.target);
        let upward =
            arrow.users.iter().filter(|user| self.layer(user).is_some_and(|user| Some(user) <= layer));
        let finding = |user| {
            Finding::new(
                FILE,
                arrow.line,
                format!("`{user}` stands below `{}` and may not use it", arrow.target),
                "remove the name; facts go up as return values",
            )
        };
        upward.map(finding).collect()
    }

    fn check_package(&self, package: &Package, manifest: &str) -> Vec<Finding> {
        if package.dir.starts_with("tests") {
            return Vec::new();
        }
        let mut findings = Vec::new();
        if package.dir.starts_with("crates/") && self.layer(&package.name).is_none() {
            findings.push(Finding::new(
                &package.manifest(),
                1,
                format!("`{}` has no place among the arrows", package.name),
                format!("add it to the list in {FILE}, at its layer"),
            ));
        }
        let forbidden = package.dependencies.iter().filter(|dependency| {
            let arrow = self.0.iter().find(|arrow| arrow.target == dependency.name);
            arrow.is_some_and(|arrow| !arrow.users.contains(&package.name))
        });
        findings.extend(forbidden.map(|dependency| {
            let kind = if dependency.dev { "for its tests" } else { "in its build" };
            Finding::new(
                &package.manifest(),
                line_of(manifest, &dependency.name),
                format!("`{}` uses `{}` {kind}, against the arrows", package.name, dependency.name),
                format!("drop the dependency, or move the code; the arrows are in {FILE}"),
            )
        }));
        findings
    }
}

impl Arrow {
    fn parse(line: usize, text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("{ crate = \"")?;
        let (target, rest) = rest.split_once('"')?;
        let (_, users) = rest.split_once("wrappers = [")?;
        let users = users.split(']').next()?.split(',').map(|user| user.trim().trim_matches('"').to_owned());
        Some(Self { line, target: target.to_owned(), users: users.filter(|user| !user.is_empty()).collect() })
    }
}

/// The line of a dependency's entry, or the first when it is written in an unusual way.
fn line_of(manifest: &str, dependency: &str) -> usize {
    let entry =
        |line: &str| line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    manifest.lines().position(entry).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    const LIST: &str = r#"
deny = [
    { crate = "low", wrappers = ["mid", "high"] },
    { crate = "mid", wrappers = ["high"] },
    { crate = "high", wrappers = [] },
]"#;

    fn package(dir: &str, uses: &str, dev: bool) -> Package {
        let name = dir.rsplit('/').next().unwrap().to_owned();
        let dependencies = vec![Dependency { name: uses.to_owned(), dev }];
        Package { name, dir: dir.to_owned(), dependencies, ..Package::default() }
    }

    #[track_caller]
    fn check(list: &str, package: Package, expected: &[&str]) {
        let findings = Arrows::parse(list).check(&[(&package, String::new())]);
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, text) in findings.iter().zip(expected) {
            assert!(finding.what().contains(text), "{finding}");
        }
    }

    #[test]
    fn downward_and_outside_dependencies_are_fine() {
        check(LIST, package("crates/mid", "low", false), &[]);
        check(LIST, package("crates/high", "serde", false), &[]);
        check(LIST, package("tests", "high", false), &[]);
    }

    #[test]
    fn an_upward_dependency_is_found_whatever_its_kind() {
        check(LIST, package("crates/low", "mid", false), &["`low` uses `mid` in its build"]);
        check(LIST, package("crates/low", "high", true), &["`low` uses `high` for its tests"]);
        check(LIST, package("xtask", "low", false), &["`xtask` uses `low`"]);
    }

    #[test]
    fn an_entry_is_found_on_its_line() {
        assert_eq!(line_of("[dependencies]\nmid-2.workspace = true\nmid.workspace = true\n", "mid"), 3);
        assert_eq!(line_of("", "mid"), 1);
    }

    #[test]
    fn an_unlisted_crate_is_found() {
        check(LIST, package("crates/new", "low", false), &["`new` has no place", "`new` uses `low`"]);
    }

    #[test]
    fn an_upward_arrow_in_the_list_is_found() {
        let list = LIST.replace(r#""high", wrappers = []"#, r#""high", wrappers = ["low"]"#);
        check(&list, package("crates/mid", "low", false), &["`low` stands below `high`"]);
    }
}
