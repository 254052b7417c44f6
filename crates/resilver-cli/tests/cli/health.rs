//! `health`, `report` and the health page, with and without a browser.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::care::{file, store};
use crate::stage::Stage;

fn page(stage: &Stage) -> String {
    String::from_utf8(stage.read("p.html")).unwrap()
}

/// Whether a page loads or runs anything.
#[track_caller]
fn check_self_contained(html: &str) {
    for forbidden in
        ["://", "src=", "href=\"/", "url(", "@import", "<script", "<iframe", "<link", "onerror=\""]
    {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for needed in ["<html lang=\"en\">", "name=\"viewport\"", "prefers-color-scheme:dark", "<h1 id=\"said\">"]
    {
        assert!(html.contains(needed), "{needed}");
    }
    assert_eq!(html.matches("<svg").count(), html.matches("role=\"img\" aria-label=\"").count());
    assert!(html.len() < 2_000_000);
}

#[test]
fn a_store_says_how_it_is_from_healthy_to_lost() {
    let stage = store();
    let told = stage.expect(0, &["health", "s"]);
    assert_eq!(told.json["verdict"], "healthy", "{:#}", told.json);
    assert_eq!(stage.expect(0, &["report", "s", "--html", "p.html"]).json["verdict"], "healthy");
    check_self_contained(&page(&stage));

    let name = file(&stage, ".table");
    stage.expect(0, &["damage", &name, "--zero-page", "3"]);
    let told = stage.expect(3, &["report", "s", "--html", "p.html"]);
    assert_eq!(told.json["verdict"], "degraded");
    assert!(page(&stage).contains("1 rebuildable"));

    stage.expect(3, &["--db", "s", "scrub"]);
    let told = stage.expect(0, &["--db", "s", "health"]);
    assert_eq!(told.json["verdict"], "healed", "{:#}", told.json);
    let kinds: Vec<_> = told.json["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert!(
        kinds.contains(&&"scrub".into())
            && kinds.contains(&&"heal".into())
            && kinds.contains(&&"pass".into())
    );
    stage.expect(0, &["report", "s", "--html", "p.html"]);
    assert!(page(&stage).contains("1 healed"));

    let pages = stage.read(&name).len() / 4096;
    stage.expect(0, &["damage", &name, "--hole", &format!("4096:{}", pages / 2 * 4096)]);
    let told = stage.expect(4, &["report", "s", "--html", "p.html"]);
    assert_eq!(told.json["verdict"], "data_loss");
    check_self_contained(&page(&stage));
    // A scrub meets it, and from then on the ledger knows.
    stage.expect(4, &["--db", "s", "scrub"]);
    assert_eq!(stage.expect(4, &["health", "s"]).json["reasons"][0]["reason"], "lost");
}

#[test]
fn nothing_but_an_older_page_is_written_over() {
    let stage = store();
    std::fs::write(stage.path("p.html"), "my own page").unwrap();
    assert!(stage.expect(1, &["report", "s", "--html", "p.html"]).stderr.contains("is there already"));
    assert_eq!(stage.read("p.html"), b"my own page");
    std::fs::remove_file(stage.path("p.html")).unwrap();
    stage.expect(0, &["report", "s", "--html", "p.html"]);
    stage.expect(0, &["report", "s", "--html", "p.html"]);
    stage.expect(1, &["report", "s", "--html", "no/such/dir.html"]);
    stage.expect(1, &["report", "nowhere", "--html", "q.html"]);
    stage.expect(1, &["health", "nowhere"]);
    stage.expect(2, &["health"]);
    stage.expect(2, &["report", "s"]);
    assert!(!stage.path("q.html").exists());
}

#[test]
fn what_a_store_is_called_is_text_on_its_page() {
    let stage = Stage::empty();
    let (dir, keyspace) = ("s<img src=x onerror=alert(1)>", "<script>alert('k')</script>\u{202e}\"&\n");
    let line = format!("key\t{}\n", "x".repeat(60_000));
    let lines: String = (0..40).map(|number| format!("{number}{line}")).collect();
    std::fs::write(stage.path("lines"), lines).unwrap();
    stage.expect(0, &["--db", dir, "--keyspace", keyspace, "load", "lines"]);
    let told = stage.expect(0, &["report", dir, "--html", "p.html"]);
    assert_eq!(told.json["verdict"], "healthy");
    let html = page(&stage);
    for markup in ["<img", "<script", "\u{202e}", "alert('k')"] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert!(html.contains("&lt;script&gt;alert(&#39;k&#39;)&lt;/script&gt;\u{fffd}&quot;&amp;"));
}

/// The browser to look with: what the environment names, or the first that is found.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("RESILVER_CHROMIUM") {
        return Some(named.into());
    }
    let dirs: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = dirs.iter().flat_map(|dir| names.map(|name| dir.join(name)));
    found.find(|path| path.is_file())
}

