use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    email::{
        Admission, Celebration, EarlierEmail, EmailCandidate, EmailContent, EmailLinks,
        EmailSettings, EmailType, FailureCause, QuietHours, Recipient, ScoreLine, SmtpStage,
        admission, failure_cause, is_sender_fault, is_suspected_bot, plain_text, probe_delay,
        retry_delay, weekly_pause,
    },
    score::{Band, Trend},
    time::time_zone,
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn now() -> Timestamp {
    at("2026-05-20T12:00:00Z")
}

fn hours_ago(hours: i64, kind: EmailType) -> EarlierEmail {
    EarlierEmail {
        kind,
        at: now().checked_sub(SignedDuration::from_hours(hours)).expect("in range"),
    }
}

/// What is decided about a mail that was queued just now.
fn decided(kind: EmailType, earlier: &[EarlierEmail], settings: &EmailSettings) -> Admission {
    let period = Date::constant(2026, 5, 19);
    let mail = EmailCandidate { kind, period, queued_at: now(), earlier };
    admission(&mail, settings, &TimeZone::UTC, now())
}

/// What is decided when it was queued so many hours ago and could not be sent before.
fn decided_after(hours: i64, kind: EmailType) -> Admission {
    let queued_at = hours_ago(hours, kind).at;
    let period = queued_at.to_zoned(TimeZone::UTC).date().yesterday().expect("a day before");
    let mail = EmailCandidate { kind, period, queued_at, earlier: &[] };
    admission(&mail, &EmailSettings::default(), &TimeZone::UTC, now())
}

#[test]
fn a_mail_is_tried_again_from_seconds_to_a_day_and_then_given_up() {
    let waits: Vec<i64> = (1..=8).map(|tries| retry_delay(tries, 500).unwrap().as_secs()).collect();
    assert_eq!(waits, [5, 30, 300, 1_800, 7_200, 21_600, 43_200, 86_400]);
    assert_eq!(retry_delay(9, 500), None);
    assert_eq!(retry_delay(1, 0).unwrap().as_millis(), 4_000);
    assert_eq!(retry_delay(1, 1_000).unwrap().as_millis(), 6_000);
}

#[test]
fn a_trial_is_made_again_and_again_within_half_an_hour() {
    let waits: Vec<i64> = (1..=9).map(|tries| probe_delay(tries, 500).as_secs()).collect();
    assert_eq!(waits, [5, 30, 300, 1_800, 1_800, 1_800, 1_800, 1_800, 1_800]);
    assert_eq!(probe_delay(0, 500).as_secs(), 5);
}

#[test]
fn a_client_gets_one_mail_a_day_whatever_their_kinds() {
    let settings = EmailSettings { most_per_week: 8, ..EmailSettings::default() };
    for kind in EmailType::REGULAR {
        for before in EmailType::REGULAR {
            let decided = decided(kind, &[hours_ago(1, before)], &settings);
            match (kind, before) {
                (EmailType::MomentumNudge, EmailType::MomentumNudge) => {
                    assert!(matches!(decided, Admission::Never(_)), "{decided:?}");
                }
                (EmailType::WeeklyInsights, EmailType::WeeklyInsights) => {
                    assert_eq!(decided, Admission::Later(at("2026-05-26T11:00:00Z")));
                }
                _ => assert_eq!(
                    decided,
                    Admission::Later(at("2026-05-21T11:00:00Z")),
                    "{kind} after {before}"
                ),
            }
        }
    }
    let yesterday = [hours_ago(24, EmailType::WeeklyInsights)];
    assert_eq!(decided(EmailType::AchievementBadge, &yesterday, &settings), Admission::Now);
    let last_week = [hours_ago(7 * 24 - 1, EmailType::WeeklyInsights)];
    assert_eq!(decided(EmailType::WeeklyInsights, &last_week, &settings), Admission::Now);
}

#[test]
fn the_most_in_a_week_keeps_others_back_but_not_the_weekly_mail() {
    use EmailType::{AchievementBadge, WeeklyInsights};
    let settings = EmailSettings::default();
    let three = [30, 60, 90].map(|hours| hours_ago(hours, AchievementBadge));
    assert!(matches!(decided(AchievementBadge, &three, &settings), Admission::Never(_)));
    assert_eq!(decided(WeeklyInsights, &three, &settings), Admission::Now);
    let more = EmailSettings { most_per_week: 4, ..settings };
    assert_eq!(decided(AchievementBadge, &three, &more), Admission::Now);
}

