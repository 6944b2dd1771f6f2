//! The mails, each as it arrives: on a page of its own, because a mail brings its own style.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{Html, IntoResponse as _},
};
use jiff::civil::Weekday;
use mainstay_core::{
    alert::{AlertType, Change, Severity},
    email::{
        Celebration, EmailContent, EmailType, Item, Recipient, WeekInReview, momentum_nudge,
        subscription_request, weekly_insights,
    },
    engagement::EventType,
    id::MemberId,
    insight::{InsightType, Period},
    notification::{Digest, DigestAlert, DigestContext},
    score::ScoreModel,
    time::{days_before, local_day},
};
use uuid::Uuid;

use super::{
    NOW, names,
    scores::{explained, inputs},
    zone,
};
use crate::{
    email::{preview_links, render},
    web::{PageError, PageResult, Path, StaffSession, Web, staff::emails},
};

const ORGANIZATION: &str = "Tidewater Studio";
const POSTAL: &str = "1 Example Quay, 0000 Sampleton";

/// What each kind of mail says.
fn content(kind: EmailType, client: &str) -> EmailContent {
    let zone = zone();
    let (model, now) = (ScoreModel::standard(), NOW);
    let score = explained(&inputs(), &model, Some(62)).score;
    let to = Recipient {
        organization: ORGANIZATION,
        client,
        zone: &zone,
        since: days_before(NOW, 53, &zone),
        now,
    };
    let step = Item::from_insight(
        InsightType::Recommendation,
        "Make your 5th visual",
        "You have 4 visuals; the 5th reaches a milestone. It is worth 4.25 points.",
    );
    match kind {
        EmailType::WeeklyInsights => {
            let insights = [
                step,
                Item::from_insight(
                    InsightType::Milestone,
                    "Milestone: 5th piece of content",
                    "You had 4 pieces of content before 15 Nov and 6 at the end of 21 Nov.",
                ),
                Item::from_insight(
                    InsightType::Tip,
                    "1 onboarding task left",
                    &format!("“Connect {client}” is open since 9 Nov."),
                ),
            ];
            let events: BTreeMap<EventType, i64> = [
                (EventType::TaskCompleted, 1),
                (EventType::ContentGenerated, 2),
                (EventType::VisualCreated, 1),
            ]
            .into();
            let period = Period::last_complete(NOW, &zone, Weekday::Sunday);
            weekly_insights(&WeekInReview {
                to,
                period: &period,
                score: &score,
                model: &model,
                events: &events,
                insights: &insights,
            })
        }
        EmailType::MilestoneCelebration => Celebration {
            kind,
            title: "10th piece of content".to_owned(),
            message: "You had 9 pieces of content before 15 Nov and 11 at the end of 21 Nov."
                .to_owned(),
        }
        .email(&to),
        EmailType::AchievementBadge => Celebration {
            kind,
            title: "50th visual".to_owned(),
            message: "You made 2 visuals from 15 to 21 Nov, 51 in all.".to_owned(),
        }
        .email(&to),
        EmailType::MomentumNudge => {
            momentum_nudge(&to, Some(days_before(NOW, 3, &zone)), &score, Some(step))
        }
        EmailType::SubscriptionRequest => subscription_request(ORGANIZATION, client),
    }
    .1
}

/// What the mail to a member says.
fn digest() -> EmailContent {
    let member = MemberId::new(Uuid::nil());
    let alert = |client: &str, owner, change, kind, severity, message: &str| DigestAlert {
        client: client.to_owned(),
        owner,
        change,
        kind,
        severity,
        message: message.to_owned(),
    };
    let alerts = [
        alert(
            "Fernhollow Ceramics",
            Some(member),
            Change::Opened,
            AlertType::ChurnRisk,
            Severity::Critical,
            "Quiet for 23 days, usual gap 4 days, and at risk and declining: 63 → 37 in 7 days.",
        ),
        alert(
            names::MARKUP,
            None,
            Change::Worsened,
            AlertType::ZeroActivity,
            Severity::Critical,
            "Quiet for 3 days, usual gap 1 day.",
        ),
        alert(
            "Harbour Books",
            Some(member),
            Change::Resolved,
            AlertType::Inactivity,
            Severity::Warning,
            "Active again: last event Sat 21 Nov, 17:20.",
        ),
    ];
    let day = local_day(days_before(NOW, 1, &zone()), &zone());
    let to = DigestContext { member, organization: ORGANIZATION, day, open: 12 };
    Digest::new(to, &alerts).map(|digest| digest.content).unwrap_or_default()
}

/// One kind of mail, or the digest that members get; `hostile` shows the weekly one to a client with the worst of names.
pub(super) async fn show_email(
    _: StaffSession,
    State(web): State<Web>,
    Path(name): Path<String>,
) -> PageResult {
    let unknown = || PageError::not_found("There is no such specimen.");
    if !web.site.demo {
        return Err(unknown());
    }
    if name == "daily_digest" {
        // Like the mail that asks, it has no way out but the settings.
        let links = preview_links(EmailType::SubscriptionRequest);
        let rendered = render(&digest(), None, &links)?;
        return Ok((emails::policy(), Html(rendered.html)).into_response());
    }
    let hostile = name == "hostile";
    let kind = if hostile { Ok(EmailType::WeeklyInsights) } else { name.parse() };
    let kind = kind.map_err(|_| unknown())?;
    let client = if hostile { names::MARKUP } else { "Fernhollow Ceramics" };
    let rendered = render(&content(kind, client), Some(POSTAL), &preview_links(kind))?;
    Ok((emails::policy(), Html(rendered.html)).into_response())
}
