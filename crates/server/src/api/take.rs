//! What every door for events does with them: keep what can be kept, and say why the rest is not.

use mainstay_core::{
    engagement::{Authority, EventError, segment::Said},
    id::OrganizationId,
};
use serde_json::Value;

use super::{Api, problem::Problem, refused::RefusedEvent};
use crate::{
    client::Alias,
    engagement::{Admission, Fate},
    live::Refused,
};

/// Most events in one request: with less it takes many requests, with more a sender that has to
/// repeat one repeats too much.
pub(crate) const MAX_EVENTS: usize = 2_500;
/// Refused events of a request of which is kept what was sent. Whoever wires up an app sends few;
/// copying what senders of many send would cost them time.
const MOST_SHOWN: usize = 100;

/// What became of a request's events.
pub(crate) struct Taken {
    /// How many there were.
    pub(crate) count: usize,
    /// Those that are new, and on disk.
    pub(crate) stored: usize,
    /// Those that were there already.
    pub(crate) duplicates: usize,
    /// Those that are on disk and wait until it is known whose they are.
    pub(crate) waiting: usize,
    /// Those that were refused, in their order.
    pub(crate) refused: Vec<RefusedEvent>,
}

impl Taken {
    /// Whether there were some and not one could be used.
    pub(crate) fn none(&self) -> bool {
        self.count > 0 && self.refused.len() == self.count
    }
}

/// For a count that is left out of an answer while there is nothing to count.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Stores what could be read of a request, as far as its sender may say it; when this returns it is on
/// disk. `sent` tells what one of
/// them looked like, for the page of live events.
pub(crate) async fn take(
    api: &Api,
    (organization, authority): (OrganizationId, Authority),
    read: Vec<Result<Said, EventError>>,
    admission: Admission,
    sent: impl Fn(usize) -> Option<Value>,
) -> Result<Taken, Problem> {
    let count = read.len();
    let naming = api.mainstay.naming(organization).await?;
    let limits = (naming.clients_are, naming.count_self_told);
    let received_at = api.mainstay.now();
    let (mut places, mut said) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut aliases: Vec<(usize, Alias)> = Vec::new();
    let mut refused: Vec<(usize, EventError)> = Vec::new();
    for (index, one) in read.into_iter().enumerate() {
        let one = one.and_then(|one| authority.limit(one, limits, received_at));
        match one {
            Ok(Said::Alias { previous, client_id, at, message_id }) => {
                aliases.push((index, Alias { previous, client_id, at, message_id }));
            }
            Ok(one) => {
                places.push(index);
                said.push(one);
            }
            Err(error) => refused.push((index, error)),
        }
    }
    if authority == Authority::Client {
        let clients = said.iter().filter_map(|one| match one {
            Said::Did(event) | Said::DidByPerson(event) | Said::DidByPersonOrClient(event) => {
                Some(event.client_id.as_str())
            }
            Said::Told(change) | Said::ToldOfPerson(change) => Some(change.client_id.as_str()),
            Said::Joined { client, .. } | Said::Grouped { client, .. } => {
                Some(client.client_id.as_str())
            }
            Said::Alias { .. } | Said::Nothing => None,
        });
        api.writer.count_self_told(organization, clients)?;
    }
    // First, so that what the same request says under another id arrives at the client.
    if !aliases.is_empty() {
        // In a box, so that what has none does not carry the memory for it.
        let joining = Box::pin(api.mainstay.join_ids(organization, authority, &aliases));
        refused.extend(joining.await?);
    }
    for (index, alias) in aliases {
        if refused.iter().all(|(place, _)| *place != index) {
            places.push(index);
            said.push(alias.said(authority));
        }
    }
    let (mut stored, mut duplicates, mut waiting) = (0, 0, 0);
    for (index, fate) in
        places.into_iter().zip(api.writer.store(organization, said, admission).await?)
    {
        match fate {
            Fate::Stored => stored += 1,
            Fate::Duplicate => duplicates += 1,
            Fate::Waiting => waiting += 1,
            Fate::Learned => {}
            Fate::Refused(error) => refused.push((index, error)),
        }
    }
    refused.sort_by_key(|(index, _)| *index);
    note(api, organization, &refused, sent);
    let refused = refused.into_iter().map(|(index, error)| RefusedEvent {
        index,
        field: error.field.to_owned(),
        reason: error.reason,
    });
    Ok(Taken { count, stored, duplicates, waiting, refused: refused.collect() })
}

/// Keeps refused events for the page of live events.
fn note(
    api: &Api,
    organization: OrganizationId,
    refused: &[(usize, EventError)],
    sent: impl Fn(usize) -> Option<Value>,
) {
    let shown: Vec<Option<Value>> =
        refused.iter().take(MOST_SHOWN).map(|(index, _)| sent(*index)).collect();
    let noted = refused.iter().enumerate().map(|(place, (_, error))| Refused {
        field: error.field,
        reason: &error.reason,
        sent: shown.get(place).and_then(Option::as_ref),
    });
    api.mainstay.note_refused(organization, noted);
}
