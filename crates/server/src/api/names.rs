//! Names that the API knows, for the OpenAPI document: the lists are the rules' own, so that the
//! document cannot lag behind them. None of these types has a value.

use mainstay_core::{email, engagement, health, insight, job, notice, playbook, score};
use mainstay_store::{KeyKind as Key, Role as MemberRole, RunState as Run, TaskStatus as Task};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, Type},
    },
};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $description:literal, $all:expr;)+) => {$(
        #[doc = $description]
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let names: Vec<&str> = $all.iter().map(|one| one.as_str()).collect();
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($description))
                    .enum_values(Some(names))
                    .into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

names! {
    EventType, "What an event counts as.", engagement::EventType::ALL;
    ClientsAre, "Whom an organization calls its clients.", engagement::segment::ClientsAre::ALL;
    FeedbackKind, "The scale of a rating: stars and csat 1–5, nps 0–10, thumbs 0–1, percent 0–100.",
        score::FeedbackKind::ALL;
    Component, "One of the five parts of a success score.", score::Component::ALL;
    ImprovementAction, "Something a client can do to raise its score.", [
        score::Action::BeActive, score::Action::ViewLaunchKit, score::Action::CompleteTask,
        score::Action::GenerateContent, score::Action::CreateVisual,
    ];
    LaunchKitState, "How far a client got with its launch kit.",
        [score::LaunchKit::Unopened, score::LaunchKit::Viewed, score::LaunchKit::Completed];
    Band, "How well a client does.", score::Band::ALL;
    Trend, "Where a score is going.",
        [score::Trend::Rising, score::Trend::Stable, score::Trend::Declining];
    InsightType, "What kind of thing an insight says.", insight::InsightType::ALL;
    InsightStatus, "What the client made of an insight.", insight::InsightStatus::ALL;
    Priority, "How prominently an insight is shown.", insight::Priority::ALL;
    AlertType, "What a momentum alert warns of.", health::AlertType::ALL;
    AlertStatus, "What became of an alert.", health::AlertStatus::ALL;
    Severity, "How bad it is.", health::Severity::ALL;
    TaskStatus, "How far an onboarding task is.",
        [Task::Pending, Task::InProgress, Task::Completed, Task::Skipped];
    EmailType, "What kind of mail it is.", email::EmailType::ALL;
    EmailState, "What became of a mail.", email::EmailState::ALL;
    SubscriptionState, "Whether a client gets mails.", email::SubscriptionState::ALL;
    ConsentSource, "Where a client said whether it wants mails.", email::ConsentSource::ALL;
    NoticeEvent, "What a notice tells of.", notice::NoticeType::ALL;
    RoutedEvent, "What a webhook can choose to hear of.", notice::NoticeType::ROUTED;
    EndpointKind, "What a webhook understands.", notice::EndpointKind::ALL;
    MessageState, "What became of a message.", notice::MessageState::ALL;
    Job, "What runs by itself.", job::Job::ALL;
    JobRunState, "What is so about a run.",
        [Run::Waiting, Run::Running, Run::Succeeded, Run::Failed];
    StaffTaskState, "What became of a task of the staff's.", playbook::StaffTaskState::ALL;
    Role, "What a member may do.", [MemberRole::Owner, MemberRole::Admin, MemberRole::Staff];
    KeyKind, "What a key opens.", [Key::Secret, Key::Write, Key::Member];
}
