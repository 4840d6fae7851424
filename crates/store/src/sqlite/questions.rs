//! Questions to doors and their answers, as rows.

use offgate_core::credential::{CredentialKind, CredentialState};
use offgate_core::id::{AgentId, CredentialId, DoorId, QuestionId, UserId};
use offgate_core::parameters::{Revision, Timestamp};
use offgate_core::place::Direction;
use offgate_core::question::{LIFE, OPEN_LIMIT, Question, Verdict};
use offgate_core::records::Records as _;
use offgate_core::table::admission::Reason;
use offgate_core::table::compile::presented;
use offgate_core::table::entry::{Entry, EntryKind};
use offgate_core::user::{Standing, UserRecord};
use rusqlite::{Connection, Row, params};

use super::read::Rows;
use super::rows::{all, id, number, one, revision};
use crate::error::StoreError;
use crate::questions::{KeptAnswer, NewAnswer, NewQuestion, RefusedCredential};

/// How many alarming answers are looked at.
const ALARMING: usize = 100;

/// The columns of an answer, in the order in which [`answer`] reads them.
macro_rules! answer_columns {
    () => {
        "SELECT user, revision, door, credential, verdict, kind, agent, received_at, reason, \
         statement, signature FROM answer "
    };
}

const OPEN_SQL: &str = "SELECT q.id, q.credential, q.door FROM question q \
     WHERE q.agent = ?1 AND q.asked_at > ?2 ORDER BY q.number LIMIT ?3";
const ANSWERS_SQL: &str = concat!(
    answer_columns!(),
    "WHERE user = ?1 AND revision = ?2 ORDER BY received_at, door, credential, verdict"
);
/// What a later answer, the door's next confirmation or an admission has overtaken is over.
const ADMITS_SQL: &str = concat!(
    answer_columns!(),
    "WHERE verdict = 'admits' \
     AND EXISTS (SELECT 1 FROM door d WHERE d.id = answer.door AND d.agent = answer.agent) \
     AND NOT EXISTS (SELECT 1 FROM answer later WHERE later.user = answer.user \
     AND later.revision = answer.revision AND later.door = answer.door \
     AND later.credential = answer.credential AND later.verdict <> 'admits' \
     AND later.received_at >= answer.received_at) \
     AND NOT EXISTS (SELECT 1 FROM confirmation c WHERE c.user = answer.user \
     AND c.revision > answer.revision AND c.door = answer.door \
     AND (c.what = 'admit' OR c.confirmed_at > answer.received_at)) \
     ORDER BY received_at DESC LIMIT ?1"
);

/// What somebody holds that must be refused.
pub(crate) fn refused(rows: &Rows<'_>, user: UserId) -> Result<Vec<RefusedCredential>, StoreError> {
    let Some(UserRecord::Present(person)) = rows.user(user)? else {
        return Ok(Vec::new());
    };
    let mut refused = Vec::new();
    for held in rows.credentials_of(user)? {
        let credential = held.id;
        let revision = match (&person.standing, held.state) {
            (Standing::Deactivated(deactivation), _) => Some(deactivation.revision),
            (Standing::Active, CredentialState::Lost { .. }) => ruled(rows.connection, credential)?,
            (Standing::Active, CredentialState::Usable) => None,
        };
        refused.extend(revision.map(|revision| RefusedCredential {
            credential,
            revision,
        }));
    }
    Ok(refused)
}

/// Which change reported a credential lost; none if it is not lost, or no agent ever knew it.
pub(crate) fn lost_by(
    rows: &Rows<'_>,
    credential: CredentialId,
) -> Result<Option<Revision>, StoreError> {
    match rows.credential(credential)?.map(|held| held.state) {
        Some(CredentialState::Lost { .. }) => ruled(rows.connection, credential),
        Some(CredentialState::Usable) | None => Ok(None),
    }
}

/// Which change ruled last about a credential, as the agents that know it were told.
fn ruled(
    connection: &Connection,
    credential: CredentialId,
) -> Result<Option<Revision>, StoreError> {
    let told = one(
        connection,
        "SELECT e.encoded FROM agent a CROSS JOIN agent_entry e ON e.agent = a.id AND e.kind = ?1 \
         AND e.id = ?2 WHERE e.encoded IS NOT NULL LIMIT 1",
        params![EntryKind::Ruling as u8, credential.as_bytes()],
        |row| match Entry::decode(&row.get::<_, Vec<u8>>(0)?) {
            Ok(Entry::Ruling(ruling)) => Ok(Revision::new(ruling.revision)),
            Ok(_) | Err(_) => Err(StoreError::Damaged("a ruling that is none")),
        },
    )?;
    Ok(told)
}

/// The doors that count for a refusal, and who decides for each now.
pub(super) fn doors(
    connection: &Connection,
    user: UserId,
    refusal: Revision,
) -> Result<Vec<(DoorId, AgentId)>, StoreError> {
    all(
        connection,
        "SELECT c.door, d.agent FROM confirmation c JOIN door d ON d.id = c.door \
         WHERE c.user = ?1 AND c.revision = ?2 AND d.agent IS NOT NULL ORDER BY c.door",
        params![user.as_bytes(), number(refusal)],
        |row| Ok((id!(row, 0, DoorId), id!(row, 1, AgentId))),
    )
}

