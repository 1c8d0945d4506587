//! Whose an object is: decided by what fields say, never by what arrived first.

use std::borrow::Borrow;

use tallybook_domain::identity::{AccountId, is_caller_id};

use super::component::Component;
use crate::object::{Object, ObjectKind};
use crate::snapshot::Snapshot;

/// What a tenant wants done with a customer that names no account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The account is named after the customer.
    #[default]
    Create,
    /// Its objects wait until something names the account.
    Linked,
}

/// Whose a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// An account's.
    Account(AccountId),
    /// Nobody's yet: it waits for this id (a customer, else the object that would name one) to be linked.
    Unknown {
        /// The id.
        waits_for: String,
    },
}

/// The account of a component. `of_customer` are the snapshots that may link the component's customer: the customer's own
/// and those of sessions with it.
///
/// First the customer's link; then the session that names the payment; then metadata of the objects themselves; then, in
/// mode `create` and once the customer itself is stored, the customer's own name.
pub fn owner<S: Borrow<Snapshot>>(component: &Component<'_>, of_customer: &[S], mode: Mode) -> Owner {
    let customer = component.customer();
    let linked = customer.and_then(|customer| link(customer, of_customer));
    let named = linked
        .or_else(|| {
            earliest(
                component
                    .snapshots()
                    .filter_map(|it| Some((it, session_names(it)?))),
            )
        })
        .or_else(|| {
            earliest(
                component
                    .snapshots()
                    .filter_map(|it| Some((it, metadata_names(it)?))),
            )
        });
    if let Some(account) = named {
        return Owner::Account(account);
    }
    match customer {
        Some(customer)
            if mode == Mode::Create && is_stored(customer, of_customer) && is_caller_id(customer) =>
        {
            Owner::Account(AccountId::from(customer))
        }
        Some(customer) => Owner::Unknown {
            waits_for: customer.to_owned(),
        },
        None => Owner::Unknown {
            waits_for: component.root().unwrap_or_default().to_owned(),
        },
    }
}

/// Whose a customer is by itself: the account it is linked to, else, in mode `create` and once it is stored, the one of its
/// own name.
pub fn customer_owner<S: Borrow<Snapshot>>(
    customer: &str,
    of_customer: &[S],
    mode: Mode,
) -> Option<AccountId> {
    let is_named_after = mode == Mode::Create && is_stored(customer, of_customer) && is_caller_id(customer);
    link(customer, of_customer).or_else(|| is_named_after.then(|| AccountId::from(customer)))
}

/// The account a customer is linked to: the earliest naming by (created, event id), in the customer's own metadata or in
/// a session's `client_reference_id`.
fn link<S: Borrow<Snapshot>>(customer: &str, of_customer: &[S]) -> Option<AccountId> {
    earliest(of_customer.iter().map(Borrow::borrow).filter_map(|snapshot| {
        let name = match snapshot.object.as_ref()? {
            Object::Customer(it) if it.id == customer => it.account_id.as_deref(),
            Object::CheckoutSession(it) if it.customer.as_deref() == Some(customer) => {
                it.client_reference_id.as_deref()
            }
            _ => None,
        }?;
        Some((snapshot, name))
    }))
}

fn earliest<'a>(names: impl Iterator<Item = (&'a Snapshot, &'a str)>) -> Option<AccountId> {
    names
        .filter(|(_, name)| is_caller_id(name))
        .min_by_key(|(snapshot, name)| (snapshot.created, snapshot.event_id.as_str(), *name))
        .map(|(_, name)| AccountId::from(name))
}

fn session_names(snapshot: &Snapshot) -> Option<&str> {
    match snapshot.object.as_ref()? {
        Object::CheckoutSession(it) => it.client_reference_id.as_deref(),
        _ => None,
    }
}

fn metadata_names(snapshot: &Snapshot) -> Option<&str> {
    let metadata = match snapshot.object.as_ref()? {
        Object::PaymentIntent(it) => &it.metadata,
        Object::Charge(it) => &it.metadata,
        Object::CheckoutSession(it) => &it.metadata,
        Object::Refund(it) => &it.metadata,
        Object::Invoice(it) => &it.metadata,
        Object::Subscription(it) => &it.metadata,
        _ => return None,
    };
    metadata.get("account_id").map(String::as_str)
}

fn is_stored<S: Borrow<Snapshot>>(customer: &str, of_customer: &[S]) -> bool {
    of_customer
        .iter()
        .map(Borrow::borrow)
        .any(|it| matches!(&it.object, Some(Object::Customer(found)) if found.id == customer))
}

impl<'a> Component<'a> {
    /// The customer its objects name: the earliest naming by (created, event id), should they disagree.
    pub fn customer(&self) -> Option<&'a str> {
        self.snapshots()
            .filter_map(|it| Some((it, it.object.as_ref()?.customer()?)))
            .min_by_key(|(it, customer)| (it.created, it.event_id.as_str(), *customer))
            .map(|(_, customer)| customer)
    }

    /// The object the others hang on: what an ownerless component waits under. A payment intent before a charge before
    /// what they name.
    fn root(&self) -> Option<&'a str> {
        let rank = |kind: ObjectKind| match kind {
            ObjectKind::Invoice | ObjectKind::PaymentIntent => 0,
            ObjectKind::Charge => 1,
            _ => 2,
        };
        self.snapshots()
            .filter_map(|it| it.object.as_ref())
            .min_by_key(|object| (rank(object.kind()), object.id()))
            .map(Object::id)
    }
}
