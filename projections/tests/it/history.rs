//! Histories: what callers and Stripe might do to some accounts, by seed.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tallybook_domain::account::{
    Account, AccountCommand, AccountEvent, AccountFact, AdjustCredits, BeyondHold, CaptureHold, DatedFact,
    DebitCredits, Fact, GrantCredits, GroupFacts, HoldCredits, LotTerms, OpenAccount, ReleaseHold,
    ReverseConsumption, Settlement, TransferOut, VoidGrant,
};
use tallybook_domain::calendar::Period;
use tallybook_domain::credits::{Consumption, CreditsEvent, CreditsGranted, GrantSource, OnExpiry};
use tallybook_domain::identity::{
    AccountId, GrantId, GroupId, PaymentId, StreamId, TenantId, TransferId, UnitCode,
};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::purchases::{
    CashReceived, Channel, DisputeClosed, DisputeFunds, DisputeOpened, DisputeOutcome, PurchasePaid,
    PurchasesEvent, Refund, RefundMoney,
};
use tallybook_domain::quantity::Units;
use tallybook_domain::subscriptions::{
    Driver, InvoiceIssued, InvoiceLine, InvoicePaid, InvoicesEvent, SubscriptionItem, SubscriptionState,
    SubscriptionStatus,
};
use tallybook_domain::trials::{TrialState, TrialStatus};
use tallybook_journal::{CommandKey, Envelope, ExecuteError, Journal, Unit};

/// The first instant of every history: shortly before midnight, so that time zones matter.
fn epoch() -> DateTime<Utc> {
    "2026-03-01T22:30:00.123456Z".parse().expect("well formed")
}

/// Commands on a few accounts of two tenants, one after the other.
pub(crate) struct History {
    rng: ChaCha8Rng,
    name: String,
    step: u32,
    at: DateTime<Utc>,
    holds: Vec<(StreamId, String)>,
    payments: Vec<Payment>,
    lots: Vec<(StreamId, GrantId)>,
    uses: Vec<(StreamId, Consumption)>,
}

/// A payment as Stripe would tell it by now.
#[derive(Clone)]
struct Payment {
    stream: StreamId,
    id: String,
    at: DateTime<Utc>,
    gross: i64,
    credits: i64,
    refunded: Vec<(i64, bool)>,
    dispute: Option<(i64, Option<DisputeOutcome>)>,
}

