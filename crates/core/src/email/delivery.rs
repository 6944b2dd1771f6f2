use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{EmailSettings, EmailType};
use crate::{job::jittered, text::counted};

/// A client is nudged at most once in this time.
pub const NUDGE_EVERY: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A client gets at most one mail in this time, the weekly one aside.
const APART: SignedDuration = SignedDuration::from_hours(24);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Seconds until a mail is tried again, after the first, the second and so on that failed.
const WAITS: [i64; 8] = [5, 30, 300, 1_800, 7_200, 21_600, 43_200, 86_400];
/// What is fetched sooner than this after delivery was fetched by a program that checks mails.
const TOO_SOON: SignedDuration = SignedDuration::from_secs(10);
/// Programs that fetch what is in mails before, or without, a person who opens them.
const PROGRAMS: [&str; 14] = [
    "bot",
    "crawl",
    "spider",
    "preview",
    "scan",
    "proxy",
    "barracuda",
    "mimecast",
    "proofpoint",
    "safelinks",
    "symantec",
    "curl",
    "python",
    "wget",
];

/// How long a mail waits after so many tries that failed, or `None` when that was the last. `jitter`
/// of 0…1 000 spreads it.
pub fn next_try(tries: i64, jitter: u16) -> Option<SignedDuration> {
    let wait = usize::try_from(tries - 1).ok().and_then(|index| WAITS.get(index))?;
    Some(jittered(*wait, jitter))
}

/// A mail that a client was sent before, or that may have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// What kind it was.
    pub kind: EmailType,
    /// When.
    pub at: Timestamp,
}

/// Whether a mail may go now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Now,
    /// Not before this.
    Later(Timestamp),
    /// No, and why.
    Never(String),
}

/// Decides whether a mail that was queued at an instant may go to a client who had these before.
///
/// The weekly mail counts towards what a client gets, but nothing holds it up but quiet hours: it is
/// what the client asked for.
pub fn admission(
    kind: EmailType,
    queued_at: Timestamp,
    earlier: &[Earlier],
    settings: &EmailSettings,
    zone: &TimeZone,
    now: Timestamp,
) -> Admission {
    if kind == EmailType::SubscriptionRequest {
        return Admission::Now;
    }
    if !settings.sends(kind) {
        return Admission::Never(format!("{} is switched off", kind.words()));
    }
    if kind != EmailType::WeeklyInsights
        && let Some(decided) = capped(kind, queued_at, earlier, settings, now)
    {
        return decided;
    }
    match settings.quiet.and_then(|quiet| quiet.ends_after(now, zone)) {
        Some(end) => Admission::Later(end),
        None => Admission::Now,
    }
}

fn capped(
    kind: EmailType,
    queued_at: Timestamp,
    earlier: &[Earlier],
    settings: &EmailSettings,
    now: Timestamp,
) -> Option<Admission> {
    let nudged = |mail: &&Earlier| {
        mail.kind == EmailType::MomentumNudge && now.duration_since(mail.at) < NUDGE_EVERY
    };
    if kind == EmailType::MomentumNudge && earlier.iter().any(|mail| nudged(&mail)) {
        return Some(Admission::Never("nudged within 14 days already".to_owned()));
    }
    let week = earlier.iter().filter(|mail| now.duration_since(mail.at) < WEEK).count();
    let week = i64::try_from(week).unwrap_or(i64::MAX);
    if week >= settings.most_per_week {
        let had = counted(week, "mail");
        return Some(Admission::Never(format!(
            "had {had} within 7 days, the most that is allowed"
        )));
    }
    let free = earlier.iter().map(|mail| mail.at).max()?.checked_add(APART).ok()?;
    if free <= now {
        return None;
    }
    // News that is a week old is none.
    if free.duration_since(queued_at) > WEEK {
        return Some(Admission::Never("held up for more than 7 days".to_owned()));
    }
    Some(Admission::Later(free))
}

/// Whether an open or a click looks like a program's rather than a person's.
pub fn suspected(sent_at: Option<Timestamp>, at: Timestamp, agent: &str) -> bool {
    let agent = agent.to_lowercase();
    sent_at.is_none_or(|sent| at.duration_since(sent) < TOO_SOON)
        || agent.is_empty()
        || PROGRAMS.iter().any(|program| agent.contains(program))
}
