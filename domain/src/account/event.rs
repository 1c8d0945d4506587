//! An account's events: the sum of its families, flat on the wire.

use std::borrow::Cow;

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::account::policies::PoliciesEvent;
use crate::aggregate::{DecodeError, Event, Timestamp};
use crate::credits::CreditsEvent;
use crate::event_family::event_family;
use crate::identity::{AccountId, NaturalKey, TestClockId};
use crate::purchases::{PurchaseLifeEvent, PurchasesEvent};
use crate::recognition::RecognitionEvent;
use crate::subscriptions::{InvoicesEvent, SubscriptionsEvent};
use crate::trials::TrialsEvent;

event_family! {
    /// The account itself.
    AccountLifeEvent {
        /// The stream's first event.
        AccountOpened(AccountOpened) = "AccountOpened" v 1,
        /// A Stripe customer is this account.
        CustomerLinked(CustomerLinked) = "CustomerLinked" v 1,
        /// A fact was recorded with what turned out to be wrong terms (a later delivery knew better), and is undone.
        FactReversed(FactReversed) = "FactReversed" v 1,
    }
}

/// The account exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOpened {
    /// Its id within the tenant.
    pub account: AccountId,
    /// The caller's own id for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Where its calendar is, fixed here: the dates its periods begin on and the books give its events.
    #[serde(default, skip_serializing_if = "is_utc")]
    pub time_zone: Tz,
    /// The test clock it lives by; the server's if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_clock: Option<TestClockId>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
fn is_utc(zone: &Tz) -> bool {
    *zone == Tz::UTC
}

/// A Stripe customer's objects belong to this account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerLinked {
    /// Stripe's customer id.
    pub customer: String,
}

/// The exact inverse of a recorded fact, dated as that fact was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactReversed {
    /// The fact as it was recorded.
    pub original: Fact,
}

/// A fact that is recorded once under its natural key: money of a payment or an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// Of a payment.
    Purchases(PurchasesEvent),
    /// Of an invoice.
    Invoices(InvoicesEvent),
}

impl Fact {
    /// The name under which it can be recorded once.
    pub fn natural_key(&self) -> NaturalKey {
        NaturalKey(match self {
            Self::Purchases(event) => match event {
                PurchasesEvent::CashReceived(e) => format!("pay:{}", e.payment),
                PurchasesEvent::PurchasePaid(e) => format!("purchase:{}", e.paid_purchase()),
                PurchasesEvent::RefundRecorded(e) => format!("refund:{}", e.refund),
                PurchasesEvent::RefundPaid(e) => format!("refund-paid:{}", e.refund),
                PurchasesEvent::RefundReversed(e) => format!("refund-failed:{}", e.refund),
                PurchasesEvent::RefundReturned(e) => format!("refund-returned:{}", e.refund),
                PurchasesEvent::DisputeOpened(e) => format!("dispute:{}", e.dispute),
                PurchasesEvent::DisputeFundsWithdrawn(e) | PurchasesEvent::DisputeFundsReinstated(e) => {
                    format!("dispute:{}", e.transaction)
                }
                PurchasesEvent::DisputeClosed(e) => format!("dispute-closed:{}", e.dispute),
            },
            Self::Invoices(event) => match event {
                InvoicesEvent::InvoiceIssued(e) => format!("inv:{}", e.invoice),
                InvoicesEvent::InvoicePaid(e) => format!("inv-paid:{}", e.invoice),
                InvoicesEvent::InvoiceVoided(e) => format!("inv-void:{}", e.invoice),
                InvoicesEvent::InvoiceWrittenOff(e) => format!("inv-write-off:{}", e.invoice),
                InvoicesEvent::CreditNoteIssued(e) => format!("cn:{}", e.credit_note),
                InvoicesEvent::CollectionFailed(e) => format!("dun:{}:{}", e.invoice, e.attempt),
            },
        })
    }
}

/// What happened, without its dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AccountFact {
    /// To the account itself.
    Life(AccountLifeEvent),
    /// To its credits.
    Credits(CreditsEvent),
    /// To a payment.
    Purchases(PurchasesEvent),
    /// To a purchase before its payment.
    PurchaseLife(PurchaseLifeEvent),
    /// To an invoice.
    Invoices(InvoicesEvent),
    /// To the revenue of an invoice, as time passes.
    Recognition(RecognitionEvent),
    /// To a subscription.
    Subscriptions(SubscriptionsEvent),
    /// To a trial.
    Trials(TrialsEvent),
    /// To what it is allowed, and what it asks for by itself.
    Policies(PoliciesEvent),
}

