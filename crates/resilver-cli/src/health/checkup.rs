//! Everything a health page tells of: gathered once, from a store that nobody has open.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use resilver::{Db, Health, Ledger, LogLoss, Options, Stats, Verified};

use crate::{care::verify_store, failure::Failure, voice::Voice};

/// What is known of a store after a look at every page.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkup {
    pub(super) dir: PathBuf,
    /// When, since 1970.
    pub(super) at: Duration,
    pub(super) health: Health,
    pub(super) ledger: Ledger,
    pub(super) verified: Verified,
    pub(super) stats: Stats,
}

impl Checkup {
    pub(super) fn of(dir: &Path, options: &Options, voice: &Voice) -> Result<Self, Failure> {
        let verified = verify_store(dir, options, voice)?;
        let db = Db::open_read_only(dir, options.clone().log_loss(LogLoss::Accept))?;
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (health, ledger, stats) = (db.health_as_verified(&verified)?, db.ledger()?, db.stats());
        Ok(Self { dir: dir.to_owned(), at, health, ledger, verified, stats })
    }
}
