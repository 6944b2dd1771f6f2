use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::Text;
use crate::engagement::{EventError, MAX_CLIENT_ID_CHARS, check_required, parse_timestamp};

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

    fn of_name(name: &str) -> Option<Self> {
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
    #[serde(borrow)]
    sent_at: Option<Text<'a>>,
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
        serde_json::from_str(json).map_err(|error| unreadable(json, &error))
    }

    /// The same message, taken for a call where it does not say which it is.
    #[must_use]
    pub fn called(self, call: Call) -> Self {
        let kind = self.kind.or_else(|| Some(Text::from(call.as_str())));
        Self { kind, ..self }
    }

    pub(super) fn call(&self) -> Result<Call, EventError> {
        let kind = self.kind.as_deref().unwrap_or_default();
        Call::of_name(kind).ok_or_else(|| {
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

    /// The user that the message is about.
    pub(super) fn user(&self) -> Result<&str, EventError> {
        let user = self.user_id.as_deref().unwrap_or_default();
        if user.trim().is_empty() && self.anonymous_id.as_deref().is_some_and(|id| !id.is_empty()) {
            return Err(EventError::new(
                "userId",
                "is missing, and an anonymousId alone names no client; call identify with the \
                 user's id first",
            ));
        }
        check_required("userId", user, MAX_CLIENT_ID_CHARS)?;
        Ok(user)
    }

    pub(super) fn context_group_id(&self) -> Option<&str> {
        let context = self.context.as_ref()?;
        context.group_id.as_deref().filter(|group| !group.trim().is_empty())
    }

    pub(super) fn session_id(&self) -> Option<String> {
        self.context.as_ref()?.session_id.as_deref().map(str::to_owned)
    }

    pub(super) fn page_path(&self) -> Option<String> {
        let told = self.properties.get("path").and_then(Value::as_str);
        let page = || self.context.as_ref()?.page.as_ref()?.path.as_deref();
        told.or_else(page).map(str::to_owned)
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
    pub(super) fn happened_at(&self) -> Result<Option<Timestamp>, EventError> {
        let from_server = self.channel.as_deref() == Some("server");
        let original = self.original_timestamp.as_ref();
        match (original.filter(|_| !from_server || self.timestamp.is_none()), &self.timestamp) {
            (Some(text), _) => parse_timestamp("originalTimestamp", text).map(Some),
            (None, Some(text)) => parse_timestamp("timestamp", text).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// When it was sent, by the same clock.
    pub(super) fn sent_at(&self, batch: Option<&str>) -> Result<Option<Timestamp>, EventError> {
        let text = self.sent_at.as_deref().or(batch);
        text.map(|text| parse_timestamp("sentAt", text)).transpose()
    }
}

/// Says which field cannot be read. Told of a message that was not read the quick way only: keeping
/// track of where one is costs a tenth.
fn unreadable(json: &str, error: &serde_json::Error) -> EventError {
    const FIELDS: [&str; 14] = [
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
        "sentAt",
    ];
    let fields: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let alone = |name: &str| {
        let value = fields.get(name)?;
        let only = Value::Object(Map::from_iter([(name.to_owned(), value.clone())])).to_string();
        serde_json::from_str::<SegmentMessage<'_>>(&only).err()
    };
    let found = FIELDS.iter().find_map(|name| alone(name).map(|error| (*name, error)));
    let (field, message) = match &found {
        Some((field, error)) => (*field, error.to_string()),
        None => ("message", error.to_string()),
    };
    let (reason, _place) = message.split_once(" at line").unwrap_or((&message, ""));
    let reason: String = reason.chars().take(200).collect();
    EventError::new(field, format!("{reason}; send it as Segment's API has it"))
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
