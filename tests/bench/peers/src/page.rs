//! A comparison as one page: bars for each row, drawn here, so that the page needs nothing from anywhere.

use std::fmt::Write as _;

use crate::{
    rows::{Better, ROWS},
    told::{Comparison, Figure, short},
};

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2.5rem}h3{font-size:.95rem;margin:1.4rem 0 .2rem}\
small,.note{color:#5b6b7a}svg{display:block;width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#1b2733}\
.met{color:#1a7f4b}.missed{color:#b3261e}\
@media(prefers-color-scheme:dark){body{background:#14191f;color:#dde5ec}text{fill:#dde5ec}small,.note{color:#93a3b3}}";
const WIDTH: f64 = 800.0;
const LEFT: f64 = 120.0;
const RIGHT: f64 = 110.0;
const BAR: f64 = 20.0;

pub fn page(comparisons: &[Comparison]) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Resilver and its peers</title><style>{STYLE}</style><h1>Resilver and its peers</h1>\
         <p class=note>Bars are medians, lines the least and the most of all rounds of one run; thin bars are what the \
         processor alone would allow. Longer is better, except where it says that less is.</p>"
    );
    for comparison in comparisons {
        // A string takes everything.
        let _ = write!(page, "<h2>{}</h2>", comparison.head());
        for row in 0..ROWS.len() {
            write_row(&mut page, comparison, row);
        }
    }
    if let Some(comparison) = comparisons.first() {
        page.push_str("<h2>What is not alike</h2><ul class=note>");
        for kind in &comparison.kinds {
            let _ = write!(page, "<li><b>{}</b>: {}</li>", kind.name, kind.note);
        }
        page.push_str("</ul>");
    }
    page.push_str("</html>\n");
    page
}

fn write_row(page: &mut String, comparison: &Comparison, row: usize) {
    let figures: Vec<_> = (0..comparison.kinds.len())
        .filter_map(|engine| Some((engine, comparison.figure(engine, row)?)))
        .collect();
    let Some(most) = figures.iter().map(|(_, figure)| figure.most).reduce(f64::max) else { return };
    let shown = &ROWS[row];
    let less = if shown.better == Better::Less { ", less is better" } else { "" };
    let _ = write!(page, "<h3>{} <small>({}{less})</small>", shown.name.trim(), shown.unit);
    if let Some(over) = comparison.over_peers(row, Comparison::figure) {
        let _ = write!(page, " <small>{over:.2} times the better of fjall and RocksDB</small>");
    }
    match comparison.is_met(row) {
        Some(true) => {
            let _ = write!(page, " <small class=met>goal {} met</small>", escaped(&shown.goal.to_string()));
        }
        Some(false) => {
            let _ =
                write!(page, " <small class=missed>goal {} missed</small>", escaped(&shown.goal.to_string()));
        }
        None => {}
    }
    let _ = write!(page, "</h3><svg viewBox='0 0 {WIDTH} {}' role=img>", BAR * figures.len() as f64);
    let scale = (WIDTH - LEFT - RIGHT) / most.max(f64::MIN_POSITIVE);
    for (place, (engine, figure)) in figures.iter().enumerate() {
        let top = BAR * place as f64;
        let cpu = comparison.by_cpu(*engine, row).map(|cpu| (cpu.median * scale).min(WIDTH - LEFT - RIGHT));
        write_bar(page, comparison.kinds[*engine].name, top, *figure, scale, cpu);
    }
    page.push_str("</svg>");
}

fn write_bar(page: &mut String, name: &str, top: f64, figure: Figure, scale: f64, cpu: Option<f64>) {
    let color = match name {
        "resilver" => "#0a7ea4",
        "resilver-off" => "#6bb8d0",
        _ => "#9aa7b3",
    };
    let (middle, end) = (top + 9.0, LEFT + figure.most * scale + 6.0);
    let _ = write!(
        page,
        "<text x={} y={} text-anchor=end>{name}</text>\
         <rect x={LEFT} y={} width={:.1} height=11 fill='{color}'/>\
         <path d='M{:.1} {middle}H{:.1}' stroke='#1b2733' stroke-opacity=.55 />\
         <text x={end:.1} y={}>{}</text>",
        LEFT - 6.0,
        top + 13.0,
        top + 3.0,
        figure.median * scale,
        LEFT + figure.least * scale,
        LEFT + figure.most * scale,
        top + 13.0,
        short(Some(figure.median)),
    );
    if let Some(width) = cpu {
        let _ = write!(page, "<rect x={LEFT} y={} width={width:.1} height=2 fill='#d08a2e'/>", top + 15.0);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
