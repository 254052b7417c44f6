//! The log's keeper: segments are named in the manifest as they come into use, before anything in them is
//! acknowledged.

use std::sync::Arc;

use lsm_core::{Change, Edit, SegmentRef, Store};
use lsm_wal::{Registry, RegistryError, SegmentNo, SegmentRecord};
use page_ecc::Uid;

/// Names segments in a store's manifest.
#[derive(Debug)]
pub(crate) struct Journal {
    store: Arc<Store>,
}

impl Journal {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

impl Registry for Journal {
    fn uid(&self, _: SegmentNo) -> Uid {
        self.store.new_uid()
    }

    fn record(&self, segment: &SegmentRecord) -> Result<(), RegistryError> {
        let SegmentRecord { number, uid, extent_pages } = *segment;
        let segment = SegmentRef { number: number.get(), uid, extent_pages };
        self.store.keeper().record(&Edit::new().and(Change::AddSegment { segment }))?;
        Ok(())
    }
}

/// The log's own word for a segment that the manifest names.
pub(crate) fn record_of(segment: &SegmentRef) -> SegmentRecord {
    let SegmentRef { number, uid, extent_pages } = *segment;
    SegmentRecord { number: SegmentNo::new(number), uid, extent_pages }
}
