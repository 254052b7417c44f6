//! Damaged tables from outside: the right answer or a typed error, never a wrong one, whatever the bytes.

#[cfg(test)]
#[path = "oracle/image.rs"]
mod image;
#[cfg(test)]
#[path = "oracle/model.rs"]
mod model;

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use model::{Model, Setup, UID};
use proptest::prelude::*;
use sst_format::{
    BlockSpan, Codec, Cursor, EntryKind, FileSalt, FilterPolicy, KeyOrder, LostRange, MemoryTable, Opening,
    RangeEntry, RawBlock, ReadError, ReadOptions, Salvage, SeqNo, Step, TableOptions, TableRoot, TableView,
    TableWriter, Unpacker,
};

fn rows(count: u32) -> Model {
    let rows = (0..count).flat_map(|number| {
        let key = (number * 3).to_be_bytes().to_vec();
        let value = image::noise(number.into(), (number % 50) as usize);
        [(key.clone(), 9, EntryKind::Put, 0, value.clone()), (key, 4, EntryKind::Merge, 7, value)]
    });
    Model::new(rows.collect())
}

type Answers = BTreeMap<(Vec<u8>, u64), (SeqNo, EntryKind, u8, Bytes)>;

/// Everything of a table, or the first error. A key it holds and does not give back is a wrong answer.
fn read_all(table: &MemoryTable) -> Result<Answers, ReadError> {
    let mut answers = Answers::new();
    let mut cursor = table.view().cursor();
    cursor.seek_first()?;
    table.drive(&mut cursor)?;
    while let Some(entry) = cursor.entry()? {
        let value = Bytes::copy_from_slice(entry.value);
        answers.insert((entry.key.to_vec(), entry.seq.get()), (entry.seq, entry.kind, entry.flags, value));
        cursor.move_next()?;
        table.drive(&mut cursor)?;
    }
    Ok(answers)
}

fn answers(model: &Model) -> Answers {
    let answer = |row: &model::Row| {
        let (key, seq, kind, flags, value) = row.clone();
        ((key, seq), (SeqNo::new(seq), kind, flags, value.into()))
    };
    model.0.iter().map(answer).collect()
}

/// Checks a table that may be damaged; says whether every answer was there.
fn check_answers(model: &Model, want: &Answers, table: &MemoryTable) -> bool {
    let mut is_whole = true;
    match read_all(table) {
        Ok(answers) => assert!(answers == *want, "a scan gives other entries"),
        Err(_) => is_whole = false,
    }
    for (key, seq, kind, _, value) in &model.0 {
        match table.get(key, SeqNo::new(*seq)) {
            Ok(found) => {
                let found = found.expect("a key that is there is not denied");
                assert!((found.seq.get(), found.kind, &found.value[..]) == (*seq, *kind, &value[..]));
            }
            Err(_) => is_whole = false,
        }
    }
    for number in 0..20u32 {
        let absent = (number * 3 + 1).to_be_bytes();
        assert!(!matches!(table.get(&absent, SeqNo::MAX), Ok(Some(_))), "a key that is not there is found");
    }
    is_whole
}

#[test]
fn a_flip_of_any_byte_of_a_bare_table_gives_no_wrong_answer() {
    let model = rows(40);
    let want = answers(&model);
    for (codec, encrypted) in [(Codec::None, false), (Codec::Lz4, true)] {
        let setup = Setup { block_bytes: 300, index_block_bytes: 100, codec, encrypted, ..Setup::default() };
        let image = image::write(&setup, &model).image;
        let (mut whole, mut damaged) = (0, 0);
        for at in 0..image.body().len() {
            for flip in [1, 0x80, 0xFF] {
                let mut body = image.body().to_vec();
                body[at] ^= flip;
                let opened = MemoryTable::open_body(UID, body.into(), setup.read_options());
                match opened.map(|table| check_answers(&model, &want, &table)) {
                    Ok(true) => whole += 1,
                    Ok(false) | Err(_) => damaged += 1,
                }
            }
        }
        assert!(whole < damaged / 20, "only padding may be flipped unnoticed: {whole} against {damaged}");
    }
}

