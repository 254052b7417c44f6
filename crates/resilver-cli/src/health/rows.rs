//! The lists of the health page: files, levels, events. Each shows so many rows at most and counts the rest.

use std::fmt::Write as _;

use resilver::{Event, Margin, PageNo, PageRanges, SeenFile};

use super::{
    checkup::Checkup,
    date::Moment,
    markup::Shown,
    picture::{self, Marks, State},
};
use crate::size::Bytes;

/// Files that have a picture of their own.
const FILES_MAX: usize = 250;
/// Levels of all keyspaces.
const LEVELS_MAX: usize = 400;
/// Events.
const EVENTS_MAX: usize = 300;

// Below, a string takes everything that is written to it.

/// Every file: what it is, how its pages are, and what it can still lose.
pub(super) fn files(html: &mut String, checkup: &Checkup, marks: &Marks) {
    let mut files: Vec<_> = checkup.verified.seen.iter().collect();
    // The worst first; among equals as they stand in the store.
    let worst = |file: &SeenFile| marks.of_file(&file.name).map(|(_, state)| state).max().unwrap_or_default();
    files.sort_by_key(|file| std::cmp::Reverse(worst(file)));
    let left_out = files.len().saturating_sub(FILES_MAX);
    let _ = write!(
        html,
        "<section aria-labelledby=\"files\"><h2 id=\"files\">File by file</h2>\n\
         <p>Each bar is a file from its first page to its last, hurt files first; the line below it is the \
         part that holds data, the rest protects it. The margin is how many more pages its weakest column can \
         lose; of log and manifest, how many copies.</p>\n<ul class=\"files\">\n"
    );
    for file in files.iter().take(FILES_MAX) {
        let margin = checkup.health.margins.iter().find(|margin| margin.file == file.name);
        file_row(html, file, margin, marks);
    }
    html.push_str("</ul>\n");
    if left_out > 0 {
        let rest = files.iter().skip(FILES_MAX);
        let hurt = rest.filter(|file| worst(file) > State::Mended).count();
        let _ = writeln!(html, "<p class=\"rest\">{left_out} more files, {hurt} of them hurt.</p>");
    }
    html.push_str("</section>\n");
}

fn file_row(html: &mut String, file: &SeenFile, margin: Option<&Margin>, marks: &Marks) {
    let counts = marks.counts(&file.name);
    let told: Vec<_> = counts.iter().map(|(state, count)| format!("{count} {}", state.words().0)).collect();
    let told = if told.is_empty() { "all clean".into() } else { told.join(", ") };
    let place = match (&file.keyspace, file.level) {
        (Some(keyspace), Some(level)) => format!("{} level {level}", Shown(keyspace)),
        _ => file.kind.to_string(),
    };
    let name = Shown(&file.name);
    let _ = write!(
        html,
        "<li><div class=\"name\"><code>{name}</code> <span>{place}</span> <span>{} pages</span> {}</div>{}",
        file.pages,
        margin.map(gauge).unwrap_or_default(),
        picture::strip(file, marks, &format!("{name}: {} pages, {told}", file.pages)),
    );
    if !counts.is_empty() {
        let _ =
            write!(html, "<details><summary>{told}<span class=\"unseen\"> in {name}</span></summary><ul>");
        for (state, _) in &counts {
            let of_state = marks.of_file(&file.name).filter(|(_, other)| other == state);
            let pages: PageRanges = of_state.map(|(page, _)| PageNo::new(page)).collect();
            let _ = write!(html, "<li><b>{}</b> pages {pages}</li>", state.words().0);
        }
        html.push_str("</ul></details>");
    }
    html.push_str("</li>\n");
}

/// What a file can still lose, as boxes and in words.
fn gauge(margin: &Margin) -> String {
    let class = match (margin.left, margin.of) {
        (_, 0) => "none",
        (0, _) => "empty",
        (left, of) if left < of => "part",
        _ => "full",
    };
    let boxes: String =
        (0..margin.of.min(8)).map(|at| if at < margin.left { '\u{25a0}' } else { '\u{25a1}' }).collect();
    format!(
        "<span class=\"margin {class}\"><span aria-hidden=\"true\">{boxes}</span> margin {} of {}</span>",
        margin.left, margin.of
    )
}

/// Bytes of tables' bodies, and of their files.
pub(super) fn protected_bytes(checkup: &Checkup) -> (u64, u64) {
    let levels = checkup.stats.tables.keyspaces.iter().flat_map(|keyspace| &keyspace.levels);
    levels.fold((0, 0), |(body, all), level| (body + level.body_bytes, all + level.file_bytes))
}

