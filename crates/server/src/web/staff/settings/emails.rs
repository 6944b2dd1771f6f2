use askama::Template;
use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use mainstay_core::email::{EmailSettings, EmailState, EmailType, QuietHours};
use mainstay_store::{Suppression, TransactionalEmail};
use serde::Deserialize;

use super::{DoneParams, DoneQuery, Frame, Tab, back};
use crate::{
    Error,
    web::{
        AdminSession, Form, FormError, PageError, PageResult, Pages, Query, StaffSession,
        StaffShell, Web, show, show_with,
    },
};

const PATH: &str = "/settings/emails";
const MAX_SUPPRESSIONS: i64 = 200;

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, form)
        .post(PATH, save)
        .post("/settings/emails/test", send_test)
        .post("/settings/emails/suppressions/remove", unsuppress)
}

#[derive(Template)]
#[template(path = "settings/emails.html")]
struct EmailSettingsPage {
    shell: StaffShell,
    frame: Frame,
    form: EmailSettingsForm,
    organization: String,
    suppressions: Vec<Suppression>,
    /// Whether a test can be sent, and what came of the last one.
    can_test: bool,
    last_test: Option<String>,
    error: Option<FormError>,
}

/// The form as it is filled in. A box that is not ticked is not sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct EmailSettingsForm {
    weekly_insights: String,
    milestone_celebration: String,
    momentum_nudge: String,
    achievement_badge: String,
    from_name: String,
    dashboard_url: String,
    postal_address: String,
    most_per_week: String,
    quiet_from: String,
    quiet_until: String,
}

impl EmailSettingsForm {
    fn of(settings: &EmailSettings) -> Self {
        let on = |kind| if settings.sends(kind) { "on".to_owned() } else { String::new() };
        let hour = |hour: Option<i8>| hour.map(|hour| hour.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            weekly_insights: on(EmailType::WeeklyInsights),
            milestone_celebration: on(EmailType::MilestoneCelebration),
            momentum_nudge: on(EmailType::MomentumNudge),
            achievement_badge: on(EmailType::AchievementBadge),
            from_name: text(&settings.from_name),
            dashboard_url: text(&settings.dashboard_url),
            postal_address: text(&settings.postal_address),
            most_per_week: settings.most_per_week.to_string(),
            quiet_from: hour(settings.quiet.map(|quiet| quiet.from)),
            quiet_until: hour(settings.quiet.map(|quiet| quiet.until)),
        }
    }

    fn settings(&self) -> Result<EmailSettings, Error> {
        let number = |field: &'static str, text: &str| {
            text.trim()
                .parse::<i8>()
                .map_err(|_| Error::invalid(field, "is not a whole number; enter one"))
        };
        let quiet = match (self.quiet_from.trim(), self.quiet_until.trim()) {
            ("", "") => None,
            (from, until) => {
                Some(QuietHours { from: number("quiet", from)?, until: number("quiet", until)? })
            }
        };
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let off = EmailType::REGULAR.into_iter().filter(|kind| self.value(kind).is_empty());
        Ok(EmailSettings {
            off: off.collect(),
            from_name: some(&self.from_name),
            dashboard_url: some(&self.dashboard_url),
            postal_address: some(&self.postal_address),
            most_per_week: number("most_per_week", &self.most_per_week)?.into(),
            quiet,
        })
    }

    /// Whether a kind is ticked.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
    fn value(&self, kind: &EmailType) -> &str {
        match kind {
            EmailType::WeeklyInsights => &self.weekly_insights,
            EmailType::MilestoneCelebration => &self.milestone_celebration,
            EmailType::MomentumNudge => &self.momentum_nudge,
            EmailType::AchievementBadge => &self.achievement_badge,
            EmailType::SubscriptionRequest => "on",
        }
    }
}

impl EmailSettingsPage {
    async fn new(web: &Web, session: &StaffSession, done: &DoneParams) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Emails).after(done);
        let settings = web.mainstay.email_settings(session.scope).await?;
        let suppressions = web.mainstay.suppressions(session.scope, MAX_SUPPRESSIONS).await?;
        let last_test = web.mainstay.mail_overview(session.organization_id()).await?.last_test;
        Ok(Self {
            shell: frame.shell.clone(),
            can_test: web.mainstay.mail_status().is_configured() && !session.organization.sample,
            last_test: last_test.map(|test| test_outcome(&test, &frame)),
            frame,
            form: EmailSettingsForm::of(&settings),
            organization: session.organization.name.clone(),
            suppressions,
            error: None,
        })
    }
}

/// What came of a test, in a sentence.
fn test_outcome(test: &TransactionalEmail, frame: &Frame) -> String {
    let why = test.reason.as_deref().map_or_else(String::new, |why| format!(": {why}"));
    let what = match test.state {
        EmailState::Sent => "was accepted by the mail server".to_owned(),
        EmailState::Queued | EmailState::Sending => format!("waits{why}"),
        EmailState::Failed | EmailState::Suppressed => format!("was not sent{why}"),
        EmailState::Unknown => format!("may have been sent{why}"),
    };
    format!("The test to {} on {} {what}", test.address, frame.moment(&test.created_at))
}

/// What a kind is for.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
fn about(kind: &EmailType) -> &'static str {
    match kind {
        EmailType::WeeklyInsights => "Score, active days, what was made, and the week’s insights.",
        EmailType::MilestoneCelebration => {
            "On the 1st, 10th, 50th milestone and so on. The weekly email covers the others."
        }
        EmailType::MomentumNudge => "After 48 hours without activity; at most one in 14 days.",
        EmailType::AchievementBadge => {
            "On the 1st, 10th, 50th piece and so on. The weekly email covers the others."
        }
        EmailType::SubscriptionRequest => "",
    }
}

async fn form(session: StaffSession, State(web): State<Web>, Query(done): DoneQuery) -> PageResult {
    show(&EmailSettingsPage::new(&web, &session, &done).await?)
}

async fn save(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(form): Form<EmailSettingsForm>,
) -> PageResult {
    let saved = match form.settings() {
        Ok(settings) => web.mainstay.set_email_settings(session.scope, &settings).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(back(PATH, "saved").into_response()),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = EmailSettingsPage::new(&web, &session, &DoneParams::default()).await?;
            let page = EmailSettingsPage { form, error, ..page };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

async fn send_test(AdminSession(session): AdminSession, State(web): State<Web>) -> PageResult {
    web.mainstay
        .send_test_email(session.organization_id(), &session.member)
        .await
        .map_err(|error| PageError::from(error).back("Back to emails", PATH))?;
    Ok(back(PATH, "test-email").into_response())
}

#[derive(Deserialize)]
struct SuppressionForm {
    address: String,
}

async fn unsuppress(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(form): Form<SuppressionForm>,
) -> PageResult {
    web.mainstay
        .unsuppress_address(session.scope, &form.address)
        .await
        .map_err(|error| PageError::from(error).back("Back to emails", PATH))?;
    Ok(back(PATH, "unsuppressed").into_response())
}
