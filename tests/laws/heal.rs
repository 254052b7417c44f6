//! Healing and scrubbing: whatever happens meanwhile, reads are right, and what was wrong on the medium is put
//! right in the end.

mod cost;
mod crashes;
mod live;
mod log_end;
mod others;
mod patient;
mod resumed;
