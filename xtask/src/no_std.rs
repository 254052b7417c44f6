//! Proof that the crates which claim `no_std` keep their word on a host that has std.
//!
//! A static library with a panic handler of its own is linked with each of them. Whatever in the graph
//! brings std along brings a second handler, and the compiler refuses two. Which crates claim it is
//! read from the category `no-std` of their manifests. Files that claim it alone, in a crate that needs std
//! for the rest, are named here and linked as a crate of their own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::failure::Failure;
use crate::tool::Tool;
use crate::workspace::{Package, Workspace};

pub(crate) const HELP: &str = "cargo xtask no-std [CRATE] [--default-features]

Links every crate whose manifest has the category `no-std`, without default features, into a library that
has a panic handler and an allocator of its own; anything that brings std is refused by the compiler.
So are the files that claim it for themselves, in a crate that needs std for the rest.
First the same library with std named in it must be refused, so that a pass means something.
--default-features links them as they come, which is how to watch a crate that uses std fail.";

const SOURCE: &str = r#"//! Links without std, or not at all.
#![no_std]
use core::alloc::{GlobalAlloc, Layout};
struct NoMemory;
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 { core::ptr::null_mut() }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
#[global_allocator]
static NO_MEMORY: NoMemory = NoMemory;
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
"#;

/// Files of one crate that stand without the rest of it, and what they depend on.
struct Part {
    name: &'static str,
    krate: &'static str,
    modules: &'static [&'static str],
    dependencies: &'static [&'static str],
}

const PARTS: &[Part] = &[Part {
    name: "lsm-core-part",
    krate: "lsm-core",
    modules: &["ids", "heal_hints", "deletion_pause"],
    dependencies: &["spin"],
}];

/// What the compiler says when two panic handlers meet.
const REFUSAL: &str = "duplicate lang item";

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<(), Failure> {
    let defaults = args.flag("--default-features");
    let only = args.word();
    args.finish()?;
    let is_chosen = |name: &str| only.as_ref().is_none_or(|only| only == name);
    let packages: Vec<_> = claims(workspace).filter(|package| is_chosen(&package.name)).collect();
    let parts: Vec<_> = PARTS.iter().filter(|part| is_chosen(part.krate)).collect();
    prove(workspace, &packages, &parts, defaults)
}

/// Every crate that claims it.
pub(crate) fn prove_all(workspace: &Workspace) -> Result<(), Failure> {
    prove(workspace, &claims(workspace).collect::<Vec<_>>(), &PARTS.iter().collect::<Vec<_>>(), false)
}

fn claims(workspace: &Workspace) -> impl Iterator<Item = &Package> {
    workspace.crates().filter(|package| package.categories.iter().any(|category| category == "no-std"))
}

fn prove(
    workspace: &Workspace,
    packages: &[&Package],
    parts: &[&Part],
    defaults: bool,
) -> Result<(), Failure> {
    if packages.is_empty() && parts.is_empty() {
        return Err(Failure::new(
            "no crate claims no_std",
            "a claim is the category `no-std` in its manifest",
        ));
    }
    refuse_std(workspace)?;
    for part in parts {
        part.prove(workspace)?;
    }
    for package in packages {
        let dependency = format!(
            "{} = {{ path = {:?}, default-features = {defaults} }}\n",
            package.name,
            workspace.root.join(&package.dir)
        );
        let user = format!("extern crate {} as _;\n", package.name.replace('-', "_"));
        let proof = Proof::write(workspace, &package.name, &dependency, &user)?;
        proof.build().run().map_err(|failure| {
            failure.advise("something in its graph links std: `cargo tree -e features -p CRATE` shows which")
        })?;
        println!("no-std: {} links without std", package.name);
    }
    Ok(())
}

impl Part {
    fn prove(&self, workspace: &Workspace) -> Result<(), Failure> {
        let root = workspace.root.join("Cargo.toml");
        let manifest = fs::read_to_string(&root).map_err(|cause| Failure::io(root.display(), cause))?;
        let mut dependencies = String::new();
        for name in self.dependencies {
            let missing =
                || Failure::new(format!("{name} is no dependency of the workspace"), "list it there");
            let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = ")));
            dependencies += &format!("{}\n", line.ok_or_else(missing)?);
        }
        let src = workspace.root.join("crates").join(self.krate).join("src");
        let module = |name: &&str| {
            let path = src.join(format!("{name}.rs"));
            format!("#[path = {path:?}]\nmod {name};\npub use {name}::*;\n")
        };
        let user = format!("extern crate alloc;\n{}", self.modules.iter().map(module).collect::<String>());
        let proof = Proof::write(workspace, self.name, &dependencies, &user)?;
        let advice = format!("one of {:?} in {} names std, or another module", self.modules, self.krate);
        proof.build().run().map_err(|failure| failure.advise(advice))?;
        println!("no-std: {} of {} link without std", self.modules.join(", "), self.krate);
        Ok(())
    }
}

/// The proof is worth something only if it can fail.
fn refuse_std(workspace: &Workspace) -> Result<(), Failure> {
    let proof = Proof::write(workspace, "with-std", "", "extern crate std;\n")?;
    let captured = proof.build().capture()?;
    if !captured.success && captured.stderr.contains(REFUSAL) {
        println!("no-std: a library that names std is refused, as it should be");
        return Ok(());
    }
    Err(Failure::new(
        format!("a library that names std was not refused as expected:\n{}", captured.stderr.trim_end()),
        "this compiler tells it otherwise; teach xtask/src/no_std.rs",
    ))
}

/// A package written for one build, outside of the workspace but with its lock file.
struct Proof {
    dir: PathBuf,
    target: PathBuf,
}

impl Proof {
    fn write(workspace: &Workspace, name: &str, dependency: &str, user: &str) -> Result<Self, Failure> {
        let home = workspace.root.join("target/no-std");
        let dir = home.join(name);
        let manifest = format!(
            "[package]\nname = \"no-std-{name}\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"staticlib\"]\n\n\
             [dependencies]\n{dependency}\n[profile.dev]\npanic = \"abort\"\n\n[workspace]\n"
        );
        write(&dir.join("Cargo.toml"), &manifest)?;
        write(&dir.join("src/lib.rs"), &format!("{SOURCE}{user}"))?;
        let lock = workspace.root.join("Cargo.lock");
        fs::copy(&lock, dir.join("Cargo.lock")).map_err(|cause| Failure::io(lock.display(), cause))?;
        Ok(Self { dir, target: home.join("target") })
    }

    fn build(&self) -> Tool {
        Tool::cargo("build --quiet --manifest-path")
            .arg(self.dir.join("Cargo.toml"))
            .words("--target-dir")
            .arg(&self.target)
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|cause| Failure::io(parent.display(), cause))?;
    fs::write(path, text).map_err(|cause| Failure::io(path.display(), cause))
}