#[test]
fn what_waited_until_it_is_out_of_date_is_not_sent() {
    use EmailType::{AchievementBadge, MomentumNudge, SubscriptionRequest, WeeklyInsights};
    for (kind, still, no_more) in [
        (WeeklyInsights, 6 * 24, 7 * 24 + 12),
        (MomentumNudge, 48, 49),
        (AchievementBadge, 7 * 24, 7 * 24 + 1),
    ] {
        assert_eq!(decided_after(still, kind), Admission::Now, "{kind}");
        assert!(matches!(decided_after(no_more, kind), Admission::Never(_)), "{kind}");
    }
    assert_eq!(decided_after(30 * 24, SubscriptionRequest), Admission::Now);
}

#[test]
fn weekly_mails_pause_after_four_without_any_activity() {
    let (since, sent) = (at("2026-04-01T00:00:00Z"), at("2026-04-26T08:00:00Z"));
    let paused = |fourth, last| weekly_pause(fourth, last, since).is_some();
    assert!(!paused(None, None), "fewer than four were sent");
    assert!(paused(Some(sent), None));
    assert!(paused(Some(sent), Some(at("2026-04-26T07:59:59Z"))));
    assert!(!paused(Some(sent), Some(at("2026-04-26T08:00:01Z"))));
    // Those before it asked anew do not count.
    assert!(!paused(Some(at("2026-03-01T08:00:00Z")), None));
}

#[test]
fn only_a_mailboxs_own_refusal_is_its_fault() {
    use FailureCause::{Mailbox, Sender, Temporary, Unclear};
    let rcpt = [
        (550, "5.1.1 no such user here", Mailbox),
        (550, "5.1.0 unknown", Mailbox),
        (550, "5.1.2 no such domain", Mailbox),
        (550, "5.1.3 bad syntax", Mailbox),
        (551, "5.1.6 moved", Mailbox),
        (556, "5.1.10 the domain takes no mail", Mailbox),
        (553, "5.1.1", Mailbox),
        (550, "5.2.1 closed", Mailbox),
        (553, "5.1.7 bad sender", Sender),
        (550, "5.1.8 bad sender's domain", Sender),
        (552, "5.2.2 mailbox full", Temporary),
        (550, "5.2.0 other", Temporary),
        (550, "5.7.1 relaying denied", Sender),
        (550, "5.7.26 no SPF", Sender),
        (530, "5.7.0 authentication required", Sender),
        (550, "5.4.5 daily quota exceeded", Sender),
        (552, "5.3.4 too large", Sender),
        (554, "5.5.1 no valid recipients", Sender),
        (550, "no such user", Unclear),
        (550, "", Unclear),
        (550, "10.1.1.1 is on a list", Unclear),
        (550, "5.1 is no code", Unclear),
        (550, "5.1.1000 neither", Unclear),
        (550, "+5.1.1 nor this", Unclear),
        (551, "user not local", Sender),
        (552, "over quota", Sender),
        (553, "name not allowed", Sender),
        (554, "no", Sender),
        (550, "4.1.1 contradicts itself", Sender),
        (421, "4.3.2 shutting down", Temporary),
        (450, "4.2.0 greylisted", Temporary),
        (451, "5.1.1 contradicts itself", Temporary),
        (452, "full", Temporary),
    ];
    for (code, text, expected) in rcpt {
        assert_eq!(failure_cause(SmtpStage::Rcpt, code, text), expected, "RCPT {code} {text}");
        let elsewhere = if code < 500 { Temporary } else { Sender };
        for stage in [SmtpStage::MailFrom, SmtpStage::Data, SmtpStage::Content] {
            assert_eq!(failure_cause(stage, code, text), elsewhere, "{stage:?} {code} {text}");
        }
    }
}

#[test]
fn refusals_without_a_reason_are_the_senders_from_five_of_a_hundred_on() {
    assert!(is_sender_fault(1, 1));
    assert!(is_sender_fault(1, 20));
    assert!(!is_sender_fault(1, 21));
    assert!(is_sender_fault(5, 100));
    assert!(!is_sender_fault(4, 100));
    assert!(is_sender_fault(u64::MAX, 3));
}

#[test]
fn a_client_is_nudged_at_most_once_in_14_days() {
    use EmailType::MomentumNudge;
    let settings = EmailSettings::default();
    let lately = [hours_ago(13 * 24, MomentumNudge)];
    assert!(matches!(decided(MomentumNudge, &lately, &settings), Admission::Never(_)));
    assert_eq!(
        decided(MomentumNudge, &[hours_ago(14 * 24, MomentumNudge)], &settings),
        Admission::Now
    );
    let off = EmailSettings { off: vec![MomentumNudge], ..settings };
    assert!(matches!(decided(MomentumNudge, &[], &off), Admission::Never(_)));
    // Whether mails are wanted is asked all the same.
    assert_eq!(decided(EmailType::SubscriptionRequest, &lately, &off), Admission::Now);
}

