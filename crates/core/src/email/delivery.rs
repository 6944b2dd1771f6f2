use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{EmailSettings, EmailType};
use crate::{
    job::with_jitter,
    text::count_noun,
    time::{days_between, local_day},
};

/// Minimum interval between two nudges of a client.
pub const NUDGE_INTERVAL: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Minimum interval between two emails to a client.
const MIN_INTERVAL: SignedDuration = SignedDuration::from_hours(24);
/// A weekly mail follows the one before it no sooner. A day less than a week, because a job that is due
/// at the same hour every week runs some minutes earlier or later.
const MIN_WEEKLY_INTERVAL: SignedDuration = SignedDuration::from_hours(6 * 24);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Days after a weekly mail's period in which it can leave: then the next week is over too.
const WEEKLY_TTL_DAYS: i32 = 7;
/// What a nudge says of a client's silence is out of date after this.
const NUDGE_TTL: SignedDuration = SignedDuration::from_hours(48);
/// Weekly mails that a client may leave without any activity before they pause.
pub const MAX_UNANSWERED_WEEKLY: usize = 4;
/// Seconds until a mail is tried again, after the first, the second and so on that failed.
const RETRY_DELAYS_SECONDS: [i64; 8] = [5, 30, 300, 1_800, 7_200, 21_600, 43_200, 86_400];
/// The longest of these between two trials.
const MAX_PROBE_INDEX: usize = 3;
/// What is fetched sooner than this after delivery was fetched by a program that checks mails.
const MIN_HUMAN_DELAY: SignedDuration = SignedDuration::from_secs(10);
/// User agents of programs that fetch links and images in emails.
const BOT_AGENTS: [&str; 14] = [
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
pub fn retry_delay(tries: i64, jitter: u16) -> Option<SignedDuration> {
    let wait = usize::try_from(tries - 1).ok().and_then(|index| RETRY_DELAYS_SECONDS.get(index))?;
    Some(with_jitter(*wait, jitter))
}

/// How long to wait after so many tries that failed by no fault of the mail: there is no last one.
/// Never longer than half an hour.
pub fn probe_delay(tries: i64, jitter: u16) -> SignedDuration {
    let index = usize::try_from(tries - 1).unwrap_or(0).min(MAX_PROBE_INDEX);
    with_jitter(RETRY_DELAYS_SECONDS[index], jitter)
}

/// Earlier email to a client, which may not have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierEmail {
    /// Email type.
    pub kind: EmailType,
    /// Time.
    pub at: Timestamp,
}

/// Whether an email may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Now,
    /// Not before this time.
    Later(Timestamp),
    /// No, and why.
    Never(String),
}

/// What a decision about a mail rests on, besides the organization's settings.
#[derive(Clone, Copy, Debug)]
pub struct EmailCandidate<'a> {
    /// Its kind.
    pub kind: EmailType,
    /// Last local day of the email's period.
    pub period: Date,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// Earlier emails to the client, including those that may not have been sent.
    pub earlier: &'a [EarlierEmail],
}

/// Decides whether an email may be sent now.
///
/// A client gets at most one mail in 24 hours, whatever their kinds. The weekly mail counts towards the
/// most in 7 days, but is not kept back by it: it is what the client asked for. Mails that are out of
/// date, because no mail server could be reached for long, are not sent at all.
pub fn admission(
    email: &EmailCandidate<'_>,
    settings: &EmailSettings,
    zone: &TimeZone,
    now: Timestamp,
) -> Admission {
    let kind = email.kind;
    if kind == EmailType::SubscriptionRequest {
        return Admission::Now;
    }
    if !settings.sends(kind) {
        return Admission::Never(format!("{} is switched off", kind.words()));
    }
    if let Some(reason) =
        expiry_reason(email, zone, now).or_else(|| limit_reason(email, settings, now))
    {
        return Admission::Never(reason);
    }
    if let Some(free) = earliest_send_time(email).filter(|free| *free > now) {
        return Admission::Later(free);
    }
    match settings.quiet.and_then(|quiet| quiet.ends_after(now, zone)) {
        Some(end) => Admission::Later(end),
        None => Admission::Now,
    }
}

fn expiry_reason(email: &EmailCandidate<'_>, zone: &TimeZone, now: Timestamp) -> Option<String> {
    let queued_for = now.duration_since(email.queued_at);
    let reason = match email.kind {
        EmailType::WeeklyInsights => {
            let age = days_between(email.period, local_day(now, zone));
            (age > WEEKLY_TTL_DAYS).then_some("it was not sent before the next week ended")
        }
        EmailType::MomentumNudge => (queued_for > NUDGE_TTL)
            .then_some("it waited for more than 48 hours and is out of date"),
        _ => (queued_for > WEEK).then_some("delayed for more than 7 days"),
    };
    reason.map(str::to_owned)
}

