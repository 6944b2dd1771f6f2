use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};
use mainstay_core::{
    email::EmailState,
    id::{AlertId, MemberId, OrganizationId, StaffEmailId},
    notification::{
        Digest, DigestAlert, DigestContext, News, NotificationSettings, latest_changes,
    },
    time::{days_before, days_between, local_day, time_zone},
};
use mainstay_store::{NewStaffEmail, Scope, SendEnd, StaffEmail, Tx, new_id};

use super::SAMPLE;
use crate::{Error, Mainstay, Result};

/// For how many days after its date a digest is still sent.
const VALID_DAYS: i32 = 1;
/// How long messages and digests are kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Mainstay {
    /// Queues the daily digests of members who want them: changes of alerts since the last one, or
    /// since a day before `period`. Deletes old messages. Returns the number of new digests.
    pub(crate) async fn queue_digests(
        &self,
        organization: OrganizationId,
        period: Timestamp,
    ) -> Result<u64> {
        let now = self.now();
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let before = now.checked_sub(RETENTION).unwrap_or(Timestamp::MIN);
        tx.delete_webhook_messages(before).await?;
        tx.delete_staff_emails(before).await?;
        tx.delete_transactional_emails(before).await?;
        let queued = queue_for_members(&mut tx, period, now).await?;
        tx.commit().await?;
        Ok(queued)
    }

    /// Claims a digest; `None` if another process has it or it must not be sent.
    pub(crate) async fn claim_staff_email(
        &self,
        organization: OrganizationId,
        id: StaffEmailId,
    ) -> Result<Option<StaffEmail>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.claim_staff_email(id, now).await? {
            return Ok(None);
        }
        let Some(email) = tx.find_staff_email(id).await? else { return Ok(None) };
        let organization = tx.get_organization().await?;
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        let reason = if organization.sample {
            Some(SAMPLE.to_owned())
        } else if days_between(email.day, local_day(now, &zone)) > VALID_DAYS {
            Some("replaced by a later digest before it was sent".to_owned())
        } else if !email.wanted {
            Some("the member has turned it off".to_owned())
        } else {
            tx.find_suppression(&email.address)
                .await?
                .map(|reason| format!("the address was refused: {reason}"))
        };
        let email_to_send = reason.is_none().then_some(email);
        if reason.is_some() {
            let end = SendEnd { state: EmailState::Suppressed, reason, due_at: None, tried: false };
            tx.complete_staff_email(id, &end, now).await?;
        }
        tx.commit().await?;
        Ok(email_to_send)
    }

    /// The members who receive the daily digest.
    pub async fn digest_members(&self, organization: OrganizationId) -> Result<Vec<MemberId>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.list_digest_members().await?)
    }

    /// Turns a member's daily digest on or off.
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
                remedy: "GET /api/v1/members lists all members",
            });
        }
        Ok(tx.commit().await?)
    }
}

async fn queue_for_members(tx: &mut Tx, period: Timestamp, now: Timestamp) -> Result<u64> {
    let members = tx.list_digest_members().await?;
    if members.is_empty() {
        return Ok(0);
    }
    let organization = tx.get_organization().await?;
    let zone =
        time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))?;
    let day_before = days_before(period, 1, &zone);
    let from =
        tx.find_staff_notified_until().await?.map_or(day_before, |until| until.max(day_before));
    let alerts = alerts_of(tx, from, now).await?;
    let open = tx.count_open_alerts().await?.into_iter().map(|(_, count)| count).sum();
    let settings = tx.get_notification_settings().await?;
    let mails: Vec<NewStaffEmail> = members
        .into_iter()
        .filter_map(|member| {
            let day = local_day(from, &zone);
            let to = DigestContext { member, organization: &organization.name, day, open };
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
    Ok(tx.enqueue_staff_emails(&mails, now).await?)
}

async fn alerts_of(tx: &mut Tx, from: Timestamp, until: Timestamp) -> Result<Vec<DigestAlert>> {
    let mut messages: HashMap<AlertId, String> = HashMap::new();
    let mut news: Vec<News> = Vec::new();
    for (one, message) in tx.list_alert_changes(from, until).await? {
        messages.insert(one.alert, message);
        news.push(one);
    }
    let settled_news = latest_changes(&news);
    let ids: Vec<AlertId> = settled_news.iter().map(|news| news.alert).collect();
    let mut client_names: HashMap<AlertId, String> = tx
        .list_noticed_alerts(&ids)
        .await?
        .into_iter()
        .map(|alert| (alert.id, alert.client_name.unwrap_or(alert.client_id)))
        .collect();
    Ok(settled_news
        .into_iter()
        .map(|news| DigestAlert {
            client: client_names.remove(&news.alert).unwrap_or_default(),
            owner: news.owner,
            change: news.change,
            kind: news.kind,
            severity: news.severity,
            message: messages.remove(&news.alert).unwrap_or_default(),
        })
        .collect())
}

/// When the next digest is sent: today's digest hour if still ahead, outside quiet hours.
fn due_at(settings: &NotificationSettings, zone: &TimeZone, now: Timestamp) -> Timestamp {
    let at = Time::new(settings.digest_hour, 0, 0, 0)
        .ok()
        .and_then(|hour| zone.to_timestamp(local_day(now, zone).to_datetime(hour)).ok())
        .map_or(now, |hour| hour.max(now));
    settings.quiet.and_then(|quiet| quiet.ends_after(at, zone)).unwrap_or(at)
}
