//! Who remembers which segments a log consists of.

use page_ecc::Uid;
use twox_hash::XxHash3_128;

use crate::{RegistryError, SegmentNo, SegmentRecord};

/// The keeper of segment records, usually a manifest.
///
/// A log asks it for the name of each new segment and tells it of the segment when that comes into use: behind
/// its durable header, and before anything in it is acknowledged. So a segment on record is missed when nothing
/// is found of it, and one that is not on record held nothing.
///
/// ```
/// use lsm_wal::{Registry, RegistryError, SegmentNo, SegmentRecord, Uid};
/// #[derive(Debug)]
/// struct Manifest(std::sync::Mutex<Vec<SegmentRecord>>);
/// impl Registry for Manifest {
///     fn uid(&self, number: SegmentNo) -> Uid {
///         Uid::new(u128::from(number.get()).to_le_bytes()) // 128 random bits in earnest
///     }
///     fn record(&self, segment: &SegmentRecord) -> Result<(), RegistryError> {
///         self.0.lock().map_err(|_| "the manifest is broken")?.push(*segment); // durable in earnest
///         Ok(())
///     }
/// }
/// ```
pub trait Registry: Send + Sync + std::fmt::Debug {
    /// A name for segment `number`, never used before.
    fn uid(&self, number: SegmentNo) -> Uid;

    /// Makes the record durable: the segment comes into use. Its header is durable already.
    ///
    /// # Errors
    /// If it is not durable for certain; then nothing is acknowledged in the segment, and
    /// [`Log::trim`](crate::Log::trim) gives it back.
    fn record(&self, segment: &SegmentRecord) -> Result<(), RegistryError>;
}

/// Remembers nothing: the directory is the only list, and uids follow from the store's.
///
/// A segment file that vanishes at the end of such a log is not missed.
///
/// ```
/// use lsm_wal::{DirectoryOnly, Registry, SegmentNo, Uid};
/// let registry = DirectoryOnly::new(Uid::new([7; 16]));
/// assert_ne!(registry.uid(SegmentNo::new(1)), registry.uid(SegmentNo::new(2)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DirectoryOnly {
    store: Uid,
}

impl DirectoryOnly {
    /// For the log of `store`.
    #[must_use]
    pub const fn new(store: Uid) -> Self {
        Self { store }
    }
}

impl Registry for DirectoryOnly {
    fn uid(&self, number: SegmentNo) -> Uid {
        let words = [&self.store.to_bytes()[..], &number.get().to_le_bytes()].concat();
        Uid::new(XxHash3_128::oneshot(&words).to_le_bytes())
    }

    fn record(&self, _segment: &SegmentRecord) -> Result<(), RegistryError> {
        Ok(())
    }
}