/// What stands where, and what protecting it costs.
pub(super) fn levels(html: &mut String, checkup: &Checkup) {
    let rows = checkup.stats.tables.keyspaces.iter().flat_map(|keyspace| {
        let used = keyspace.levels.iter().enumerate().filter(|(_, held)| held.tables > 0);
        used.map(|(level, held)| (&*keyspace.name, level, held))
    });
    let rows: Vec<_> = rows.collect();
    html.push_str(
        "<section aria-labelledby=\"levels\"><h2 id=\"levels\">Levels, and what protection costs</h2>\n",
    );
    if rows.is_empty() {
        html.push_str("<p>There are no tables yet: everything is in the log.</p></section>\n");
        return;
    }
    html.push_str(
        "<table><thead><tr><th scope=\"col\">Keyspace</th><th scope=\"col\">Level</th><th scope=\"col\">Tables</th>\
         <th scope=\"col\">Entries</th><th scope=\"col\">Data</th><th scope=\"col\">On disk</th>\
         <th scope=\"col\">Protection</th></tr></thead><tbody>\n",
    );
    for (keyspace, level, held) in rows.iter().take(LEVELS_MAX) {
        let cost = 100.0 * (held.file_bytes - held.body_bytes) as f64 / held.body_bytes.max(1) as f64;
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td data-of=\"Level\">{level}</td><td data-of=\"Tables\">{}</td>\
             <td data-of=\"Entries\">{}</td><td data-of=\"Data\">{}</td><td data-of=\"On disk\">{}</td>\
             <td data-of=\"Protection\">{cost:.1} %</td></tr>",
            Shown(keyspace),
            held.tables,
            held.entries,
            Bytes(held.body_bytes),
            Bytes(held.file_bytes),
        );
    }
    html.push_str("</tbody></table>\n");
    if let Some(more) = rows.len().checked_sub(LEVELS_MAX + 1) {
        let _ = writeln!(html, "<p class=\"rest\">{} more levels.</p>", more + 1);
    }
    let _ = writeln!(
        html,
        "<p class=\"rest\">The log is {} in {} segment(s), each written twice within itself. Small tables pay more, for \
         no hole of 64 KiB may take a column.</p></section>",
        Bytes(checkup.stats.log_bytes),
        checkup.stats.log_segments
    );
}

/// What happened, the newest first.
pub(super) fn ledger(html: &mut String, checkup: &Checkup) {
    let ledger = &checkup.ledger;
    html.push_str("<section aria-labelledby=\"ledger\"><h2 id=\"ledger\">The ledger</h2>\n");
    if let Some(message) = &ledger.damage.message {
        let _ = writeln!(
            html,
            "<p class=\"warn\"><strong>A part of the ledger cannot be read</strong>, and nothing else is the worse for \
             it: {}.</p>",
            Shown(message)
        );
    }
    if ledger.events.is_empty() {
        html.push_str("<p>Nothing ever happened to the bytes of this store.</p>\n");
    } else {
        html.push_str(
            "<table><thead><tr><th scope=\"col\">When (UTC)</th><th scope=\"col\">What</th><th scope=\"col\">File</th>\
             <th scope=\"col\">Pages</th><th scope=\"col\">Helped by</th><th scope=\"col\">Outcome</th></tr></thead>\
             <tbody>\n",
        );
        ledger.events.iter().rev().take(EVENTS_MAX).for_each(|event| event_row(html, event));
        html.push_str("</tbody></table>\n");
    }
    let (more, dropped) = (ledger.events.len().saturating_sub(EVENTS_MAX), ledger.dropped.events);
    if more + dropped as usize > 0 {
        let _ = writeln!(
            html,
            "<p class=\"rest\">{more} older events are not shown here, and {dropped} were dropped so that the ledger \
             stays small.</p>"
        );
    }
    html.push_str("</section>\n");
}

fn event_row(html: &mut String, event: &Event) {
    let mut pages = String::new();
    for (at, (first, count)) in event.pages.iter().take(6).enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        let _ = match count {
            1 => write!(pages, "{comma}{first}"),
            _ => write!(pages, "{comma}{first}\u{2013}{}", first + (count - 1)),
        };
    }
    if event.pages.len() > 6 {
        pages.push_str(" \u{2026}");
    }
    let times =
        if event.times > 1 { format!(" <small>{} times</small>", event.times) } else { String::new() };
    let note = match &*event.note {
        "" => String::new(),
        note => format!(" <small>{}</small>", Shown(note)),
    };
    let class = match event.outcome {
        outcome if outcome.is_bad() => "bad",
        outcome if outcome.is_healed() => "good",
        _ => "plain",
    };
    let _ = writeln!(
        html,
        "<tr class=\"{class}\"><th scope=\"row\">{}</th><td data-of=\"What\">{}{times}</td>\
         <td data-of=\"File\"><code>{}</code></td><td data-of=\"Pages\">{pages}</td>\
         <td data-of=\"Helped by\">{}</td><td data-of=\"Outcome\">{}{note}</td></tr>",
        Moment(event.at),
        event.kind,
        Shown(&event.file),
        event.rung().unwrap_or(""),
        event.outcome,
    );
}
