//! RocksDB by its C interface, as the system has it.

use std::{
    ffi::{CStr, CString, c_char, c_double, c_int, c_uchar, c_void},
    os::unix::ffi::OsStrExt as _,
    path::Path,
    ptr, slice,
};

use crate::engine::{Creation, Done, Engine, Failure, Kind, Settings};

pub const KIND: Kind =
    Kind { name: "rocksdb", note: "no parity; of the system, by its C interface", syncs: true, open };

/// Whatever RocksDB makes.
type Thing = *mut c_void;
type Trouble = *mut *mut c_char;

#[link(name = "rocksdb")]
unsafe extern "C" {
    fn rocksdb_options_create() -> Thing;
    fn rocksdb_options_destroy(options: Thing);
    fn rocksdb_options_set_create_if_missing(options: Thing, yes: c_uchar);
    fn rocksdb_options_set_compression(options: Thing, compression: c_int);
    fn rocksdb_options_set_write_buffer_size(options: Thing, bytes: usize);
    fn rocksdb_options_set_max_background_jobs(options: Thing, jobs: c_int);
    fn rocksdb_options_set_block_based_table_factory(options: Thing, tables: Thing);
    fn rocksdb_block_based_options_create() -> Thing;
    fn rocksdb_block_based_options_destroy(tables: Thing);
    fn rocksdb_block_based_options_set_block_size(tables: Thing, bytes: usize);
    fn rocksdb_block_based_options_set_filter_policy(tables: Thing, filter: Thing);
    fn rocksdb_block_based_options_set_block_cache(tables: Thing, cache: Thing);
    fn rocksdb_filterpolicy_create_bloom_full(bits: c_double) -> Thing;
    fn rocksdb_cache_create_lru(bytes: usize) -> Thing;
    fn rocksdb_cache_destroy(cache: Thing);
    fn rocksdb_open(options: Thing, path: *const c_char, trouble: Trouble) -> Thing;
    fn rocksdb_close(db: Thing);
    fn rocksdb_readoptions_create() -> Thing;
    fn rocksdb_readoptions_destroy(options: Thing);
    fn rocksdb_writeoptions_create() -> Thing;
    fn rocksdb_writeoptions_destroy(options: Thing);
    fn rocksdb_writeoptions_set_sync(options: Thing, yes: c_uchar);
    fn rocksdb_flushoptions_create() -> Thing;
    fn rocksdb_flushoptions_destroy(options: Thing);
    fn rocksdb_flush(db: Thing, options: Thing, trouble: Trouble);
    fn rocksdb_put(
        db: Thing,
        options: Thing,
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
        trouble: Trouble,
    );
    fn rocksdb_delete(db: Thing, options: Thing, key: *const u8, key_len: usize, trouble: Trouble);
    fn rocksdb_get_pinned(
        db: Thing,
        options: Thing,
        key: *const u8,
        key_len: usize,
        trouble: Trouble,
    ) -> Thing;
    fn rocksdb_pinnableslice_value(pinned: Thing, len: *mut usize) -> *const u8;
    fn rocksdb_pinnableslice_destroy(pinned: Thing);
    fn rocksdb_create_iterator(db: Thing, options: Thing) -> Thing;
    fn rocksdb_iter_destroy(iter: Thing);
    fn rocksdb_iter_seek(iter: Thing, key: *const u8, key_len: usize);
    fn rocksdb_iter_valid(iter: Thing) -> c_uchar;
    fn rocksdb_iter_next(iter: Thing);
    fn rocksdb_iter_key(iter: Thing, len: *mut usize) -> *const u8;
    fn rocksdb_iter_value(iter: Thing, len: *mut usize) -> *const u8;
    fn rocksdb_iter_get_error(iter: Thing, trouble: Trouble);
    fn rocksdb_free(thing: Thing);
}

/// A store with the options for each kind of call. Invariant: every pointer is live until it is dropped.
struct Rocks {
    db: Thing,
    reads: Thing,
    writes: Thing,
    synced: Thing,
}

// SAFETY: RocksDB allows calls with a database and unchanging options from any thread.
unsafe impl Send for Rocks {}
// SAFETY: as above.
unsafe impl Sync for Rocks {}

