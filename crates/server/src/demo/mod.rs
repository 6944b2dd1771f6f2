//! The sample organization: four months of invented clients, replayed day by day through the same
//! services as real data, with a manual clock.

mod life;
mod names;

use std::sync::Arc;

use jiff::{Timestamp, civil::Weekday};
use mainstay_core::{
    email::{ConsentSource, SubscriptionState},
    engagement::EventType,
    id::OrganizationId,
    job::Job,
    score::{FeedbackKind, LaunchKit},
    time::{add_days, local_day, start_of_day, time_zone},
};
use mainstay_store::{ClientPatch, KeyKind, Organization, Role, Scope, TaskStatus};

use crate::{
    Error, Mainstay, ManualClock, Result,
    access::{ClientClaims, random_secret, sign_client_token},
    client::FeedbackInput,
    email::SubscriptionUpdate,
    organization::CreateOrganization,
};
use life::{DemoEvent, Life};

/// The sample organization's slug.
pub const SLUG: &str = "demo";
const NAME: &str = "Tidewater Studio";
const ZONE: &str = "Europe/Copenhagen";
/// The owner's address.
pub const OWNER: &str = "owner@demo.example";
/// The number of sample days; the last one is today.
const DAYS: i32 = 120;
/// Characters of the owner's password: short enough to type, with more than a hundred bits.
const PASSWORD_CHARS: usize = 20;
/// Lifetime of the sample client token, in seconds: the maximum.
const TOKEN_TTL_SECONDS: i64 = 24 * 60 * 60;

/// A prepared sample organization with its keys, which are shown only once.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The organization.
    pub organization: Organization,
    /// `msk_…`.
    pub secret_key: String,
    /// `mwk_…`.
    pub write_key: String,
    /// The owner's password.
    pub owner_password: String,
    /// `mmt_…` of the owner.
    pub member_token: String,
    /// A token of [`Demo::client_id`], valid for a day.
    pub client_token: String,
    /// The client that the token is for.
    pub client_id: String,
    /// Secret with which client tokens are signed.
    pub token_secret: String,
}

