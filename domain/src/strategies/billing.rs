//! What callers may do with Tallybook's own purchases, subscriptions, trials and invoices.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use chrono::Duration;
use proptest::option;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::act::{Act, picked};
use super::payment::usd;
use crate::Timestamp;
use crate::account::{Account, AccountCommand};
use crate::calendar::Interval;
use crate::catalog::{
    Collection, Coupon, CouponDuration, FeatureTerms, Off, Pack, Price, PriceScheme, RolloverRule, Tier,
    Uncollected,
};
use crate::identity::{PaymentId, SubscriptionId, UnitCode};
use crate::money::{Currency, Money};
use crate::purchases::{PayPurchase, PurchaseCommand, RefundPurchase, StartPurchase};
use crate::quantity::Units;
use crate::subscriptions::{
    AssignSeat, ChangeSubscription, CreditInvoice, CreditTo, InvoiceCommand, ItemOrder, ItemTerms,
    PayInvoice, StartSubscription, SubscriptionCommand, TaxRate, TrialOrder, When,
};
use crate::trials::{TrialCommand, TrialOutcome, TrialTerms};

/// Something a caller does with what it sells. A `usize` also picks one of the offers there are, modulo their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BillingAct {
    /// A purchase is begun.
    Purchase {
        /// How many packs.
        quantity: u64,
        /// Minor units of tax.
        tax: i64,
    },
    /// It is paid at the bank.
    PayPurchase {
        /// Which.
        purchase: usize,
    },
    /// Part of it is given back.
    RefundPurchase {
        /// Which.
        purchase: usize,
        /// Minor units.
        minor: i64,
    },
    /// A subscription begins.
    Subscribe {
        /// Which offer.
        plan: usize,
        /// How many.
        quantity: u32,
        /// Days of trial; none: none.
        trial: Option<u32>,
        /// What a trial's end brings.
        outcome: usize,
        /// Whether there is a card.
        card_on_file: bool,
    },
    /// Its plan or quantity changes.
    Change {
        /// Which subscription.
        subscription: usize,
        /// To which offer.
        plan: usize,
        /// How many.
        quantity: u32,
        /// Or at the period's end.
        is_now: bool,
    },
    /// It is to end.
    Cancel {
        /// Which subscription.
        subscription: usize,
        /// Or at the period's end.
        is_now: bool,
    },
    /// It is not to end after all.
    Uncancel {
        /// Which subscription.
        subscription: usize,
    },
    /// It pauses.
    Pause {
        /// Which subscription.
        subscription: usize,
        /// For how many days; none: until it is resumed.
        days: Option<i64>,
    },
    /// It goes on.
    Resume {
        /// Which subscription.
        subscription: usize,
    },
    /// Its periods to come are discounted.
    Redeem {
        /// Which subscription.
        subscription: usize,
        /// By which coupon; none: by none.
        coupon: Option<usize>,
    },
    /// What it bills from now on is taxed.
    SetTax {
        /// Which subscription.
        subscription: usize,
        /// At which rate; none: not.
        rate: Option<usize>,
    },
    /// One of its units is assigned, or free again.
    Seat {
        /// Which subscription.
        subscription: usize,
        /// Whose.
        seat: usize,
        /// Free again.
        is_released: bool,
    },
    /// Its trial becomes a paid period now.
    Convert {
        /// Which subscription.
        subscription: usize,
    },
    /// An invoice is paid.
    PayInvoice {
        /// Which.
        invoice: usize,
    },
    /// A try to pay it failed.
    FailInvoice {
        /// Which.
        invoice: usize,
    },
    /// It is voided, or given up.
    CloseInvoice {
        /// Which.
        invoice: usize,
        /// Given up.
        is_written_off: bool,
    },
    /// Part of it is credited.
    CreditInvoice {
        /// Which.
        invoice: usize,
        /// Minor units; all if none.
        minor: Option<i64>,
        /// Back to the customer, not to their balance.
        is_refund: bool,
    },
}

fn of_a_purchase() -> impl Strategy<Value = BillingAct> {
    let one = 0..3_usize;
    prop_oneof![
        (1..30_u64, 0..99_i64).prop_map(|(quantity, tax)| BillingAct::Purchase { quantity, tax }),
        one.clone()
            .prop_map(|purchase| BillingAct::PayPurchase { purchase }),
        (one, 1..4_000_i64).prop_map(|(purchase, minor)| BillingAct::RefundPurchase { purchase, minor }),
    ]
}

