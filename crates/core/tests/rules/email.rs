use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay_core::{
    email::{
        Admission, Earlier, EmailContent, EmailLinks, EmailSettings, EmailType, QuietHours,
        Recipient, admission, milestone_celebration, next_try, plain_text, suspected,
    },
    time::time_zone,
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn now() -> Timestamp {
    at("2026-05-20T12:00:00Z")
}

fn hours_ago(hours: i64, kind: EmailType) -> Earlier {
    Earlier { kind, at: now().checked_sub(SignedDuration::from_hours(hours)).expect("in range") }
}

fn decided(kind: EmailType, earlier: &[Earlier], settings: &EmailSettings) -> Admission {
    admission(kind, now(), earlier, settings, &TimeZone::UTC, now())
}

#[test]
fn a_mail_is_tried_again_from_seconds_to_a_day_and_then_given_up() {
    let waits: Vec<i64> = (1..=8).map(|tries| next_try(tries, 500).unwrap().as_secs()).collect();
    assert_eq!(waits, [5, 30, 300, 1_800, 7_200, 21_600, 43_200, 86_400]);
    assert_eq!(next_try(9, 500), None);
    assert_eq!(next_try(1, 0).unwrap().as_millis(), 4_000);
    assert_eq!(next_try(1, 1_000).unwrap().as_millis(), 6_000);
}

#[test]
fn the_weekly_mail_is_not_held_up_by_others_but_others_by_it() {
    use EmailType::{AchievementBadge, WeeklyInsights};
    let settings = EmailSettings::default();
    let many = [1, 2, 3, 4].map(|hours| hours_ago(hours, AchievementBadge));
    assert_eq!(decided(WeeklyInsights, &many, &settings), Admission::Now);
    let weekly = [hours_ago(1, WeeklyInsights)];
    let tomorrow = at("2026-05-21T11:00:00Z");
    assert_eq!(decided(AchievementBadge, &weekly, &settings), Admission::Later(tomorrow));
    assert_eq!(
        decided(AchievementBadge, &[hours_ago(24, WeeklyInsights)], &settings),
        Admission::Now
    );
    let three = [30, 60, 90].map(|hours| hours_ago(hours, AchievementBadge));
    assert!(matches!(decided(AchievementBadge, &three, &settings), Admission::Never(_)));
    let more = EmailSettings { most_per_week: 4, ..settings };
    assert_eq!(decided(AchievementBadge, &three, &more), Admission::Now);
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
    assert!(!suspected(sent, later, firefox));
    assert!(suspected(sent, at("2026-05-20T12:00:09Z"), firefox));
    assert!(suspected(None, later, firefox));
    for program in ["", "curl/8.0", "Mozilla/5.0 (via ggpht.com GoogleImageProxy)", "Bingbot/2.0"] {
        assert!(suspected(sent, later, program), "{program}");
    }
}

#[test]
fn text_says_what_html_says_and_how_to_stop() {
    let zone = TimeZone::UTC;
    let since = at("2026-05-02T08:00:00Z");
    let to = Recipient { organization: "Tidewater", client: "Ada", zone: &zone, since, now: now() };
    let (subject, content) = milestone_celebration(&to, "Milestone: 5th content", "You had 4.");
    assert_eq!(subject, "Milestone: 5th content at Tidewater");
    let links = EmailLinks {
        button: "https://s.example/email/click/x".to_owned(),
        unsubscribe: Some("https://s.example/email/unsubscribe/x".to_owned()),
        pixel: None,
    };
    let expected = "Tidewater\nMilestone\n\nMilestone: 5th content.\n\nYou had 4.\n\n\
                    Open your dashboard:\nhttps://s.example/email/click/x\n\n--\n\
                    Opening this mail changes no figure.\nYou asked for these mails on 2 May.\n\
                    Unsubscribe: https://s.example/email/unsubscribe/x\n1 Quay\n";
    assert_eq!(plain_text(&content, Some("1 Quay"), &links), expected);
    // What was kept by an earlier version is read by a later one.
    let kept: EmailContent =
        serde_json::from_str(&serde_json::to_string(&content).unwrap()).unwrap();
    assert_eq!(kept, content);
}
