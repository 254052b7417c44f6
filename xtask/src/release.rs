//! What a reader of the registry will get: each archive unpacked, and tested as packed.
//!
//! The archives stand side by side in one throwaway workspace in which they find each other, so
//! crates that were never published can be tested too.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::arrows::Arrows;
use crate::failure::Failure;
use crate::tool::Tool;
use crate::tree::Tree;
use crate::workspace::{Package, Workspace};

pub(crate) const HELP: &str = "cargo xtask release --dry-run

Packs every publishable crate, unpacks the archives under target/release-check, and runs the tests of each
as packed. Fails when a description, a licence or a readme is missing. Publishing itself is done by hand;
without --dry-run the commands for it are listed, in order.";

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<(), Failure> {
    let dry = args.flag("--dry-run");
    args.finish()?;
    let packages = in_layer_order(workspace)?;
    if packages.is_empty() {
        return Err(Failure::new(
            "no crate is publishable",
            "remove `publish = false` where it should not be",
        ));
    }
    if !dry {
        return Err(refusal(&packages));
    }
    check_manifests(&packages)?;
    let check = Check { home: workspace.root.join("target/release-check") };
    check.pack(workspace, &packages)?;
    check.unpack(workspace, &packages)?;
    packages.iter().try_for_each(|package| check.test(package))?;
    println!("release: {} archives pass their tests as packed", packages.len());
    Ok(())
}

fn in_layer_order(workspace: &Workspace) -> Result<Vec<&Package>, Failure> {
    let tree = Tree::list(&workspace.root)?;
    let arrows = Arrows::parse(&tree.text("deny.toml")?.unwrap_or_default());
    let mut packages: Vec<&Package> = workspace.crates().filter(|package| package.publishable).collect();
    packages.sort_by_key(|package| arrows.layer(&package.name).unwrap_or(usize::MAX));
    Ok(packages)
}

fn refusal(packages: &[&Package]) -> Failure {
    let commands = packages.iter().map(|package| format!("\n    cargo publish -p {}", package.name));
    Failure::new(
        "publishing is done by hand, as it cannot be undone",
        format!("after `cargo xtask release --dry-run`, in this order:{}", commands.collect::<String>()),
    )
}

fn check_manifests(packages: &[&Package]) -> Result<(), Failure> {
    let mut missing = String::new();
    for package in packages {
        let fields = [
            ("description", &package.description),
            ("license", &package.license),
            ("readme", &package.readme),
        ];
        for (name, _) in fields.iter().filter(|(_, field)| field.is_none()) {
            missing.push_str(&format!("\n  {}:1: no {name} is stated", package.manifest()));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("manifests are not ready for a reader:{missing}"),
        "state the field; a README.md beside the manifest is found by itself",
    ))
}

/// The throwaway workspace.
struct Check {
    home: PathBuf,
}

impl Check {
    /// One call for all: cargo lets packages that it packs together depend on each other.
    fn pack(&self, workspace: &Workspace, packages: &[&Package]) -> Result<(), Failure> {
        if self.home.exists() {
            fs::remove_dir_all(self.home.join("archives")).or_else(absent_is_fine)?;
        }
        let tool =
            Tool::cargo("package --no-verify --allow-dirty --target-dir").arg(self.home.join("packing"));
        packages
            .iter()
            .fold(tool, |tool, package| tool.words("-p").arg(&package.name))
            .dir(&workspace.root)
            .run()
    }

    fn unpack(&self, workspace: &Workspace, packages: &[&Package]) -> Result<(), Failure> {
        let archives = self.home.join("archives");
        fs::create_dir_all(&archives).map_err(|cause| Failure::io(archives.display(), cause))?;
        let (mut members, mut patches) = (String::new(), String::new());
        for package in packages {
            let folder = folder(package);
            let archive = self.home.join(format!("packing/package/{folder}.crate"));
            Tool::new("tar").words("-xzf").arg(&archive).words("-C").arg(&archives).run()?;
            members.push_str(&format!("\"{folder}\", "));
            patches.push_str(&format!("{} = {{ path = \"{folder}\" }}\n", package.name));
        }
        let manifest = format!(
            "[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n[profile.dev]\nopt-level = 2\n\n\
             [patch.crates-io]\n{patches}"
        );
        let path = archives.join("Cargo.toml");
        fs::write(&path, manifest).map_err(|cause| Failure::io(path.display(), cause))?;
        let lock = workspace.root.join("Cargo.lock");
        fs::copy(&lock, archives.join("Cargo.lock")).map_err(|cause| Failure::io(lock.display(), cause))?;
        Ok(())
    }

    fn test(&self, package: &Package) -> Result<(), Failure> {
        self.require_files(package)?;
        let tool =
            Tool::cargo("test --target-dir").arg(self.home.join("target")).words("-p").arg(&package.name);
        tool.dir(&self.home.join("archives")).run().map_err(|failure| {
            failure.advise(
                "it passes in the workspace but not as packed: a file outside of its folder is missed",
            )
        })
    }

    /// A stated readme that is not in the archive would be a dead link for its reader.
    fn require_files(&self, package: &Package) -> Result<(), Failure> {
        let dir = self.home.join("archives").join(folder(package));
        let readme = package.readme.as_deref().and_then(|readme| Path::new(readme).file_name());
        let present = readme.is_some_and(|readme| dir.join(readme).is_file());
        let missing =
            || Failure::new(format!("the archive of {} has no readme", package.name), "check `include`");
        if present { Ok(()) } else { Err(missing()) }
    }
}

fn folder(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}

fn absent_is_fine(cause: std::io::Error) -> Result<(), Failure> {
    match cause.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(Failure::io("target/release-check", cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_without_readme_is_named() {
        let package = Package {
            dir: "crates/a".into(),
            description: Some("A.".into()),
            license: Some("MIT".into()),
            ..Package::default()
        };
        let failure = check_manifests(&[&package]).unwrap_err().to_string();
        assert!(failure.contains("crates/a/Cargo.toml:1: no readme"), "{failure}");
    }
}
