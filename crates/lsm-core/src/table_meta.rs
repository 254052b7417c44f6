//! What a version knows of a table without opening it.

use page_ecc::Descriptor;
use sst_format::{Properties, SeqNo};

use crate::{FileId, KeyBounds};

/// A table of a version.
///
/// The manifest keeps its descriptor too, so a table whose head and tail are both gone still opens, and a
/// file that was replaced as a whole is noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMeta {
    /// Its file.
    pub id: FileId,
    /// The sealed file's own description; its uid is the table's.
    pub descriptor: Descriptor,
    /// The keys it concerns, range deletes included.
    pub bounds: KeyBounds,
    /// The lowest sequence number in it.
    pub seq_low: SeqNo,
    /// The highest.
    pub seq_high: SeqNo,
    /// Entries in it.
    pub entries: u64,
    /// Deletes and single deletes among them.
    pub deletes: u64,
    /// Range deletes in it.
    pub range_deletes: u64,
    /// Loss markers in it.
    pub losses: u64,
}

impl TableMeta {
    /// The meta of a written table.
    #[must_use]
    pub fn new(id: FileId, descriptor: Descriptor, bounds: KeyBounds, properties: &Properties) -> Self {
        Self {
            id,
            descriptor,
            bounds,
            seq_low: properties.seq_low,
            seq_high: properties.seq_high,
            entries: properties.entries,
            deletes: properties.deletes + properties.single_deletes,
            range_deletes: properties.range_deletes,
            losses: properties.losses,
        }
    }

    /// Bytes of the sealed file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.descriptor.geometry().total_len()
    }

    /// Bytes of its body: what levels are measured by.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.descriptor.geometry().body_len()
    }
}
