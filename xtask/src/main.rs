//! Drives the gates and the releases of this workspace.
fn main() {}
