//! What a payment bought: a purchase begun at Tallybook, credits named in its metadata, or a pack of the catalog.

use std::collections::BTreeMap;

use tallybook_domain::account::LotTerms;
use tallybook_domain::catalog::PackLine;
use tallybook_domain::identity::{PaymentId, UnitCode, is_caller_id};
use tallybook_domain::purchases::{PurchasesEvent, Sold};
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

/// Whether its words say that it sells something here, readably or not.
pub(super) fn sells(payment: &Payment<'_, '_>) -> bool {
    let says = |words: &Metadata, key: &str| words.get(key).is_some_and(|text| !text.is_empty());
    let keys = ["purchase_id", "credits", "pack"];
    words(payment)
        .into_iter()
        .any(|it| keys.iter().any(|key| says(it, key)))
}

fn named_text<'p>(payment: &'p Payment<'_, '_>) -> Option<&'p str> {
    if payment.is_of_invoice() {
        return None;
    }
    let mut names = words(payment).into_iter().filter_map(|it| it.get("purchase_id"));
    names.find(|name| !name.is_empty()).map(String::as_str)
}

/// The purchase and the lots it bought, or why it waits. What a purchase begun at Tallybook gives is for the account to say.
pub(super) fn settle(
    id: &PaymentId,
    payment: &Payment<'_, '_>,
    paid: Paid,
    tax: i64,
    prices: &Prices,
    outcome: &mut Outcome,
) -> Vec<LotTerms> {
    if payment.is_of_invoice() {
        return Vec::new();
    }
    if let Some(name) = named_text(payment) {
        if !is_caller_id(name) {
            outcome.wait(Waiting::UnreadablePurchase {
                text: name.to_owned(),
            });
        }
        return Vec::new();
    }
    let sold = match bought(id, payment, paid, tax, prices) {
        Some(Ok(sold)) => sold,
        Some(Err(waiting)) => {
            outcome.wait(waiting);
            return Vec::new();
        }
        None => return Vec::new(),
    };
    let (purchase, lots) = sold.paid(id);
    outcome.stand(PurchasesEvent::PurchasePaid(purchase), paid.at);
    let dated = lots.into_iter().map(|granted| LotTerms {
        granted,
        effective_at: paid.at,
    });
    dated.collect()
}

/// The first of the payment's words that says something decides, even if what it says cannot be read: a later, better
/// one would make the amount depend on who speaks last.
fn bought(
    id: &PaymentId,
    payment: &Payment<'_, '_>,
    paid: Paid,
    tax: i64,
    prices: &Prices,
) -> Option<Result<Sold, Waiting>> {
    let net = paid.gross.minor - tax;
    let sold = |pack, lines, priority, expires_at| Sold {
        purchase: id.clone(),
        pack,
        gross: paid.gross,
        tax,
        lines,
        priority,
        expires_at,
        reference: None,
    };
    words(payment).into_iter().find_map(|metadata| {
        let named = |key: &str| metadata.get(key).filter(|text| !text.is_empty()).cloned();
        if let Some(text) = named("credits") {
            return Some(by_credits(text, net).map(|line| sold(None, vec![line], 0, None)));
        }
        let pack = named("pack")?;
        let terms = prices.pack(&pack, paid.at);
        let lines = terms.and_then(|(terms, expires_at)| Some((terms, terms.lines(1, net)?, expires_at)));
        Some(match lines {
            Some((terms, lines, expires_at)) => Ok(sold(Some(pack), lines, terms.priority, expires_at)),
            None => Err(Waiting::UnknownPack { pack }),
        })
    })
}

fn by_credits(text: String, net: i64) -> Result<PackLine, Waiting> {
    let reason = match text.parse::<Units>() {
        Ok(units) if units.is_positive() => {
            return Ok(PackLine {
                unit: UnitCode::default(),
                units,
                net,
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
