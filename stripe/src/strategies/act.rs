//! What may happen to a customer at Stripe.

use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;

/// Something that happens. Amounts are small and odd on purpose: shares of them never divide evenly. A `usize` picks one of
/// the things there are by then, modulo their number; what needs a thing that is not there, or in another state,
/// does nothing. So every list of acts is a valid life, and any part of it is one, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A pack is bought.
    Buy {
        /// How.
        through: Through,
        /// Minor units, tax included.
        amount: i64,
        /// Which currency, of a few.
        currency: usize,
        /// Credits it gives, as metadata.
        credits: i64,
        /// Tax within the amount, per cent on top of the net, as a session says it.
        tax: i64,
        /// The first card is declined.
        declined_first: bool,
        /// What becomes of it.
        ends: PaymentEnds,
    },
    /// A plan is subscribed to.
    Subscribe {
        /// Which plan.
        plan: usize,
        /// Of how many.
        quantity: i64,
        /// Beginning with a trial.
        with_trial: bool,
        /// What becomes of the first payment.
        first: FirstPayment,
        /// What is taken off and what is added.
        terms: Terms,
    },
    /// The period of a subscription, or its trial, ends.
    EndPeriod {
        /// Which subscription.
        subscription: usize,
        /// Whether the card is good.
        is_paid: bool,
        /// Whether `customer.subscription.updated` tells it. Stripe does not always.
        is_announced: bool,
    },
    /// The open invoice of a subscription is tried again.
    Retry {
        /// Which invoice.
        invoice: usize,
        /// Whether the card is good.
        is_paid: bool,
    },
    /// An open invoice will not be paid.
    GiveUp {
        /// Which invoice.
        invoice: usize,
        /// It never should have been; else it is uncollectible.
        is_void: bool,
    },
    /// An open or uncollectible invoice is paid outside Stripe.
    PayOutside {
        /// Which invoice.
        invoice: usize,
    },
    /// Another plan or quantity from now on; more is billed at once.
    ChangePlan {
        /// Which subscription.
        subscription: usize,
        /// Which plan.
        plan: usize,
        /// Of how many.
        quantity: i64,
    },
    /// `cancel_at_period_end` is turned, so often within one second, each time by another request.
    Flip {
        /// Which subscription.
        subscription: usize,
        /// How often.
        times: usize,
    },
    /// A subscription pauses, or goes on.
    PauseOrResume {
        /// Which subscription.
        subscription: usize,
    },
    /// A subscription ends now.
    Cancel {
        /// Which subscription.
        subscription: usize,
    },
    /// A draft is made and thrown away.
    DraftAndDelete,
    /// Part of an invoice is taken back.
    CreditNote {
        /// Which invoice.
        invoice: usize,
        /// Per cent of it.
        percent: i64,
    },
    /// A credit note on an invoice that is still open never was.
    VoidCreditNote {
        /// Which note.
        note: usize,
    },
    /// Part of a payment is given back.
    Refund {
        /// Which payment.
        payment: usize,
        /// Per cent of what was paid; beyond what is left, all that is left.
        percent: i64,
        /// What becomes of it.
        ends: RefundEnds,
    },
    /// A payment is disputed.
    Dispute {
        /// Which payment.
        payment: usize,
        /// As a question first: no money moves.
        is_inquiry: bool,
    },
    /// A dispute goes on.
    MoveDispute {
        /// Which dispute.
        dispute: usize,
        /// Where to, as far as it can.
        to: DisputeMove,
    },
    /// Stripe sends money to the bank.
    PayOut {
        /// Minor units.
        amount: i64,
        /// It arrives, and bounces a day later.
        fails: bool,
    },
    /// Something about the customer changes.
    UpdateCustomer,
    /// The customer is deleted.
    DeleteCustomer,
}

/// What is taken off the price of a plan, and the tax on the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// Per cent off; never all.
    pub discount: i64,
    /// Per cent of tax.
    pub tax: i64,
    /// Whether the tax is within the price.
    pub is_inclusive: bool,
}

/// How a pack is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// A checkout session.
    Checkout,
    /// A payment intent of the caller's.
    Intent,
    /// A charge without an intent.
    Charge,
}

/// What becomes of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentEnds {
    /// Paid at once.
    Paid,
    /// Paid by a method that takes days.
    PaidLater,
    /// That method fails in the end.
    FailsLater,
    /// Given up.
    Canceled,
}

/// What becomes of a subscription's first payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstPayment {
    /// Paid at once.
    Paid,
    /// Declined: it may be tried again.
    Declined,
    /// Declined, and never tried again.
    Abandoned,
}

/// What becomes of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundEnds {
    /// It succeeds at once.
    Succeeds,
    /// It is pending first.
    SucceedsLater,
    /// It bounces after it succeeded: the money is back.
    Bounces,
    /// It is pending, and canceled.
    Canceled,
}

/// Where a dispute goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeMove {
    /// Evidence is looked at.
    Review,
    /// An inquiry becomes a chargeback.
    Escalate,
    /// For the merchant; an inquiry is closed.
    Win,
    /// Against the merchant.
    Lose,
    /// A lost one is opened again.
    Appeal,
}

/// An act, and how long after the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Seconds, often none.
    pub after: i64,
    /// What happens.
    pub act: Act,
}

/// Often none.
fn per_cent(below: i64) -> impl Strategy<Value = i64> {
    prop_oneof![2 => Just(0), 1 => 1..below]
}

