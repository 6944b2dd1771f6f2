use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value, value::RawValue};

use super::Text;
use crate::engagement::{
    EventError, MAX_CLIENT_ID_CHARS, MAX_DURATION_SECONDS, check_id, json::find_invalid_field,
    normalize_id, parse_error, parse_timestamp,
};

/// The calls of Segment's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A user did something.
    Track,
    /// A user looked at a page of a site.
    Page,
    /// A user looked at a screen of an app.
    Screen,
    /// Who a user is.
    Identify,
    /// Which account a user belongs to.
    Group,
    /// Two ids mean the same user.
    Alias,
}

impl Call {
    /// Every call, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Identify, Self::Track, Self::Page, Self::Screen, Self::Group, Self::Alias];

    /// The name in a message's `type` and in the path.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Identify => "identify",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.as_str() == name)
    }
}

/// One message as it was sent. What Mainstay has no use for is skipped.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SegmentMessage<'a> {
    /// `writeKey`, where a request's only message carries it.
    #[serde(borrow)]
    pub write_key: Option<Text<'a>>,
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user_id: Option<Text<'a>>,
    #[serde(borrow)]
    anonymous_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) previous_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) group_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) event: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(deserialize_with = "object")]
    pub(super) properties: Map<String, Value>,
    #[serde(deserialize_with = "object")]
    pub(super) traits: Map<String, Value>,
    #[serde(borrow)]
    context: Option<Context<'a>>,
    #[serde(borrow)]
    timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    original_timestamp: Option<Text<'a>>,
    /// As it was sent: whatever it is, it must not keep the message from being read.
    #[serde(borrow)]
    sent_at: Option<&'a RawValue>,
    #[serde(borrow)]
    channel: Option<Text<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
struct Context<'a> {
    #[serde(borrow)]
    group_id: Option<Text<'a>>,
    #[serde(borrow)]
    session_id: Option<Text<'a>>,
    #[serde(borrow)]
    page: Option<Page<'a>>,
    /// Where a few SDKs put the traits of `identify`.
    #[serde(deserialize_with = "object")]
    traits: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Page<'a> {
    #[serde(borrow)]
    path: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
}

impl<'a> SegmentMessage<'a> {
    /// Reads a message from JSON.
    ///
    /// # Errors
    /// The field that is not what it should be, by its name in Segment's API.
    pub fn read(json: &'a str) -> Result<Self, EventError> {
        // An array would fill the fields by their places.
        if !json.trim_ascii_start().starts_with('{') {
            return Err(EventError::new("message", "is not an object; send one"));
        }
        serde_json::from_str(json).map_err(|error| {
            let alone = |json: &str| serde_json::from_str::<SegmentMessage<'_>>(json).err();
            find_invalid_field(json, &FIELDS, alone)
                .unwrap_or_else(|| parse_error(&error, "message", &FIELDS))
        })
    }

    /// The same message, taken for a call where it does not say which it is.
    #[must_use]
    pub fn with_call(self, call: Call) -> Self {
        let kind = self.kind.or_else(|| Some(Text::from(call.as_str())));
        Self { kind, ..self }
    }

    pub(super) fn call(&self) -> Result<Call, EventError> {
        let kind = self.kind.as_deref().unwrap_or_default();
        Call::from_name(kind).ok_or_else(|| {
            let shown: String = kind.chars().take(40).collect();
            EventError::new(
                "type",
                format!(
                    "{shown:?} is none of Segment's calls; send one of {}",
                    Call::ALL.map(Call::as_str).join(", ")
                ),
            )
        })
    }

