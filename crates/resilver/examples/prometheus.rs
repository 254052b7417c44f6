//! Prints a store's statistics in Prometheus' text format: `cargo run -p resilver --example prometheus -- DIR`.
//!
//! A service does the same behind an address of its own, each time it is scraped.

use std::collections::BTreeMap;

use resilver::{Db, Meter, Options};

/// Series by name, as the format wants them: all of a name together behind its type.
#[derive(Default)]
struct Prometheus {
    series: BTreeMap<&'static str, (&'static str, Vec<String>)>,
}

impl Prometheus {
    fn add(&mut self, kind: &'static str, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        let labels: Vec<_> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let (_, lines) = self.series.entry(name).or_insert((kind, Vec::new()));
        lines.push(format!("{name}{labels} {value}"));
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, (kind, lines)) in &self.series {
            text.push_str(&format!("# TYPE {name} {kind}\n{}\n", lines.join("\n")));
        }
        text
    }
}

impl Meter for Prometheus {
    fn counter(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        self.add("counter", name, labels, value);
    }

    fn gauge(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        self.add("gauge", name, labels, value);
    }
}

/// A label's value, as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("name the directory of a store")?;
    let db = Db::open_read_only(dir, Options::new())?;
    let mut prometheus = Prometheus::default();
    db.measure(&mut prometheus)?;
    print!("{}", prometheus.text());
    Ok(())
}