impl History {
    /// A history of its own by name and seed.
    pub(crate) fn new(name: &str, seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            name: name.to_owned(),
            step: 0,
            at: epoch(),
            holds: Vec::new(),
            payments: Vec::new(),
            lots: Vec::new(),
            uses: Vec::new(),
        }
    }

    /// Let so many commands happen. The position of the last event written.
    pub(crate) async fn run(&mut self, journal: &Journal, commands: u32) -> i64 {
        let mut position = 0;
        for _ in 0..commands {
            let (stream, command) = self.next();
            let envelope = self.envelope();
            match journal.execute::<Account>(&stream, command, envelope).await {
                Ok(executed) => {
                    position = position.max(executed.position);
                    self.note(&stream, &executed.events);
                }
                Err(ExecuteError::Refused(_)) => {}
                Err(error) => panic!("step {} failed: {error}", self.step),
            }
        }
        position
    }

    /// Half of a new account's credits, which cost something, go to another new account of `acme`.
    pub(crate) async fn transfer(&mut self, journal: &Journal) {
        let tenant = TenantId::from("acme");
        let [from, to] = ["giver", "taker"].map(AccountId::from);
        let [giver, taker] = [&from, &to].map(|account| StreamId::account(&tenant, account));
        for (stream, account) in [(&giver, &from), (&taker, &to)] {
            let open = OpenAccount {
                account: account.clone(),
                external_id: None,
                stripe_customer: None,
                time_zone: chrono_tz::Tz::UTC,
                test_clock: None,
            };
            self.execute(journal, stream, AccountCommand::Open(open)).await;
        }
        let bought = GrantCredits {
            grant: GrantId::from("grant_given"),
            unit: UnitCode::default(),
            units: Units::from_micros(9_000_000),
            source: GrantSource::Paid,
            cost: Some(Money::new(1_000, Currency::EUR)),
            priority: 0,
            effective_at: None,
            expires_at: None,
            reference: None,
            scope: BTreeSet::new(),
        };
        self.execute(journal, &giver, AccountCommand::Grant(bought)).await;
        let mut out = TransferOut {
            transfer: TransferId::from("transfer_1"),
            to,
            unit: UnitCode::default(),
            units: Units::from_micros(4_000_000),
            reference: None,
            promised: Vec::new(),
        };
        let state = journal.load::<Account>(&giver).await.expect("readable").state;
        let arriving = state.promise(&out, self.at).expect("it has as much");
        out.promised.clone_from(&arriving.grants);
        let mut unit = Unit::new(self.envelope());
        unit.add::<Account>(&giver, AccountCommand::TransferOut(out));
        unit.add::<Account>(&taker, AccountCommand::TransferIn(arriving));
        journal.execute_unit(unit).await.expect("accepted");
    }

    async fn execute(&mut self, journal: &Journal, stream: &StreamId, command: AccountCommand) {
        let envelope = self.envelope();
        let executed = journal.execute::<Account>(stream, command, envelope).await;
        executed.expect("accepted");
    }

    fn envelope(&mut self) -> Envelope {
        self.step += 1;
        Envelope {
            key: CommandKey::new(format!("{}-{}", self.name, self.step)),
            hash: [0; 32],
            expected_version: None,
            at: self.at,
            metadata: [("actor".to_owned(), "history".to_owned())].into(),
        }
    }

    /// What may be corrected later.
    fn note(&mut self, stream: &StreamId, events: &[AccountEvent]) {
        for event in events {
            let AccountFact::Credits(event) = &event.fact else {
                continue;
            };
            if let CreditsEvent::CreditsGranted(granted) = event {
                self.lots.push((stream.clone(), granted.grant.clone()));
            }
            if let Some(used) = Consumption::of(event) {
                self.uses.push((stream.clone(), used));
            }
        }
    }

    /// A lot voided, a use taken back or credits adjusted by hand.
    fn correct(&mut self, otherwise: StreamId) -> (StreamId, AccountCommand) {
        let reason = "a correction".to_owned();
        match self.rng.random_range(0..4) {
            0 if !self.lots.is_empty() => {
                let (stream, grant) = self.lots[self.rng.random_range(0..self.lots.len())].clone();
                (stream, AccountCommand::Void(VoidGrant { grant, reason }))
            }
            1..3 if !self.uses.is_empty() => {
                let (stream, original) = self.uses[self.rng.random_range(0..self.uses.len())].clone();
                let command = ReverseConsumption {
                    reversal: self.id("reversal").into(),
                    original,
                    units: self.rng.random_bool(0.7).then(|| self.credits(10)),
                    reason: None,
                };
                (stream, AccountCommand::Reverse(command))
            }
            _ => {
                let units = self.credits(20);
                let command = AdjustCredits {
                    adjustment: self.id("adj").into(),
                    grant: self.id("grant").into(),
                    unit: self.unit(),
                    units: if self.rng.random_bool(0.4) { units } else { -units },
                    reason,
                };
                (otherwise, AccountCommand::Adjust(command))
            }
        }
    }

    fn next(&mut self) -> (StreamId, AccountCommand) {
        self.at += Duration::minutes(self.rng.random_range(0..600));
        let tenant = TenantId::from(if self.rng.random_bool(0.7) {
            "acme"
        } else {
            "globex"
        });
        let account = AccountId::from(format!("{}-{}", self.name, self.rng.random_range(0..3)));
        let stream = StreamId::account(&tenant, &account);
        let command = match self.rng.random_range(0..100) {
            0..6 => AccountCommand::Open(OpenAccount {
                external_id: self
                    .rng
                    .random_bool(0.5)
                    .then(|| format!("their \"{account}\"\0")),
                account,
                stripe_customer: None,
                time_zone: chrono_tz::Tz::UTC,
                test_clock: None,
            }),
            6..22 => self.grant(),
            22..39 => self.debit(),
            39..45 => return self.correct(stream),
            45..55 => self.hold(&stream),
            55..63 => return self.end_hold(stream),
            63..73 => self.pay(&stream),
            73..88 => return self.change_payment(stream),
            88..94 => self.subscribe(account),
            94..97 => AccountCommand::LinkCustomer(format!("cus_{}", self.rng.random_range(0..4))),
            _ => AccountCommand::WriteDue,
        };
        (stream, command)
    }

    fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", self.name, self.step)
    }

    fn unit(&mut self) -> UnitCode {
        if self.rng.random_bool(0.8) {
            UnitCode::default()
        } else {
            "GPU_HOUR".into()
        }
    }

    fn credits(&mut self, max: i64) -> Units {
        Units::from_micros(self.rng.random_range(1..=max * 1_000_000))
    }

    fn grant(&mut self) -> AccountCommand {
        let source = match self.rng.random_range(0..4) {
            0 => GrantSource::Paid,
            1 => GrantSource::Promotional,
            2 => GrantSource::Goodwill,
            _ => GrantSource::Migration,
        };
        let cost = self
            .rng
            .random_bool(0.5)
            .then(|| Money::new(self.rng.random_range(0..9_999), Currency::USD));
        AccountCommand::Grant(GrantCredits {
            grant: self.id("grant").into(),
            unit: self.unit(),
            units: self.credits(100),
            source,
            cost,
            priority: self.rng.random_range(-1..2),
            effective_at: None,
            expires_at: self
                .rng
                .random_bool(0.5)
                .then(|| self.at + Duration::hours(self.rng.random_range(1..200))),
            reference: Some("a \\u0000 note".to_owned()),
            scope: if self.rng.random_bool(0.2) {
                BTreeSet::from(["render".to_owned()])
            } else {
                BTreeSet::new()
            },
        })
    }

    fn debit(&mut self) -> AccountCommand {
        AccountCommand::Debit(DebitCredits {
            debit: self.id("debit").into(),
            unit: self.unit(),
            units: self.credits(40),
            feature: Some("render".to_owned()),
            quantity: None,
            reference: None,
        })
    }

    fn hold(&mut self, stream: &StreamId) -> AccountCommand {
        let hold = self.id("hold");
        self.holds.push((stream.clone(), hold.clone()));
        AccountCommand::Hold(HoldCredits {
            hold: hold.into(),
            unit: self.unit(),
            units: self.credits(40),
            expires_in: Duration::hours(self.rng.random_range(1..100)),
            feature: None,
            reference: None,
            on_expiry: OnExpiry::Keep,
        })
    }

    fn end_hold(&mut self, otherwise: StreamId) -> (StreamId, AccountCommand) {
        if self.holds.is_empty() {
            return (otherwise, AccountCommand::WriteDue);
        }
        let index = self.rng.random_range(0..self.holds.len());
        let (stream, hold) = self.holds[index].clone();
        if self.rng.random_bool(0.3) {
            return (stream, AccountCommand::Release(ReleaseHold { hold: hold.into() }));
        }
        let command = AccountCommand::Capture(CaptureHold {
            hold: hold.into(),
            debit: self.id("debit").into(),
            units: self.rng.random_bool(0.7).then(|| self.credits(10)),
            is_final: self.rng.random_bool(0.4),
            beyond_hold: if self.rng.random_bool(0.3) {
                BeyondHold::Draw
            } else {
                BeyondHold::Refuse
            },
        });
        (stream, command)
    }

    fn pay(&mut self, stream: &StreamId) -> AccountCommand {
        let payment = Payment {
            stream: stream.clone(),
            id: self.id("pi"),
            at: self.at - Duration::hours(self.rng.random_range(0..48)),
            gross: self.rng.random_range(100..9_999),
            credits: self.rng.random_range(1..200),
            refunded: Vec::new(),
            dispute: None,
        };
        self.payments.push(payment.clone());
        self.settle(&payment)
    }

    fn change_payment(&mut self, otherwise: StreamId) -> (StreamId, AccountCommand) {
        if self.payments.is_empty() {
            return (otherwise, AccountCommand::WriteDue);
        }
        let index = self.rng.random_range(0..self.payments.len());
        let mut payment = self.payments[index].clone();
        let left = payment.gross - payment.refunded.iter().map(|(amount, _)| amount).sum::<i64>();
        match self.rng.random_range(0..10) {
            0..4 if left > 0 => payment.refunded.push((self.rng.random_range(1..=left), false)),
            4..6 => {
                if let Some(last) = payment.refunded.last_mut() {
                    last.1 = !last.1;
                }
            }
            6..8 => payment.dispute = Some((payment.gross, None)),
            8 => {
                let lost = self.rng.random_bool(0.5);
                let outcome = if lost {
                    DisputeOutcome::Lost
                } else {
                    DisputeOutcome::Won
                };
                payment.dispute = Some((payment.gross, Some(outcome)));
            }
            // A later delivery knew better: other terms.
            _ => payment.credits += 1,
        }
        let command = self.settle(&payment);
        let stream = payment.stream.clone();
        self.payments[index] = payment;
        (stream, command)
    }

    fn settle(&self, payment: &Payment) -> AccountCommand {
        let grant = GrantId(format!("grant:{}", payment.id));
        let group = GroupId(format!("pay:{}", payment.id));
        let lot = LotTerms {
            granted: CreditsGranted {
                grant: grant.clone(),
                unit: UnitCode::default(),
                units: Units::from_micros(payment.credits * 1_000_000),
                source: GrantSource::Paid,
                cost: Some(Money::new(payment.gross, Currency::EUR)),
                priority: 0,
                expires_at: Some(payment.at + Duration::days(20)),
                purchase: Some(payment.id.clone().into()),
                invoice_line: None,
                group: Some(group.clone()),
                reference: None,
                scope: BTreeSet::new(),
                rollover: None,
            },
            effective_at: payment.at,
        };
        AccountCommand::Settle(Settlement {
            account: payment.stream.name().into(),
            customer: None,
            time_zone: chrono_tz::Tz::UTC,
            groups: vec![GroupFacts {
                group,
                facts: payment.facts(&grant),
                lots: vec![lot],
                subscription: None,
                trial: None,
                as_of: self.at,
            }],
        })
    }

    fn subscribe(&mut self, account: AccountId) -> AccountCommand {
        let id = format!("sub_{account}");
        let start = self.at - Duration::days(self.rng.random_range(0..30));
        let standing = self.rng.random_bool(0.85);
        let status = match self.rng.random_range(0..4) {
            0 => SubscriptionStatus::Trialing,
            1 => SubscriptionStatus::PastDue,
            _ => SubscriptionStatus::Active,
        };
        let state = SubscriptionState {
            driver: Driver::Stripe,
            status,
            items: vec![SubscriptionItem {
                item: "si_1".to_owned(),
                price: "price_1".to_owned(),
                quantity: self.rng.random_range(1..4),
                plan: None,
                features: std::collections::BTreeMap::new(),
            }],
            period_start: start,
            period_end: start + Duration::days(30),
            cancel_at_period_end: self.rng.random_bool(0.3),
            cancel_at: None,
            trial_end: None,
            ended_at: None,
            contract: None,
        };
        let trial = TrialState {
            started_at: start,
            ends_at: start + Duration::days(7),
            status: TrialStatus::Running,
            record: None,
        };
        let groups = vec![
            GroupFacts {
                group: GroupId(format!("sub:{id}")),
                facts: Vec::new(),
                lots: Vec::new(),
                trial: (standing && status == SubscriptionStatus::Trialing).then_some(trial),
                subscription: standing.then(|| (id.clone().into(), state)),
                as_of: self.at,
            },
            self.invoice(&id, start),
        ];
        AccountCommand::Settle(Settlement {
            customer: Some(format!("cus_{account}")),
            time_zone: chrono_tz::Tz::UTC,
            account,
            groups,
        })
    }

    fn invoice(&self, subscription: &str, start: DateTime<Utc>) -> GroupFacts {
        let id = self.id("in");
        let issued = InvoiceIssued {
            invoice: id.clone().into(),
            amount_due: Money::new(1_190, Currency::EUR),
            applied_balance: 0,
            tax: 190,
            lines: vec![InvoiceLine {
                subscription: Some(subscription.into()),
                ..InvoiceLine::plain(
                    format!("il_{id}"),
                    1_000,
                    Period {
                        start,
                        end: start + Duration::days(30),
                    },
                )
            }],
            subscription: None,
            due_at: None,
        };
        let paid = InvoicePaid {
            invoice: id.clone().into(),
            amount: Money::new(1_190, Currency::EUR),
            paid_off_stripe: 0,
        };
        let dated = |fact: InvoicesEvent| DatedFact {
            fact: Fact::Invoices(fact),
            effective_at: start,
        };
        GroupFacts {
            group: GroupId(format!("inv:{id}")),
            facts: vec![
                dated(InvoicesEvent::InvoiceIssued(issued)),
                dated(InvoicesEvent::InvoicePaid(paid)),
            ],
            lots: Vec::new(),
            subscription: None,
            trial: None,
            as_of: self.at,
        }
    }
}

