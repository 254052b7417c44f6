//! The health page: one HTML file that needs nothing else, no network and no script.
//!
//! **Invariant**: its length is bounded whatever the store: pictures by their cells, lists by the rows they show, and
//! what is left out is counted. Everything that a picture says is said in words too.

use std::fmt::Write as _;

use resilver::{FileKind, PageState, Verdict};

use super::{
    checkup::Checkup,
    date::Moment,
    markup::Shown,
    picture::{self, Marks, State},
    rows,
};
use crate::size::Bytes;

const STYLE: &str = include_str!("page.css");

/// Writes the page.
pub(super) fn page(checkup: &Checkup) -> String {
    let marks = Marks::of(&checkup.verified, &checkup.ledger.events);
    let mut html = String::with_capacity(64 << 10);
    head(&mut html, checkup);
    verdict(&mut html, checkup);
    figures(&mut html, checkup);
    whole(&mut html, checkup, &marks);
    rows::files(&mut html, checkup, &marks);
    rows::levels(&mut html, checkup);
    rows::ledger(&mut html, checkup);
    html.push_str(
        "</main>\n<footer><p>Made by <code>resilver report</code>. This page is one file; it loads nothing.</p></footer>\n\
         </body>\n</html>\n",
    );
    html
}

// Below, a string takes everything that is written to it.

fn head(html: &mut String, checkup: &Checkup) {
    let (dir, at) = (checkup.dir.display().to_string(), Moment(checkup.at));
    let _ = write!(
        html,
        "<!doctype html><!-- resilver health page -->\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#verdict\">To the verdict</a>\n\
         <header><p class=\"brand\">Resilver <span>health page</span></p>\
         <p class=\"where\"><code>{}</code><br><time datetime=\"{}Z\">{at} UTC</time></p></header>\n<main>\n",
        checkup.health.verdict,
        Shown(&dir),
        Shown(&dir),
        at.to_string().replace(' ', "T"),
    );
}

/// The verdict in a sentence.
const fn sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "Every page was looked at, and every page is right.",
        Verdict::Healed => "Something was wrong, and every page is right again. Nothing was lost.",
        Verdict::Degraded => "Every answer is right. Something is wrong that should be seen to.",
        Verdict::DataLoss => {
            "Some of what was written cannot be answered any more. Everything else is served."
        }
    }
}

const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy | Verdict::Healed => "&#10003;",
        Verdict::Degraded => "!",
        Verdict::DataLoss => "&#10005;",
    }
}

fn verdict(html: &mut String, checkup: &Checkup) {
    let verdict = checkup.health.verdict;
    let _ = writeln!(
        html,
        "<section id=\"verdict\" class=\"verdict {}\" tabindex=\"-1\" aria-labelledby=\"said\">\
         <span class=\"mark\" aria-hidden=\"true\">{}</span><div><h1 id=\"said\">{}</h1><p>{}</p></div></section>",
        verdict.name(),
        mark(verdict),
        capital(&verdict.to_string()),
        sentence(verdict),
    );
    if checkup.health.reasons.is_empty() {
        return;
    }
    html.push_str(
        "<section aria-labelledby=\"why\"><h2 id=\"why\">Why, and what to do</h2><ul class=\"reasons\">\n",
    );
    for reason in &checkup.health.reasons {
        let (said, advice) = (capital(&reason.to_string()), capital(reason.advice()));
        let _ = writeln!(
            html,
            "<li class=\"{}\"><strong>{}.</strong> {}.</li>",
            reason.verdict().name(),
            Shown(&said),
            coded(advice.trim_end_matches('.')),
        );
    }
    html.push_str("</ul></section>\n");
}

