//! Tenants and their API keys: who may ask, for whom, and in what role.
//!
//! Not account data and not events: exempt from the tenant rule of `migrations/README.md`. A key is shown once; what is
//! stored is its SHA-256. Keys are random (256 bits), so the digest needs no salt and no slow hash, and finding it by
//! index tells an attacker nothing about another key.

mod key;
mod keyring;
mod repo;

pub use key::{ApiKey, Mode, Role};
pub use keyring::{Caller, Keyring, KeyringError};
pub use repo::{
    Key, Tenant, TenantsError, create_key, create_tenant, keys, revoke_key, tenant, tenants, tenants_exist,
};