impl Payment {
    fn facts(&self, grant: &GrantId) -> Vec<DatedFact> {
        let payment = PaymentId(self.id.clone());
        let euro = |minor| Money::new(minor, Currency::EUR);
        let mut facts = vec![
            PurchasesEvent::CashReceived(CashReceived {
                payment: payment.clone(),
                amount: euro(self.gross),
                channel: Channel::Stripe,
                purchase: None,
            }),
            PurchasesEvent::PurchasePaid(PurchasePaid {
                payment: payment.clone(),
                grant: grant.clone(),
                gross: euro(self.gross),
                tax: 0,
                units: Units::from_micros(self.credits * 1_000_000),
                unit: UnitCode::default(),
                pack: Some("pack".to_owned()),
                purchase: None,
                bundled: Vec::new(),
            }),
        ];
        for (number, (amount, failed)) in self.refunded.iter().enumerate() {
            let refund = Refund {
                refund: format!("re_{}_{number}", self.id),
                payment: payment.clone(),
                amount: euro(*amount),
                tax: 0,
                unapplied: false,
                reason: None,
            };
            let money = RefundMoney {
                refund: refund.refund.clone(),
                payment: payment.clone(),
                amount: refund.amount,
                channel: Channel::Stripe,
            };
            facts.push(PurchasesEvent::RefundRecorded(refund.clone()));
            facts.push(PurchasesEvent::RefundPaid(money.clone()));
            if *failed {
                facts.push(PurchasesEvent::RefundReversed(refund));
                facts.push(PurchasesEvent::RefundReturned(money));
            }
        }
        if let Some((amount, outcome)) = self.dispute {
            facts.extend(self.dispute(&payment, euro(amount), outcome));
        }
        let dated = |(index, fact): (usize, PurchasesEvent)| DatedFact {
            fact: Fact::Purchases(fact),
            effective_at: self.at + Duration::minutes(i64::try_from(index).expect("few")),
        };
        facts.into_iter().enumerate().map(dated).collect()
    }

