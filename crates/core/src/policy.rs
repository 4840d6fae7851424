//! Policies (doors × schedule), schedules, holiday groups, and groups of users that carry policies.

use std::collections::BTreeSet;

use crate::id::{DoorGroupId, DoorId, GroupId, HolidayGroupId, PolicyId, ScheduleId};
use crate::parameters::Revision;
use crate::text::Title;

/// When a policy admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyHours {
    /// At all times.
    Always,
    /// In the windows of a schedule, read in the zone of the door's site.
    Scheduled(ScheduleId),
}

/// Which doors open when. Given to users or to groups of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which.
    pub id: PolicyId,
    /// The last change to it.
    pub revision: Revision,
    /// What it is called; unique.
    pub name: Title,
    /// Doors named one by one.
    pub doors: BTreeSet<DoorId>,
    /// Doors named by their groups.
    pub door_groups: BTreeSet<DoorGroupId>,
    /// When.
    pub hours: PolicyHours,
}

/// A day of the week. Monday comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weekday {
    /// Monday
    Monday,
    /// Tuesday
    Tuesday,
    /// Wednesday
    Wednesday,
    /// Thursday
    Thursday,
    /// Friday
    Friday,
    /// Saturday
    Saturday,
    /// Sunday
    Sunday,
}

impl Weekday {
    /// The week, Monday first.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The day's English name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
            Self::Saturday => "Saturday",
            Self::Sunday => "Sunday",
        }
    }
}

/// A span of a day to the minute, including its first minute and not its last. A window that ends
/// at or before its start goes over midnight and belongs to the day it starts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    from: u16,
    to: u16,
}

impl Window {
    /// Minutes in a day.
    pub const DAY: u16 = 24 * 60;

    /// The whole day.
    pub const WHOLE_DAY: Self = Self {
        from: 0,
        to: Self::DAY,
    };

    /// A window from minute `from` (0 to 1,439) of the day to minute `to` (0 to 1,440; 1,440 is
    /// midnight at its end). `None` outside of that or when both are the same minute.
    #[must_use]
    pub const fn new(from: u16, to: u16) -> Option<Self> {
        if from < Self::DAY && to <= Self::DAY && from != to {
            Some(Self { from, to })
        } else {
            None
        }
    }

    /// The first minute of the day that is inside.
    #[must_use]
    pub const fn from(self) -> u16 {
        self.from
    }

    /// The first minute that is not; of the next day when it is not after [`Self::from`].
    #[must_use]
    pub const fn to(self) -> u16 {
        self.to
    }

    /// How many minutes it lasts.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        if self.to > self.from {
            self.to - self.from
        } else {
            Self::DAY - self.from + self.to
        }
    }
}

/// Windows on the days of a holiday group, instead of those of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolidayHours {
    /// Which days.
    pub group: HolidayGroupId,
    /// What applies on them; none means closed.
    pub windows: Vec<Window>,
}

/// Weekly windows, and others on holidays. Has no zone: it is read in that of the door's site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Which.
    pub id: ScheduleId,
    /// The last change to it.
    pub revision: Revision,
    /// What it is called; unique.
    pub name: Title,
    /// Windows by the day they start on, at most 100.
    pub weekly: Vec<(Weekday, Window)>,
    /// Windows on holidays; without this, holidays are days like any other.
    pub holidays: Option<HolidayHours>,
}

/// A day of the calendar, wherever it is: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// Whether a holiday comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recurrence {
    /// These days of this year only.
    Once,
    /// The same dates every year, from the first given one on.
    EveryYear,
}

/// One holiday: a day, or some in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holiday {
    /// What it is called.
    pub name: Title,
    /// Its first day.
    pub first: Day,
    /// Its last day, not before the first and at most a year after it.
    pub last: Day,
    /// Whether it comes back.
    pub recurrence: Recurrence,
}

/// A calendar of holidays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolidayGroup {
    /// Which.
    pub id: HolidayGroupId,
    /// The last change to it.
    pub revision: Revision,
    /// What it is called; unique.
    pub name: Title,
    /// Its holidays, at most 200.
    pub holidays: Vec<Holiday>,
}

/// A set of users. Members have its policies and those of every group above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub id: GroupId,
    /// The last change to it.
    pub revision: Revision,
    /// What it is called; unique.
    pub name: Title,
    /// The group it is in, at most [`Group::MAX_DEPTH`] levels deep.
    pub parent: Option<GroupId>,
    /// What its members may open.
    pub policies: BTreeSet<PolicyId>,
}

impl Group {
    /// How deep groups may be nested.
    pub const MAX_DEPTH: usize = 8;
}
