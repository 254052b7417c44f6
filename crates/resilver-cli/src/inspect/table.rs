//! What a table holds.

use std::{fmt::Write as _, path::Path};

use page_ecc::Geometry;
use resilver::{
    Options,
    inspect::{CodecTag, InspectedTable, Properties, SealedFile},
};
use serde_json::{Value, json};

use super::words::{hex, pairs, short, shown};
use crate::{
    failure::Failure,
    report::{Exit, Report},
    size::Bytes,
};

pub(super) fn report(file: &Path, options: &Options) -> Result<Report, Failure> {
    let told = resilver::inspect::table(file, options)?;
    let exit = match (told.sealed.lost.is_empty(), told.sealed.wrong.is_empty()) {
        (false, _) => Exit::Lost,
        (true, false) => Exit::Damage,
        (true, true) => Exit::Fine,
    };
    Ok(Report { exit, text: text(&told), json: json(&told) })
}

fn text(told: &InspectedTable) -> String {
    let mut text = String::new();
    tell_sealed(&mut text, &told.sealed);
    // A string takes everything.
    match &told.properties {
        Some(properties) => tell_properties(&mut text, properties),
        None => text.push_str("its properties are lost, or cannot be read\n"),
    }
    if let Some(codec) = told.first_codec {
        let _ = writeln!(text, "compression of the first data block: {}", codec_name(codec));
    }
    if let Some(epoch) = &told.key_epoch {
        let _ = writeln!(text, "encrypted with a key of epoch {epoch}");
    }
    if let Some(trouble) = &told.trouble {
        let _ = writeln!(text, "not all of it can be read: {trouble}");
    }
    let sealed = &told.sealed;
    match (sealed.wrong.is_empty(), sealed.lost.is_empty()) {
        (true, _) => text.push_str("every page is right\n"),
        (false, true) => {
            let count = sealed.wrong.page_count();
            let _ = writeln!(text, "{count} pages are wrong and correctable: {}", sealed.wrong);
        }
        (false, false) => {
            let count = sealed.wrong.page_count();
            let _ = writeln!(text, "{count} pages are wrong: {}; LOST are {}", sealed.wrong, sealed.lost);
        }
    }
    text
}

fn tell_sealed(text: &mut String, sealed: &SealedFile) {
    let geometry = sealed.descriptor.geometry();
    let _ = writeln!(text, "table, uid {}, {}", hex(sealed.descriptor.uid()), Bytes(sealed.len));
    let _ = writeln!(text, "descriptor: {}", whence(sealed));
    let (body, parity, digests, words) = counts(geometry);
    let _ = writeln!(
        text,
        "scheme {}, {} columns: {body} pages of body, {parity} of parity, twice {digests} of digests, {words} of \
         word checks",
        geometry.scheme(),
        geometry.columns()
    );
    let _ = writeln!(text, "root digest {:032x}", sealed.descriptor.root());
}

fn tell_properties(text: &mut String, properties: &Properties) {
    let Properties { entries, deletes, single_deletes, range_deletes, .. } = properties;
    let _ = writeln!(
        text,
        "{entries} entries, {deletes} deletes and {single_deletes} single deletes among them, {range_deletes} range \
         deletes, {} loss markers",
        properties.losses
    );
    let _ = writeln!(text, "keys {} to {}", short(&properties.smallest), short(&properties.largest));
    let _ = writeln!(text, "changes {} to {}", properties.seq_low.get(), properties.seq_high.get());
    let comparator = shown(properties.comparator.as_bytes());
    let _ = writeln!(text, "sorted by {comparator}, created at {}", properties.created_at);
    let _ = writeln!(
        text,
        "{} data blocks ({}, from {} of keys and {} of values), {} index blocks ({}), filter {}",
        properties.data_blocks,
        Bytes(properties.data_bytes),
        Bytes(properties.key_bytes),
        Bytes(properties.value_bytes),
        properties.index_blocks,
        Bytes(properties.index_bytes),
        Bytes(properties.filter_bytes),
    );
}

fn whence(sealed: &SealedFile) -> &'static str {
    match (sealed.at_head, sealed.at_tail) {
        (true, true) => "at head and tail",
        (true, false) => "at the head; the tail lacks it",
        (false, true) => "at the tail; the head lacks it",
        (false, false) => "gone from head and tail; the manifest knows it",
    }
}

/// Pages of body, parity, one copy of the digests, word checks.
fn counts(geometry: &Geometry) -> (u64, u64, u64, u64) {
    (geometry.body_pages(), geometry.parity_pages(), geometry.digest_pages(), geometry.word_pages())
}

const fn codec_name(codec: CodecTag) -> &'static str {
    match codec {
        CodecTag::None => "none",
        CodecTag::Lz4 => "lz4",
        CodecTag::Zstd => "zstd",
        CodecTag::ZstdDictionary => "zstd with a dictionary",
        _ => "one that this release does not know",
    }
}

fn json(told: &InspectedTable) -> Value {
    let sealed = &told.sealed;
    let (descriptor, evidence) = (&sealed.descriptor, &sealed.evidence);
    let (body, parity, digests, words) = counts(descriptor.geometry());
    json!({
        "uid": hex(descriptor.uid()), "kind": descriptor.kind(), "bytes": sealed.len,
        "scheme": descriptor.geometry().scheme().to_string(), "columns": descriptor.geometry().columns(),
        "pages": {
            "total": descriptor.geometry().total_pages(), "body": body, "parity": parity, "digests": digests,
            "word_checks": words,
        },
        "root_digest": format!("{:032x}", descriptor.root()),
        "descriptor_at_head": sealed.at_head, "descriptor_at_tail": sealed.at_tail,
        "properties": told.properties.as_ref().map(properties_json),
        "first_codec": told.first_codec.map(codec_name), "key_epoch": told.key_epoch,
        "range_deletes": told.ranges.map(|ranges| ranges.0), "loss_markers": told.ranges.map(|ranges| ranges.1),
        "trouble": told.trouble.as_ref().map(ToString::to_string),
        "wrong_pages": pairs(&sealed.wrong), "lost_pages": pairs(&sealed.lost),
        "wrong": sealed.wrong.page_count(), "lost": sealed.lost.page_count(),
        "helped": {
            "transient": evidence.transient, "corrected": evidence.corrected, "copied": evidence.copied,
            "rebuilt": evidence.rebuilt,
        },
    })
}

fn properties_json(properties: &Properties) -> Value {
    json!({
        "entries": properties.entries, "deletes": properties.deletes,
        "single_deletes": properties.single_deletes, "merges": properties.merges, "blobs": properties.blobs,
        "range_deletes": properties.range_deletes, "losses": properties.losses,
        "key_bytes": properties.key_bytes, "value_bytes": properties.value_bytes,
        "data_blocks": properties.data_blocks, "data_bytes": properties.data_bytes,
        "index_blocks": properties.index_blocks, "index_bytes": properties.index_bytes,
        "filter_bytes": properties.filter_bytes, "seq_low": properties.seq_low.get(),
        "seq_high": properties.seq_high.get(), "comparator": properties.comparator,
        "smallest": shown(&properties.smallest), "largest": shown(&properties.largest),
        "created_at": properties.created_at,
    })
}