/// Creates the sample organization again, up to now. It only depends on the current day. `progress`
/// gets the finished and total days.
///
/// # Errors
/// If an organization that is not sample data has its slug.
pub async fn prepare(
    mainstay: &Mainstay,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Demo> {
    let now = mainstay.now();
    let existing = mainstay.organizations().await?.into_iter().find(|one| one.slug == SLUG);
    if let Some(organization) = existing {
        mainstay.delete_sample_organization(&organization).await?;
    }
    let zone = time_zone(ZONE).map_err(|reason| Error::invalid("timezone", reason))?;
    let today = local_day(now, &zone);
    let first = add_days(today, 1 - DAYS);

    let clock = Arc::new(ManualClock::new(start_of_day(first, &zone)));
    let then = Mainstay::new(mainstay.store().clone(), clock.clone());
    let created = then
        .create_organization(CreateOrganization {
            slug: SLUG.to_owned(),
            name: Some(NAME.to_owned()),
            time_zone: Some(ZONE.to_owned()),
            sample: true,
        })
        .await?;
    let organization = created.organization.clone();
    let owner = then.add_member(organization.id, OWNER, Some("Ines Moreau"), Role::Owner).await?.id;
    for (email, name, role) in [
        ("ola@demo.example", "Ola Brandt", Role::Admin),
        ("tomas@demo.example", "Tomas Vale", Role::Staff),
    ] {
        then.add_member(organization.id, email, Some(name), role).await?;
    }

    let mut lives = Life::all(DAYS);
    let days = u64::try_from(DAYS).unwrap_or(0);
    for day in 0..DAYS {
        let date = add_days(first, day);
        let (start, end) = (start_of_day(date, &zone), start_of_day(add_days(date, 1), &zone));
        clock.set(start);
        if day > 0 {
            let weekly = date.weekday() == Weekday::Sunday;
            if weekly {
                then.run_period(organization.id, Job::Weekly, start).await?;
            }
            then.run_period(organization.id, Job::Daily, start).await?;
        }
        for life in &mut lives {
            let happenings = life.day(day, start, end);
            live(&then, &clock, organization.id, life, happenings, now).await?;
        }
        progress(u64::try_from(day + 1).unwrap_or(days), days);
    }
    clock.set(now);
    score_and_check(&then, organization.id, now).await?;

    let member_token =
        mainstay.create_key(organization.id, KeyKind::Member, Some(OWNER)).await?.key;
    let owner_password = random_secret().chars().take(PASSWORD_CHARS).collect::<String>();
    mainstay.set_password(organization.id, owner, &owner_password).await?;
    let client_id = lives[0].client_id.clone();
    let claims = ClientClaims {
        sub: client_id.clone(),
        aud: SLUG.to_owned(),
        exp: now.as_second() + TOKEN_TTL_SECONDS,
    };
    Ok(Demo {
        organization: mainstay.context(organization.id).await?.organization,
        secret_key: created.keys.secret_key,
        write_key: created.keys.write_key,
        owner_password,
        member_token,
        client_token: sign_client_token(&claims, &created.token_secret),
        client_id,
        token_secret: created.token_secret,
    })
}

async fn score_and_check(
    mainstay: &Mainstay,
    organization: OrganizationId,
    as_of: Timestamp,
) -> Result<()> {
    mainstay.score_as_shown(organization, None, false, |_| ()).await?;
    mainstay.check_organization_health(organization, as_of, None, false).await?;
    Ok(())
}

/// Replays one client's day, except for future events.
async fn live(
    mainstay: &Mainstay,
    clock: &ManualClock,
    organization: OrganizationId,
    life: &mut Life,
    happenings: Vec<DemoEvent>,
    now: Timestamp,
) -> Result<()> {
    let mut events = Vec::new();
    for happening in happenings.into_iter().filter(|happening| happening.at() <= now) {
        clock.set(happening.at());
        match happening {
            DemoEvent::Begins(_) => {
                let patch = ClientPatch {
                    name: Some(life.name.clone()),
                    email: Some(life.email.clone()),
                    plan: Some(life.plan.to_owned()),
                    ..ClientPatch::default()
                };
                let client = mainstay.create_client(organization, &life.client_id, patch).await?;
                if life.wants_mails() {
                    let update = SubscriptionUpdate {
                        state: SubscriptionState::Subscribed,
                        address: None,
                        source: ConsentSource::ClientPage,
                    };
                    mainstay.subscribe(organization, &client, &update).await?;
                }
            }
            DemoEvent::Event(event) => events.push(*event),
            DemoEvent::TaskAdded(_, title) => {
                let task = mainstay
                    .create_task(organization, &life.client_id, title, TaskStatus::Pending)
                    .await?;
                life.tasks.push(task.id);
            }
            DemoEvent::Task(_, index, status) => {
                mainstay
                    .update_task(
                        organization,
                        &life.client_id,
                        life.tasks[index],
                        None,
                        Some(status),
                    )
                    .await?;
            }
            DemoEvent::LaunchKit(_) => {
                mainstay
                    .record_launch_kit(organization, &life.client_id, LaunchKit::Viewed)
                    .await?;
            }
            DemoEvent::Feedback(at, rating) => {
                let scope = Scope::Service(organization);
                let client = mainstay.client(scope, &life.client_id).await?;
                let input = FeedbackInput {
                    kind: FeedbackKind::Stars,
                    rating,
                    comment: None,
                    given_at: Some(at),
                    self_told: false,
                };
                mainstay.record_feedback(organization, &client, input).await?;
                events.push(life.event(at, EventType::FeedbackGiven));
            }
        }
    }
    if !events.is_empty() {
        mainstay.track_engagement_events(organization, events).await?;
    }
    Ok(())
}
