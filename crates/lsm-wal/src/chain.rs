//! Which segments make up the history, and which numbers each answers for.
//!
//! Headers link each segment to the one before it. The newest header begins the walk back; what it does not
//! reach was abandoned after a failure. A segment ends where the next one takes up. Segments come into use in
//! the order of their numbers.

use crate::{
    SegmentNo, SegmentRecord, SeqNo, Seqs,
    header::Header,
    segment::Position,
    survey::{Survey, Surveyed},
};

/// A recorded segment and what was found of it.
pub(crate) type Found = (SegmentRecord, Surveyed);

/// One segment of the history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Its place among the records.
    pub(crate) index: usize,
    /// Where the next segment takes up, and the end of what counts; none for the last.
    pub(crate) limit: Option<(SeqNo, Position)>,
}

/// Some numbers, and what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The place among the records of the segment that answers for them.
    pub(crate) index: usize,
    pub(crate) seqs: Seqs,
    pub(crate) fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They are there.
    Kept,
    /// They were durable and are not there.
    Lost,
}

/// The history as the segments tell it.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) spans: Vec<Span>,
    /// The number behind the last that counts.
    pub(crate) next: SeqNo,
}

/// The segments of the history, oldest first.
pub(crate) fn links(found: &[Found]) -> Vec<Link> {
    let Some(newest) = newest(found) else { return Vec::new() };
    let mut links = vec![Link { index: newest, limit: None }];
    let mut at = newest;
    // Each segment is passed once at most, so the walk ends.
    while links.len() < found.len() {
        let survey = survey(found, at);
        let header = survey.and_then(|survey| survey.header);
        let before = match header {
            Some(header) => named(found, &header),
            None => older(found, &links).map(|index| (index, Position(u64::MAX))),
        };
        let Some((index, end)) = before.filter(|(index, _)| links.iter().all(|link| link.index != *index))
        else {
            break;
        };
        // A segment that is gone answers for what lies between its neighbours.
        let first =
            survey.and_then(Survey::first).or(links.last().and_then(|link| link.limit.map(|limit| limit.0)));
        links.push(Link { index, limit: first.map(|first| (first, end)) });
        at = index;
    }
    links.reverse();
    links
}

/// The segment put to use last: by its header, or if that is lost, by its number.
fn newest(found: &[Found]) -> Option<usize> {
    let headed = (0..found.len()).filter_map(|index| Some((header(found, index)?.generation, index)));
    let headed = headed.max().map(|(_, index)| index);
    let number = |index: usize| found[index].0.number;
    let headless = (0..found.len()).filter(|&index| {
        let used = survey(found, index).is_some_and(|survey| survey.header.is_none() && survey.is_used());
        used && headed.is_none_or(|headed| number(index) > number(headed))
    });
    headless.max_by_key(|&index| number(index)).or(headed)
}

/// The segment that a header names, if it is recorded.
fn named(found: &[Found], header: &Header) -> Option<(usize, Position)> {
    let before = header.predecessor?;
    let is_it = |(record, _): &Found| record.number == before.number && record.uid == before.uid;
    Some((found.iter().position(is_it)?, before.end))
}

/// Where a segment that cannot say it takes up: behind the newest that was made before it.
fn older(found: &[Found], links: &[Link]) -> Option<usize> {
    let number = |index: usize| found[index].0.number;
    let behind = links.iter().map(|link| number(link.index)).min()?;
    let candidates = (0..found.len()).filter(|&index| number(index) < behind);
    candidates
        .filter(|&index| survey(found, index).is_some_and(Survey::is_used))
        .max_by_key(|&index| (header(found, index).map(|header| header.generation), number(index)))
}

pub(crate) fn survey(found: &[Found], index: usize) -> Option<&Survey> {
    match &found.get(index)?.1 {
        Surveyed::There(survey) => Some(survey),
        Surveyed::Missing | Surveyed::Newer => None,
    }
}

fn header(found: &[Found], index: usize) -> Option<Header> {
    survey(found, index)?.header
}

/// What the segments of the history hold, number by number.
pub(crate) fn outline(found: &[Found], links: &[Link]) -> Outline {
    let mut outline = Outline::default();
    // An oldest segment without a header cannot say where it began: then it is taken to have had everything.
    let oldest = links.first().and_then(|link| header(found, link.index));
    outline.next = oldest.map_or(SeqNo::FIRST, |header| header.first);
    for link in links {
        let survey = survey(found, link.index);
        let limit = link.limit.map(|(next, _)| next);
        let proven = limit.or(survey.map(Survey::proven)).unwrap_or_default();
        for run in survey.map_or(&[][..], |survey| &survey.runs) {
            let run = Seqs {
                first: run.seqs.first,
                next: limit.map_or(run.seqs.next, |limit| limit.min(run.seqs.next)),
            };
            if run.next <= outline.next || run.first >= run.next {
                continue;
            }
            if run.first > outline.next {
                if run.first > proven {
                    break;
                }
                outline.push(link.index, run.first, Fate::Lost);
            }
            outline.push(link.index, run.next, Fate::Kept);
        }
        outline.push(link.index, proven, Fate::Lost);
    }
    outline
}

impl Outline {
    /// Forgets everything from `seq` on.
    pub(crate) fn cut(&mut self, seq: SeqNo) {
        self.spans.retain(|span| span.seqs.first < seq);
        for span in &mut self.spans {
            span.seqs.next = span.seqs.next.min(seq);
        }
        self.next = self.next.min(seq);
    }

    /// Tells what became of the numbers up to `next`.
    fn push(&mut self, index: usize, next: SeqNo, fate: Fate) {
        let seqs = Seqs::new(self.next, next);
        if !seqs.is_empty() {
            self.spans.push(Span { index, seqs, fate });
            self.next = seqs.next;
        }
    }
}

/// What it means that a segment is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// It came into use: its header was durable before it was listed.
    InUse,
    /// There is a file of its name.
    ByName,
}

/// Segments with which an unknown end of the history may be lost: the last, if it is cut, and those that came into
/// use behind it and of which nothing is left.
pub(crate) fn lost_ends(found: &[Found], links: &[Link], listed: Listed) -> Vec<SegmentNo> {
    let last = links.last().map(|link| found[link.index].0.number);
    let gone = found.iter().filter(|(record, what)| match what {
        Surveyed::Missing => last.is_none_or(|last| record.number > last),
        Surveyed::There(survey) if survey.is_used() => last == Some(record.number) && survey.is_cut(),
        Surveyed::There(survey) => {
            let is_empty = listed == Listed::ByName && !survey.is_cut();
            last.is_none_or(|last| record.number > last) && !is_empty
        }
        Surveyed::Newer => false,
    });
    gone.map(|(record, _)| record.number).collect()
}
