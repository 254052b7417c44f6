//! How large things may be. A writer refuses more, and a reader believes no length beyond these.

/// Bytes of a key at most.
///
/// ```
/// assert_eq!(sst_format::KEY_LEN_MAX, 65_535);
/// ```
pub const KEY_LEN_MAX: usize = 65_535;

/// Bytes of a value at most: 512 MiB.
///
/// ```
/// assert_eq!(sst_format::VALUE_LEN_MAX, 512 << 20);
/// ```
pub const VALUE_LEN_MAX: usize = 512 << 20;

/// Bytes of a block's payload at most, before compression and after: the largest entry and what a block adds.
pub(crate) const PAYLOAD_LEN_MAX: usize = VALUE_LEN_MAX + KEY_LEN_MAX + (1 << 20);

/// What a data or index block may be asked to hold at most; only one large entry makes a longer one.
pub(crate) const BLOCK_TARGET_MAX: usize = 16 << 20;

const _: () = assert!(PAYLOAD_LEN_MAX < u32::MAX as usize);