#[test]
fn quiet_hours_hold_a_mail_until_they_end() {
    let berlin = time_zone("Europe/Berlin").unwrap();
    let quiet = QuietHours { from: 22, until: 7 };
    for (now, end) in [
        ("2026-05-20T19:59:59Z", None),
        ("2026-05-20T20:00:00Z", Some("2026-05-21T05:00:00Z")),
        ("2026-05-21T04:59:59Z", Some("2026-05-21T05:00:00Z")),
        ("2026-05-21T05:00:00Z", None),
        // Clocks go forward at 02:00.
        ("2026-03-28T22:00:00Z", Some("2026-03-29T05:00:00Z")),
    ] {
        assert_eq!(quiet.ends_after(at(now), &berlin), end.map(at), "{now}");
    }
    let lunch = QuietHours { from: 12, until: 13 };
    assert_eq!(lunch.ends_after(now(), &TimeZone::UTC), Some(at("2026-05-20T13:00:00Z")));
    assert_eq!(lunch.ends_after(at("2026-05-20T13:00:00Z"), &TimeZone::UTC), None);
}

#[test]
fn settings_that_cannot_be_used_are_refused_by_name() {
    let refused = |settings: EmailSettings| settings.check().unwrap_err().field;
    let built_in = EmailSettings::default;
    built_in().check().unwrap();
    assert_eq!(refused(EmailSettings { most_per_week: 0, ..built_in() }), "most_per_week");
    let text = |text: &str| Some(text.to_owned());
    let broken = text("a\r\nBcc: b@example.com");
    assert_eq!(refused(EmailSettings { from_name: broken.clone(), ..built_in() }), "from_name");
    assert_eq!(refused(EmailSettings { postal_address: broken, ..built_in() }), "postal_address");
    for url in ["javascript:alert(1)", "//example.com", "https://a b", "ftp://example.com"] {
        let settings = EmailSettings { dashboard_url: text(url), ..built_in() };
        assert_eq!(refused(settings), "dashboard_url", "{url}");
    }
    let quiet = Some(QuietHours { from: 7, until: 7 });
    assert_eq!(refused(EmailSettings { quiet, ..built_in() }), "quiet");
}

#[test]
fn what_programs_fetch_is_told_apart() {
    let sent = Some(now());
    let later = at("2026-05-20T13:00:00Z");
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    assert!(!is_suspected_bot(sent, later, firefox));
    assert!(is_suspected_bot(sent, at("2026-05-20T12:00:09Z"), firefox));
    assert!(is_suspected_bot(None, later, firefox));
    for program in ["", "curl/8.0", "Mozilla/5.0 (via ggpht.com GoogleImageProxy)", "Bingbot/2.0"] {
        assert!(is_suspected_bot(sent, later, program), "{program}");
    }
}

#[test]
fn text_says_what_html_says_and_how_to_stop() {
    let zone = TimeZone::UTC;
    let since = at("2026-05-02T08:00:00Z");
    let to = Recipient { organization: "Tidewater", client: "Ada", zone: &zone, since, now: now() };
    let reached = Celebration {
        kind: EmailType::MilestoneCelebration,
        title: "10th content".to_owned(),
        message: "You had 4.".to_owned(),
    };
    let (subject, content) = reached.email(&to);
    assert_eq!(subject, "10th content at Tidewater");
    let links = EmailLinks {
        button: "https://s.example/email/click/x".to_owned(),
        unsubscribe: Some("https://s.example/email/unsubscribe/x".to_owned()),
        pixel: None,
    };
    let expected = "Tidewater\nMilestone\n\n10th content.\n\nYou had 4.\n\n\
                    Open your dashboard:\nhttps://s.example/email/click/x\n\n--\n\
                    Opening this email does not affect your score.\nYou subscribed to these emails on 2 May.\n\
                    Unsubscribe: https://s.example/email/unsubscribe/x\n1 Quay\n";
    assert_eq!(plain_text(&content, Some("1 Quay"), &links), expected);
    // What was kept by an earlier version is read by a later one.
    let kept: EmailContent =
        serde_json::from_str(&serde_json::to_string(&content).unwrap()).unwrap();
    assert_eq!(kept, content);
}

#[test]
fn an_email_does_not_tell_a_client_that_it_is_at_risk() {
    let links = EmailLinks::button_only("https://s.example/client".to_owned());
    for (band, words) in [
        (Band::AtRisk, "22 of 100, getting going"),
        (Band::NeedsAttention, "22 of 100, building up"),
    ] {
        let score = ScoreLine {
            overall: 22,
            band,
            trend: Trend::Declining,
            change: None,
            parts: Vec::new(),
        };
        let content = EmailContent { score: Some(score), ..EmailContent::default() };
        let text = plain_text(&content, None, &links);
        assert!(text.contains(words), "{text}");
        assert!(!text.contains("risk") && !text.contains("attention"), "{text}");
    }
}
