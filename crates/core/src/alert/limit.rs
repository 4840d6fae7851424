//! How many alerts there may be, so that a broken reader drowns nobody.

use std::time::Duration;

/// How many alerts of one kind somebody is sent in an hour.
pub const PER_HOUR: u64 = 10;
/// How many of one kind another program is sent in an hour.
pub const WEBHOOK_PER_HOUR: u64 = 100;
/// That hour.
pub const AN_HOUR: Duration = Duration::from_secs(3600);

/// Whether somebody is sent one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// They are.
    Sent,
    /// They are, and are told that it is the last for now.
    SentAsTheLast,
    /// They are not. The console shows what there is.
    LeftOut,
}

/// Decides whether somebody is sent one more alert of a kind, of which they were sent so many within
/// the last hour, and may be sent so many.
#[must_use]
pub const fn allowance(sent: u64, per_hour: u64) -> Allowance {
    match sent + 1 {
        this if this == per_hour => Allowance::SentAsTheLast,
        this if this < per_hour => Allowance::Sent,
        _ => Allowance::LeftOut,
    }
}
