//! What a page is, and its bytes.

use std::{fmt::Write as _, path::Path};

use page_ecc::{Page, Rung};
use resilver::{
    Options,
    inspect::{InspectedPage, PageVerdict},
};
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    report::{Exit, Report},
};

/// Bytes of a line of a dump.
const LINE: usize = 16;

pub(super) fn report(file: &Path, page: u64, options: &Options) -> Result<Report, Failure> {
    let told = resilver::inspect::page(file, page, options)?;
    let exit = match told.verdict {
        PageVerdict::Wrong(Rung::Lost) => Exit::Lost,
        PageVerdict::Wrong(rung) if rung != Rung::Transient => Exit::Damage,
        _ => Exit::Fine,
    };
    Ok(Report { exit, text: text(page, &told), json: json(page, &told) })
}

fn text(page: u64, told: &InspectedPage) -> String {
    let mut text = format!("page {page}: {}; {}\n", told.place, verdict(told.verdict));
    match &told.on_medium {
        Some(bytes) => dump(&mut text, bytes),
        None => text.push_str("it cannot be read\n"),
    }
    if let Some(right) = &told.right {
        text.push_str("as it should be, where that differs:\n");
        dump_differing(&mut text, right, told.on_medium.as_deref());
    }
    text
}

fn verdict(verdict: PageVerdict) -> String {
    match verdict {
        PageVerdict::Right => "it is right".into(),
        PageVerdict::Wrong(rung) => match rung {
            Rung::Transient => "it was right only when read again".into(),
            Rung::Corrected { bits } => format!("it is wrong, and turning {bits} flipped bits back helps"),
            Rung::Copied => "it is wrong, and what stands elsewhere tells what it should be".into(),
            Rung::Rebuilt => "it is wrong, and parity brings it back".into(),
            Rung::Supplied => "it is wrong, and an older copy has it".into(),
            Rung::Lost => "it is LOST: nothing here brings it back".into(),
        },
        _ => "it does not prove itself, and nothing that counts stands behind it".into(),
    }
}

/// The lines of a page; a run of the same lines is shown once.
fn dump(text: &mut String, page: &Page) {
    let mut before: Option<&[u8]> = None;
    let mut is_skipping = false;
    for (index, line) in page.chunks(LINE).enumerate() {
        let is_same = before.replace(line) == Some(line);
        match (is_same, is_skipping) {
            (true, false) => text.push_str("*\n"),
            (true, true) => {}
            (false, _) => tell_line(text, index * LINE, line),
        }
        is_skipping = is_same;
    }
}

fn dump_differing(text: &mut String, right: &Page, on_medium: Option<&Page>) {
    let Some(on_medium) = on_medium else { return dump(text, right) };
    for (index, (line, there)) in right.chunks(LINE).zip(on_medium.chunks(LINE)).enumerate() {
        if line != there {
            tell_line(text, index * LINE, line);
        }
    }
}

fn tell_line(text: &mut String, at: usize, line: &[u8]) {
    // A string takes everything.
    let _ = write!(text, "{at:04x} ");
    for byte in line {
        let _ = write!(text, " {byte:02x}");
    }
    let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
    let _ = writeln!(text, "  {}", line.iter().map(shown).collect::<String>());
}

fn json(page: u64, told: &InspectedPage) -> Value {
    let (state, helps) = match told.verdict {
        PageVerdict::Right => ("right", None),
        PageVerdict::Wrong(rung) => match rung {
            Rung::Transient => ("right", Some("transient")),
            Rung::Corrected { .. } => ("correctable", Some("corrected")),
            Rung::Copied => ("correctable", Some("copied")),
            Rung::Rebuilt => ("correctable", Some("rebuilt")),
            Rung::Supplied => ("correctable", Some("supplied")),
            Rung::Lost => ("lost", None),
        },
        _ => ("unproven", None),
    };
    json!({
        "page": page, "place": told.place, "state": state, "helps": helps,
        "on_medium": told.on_medium.as_deref().map(hex), "right": told.right.as_deref().map(hex),
    })
}

fn hex(page: &Page) -> String {
    let mut text = String::with_capacity(2 * page.len());
    page.iter().for_each(|byte| {
        let _ = write!(text, "{byte:02x}");
    });
    text
}
