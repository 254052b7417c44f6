//! The `resilver` command as a black box: arguments in; files, output and exit codes out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod access;
mod bench;
mod care;
mod changed;
mod damage;
mod drill;
mod health;
mod hostile;
mod inspect;
mod kill;
mod losses;
mod odd_files;
mod recover;
mod repair;
mod stage;
