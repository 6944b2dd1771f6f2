use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{EmailSettings, EmailType};
use crate::{
    job::jittered,
    text::counted,
    time::{days_between, local_day},
};

/// A client is nudged at most once in this time.
pub const NUDGE_EVERY: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A client gets at most one mail in this time.
const APART: SignedDuration = SignedDuration::from_hours(24);
/// A weekly mail follows the one before it no sooner. A day less than a week, because a job that is due
/// at the same hour every week runs some minutes earlier or later.
const WEEKLY_APART: SignedDuration = SignedDuration::from_hours(6 * 24);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Days after a weekly mail's period in which it can leave: then the next week is over too.
const WEEKLY_VALID_DAYS: i32 = 7;
/// What a nudge says of a client's silence is out of date after this.
const NUDGE_VALID: SignedDuration = SignedDuration::from_hours(48);
/// Weekly mails that a client may leave without any activity before they pause.
pub const MAX_UNANSWERED_WEEKLY: usize = 4;
/// Seconds until a mail is tried again, after the first, the second and so on that failed.
const WAITS: [i64; 8] = [5, 30, 300, 1_800, 7_200, 21_600, 43_200, 86_400];
/// The longest of these between two trials.
const MAX_TRIAL_WAIT: usize = 3;
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

/// How long to wait after so many tries that failed by no fault of the mail: there is no last one.
/// Never longer than half an hour.
pub fn next_trial(tries: i64, jitter: u16) -> SignedDuration {
    let index = usize::try_from(tries - 1).unwrap_or(0).min(MAX_TRIAL_WAIT);
    jittered(WAITS[index], jitter)
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

/// What a decision about a mail rests on, besides the organization's settings.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its kind.
    pub kind: EmailType,
    /// Last local day of the period that it speaks of.
    pub period: Date,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// What the client was sent before, or may have been.
    pub earlier: &'a [Earlier],
}

/// Decides whether a mail may go now.
///
/// A client gets at most one mail in 24 hours, whatever their kinds. The weekly mail counts towards the
/// most in 7 days, but is not kept back by it: it is what the client asked for. Mails that are out of
/// date, because no mail server could be reached for long, are not sent at all.
pub fn admission(
    mail: &Candidate<'_>,
    settings: &EmailSettings,
    zone: &TimeZone,
    now: Timestamp,
) -> Admission {
    let kind = mail.kind;
    if kind == EmailType::SubscriptionRequest {
        return Admission::Now;
    }
    if !settings.sends(kind) {
        return Admission::Never(format!("{} is switched off", kind.words()));
    }
    if let Some(reason) = expired(mail, zone, now).or_else(|| over_limit(mail, settings, now)) {
        return Admission::Never(reason);
    }
    if let Some(free) = free_at(mail).filter(|free| *free > now) {
        return Admission::Later(free);
    }
    match settings.quiet.and_then(|quiet| quiet.ends_after(now, zone)) {
        Some(end) => Admission::Later(end),
        None => Admission::Now,
    }
}

fn expired(mail: &Candidate<'_>, zone: &TimeZone, now: Timestamp) -> Option<String> {
    let waited = now.duration_since(mail.queued_at);
    let reason = match mail.kind {
        EmailType::WeeklyInsights => {
            let age = days_between(mail.period, local_day(now, zone));
            (age > WEEKLY_VALID_DAYS).then_some("it waited until the next week was over")
        }
        EmailType::MomentumNudge => {
            (waited > NUDGE_VALID).then_some("it waited for more than 48 hours and is out of date")
        }
        _ => (waited > WEEK).then_some("held up for more than 7 days"),
    };
    reason.map(str::to_owned)
}

fn over_limit(mail: &Candidate<'_>, settings: &EmailSettings, now: Timestamp) -> Option<String> {
    let within = |time: SignedDuration| {
        mail.earlier.iter().filter(move |earlier| now.duration_since(earlier.at) < time)
    };
    let nudged = within(NUDGE_EVERY).any(|earlier| earlier.kind == EmailType::MomentumNudge);
    if mail.kind == EmailType::MomentumNudge && nudged {
        return Some("nudged within 14 days already".to_owned());
    }
    let week = i64::try_from(within(WEEK).count()).unwrap_or(i64::MAX);
    let limited = mail.kind != EmailType::WeeklyInsights && week >= settings.most_per_week;
    limited.then(|| {
        let had = counted(week, "mail");
        format!("had {had} within 7 days, the most that is allowed")
    })
}

/// When the mails before this one are far enough back.
fn free_at(mail: &Candidate<'_>) -> Option<Timestamp> {
    let weekly = |kind| kind == EmailType::WeeklyInsights;
    let after = |earlier: &Earlier| {
        let apart = if weekly(mail.kind) && weekly(earlier.kind) { WEEKLY_APART } else { APART };
        earlier.at.checked_add(apart).ok()
    };
    mail.earlier.iter().filter_map(after).max()
}

/// Why the weekly mail pauses, if it does: the last four were sent without any activity of the client
/// since. `fourth_last` is when the fourth last one was sent, `since` when the client asked for mails.
pub fn weekly_pause(
    fourth_last: Option<Timestamp>,
    last_event: Option<Timestamp>,
    since: Timestamp,
) -> Option<String> {
    let answered = last_event.map_or(since, |at| at.max(since));
    (fourth_last? > answered).then(|| {
        format!(
            "paused: nothing came from the client after {MAX_UNANSWERED_WEEKLY} weekly mails; they go on \
             when it is active again"
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
    /// All of it was given.
    Content,
}

/// Whose fault it is that a mail was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
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
pub fn fault(stage: SmtpStage, code: u16, text: &str) -> Fault {
    if code < 500 {
        return Fault::Temporary;
    }
    if stage != SmtpStage::Rcpt {
        return Fault::Sender;
    }
    match enhanced_code(text) {
        // 5.1.7 and 5.1.8 speak of the sender's address.
        Some((5, 1, detail)) if !matches!(detail, 7 | 8) => Fault::Mailbox,
        Some((5, 2, 1)) => Fault::Mailbox,
        Some((5, 2, _)) => Fault::Temporary,
        None if code == 550 => Fault::Unclear,
        _ => Fault::Sender,
    }
}

/// Whether so many refusals of an unclear fault are too many of a run's mails to be their mailboxes'.
pub const fn is_senders_fault(unclear: u64, tried: u64) -> bool {
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

/// Whether an open or a click looks like a program's rather than a person's.
pub fn suspected(sent_at: Option<Timestamp>, at: Timestamp, agent: &str) -> bool {
    let agent = agent.to_lowercase();
    sent_at.is_none_or(|sent| at.duration_since(sent) < TOO_SOON)
        || agent.is_empty()
        || PROGRAMS.iter().any(|program| agent.contains(program))
}