fn buying() -> impl Strategy<Value = Act> {
    let through = prop_oneof![
        Just(Through::Checkout),
        Just(Through::Intent),
        Just(Through::Charge)
    ];
    let ends = prop_oneof![
        5 => Just(PaymentEnds::Paid),
        1 => Just(PaymentEnds::PaidLater),
        1 => Just(PaymentEnds::FailsLater),
        1 => Just(PaymentEnds::Canceled),
    ];
    (
        through,
        51..1_999_i64,
        0..3_usize,
        1..900_i64,
        per_cent(25),
        prop::bool::weighted(0.2),
        ends,
    )
        .prop_map(
            |(through, amount, currency, credits, tax, declined_first, ends)| Act::Buy {
                through,
                amount,
                currency,
                credits,
                tax,
                declined_first,
                ends,
            },
        )
}

fn of_a_payment() -> impl Strategy<Value = Act> {
    let ends = prop_oneof![
        3 => Just(RefundEnds::Succeeds),
        1 => Just(RefundEnds::SucceedsLater),
        1 => Just(RefundEnds::Bounces),
        1 => Just(RefundEnds::Canceled),
    ];
    let to = prop_oneof![
        Just(DisputeMove::Review),
        Just(DisputeMove::Escalate),
        Just(DisputeMove::Win),
        Just(DisputeMove::Lose),
        Just(DisputeMove::Appeal),
    ];
    let one = 0..4_usize;
    prop_oneof![
        3 => (one.clone(), 1..120_i64, ends)
            .prop_map(|(payment, percent, ends)| Act::Refund { payment, percent, ends }),
        2 => (one.clone(), prop::bool::weighted(0.3))
            .prop_map(|(payment, is_inquiry)| Act::Dispute { payment, is_inquiry }),
        3 => (one, to).prop_map(|(dispute, to)| Act::MoveDispute { dispute, to }),
    ]
}

fn subscribing() -> impl Strategy<Value = Act> {
    let first = prop_oneof![
        4 => Just(FirstPayment::Paid),
        1 => Just(FirstPayment::Declined),
        1 => Just(FirstPayment::Abandoned),
    ];
    let terms = (per_cent(60), per_cent(25), any::<bool>());
    let terms = terms.prop_map(|(discount, tax, is_inclusive)| Terms {
        discount,
        tax,
        is_inclusive,
    });
    (0..3_usize, 1..4_i64, prop::bool::weighted(0.3), first, terms).prop_map(
        |(plan, quantity, with_trial, first, terms)| Act::Subscribe {
            plan,
            quantity,
            with_trial,
            first,
            terms,
        },
    )
}

fn of_a_subscription() -> impl Strategy<Value = Act> {
    let one = 0..3_usize;
    prop_oneof![
        5 => (one.clone(), prop::bool::weighted(0.7), prop::bool::weighted(0.9)).prop_map(
            |(subscription, is_paid, is_announced)| Act::EndPeriod { subscription, is_paid, is_announced }
        ),
        2 => (one.clone(), 0..3_usize, 1..4_i64)
            .prop_map(|(subscription, plan, quantity)| Act::ChangePlan { subscription, plan, quantity }),
        2 => (one.clone(), 1..4_usize).prop_map(|(subscription, times)| Act::Flip { subscription, times }),
        2 => one.clone().prop_map(|subscription| Act::PauseOrResume { subscription }),
        1 => one.prop_map(|subscription| Act::Cancel { subscription }),
    ]
}

fn of_an_invoice() -> impl Strategy<Value = Act> {
    let one = 0..4_usize;
    prop_oneof![
        3 => (one.clone(), any::<bool>()).prop_map(|(invoice, is_paid)| Act::Retry { invoice, is_paid }),
        1 => (one.clone(), any::<bool>()).prop_map(|(invoice, is_void)| Act::GiveUp { invoice, is_void }),
        1 => one.clone().prop_map(|invoice| Act::PayOutside { invoice }),
        2 => (one.clone(), 1..99_i64).prop_map(|(invoice, percent)| Act::CreditNote { invoice, percent }),
        2 => one.prop_map(|note| Act::VoidCreditNote { note }),
        1 => Just(Act::DraftAndDelete),
    ]
}

/// One act, of any kind.
pub fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => buying(),
        5 => of_a_payment(),
        3 => subscribing(),
        7 => of_a_subscription(),
        4 => of_an_invoice(),
        1 => (1..9_999_i64, any::<bool>()).prop_map(|(amount, fails)| Act::PayOut { amount, fails }),
        1 => Just(Act::UpdateCustomer),
        1 => prop::bool::weighted(0.2).prop_map(|gone| if gone { Act::DeleteCustomer } else { Act::UpdateCustomer }),
    ]
}

/// So many acts of one customer: often in the second of the one before, sometimes days after it. Shrinks to fewer acts,
/// then to simpler ones.
pub fn life(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![2 => Just(0), 1 => Just(1), 2 => 2..3_600_i64, 2 => 3_600..1_000_000_i64];
    let step = (after, act()).prop_map(|(after, act)| Step { after, act });
    vec(step, count)
}

/// The lives of so many customers, of so many acts each.
pub fn lives(
    customers: impl Into<SizeRange>,
    acts: impl Into<SizeRange>,
) -> impl Strategy<Value = Vec<Vec<Step>>> {
    vec(life(acts), customers)
}
