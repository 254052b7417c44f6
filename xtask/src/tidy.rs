//! The rules no compiler knows, checked over the tree as it lies here.
//!
//! Each rule lives in a file of its own and takes text, never a path to open, so that each is tested
//! with text that breaks it. This file gathers what they say.

mod effects;
mod layout;
mod links;
mod manifests;
mod mask;
mod sizes;
mod source;
mod words;

use crate::args::Args;
use crate::arrows::Arrows;
use crate::failure::Failure;
use crate::finding::Finding;
use crate::formats;
use crate::tree::Tree;
use crate::workspace::{Package, Workspace};
use source::Source;

pub(crate) const HELP: &str = "cargo xtask tidy

Checks what no compiler does: the arrows between crates (deny.toml), where std::fs and threads may be
named, sizes of files and functions, a `//!` at the top of every source file, lib.rs as a table of
contents, words that do not belong, a reason above every outside dependency, links between documents,
and docs/FORMAT.md being fresh. Every finding says where, what, and what to do.";

pub(crate) fn run(workspace: &Workspace, args: Args) -> Result<(), Failure> {
    args.finish()?;
    check(workspace)
}

/// Every rule over the whole tree.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let tree = Tree::list(&workspace.root)?;
    let mut findings = gather(workspace, &tree)?;
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let files = tree.paths().count();
    if findings.is_empty() {
        println!("tidy: {files} files, nothing to say");
        return Ok(());
    }
    Err(Failure::new(format!("tidy: findings: {}", findings.len()), "each line above says what to do"))
}

fn gather(workspace: &Workspace, tree: &Tree) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    let mut sizes = Vec::new();
    for path in tree.paths() {
        findings.extend(layout::check_path(path));
        let Some(text) = tree.text(path)? else { continue };
        findings.extend(words::check(path, &text));
        match path.rsplit('.').next() {
            Some("rs") => {
                let source = Source::parse(path, &text);
                findings.extend(layout::check_source(&source));
                findings.extend(effects::check(&source));
                sizes.extend(sizes::measure(&source));
            }
            Some("md") => findings.extend(links::check(path, &text, tree)),
            _ => {}
        }
    }
    findings.extend(sizes::check(&sizes, sizes::EXCEPTIONS));
    findings.extend(manifests::check(workspace, tree)?);
    let arrows = Arrows::parse(&tree.text("deny.toml")?.unwrap_or_default());
    let manifest = |package| Ok((package, tree.text(&Package::manifest(package))?.unwrap_or_default()));
    let packages: Vec<_> = workspace.packages.iter().map(manifest).collect::<Result<_, Failure>>()?;
    findings.extend(arrows.check(&packages));
    findings.extend(formats::check(tree)?);
    Ok(findings)
}
