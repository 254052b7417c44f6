//! Why a payload is not what its block's kind says.

/// A payload that contradicts itself although its checksum holds: a writer's fault, never the medium's.
///
/// ```
/// let error = sst_format::PayloadError { at: 7, what: "a key's length" };
/// assert!(error.to_string().contains("at byte 7"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the payload cannot be at byte {at}: {what}; no sound writer wrote it, restore the table from a copy"
)]
pub struct PayloadError {
    /// The byte of the payload.
    pub at: usize,
    /// What does not hold there.
    pub what: &'static str,
}
