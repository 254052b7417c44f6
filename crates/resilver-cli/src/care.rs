//! Looking after a store: what is wrong with it, and putting it right.

mod heal;
mod losses;
mod passes;
mod repair;
mod scrub;
mod verify;

pub(crate) use self::{
    heal::{HealOptions, heal},
    losses::{AcceptLossOptions, LossesOptions, accept_loss, losses},
    repair::{RepairOptions, repair},
    scrub::{ScrubOptions, scrub, scrub_store},
    verify::{exit as verified_exit, json as verified_json, verify, verify_store},
};
