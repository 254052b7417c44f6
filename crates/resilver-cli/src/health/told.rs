//! Health as text and as JSON.

use std::{fmt::Write as _, path::Path};

use resilver::{Event, Health, Ledger, Verdict};
use serde_json::{Value, json};

use super::date::Moment;

/// Events that are printed; the others are in the JSON and on the page.
const EVENTS_SHOWN: usize = 8;
/// Files whose margin is printed, if something of them is wrong.
const MARGINS_SHOWN: usize = 8;

pub(super) fn text(dir: &Path, health: &Health, ledger: &Ledger) -> String {
    let mut text = format!("{}: {}\n", dir.display(), health.verdict.to_string().to_uppercase());
    // A string takes everything.
    for reason in &health.reasons {
        let mark = if reason.verdict() >= Verdict::Degraded { '!' } else { '-' };
        let _ = writeln!(text, "  {mark} {reason}\n      {}", reason.advice());
    }
    let wrong = health.margins.iter().filter(|margin| margin.wrong > 0).take(MARGINS_SHOWN);
    for margin in wrong {
        let _ = writeln!(
            text,
            "  {}: {} pages known to be wrong, {} of {} left to lose in its weakest column",
            margin.file, margin.wrong, margin.left, margin.of
        );
    }
    let dropped = ledger.dropped.events;
    let _ = match ledger.events.len() {
        0 => writeln!(text, "nothing is on record"),
        count if dropped == 0 => writeln!(text, "{count} events on record, the last of them:"),
        count => writeln!(text, "{count} events on record and {dropped} before them, the last of them:"),
    };
    for event in ledger.events.iter().rev().take(EVENTS_SHOWN) {
        let _ = writeln!(text, "  {} UTC  {event}", Moment(event.at));
    }
    if let Some(message) = &ledger.damage.message {
        let _ = writeln!(text, "the ledger is damaged: {message}");
    }
    text
}

pub(super) fn json(health: &Health, ledger: &Ledger) -> Value {
    let reasons = health.reasons.iter().map(|reason| {
        json!({
            "reason": reason.name(), "verdict": reason.verdict().name(),
            "text": reason.to_string(), "advice": reason.advice(),
        })
    });
    let margins = health.margins.iter().map(|margin| {
        json!({
            "file": &*margin.file, "kind": margin.kind.to_string(), "wrong": margin.wrong,
            "left": margin.left, "of": margin.of,
        })
    });
    let trend = json!({
        "last_week": health.trend.last_week, "weekly_before": health.trend.weekly_before,
        "is_growing": health.trend.is_growing,
    });
    json!({
        "verdict": health.verdict.name(), "reasons": reasons.collect::<Vec<_>>(),
        "margins": margins.collect::<Vec<_>>(), "trend": trend,
        "events": ledger.events.iter().map(event).collect::<Vec<_>>(),
        "events_dropped": ledger.dropped.events,
        "ledger_damage": ledger.damage.message.as_deref(),
    })
}

fn event(event: &Event) -> Value {
    let pages = event.pages.iter().map(|(first, count)| json!([first, count]));
    json!({
        "at_secs": event.at.as_secs(), "kind": event.kind.name(), "outcome": event.outcome.name(),
        "file": &*event.file, "pages": pages.collect::<Vec<_>>(), "rung": event.rung(),
        "times": event.times, "note": &*event.note,
    })
}