    /// The user that the message is about, if it names one.
    pub(super) fn explicit_user_id(&self) -> Option<Cow<'_, str>> {
        id(self.user_id.as_ref())
    }

    /// The visitor that the message is about, if it names one.
    pub(super) fn visitor(&self) -> Option<Cow<'_, str>> {
        id(self.anonymous_id.as_ref())
    }

    /// The user that the message is about.
    pub(super) fn user(&self) -> Result<Cow<'_, str>, EventError> {
        match self.explicit_user_id() {
            Some(user) => {
                check_id("userId", &user)?;
                Ok(user)
            }
            None if self.visitor().is_some() => Err(EventError::new(
                "userId",
                "is missing, and an anonymousId alone names nobody here; send the user's id too, \
                 as SDKs do once the user has signed in and identify was called",
            )),
            None => Err(EventError::new(
                "userId",
                format!("is empty; send 1 to {MAX_CLIENT_ID_CHARS} characters"),
            )),
        }
    }

    pub(super) fn context_group_id(&self) -> Option<Cow<'_, str>> {
        id(self.context.as_ref()?.group_id.as_ref())
    }

    /// The visit: what the SDK says, else what the app put among the properties.
    pub(super) fn take_session_id(&mut self) -> Option<String> {
        let told = self.context.as_ref().and_then(|context| context.session_id.as_deref());
        if let Some(told) = told.filter(|told| !told.is_empty()) {
            return Some(told.to_owned());
        }
        let text = match self.properties.get("session_id")? {
            Value::String(text) if !text.trim().is_empty() => text.clone(),
            Value::Number(number) if !number.is_f64() => number.to_string(),
            _ => return None,
        };
        self.properties.remove("session_id");
        Some(text)
    }

    /// How long it took, where the app says so in whole seconds of up to a day. What is no such number
    /// stays among the properties.
    pub(super) fn take_duration_seconds(&mut self) -> Option<i64> {
        let seconds = match self.properties.get("duration_seconds")? {
            Value::String(text) => text.trim().parse().ok()?,
            other => other.as_i64()?,
        };
        let plausible = (0..=MAX_DURATION_SECONDS).contains(&seconds);
        plausible.then(|| {
            self.properties.remove("duration_seconds");
            seconds
        })
    }

    /// The page: its path, wherever it was sent, else that of its URL.
    pub(super) fn page_path(&self) -> Option<String> {
        let page = self.context.as_ref().and_then(|context| context.page.as_ref());
        let property = |name: &str| self.properties.get(name).and_then(Value::as_str);
        let path = [property("path"), page.and_then(|page| page.path.as_deref())];
        let url = [property("url"), page.and_then(|page| page.url.as_deref())];
        let path = path.into_iter().flatten().find(|path| !path.is_empty()).map(str::to_owned);
        path.or_else(|| url.into_iter().flatten().find_map(path_of_url))
    }

    /// What a page or screen is called.
    pub(super) fn page_name(&self) -> &str {
        let told = self.properties.get("name").and_then(Value::as_str);
        let name = self.name.as_deref().or(told);
        name.filter(|name| !name.trim().is_empty()).unwrap_or("page_view")
    }

    pub(super) fn take_traits(&mut self) -> Map<String, Value> {
        let beside = self.context.as_mut().map(|context| std::mem::take(&mut context.traits));
        let own = std::mem::take(&mut self.traits);
        if own.is_empty() { beside.unwrap_or_default() } else { own }
    }

    /// When it happened by the client's clock. `originalTimestamp` is what the SDK saw, where
    /// something on the way has put another `timestamp` beside it. Rudder's SDKs for servers put
    /// the time of the call there, and what the app says itself into `timestamp`.
    pub fn client_timestamp(&self) -> Result<Option<Timestamp>, EventError> {
        let from_server = self.channel.as_deref() == Some("server");
        let original = self.original_timestamp.as_ref();
        match (original.filter(|_| !from_server || self.timestamp.is_none()), &self.timestamp) {
            (Some(text), _) => parse_timestamp("originalTimestamp", text).map(Some),
            (None, Some(text)) => parse_timestamp("timestamp", text).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Returns the time of sending by the client's clock.
    pub(super) fn sent_at(&self, batch: Option<Timestamp>) -> Option<Timestamp> {
        match self.sent_at {
            Some(sent_at) => read_sent_at(sent_at),
            None => batch,
        }
    }

    /// The same message without the time of its sending, as a file has it: it was not sent through the
    /// client's clock.
    #[must_use]
    pub fn without_sent_at(self) -> Self {
        Self { sent_at: None, ..self }
    }
}

/// The time of a `sentAt`. One that is no time says nothing of the sender's clock, and is no reason to
/// refuse what was sent.
pub fn read_sent_at(sent: &RawValue) -> Option<Timestamp> {
    let text: Text<'_> = serde_json::from_str(sent.get()).ok()?;
    parse_timestamp("sentAt", &text).ok()
}

const FIELDS: [&str; 13] = [
    "type",
    "messageId",
    "userId",
    "anonymousId",
    "previousId",
    "groupId",
    "event",
    "name",
    "properties",
    "traits",
    "context",
    "timestamp",
    "originalTimestamp",
];

/// An id that has something in it.
fn id<'a>(text: Option<&'a Text<'_>>) -> Option<Cow<'a, str>> {
    text.map(|text| normalize_id(text)).filter(|id| !id.is_empty())
}

/// The path of an absolute URL. No library: a page path is a label, it is never requested.
fn path_of_url(url: &str) -> Option<String> {
    let (_scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    Some(rest.find('/').map_or_else(|| "/".to_owned(), |path| rest[path..].to_owned()))
}

/// An object. Null says nothing, and neither does an empty array: it is what PHP makes of an empty
/// one.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    deserializer.deserialize_any(ObjectVisitor)
}

struct ObjectVisitor;

impl<'de> de::Visitor<'de> for ObjectVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Map::new())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        match items.next_element::<de::IgnoredAny>()? {
            None => Ok(Map::new()),
            Some(_) => Err(de::Error::invalid_type(de::Unexpected::Seq, &self)),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Map::deserialize(de::value::MapAccessDeserializer::new(map))
    }
}
