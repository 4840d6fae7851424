//! Longer limits: whether a door may be given more time on its own for a while, and when that ends.

use super::{Case, Judgement};
use crate::change::Change;
use crate::id::DoorId;
use crate::longer_limit::{AT_MOST, LongerLimit};
use crate::records::Records;
use crate::refusal::{Refusal, Thing};

impl<R: Records + ?Sized> Case<'_, R> {
    pub(super) fn lengthen_limit(&self, after: &LongerLimit) -> Judgement<Vec<Change>, R> {
        let door = self.find(Thing::Door, |records| records.door(after.door))?;
        if after.lease <= door.lease {
            return Err(Refusal::LimitNotLonger.into());
        }
        if after.until <= self.now || after.until > self.now.plus(AT_MOST) {
            return Err(Refusal::LongerLimitEnd.into());
        }
        self.list_outlasts(&door, after.lease)?;
        let before = self.read(|records| records.longer_limit(after.door))?;
        Ok(if before.as_ref() == Some(after) {
            Vec::new()
        } else {
            let after = after.clone();
            vec![Change::LimitLengthened { before, after }]
        })
    }

    pub(super) fn end_longer_limit(&self, door: DoorId) -> Judgement<Vec<Change>, R> {
        self.find(Thing::Door, |records| records.door(door))?;
        let limit = self.read(|records| records.longer_limit(door))?;
        Ok(limit.map(Change::LongerLimitEnded).into_iter().collect())
    }

    /// One that was set anew meanwhile goes on.
    pub(super) fn longer_limit_over(&self, door: DoorId) -> Judgement<Vec<Change>, R> {
        let limit = self.read(|records| records.longer_limit(door))?;
        let over = limit.filter(|limit| limit.until <= self.now);
        Ok(over.map(Change::LongerLimitEnded).into_iter().collect())
    }
}
