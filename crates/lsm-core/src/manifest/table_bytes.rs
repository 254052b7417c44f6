//! What the manifest keeps of a table.
//!
//! | at  | len | field         | meaning                                                     |
//! |----:|----:|---------------|-------------------------------------------------------------|
//! |   0 |   8 | id            | number of its file                                          |
//! |   8 | 512 | descriptor    | of the sealed file, as its header holds it                  |
//! | 520 |   8 | seq_low       | lowest sequence number in it                                |
//! | 528 |   8 | seq_high      | highest                                                     |
//! | 536 |   8 | entries       | entries in it                                               |
//! | 544 |   8 | deletes       | deletes and single deletes among them                       |
//! | 552 |   8 | range_deletes | range deletes                                               |
//! | 560 |   8 | losses        | loss markers                                                |
//! | 568 |   1 | end           | 1: `largest` is one of its keys; 0: the first that is not   |
//! | 569 |   4 | smallest_len  | bytes of the smallest key, s                                |
//! | 573 |   s | smallest      | smallest key                                                |
//! |  .. |   4 | largest_len   | bytes of the largest key, l                                 |
//! |  .. |   l | largest       | where its keys end                                          |

use bytes::Bytes;
use page_ecc::Descriptor;
use sst_format::SeqNo;

use super::fields::{FieldError, FieldReader, FieldWriter};
use crate::{FileId, KeyBounds, KeyEnd, TableMeta};

pub(super) fn put_table(into: &mut FieldWriter, table: &TableMeta) {
    let end = match table.bounds.end {
        KeyEnd::Included => 1,
        KeyEnd::Excluded => 0,
    };
    let counts = [
        table.seq_low.get(),
        table.seq_high.get(),
        table.entries,
        table.deletes,
        table.range_deletes,
        table.losses,
    ];
    into.put(table.id.get().to_le_bytes()).put(table.descriptor.encode());
    for count in counts {
        into.put(count.to_le_bytes());
    }
    into.put([end]).put_bytes(&table.bounds.smallest).put_bytes(&table.bounds.largest);
}

pub(super) fn take_table(from: &mut FieldReader<'_>) -> Result<TableMeta, FieldError> {
    let id = FileId::new(from.u64("table")?);
    let at = from.at();
    let descriptor = Descriptor::decode(&from.array("table descriptor")?)
        .map_err(|_| FieldError::Value { at, field: "table descriptor" })?;
    let seq_low = SeqNo::new(from.u64("lowest sequence number")?);
    let seq_high = SeqNo::new(from.u64("highest sequence number")?);
    let entries = from.u64("count of entries")?;
    let deletes = from.u64("count of deletes")?;
    let range_deletes = from.u64("count of range deletes")?;
    let losses = from.u64("count of losses")?;
    let at = from.at();
    let end = match from.u8("end of keys")? {
        0 => KeyEnd::Excluded,
        1 => KeyEnd::Included,
        _ => return Err(FieldError::Value { at, field: "end of keys" }),
    };
    let smallest = Bytes::copy_from_slice(from.bytes("smallest key")?);
    let largest = Bytes::copy_from_slice(from.bytes("largest key")?);
    let bounds = KeyBounds { smallest, largest, end };
    Ok(TableMeta { id, descriptor, bounds, seq_low, seq_high, entries, deletes, range_deletes, losses })
}
