use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};
use mainstay_core::{
    email::EmailState,
    id::{AlertId, MemberId, OrganizationId, StaffEmailId},
    notification::{Digest, DigestAlert, DigestFor, News, NotificationSettings, settled},
    time::{days_before, days_between, local_day, time_zone},
};
use mainstay_store::{NewStaffEmail, Scope, SendEnd, StaffEmail, Tx, new_id};

use super::SAMPLE;
use crate::{Error, Mainstay, Result};

/// Days after the one that it speaks of on which a digest is still sent.
const VALID_DAYS: i32 = 1;
/// How long messages and digests are kept after they were sent.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Mainstay {
    /// Writes the daily mails of the members who want them: what became of alerts since the last
    /// ones, or since a day before `period`. Forgets old messages. Answers how many were new.
    pub(crate) async fn queue_digests(
        &self,
        organization: OrganizationId,
        period: Timestamp,
    ) -> Result<u64> {
        let now = self.now();
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let before = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        tx.forget_webhook_messages(before).await?;
        tx.forget_staff_emails(before).await?;
        tx.delete_transactional_emails(before).await?;
        let queued = queue(&mut tx, period, now).await?;
        tx.commit().await?;
        Ok(queued)
    }

    /// Takes a digest to send it, for good; `None` when somebody else has it or it is not to be sent.
    pub(crate) async fn take_staff_email(
        &self,
        organization: OrganizationId,
        id: StaffEmailId,
    ) -> Result<Option<StaffEmail>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.begin_sending_to_staff(id, now).await? {
            return Ok(None);
        }
        let Some(email) = tx.staff_email(id).await? else { return Ok(None) };
        let organization = tx.organization().await?;
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        let why = if organization.sample {
            Some(SAMPLE.to_owned())
        } else if days_between(email.day, local_day(now, &zone)) > VALID_DAYS {
            Some("it waited until a later one was written".to_owned())
        } else if !email.wanted {
            Some("the member does not want it any more".to_owned())
        } else {
            tx.suppression(&email.address)
                .await?
                .map(|why| format!("the address was refused: {why}"))
        };
        let kept = why.is_none().then_some(email);
        if why.is_some() {
            let end =
                SendEnd { state: EmailState::Suppressed, reason: why, due_at: None, tried: false };
            tx.end_sending_to_staff(id, &end, now).await?;
        }
        tx.commit().await?;
        Ok(kept)
    }

    /// The members who want a mail a day.
    pub async fn digest_members(&self, organization: OrganizationId) -> Result<Vec<MemberId>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.digest_members().await?)
    }

    /// Keeps whether a member wants a mail a day.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such member.
    pub async fn set_daily_digest(
        &self,
        organization: OrganizationId,
        member: MemberId,
        wanted: bool,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.set_daily_digest(member, wanted).await? {
            return Err(Error::NotFound {
                what: "member",
                id: member.to_string(),
                remedy: "GET /api/v1/members lists those there are",
            });
        }
        Ok(tx.commit().await?)
    }
}

async fn queue(tx: &mut Tx, period: Timestamp, now: Timestamp) -> Result<u64> {
    let members = tx.digest_members().await?;
    if members.is_empty() {
        return Ok(0);
    }
    let organization = tx.organization().await?;
    let zone =
        time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))?;
    let day_before = days_before(period, 1, &zone);
    let from = tx.staff_told_until().await?.map_or(day_before, |until| until.max(day_before));
    let alerts = alerts_of(tx, from, now).await?;
    let open = tx.open_alert_counts().await?.into_iter().map(|(_, count)| count).sum();
    let settings = tx.notification_settings().await?;
    let mails: Vec<NewStaffEmail> = members
        .into_iter()
        .filter_map(|member| {
            let day = local_day(from, &zone);
            let to = DigestFor { member, organization: &organization.name, day, open };
            let digest = Digest::new(to, &alerts)?;
            Some(NewStaffEmail {
                id: new_id(now),
                member,
                day: local_day(period, &zone),
                told_until: now,
                subject: digest.subject,
                content: digest.content,
                due_at: due_at(&settings, &zone, now),
            })
        })
        .collect();
    Ok(tx.queue_staff_emails(&mails, now).await?)
}

async fn alerts_of(tx: &mut Tx, from: Timestamp, until: Timestamp) -> Result<Vec<DigestAlert>> {
    let mut messages: HashMap<AlertId, String> = HashMap::new();
    let mut news: Vec<News> = Vec::new();
    for (one, message) in tx.alert_changes(from, until).await? {
        messages.insert(one.alert, message);
        news.push(one);
    }
    let left = settled(&news);
    let ids: Vec<AlertId> = left.iter().map(|news| news.alert).collect();
    let mut called: HashMap<AlertId, String> = tx
        .noticed_alerts(&ids)
        .await?
        .into_iter()
        .map(|alert| (alert.id, alert.client_name.unwrap_or(alert.client_id)))
        .collect();
    Ok(left
        .into_iter()
        .map(|news| DigestAlert {
            client: called.remove(&news.alert).unwrap_or_default(),
            owner: news.owner,
            change: news.change,
            kind: news.kind,
            severity: news.severity,
            message: messages.remove(&news.alert).unwrap_or_default(),
        })
        .collect())
}

/// The hour at which digests are mailed, if it is still ahead today, and not in quiet hours.
fn due_at(settings: &NotificationSettings, zone: &TimeZone, now: Timestamp) -> Timestamp {
    let at = Time::new(settings.digest_hour, 0, 0, 0)
        .ok()
        .and_then(|hour| zone.to_timestamp(local_day(now, zone).to_datetime(hour)).ok())
        .map_or(now, |hour| hour.max(now));
    settings.quiet.and_then(|quiet| quiet.ends_after(at, zone)).unwrap_or(at)
}