/// Advice with its commands set as such.
fn coded(advice: &str) -> String {
    let parts = advice.split('`').enumerate().map(|(at, part)| match at % 2 {
        0 => Shown(part).to_string(),
        _ => format!("<code>{}</code>", Shown(part)),
    });
    parts.collect()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

fn figures(html: &mut String, checkup: &Checkup) {
    let Checkup { verified, health, .. } = checkup;
    let (lost, wrong) = (verified.count(PageState::Lost), verified.count(PageState::Correctable));
    let tables = health.margins.iter().filter(|margin| margin.kind == FileKind::Table && margin.of > 0);
    let weakest = tables.min_by_key(|margin| margin.left);
    let weakest = weakest.map_or("no table".into(), |margin| format!("{} of {}", margin.left, margin.of));
    let (body, all) = rows::protected_bytes(checkup);
    let cost = match body {
        0 => "nothing yet".into(),
        _ => format!("{:.1} %", 100.0 * (all - body) as f64 / body as f64),
    };
    html.push_str("<dl class=\"figures\">\n");
    for (name, figure, note) in [
        ("Pages looked at", grouped(verified.pages), format!("in {} files", verified.files)),
        ("Wrong now", grouped(wrong), "and can be put right".into()),
        ("Lost", grouped(lost), "nothing brings them back".into()),
        ("Weakest margin", weakest, "pages a column can still lose".into()),
        ("Protection costs", cost, format!("{} on {} of data", Bytes(all - body), Bytes(body))),
        ("On record", checkup.ledger.events.len().to_string(), "events in the ledger".into()),
    ] {
        let _ = writeln!(html, "<div><dt>{name}</dt><dd><b>{figure}</b> <span>{note}</span></dd></div>");
    }
    html.push_str("</dl>\n");
}

fn whole(html: &mut String, checkup: &Checkup, marks: &Marks) {
    let verified = &checkup.verified;
    let mut counts = [0_u64; State::ALL.len()];
    for file in &verified.seen {
        marks.counts(&file.name).iter().for_each(|(state, count)| counts[*state as usize] += count);
    }
    counts[0] = verified.pages.saturating_sub(counts.iter().sum());
    let words: Vec<_> = State::ALL
        .into_iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {}", state.words().0))
        .collect();
    let cell = picture::pages_of_cell(verified.pages);
    let _ = write!(
        html,
        "<section aria-labelledby=\"map\"><h2 id=\"map\">Every page of the store</h2>\n<p>{}, file behind file{}.</p>\n",
        if cell == 1 { "Each square is a page".into() } else { format!("Each square is about {cell} pages") },
        if cell == 1 { "" } else { ", in the colour of the worst of them" },
    );
    html.push_str(&picture::map(verified, marks, &format!("Pages: {}", words.join(", "))));
    html.push_str("\n<ul class=\"legend\">\n");
    for (state, count) in State::ALL.into_iter().zip(counts) {
        let (name, meaning) = state.words();
        let _ = writeln!(
            html,
            "<li><span class=\"swatch {}\" aria-hidden=\"true\"></span><span><b>{name}</b> {} \
             <small>{meaning}</small></span></li>",
            state.class(),
            grouped(count)
        );
    }
    html.push_str("</ul></section>\n");
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join("\u{202f}")
}

#[cfg(test)]
mod tests {
    use resilver::{BadPage, Event, EventKind, LevelStats, Outcome, Rung, SeenFile, TreeStats};

    use super::*;

    /// A store of so many files and events, every second page of it lost, with names that are markup.
    fn checkup(files: u64, events: usize) -> Checkup {
        let mut checkup = Checkup { dir: "<i>".repeat(2000).into(), ..Checkup::default() };
        let keyspace: std::sync::Arc<str> = "<script>".repeat(30).into();
        for number in 0..files {
            let name: std::sync::Arc<str> = format!("{number:06}<b>.table").into();
            let (kind, pages) = (FileKind::Table, 300);
            let (region, rung, state, keys) = (resilver::Region::Body, Rung::Lost, PageState::Lost, None);
            let file = SeenFile {
                name: name.clone(),
                kind,
                pages,
                keyspace: Some(keyspace.clone()),
                level: Some(6),
                geometry: None,
            };
            checkup.verified.seen.push(file);
            checkup.verified.pages += pages;
            checkup.verified.bad.extend((0..pages).step_by(2).map(|page| BadPage {
                file: name.clone(),
                kind,
                page,
                state,
                keys: keys.clone(),
                region,
                rung,
            }));
        }
        let event =
            Event::new(EventKind::Read, Outcome::Lost).of_file("<b>".repeat(99)).with_note("<u>".repeat(99));
        checkup.ledger.events = vec![event.with_pages((0..99).map(|page| (page * 9, 3))); events];
        let levels = vec![LevelStats { tables: 1, ..LevelStats::default() }; 7];
        let stats = |_| TreeStats {
            name: keyspace.clone(),
            memtable_bytes: 0,
            sealed_memtables: 0,
            levels: levels.clone(),
        };
        checkup.stats.tables.keyspaces = (0..1000).map(stats).collect();
        checkup
    }

    #[test]
    fn the_page_is_bounded_whatever_the_store() {
        let html = page(&checkup(3000, 4096));
        assert!(html.len() < 2_000_000, "{} bytes", html.len());
        for rest in ["2750 more files, 2750 of them hurt", "3796 older events", "6600 more levels"] {
            assert!(html.contains(rest), "{rest}");
        }
    }

    #[test]
    fn names_of_the_store_are_no_markup() {
        let html = page(&checkup(3, 3));
        for markup in ["<script", "<i>", "<u>", "table<b", "<b><b>"] {
            assert!(!html.contains(markup), "{markup}");
        }
        assert!(html.contains("&lt;script&gt;"));
    }

    #[test]
    fn numbers_read_well() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1\u{202f}000"), (1_234_567, "1\u{202f}234\u{202f}567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
