//! Memory that is damaged, foreign or refuses costs reading again, and nothing else.

use lsm_scrub::*;
use proptest::prelude::*;

use crate::world::{World, brisk, table};

/// What one memory gives, whatever it is told.
struct Given(Vec<Vec<u8>>);

impl Memory for Given {
    fn load(&self) -> Result<Vec<Vec<u8>>, IoFault> {
        Ok(self.0.clone())
    }
    fn store(&self, _: MemoryKey, _: &[u8]) -> Result<(), IoFault> {
        Ok(())
    }
    fn forget(&self, _: MemoryKey) -> Result<(), IoFault> {
        Ok(())
    }
}

struct Refusing;

impl Refusing {
    fn refuse<T>() -> Result<T, IoFault> {
        Err(IoFault::new(std::io::Error::other("no memory today")))
    }
}

impl Memory for Refusing {
    fn load(&self) -> Result<Vec<Vec<u8>>, IoFault> {
        Self::refuse()
    }
    fn store(&self, _: MemoryKey, _: &[u8]) -> Result<(), IoFault> {
        Self::refuse()
    }
    fn forget(&self, _: MemoryKey) -> Result<(), IoFault> {
        Self::refuse()
    }
}

#[test]
fn a_memory_that_refuses_is_counted_and_costs_nothing_else() {
    let world = World::troubled();
    let report = patrol_scrub(&world, &brisk(), &Around { memory: &Refusing, ..world.around() });
    world.check_read_once();
    assert_eq!(world.told_set(), world.all_wrong());
    // The load, the pass twice, seven files, and every 8 pages within them.
    assert!(report.is_complete() && report.memory_faults >= 10, "{}", report.memory_faults);
    let fault = Remembered::load(&Refusing).faults()[0].to_string();
    assert!(fault.ends_with("no memory today"), "{fault}");
}

/// The records in the middle of a pass.
fn half_way() -> Vec<Vec<u8>> {
    let world = World::troubled();
    let mut patrol = Patrol::new(brisk());
    assert!(matches!(patrol.step(&world, &world.around(), 40 * 4096), Step::Worked));
    world.memory.load().unwrap()
}

#[track_caller]
fn check_found(records: Vec<Vec<u8>>, pages: u64, faults: u64) {
    let world = World::troubled();
    let report = patrol_scrub(&world, &brisk(), &Around { memory: &Given(records), ..world.around() });
    assert!(report.is_complete());
    assert_eq!((report.pages, report.memory_faults), (pages, faults));
}

#[test]
fn a_damaged_note_costs_its_file_and_a_damaged_pass_everything() {
    check_found(half_way(), 41, 0);
    let pass = half_way().iter().position(|record| record.starts_with(b"RPAS")).unwrap();
    for at in 0..half_way().len() {
        let mut records = half_way();
        records[at][30] ^= 4;
        let report = {
            let world = World::troubled();
            patrol_scrub(&world, &brisk(), &Around { memory: &Given(records), ..world.around() })
        };
        assert_eq!(report.memory_faults, 1);
        if at == pass {
            assert_eq!(report.pages, 81);
        } else {
            assert!(report.pages > 41 && report.pages < 81);
        }
    }
    check_found(vec![b"a record of something else".to_vec(), Vec::new()], 81, 2);
}

#[test]
fn a_note_that_points_behind_its_file_harms_nothing() {
    let world = World::troubled();
    let mut patrol = Patrol::new(brisk());
    assert!(matches!(patrol.step(&world, &world.around(), 40 * 4096), Step::Worked));
    // Files shrink; a log segment that is used again does.
    world.files.lock().values_mut().for_each(|file| file.file.pages = 1);
    let report = world.scrub(&brisk());
    assert!(report.is_complete());
}

proptest! {
    #[test]
    fn any_bytes_are_a_memory(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..8)) {
        let count = records.len() as u64;
        let world = World::troubled();
        let report = patrol_scrub(&world, &brisk(), &Around { memory: &Given(records), ..world.around() });
        world.check_read_once();
        prop_assert_eq!(report.memory_faults, count);
        prop_assert!(!Remembered::default().is_under_way());
        prop_assert_eq!(Remembered::default().last_clean(table(1, 1)), None);
    }
}