    fn dispute(
        &self,
        payment: &PaymentId,
        amount: Money,
        outcome: Option<DisputeOutcome>,
    ) -> Vec<PurchasesEvent> {
        let dispute = format!("dp_{}", self.id);
        let funds = |transaction: &str| DisputeFunds {
            dispute: dispute.clone(),
            payment: payment.clone(),
            transaction: format!("txn_{transaction}_{}", self.id),
            amount,
            fee: 1_500,
        };
        let mut events = vec![
            PurchasesEvent::DisputeOpened(DisputeOpened {
                dispute: dispute.clone(),
                payment: payment.clone(),
                amount,
            }),
            PurchasesEvent::DisputeFundsWithdrawn(funds("out")),
        ];
        if outcome == Some(DisputeOutcome::Won) {
            events.push(PurchasesEvent::DisputeFundsReinstated(funds("back")));
        }
        if let Some(outcome) = outcome {
            let lost = if outcome == DisputeOutcome::Lost {
                amount.minor
            } else {
                0
            };
            events.push(PurchasesEvent::DisputeClosed(DisputeClosed {
                dispute,
                payment: payment.clone(),
                outcome,
                lost: Money::new(lost, amount.currency),
                tax: 0,
                unapplied: false,
            }));
        }
        events
    }
}
