//! Lives of customers, drawn at random.

use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;

use super::act::{
    Act, Billed, DisputeMove, FirstPayment, OwnMoney, PaymentEnds, RefundEnds, Step, Terms, Through,
};

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
        3 => changing_plan(),
        2 => (one.clone(), 1..4_usize).prop_map(|(subscription, times)| Act::Flip { subscription, times }),
        2 => one.clone().prop_map(|subscription| Act::PauseOrResume { subscription }),
        1 => one.prop_map(|subscription| Act::Cancel { subscription }),
    ]
}

fn changing_plan() -> impl Strategy<Value = Act> {
    let billed = prop_oneof![
        4 => prop::bool::weighted(0.8).prop_map(|is_paid| Billed::AtOnce { is_paid }),
        3 => Just(Billed::WithTheNext),
        1 => Just(Billed::Never),
    ];
    (0..3_usize, 0..3_usize, 1..4_i64, billed, any::<bool>()).prop_map(
        |(subscription, plan, quantity, billed, names_credited)| Act::ChangePlan {
            subscription,
            plan,
            quantity,
            billed,
            names_credited,
        },
    )
}

fn of_stripes_own() -> impl Strategy<Value = Act> {
    let kind = prop_oneof![
        Just(OwnMoney::Fee),
        Just(OwnMoney::Reserve),
        Just(OwnMoney::TopUp)
    ];
    prop_oneof![
        1 => (1..9_999_i64, any::<bool>()).prop_map(|(amount, fails)| Act::PayOut { amount, fails }),
        1 => (kind, 1..999_i64).prop_map(|(kind, amount)| Act::MoveOwnMoney { kind, amount }),
        3 => (0..1_000_usize).prop_map(|object| Act::Look { object }),
    ]
}

fn of_an_invoice() -> impl Strategy<Value = Act> {
    let one = 0..4_usize;
    prop_oneof![
        5 => (one.clone(), prop::bool::weighted(0.4)).prop_map(|(invoice, is_paid)| Act::Retry { invoice, is_paid }),
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
        4 => of_stripes_own(),
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
