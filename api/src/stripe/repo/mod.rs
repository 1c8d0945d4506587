//! All SQL about Stripe.

pub(super) mod endpoints;
pub(super) mod inbox;
pub(super) mod queue;
pub(super) mod settlement;
pub(super) mod syncs;
pub(super) mod trials;
pub(super) mod views;

/// Whether the database refuses what is to be stored, now and later: a data exception, a violated constraint.
pub(super) fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}
