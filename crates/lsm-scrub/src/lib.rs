//! The patrol: reads everything a store holds before anybody needs it, and says what is not right any more.
//!
//! * [`patrol_scrub`] walks over everything in one call; [`Patrol`] does it step by step, and goes on after a
//!   restart where it was.
//! * [`Ground`] and [`Examiner`] are the store as a patrol sees it; [`Pace`], [`Crew`] and [`Memory`] give it time,
//!   threads and what lasts. Its owner implements them; nothing here starts a thread, reads a clock or a file.
//! * [`Control`] steers and watches it while it goes: rate, pause, cancellation, [`Progress`].
//! * [`Finding`] and [`Report`] say what was found; [`Cycle`] says how much should be done now.
//!
//! **Invariant**: a pass runs to its end whatever it meets, examines each page of each file that was there when it
//! began exactly once (after a kill, some of the file it was in twice), and leaves out none but those of files that
//! are gone.
//!
//! How a page is proven, mended and healed is left to others.
//!
//! See [`patrol_scrub`] for an example.
#![forbid(unsafe_code)]

// What is patrolled, and what is found.
mod file;
mod finding;
mod ground;
mod report;

// What a patrol is given.
mod around;
mod control;
mod crew;
mod memory;
mod options;
mod pace;

// What it remembers.
mod note;
mod pass;
mod record;

// What next, how fast: values, without effects.
mod back_off;
mod bucket;
mod cycle;
mod order;

// Walking.
mod desk;
mod patrol;
mod worker;

pub use around::Around;
pub use control::{Control, Progress};
pub use crew::{Crew, OneThread};
pub use cycle::{Cycle, Due};
pub use file::{FileKind, FileRef, PatrolFile, Protection, Suspicion};
pub use finding::{Action, Finding, Found, Reason, Severity, Trouble};
pub use ground::{Examined, Examiner, Flaw, Ground, IoFault};
pub use memory::{Memory, MemoryFault, MemoryKey, NoMemory, RamMemory, Remembered};
pub use options::{Access, PatrolOptions, Scope, Start};
pub use pace::Pace;
pub use patrol::{Patrol, Step, patrol_scrub};
pub use record::RecordError;
pub use report::{End, Report};
