//! The command `imdsctl`.
#![allow(dead_code, reason = "while it is being built")]

mod document;
mod explain;
mod journal;
mod output;
mod policy_check;
mod row;
mod spool;
mod user_data;

fn main() {}