fn of_a_subscription() -> impl Strategy<Value = BillingAct> {
    let one = 0..2_usize;
    let begin = (
        0..3_usize,
        1..4_u32,
        option::of(1..20_u32),
        0..4_usize,
        any::<bool>(),
    );
    prop_oneof![
        3 => begin.prop_map(|(plan, quantity, trial, outcome, card_on_file)| BillingAct::Subscribe {
            plan, quantity, trial, outcome, card_on_file,
        }),
        4 => (one.clone(), 0..3_usize, 1..4_u32, any::<bool>()).prop_map(
            |(subscription, plan, quantity, is_now)| BillingAct::Change { subscription, plan, quantity, is_now }
        ),
        1 => (one.clone(), any::<bool>()).prop_map(|(subscription, is_now)| BillingAct::Cancel { subscription, is_now }),
        1 => one.clone().prop_map(|subscription| BillingAct::Uncancel { subscription }),
        1 => (one.clone(), option::of(1..50_i64)).prop_map(|(subscription, days)| BillingAct::Pause { subscription, days }),
        1 => one.clone().prop_map(|subscription| BillingAct::Resume { subscription }),
        1 => (one.clone(), option::of(0..3_usize)).prop_map(|(subscription, coupon)| BillingAct::Redeem { subscription, coupon }),
        1 => (one.clone(), option::of(0..3_usize)).prop_map(|(subscription, rate)| BillingAct::SetTax { subscription, rate }),
        2 => (one.clone(), 0..5_usize, any::<bool>()).prop_map(
            |(subscription, seat, is_released)| BillingAct::Seat { subscription, seat, is_released }
        ),
        1 => one.prop_map(|subscription| BillingAct::Convert { subscription }),
    ]
}

fn of_an_invoice() -> impl Strategy<Value = BillingAct> {
    let one = 0..5_usize;
    prop_oneof![
        5 => one.clone().prop_map(|invoice| BillingAct::PayInvoice { invoice }),
        2 => one.clone().prop_map(|invoice| BillingAct::FailInvoice { invoice }),
        1 => (one.clone(), any::<bool>()).prop_map(|(invoice, is_written_off)| BillingAct::CloseInvoice { invoice, is_written_off }),
        2 => (one, option::of(1..1_500_i64), any::<bool>()).prop_map(
            |(invoice, minor, is_refund)| BillingAct::CreditInvoice { invoice, minor, is_refund }
        ),
    ]
}

/// Purchases, subscriptions with trials, and their invoices.
pub fn billing() -> impl Strategy<Value = Act> {
    prop_oneof![2 => of_a_purchase(), 4 => of_a_subscription(), 5 => of_an_invoice()].prop_map(Act::Billing)
}

/// Credits that never expire: one at 20.00, five and more at 18.00, ten and more at 15.00, 25 and more at 12.00.
fn pack() -> Pack {
    let tier = |up_to, minor: i64| Tier {
        up_to,
        unit_amount: Decimal::from(minor),
        flat_amount: 0,
    };
    Pack {
        id: "credits".to_owned(),
        name: "Credits".to_owned(),
        prices: BTreeSet::new(),
        price: usd(2_000),
        quantity: None,
        unit: UnitCode::default(),
        credits: Units::from_micros(1_777),
        expires_after: None,
        standalone_price: None,
        bundled: Vec::new(),
        priority: 0,
        unit_price: Some(Price {
            currency: Currency::USD,
            scheme: PriceScheme::Volume {
                tiers: vec![
                    tier(Some(4), 2_000),
                    tier(Some(9), 1_800),
                    tier(Some(24), 1_500),
                    tier(None, 1_200),
                ],
            },
        }),
    }
}

/// Three plans of one family: one that costs nothing and limits what may be used, two whose prices and credits share no
/// divisor, of which one lets credits go on and the other reserves them for a feature.
fn terms(plan: usize) -> ItemTerms {
    let (name, minor, micros, uncollected) = [
        ("free", 0, 101, Uncollected::Cancel),
        ("pro", 997, 1_009, Uncollected::Unpaid),
        ("max", 2_999, 3_331, Uncollected::Cancel),
    ][plan % 3];
    let limit = |micros| FeatureTerms {
        limit: Some(Units::from_micros(micros)),
    };
    let render = "render".to_owned();
    ItemTerms {
        plan: name.to_owned(),
        family: "plans".to_owned(),
        price: Some(Price {
            currency: Currency::USD,
            scheme: PriceScheme::PerUnit {
                unit_amount: Decimal::from(minor),
            },
        }),
        interval: Interval::Months(NonZeroU32::MIN),
        unit: UnitCode::default(),
        credits: Units::from_micros(micros),
        grants_on_zero_amount: true,
        credits_value: (minor > 0).then(|| Money::new(minor / 3, Currency::USD)),
        rollover: (name == "pro").then(|| RolloverRule {
            cap: Some(Units::from_micros(1_501)),
            expires_after: None,
        }),
        scope: BTreeSet::from_iter((name == "max").then(|| render.clone())),
        features: match name {
            "free" => BTreeMap::from([(render, limit(3_001))]),
            "pro" => BTreeMap::from([(render, limit(7_919))]),
            _ => BTreeMap::new(),
        },
        collection: Collection {
            due_after_days: 0,
            retry_after_days: vec![2, 5],
            give_up_after_days: None,
            then: uncollected,
        },
    }
}

