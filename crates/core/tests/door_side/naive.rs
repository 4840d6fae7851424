//! The policies read as a person would, without tables.

use crate::organisation::*;
use jiff::civil;
use jiff::tz::TimeZone;
use offgate_core::memory::Memory;
use offgate_core::parameters::Timestamp;
use offgate_core::policy::{Day, Holiday, PolicyHours, Recurrence, Schedule, Weekday, Window};

/// The schedule read as a person would, on the zone's own calendar.
pub(crate) fn naive(
    schedule: &Schedule,
    holidays: &[Holiday],
    zone: &TimeZone,
    now: Timestamp,
) -> bool {
    let local = jiff::Timestamp::from_second(now.seconds())
        .expect("in range")
        .to_zoned(zone.clone());
    let minute = local.hour() as u16 * 60 + local.minute() as u16;
    let is_holiday = |date: civil::Date| {
        holidays.iter().any(|holiday| {
            let civil = |day: Day| {
                let (year, month, day) = day.date();
                civil::date(year, month, day)
            };
            let (first, last) = (civil(holiday.first), civil(holiday.last));
            let span = last - first;
            match holiday.recurrence {
                Recurrence::Once => first <= date && date <= last,
                Recurrence::EveryYear => [date.year() - 1, date.year()].into_iter().any(|year| {
                    year >= first.year()
                        && civil::Date::new(year, first.month(), first.day())
                            .is_ok_and(|start| start <= date && date <= start + span)
                }),
            }
        })
    };
    let windows = |date: civil::Date| -> Vec<Window> {
        if let Some(hours) = &schedule.holidays
            && is_holiday(date)
        {
            return hours.windows.clone();
        }
        let weekday = Weekday::ALL[date.weekday().to_monday_zero_offset() as usize];
        schedule
            .weekly
            .iter()
            .filter(|(day, _)| *day == weekday)
            .map(|(_, window)| *window)
            .collect()
    };
    let today = windows(local.date()).into_iter().any(|window| {
        minute >= window.from() && (minute < window.to() || window.to() <= window.from())
    });
    let yesterday = windows(local.date().yesterday().expect("in range"))
        .into_iter()
        .any(|window| window.to() <= window.from() && minute < window.to());
    today || yesterday
}

/// Whether somebody may open a door, read off the policies as a person would: their own, and those
/// of their groups and of every group around those.
pub(crate) fn naive_grant(
    memory: &Memory,
    user: u8,
    door: u8,
    zone: &TimeZone,
    now: Timestamp,
) -> bool {
    let Some(offgate_core::user::UserRecord::Present(user)) = memory.users.get(&user_id(user))
    else {
        return false;
    };
    let mut held = user.policies.clone();
    for group in &user.groups {
        let mut around = Some(*group);
        while let Some(group) = around {
            held.extend(&memory.groups[&group].policies);
            around = memory.groups[&group].parent;
        }
    }
    let inside = user.access.starts.is_none_or(|starts| starts <= now)
        && user.access.ends.is_none_or(|ends| now < ends);
    inside
        && held.iter().any(|policy| {
            let policy = &memory.policies[policy];
            let by_group = policy
                .door_groups
                .iter()
                .any(|group| memory.door_groups[group].doors.contains(&door_id(door)));
            let holidays = &memory.holiday_groups[&HOLIDAYS].holidays;
            (policy.doors.contains(&door_id(door)) || by_group)
                && match policy.hours {
                    PolicyHours::Always => true,
                    PolicyHours::Scheduled(schedule) => {
                        naive(&memory.schedules[&schedule], holidays, zone, now)
                    }
                }
        })
}