macro_rules! sum_of_families {
    ($($family:ident($event:ident)),+ $(,)?) => {
        $(impl From<$event> for AccountFact {
            fn from(event: $event) -> Self {
                Self::$family(event)
            }
        })+

        impl AccountFact {
            fn contract() -> impl Iterator<Item = (&'static str, u32)> {
                [$($event::CONTRACT),+].into_iter().flatten().copied()
            }

            fn wire(&self) -> (&'static str, u32) {
                match self {
                    $(Self::$family(event) => (event.name(), event.version())),+
                }
            }

            fn from_value(name: &str, value: serde_json::Value) -> Option<Result<Self, serde_json::Error>> {
                $(if $event::CONTRACT.iter().any(|(known, _)| *known == name) {
                    return Some(serde_json::from_value::<$event>(value).map(Self::$family));
                })+
                None
            }

            fn from_payload(name: &str, payload: &str) -> Option<Result<Self, serde_json::Error>> {
                $(if let Some(event) = $event::from_payload(name, payload) {
                    return Some(event.map(Self::$family));
                })+
                None
            }
        }
    };
}

sum_of_families! {
    Life(AccountLifeEvent),
    Credits(CreditsEvent),
    Purchases(PurchasesEvent),
    PurchaseLife(PurchaseLifeEvent),
    Invoices(InvoicesEvent),
    Recognition(RecognitionEvent),
    Subscriptions(SubscriptionsEvent),
    Trials(TrialsEvent),
    Policies(PoliciesEvent),
}

impl From<Fact> for AccountFact {
    fn from(fact: Fact) -> Self {
        match fact {
            Fact::Purchases(event) => Self::Purchases(event),
            Fact::Invoices(event) => Self::Invoices(event),
        }
    }
}

/// An event of an account's stream: one flat object on the wire, `"type"` first, the two dates last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEvent {
    /// What happened.
    pub fact: AccountFact,
    /// When it was judged.
    pub at: Timestamp,
    /// When it is true: the books' date.
    pub effective_at: Timestamp,
}

impl AccountEvent {
    /// Wire name and newest version of every event of an account.
    pub fn contract() -> impl Iterator<Item = (&'static str, u32)> {
        AccountFact::contract()
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(flatten)]
    fact: &'a AccountFact,
    at: Timestamp,
    effective_at: Timestamp,
}

impl Serialize for AccountEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire {
            fact: &self.fact,
            at: self.at,
            effective_at: self.effective_at,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AccountEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let value = serde_json::Value::deserialize(deserializer)?;
        let name = value["type"]
            .as_str()
            .ok_or_else(|| D::Error::missing_field("type"))?
            .to_owned();
        Self::from_value(&name, value)
            .ok_or_else(|| D::Error::custom(format!("unknown event {name}")))?
            .map_err(D::Error::custom)
    }
}

impl AccountEvent {
    /// Read a payload without making a tree of it, which is what reading a log mostly costs. None for any payload that this
    /// can't read: [`Self::from_value`] says why, or reads it all the same.
    fn from_payload(name: &str, payload: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow, rename = "type")]
            name: Cow<'a, str>,
            at: Timestamp,
            effective_at: Timestamp,
        }
        let head: Head<'_> = serde_json::from_str(payload).ok()?;
        let fact = AccountFact::from_payload(name, payload)?.ok()?;
        (head.name == name).then_some(Self {
            fact,
            at: head.at,
            effective_at: head.effective_at,
        })
    }

    fn from_value(name: &str, value: serde_json::Value) -> Option<Result<Self, serde_json::Error>> {
        #[derive(Deserialize)]
        struct Dates {
            at: Timestamp,
            effective_at: Timestamp,
        }
        let dates = Dates::deserialize(&value);
        let fact = AccountFact::from_value(name, value)?;
        Some(dates.and_then(|d| {
            Ok(Self {
                fact: fact?,
                at: d.at,
                effective_at: d.effective_at,
            })
        }))
    }
}

impl Event for AccountEvent {
    fn name(&self) -> &'static str {
        self.fact.wire().0
    }

    fn version(&self) -> u32 {
        self.fact.wire().1
    }

    fn decode(name: &str, version: u32, payload: &str) -> Result<Self, DecodeError> {
        let unknown = || DecodeError::UnknownName {
            name: name.to_owned(),
            version,
        };
        let (_, known) = Self::contract().find(|(n, _)| *n == name).ok_or_else(unknown)?;
        if version == 0 || version > known {
            return Err(DecodeError::UnknownVersion {
                name: name.to_owned(),
                version,
                known,
            });
        }
        if let Some(event) = Self::from_payload(name, payload) {
            return Ok(event);
        }
        let malformed = |e: serde_json::Error| DecodeError::Malformed {
            name: name.to_owned(),
            version,
            reason: e.to_string(),
        };
        let value = serde_json::from_str(payload).map_err(malformed)?;
        let event = Self::from_value(name, value)
            .ok_or_else(unknown)?
            .map_err(malformed)?;
        if event.name() == name {
            return Ok(event);
        }
        Err(DecodeError::Malformed {
            name: name.to_owned(),
            version,
            reason: format!("its payload says it is {}", event.name()),
        })
    }
}
