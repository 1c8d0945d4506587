//! What a payment bought: a purchase begun at Tallybook, credits named in its metadata, or a pack of the catalog.

use std::collections::{BTreeMap, BTreeSet};

use tallybook_domain::Timestamp;
use tallybook_domain::account::LotTerms;
use tallybook_domain::credits::{CreditsGranted, GrantSource};
use tallybook_domain::identity::{GrantId, GroupId, PaymentId, UnitCode, is_caller_id};
use tallybook_domain::money::Money;
use tallybook_domain::purchases::{PurchasePaid, PurchasesEvent};
use tallybook_domain::quantity::Units;

use super::Waiting;
use super::payment::{Outcome, Paid, Payment, has_succeeded, is_captured, is_paid};
use super::prices::Prices;

type Metadata = BTreeMap<String, String>;

/// The purchase begun at Tallybook that the payment says it pays. Any of its words may name it, and it counts before what
/// they say of credits: what was agreed there is not sold a second time here.
pub(super) fn named(payment: &Payment<'_, '_>) -> Option<PaymentId> {
    named_text(payment)
        .filter(|name| is_caller_id(name))
        .map(PaymentId::from)
}

fn named_text<'p>(payment: &'p Payment<'_, '_>) -> Option<&'p str> {
    if payment.is_of_invoice() {
        return None;
    }
    let mut names = words(payment).into_iter().filter_map(|it| it.get("purchase_id"));
    names.find(|name| !name.is_empty()).map(String::as_str)
}

/// The purchase and the lot it bought, or why it waits. What a purchase begun at Tallybook gives is for the account to say.
pub(super) fn settle(
    id: &PaymentId,
    payment: &Payment<'_, '_>,
    paid: Paid,
    tax: i64,
    prices: &Prices,
    outcome: &mut Outcome,
) -> Option<LotTerms> {
    if payment.is_of_invoice() {
        return None;
    }
    if let Some(name) = named_text(payment) {
        if !is_caller_id(name) {
            outcome.wait(Waiting::UnreadablePurchase {
                text: name.to_owned(),
            });
        }
        return None;
    }
    let sold = match bought(payment, paid, prices)? {
        Ok(sold) => sold,
        Err(waiting) => {
            outcome.wait(waiting);
            return None;
        }
    };
    let grant = GrantId(format!("grant_{id}"));
    let purchase = PurchasePaid {
        payment: id.clone(),
        grant: grant.clone(),
        gross: paid.gross,
        tax,
        units: sold.units,
        unit: sold.unit.clone(),
        pack: sold.pack,
        purchase: None,
    };
    outcome.stand(PurchasesEvent::PurchasePaid(purchase), paid.at);
    Some(LotTerms {
        granted: CreditsGranted {
            grant,
            unit: sold.unit,
            units: sold.units,
            source: GrantSource::Paid,
            cost: Some(Money::new(paid.gross.minor - tax, paid.gross.currency)),
            priority: sold.priority,
            expires_at: sold.expires_at,
            purchase: Some(id.clone()),
            invoice_line: None,
            group: Some(GroupId(format!("pay:{id}"))),
            reference: None,
            scope: BTreeSet::new(),
            rollover: None,
        },
        effective_at: paid.at,
    })
}

/// What was sold.
struct Sold {
    units: Units,
    unit: UnitCode,
    expires_at: Option<Timestamp>,
    priority: i32,
    pack: Option<String>,
}

/// The first of the payment's words that says something decides, even if what it says cannot be read: a later, better
/// one would make the amount depend on who speaks last.
fn bought(payment: &Payment<'_, '_>, paid: Paid, prices: &Prices) -> Option<Result<Sold, Waiting>> {
    words(payment).into_iter().find_map(|metadata| {
        let named = |key: &str| metadata.get(key).filter(|text| !text.is_empty()).cloned();
        if let Some(text) = named("credits") {
            return Some(by_credits(text));
        }
        let pack = named("pack")?;
        Some(match prices.pack(&pack, paid.at) {
            Some((terms, expires_at)) => Ok(Sold {
                units: terms.credits,
                unit: terms.unit.clone(),
                expires_at,
                priority: terms.priority,
                pack: Some(pack),
            }),
            None => Err(Waiting::UnknownPack { pack }),
        })
    })
}

fn by_credits(text: String) -> Result<Sold, Waiting> {
    let reason = match text.parse::<Units>() {
        Ok(units) if units.is_positive() => {
            return Ok(Sold {
                units,
                unit: UnitCode::default(),
                expires_at: None,
                priority: 0,
                pack: None,
            });
        }
        Ok(_) => "not more than nothing".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Waiting::UnreadableCredits { text, reason })
}

/// Metadata in the order in which it counts: of the intent, the session, the charge, each as it was when it first showed
/// the payment. A caller who edits it afterwards does not change what was sold. Last, of an intent not yet seen to
/// succeed.
fn words<'p>(payment: &'p Payment<'_, '_>) -> Vec<&'p Metadata> {
    let intent = payment.intent.and_then(|it| it.first(has_succeeded));
    let sessions = payment.sessions.iter().filter_map(|it| it.first(is_paid));
    let charges = payment.charges.iter().filter_map(|it| it.first(is_captured));
    let unsettled = payment.intent.and_then(|it| it.first(|_| true));
    (intent.map(|it| &it.object.metadata).into_iter())
        .chain(sessions.map(|it| &it.object.metadata))
        .chain(charges.map(|it| &it.object.metadata))
        .chain(unsettled.map(|it| &it.object.metadata))
        .collect()
}
