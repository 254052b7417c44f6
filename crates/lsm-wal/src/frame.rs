//! Frames as bytes: cutting them into pieces, and how long that makes them.

use page_ecc::PAGE_LEN;

use crate::{
    SeqNo, Seqs,
    piece::{Kind, Origin, Piece, ROOM_MIN, Salter, Share, head_len},
    segment::Position,
};

/// The longest payload of one frame.
pub(crate) const PAYLOAD_MAX: u64 = (1 << 30) + (1 << 20);

/// What a frame says of its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHead {
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
    pub(crate) seqs: Seqs,
    pub(crate) watermark: SeqNo,
}

/// Frames on their way into a segment: one run of bytes of its extents.
#[derive(Debug)]
pub(crate) struct Strip {
    salter: Salter,
    start: Position,
    bytes: Vec<u8>,
}

impl Strip {
    /// A run that starts at `start` and has these bytes already.
    pub(crate) fn new(salter: Salter, start: Position, bytes: Vec<u8>) -> Self {
        Self { salter, start, bytes }
    }

    /// Where it ends now.
    pub(crate) fn end(&self) -> Position {
        Position(self.start.0 + self.bytes.len() as u64)
    }

    /// Adds a frame.
    pub(crate) fn push(&mut self, head: FrameHead, payload: &[u8]) {
        self.turn_page();
        let share = head.share(PAGE_LEN - self.end().in_page(), payload.len() as u64);
        let mut at = 0;
        loop {
            self.turn_page();
            let position = self.end();
            let len = (payload.len() - at).min(PAGE_LEN - position.in_page() - head.len(share));
            let piece = Piece {
                kind: head.kind,
                origin: head.origin,
                len: len as u16,
                frame_len: payload.len() as u32,
                at: at as u32,
                count: head.seqs.count() as u32,
                first: head.seqs.first,
                watermark: head.watermark,
            };
            piece.encode(&payload[at..at + len], self.salter, position, &mut self.bytes);
            at += len;
            if at == payload.len() {
                return;
            }
        }
    }

    /// Fills the page up with zeros if it has no room for a piece.
    fn turn_page(&mut self) {
        if PAGE_LEN - self.end().in_page() < ROOM_MIN {
            let full = self.end().round_up().0 - self.start.0;
            self.bytes.resize(full as usize, 0);
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl FrameHead {
    /// Where a frame with `len` bytes of payload ends that is put at `start`.
    pub(crate) fn end(&self, start: Position, len: u64) -> Position {
        let room = PAGE_LEN - start.in_page();
        let (start, room) = if room < ROOM_MIN { (start.round_up(), PAGE_LEN) } else { (start, room) };
        let share = self.share(room, len);
        let here = (room - self.len(share)) as u64;
        if len <= here {
            return Position(start.0 + self.len(share) as u64 + len);
        }
        let (pages, rest) = self.spread(len - here);
        Position(start.0 + room as u64 + pages * PAGE_LEN as u64 + rest)
    }

    /// Whether a page with `room` bytes left has room for a frame with so much payload.
    fn share(&self, room: usize, len: u64) -> Share {
        if len <= (room - self.len(Share::Whole)) as u64 { Share::Whole } else { Share::Part }
    }

    /// Full pages, and bytes of one more, of so much payload in parts that start at a page.
    fn spread(&self, len: u64) -> (u64, u64) {
        let head = self.len(Share::Part) as u64;
        let (pages, rest) = (len / (PAGE_LEN as u64 - head), len % (PAGE_LEN as u64 - head));
        (pages, if rest == 0 { 0 } else { head + rest })
    }

    const fn len(&self, share: Share) -> usize {
        head_len(self.seqs.first, self.seqs.next, self.watermark, share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_frame_is_where_encoding_it_ends() {
        let head = FrameHead {
            kind: Kind::Changes,
            origin: Origin::Appended,
            seqs: Seqs::new(SeqNo::new(1), SeqNo::new(2)),
            watermark: SeqNo::new(1),
        };
        let payload = vec![7; 20_000];
        // What a page takes whole, and in its first part and one more.
        let (whole, parts) = (4096 - 14, 2 * (4096 - 22));
        for start in (4096..8192 + 200).step_by(13).chain(8100..8193) {
            for len in (0..20_000).step_by(997).chain([1, whole - 1, whole, whole + 1, parts, parts + 1]) {
                let start = Position(start);
                let mut strip = Strip::new(Salter::new(page_ecc::Uid::new([1; 16])), start, Vec::new());
                strip.push(head, &payload[..len]);
                assert_eq!(strip.end(), head.end(start, len as u64), "{start} {len}");
            }
        }
    }
}
