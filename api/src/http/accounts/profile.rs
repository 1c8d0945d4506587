//! What a tenant notes about the person behind an account: beside the log, so that it can be erased.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::types::Json;
use tallybook_domain::identity::{AccountId, TenantId};

use crate::http::wire::Text;

const ENTRIES_MAX: usize = 50;

/// Up to fifty texts by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Profile(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<String, Text>::deserialize(deserializer)?;
        let names_fit = entries
            .keys()
            .all(|name| (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic()));
        if entries.len() > ENTRIES_MAX || !names_fit {
            return Err(serde::de::Error::custom(
                "a profile has up to 50 texts, each under a name of 1 to 64 printable characters without space",
            ));
        }
        Ok(Self(
            entries.into_iter().map(|(name, text)| (name, text.0)).collect(),
        ))
    }
}

/// Store it, if nothing is stored yet: a retry of opening must not undo a later change or an erasure.
pub(super) async fn store(
    pool: &PgPool,
    tenant: &TenantId,
    account: &AccountId,
    profile: &Profile,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into profiles (tenant, account, profile) values ($1, $2, $3) on conflict (tenant, account) do nothing",
        tenant.as_str(),
        account.as_str(),
        Json(&profile.0) as _
    )
    .execute(pool)
    .await
    .map(drop)
}

/// What is stored.
pub(super) async fn load(
    pool: &PgPool,
    tenant: &TenantId,
    account: &AccountId,
) -> sqlx::Result<Option<BTreeMap<String, String>>> {
    let stored = sqlx::query_scalar!(
        r#"select profile as "profile!: Json<BTreeMap<String, String>>" from profiles
           where tenant = $1 and account = $2"#,
        tenant.as_str(),
        account.as_str()
    )
    .fetch_optional(pool)
    .await?;
    Ok(stored.map(|Json(profile)| profile))
}
