//! The packages of this workspace as `cargo metadata` tells them.

use std::path::PathBuf;

use serde_json::Value;

use crate::failure::Failure;
use crate::tool::Tool;

/// The root folder and the members.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One member.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// From the root, with `/`.
    pub(crate) dir: String,
    pub(crate) publishable: bool,
    pub(crate) has_features: bool,
    pub(crate) categories: Vec<String>,
    pub(crate) rust_version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) readme: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a member's dependency tables, of any kind.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
}

impl Workspace {
    /// Reads the workspace this program was built from, or the one it is run in.
    pub(crate) fn load() -> Result<Self, Failure> {
        let text = Tool::cargo("metadata --no-deps --format-version 1").stdout()?;
        Self::parse(&text).ok_or_else(|| {
            Failure::new(
                "`cargo metadata` printed something unexpected",
                "teach xtask/src/workspace.rs its new shape",
            )
        })
    }

    /// The crates that ship: those below `crates/`.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.dir.starts_with("crates/"))
    }

    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let root = value["workspace_root"].as_str()?;
        let packages = value["packages"].as_array()?.iter().map(|package| Package::parse(root, package));
        Some(Self { root: PathBuf::from(root), packages: packages.collect::<Option<_>>()? })
    }
}

impl Package {
    /// Path of the manifest from the root.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.dir)
    }

    fn parse(root: &str, value: &Value) -> Option<Self> {
        let text = |field: &str| value[field].as_str().map(str::to_owned);
        let manifest = text("manifest_path")?.replace('\\', "/");
        let dir = manifest.strip_prefix(&root.replace('\\', "/"))?.strip_suffix("/Cargo.toml")?;
        let defaults = value["features"]["default"].as_array();
        let categories = value["categories"].as_array()?.iter().filter_map(Value::as_str);
        Some(Self {
            name: text("name")?,
            version: text("version")?,
            dir: dir.trim_start_matches('/').to_owned(),
            publishable: value["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
            has_features: defaults.is_some_and(|features| !features.is_empty()),
            categories: categories.map(str::to_owned).collect(),
            rust_version: text("rust_version"),
            description: text("description"),
            license: text("license"),
            readme: text("readme"),
            dependencies: value["dependencies"]
                .as_array()?
                .iter()
                .map(Dependency::parse)
                .collect::<Option<_>>()?,
        })
    }
}

impl Dependency {
    fn parse(value: &Value) -> Option<Self> {
        Some(Self { name: value["name"].as_str()?.to_owned(), dev: value["kind"].as_str() == Some("dev") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_packages() {
        let text = r#"{"workspace_root": "/r", "packages": [{
            "name": "a", "version": "0.1.0", "manifest_path": "/r/crates/a/Cargo.toml", "publish": [],
            "features": {"default": ["std"]}, "categories": ["no-std"], "rust_version": "1.88", "readme": null,
            "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}]}]}"#;
        let workspace = Workspace::parse(text).unwrap();
        let package = &workspace.packages[0];
        assert_eq!(package.dir, "crates/a");
        assert!(!package.publishable && package.has_features && package.readme.is_none());
        assert_eq!(package.dependencies.iter().map(|dep| dep.dev).collect::<Vec<_>>(), [false, true]);
    }
}
