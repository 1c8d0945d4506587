use std::fmt;

/// A webhook signing secret (`whsec_..`). Never blank: with an empty key anybody can sign. Never shown: its `Debug` is
/// redacted and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(String);

/// Why a text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Empty, of nothing that can be seen, or the prefix with nothing after it: what a template leaves whose secret is unset,
    /// and what anybody can guess.
    #[error("a webhook secret must not be blank")]
    Blank,
    /// White space around it, as pasting leaves: every delivery would fail, and nothing would say why.
    #[error("a webhook secret must not begin or end with white space")]
    SurroundingWhitespace,
}

/// Begins every secret that Stripe makes.
const PREFIX: &str = "whsec_";

impl SecretError {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Blank => "webhook_secret_blank",
            Self::SurroundingWhitespace => "webhook_secret_whitespace",
        }
    }
}

impl WebhookSecret {
    /// A secret of exactly this text.
    pub fn new(text: impl Into<String>) -> Result<Self, SecretError> {
        let text = text.into();
        if text
            .strip_prefix(PREFIX)
            .unwrap_or(&text)
            .chars()
            .all(is_invisible)
        {
            return Err(SecretError::Blank);
        }
        if text.trim() != text {
            return Err(SecretError::SurroundingWhitespace);
        }
        Ok(Self(text))
    }

    /// The key: the whole text, prefix included, without a base64 step.
    pub(super) fn key(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// White space, controls, and the characters of no width that survive a `trim`.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{00ad}'
        )
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}
