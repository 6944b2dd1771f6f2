//! Enumerations of the API for the OpenAPI document, taken from the core, so that the document is
//! always up to date. These types have no values.

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
    EventType, "The type of an event.", engagement::EventType::ALL;
    ClientIdentity, "Whether an organization's clients are users or groups.", engagement::segment::ClientIdentity::ALL;
    FeedbackKind, "The scale of a rating: stars and csat 1–5, nps 0–10, thumbs 0–1, percent 0–100.",
        score::FeedbackKind::ALL;
    Component, "One of the five parts of a success score.", score::Component::ALL;
    ImprovementAction, "Something a client can do to raise its score.", [
        score::Action::BeActive, score::Action::ViewLaunchKit, score::Action::CompleteTask,
        score::Action::GenerateContent, score::Action::CreateVisual,
    ];
    LaunchKitState, "How far a client got with its launch kit.",
        [score::LaunchKit::Unopened, score::LaunchKit::Viewed, score::LaunchKit::Completed];
    Band, "The band of a score.", score::Band::ALL;
    Trend, "The trend of a score.",
        [score::Trend::Rising, score::Trend::Stable, score::Trend::Declining];
    InsightType, "The type of an insight.", insight::InsightType::ALL;
    InsightStatus, "The client's reaction to an insight.", insight::InsightStatus::ALL;
    Priority, "How prominently an insight is shown.", insight::Priority::ALL;
    AlertType, "The type of an alert.", alert::AlertType::ALL;
    AlertStatus, "The status of an alert.", alert::AlertStatus::ALL;
    Severity, "The severity.", alert::Severity::ALL;
    Ending, "How an alert ended on its own.", alert::Ending::ALL;
    TaskStatus, "The status of an onboarding task.",
        [Task::Pending, Task::InProgress, Task::Completed, Task::Skipped];
    EmailType, "The type of an email.", email::EmailType::ALL;
    EmailState, "The state of an email.", email::EmailState::ALL;
    SubscriptionState, "Whether a client receives emails.", email::SubscriptionState::ALL;
    ConsentSource, "Where consent was given or withdrawn.", email::ConsentSource::ALL;
    NoticeEvent, "The type of a notification.", notification::NotificationType::ALL;
    RoutedEvent, "The events that a webhook can subscribe to.", notification::NotificationType::ROUTED;
    EndpointKind, "The format of a webhook.", notification::EndpointKind::ALL;
    MessageState, "The state of a message.", notification::MessageState::ALL;
    JobName, "A scheduled job.", job::Job::ALL;
    JobRunState, "The state of a run.",
        [Run::Waiting, Run::Running, Run::Succeeded, Run::Failed];
    StaffTaskState, "The state of a staff task.", playbook::StaffTaskState::ALL;
    Role, "The role of a member.", member::Role::ALL;
    MergeState, "The state of a merge.", Merging::ALL;
    KeyKind, "The kind of a key.", [Key::Secret, Key::Write, Key::Member];
    KeySource, "Where a write key is used.", [Source::Server, Source::Browser];
}

/// An id of the host app, as accepted in bodies.
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
    HostId, "An id of the host app: a string of up to 255 characters, or a whole number, which is \
        read as a string.", 255;
    MessageId, "The sender's id of a message: a string of up to 100 characters, or a whole number, \
        which is read as a string.", 100;
}
