//! What an agent is believed: acknowledgements of what it was sent, and answers to what it was asked.

use offgate_core::id::DoorId;
use offgate_core::parameters::Revision;
use offgate_core::question::Question;
use offgate_core::ruling::Ruled;

use super::{Output, Phase, ServerEnd};
use crate::acknowledgement::{Above, Acknowledgement};
use crate::message::{RefusalCode, ToAgent};
use crate::question::{digest_of, verified};

/// How many questions may wait for their answers.
pub const QUESTIONS: usize = 32;
/// An acknowledgement that came before it could be judged.
pub(super) type Early = (Acknowledgement, Vec<u8>, [u8; 64]);

impl ServerEnd {
    /// Believes an acknowledgement only of a table that this store sent, and of refusals that it sent
    /// ahead, signed by this agent.
    pub(super) fn judge(&mut self, statement: Vec<u8>, signature: [u8; 64]) -> Vec<Output> {
        let Ok(said) = Acknowledgement::verify(&self.agent.key, &statement, &signature) else {
            return self.close(
                RefusalCode::Protocol,
                "acknowledgement not signed by this agent",
            );
        };
        let mut doors: Vec<DoorId> = self.agent.doors.iter().map(|(door, _)| *door).collect();
        doors.sort_unstable();
        if said.store != self.store || said.epoch != self.epoch || said.doors != doors {
            return self.close(RefusalCode::Protocol, "acknowledgement of something else");
        }
        let Some(refused) = self.refused(&said.above) else {
            return self.close(
                RefusalCode::Protocol,
                "acknowledgement of a refusal that was never sent",
            );
        };
        let table = (said.revision, said.hash);
        let position = self.ahead.iter().position(|sent| sent.table == table);
        let is_last = self.sent == Some(table) && self.ahead.is_empty();
        if let Some(position) = position {
            self.ahead.drain(..=position);
        } else if is_last && !self.sent_is_ours {
            // What it said in its greeting; the reading that is under way tells if it is so.
            self.early = Some((said, statement, signature));
            return Vec::new();
        } else if !is_last && self.acknowledged != Some(table) {
            if self.greeted != Some(table) {
                return self.close(
                    RefusalCode::Protocol,
                    "acknowledgement of a table that was never sent",
                );
            }
            // It is behind, and what it is behind of will be acknowledged in its turn.
            return if said.above.is_empty() {
                Vec::new()
            } else {
                vec![Output::Acknowledged {
                    up_to: Revision::ZERO,
                    refused,
                    statement,
                    signature,
                    acknowledgement: said,
                }]
            };
        }
        let mut outputs = vec![self.believe(said, refused, statement, signature)];
        // A reading may have waited for this.
        outputs.extend(self.read());
        outputs
    }

    /// The changes whose refusals are followed ahead of the table, if all of them were sent. That
    /// somebody removed is refused confirms nothing yet: what the door keeps of them goes with the
    /// table.
    pub(super) fn refused(&self, above: &[Above]) -> Option<Vec<Revision>> {
        let mut refused = Vec::new();
        for above in above {
            let sent = self.overtaken.iter().find(|ruling| {
                (ruling.subject, ruling.revision) == (above.subject, above.revision)
            })?;
            if sent.ruled != Ruled::Removed {
                refused.push(above.revision);
            }
        }
        Some(refused)
    }

    pub(super) fn believe(
        &mut self,
        said: Acknowledgement,
        refused: Vec<Revision>,
        statement: Vec<u8>,
        signature: [u8; 64],
    ) -> Output {
        self.acknowledged = Some((said.revision, said.hash));
        self.overtaken
            .retain(|above| above.revision > said.revision);
        Output::Acknowledged {
            up_to: said.revision,
            refused,
            acknowledgement: said,
            statement,
            signature,
        }
    }

    /// How many more questions the agent may be asked now.
    #[must_use]
    pub fn may_ask(&self) -> usize {
        match self.phase {
            Phase::Speaking => QUESTIONS.saturating_sub(self.questions.len()),
            _ => 0,
        }
    }

    pub(super) fn ask(&mut self, question: Question) -> Vec<Output> {
        if self.may_ask() == 0 || self.questions.contains(&question) {
            return Vec::new();
        }
        self.questions.push(question);
        let question = (&question).into();
        vec![Output::Send(ToAgent::Question { question })]
    }

    /// Believes an answer only to a question that is open, signed by this agent.
    pub(super) fn answered(&mut self, statement: Vec<u8>, signature: [u8; 64]) -> Vec<Output> {
        let Ok(answer) = verified(&self.agent.key, &statement, &signature) else {
            return self.close(RefusalCode::Protocol, "answer not signed by this agent");
        };
        let asked = self.questions.iter().position(|question| {
            digest_of(question) == answer.question
                && question.credential == answer.credential
                && question.door == answer.door
                && question.direction == answer.direction
        });
        match asked {
            Some(position) if answer.store == self.store => vec![Output::Answered {
                question: self.questions.remove(position),
                answer,
                statement,
                signature,
            }],
            _ => self.close(RefusalCode::Protocol, "answer to what was not asked"),
        }
    }
}
