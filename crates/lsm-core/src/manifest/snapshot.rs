//! The snapshot of a generation: the body of a sealed file of kind 3.
//!
//! | at | len | field   | meaning                                                                    |
//! |---:|----:|---------|----------------------------------------------------------------------------|
//! |  0 |   8 | magic   | `RSLVSNAP`                                                                 |
//! |  8 |   2 | version | 1                                                                          |
//! | 10 |   6 | zero    | 0                                                                          |
//! | 16 |  80 | birth   | of the generation                                                          |
//! | 96 |  .. | edit    | the changes that make the catalog of an empty one with the birth's origin  |
//!
//! Invariant: a snapshot that is read is the one that was written, or it counts as lost.

use std::{path::Path, sync::Arc};

use lsm_io::File;
use page_ecc::{
    Descriptor, DescriptorError, Evidence, GeometryError, Ladder, PAGE_LEN, SealOptions, SealedImage, Uid,
};

use super::{
    birth::{Birth, BirthError, Stated},
    edit_bytes,
    error::ManifestError,
    fields::{FieldError, FieldReader, FieldWriter},
    medium::{FilePages, read_page},
};
use crate::{Catalog, Edit};

const MAGIC: [u8; 8] = *b"RSLVSNAP";
const VERSION: u16 = 1;
const FILE_KIND: u16 = 3;
/// A body may be so many times as long as the file is by now; parity brings back much less than that.
const BODY_PER_FILE_MAX: u64 = 2;

/// A snapshot as it was written.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) stated: Stated,
    /// What makes the catalog of an empty one.
    pub(super) edit: Edit,
    /// What it took to read it.
    pub(super) evidence: Evidence,
}

pub(super) fn seal(birth: &Birth, catalog: &Catalog, uid: Uid) -> Result<SealedImage, GeometryError> {
    let mut writer = FieldWriter::default();
    writer.put(MAGIC).put(VERSION.to_le_bytes()).put([0; 6]);
    birth.put(&mut writer);
    writer.put(edit_bytes::encode(&catalog.to_edit()));
    SealOptions::new(uid).kind(FILE_KIND).seal(&writer.into_bytes())
}

/// Reads the snapshot that `descriptor` describes; without one, the one the file itself describes. `None` if
/// it is lost.
pub(super) fn read(
    file: &Arc<dyn File>,
    descriptor: Option<&Descriptor>,
) -> Result<Option<Snapshot>, ManifestError> {
    let Ok(len) = file.len() else { return Ok(None) };
    let descriptor = match descriptor {
        Some(descriptor) => descriptor.clone(),
        None => match find_descriptor(file, len.get())? {
            Some(descriptor) => descriptor,
            None => return Ok(None),
        },
    };
    let geometry = *descriptor.geometry();
    let is_plausible = geometry.body_len() <= len.get().saturating_mul(BODY_PER_FILE_MAX);
    if descriptor.kind() != FILE_KIND || descriptor.is_detached() || !is_plausible {
        return Ok(None);
    }
    let mut ladder = Ladder::new(descriptor.clone(), FilePages(file));
    let Ok(body) = ladder.read_body(0..geometry.body_pages()) else { return Ok(None) };
    let bytes = body.bytes.get(..geometry.body_len() as usize).unwrap_or(&body.bytes);
    let (birth, edit) = parse(bytes, file.path())?;
    let evidence = body.examination.evidence();
    Ok(Some(Snapshot { stated: Stated { birth, descriptor }, edit, evidence }))
}

fn find_descriptor(file: &Arc<dyn File>, len: u64) -> Result<Option<Descriptor>, ManifestError> {
    let last = (len / PAGE_LEN as u64).saturating_sub(1);
    let pages: Vec<_> = [0, last].into_iter().filter_map(|page| read_page(file, page).ok()).collect();
    match Descriptor::find(&pages.iter().collect::<Vec<_>>()) {
        Ok(found) => Ok(found
            .into_iter()
            .find(|descriptor| Ladder::new(descriptor.clone(), FilePages(file)).is_borne_out())),
        Err(DescriptorError::NewerVersion { found, known }) => {
            Err(ManifestError::NewerFormat { file: file.path().into(), found, known })
        }
        Err(DescriptorError::UnknownFeatures { unknown }) => {
            Err(ManifestError::UnknownFeatures { file: file.path().into(), unknown })
        }
        Err(_) => Ok(None),
    }
}

fn parse(body: &[u8], file: &Path) -> Result<(Birth, Edit), ManifestError> {
    let not_understood = |cause: FieldError| ManifestError::Bytes { file: file.into(), cause };
    let mut from = FieldReader::new(body);
    if from.array("magic").map_err(not_understood)? != MAGIC {
        return Err(ManifestError::Contradiction { file: file.into(), field: "magic" });
    }
    let found = from.u16("version").map_err(not_understood)?;
    if found != VERSION {
        return Err(ManifestError::NewerFormat { file: file.into(), found, known: VERSION });
    }
    from.slice(6, "zero").map_err(not_understood)?;
    let birth = Birth::take(&mut from).map_err(|cause| cause.of(file))?;
    let rest = &body[from.at()..];
    Ok((birth, edit_bytes::decode(rest).map_err(not_understood)?))
}

impl BirthError {
    /// The error of a file that states such a birth.
    pub(super) fn of(self, file: &Path) -> ManifestError {
        match self {
            Self::Features(unknown) => ManifestError::UnknownFeatures { file: file.into(), unknown },
            Self::Fields(cause) => ManifestError::Bytes { file: file.into(), cause },
        }
    }
}

const _: () = assert!(8 + 2 + 6 + Birth::LEN == 96);
