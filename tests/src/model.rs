//! A store as plain as can be: sorted maps, copied whole for each snapshot.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use crate::history::{KEYSPACES, Write, WriteKind};

/// The keys of one keyspace.
pub type Keys = BTreeMap<Vec<u8>, Bytes>;

/// One life of a keyspace, from its making to its end.
pub type Life = usize;

/// Which keyspaces are there, by number.
pub type Spaces = [Option<Life>; KEYSPACES];

/// What every keyspace holds or held, by its life.
pub type Contents = BTreeMap<Life, Arc<Keys>>;

/// What a store must hold now; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Which keyspaces are there.
    pub spaces: Spaces,
    /// What they hold.
    pub contents: Contents,
    /// How often each key was put since it was last deleted.
    puts: BTreeMap<Life, Arc<BTreeMap<Vec<u8>, u32>>>,
    lives: Life,
}

impl Default for Model {
    fn default() -> Self {
        let mut spaces = [None; KEYSPACES];
        spaces[0] = Some(0);
        Self { spaces, contents: BTreeMap::new(), puts: BTreeMap::new(), lives: 1 }
    }
}

impl Model {
    /// Begins a keyspace, unless it is there.
    pub fn create(&mut self, keyspace: usize) {
        if self.spaces[keyspace].is_none() {
            self.spaces[keyspace] = Some(self.lives);
            self.lives += 1;
        }
    }

    /// Ends a keyspace.
    pub fn drop(&mut self, keyspace: usize) {
        if let Some(life) = self.spaces[keyspace].take() {
            self.contents.remove(&life);
            self.puts.remove(&life);
        }
    }

    /// What a write may do: a single delete only of what was put at most once.
    #[must_use]
    pub fn legal(&self, write: &Write) -> WriteKind {
        let puts = self.spaces[write.keyspace].and_then(|life| self.puts.get(&life));
        let puts = puts.and_then(|puts| puts.get(&write.key)).copied().unwrap_or(0);
        match &write.kind {
            WriteKind::SingleDelete if puts > 1 => WriteKind::Delete,
            kind => kind.clone(),
        }
    }

    /// Applies one write, to a keyspace that is there.
    pub fn apply(&mut self, write: &Write) {
        let Some(life) = self.spaces[write.keyspace] else { return };
        let keys = Arc::make_mut(self.contents.entry(life).or_default());
        let puts = Arc::make_mut(self.puts.entry(life).or_default());
        match &write.kind {
            WriteKind::Put(value) => {
                keys.insert(write.key.clone(), value.bytes().into());
                *puts.entry(write.key.clone()).or_default() += 1;
            }
            WriteKind::Delete | WriteKind::SingleDelete => {
                keys.remove(&write.key);
                puts.remove(&write.key);
            }
            WriteKind::DeleteRange { to } => {
                keys.retain(|key, _| key < &write.key || key >= to);
                puts.retain(|key, _| key < &write.key || key >= to);
            }
        }
        if keys.is_empty() {
            self.contents.remove(&life);
        }
    }

    /// Everything of a keyspace that is there.
    #[must_use]
    pub fn keys(&self, keyspace: usize) -> Arc<Keys> {
        let keys = self.spaces[keyspace].and_then(|life| self.contents.get(&life));
        keys.cloned().unwrap_or_default()
    }
}

impl Model {
    /// Becomes what was found; what was put how often is no longer known.
    pub fn restore(&mut self, spaces: Spaces, contents: &Contents) {
        self.spaces = spaces;
        self.contents = contents.clone();
        self.contents.retain(|life, keys| spaces.contains(&Some(*life)) && !keys.is_empty());
        let often = |keys: &Arc<Keys>| Arc::new(keys.keys().map(|key| (key.clone(), 2)).collect());
        self.puts = self.contents.iter().map(|(life, keys)| (*life, often(keys))).collect();
    }
}
