//! Names that the API knows, for the OpenAPI document: the lists are the rules' own, so that the
//! document cannot lag behind them. None of these types has a value.

use mainstay_core::{
    alert, email, engagement, insight, job, member, notification, playbook, score,
};
use mainstay_store::{
    KeyKind as Key, KeySource as Source, MergeState as Merging, RunState as Run, TaskStatus as Task,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, SchemaType, Type},
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
    AlertType, "What a momentum alert warns of.", alert::AlertType::ALL;
    AlertStatus, "What became of an alert.", alert::AlertStatus::ALL;
    Severity, "How bad it is.", alert::Severity::ALL;
    Ending, "How an alert ended by itself.", alert::Ending::ALL;
    TaskStatus, "How far an onboarding task is.",
        [Task::Pending, Task::InProgress, Task::Completed, Task::Skipped];
    EmailType, "What kind of mail it is.", email::EmailType::ALL;
    EmailState, "What became of a mail.", email::EmailState::ALL;
    SubscriptionState, "Whether a client gets mails.", email::SubscriptionState::ALL;
    ConsentSource, "Where a client said whether it wants mails.", email::ConsentSource::ALL;
    NoticeEvent, "What a notice tells of.", notification::NoticeType::ALL;
    RoutedEvent, "What a webhook can choose to hear of.", notification::NoticeType::ROUTED;
    EndpointKind, "What a webhook understands.", notification::EndpointKind::ALL;
    MessageState, "What became of a message.", notification::MessageState::ALL;
    JobName, "What runs by itself.", job::Job::ALL;
    JobRunState, "What is so about a run.",
        [Run::Waiting, Run::Running, Run::Succeeded, Run::Failed];
    StaffTaskState, "What became of a task of the staff's.", playbook::StaffTaskState::ALL;
    Role, "What a member may do.", member::Role::ALL;
    MergeState, "How far a merge is.", Merging::ALL;
    KeyKind, "What a key opens.", [Key::Secret, Key::Write, Key::Member];
    KeySource, "Where a write key is used.", [Source::Server, Source::Browser];
}

/// An id that the host app chose, as bodies take it.
macro_rules! host_ids {
    ($($name:ident, $description:literal, $max:literal;)+) => {$(
        #[doc = $description]
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
                    .description(Some($description))
                    .max_length(Some($max))
                    .into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

host_ids! {
    HostId, "An id of the host app: a text of up to 255 characters, or a whole number, which is read as \
        one.", 255;
    MessageId, "A sender's id of a message: a text of up to 100 characters, or a whole number, which is \
        read as one.", 100;
}
