//! What the ledger does not tell any more: how many events, and how many pages by their rungs.
//!
//! | at | len | field    | meaning                                                                          |
//! |---:|----:|----------|----------------------------------------------------------------------------------|
//! |  0 |   1 | version  | 1                                                                                |
//! |  1 |   8 | events   | that were dropped since the store was made                                       |
//! |  9 |  56 | evidence | of those: transient, corrected, (bits), copied, rebuilt, supplied, lost          |

use page_ecc::Evidence;

use super::{
    event::{Event, sum},
    event_bytes::{Bytes, put_evidence},
};

const VERSION: u8 = 1;

/// Events that were dropped, oldest first, so that the ledger stays within its bounds.
///
/// ```
/// assert_eq!(resilver::Tally::default().events, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub events: u64,
    /// How many pages they told of, by what helped; a page that was met twice may count twice.
    pub evidence: Evidence,
}

impl Tally {
    pub(super) fn count(&mut self, event: &Event) {
        self.add(&Self { events: 1, evidence: event.evidence });
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.events = self.events.saturating_add(other.events);
        self.evidence = sum(self.evidence, other.evidence);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.events.to_le_bytes());
        put_evidence(&mut bytes, &self.evidence);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let [VERSION] = bytes.array()? else { return None };
        let (events, evidence) = (bytes.u64()?, bytes.evidence()?);
        bytes.0.is_empty().then_some(Self { events, evidence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_keeps_its_bytes() {
        let evidence = Evidence { corrected: 2, lost: 7, ..Evidence::default() };
        let tally = Tally { events: 3, evidence };
        let mut golden = [0; 65];
        (golden[0], golden[1], golden[17], golden[57]) = (1, 3, 2, 7);
        assert_eq!(tally.encode(), golden);
        assert_eq!(Tally::decode(&golden), Some(tally));
        golden[0] = 2;
        assert_eq!(Tally::decode(&golden), None);
        assert_eq!(Tally::decode(&golden[..64]), None);
    }
}
