//! Sends what happens to a store's bytes to the `log` facade, by how bad it is:
//! `cargo run -p resilver --example log_events -- DIR` scrubs a store and prints what is logged.

use std::sync::Arc;

use log::{Level, LevelFilter, Log, Metadata, Record};
use resilver::{Event, Listener, Options, PatrolOptions, ScrubControl};

/// Wires events to a log.
#[derive(Debug)]
struct ToLog;

impl Listener for ToLog {
    fn heard(&self, event: &Event) {
        let level = match event.outcome {
            outcome if outcome.is_bad() => Level::Error,
            _ if event.is_damage() => Level::Warn,
            _ => Level::Info,
        };
        log::log!(target: "resilver::events", level, "{event}");
    }
}

/// A log that goes to stdout; a program has its own.
struct Print;

impl Log for Print {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        println!("{} {}: {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    log::set_logger(&Print).map_err(|error| error.to_string())?;
    log::set_max_level(LevelFilter::Info);
    let dir = std::env::args().nth(1).ok_or("name the directory of a store, which is then scrubbed")?;
    let db = Options::new().listener(Arc::new(ToLog)).open(dir)?;
    db.scrub(&PatrolOptions::new(), &ScrubControl::new())?;
    db.close()?;
    Ok(())
}
