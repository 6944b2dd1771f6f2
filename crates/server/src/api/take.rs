//! What every door for events does with them: keep what can be kept, and say why the rest is not.

use mainstay_core::{
    engagement::{EventError, segment::Said},
    id::OrganizationId,
};
use serde_json::Value;

use super::{Api, problem::Problem, v1::events::RefusedEvent};
use crate::{
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
    /// Those that were refused, in their order.
    pub(crate) refused: Vec<RefusedEvent>,
}

impl Taken {
    /// Whether there were some and not one could be used.
    pub(crate) fn none(&self) -> bool {
        self.count > 0 && self.refused.len() == self.count
    }
}

/// Stores what could be read of a request; when this returns it is on disk. `sent` tells what one of
/// them looked like, for the page of live events.
pub(crate) async fn take(
    api: &Api,
    organization: OrganizationId,
    read: Vec<Result<Said, EventError>>,
    admission: Admission,
    sent: impl Fn(usize) -> Option<Value>,
) -> Result<Taken, Problem> {
    let count = read.len();
    let (mut places, mut said) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut refused: Vec<(usize, EventError)> = Vec::new();
    for (index, one) in read.into_iter().enumerate() {
        match one {
            Ok(one) => {
                places.push(index);
                said.push(one);
            }
            Err(error) => refused.push((index, error)),
        }
    }
    let (mut stored, mut duplicates) = (0, 0);
    for (index, fate) in
        places.into_iter().zip(api.writer.store(organization, said, admission).await?)
    {
        match fate {
            Fate::Stored => stored += 1,
            Fate::Duplicate => duplicates += 1,
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
    Ok(Taken { count, stored, duplicates, refused: refused.collect() })
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
