//! Who asks, and whether they may: taken from the request before anything else of it is read.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};

use super::problem::Problem;
use crate::AppState;
use crate::tenants::{ApiKey, Caller, Role};

/// A role that an endpoint asks for, as a type, so that it stands in the handler's signature.
pub trait RequiredRole: Send + Sync + 'static {
    /// The least role that may.
    const ROLE: Role;
}

macro_rules! required_roles {
    ($($(#[$doc:meta])* $name:ident = $role:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl RequiredRole for $name {
            const ROLE: Role = Role::$role;
        }
    )+};
}

required_roles! {
    /// Everyone with a key.
    Reading = Read,
    /// Opening accounts; giving, using and holding credits.
    Writing = Write,
    /// Pricing and correcting.
    Finance = Finance,
    /// Secrets.
    Administering = Admin,
}

/// A caller whose role suffices.
#[derive(Debug, Clone)]
pub struct Authorized<R> {
    caller: Caller,
    role: PhantomData<R>,
}

impl<R> Deref for Authorized<R> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<R: RequiredRole> FromRequestParts<AppState> for Authorized<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = authenticate(parts, state).await?;
        if caller.role < R::ROLE {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                format!(
                    "this needs a key with role {}, yours has {}",
                    R::ROLE,
                    caller.role
                ),
            )
            .with("required_role", R::ROLE.as_str()));
        }
        Ok(Self {
            caller,
            role: PhantomData,
        })
    }
}

async fn authenticate(parts: &Parts, state: &AppState) -> Result<Caller, Problem> {
    let unauthenticated = |detail: &str| Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail);
    let header = parts
        .headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| unauthenticated("send Authorization: Bearer <api key>"))?;
    let key = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, token)| ApiKey::parse(token.trim()))
        .ok_or_else(|| unauthenticated("this is not an API key of ours"))?;
    match state.keyring.caller(&key).await {
        Ok(Some(caller)) => Ok(caller),
        Ok(None) => Err(unauthenticated("this key is unknown or was revoked")),
        Err(error) => {
            tracing::error!(%error, "the caller's key cannot be looked up");
            Err(Problem::unavailable())
        }
    }
}