/// The page as a browser has it, in a window of this width.
fn seen(browser: &Path, stage: &Stage, width: u32) -> Option<String> {
    let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-component-update \
                 --disable-background-networking --disable-sync --hide-scrollbars --dump-dom";
    let mut child = Command::new(browser)
        .args(flags.split_whitespace())
        .arg(format!("--user-data-dir={}", stage.path(format!("profile{width}")).display()))
        .arg(format!("--window-size={width},2000"))
        .arg(format!("file://{}", stage.path("q.html").display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdout = child.stdout.take()?;
    let reading = std::thread::spawn(move || {
        let mut dom = String::new();
        stdout.read_to_string(&mut dom).map(|_| dom)
    });
    let begun = Instant::now();
    while child.try_wait().ok()?.is_none() {
        if begun.elapsed() > Duration::from_secs(120) {
            child.kill().ok()?;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    reading.join().ok()?.ok().filter(|dom| dom.contains("</html>"))
}

fn say_skipped(why: &str) {
    // Past what the harness captures: whoever runs this should see that nothing was looked at.
    let _ = writeln!(std::io::stderr(), "skipped: the health page was not looked at in a browser: {why}");
}

/// What is asked of the page from inside: it fits its window, and what a keyboard reaches can be named.
const QUESTIONS: &str = "<script>
const root = document.documentElement, all = q => [...document.querySelectorAll(q)];
const answers = {
  fits: root.scrollWidth <= innerWidth,
  named: all('svg').every(s => s.getAttribute('aria-label')),
  opens: all('details').every(d => { d.open = true; return d.querySelector('summary').tabIndex === 0 && d.lastElementChild.offsetHeight > 0 }),
  heads: all('h1').length === 1 && all('h2').length >= 4,
  rows: all('section[aria-labelledby]').every(s => document.getElementById(s.getAttribute('aria-labelledby'))),
  seen: all('svg').every(s => s.getBoundingClientRect().width > 100),
  stillfits: root.scrollWidth <= innerWidth,
};
document.title = 'answers ' + Object.entries(answers).map(e => e.join('=')).join(' ') + ' at ' + innerWidth;
</script>";

#[test]
fn a_browser_shows_the_page_on_desks_and_phones() {
    let Some(browser) = browser() else {
        return say_skipped("there is no chromium in PATH, and RESILVER_CHROMIUM names none");
    };
    let stage = store();
    let name = file(&stage, ".table");
    stage.expect(0, &["damage", &name, "--hole", "20000:65536"]);
    stage.expect(3, &["--db", "s", "scrub"]);
    stage.expect(0, &["damage", &name, "--flip-bit", "9000:3"]);
    stage.expect(3, &["report", "s", "--html", "p.html"]);
    let html = page(&stage);
    // The page itself runs nothing: the questions go into a copy that may.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    assert!(html.contains(policy));
    let asked = html.replace(policy, "").replace("</body>", &format!("{QUESTIONS}</body>"));
    std::fs::write(stage.path("q.html"), asked).unwrap();
    for width in [1280, 390] {
        let Some(dom) = seen(&browser, &stage, width) else {
            return say_skipped("the browser that was found shows nothing");
        };
        let at = dom.find("<title>").unwrap();
        let title = &dom[at..at + dom[at..].find("</title>").unwrap()];
        assert!(title.contains("answers fits=true"), "{width}: {title}");
        assert!(!title.contains("false"), "{width}: {title}");
        assert!(dom.contains(">Degraded</h1>"), "{width}");
    }
}
