//! BuRR: bumped ribbon retrieval (Dillinger, Hübschle-Schneider, Sanders, Walzer 2022) as a filter.
//!
//! # The idea
//! A filter of `r` bits a key is a matrix with `r` columns of bits and about one row a key, chosen so that for
//! every added key the XOR of some rows, named by its hash, is the key's `r`-bit fingerprint. An absent key
//! finds its fingerprint by luck only, once in `2^r`. Finding the matrix means solving one linear equation a
//! key over bits. A *ribbon* makes that cheap: the rows a key names lie within 32 neighbours, so elimination
//! never leaves a narrow band. It fails where too many keys start close together; *bumping* evicts those to a
//! smaller filter of the same kind, so the first one can be filled to the brim.
//!
//! # One layer
//! A layer has blocks of 32 rows. A key has a start row, 32 coefficients (the first is 1) and a fingerprint.
//! Start rows are grouped in buckets of 64, solved from left to right, inside a bucket from right to left in
//! three spans: starts 20 to 63, 8 to 19, 0 to 7. A span that contradicts what is solved is undone, and it and
//! the spans left of it are bumped; two bits a bucket, its *cut*, say which. Layer 0 takes all keys at 1.02
//! keys a row, each next layer what the one before bumped (4 %), until few enough are left for one with room to
//! spare. A key bumped even there, which only hashes made for it achieve, answers "maybe": construction always
//! ends, with no false negative.
//!
//! # Columns between two widths
//! For a rate between two powers of two, the first blocks of each layer are wide by one column. A key whose rows
//! touch a narrow block has the narrow fingerprint.
//!
//! # Bytes
//! | part    | len                      | meaning                                                          |
//! |---------|-------------------------:|------------------------------------------------------------------|
//! | blocks  | 4 · columns a block      | layer after layer; column `j` of a block is one `u32`, row 0 lowest |
//! | cuts    | ⌈buckets / 4⌉ a layer    | layer after layer; bucket `b` has bits `2(b % 4)..` of byte `b / 4` |
//! | counts  | 4 a layer                | blocks of each layer, `u32`, at least 2                          |
//! | trailer | 28                       | kind 1; width, layers, wide and salt as named there              |
//!
//! A query reads two neighbouring blocks, `2r` words in a row, and two bits of cut. No layers means no keys.

mod back;
mod band;
mod build;
mod columns;
mod equation;
mod layer;
mod order;
mod query;
mod shape;

pub(super) use build::build;
pub(super) use query::Ribbon;
