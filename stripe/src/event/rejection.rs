use crate::json::JsonError;

/// Why a body is refused. A refusal is final: the same bytes are refused again, so a sender should not retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Stripe sends UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// No JSON, truncated, or too deep.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// A key stands twice: two readers would see two events.
    #[error("the body has the key {0:?} twice in one object")]
    DuplicateKey(String),
    /// JSON, but a list or a scalar.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// Without an id a redelivery cannot be told from a second event.
    #[error("the event has no id")]
    NoId,
    /// Stripe: at most 255 characters.
    #[error("the event's id is longer than 255 bytes")]
    IdTooLong,
    /// No `type`.
    #[error("the event has no type")]
    NoType,
    /// Without it the event has no place among the others.
    #[error("the event has no created time")]
    NoCreated,
    /// No `data.object`.
    #[error("the event has no data.object")]
    NoDataObject,
}

impl Rejection {
    /// A stable code for answers, dead letters and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8 => "body_not_utf8",
            Self::NotJson(_) => "body_not_json",
            Self::DuplicateKey(_) => "body_duplicate_key",
            Self::NotAnObject => "body_not_an_object",
            Self::NoId => "event_without_id",
            Self::IdTooLong => "event_id_too_long",
            Self::NoType => "event_without_type",
            Self::NoCreated => "event_without_created",
            Self::NoDataObject => "event_without_data_object",
        }
    }
}

impl From<JsonError> for Rejection {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Syntax(detail) => Self::NotJson(detail),
            JsonError::DuplicateKey(key) => Self::DuplicateKey(key),
        }
    }
}
