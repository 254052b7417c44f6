//! The `resilver` command as a black box: arguments in; files, output and exit codes out.

mod changed;
mod damage;
mod hostile;
mod odd_files;
mod recover;
mod stage;