fn trial(plan: usize, days: u32, outcome: usize) -> TrialTerms {
    let outcome = match outcome % 4 {
        0 => TrialOutcome::Convert,
        1 => TrialOutcome::Pause,
        2 => TrialOutcome::Cancel,
        _ => TrialOutcome::Downgrade {
            terms: Box::new(terms(0)),
        },
    };
    let terms = terms(plan);
    TrialTerms {
        family_plans: BTreeSet::from([terms.plan.clone()]),
        plan: terms.plan,
        family: terms.family,
        days,
        unit: terms.unit,
        credits: Units::from_micros(313),
        scope: BTreeSet::new(),
        card_required: false,
        at_end: TrialOutcome::Convert,
        at_end_without_card: Some(outcome),
    }
}

/// A third off once, five off for two months, all of it for ever.
fn coupon(pick: usize) -> Coupon {
    let percent = |percent: Decimal| Off::Percent {
        percent: percent.try_into().expect("a rate"),
    };
    let (id, off, duration) = match pick % 3 {
        0 => ("third", percent(Decimal::new(333_333, 4)), CouponDuration::Once),
        1 => (
            "five",
            Off::Amount { amount: usd(500) },
            CouponDuration::Repeating {
                months: NonZeroU32::MIN.saturating_add(1),
            },
        ),
        _ => ("all", percent(Decimal::ONE_HUNDRED), CouponDuration::Forever),
    };
    Coupon {
        id: id.to_owned(),
        name: id.to_owned(),
        off,
        duration,
        redeem_by: None,
    }
}

fn tax(pick: usize) -> TaxRate {
    let (percent, inclusive) = [(190, false), (88, false), (75, true)][pick % 3];
    TaxRate {
        percent: Decimal::new(percent, 1).try_into().expect("a rate"),
        inclusive,
    }
}

fn of_seats(subscription: SubscriptionId, seat: String, is_released: bool) -> SubscriptionCommand {
    if is_released {
        SubscriptionCommand::ReleaseSeat { subscription, seat }
    } else {
        SubscriptionCommand::AssignSeat(AssignSeat {
            subscription,
            item: None,
            seat,
        })
    }
}

fn items(plan: usize, quantity: u32) -> Vec<ItemOrder> {
    vec![ItemOrder {
        item: "base".to_owned(),
        quantity,
        terms: terms(plan),
    }]
}

fn when(is_now: bool) -> When {
    if is_now { When::Now } else { When::PeriodEnd }
}

/// The command of an act on an account as it stands; what there is nothing of is waited for. `n` names what is new.
pub(super) fn command(account: &Account, act: &BillingAct, n: usize, at: Timestamp) -> AccountCommand {
    let found = match act {
        BillingAct::Purchase { .. } | BillingAct::PayPurchase { .. } | BillingAct::RefundPurchase { .. } => {
            of_purchases(account, act, n).map(AccountCommand::Purchase)
        }
        BillingAct::PayInvoice { .. }
        | BillingAct::FailInvoice { .. }
        | BillingAct::CloseInvoice { .. }
        | BillingAct::CreditInvoice { .. } => of_invoices(account, act, n).map(AccountCommand::Invoice),
        BillingAct::Convert { subscription } => one_subscription(account, *subscription)
            .map(|subscription| AccountCommand::Trial(TrialCommand::Convert(subscription))),
        BillingAct::Subscribe { .. }
        | BillingAct::Change { .. }
        | BillingAct::Cancel { .. }
        | BillingAct::Uncancel { .. }
        | BillingAct::Pause { .. }
        | BillingAct::Redeem { .. }
        | BillingAct::SetTax { .. }
        | BillingAct::Seat { .. }
        | BillingAct::Resume { .. } => of_subscriptions(account, act, n, at)
            .map(|command| AccountCommand::Subscription(Box::new(command))),
    };
    found.unwrap_or(AccountCommand::WriteDue)
}

fn one_subscription(account: &Account, pick: usize) -> Option<SubscriptionId> {
    let ids: Vec<&SubscriptionId> = account.subscriptions().keys().collect();
    picked(&ids, pick).map(|id| (*id).clone())
}

