//! `--opts k=v,..`: how a drill opens its store.

use resilver::{AutoHeal, Codec, Durability, Options, Scheme, ZstdLevel};

use crate::size::Bytes;

/// Why options are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadOpts {
    #[error("{word:?} is no option; write `name=value` pairs with commas between them")]
    Pair { word: String },
    #[error("there is no option {name:?}; memtable, table, segment, codec, protect and others are")]
    Name { name: String },
    #[error("{name} cannot be {value:?}")]
    Value { name: String, value: String },
    #[error("unsupported: {name}={value} is not built yet")]
    Unsupported { name: String, value: String },
}

/// The options that `words` ask for.
pub(super) fn parse(words: &str) -> Result<Options, BadOpts> {
    let mut options = Options::new();
    for word in words.split(',').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').ok_or_else(|| BadOpts::Pair { word: word.into() })?;
        options = set(options, name, value)?;
    }
    Ok(options)
}

fn set(options: Options, name: &str, value: &str) -> Result<Options, BadOpts> {
    let bad = || BadOpts::Value { name: name.into(), value: value.into() };
    let unsupported = || BadOpts::Unsupported { name: name.into(), value: value.into() };
    let bytes = || value.parse::<Bytes>().map(|bytes| bytes.0).map_err(|_| bad());
    Ok(match name {
        "memtable" => options.memtable_bytes(bytes()?),
        "table" => options.table_bytes(bytes()?),
        "segment" => options.segment_bytes(bytes()?),
        "cache" => options.cache_bytes(bytes()?),
        "block" => options.block_bytes(usize::try_from(bytes()?).map_err(|_| bad())?),
        // The level sizes follow from the data: a bound on their number only makes the first one larger.
        "levels" => match value.parse::<u8>() {
            Ok(1..=7) => options,
            _ => return Err(bad()),
        },
        "codec" => options.codec(match value {
            "none" => Codec::None,
            "lz4" => Codec::Lz4,
            "zstd" => Codec::Zstd { level: ZstdLevel::default() },
            "dict" => Codec::ZstdDictionary { level: ZstdLevel::default() },
            _ => return Err(bad()),
        }),
        "protect" => options.protection(match value {
            "standard" => Scheme::STANDARD,
            "light" => Scheme::LIGHT,
            "strong" => Scheme::STRONG,
            "none" => Scheme::ChecksumOnly,
            _ => return Err(bad()),
        }),
        "durability" => options.durability(match value {
            "buffered" => Durability::Buffered,
            "sync" | "synced" => Durability::Synced,
            _ => return Err(bad()),
        }),
        // Everything is plain positioned writes and syncs.
        "io" if value == "sync" => options,
        "auto_heal" => options.auto_heal(match value {
            "on" => AutoHeal::On,
            "off" => AutoHeal::Off,
            _ => return Err(bad()),
        }),
        "io" | "separate" | "key" => return Err(unsupported()),
        _ => return Err(BadOpts::Name { name: name.into() }),
    })
}
