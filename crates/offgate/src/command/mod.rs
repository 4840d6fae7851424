//! The commands that work on the store, one resource to a file.
//!
//! Each file owns the arguments of its resource as they are typed, what they mean, and what is
//! answered. None knows a rule: what may be done is for the store's judgement.

pub(crate) mod activity;
pub(crate) mod agent_key;
pub(crate) mod alert;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod credential;
pub(crate) mod door;
pub(crate) mod door_group;
pub(crate) mod emergency_list;
mod furniture;
pub(crate) mod group;
pub(crate) mod holiday;
mod hours;
pub(crate) mod join_token;
pub(crate) mod keeping;
pub(crate) mod keys;
pub(crate) mod mail;
mod means;
pub(crate) mod metrics;
pub(crate) mod operator;
pub(crate) mod owner;
mod person;
pub(crate) mod policy;
pub(crate) mod proof;
pub(crate) mod schedule;
pub(crate) mod server_address;
pub(crate) mod site;
pub(crate) mod user;
pub(crate) mod vault;
pub(crate) mod webhook;
