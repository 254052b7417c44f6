//! Opens a table: its parts one by one, each repaired, done without, or worked out anew.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use lsm_io::Access;
use sst_format::{BlockAddr, FilterPin, Opening, ReadError, ReadOptions, Step, TableRoot, TableView};

use super::{GivenUp, Opened, TableFile, covers, is_damage, known_losses, ladder, read_raw, salvage};
use crate::{
    Error, TableMeta, loss::TableLoss, loss_index::LossIndex, names, pins::Pins, reader::TreeReader,
};

pub(super) fn open(reader: &TreeReader, meta: &Arc<TableMeta>) -> Result<Opened<TableFile>, Error> {
    let path = names::table_path(&reader.env.dir, meta.id);
    let file = match reader.env.fs.open(&path, Access::ReadOnly) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Opened::Lost(Box::new(TableLoss::whole(reader.tree, meta))));
        }
        Err(error) => return Err(error.into()),
    };
    let tree = reader.tree;
    let sealed = ladder::Sealed { tree, meta, file: &*file, env: &reader.env };
    let root = TableRoot::in_descriptor(&meta.descriptor);
    let root = root.map_err(|cause| Error::Table { tree, table: meta.id, cause })?;
    let pins = Pins::new(&reader.env.pins);
    let filter = if pins.take(root.filter_bytes()) { FilterPin::Pinned } else { FilterPin::OnDemand };
    let options = reader.options().filter(filter);
    let view = match view(&options, sealed, root) {
        Ok(view) => view,
        // Its index is gone, and what was found of the rest cannot be told to be in order.
        Err(ReadError::Lost { .. }) => return Ok(Opened::Lost(Box::new(TableLoss::whole(tree, meta)))),
        Err(cause) => return Err(Error::Table { tree, table: meta.id, cause }),
    };
    let (covers, losses) = (covers(&view), LossIndex::new(view.order(), known_losses(tree, meta, &view)));
    let pins = pins.with_leaves(view.leaves());
    let (meta, view, rebuilt) = (meta.clone(), Arc::new(view), OnceLock::new());
    Ok(Opened::Table(TableFile {
        tree,
        meta,
        file,
        options,
        view,
        rebuilt,
        pins,
        covers,
        losses,
        given_up: GivenUp::default(),
    }))
}

fn view(options: &ReadOptions, sealed: ladder::Sealed<'_>, root: TableRoot) -> Result<TableView, ReadError> {
    let mut opening = Opening::new(sealed.meta.descriptor.uid(), root, options.clone())?;
    while let Step::Read(addr) = opening.step() {
        let supplied = read_raw(sealed.file, sealed.meta, addr).map(|raw| opening.supply(raw));
        match supplied {
            Some(Ok(())) => {}
            Some(Err(cause)) if !is_damage(&cause) => return Err(cause),
            _ => match repair(&mut opening, sealed, addr) {
                Err(ReadError::IndexLost { .. }) => return salvage::view(options.clone(), sealed, root),
                done => done?,
            },
        }
    }
    opening.finish()
}

/// Supplies a part by way of the ladder, or gives it up.
#[cold]
#[inline(never)]
fn repair(opening: &mut Opening, sealed: ladder::Sealed<'_>, addr: BlockAddr) -> Result<(), ReadError> {
    match ladder::climb(sealed, addr) {
        Some(raw) => opening.supply(raw),
        None => opening.give_up(),
    }
}