fn of_purchases(account: &Account, act: &BillingAct, n: usize) -> Option<PurchaseCommand> {
    let one = |pick| {
        let ids: Vec<PaymentId> = account.purchases().map(|(id, _)| id.clone()).collect();
        picked(&ids, pick).cloned()
    };
    Some(match *act {
        BillingAct::PayPurchase { purchase } => PurchaseCommand::Pay(PayPurchase {
            purchase: one(purchase)?,
            amount: None,
            paid_at: None,
            method: Some("transfer".to_owned()),
            reference: None,
        }),
        BillingAct::RefundPurchase { purchase, minor } => PurchaseCommand::Refund(RefundPurchase {
            purchase: one(purchase)?,
            refund: format!("refund_{n}"),
            amount: usd(minor),
            reason: None,
            reference: None,
        }),
        BillingAct::Purchase { quantity, tax } => PurchaseCommand::Start(StartPurchase {
            purchase: PaymentId(format!("pur_{n}")),
            pack: "credits".to_owned(),
            terms: Some(Box::new(pack())),
            quantity,
            tax: Some(usd(tax)),
            reference: None,
        }),
        _ => return None,
    })
}

fn of_subscriptions(
    account: &Account,
    act: &BillingAct,
    n: usize,
    at: Timestamp,
) -> Option<SubscriptionCommand> {
    let one = |pick| one_subscription(account, pick);
    Some(match *act {
        BillingAct::Subscribe {
            plan,
            quantity,
            trial: days,
            outcome,
            card_on_file,
        } => SubscriptionCommand::Start(StartSubscription {
            subscription: SubscriptionId(format!("sub_{n}")),
            items: items(plan, quantity),
            trial: days.map(|days| TrialOrder {
                terms: trial(plan, days, outcome),
                fingerprints: BTreeSet::new(),
                override_reason: (outcome == 0).then(|| "asked for".to_owned()),
            }),
            card_on_file,
            coupon: None,
            tax: None,
        }),
        BillingAct::Change {
            subscription,
            plan,
            quantity,
            is_now,
        } => SubscriptionCommand::Change(ChangeSubscription {
            subscription: one(subscription)?,
            items: items(plan, quantity),
            when: when(is_now),
        }),
        BillingAct::Cancel { subscription, is_now } => SubscriptionCommand::Cancel {
            subscription: one(subscription)?,
            when: when(is_now),
        },
        BillingAct::Uncancel { subscription } => SubscriptionCommand::Uncancel(one(subscription)?),
        BillingAct::Pause { subscription, days } => SubscriptionCommand::Pause {
            subscription: one(subscription)?,
            until: days.map(|days| at + Duration::days(days)),
        },
        BillingAct::Resume { subscription } => SubscriptionCommand::Resume(one(subscription)?),
        BillingAct::Redeem {
            subscription,
            coupon: pick,
        } => SubscriptionCommand::Redeem {
            subscription: one(subscription)?,
            coupon: pick.map(coupon),
        },
        BillingAct::SetTax { subscription, rate } => SubscriptionCommand::SetTax {
            subscription: one(subscription)?,
            tax: rate.map(tax),
        },
        BillingAct::Seat {
            subscription,
            seat,
            is_released,
        } => of_seats(one(subscription)?, format!("user_{seat}"), is_released),
        _ => return None,
    })
}

fn of_invoices(account: &Account, act: &BillingAct, n: usize) -> Option<InvoiceCommand> {
    let one = |pick| {
        let invoices = account.invoices();
        picked(&invoices, pick).map(|view| view.invoice.clone())
    };
    Some(match *act {
        BillingAct::FailInvoice { invoice } => InvoiceCommand::RecordPaymentFailure(one(invoice)?),
        BillingAct::CloseInvoice {
            invoice,
            is_written_off: true,
        } => InvoiceCommand::WriteOff(one(invoice)?),
        BillingAct::CloseInvoice { invoice, .. } => InvoiceCommand::Void(one(invoice)?),
        BillingAct::CreditInvoice {
            invoice,
            minor,
            is_refund,
        } => InvoiceCommand::Credit(CreditInvoice {
            invoice: one(invoice)?,
            credit_note: format!("cn_{n}"),
            amount: minor.map(usd),
            lines: Vec::new(),
            to: if is_refund {
                CreditTo::Refund
            } else {
                CreditTo::Balance
            },
        }),
        BillingAct::PayInvoice { invoice } => InvoiceCommand::Pay(PayInvoice {
            invoice: one(invoice)?,
            amount: None,
            through_stripe: false,
        }),
        _ => return None,
    })
}
