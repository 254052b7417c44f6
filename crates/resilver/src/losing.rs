//! What a store lost: told by keyspace and key range, and given up where its owner says so.
//!
//! **Invariant**: nothing here makes a read answer that would fail, but [accepting a loss](crate::Keyspace::accept_loss) by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use bytes::Bytes;
use lsm_core::{AcceptStep, FileId, KnownLoss, TreeId};
use page_ecc::PageRanges;

use crate::{
    Error, Event, EventKind, Outcome,
    engine::{Engine, WAIT_FOR_JOBS},
    healing::file_name,
    health::lost_on_record,
    ledger::Take,
    system::SYSTEM_KEYSPACE,
};

/// Bytes of a key that a line shows.
const KEY_SHOWN_MAX: usize = 40;

/// Keys of which something may be lost, and where it was lost.
///
/// A read of such a key fails, unless something newer than [`seq_high`](Self::seq_high) was written to it. See
/// [`Db::losses`](crate::Db::losses).
///
/// ```
/// use std::ops::Bound;
/// use resilver::LostKeys;
/// let lost = LostKeys {
///     keyspace: "users".into(),
///     lower: Bound::Included("anna".into()),
///     upper: Bound::Excluded("bert".into()),
///     seq_low: 12,
///     seq_high: 90,
///     file: "000007.table".into(),
///     pages: Default::default(),
/// };
/// assert!(lost.holds(b"arno") && !lost.holds(b"bert"));
/// assert_eq!(lost.to_string(), "users: \"anna\" up to \"bert\", changes 12 to 90");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostKeys {
    /// The keyspace.
    pub keyspace: Arc<str>,
    /// From which key.
    pub lower: Bound<Bytes>,
    /// To which key.
    pub upper: Bound<Bytes>,
    /// The lowest sequence number that may be lost.
    pub seq_low: u64,
    /// The highest.
    pub seq_high: u64,
    /// The file that lost it, or that holds the marker which stands for it.
    pub file: Arc<str>,
    /// The lost pages of the file; none for a marker, which was made of pages of a file that is in quarantine.
    pub pages: PageRanges,
}

impl LostKeys {
    pub(crate) fn of(keyspace: &Arc<str>, known: KnownLoss) -> Self {
        Self {
            keyspace: keyspace.clone(),
            lower: known.lower,
            upper: known.upper,
            seq_low: known.seq_low.get(),
            seq_high: known.seq_high.get(),
            file: file_name(known.tree, known.table),
            pages: known.pages,
        }
    }

    /// Whether a key is among them, in the order of bytes.
    #[must_use]
    pub fn holds(&self, key: &[u8]) -> bool {
        let range = (self.lower.as_ref().map(|key| &key[..]), self.upper.as_ref().map(|key| &key[..]));
        RangeBounds::<[u8]>::contains(&range, key)
    }
}

impl fmt::Display for LostKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.keyspace)?;
        match &self.lower {
            Bound::Unbounded => f.write_str("the first key")?,
            Bound::Included(key) => write!(f, "{}", ShownKey(key))?,
            Bound::Excluded(key) => write!(f, "behind {}", ShownKey(key))?,
        }
        match &self.upper {
            Bound::Unbounded => f.write_str(" and everything behind it")?,
            Bound::Included(key) => write!(f, " up to and with {}", ShownKey(key))?,
            Bound::Excluded(key) => write!(f, " up to {}", ShownKey(key))?,
        }
        write!(f, ", changes {} to {}", self.seq_low, self.seq_high)
    }
}

/// As much of a key as a line has room for.
pub(crate) struct ShownKey<'a>(pub(crate) &'a [u8]);

impl fmt::Display for ShownKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(KEY_SHOWN_MAX)];
        let rest = if shown.len() < self.0.len() { ".." } else { "" };
        write!(f, "\"{}{rest}\"", shown.escape_ascii())
    }
}

impl Engine {
    pub(crate) fn tree_names(&self) -> BTreeMap<TreeId, Arc<str>> {
        let catalog = self.store.keeper().catalog();
        let users = catalog.trees.iter().filter(|(_, state)| &*state.name != SYSTEM_KEYSPACE);
        users.map(|(&tree, state)| (tree, state.name.clone())).collect()
    }

    /// What is known to be lost of what users wrote.
    pub(crate) fn losses(&self) -> Result<Vec<LostKeys>, Error> {
        self.check_open()?;
        self.suspect_on_record()?;
        let names = self.tree_names();
        let known = self.store.losses()?.into_iter();
        Ok(known.filter_map(|known| Some(LostKeys::of(names.get(&known.tree)?, known))).collect())
    }