fn limit_reason(
    email: &EmailCandidate<'_>,
    settings: &EmailSettings,
    now: Timestamp,
) -> Option<String> {
    let within = |time: SignedDuration| {
        email.earlier.iter().filter(move |earlier| now.duration_since(earlier.at) < time)
    };
    let nudged = within(NUDGE_INTERVAL).any(|earlier| earlier.kind == EmailType::MomentumNudge);
    if email.kind == EmailType::MomentumNudge && nudged {
        return Some("already nudged within 14 days".to_owned());
    }
    let week = i64::try_from(within(WEEK).count()).unwrap_or(i64::MAX);
    let limited = email.kind != EmailType::WeeklyInsights && week >= settings.most_per_week;
    limited.then(|| {
        let had = count_noun(week, "mail");
        format!("already got {had} within 7 days, the maximum")
    })
}

/// Returns the time at which earlier emails are old enough.
fn earliest_send_time(email: &EmailCandidate<'_>) -> Option<Timestamp> {
    let weekly = |kind| kind == EmailType::WeeklyInsights;
    let after = |earlier: &EarlierEmail| {
        let apart = if weekly(email.kind) && weekly(earlier.kind) {
            MIN_WEEKLY_INTERVAL
        } else {
            MIN_INTERVAL
        };
        earlier.at.checked_add(apart).ok()
    };
    email.earlier.iter().filter_map(after).max()
}

/// Why the weekly mail pauses, if it does: the last four were sent without any activity of the client
/// since. `fourth_last` is when the fourth last one was sent, `since` when the client asked for mails.
pub fn weekly_pause(
    fourth_last: Option<Timestamp>,
    last_event: Option<Timestamp>,
    since: Timestamp,
) -> Option<String> {
    let last_response = last_event.map_or(since, |at| at.max(since));
    (fourth_last? > last_response).then(|| {
        format!(
            "paused: no activity after {MAX_UNANSWERED_WEEKLY} weekly emails; they resume \
             when the client is active again"
        )
    })
}

/// How far a mail got when the mail server refused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SmtpStage {
    /// Its sender was named (MAIL FROM).
    MailFrom,
    /// Its recipient was named (RCPT TO).
    Rcpt,
    /// Its content was announced (DATA).
    Data,
    /// After the content.
    Content,
}

/// Cause of a refusal by the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// This one mailbox's: there is none, or it takes nothing any more.
    Mailbox,
    /// The mailbox's where few are refused like this, else the sender's: the server did not say.
    Unclear,
    /// The sender's: its account, a policy, a quota, the size, or the server itself.
    Sender,
    /// A passing state of either server: try again later.
    Temporary,
}

/// Of a hundred mails of one run, so many that are refused without a word about whose fault it is are
/// the sender's.
const UNCLEAR_PERCENT: u64 = 5;

/// Decides whose fault a reply is that is no acceptance, by how far the mail got, the reply's code and
/// its text, which may begin with an enhanced code (RFC 3463).
///
/// Only what a server says of a recipient can be about its mailbox: no such one (5.1.x), or one that is
/// closed (5.2.1). A full mailbox (the rest of 5.2.x) is tried again.
pub fn failure_cause(stage: SmtpStage, code: u16, text: &str) -> FailureCause {
    if code < 500 {
        return FailureCause::Temporary;
    }
    if stage != SmtpStage::Rcpt {
        return FailureCause::Sender;
    }
    match enhanced_code(text) {
        // 5.1.7 and 5.1.8 speak of the sender's address.
        Some((5, 1, detail)) if !matches!(detail, 7 | 8) => FailureCause::Mailbox,
        Some((5, 2, 1)) => FailureCause::Mailbox,
        Some((5, 2, _)) => FailureCause::Temporary,
        None if code == 550 => FailureCause::Unclear,
        _ => FailureCause::Sender,
    }
}

/// Whether so many refusals of an unclear fault are too many of a run's mails to be their mailboxes'.
pub const fn is_sender_fault(unclear: u64, tried: u64) -> bool {
    unclear.saturating_mul(100) >= tried.saturating_mul(UNCLEAR_PERCENT)
}

/// The enhanced code that a reply's text begins with: class, subject and detail.
fn enhanced_code(text: &str) -> Option<(u16, u16, u16)> {
    let word = text.split_whitespace().next()?;
    let mut numbers = word.split('.').map(|part| {
        let number = part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|_| number && part.len() <= 3)
    });
    let found = (numbers.next()??, numbers.next()??, numbers.next()??);
    (numbers.next().is_none() && matches!(found.0, 2 | 4 | 5)).then_some(found)
}

/// Whether a program rather than a person opened the email or clicked.
pub fn is_suspected_bot(sent_at: Option<Timestamp>, at: Timestamp, agent: &str) -> bool {
    let agent = agent.to_lowercase();
    sent_at.is_none_or(|sent| at.duration_since(sent) < MIN_HUMAN_DELAY)
        || agent.is_empty()
        || BOT_AGENTS.iter().any(|program| agent.contains(program))
}
