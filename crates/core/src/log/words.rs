//! What an entry's kind means in words, between who did it and what it was done to:
//! "Maria Lopez *deactivated* Anna Berg".

/// Every kind of entry and its verb.
const VERBS: [(&str, &str); 66] = [
    ("user.created", "created"),
    ("user.profile-changed", "changed the details of"),
    (
        "user.access-period-changed",
        "changed the dates of access of",
    ),
    ("user.groups-changed", "changed the groups of"),
    ("user.policies-changed", "changed the policies of"),
    ("user.deactivated", "deactivated"),
    ("user.reactivated", "reactivated"),
    ("user.removed", "removed"),
    ("user.erased", "erased what was left of"),
    (
        "user.erasure-held",
        "keeps from being erased what is left of",
    ),
    ("user.erasure-released", "no longer keeps what is left of"),
    ("user.exported", "exported the data of"),
    ("credential.added", "gave a credential to"),
    ("credential.removed", "took a credential from"),
    ("credential.lost", "reported a credential lost, held by"),
    ("credential.found", "reported a credential found, held by"),
    (
        "credential.pin-refused",
        "was told to choose another PIN for",
    ),
    ("operator.sessions-ended", "ended the sign-ins of"),
    ("group.created", "created the group"),
    ("group.changed", "changed the group"),
    ("group.deleted", "deleted the group"),
    ("site.created", "created the site"),
    ("site.changed", "changed the site"),
    ("site.deleted", "deleted the site"),
    ("door.created", "created the door"),
    ("door.changed", "changed the door"),
    ("door.deleted", "deleted the door"),
    (
        "door.limit-lengthened",
        "gave more time on its own, for a while, to",
    ),
    (
        "door.longer-limit-ended",
        "took back the longer time on its own of",
    ),
    ("door-group.created", "created the door group"),
    ("door-group.changed", "changed the door group"),
    ("door-group.deleted", "deleted the door group"),
    ("policy.created", "created the policy"),
    ("policy.changed", "changed the policy"),
    ("policy.deleted", "deleted the policy"),
    ("schedule.created", "created the schedule"),
    ("schedule.changed", "changed the schedule"),
    ("schedule.deleted", "deleted the schedule"),
    ("holiday-group.created", "created the holiday group"),
    ("holiday-group.changed", "changed the holiday group"),
    ("holiday-group.deleted", "deleted the holiday group"),
    ("emergency-list.created", "created the emergency list"),
    ("emergency-list.changed", "changed the emergency list"),
    ("emergency-list.deleted", "deleted the emergency list"),
    ("join-token.created", "invited the agent"),
    (
        "join-token.withdrawn",
        "withdrew the invitation of the agent",
    ),
    ("agent.enrolled", "joined as"),
    ("agent.revoked", "revoked the agent"),
    ("agent.stolen", "reported stolen the agent"),
    ("operator.created", "added the operator"),
    ("operator.changed", "changed the operator"),
    ("operator.deleted", "deleted the operator"),
    ("operator.erased", "erased the operator"),
    ("operator.password-set", "set the password of"),
    ("operator.alerts-chosen", "changed which alerts are sent to"),
    ("store.key-replaced", "replaced a key of"),
    (
        "store.keeping-changed",
        "changed how long is kept what is told by",
    ),
    ("store.addresses-announced", "told agents where to find"),
    ("store.restored", "restored from a backup"),
    ("mail.server-changed", "changed the server for"),
    (
        "mail.checkpoint-changed",
        "changed the checkpoints that go by",
    ),
    ("mail.tested", "tested"),
    ("webhook.changed", "changed"),
    ("webhook.secret-replaced", "replaced the secret of"),
    ("webhook.tested", "tested"),
    ("store.calendars-extended", "extended the calendars of"),
];

/// The verb for a kind; the kind itself for one that a newer Offgate wrote.
#[must_use]
pub fn verb(kind: &str) -> &str {
    VERBS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or(kind, |(_, verb)| verb)
}

/// Whether the values of a detail are instants, which the log keeps as microseconds since 1970 and
/// whoever shows them shows in a zone.
#[must_use]
pub fn is_instant(detail: &str) -> bool {
    matches!(
        detail,
        "access starts"
            | "access ends"
            | "employment ended at"
            | "deactivated since"
            | "backup made at"
            | "longer until"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind that `log.rs` writes has a verb, and no verb is for a kind nobody writes.
    #[test]
    fn kinds_and_verbs_are_the_same() {
        let source = include_str!("../log.rs");
        let written: std::collections::BTreeSet<&str> = source
            .split('"')
            .filter(|text| {
                text.split_once('.').is_some_and(|(subject, what)| {
                    let plain = |word: &str| {
                        !word.is_empty()
                            && word.chars().all(|it| it.is_ascii_lowercase() || it == '-')
                    };
                    plain(subject) && plain(what)
                })
            })
            .collect();
        let spoken: std::collections::BTreeSet<&str> =
            VERBS.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(written, spoken);
    }
}
