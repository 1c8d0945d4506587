//! Where alarms are posted to.

use reqwest::Url;
use tallybook_stripe::signature::{SecretError, WebhookSecret};

/// An address and what its posts are signed with.
#[derive(Debug, Clone)]
pub struct Address {
    url: Url,
    secret: WebhookSecret,
}

/// What was given is no address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not a URL that something can be posted to.
    #[error("{0:?} is not an http or https URL")]
    Url(String),
    /// A secret that would prove nothing.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl Address {
    /// An address from its parts.
    pub fn new(url: &str, secret: &str) -> Result<Self, AddressError> {
        let unusable = || AddressError::Url(url.to_owned());
        let parsed = Url::parse(url).map_err(|_| unusable())?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(unusable());
        }
        Ok(Self {
            url: parsed,
            secret: WebhookSecret::new(secret)?,
        })
    }

    /// Where to.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What proves who sent it.
    pub fn secret(&self) -> &WebhookSecret {
        &self.secret
    }
}
