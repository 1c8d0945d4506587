//! The chart of accounts.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! chart {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $name:literal),+ $(,)?) => {
        /// A control account. Its code is what reports and exports show.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum LedgerAccount {
            $($(#[$doc])* $variant),+
        }

        impl LedgerAccount {
            /// Every account, by code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code: `1110`, `U100`.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The name: `assets:stripe-balance`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The account of a code.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

chart! {
    /// The company's bank.
    Bank = "1010" "assets:bank",
    /// Money at Stripe.
    StripeBalance = "1110" "assets:stripe-balance",
    /// Payouts on their way. Clears to zero.
    PayoutInTransit = "1120" "assets:payout-in-transit",
    /// Funds withdrawn by disputes not yet decided. Clears to zero.
    DisputedFunds = "1130" "assets:disputed-funds",
    /// Reserves Stripe holds.
    StripeReserves = "1140" "assets:stripe-reserves",
    /// Suspense. Clears at each close.
    Unmatched = "1190" "assets:unmatched",
    /// What customers owe, by invoice.
    Receivable = "1210" "assets:receivable",
    /// Deferred revenue of credits, by lot.
    ContractCredits = "2110" "liabilities:contract-credits",
    /// Deferred revenue of credits on their way from one account to another, by transfer. Clears to zero.
    CreditsInTransit = "2115" "liabilities:credits-in-transit",
    /// Deferred revenue of subscriptions, by invoice line.
    DeferredSubscription = "2120" "liabilities:deferred-subscription",
    /// Credit balances of customers.
    CustomerBalance = "2130" "liabilities:customer-balance",
    /// Cash not yet applied to a purchase or invoice, by customer. Clears to zero; negative until the charge arrives.
    UnappliedCash = "2135" "liabilities:unapplied-cash",
    /// Refunds accepted, not yet paid. Clears to zero.
    RefundsPayable = "2140" "liabilities:refunds-payable",
    /// Tax collected.
    TaxPayable = "2210" "liabilities:tax-payable",
    /// Brought over from another system.
    OpeningBalances = "3010" "equity:opening-balances",
    /// Credits used.
    RevenueUsage = "4010" "revenue:usage",
    /// Subscriptions, as time passes.
    RevenueSubscription = "4020" "revenue:subscription",
    /// Credits that expired unused.
    RevenueBreakage = "4040" "revenue:breakage",
    /// Refunds of what was used.
    ContraRefunds = "4110" "contra-revenue:refunds",
    /// Disputes lost over what was used.
    ContraDisputes = "4120" "contra-revenue:disputes",
    /// Credit notes and voids of what was earned.
    ContraCreditNotes = "4130" "contra-revenue:credit-notes",
    /// Concessions.
    ContraConcessions = "4140" "contra-revenue:concessions",
    /// Stripe's fees.
    ProcessingFees = "5010" "expenses:processing-fees",
    /// Dispute fees.
    DisputeFees = "5020" "expenses:dispute-fees",
    /// Earned, and never paid.
    BadDebt = "5030" "expenses:bad-debt",
    /// Credits that may be spent.
    UnitsWallet = "U100" "units:wallet",
    /// Credits held or frozen.
    UnitsHeld = "U110" "units:held",
    /// Credits on their way from one account to another, by transfer. Clears to zero.
    UnitsInTransit = "U120" "units:in-transit",
    /// Issued against payment.
    UnitsIssuedPaid = "U900.paid" "units:issued-paid",
    /// Issued with a plan.
    UnitsIssuedPlan = "U900.plan" "units:issued-plan",
    /// Issued to win a customer.
    UnitsIssuedPromotional = "U900.promotional" "units:issued-promotional",
    /// Issued for a trial.
    UnitsIssuedTrial = "U900.trial" "units:issued-trial",
    /// Issued to make up for something.
    UnitsIssuedGoodwill = "U900.goodwill" "units:issued-goodwill",
    /// Brought over.
    UnitsIssuedMigration = "U900.migration" "units:issued-migration",
    /// Used.
    UnitsConsumed = "U910" "units:consumed",
    /// Expired.
    UnitsExpired = "U920" "units:expired",
    /// Clawed back.
    UnitsRevoked = "U930" "units:revoked",
    /// Used but clawed back: its credit balance is the debt.
    UnitsOverdraft = "U940" "units:overdraft",
}

/// How soon an account that clears comes back to zero, key by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clears {
    /// With the transaction that moved it: what two streams book of one transfer is appended together.
    AtOnce,
    /// When what it waits for arrives: a charge, a balance transaction, the end of a hold.
    InTime,
}

impl Clears {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtOnce => "at_once",
            Self::InTime => "in_time",
        }
    }
}

impl LedgerAccount {
    /// Whether it counts credits, not money: off the balance sheet.
    pub fn is_units(self) -> bool {
        self.code().starts_with('U')
    }

    /// Whether it is deferred revenue: what was billed and is not earned yet.
    pub fn is_deferred(self) -> bool {
        matches!(
            self,
            Self::ContractCredits | Self::CreditsInTransit | Self::DeferredSubscription
        )
    }

    /// Whether it is a clearing account, and how soon it clears.
    pub fn clears(self) -> Option<Clears> {
        match self {
            Self::CreditsInTransit | Self::UnitsInTransit => Some(Clears::AtOnce),
            Self::PayoutInTransit
            | Self::DisputedFunds
            | Self::Unmatched
            | Self::UnappliedCash
            | Self::RefundsPayable
            | Self::UnitsHeld => Some(Clears::InTime),
            _ => None,
        }
    }
}

impl Serialize for LedgerAccount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for LedgerAccount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::from_code(&code)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown ledger account {code}")))
    }
}
