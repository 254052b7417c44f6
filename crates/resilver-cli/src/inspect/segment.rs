//! What a segment of the log holds.

use std::{fmt::Write as _, path::Path};

use resilver::{Options, inspect::InspectedSegment};
use serde_json::{Value, json};

use super::words::{hex, pairs};
use crate::{
    failure::Failure,
    report::{Exit, Report},
    size::Bytes,
};

pub(super) fn report(file: &Path, options: &Options) -> Result<Report, Failure> {
    let told = resilver::inspect::segment(file, options)?;
    let is_whole = told.mendable.is_empty() && told.cut_off == 0;
    let exit = match told.lost.is_empty() && told.held.gaps == 0 {
        false => Exit::Lost,
        true if is_whole => Exit::Fine,
        true => Exit::Damage,
    };
    Ok(Report { exit, text: text(&told), json: json(&told) })
}

fn text(told: &InspectedSegment) -> String {
    let (record, held) = (&told.record, &told.held);
    let mut text = format!(
        "segment {}, uid {}, {} pages in each of two extents\n",
        record.number,
        hex(record.uid),
        record.extent_pages
    );
    // A string takes everything.
    if let Some(header) = &told.header {
        let _ = writeln!(text, "store {}, generation {}", hex(header.store), header.generation);
        let (first, carried) = (header.first.get(), header.carried.get());
        let _ = writeln!(text, "first number {first}, numbers below {carried} were carried over");
        let _ = match &header.predecessor {
            Some((number, uid, end)) => {
                writeln!(text, "follows segment {number} (uid {}), which counts up to byte {end}", hex(*uid))
            }
            None => writeln!(text, "follows no segment"),
        };
    } else {
        text.push_str("its header is gone from both extents; the manifest says which segment it is\n");
    }
    let _ = match held.numbers {
        Some((first, next)) => {
            let last = next.get().saturating_sub(1);
            writeln!(text, "{} groups, changes {} to {last}", held.groups, first.get())
        }
        None => writeln!(text, "no groups"),
    };
    if held.void > 0 {
        let _ = writeln!(text, "{} groups of which only the numbers are left", held.void);
    }
    if held.gaps > 0 {
        let _ = writeln!(text, "{} times numbers are missing: LOST", held.gaps);
    }
    let used = Bytes(held.used);
    let _ =
        writeln!(text, "changes below {} were durable, {used} of each extent are used", held.watermark.get());
    tell_pages(&mut text, told);
    text
}

fn tell_pages(text: &mut String, told: &InspectedSegment) {
    if !told.mendable.is_empty() {
        let _ = writeln!(text, "wrong, and right in the other extent: pages {}", told.mendable);
    }
    if !told.lost.is_empty() {
        let _ = writeln!(text, "LOST in both extents: pages {}", told.lost);
    }
    for (pages, what) in [
        (told.cut_off, "pages are cut off at the end of the file"),
        (told.not_yet_twice, "pages stand in one extent yet, and need not be durable"),
        (told.unproven, "pages behind the last group hold a write that was cut short"),
    ] {
        if pages > 0 {
            let _ = writeln!(text, "{pages} {what}");
        }
    }
    if told.mendable.is_empty() && told.lost.is_empty() && told.cut_off == 0 {
        text.push_str("every page that counts is right\n");
    }
}

fn json(told: &InspectedSegment) -> Value {
    let (record, held) = (&told.record, &told.held);
    let header = told.header.as_ref().map(|header| {
        let before = header
            .predecessor
            .as_ref()
            .map(|(number, uid, end)| json!({ "number": number.get(), "uid": hex(*uid), "end": end }));
        json!({
            "store": hex(header.store), "generation": header.generation, "first": header.first.get(),
            "carried": header.carried.get(), "predecessor": before,
        })
    });
    let numbers = held.numbers.map(|(first, next)| [first.get(), next.get().saturating_sub(1)]);
    json!({
        "number": record.number.get(), "uid": hex(record.uid), "extent_pages": record.extent_pages,
        "bytes": told.len, "header": header, "groups": held.groups, "void_groups": held.void,
        "numbers": numbers, "gaps": held.gaps, "watermark": held.watermark.get(), "used_bytes": held.used,
        "wrong_pages": pairs(&told.mendable), "lost_pages": pairs(&told.lost), "cut_off_pages": told.cut_off,
        "not_yet_twice_pages": told.not_yet_twice, "unproven_pages": told.unproven,
    })
}
