//! How a demonstration is told at its end.

use std::fmt::Write as _;

use super::{Answers, Bytes, Exit, PageState, Report, Value, Verified, Wound, json};

/// What happened.
pub(super) struct Story<'a> {
    pub(super) wounds: &'a [Wound],
    pub(super) before: &'a Verified,
    pub(super) after: &'a Verified,
    pub(super) hurt: Answers,
    pub(super) healed: Answers,
    pub(super) secs: f64,
}

pub(super) fn report(story: &Story<'_>) -> Report {
    let exit = if is_right(story) { Exit::Fine } else { Exit::Lost };
    Report { exit, text: text(story), json: to_json(story) }
}

/// Pages of a file that are wrong, and how many of them nothing brings back.
fn bad(verified: &Verified, file: &str) -> (u64, u64) {
    let bad = verified.bad.iter().filter(|bad| &*bad.file == file);
    bad.fold((0, 0), |(all, lost), bad| (all + 1, lost + u64::from(bad.state == PageState::Lost)))
}

fn text(story: &Story<'_>) -> String {
    let mut text = String::new();
    // A string takes everything.
    let _ = writeln!(
        text,
        "{:<40} {:<22} {:>11} {:>9} {:>10}",
        "what was hurt", "file", "pages wrong", "survived", "healed"
    );
    for Wound { file, what } in story.wounds {
        let ((wrong, lost), (left, _)) = (bad(story.before, file), bad(story.after, file));
        let (survived, healed) = (if lost == 0 { "yes" } else { "NO" }, if left == 0 { "yes" } else { "NO" });
        let _ = writeln!(text, "{what:<40} {file:<22} {wrong:>11} {survived:>9} {healed:>10}");
    }
    let _ = writeln!(
        text,
        "\n{} files, {} pages, {}\n\
         read while hurt:  {} answers right, {} wrong, {} lost\n\
         read once healed: {} answers right, {} wrong, {} lost; {} pages still wrong\n\
         in {:.1} s: {}",
        story.after.files,
        story.after.pages,
        Bytes(story.after.bytes_read),
        story.hurt.right,
        story.hurt.wrong,
        story.hurt.lost,
        story.healed.right,
        story.healed.wrong,
        story.healed.lost,
        story.after.bad.len(),
        story.secs,
        match is_right(story) {
            true => "everything that was written came back, and the store is whole again",
            false => "NOT everything came back; please report this with the seed",
        },
    );
    text
}

fn is_right(story: &Story<'_>) -> bool {
    story.hurt.is_right() && story.healed.is_right() && story.after.bad.is_empty()
}

fn to_json(story: &Story<'_>) -> Value {
    let wounds = story.wounds.iter().map(|wound| {
        let ((wrong, lost), (left, _)) = (bad(story.before, &wound.file), bad(story.after, &wound.file));
        json!({
            "what": wound.what, "file": wound.file, "pages_wrong": wrong, "pages_lost": lost, "pages_left": left,
        })
    });
    let answers =
        |answers: Answers| json!({ "right": answers.right, "wrong": answers.wrong, "lost": answers.lost });
    json!({
        "wounds": wounds.collect::<Vec<_>>(), "while_hurt": answers(story.hurt),
        "once_healed": answers(story.healed), "pages_left": story.after.bad.len(), "seconds": story.secs,
        "is_right": is_right(story),
    })
}
