//! The webhook: where alerts go beside mail.

use super::{Case, Judgement};
use crate::change::Change;
use crate::records::Records;
use crate::refusal::Refusal;
use crate::webhook::{Webhook, WebhookAddress, WebhookState};

impl<R: Records + ?Sized> Case<'_, R> {
    pub(super) fn set_up_webhook(&self, after: &Webhook) -> Judgement<Vec<Change>, R> {
        self.webhook_becomes(Some(Webhook {
            state: WebhookState::Open,
            ..after.clone()
        }))
    }

    pub(super) fn stop_webhook(&self) -> Judgement<Vec<Change>, R> {
        self.webhook_becomes(None)
    }

    /// What was said there of an address that is not that of the webhook any more changes nothing.
    pub(super) fn webhook_gone(&self, address: &WebhookAddress) -> Judgement<Vec<Change>, R> {
        match self.read(|records| records.webhook())? {
            Some(webhook) if webhook.address == *address && webhook.state == WebhookState::Open => {
                self.webhook_becomes(Some(Webhook {
                    state: WebhookState::Gone { at: self.now },
                    ..webhook
                }))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What may be done as soon as there is a webhook.
    pub(super) fn with_webhook(&self, change: Change) -> Judgement<Vec<Change>, R> {
        match self.read(|records| records.webhook())? {
            Some(_) => Ok(vec![change]),
            None => Err(Refusal::WebhookNotSetUp.into()),
        }
    }

    fn webhook_becomes(&self, after: Option<Webhook>) -> Judgement<Vec<Change>, R> {
        let before = self.read(|records| records.webhook())?;
        Ok(if before == after {
            Vec::new()
        } else {
            vec![Change::WebhookChanged {
                before: before.map(Box::new),
                after: after.map(Box::new),
            }]
        })
    }
}