/// How many questions there are at most, where that is known: some may have been answered since, or
/// have gone with their credential. To count them for each that is put would cost the more the more
/// there are; they are counted when there could be too many.
pub(super) type AtMost = Option<usize>;

/// Whether there is room for one more.
fn has_room(connection: &Connection, known: &mut AtMost) -> Result<bool, StoreError> {
    if known.is_none_or(|at_most| at_most >= OPEN_LIMIT) {
        let counted = one(connection, "SELECT count(*) FROM question", [], |row| {
            Ok(row.get::<_, i64>(0)?)
        })?;
        *known = counted.map(|counted| usize::try_from(counted).unwrap_or(OPEN_LIMIT));
    }
    Ok(known.is_some_and(|at_most| at_most < OPEN_LIMIT))
}

/// Puts a question, unless the same one is open or too many are. Says whether it waits now.
pub(super) fn ask(
    connection: &Connection,
    known: &mut AtMost,
    question: &NewQuestion,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let oldest = now.minus(LIFE).microseconds();
    let run = |sql, parameters: &[&dyn rusqlite::ToSql]| {
        Ok::<_, StoreError>(connection.prepare_cached(sql)?.execute(parameters)?)
    };
    run("DELETE FROM question WHERE asked_at <= ?1", &[&oldest])?;
    let put = if has_room(connection, known)? {
        run(
            "INSERT INTO question (id, agent, door, user, credential, revision, asked_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (agent, door, credential, revision) DO NOTHING",
            &[
                question.id.as_bytes(),
                question.agent.as_bytes(),
                question.door.as_bytes(),
                question.user.as_bytes(),
                question.refused.credential.as_bytes(),
                &number(question.refused.revision),
                &now.microseconds(),
            ],
        )?
    } else {
        0
    };
    *known = known.map(|at_most| at_most + put);
    if put == 1 {
        return Ok(true);
    }
    let waits = one(
        connection,
        "SELECT 1 FROM question WHERE agent = ?1 AND door = ?2 AND credential = ?3 \
         AND revision = ?4",
        params![
            question.agent.as_bytes(),
            question.door.as_bytes(),
            question.refused.credential.as_bytes(),
            number(question.refused.revision)
        ],
        |_| Ok(()),
    )?;
    Ok(waits.is_some())
}

/// Keeps an answer in the place of its question and of the last answer of its kind. One to a
/// question that is gone is dropped.
pub(super) fn answered(
    rows: &Rows<'_>,
    agent: AgentId,
    new: &NewAnswer,
    now: Timestamp,
) -> Result<(), StoreError> {
    let asked = one(
        rows.connection,
        "SELECT user, revision, door, credential FROM question WHERE id = ?1 AND agent = ?2",
        params![new.question.as_bytes(), agent.as_bytes()],
        |row| {
            Ok((
                id!(row, 0, UserId),
                row.get::<_, i64>(1)?,
                id!(row, 2, DoorId),
                id!(row, 3, CredentialId),
            ))
        },
    )?;
    let Some((user, refusal, door, credential)) = asked else {
        return Ok(());
    };
    let Some(held) = rows.credential(credential)? else {
        return Ok(());
    };
    let reason = match new.verdict {
        Verdict::Refuses(reason) => Some(reason.name()),
        Verdict::Admits | Verdict::AdmitsAnother => None,
    };
    rows.connection
        .prepare_cached(
            "INSERT OR REPLACE INTO answer (user, revision, door, credential, verdict, kind, \
             agent, received_at, reason, statement, signature) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            user.as_bytes(),
            refusal,
            door.as_bytes(),
            credential.as_bytes(),
            new.verdict.name(),
            held.means.kind().name(),
            agent.as_bytes(),
            now.microseconds(),
            reason,
            new.statement,
            new.signature
        ])?;
    rows.connection
        .prepare_cached("DELETE FROM question WHERE id = ?1")?
        .execute(params![new.question.as_bytes()])?;
    Ok(())
}

/// What an agent is to be asked, the first first.
pub(crate) fn open(
    rows: &Rows<'_>,
    agent: AgentId,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Question>, StoreError> {
    let Some(asked) = rows.agent(agent)? else {
        return Ok(Vec::new());
    };
    let found = all(
        rows.connection,
        OPEN_SQL,
        params![
            agent.as_bytes(),
            now.minus(LIFE).microseconds(),
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        |row| {
            let (id, door) = (id!(row, 0, QuestionId), id!(row, 2, DoorId));
            let credential = rows.credential(id!(row, 1, CredentialId))?;
            Ok(credential.map(|credential| Question {
                id,
                credential: credential.id,
                sought: presented(&credential.means).sought(&asked.hash_key),
                door,
                direction: Direction::In,
            }))
        },
    )?;
    Ok(found.into_iter().flatten().collect())
}

/// How many questions about a refusal wait for their answers.
pub(crate) fn count_open(
    connection: &Connection,
    user: UserId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let count = one(
        connection,
        "SELECT count(*) FROM credential c JOIN question q ON q.credential = c.id \
         WHERE c.user = ?1 AND q.asked_at > ?2",
        params![user.as_bytes(), now.minus(LIFE).microseconds()],
        |row| Ok(row.get::<_, i64>(0)?),
    )?;
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0))
}

