//! Healing and scrubbing: whatever happens meanwhile, reads are right, and what was wrong on the medium is put
//! right in the end.

mod crashes;
mod patient;
