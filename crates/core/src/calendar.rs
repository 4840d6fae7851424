//! Zones.
/// The canonical name of a zone built into this program.
pub(crate) fn zone(name: &str) -> Option<&str> {
    jiff::tz::TimeZone::get(name).ok().map(|_| name)
}