/// Changes whenever a question is put.
pub(crate) fn newest(connection: &Connection) -> Result<Option<[u8; 16]>, StoreError> {
    one(
        connection,
        "SELECT id FROM question ORDER BY number DESC LIMIT 1",
        [],
        |row| Ok(row.get(0)?),
    )
}

/// What doors answered about a refusal, in the order in which it came.
pub(crate) fn answers(
    connection: &Connection,
    user: UserId,
    refusal: Revision,
) -> Result<Vec<KeptAnswer>, StoreError> {
    all(
        connection,
        ANSWERS_SQL,
        params![user.as_bytes(), number(refusal)],
        answer,
    )
}

/// Answers by which a door would open for somebody who is refused, and which nothing has overtaken;
/// the last first.
pub(crate) fn admitting(rows: &Rows<'_>) -> Result<Vec<KeptAnswer>, StoreError> {
    let answers = all(
        rows.connection,
        ADMITS_SQL,
        params![i64::try_from(ALARMING).unwrap_or(i64::MAX)],
        answer,
    )?;
    let mut standing = Vec::new();
    for answer in answers {
        let is_refused = match rows.user(answer.user)? {
            Some(UserRecord::Removed(_)) | None => true,
            Some(UserRecord::Present(_)) => refused(rows, answer.user)?.contains(&answer.refused),
        };
        if is_refused {
            standing.push(answer);
        }
    }
    Ok(standing)
}

fn answer(row: &Row<'_>) -> Result<KeptAnswer, StoreError> {
    let reason: Option<String> = row.get(8)?;
    let reason = reason.as_deref().and_then(Reason::from_name);
    let verdict = match (row.get::<_, String>(4)?.as_str(), reason) {
        ("refuses", Some(reason)) => Verdict::Refuses(reason),
        ("admits", None) => Verdict::Admits,
        ("admits another", None) => Verdict::AdmitsAnother,
        _ => return Err(StoreError::Damaged("an answer of no known kind")),
    };
    let kind: String = row.get(5)?;
    Ok(KeptAnswer {
        user: id!(row, 0, UserId),
        refused: RefusedCredential {
            revision: revision(row.get(1)?),
            credential: id!(row, 3, CredentialId),
        },
        door: id!(row, 2, DoorId),
        kind: CredentialKind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or(StoreError::Damaged("a credential of no known kind"))?,
        agent: id!(row, 6, AgentId),
        verdict,
        received_at: Timestamp::from_microseconds(row.get(7)?),
        statement: row.get(9)?,
        signature: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    #[test]
    fn questions_are_counted_when_there_could_be_too_many() {
        let connection = schema();
        // Whom and what they are about is of no matter here.
        connection
            .pragma_update(None, "foreign_keys", false)
            .expect("a setting");
        connection
            .execute(
                "WITH RECURSIVE some (number) AS \
                 (SELECT 1 UNION ALL SELECT number + 1 FROM some WHERE number < ?1) \
                 INSERT INTO question (id, agent, door, user, credential, revision, asked_at) \
                 SELECT randomblob(16), x'01', x'02', x'03', x'04', number, 0 FROM some",
                [i64::try_from(OPEN_LIMIT).expect("a number")],
            )
            .expect("questions");
        let mut known = None;
        assert!(!has_room(&connection, &mut known).expect("counted"));
        assert_eq!(known, Some(OPEN_LIMIT));
        connection
            .execute("DELETE FROM question WHERE revision = 1", [])
            .expect("answered");
        assert!(has_room(&connection, &mut known).expect("counted again"));
        assert_eq!(known, Some(OPEN_LIMIT - 1));
        // As long as there cannot be too many, nothing is counted.
        let mut few = Some(1);
        assert!(has_room(&connection, &mut few).expect("known"));
        assert_eq!(few, Some(1));
    }

    #[test]
    fn what_is_looked_up_at_every_change_is_found_by_index() {
        let connection = schema();
        for (sql, index) in [
            (OPEN_SQL, "sqlite_autoindex_question"),
            (ANSWERS_SQL, "PRIMARY KEY (user=? AND revision=?)"),
            (ADMITS_SQL, "answer_that_admits"),
        ] {
            let plan = plan(&connection, sql);
            assert!(
                plan.starts_with("SEARCH") || plan.starts_with("SCAN answer USING INDEX"),
                "{sql}\n{plan}"
            );
            assert!(plan.contains(index), "{sql}\n{plan}");
        }
    }
}