fn holds(lost: &LostRange, key: &[u8]) -> bool {
    let above = match &lost.lower {
        Bound::Unbounded => true,
        Bound::Included(lower) => &lower[..] <= key,
        Bound::Excluded(lower) => &lower[..] < key,
    };
    above
        && match &lost.upper {
            Bound::Unbounded => true,
            Bound::Included(upper) => key <= &upper[..],
            Bound::Excluded(upper) => key < &upper[..],
        }
}

/// Salvages a body without some pages, and judges the table rebuilt from it.
fn check_salvage(
    model: &Model,
    setup: &Setup,
    body: &Bytes,
    bad: &[std::ops::Range<u64>],
    root: Option<TableRoot>,
) {
    let mut torn = body.to_vec();
    for range in bad {
        torn[range.start as usize..(range.end as usize).min(body.len())].fill(0x5A);
    }
    let torn = Bytes::from(torn);
    let mut salvage = Salvage::new(UID, setup.read_options());
    if let Some(root) = root {
        salvage = salvage.root(root);
    }
    for named in [bad, &[]] {
        let salvaged = salvage.clone().walk(&torn, named).expect("nothing here may fail");
        let lost = salvaged.lost().to_vec();
        let (blocks, gaps) = (salvaged.blocks().len(), salvaged.gaps().to_vec());
        let table = MemoryTable::new(salvaged.into_view().expect("nothing here may fail"), torn.clone());
        let mut entries = 0;
        for (key, seq, kind, _, value) in &model.0 {
            match table.get(key, SeqNo::new(*seq)) {
                Ok(Some(found)) => {
                    assert!((found.seq.get(), found.kind, &found.value[..]) == (*seq, *kind, &value[..]));
                    entries += 1;
                }
                Ok(None) => panic!("{key:?} is denied; {blocks} blocks, gaps {gaps:?}"),
                Err(ReadError::Lost { .. }) => {
                    assert!(lost.iter().any(|lost| holds(lost, key)), "{key:?} is lost and not named");
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(entries, scan_over_losses(&table), "a scan over gaps finds what point reads find");
    }
}

/// Entries met by a cursor that passes over every gap, forward; the same back.
fn scan_over_losses(table: &MemoryTable) -> usize {
    let count = |start: fn(&mut Cursor<&TableView>), step: fn(&mut Cursor<&TableView>)| {
        let mut cursor = table.view().cursor();
        start(&mut cursor);
        let mut entries = 0;
        loop {
            match table.drive(&mut cursor) {
                Ok(()) if cursor.entry().expect("nothing here may fail").is_none() => return entries,
                Ok(()) => {
                    entries += 1;
                    step(&mut cursor);
                }
                Err(_) => assert!(cursor.pass_over().expect("nothing here may fail").is_some()),
            }
        }
    };
    let forward = count(
        |cursor| cursor.seek_first().expect("nothing here may fail"),
        |cursor| cursor.move_next().expect("nothing here may fail"),
    );
    let back = count(
        |cursor| cursor.seek_last().expect("nothing here may fail"),
        |cursor| cursor.move_prev().expect("nothing here may fail"),
    );
    assert_eq!(forward, back);
    forward
}

#[test]
fn a_gap_at_any_page_loses_only_what_it_names() {
    let model = rows(2500);
    for (codec, encrypted, order) in [
        (Codec::None, false, KeyOrder::Bytes),
        (Codec::Lz4, true, KeyOrder::Bytes),
        (*image::codecs().last().unwrap(), false, KeyOrder::Bytes),
    ] {
        let setup =
            Setup { block_bytes: 1500, index_block_bytes: 400, codec, encrypted, order, ..Setup::default() };
        let image = image::write(&setup, &model).image;
        let root = TableRoot::in_descriptor(image.descriptor()).unwrap();
        let body = Bytes::copy_from_slice(image.body());
        let pages = (body.len() as u64).div_ceil(4096);
        for page in 0..pages {
            let one = page * 4096..((page + 1) * 4096).min(body.len() as u64);
            check_salvage(&model, &setup, &body, std::slice::from_ref(&one), Some(root));
            // Without a key stamp an encrypted table is still read with the key that was given.
            check_salvage(&model, &setup, &body, &[one], None);
        }
        let two = [4096..8192, 16_384..28_672];
        check_salvage(&model, &setup, &body, &two, Some(root));
        check_salvage(&model, &setup, &body, std::slice::from_ref(&(0..body.len() as u64)), None);
        check_salvage(&model, &setup, &body, &[], None);
    }
}

#[test]
fn a_lost_block_is_passed_over_and_its_keys_are_named() {
    let model = rows(2500);
    let setup = Setup { block_bytes: 1000, index_block_bytes: 300, ..Setup::default() };
    let sst_format::WrittenTable { image, properties } = image::write(&setup, &model);
    let body = Bytes::copy_from_slice(image.body());
    let whole = MemoryTable::open_body(UID, body.clone(), setup.read_options()).unwrap();
    let count = model.0.len();
    for page in 0..body.len() / 4096 {
        let mut torn = body.to_vec();
        torn[page * 4096..(page + 1) * 4096].fill(0);
        let table = MemoryTable::new(whole.view().clone(), torn.into());
        let left = scan_over_losses(&table);
        let is_data = (page as u64 + 1) * 4096 <= properties.data_bytes;
        assert!(left + 600 > count || !is_data, "{left} of {count}, page {page}");
        let mut cursor = table.view().cursor();
        cursor.seek_first().unwrap();
        let (mut losses, mut last) = (Vec::new(), None);
        loop {
            if table.drive(&mut cursor).is_err() {
                losses.extend(cursor.pass_over().unwrap());
                continue;
            }
            let Some(entry) = cursor.entry().unwrap() else { break };
            last = Some(entry.key.to_vec());
            cursor.move_next().unwrap();
        }
        assert!(last.is_some());
        for (key, seq, ..) in &model.0 {
            if table.get(key, SeqNo::new(*seq)).is_err() {
                assert!(losses.iter().any(|lost| holds(lost, key)));
            }
        }
    }
}

#[test]
fn the_second_copy_of_the_ranges_stands_in_for_the_first() {
    let mut writer = TableWriter::new(UID, TableOptions::new()).unwrap();
    let range = RangeEntry::delete(&b"a"[..], &b"b"[..], SeqNo::new(9));
    writer.add_range(range.clone()).unwrap();
    let image = writer.finish().unwrap().image;
    let root = TableRoot::in_descriptor(image.descriptor()).unwrap();
    let mut opening = Opening::new(UID, root, ReadOptions::new()).unwrap();
    let mut bad = 0;
    while let Step::Read(addr) = opening.step() {
        let mut bytes = image.body()[addr.span.offset as usize..addr.span.end() as usize].to_vec();
        if bad == 0 {
            bytes[20] ^= 1;
            assert!(opening.supply(RawBlock::new(bytes)).is_err());
            opening.give_up().unwrap();
            bad += 1;
        } else {
            opening.supply(RawBlock::new(bytes)).unwrap();
        }
    }
    let view = opening.finish().unwrap();
    assert_eq!(view.ranges().unwrap().iter().collect::<Vec<_>>(), [&range]);
}

#[test]
fn a_filter_is_rebuilt_only_where_nothing_is_lost() {
    let model = rows(500);
    let setup = Setup::default();
    let image = image::write(&setup, &model).image;
    let root = TableRoot::in_descriptor(image.descriptor()).unwrap();
    let body = Bytes::copy_from_slice(image.body());
    let read = |addr: sst_format::BlockAddr| {
        RawBlock::new(body.slice(addr.span.offset as usize..addr.span.end() as usize))
    };
    let salvage = |bad: std::ops::Range<u64>| {
        let bad = std::slice::from_ref(&bad);
        Salvage::new(UID, setup.read_options()).root(root).walk(&body, bad).unwrap()
    };
    let mut behind_data = salvage(root_end(&image)..body.len() as u64);
    assert!(behind_data.lost().is_empty());
    assert!(behind_data.rebuild_filter(FilterPolicy::default(), read).unwrap().is_some());
    let table = MemoryTable::new(behind_data.into_view().unwrap(), body.clone());
    assert!(check_answers(&model, &answers(&model), &table));
    let mut front = salvage(0..4096);
    assert_eq!(front.rebuild_filter(FilterPolicy::default(), read), Ok(None));
}

/// Where the data of a table ends.
fn root_end(image: &page_ecc::SealedImage) -> u64 {
    let salvaged = Salvage::new(UID, ReadOptions::new());
    let salvaged = salvaged.walk(&Bytes::copy_from_slice(image.body()), &[]).expect("nothing here may fail");
    salvaged
        .blocks()
        .iter()
        .map(|block| block.span.end())
        .max()
        .expect("nothing here may fail")
        .next_multiple_of(8)
}

/// A small sound body, and the spans of its blocks.
fn sound_body() -> (Vec<u8>, Setup) {
    let setup = Setup { block_bytes: 200, index_block_bytes: 200, ..Setup::default() };
    (image::write(&setup, &rows(30)).image.body().to_vec(), setup)
}

/// Frames any payload as a block that proves itself, so that decoders meet it.
fn frame(kind: u8, payload: &[u8]) -> (Vec<u8>, BlockSpan) {
    forge::block(UID, 0, kind, payload)
}

#[cfg(test)]
#[path = "oracle/forge.rs"]
mod forge;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_no_block_or_that_block(bytes in prop::collection::vec(any::<u8>(), 0..300), offset in 0..64u64) {
        let span = BlockSpan { offset, len: bytes.len() as u32 };
        let _ = RawBlock::new(bytes.clone()).verify(FileSalt::of(UID).at(span));
        let _ = MemoryTable::open_body(UID, bytes.clone().into(), ReadOptions::new());
        let _ = TableRoot::decode(&bytes);
        let salvaged = Salvage::new(UID, ReadOptions::new()).walk(&bytes.into(), &[]).unwrap();
        let _ = salvaged.into_view();
    }

    #[test]
    fn mutated_tables_give_errors_or_answers(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        let (mut body, setup) = sound_body();
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(table) = MemoryTable::open_body(UID, body.clone().into(), setup.read_options()) {
            check_answers(&rows(30), &answers(&rows(30)), &table);
        }
        body.truncate(cut.index(body.len() + 1));
        let salvaged = Salvage::new(UID, setup.read_options()).walk(&body.into(), &[]).unwrap();
        let _ = salvaged.into_view();
    }

    #[test]
    fn a_proven_payload_of_any_bytes_harms_nothing(kind in 1..10u8, tail in prop::collection::vec(any::<u8>(), 0..200), restarts in 0..4u32, codec in 0..4u8) {
        let mut payload = tail;
        payload.extend_from_slice(&[0; 8]);
        payload.extend_from_slice(&restarts.to_le_bytes());
        payload.extend_from_slice(&[0; 4]);
        let (bytes, span) = frame(kind, &payload);
        let addr = FileSalt::of(UID).at(span);
        let unpacked = RawBlock::new(bytes.clone()).verify(addr).unwrap().unpack(&Unpacker::new()).unwrap();
        prop_assert_eq!(&unpacked.bytes()[..], &payload[..]);
        let salvaged = Salvage::new(UID, ReadOptions::new()).walk(&bytes.clone().into(), &[]);
        if let Ok(view) = salvaged.and_then(sst_format::Salvaged::into_view) {
            let table = MemoryTable::new(view, bytes.into());
            let _ = read_all(&table);
            let _ = table.get(b"key", SeqNo::MAX);
        }
        let (packed, span) = forge::packed(UID, 0, kind, codec, u32::MAX, &payload);
        let block = RawBlock::new(packed).verify(FileSalt::of(UID).at(span)).unwrap();
        prop_assert!(block.unpack(&Unpacker::new()).is_err(), "no block holds 4 GiB");
    }
}
