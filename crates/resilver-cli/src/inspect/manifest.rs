//! What a manifest says.

use std::{fmt::Write as _, path::Path};

use resilver::{
    Options,
    inspect::{Catalog, Recovered, TableMeta, TreeState},
};
use serde_json::{Value, json};

use super::words::{hex, key_range, shown};
use crate::{
    failure::Failure,
    report::{Exit, Report},
    size::Bytes,
};

pub(super) fn report(dir: &Path, options: &Options) -> Result<Report, Failure> {
    let manifest = resilver::inspect::manifest(dir, options)?;
    let is_damaged = manifest.findings().iter().any(|finding| finding.fault.is_damage());
    let exit = if is_damaged { Exit::Damage } else { Exit::Fine };
    Ok(Report { exit, text: text(&manifest), json: json(&manifest) })
}

fn text(manifest: &Recovered) -> String {
    let catalog = manifest.catalog();
    let mut text = String::new();
    // A string takes everything.
    let _ = writeln!(text, "store {}, manifest generation {}", hex(catalog.store), manifest.generation());
    for (index, older) in catalog.lineage.iter().enumerate() {
        let _ = writeln!(text, "  was {}{}", hex(*older), if index == 0 { " at first" } else { " later" });
    }
    if catalog.is_checkpoint {
        text.push_str("  a checkpoint that nobody has written to\n");
    }
    let _ = writeln!(text, "next file {}, next tree {}", catalog.next_file, catalog.next_tree);
    for (id, tree) in &catalog.trees {
        let name = shown(tree.name.as_bytes());
        let (order, upto) = (shown(tree.order.name().as_bytes()), tree.flushed.get());
        let _ = writeln!(text, "keyspace {name} (tree {id}), sorted by {order}, flushed up to {upto}");
        tell_tables(&mut text, tree);
    }
    tell_rest(&mut text, catalog);
    for finding in manifest.findings() {
        let file = finding.file.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(text, "{file}: {}", finding.fault);
    }
    text
}

fn tell_tables(text: &mut String, tree: &TreeState) {
    let mut level_before = None;
    for (level, run, table) in tree.version.tables() {
        if level_before.replace(level) != Some(level) {
            let _ = writeln!(text, "  level {}", level.get());
        }
        let _ = writeln!(
            text,
            "    table {} (run {}): {}, {} entries, {} deletes, {} range deletes, changes {} to {}, {}",
            table.id,
            run.get(),
            key_range(&table.bounds),
            table.entries,
            table.deletes,
            table.range_deletes,
            table.seq_low.get(),
            table.seq_high.get(),
            Bytes(table.file_bytes()),
        );
    }
}

fn tell_rest(text: &mut String, catalog: &Catalog) {
    for segment in catalog.segments.values() {
        let _ = writeln!(
            text,
            "log segment {}: uid {}, {} pages in each of two extents",
            segment.number,
            hex(segment.uid),
            segment.extent_pages
        );
    }
    for ((tree, file), pages) in &catalog.hints {
        let pages: Vec<_> = pages.iter().map(|(first, count)| format!("{count} from {first} on")).collect();
        let _ = writeln!(text, "to heal: table {file} of tree {tree}, pages: {}", pages.join(", "));
    }
    if !catalog.foreign.is_empty() {
        let _ = writeln!(text, "{} changes of a later release, passed over", catalog.foreign.len());
    }
}

fn json(manifest: &Recovered) -> Value {
    let catalog = manifest.catalog();
    let keyspaces = catalog.trees.iter().map(|(id, tree)| {
        json!({
            "name": &*tree.name, "tree": id.get(), "comparator": tree.order.name(),
            "flushed": tree.flushed.get(), "tables": tables_json(tree),
        })
    });
    let segments = catalog.segments.values().map(|segment| {
        json!({
            "number": segment.number, "uid": hex(segment.uid), "extent_pages": segment.extent_pages,
        })
    });
    let hints = catalog
        .hints
        .iter()
        .map(|((tree, file), pages)| json!({ "tree": tree.get(), "table": file.get(), "pages": pages }));
    let findings = manifest.findings().iter().map(|finding| {
        json!({
            "file": finding.file.file_name().unwrap_or_default().to_string_lossy(),
            "is_damage": finding.fault.is_damage(), "what": finding.fault.to_string(),
        })
    });
    json!({
        "store": hex(catalog.store), "lineage": catalog.lineage.iter().map(|uid| hex(*uid)).collect::<Vec<_>>(),
        "is_checkpoint": catalog.is_checkpoint, "generation": manifest.generation().get(),
        "next_file": catalog.next_file.get(), "next_tree": catalog.next_tree.get(),
        "keyspaces": keyspaces.collect::<Vec<_>>(), "segments": segments.collect::<Vec<_>>(),
        "hints": hints.collect::<Vec<_>>(), "foreign_changes": catalog.foreign.len(),
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn tables_json(tree: &TreeState) -> Vec<Value> {
    let table = |level: u8, run: u64, table: &TableMeta| {
        json!({
            "level": level, "run": run, "number": table.id.get(), "uid": hex(table.descriptor.uid()),
            "from": shown(&table.bounds.smallest), "to": shown(&table.bounds.largest),
            "to_is_included": table.bounds.end == resilver::inspect::KeyEnd::Included,
            "entries": table.entries, "deletes": table.deletes, "range_deletes": table.range_deletes,
            "losses": table.losses, "seq_low": table.seq_low.get(), "seq_high": table.seq_high.get(),
            "bytes": table.file_bytes(),
        })
    };
    tree.version.tables().map(|(level, run, meta)| table(level.get(), run.get(), meta)).collect()
}