    /// What users lost in these tables, and what is known of others.
    pub(crate) fn losses_among(&self, tables: &BTreeSet<FileId>) -> Result<Vec<LostKeys>, Error> {
        let names = self.tree_names();
        let known = self.store.losses_among(tables)?.into_iter();
        Ok(known.filter_map(|known| Some(LostKeys::of(names.get(&known.tree)?, known))).collect())
    }

    /// Gives up what is known to be lost of a keyspace between two keys.
    pub(crate) fn accept_loss(
        &self,
        tree: TreeId,
        lower: Bound<Bytes>,
        upper: Bound<Bytes>,
    ) -> Result<Vec<LostKeys>, Error> {
        self.log()?;
        self.suspect_on_record()?;
        let names = self.tree_names();
        let name = names.get(&tree).ok_or(lsm_core::Error::NoTree { tree })?;
        // The ledger is needed for what follows, and may have lost something itself.
        self.forget_lost_memory()?;
        let known = self.store.accept(tree, lower.clone(), upper.clone())?.known(&|| self.bell.is_over())?;
        if known.is_empty() {
            return Err(Error::NotLost { keyspace: name.clone() });
        }
        self.record_acceptance(known.into_iter().map(|known| LostKeys::of(name, known)).collect())?;
        let accepted = self.give_up(tree, lower, upper)?;
        self.store.forget_gone_hints()?;
        self.store.sweep()?;
        self.trim_quarantine();
        for loss in &accepted {
            log::warn!("{name}: what {} lost up to {} was given up", loss.table, loss.seq_high);
        }
        Ok(accepted.into_iter().map(|known| LostKeys::of(name, known)).collect())
    }

    /// Has tables looked at which lost pages by what the ledger says: with healing off, nothing else remembers it.
    fn suspect_on_record(&self) -> Result<(), Error> {
        let on_record = lost_on_record(&self.ledger()?.events);
        if on_record.is_empty() {
            return Ok(());
        }
        let tables = self.store.tables().into_iter();
        for stored in tables.filter(|stored| on_record.contains_key(&file_name(stored.tree, stored.table.id)))
        {
            self.store.suspect(stored.tree, stored.table.id);
        }
        Ok(())
    }

    /// Puts on record, durably and before anything is changed, that somebody gives up these. A ledger that cannot be
    /// written stands in nobody's way.
    fn record_acceptance(&self, given_up: Vec<LostKeys>) -> Result<(), Error> {
        let Some(first) = given_up.first() else { return Ok(()) };
        let note = match given_up.len() {
            1 => first.to_string(),
            count => format!("{count} ranges, among them {first}"),
        };
        self.record(Event::new(EventKind::LossAccepted, Outcome::Accepted).with_note(note));
        self.write_ledger(Take::All);
        self.sync()
    }

    /// Gives up what the keyspace of the store's own lost: its records are worth nothing once some are missing.
    pub(crate) fn forget_lost_memory(&self) -> Result<(), Error> {
        let Some((tree, _)) = self.store.tree_named(SYSTEM_KEYSPACE) else { return Ok(()) };
        match self.give_up(tree, Bound::Unbounded, Bound::Unbounded) {
            // Another time.
            Err(Error::Tree(lsm_core::Error::HeldBySnapshot { .. }) | Error::Stuck) => Ok(()),
            Ok(given_up) if given_up.is_empty() => Ok(()),
            given_up => {
                let gaps = given_up?.len();
                let event = Event::new(EventKind::Heal, Outcome::Accepted);
                self.record(event.with_note(format!("{gaps} gaps in what the store keeps for itself")));
                Ok(())
            }
        }
    }

    fn give_up(
        &self,
        tree: TreeId,
        lower: Bound<Bytes>,
        upper: Bound<Bytes>,
    ) -> Result<Vec<KnownLoss>, Error> {
        let mut accepting = self.store.accept(tree, lower, upper)?;
        loop {
            self.check_open()?;
            match accepting.step(&|| self.bell.is_over())? {
                AcceptStep::Went => {}
                AcceptStep::Busy if self.store.stuck_jobs() > 0 => return Err(Error::Stuck),
                AcceptStep::Busy => _ = self.bell.rest(WAIT_FOR_JOBS),
                AcceptStep::Done => return Ok(accepting.accepted()),
            }
        }
    }
}
