//! What may happen to a customer at Stripe.

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
    /// Another plan or quantity from now on, up or down.
    ChangePlan {
        /// Which subscription.
        subscription: usize,
        /// Which plan.
        plan: usize,
        /// Of how many.
        quantity: i64,
        /// When the rest of the period is billed, and its unused time credited.
        billed: Billed,
        /// Whether the credit names the line that billed the time it is for. Stripe does since 2022.
        names_credited: bool,
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
    /// Stripe takes a fee, holds a reserve back, or is topped up from the bank. No event tells it: somebody asks.
    MoveOwnMoney {
        /// What it is.
        kind: OwnMoney,
        /// Minor units.
        amount: i64,
    },
    /// Somebody asks Stripe about an object, and what it says is stored. Nothing else tells of fees and of what changed
    /// without an event.
    Look {
        /// Which object.
        object: usize,
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

/// When a change of plan within a period is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billed {
    /// At once, by an invoice of its own: where the time not used was worth more, that goes to the customer's balance.
    AtOnce {
        /// Whether the card is good.
        is_paid: bool,
    },
    /// With the next period.
    WithTheNext,
    /// Not at all.
    Never,
}

/// Money that Stripe moves for no customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnMoney {
    /// A fee that is no payment's.
    Fee,
    /// Held back.
    Reserve,
    /// From the bank.
    TopUp,
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