fn open(path: &Path, settings: &Settings) -> Result<Box<dyn Engine>, Failure> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let cache_bytes = usize::try_from(settings.cache_bytes)?;
    let memtable_bytes = usize::try_from(settings.memtable_bytes)?;
    // SAFETY: each call gets what the one before made; tables own the filter, and options share cache and tables
    // by counts of RocksDB's own, so that ours may go.
    let db = unsafe {
        let (options, tables) = (rocksdb_options_create(), rocksdb_block_based_options_create());
        let cache = rocksdb_cache_create_lru(cache_bytes);
        rocksdb_block_based_options_set_block_size(tables, settings.block_bytes as usize);
        let filter = rocksdb_filterpolicy_create_bloom_full(settings.filter_bits.into());
        rocksdb_block_based_options_set_filter_policy(tables, filter);
        rocksdb_block_based_options_set_block_cache(tables, cache);
        rocksdb_options_set_block_based_table_factory(options, tables);
        rocksdb_options_set_create_if_missing(options, (settings.creation == Creation::Allowed).into());
        rocksdb_options_set_compression(options, 0);
        rocksdb_options_set_write_buffer_size(options, memtable_bytes);
        // One of them flushes.
        rocksdb_options_set_max_background_jobs(options, settings.workers as c_int + 1);
        let db = told(|trouble| rocksdb_open(options, path.as_ptr(), trouble));
        rocksdb_options_destroy(options);
        rocksdb_block_based_options_destroy(tables);
        rocksdb_cache_destroy(cache);
        db?
    };
    // SAFETY: these take nothing but what they made.
    Ok(Box::new(unsafe {
        let synced = rocksdb_writeoptions_create();
        rocksdb_writeoptions_set_sync(synced, 1);
        Rocks { db, reads: rocksdb_readoptions_create(), writes: rocksdb_writeoptions_create(), synced }
    }))
}

/// What a call answers, unless it says what went wrong.
fn told<T>(call: impl FnOnce(Trouble) -> T) -> Result<T, Failure> {
    let mut trouble = ptr::null_mut();
    let answer = call(&mut trouble);
    if trouble.is_null() {
        return Ok(answer);
    }
    // SAFETY: a message is a string of RocksDB's that is ours to free.
    let message = unsafe {
        let message = CStr::from_ptr(trouble).to_string_lossy().into_owned();
        rocksdb_free(trouble.cast());
        message
    };
    Err(message.into())
}

impl Rocks {
    fn put_as(&self, key: &[u8], value: &[u8], options: Thing) -> Done {
        // SAFETY: both slices outlive the call, which copies them.
        told(|trouble| unsafe {
            rocksdb_put(self.db, options, key.as_ptr(), key.len(), value.as_ptr(), value.len(), trouble);
        })
    }
}

impl Engine for Rocks {
    fn put(&self, key: &[u8], value: &[u8]) -> Done {
        self.put_as(key, value, self.writes)
    }

    fn put_synced(&self, key: &[u8], value: &[u8]) -> Done {
        self.put_as(key, value, self.synced)
    }

    fn delete(&self, key: &[u8]) -> Done {
        // SAFETY: the key outlives the call, which copies it.
        told(|trouble| unsafe { rocksdb_delete(self.db, self.writes, key.as_ptr(), key.len(), trouble) })
    }

    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Result<bool, Failure> {
        // SAFETY: the key outlives the call; a pinned value is live until it is destroyed, behind the look at it.
        unsafe {
            let pinned =
                told(|trouble| rocksdb_get_pinned(self.db, self.reads, key.as_ptr(), key.len(), trouble))?;
            if pinned.is_null() {
                return Ok(false);
            }
            let mut len = 0;
            let value = rocksdb_pinnableslice_value(pinned, &mut len);
            look(slice::from_raw_parts(value, len));
            rocksdb_pinnableslice_destroy(pinned);
        }
        Ok(true)
    }

    fn scan(&self, from: &[u8], count: usize, look: &mut dyn FnMut(&[u8], &[u8])) -> Done {
        // SAFETY: key and value are live until the iterator moves, behind the look at them.
        unsafe {
            let iter = rocksdb_create_iterator(self.db, self.reads);
            rocksdb_iter_seek(iter, from.as_ptr(), from.len());
            for _ in 0..count {
                if rocksdb_iter_valid(iter) == 0 {
                    break;
                }
                let (mut key_len, mut value_len) = (0, 0);
                let key = rocksdb_iter_key(iter, &mut key_len);
                let value = rocksdb_iter_value(iter, &mut value_len);
                look(slice::from_raw_parts(key, key_len), slice::from_raw_parts(value, value_len));
                rocksdb_iter_next(iter);
            }
            let ended = told(|trouble| rocksdb_iter_get_error(iter, trouble));
            rocksdb_iter_destroy(iter);
            ended
        }
    }

    fn flush(&self) -> Done {
        // SAFETY: the options are live for the call.
        unsafe {
            let options = rocksdb_flushoptions_create();
            let flushed = told(|trouble| rocksdb_flush(self.db, options, trouble));
            rocksdb_flushoptions_destroy(options);
            flushed
        }
    }
}

impl Drop for Rocks {
    fn drop(&mut self) {
        // SAFETY: nobody has a pointer of it any more, and each is destroyed once.
        unsafe {
            rocksdb_readoptions_destroy(self.reads);
            rocksdb_writeoptions_destroy(self.writes);
            rocksdb_writeoptions_destroy(self.synced);
            rocksdb_close(self.db);
        }
    }
}
