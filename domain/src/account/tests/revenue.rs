//! Revenue as time passes: the same rows whatever became known when.

use proptest::prelude::*;

use super::subscriptions::{one, pay, plan, start, sub, subscription};
use super::*;
use crate::identity::InvoiceId;
use crate::postings::LedgerAccount as L;
use crate::subscriptions::{
    ChangeSubscription, CreditInvoice, CreditNoteIssued, CreditTo, InvoiceCommand, InvoiceIssued,
    InvoiceLine, InvoicePaid, InvoiceRelief, InvoicesEvent, ItemTerms, LineRelief, SubscriptionCommand, When,
};

/// Stripe's invoice of a year, as far as it is known.
#[derive(Clone, Default)]
struct Invoice {
    facts: Vec<DatedFact>,
    lots: Vec<LotTerms>,
}

impl Invoice {
    fn with(mut self, at: Timestamp, event: InvoicesEvent) -> Self {
        self.facts.push(DatedFact {
            fact: Fact::Invoices(event),
            effective_at: at,
        });
        self
    }

    fn settle(&self) -> AccountCommand {
        AccountCommand::Settle(Settlement {
            account: AccountId::from("acct"),
            customer: None,
            time_zone: Tz::UTC,
            groups: vec![GroupFacts {
                group: GroupId::from("inv:in_1"),
                facts: self.facts.clone(),
                lots: self.lots.clone(),
                subscription: None,
                trial: None,
                as_of: day(0),
            }],
        })
    }
}

fn year(amount: i64) -> InvoicesEvent {
    InvoicesEvent::InvoiceIssued(InvoiceIssued {
        invoice: InvoiceId::from("in_1"),
        amount_due: usd(amount),
        applied_balance: 0,
        tax: 0,
        lines: vec![InvoiceLine {
            line: "il_1".to_owned(),
            amount,
            subscription: None,
            period_start: day(0),
            period_end: day(365),
            proration: false,
            of: None,
            credits: None,
            revokes: None,
            discount: None,
            tax: None,
            unused_of: None,
        }],
        subscription: None,
        due_at: None,
    })
}

fn relief(amount: i64) -> InvoiceRelief {
    InvoiceRelief {
        invoice: InvoiceId::from("in_1"),
        amount: usd(amount),
        applied_balance: 0,
        tax: 0,
        rolls_back: false,
        lines: vec![LineRelief {
            line: "il_1".to_owned(),
            amount,
            tax: 0,
        }],
    }
}

fn note(id: &str, amount: i64) -> InvoicesEvent {
    InvoicesEvent::CreditNoteIssued(CreditNoteIssued {
        credit_note: id.to_owned(),
        invoice: InvoiceId::from("in_1"),
        amount: usd(amount),
        tax: 0,
        to_receivable: amount,
        to_balance: 0,
        to_refund: 0,
        off_stripe: 0,
        lines: relief(amount).lines,
    })
}

/// Ledger nets by natural key, account and date.
fn netted(stream: &[AccountEvent]) -> BTreeMap<(String, L, String), i64> {
    let mut nets = BTreeMap::new();
    for event in stream {
        let Some(entry) = postings::entry(&"acct".into(), event) else {
            continue;
        };
        for line in entry.lines {
            let date = entry.effective_at.date_naive().to_string();
            *nets
                .entry((entry.key.to_string(), line.account, date))
                .or_default() += line.amount;
        }
    }
    nets.retain(|_, net| *net != 0);
    nets
}

fn money(world: &World, account: L) -> i64 {
    let balances = world.balances();
    let of = balances.iter().filter(|((found, ..), _)| *found == account);
    of.map(|(_, amount)| amount).sum()
}

#[test]
fn deferred_revenue_becomes_revenue_month_by_month() {
    let mut world = World::new();
    let invoice = Invoice::default().with(day(0), year(36_500));
    world.run(invoice.settle(), day(0)).unwrap();
    assert_eq!(money(&world, L::DeferredSubscription), -36_500);
    world.run(AccountCommand::WriteDue, day(59)).unwrap();
    assert_eq!(
        money(&world, L::RevenueSubscription),
        -5_900,
        "January and February"
    );
    world.run(AccountCommand::WriteDue, day(366)).unwrap();
    assert_eq!(
        (
            money(&world, L::DeferredSubscription),
            money(&world, L::RevenueSubscription)
        ),
        (0, -36_500)
    );
    assert_eq!(world.account.next_due(), None);
}

#[test]
fn a_void_in_mid_month_leaves_what_was_earned_on_both_sides() {
    let mut world = World::new();
    let invoice = Invoice::default().with(day(0), year(36_500));
    world.run(invoice.settle(), day(0)).unwrap();
    let void = invoice.with(day(45), InvoicesEvent::InvoiceVoided(relief(36_500)));
    world.run(void.settle(), day(46)).unwrap();
    assert_eq!(money(&world, L::ContraCreditNotes), 4_500, "45 days");
    assert_eq!(
        money(&world, L::DeferredSubscription),
        -1_400,
        "February's 14 days are earned at its end"
    );
    world.run(AccountCommand::WriteDue, day(60)).unwrap();
    assert_eq!(
        (
            money(&world, L::DeferredSubscription),
            money(&world, L::RevenueSubscription)
        ),
        (0, -4_500)
    );
}

#[test]
fn what_is_given_up_is_an_expense_as_far_as_it_was_earned() {
    let mut world = World::new();
    let write_off = InvoicesEvent::InvoiceWrittenOff(relief(36_500));
    let invoice = Invoice::default()
        .with(day(0), year(36_500))
        .with(day(100), write_off);
    world.run(invoice.settle(), day(130)).unwrap();
    assert_eq!(money(&world, L::BadDebt), 10_000);
    assert_eq!(
        (
            money(&world, L::DeferredSubscription),
            money(&world, L::RevenueSubscription)
        ),
        (0, -10_000)
    );
    assert_eq!(money(&world, L::Receivable), 0);
}

#[test]
fn an_invoice_that_turns_out_to_be_another_s_takes_its_revenue_back() {
    let mut world = World::new();
    let invoice = Invoice::default().with(day(0), year(36_500));
    world.run(invoice.settle(), day(200)).unwrap();
    world.run(Invoice::default().settle(), day(201)).unwrap();
    assert_eq!(netted(&world.stream), BTreeMap::new());
    assert_eq!(world.account.next_due(), None);
}

#[test]
fn credits_that_the_line_billed_are_not_earned_by_time() {
    let mut world = World::new();
    let mut invoice = Invoice::default().with(day(0), year(36_500));
    world.run(invoice.settle(), day(40)).unwrap();
    invoice.lots = vec![LotTerms {
        granted: CreditsGranted {
            grant: GrantId::from("grant_1"),
            unit: UnitCode::default(),
            units: credits(10),
            source: GrantSource::Plan,
            cost: Some(usd(7_300)),
            priority: 0,
            expires_at: None,
            purchase: None,
            invoice_line: Some("il_1".to_owned()),
            group: Some(GroupId::from("inv:in_1")),
            reference: None,
            scope: std::collections::BTreeSet::new(),
            rollover: None,
        },
        effective_at: day(0),
    }];
    world.run(invoice.settle(), day(41)).unwrap();
    assert_eq!(money(&world, L::RevenueSubscription), -2_480, "31 days of 292.00");
    world.run(AccountCommand::WriteDue, day(400)).unwrap();
    assert_eq!(money(&world, L::DeferredSubscription), 0);
    assert_eq!(
        money(&world, L::ContractCredits),
        -7_300,
        "until the credits are used"
    );
}

#[test]
fn a_jump_over_two_years_writes_what_day_by_day_does_event_for_event() {
    let invoice = Invoice::default()
        .with(day(0), year(9_999))
        .with(day(77), note("cn_1", 1_234));
    let (mut daily, mut at_once) = (World::new(), World::new());
    for world in [&mut daily, &mut at_once] {
        world.run(invoice.settle(), day(80)).unwrap();
    }
    for n in 81..=730 {
        let _ = daily.run(AccountCommand::WriteDue, day(n));
    }
    at_once.run(AccountCommand::WriteDue, day(730)).unwrap();
    let without_at = |world: &World| {
        let events = world.stream.iter();
        events
            .map(|event| (event.fact.clone(), event.effective_at))
            .collect::<Vec<_>>()
    };
    assert_eq!(without_at(&daily), without_at(&at_once));
}

/// What may be known of the invoice at some time: which of its facts. Notes wait for their invoice.
fn known(mask: u8, amount: i64) -> Invoice {
    let paid = InvoicesEvent::InvoicePaid(InvoicePaid {
        invoice: InvoiceId::from("in_1"),
        amount: usd(amount / 2),
        paid_off_stripe: 0,
    });
    let facts = [
        (day(3), year(amount)),
        (day(70), note("cn_1", amount / 5)),
        (day(70), note("cn_2", amount / 7)),
        (day(190), note("cn_3", amount / 3)),
        (day(250), InvoicesEvent::InvoiceVoided(relief(amount / 4))),
        (day(5), paid),
    ];
    let mask = if mask & 1 == 1 { mask } else { 0 };
    let chosen = facts.into_iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1);
    chosen.fold(Invoice::default(), |invoice, (_, (at, event))| {
        invoice.with(at, event)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_was_known_in_between_the_books_end_the_same(
        amount in prop_oneof![1..40_i64, 1_000..99_999_i64],
        detours in prop::collection::vec((0..64_u8, 1..120_i64), 0..6),
        last in 0..64_u8,
    ) {
        let (mut astray, mut straight) = (World::new(), World::new());
        let mut at = day(0);
        for (mask, days) in detours {
            at += Duration::days(days);
            let _ = astray.run(known(mask, amount).settle(), at);
        }
        for world in [&mut astray, &mut straight] {
            let _ = world.run(known(last, amount).settle(), at.max(day(400)));
            let _ = world.run(AccountCommand::WriteDue, at.max(day(900)));
        }
        prop_assert_eq!(netted(&astray.stream), netted(&straight.stream));
        let lines = astray.account.deferred_lines();
        prop_assert!(lines.iter().all(|line| line.deferred == 0), "{:?}", lines);
    }
}

/// What is done to a subscription.
#[derive(Debug, Clone)]
enum Act {
    Pay,
    Change(i64),
    Void,
    WriteOff,
    Credit(i64),
    Use(i64),
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Pay),
        2 => (1..40_i64).prop_map(Act::Change),
        1 => Just(Act::Void),
        1 => Just(Act::WriteOff),
        1 => (1..900_i64).prop_map(Act::Credit),
        2 => (1..60_i64).prop_map(Act::Use),
        1 => Just(Act::Wait),
    ]
}

fn priced(hundreds: i64) -> ItemTerms {
    ItemTerms {
        credits_value: Some(usd(hundreds * 33)),
        ..plan(&format!("plan_{hundreds}"), hundreds * 101, hundreds * 10)
    }
}

fn command(world: &World, n: usize, act: &Act) -> AccountCommand {
    let invoice = world.last_invoice();
    match act {
        Act::Pay => pay(&invoice),
        Act::Change(hundreds) => subscription(SubscriptionCommand::Change(ChangeSubscription {
            subscription: sub(),
            items: one(priced(*hundreds)),
            when: When::Now,
        })),
        Act::Void => AccountCommand::Invoice(InvoiceCommand::Void(invoice)),
        Act::WriteOff => AccountCommand::Invoice(InvoiceCommand::WriteOff(invoice)),
        Act::Credit(minor) => AccountCommand::Invoice(InvoiceCommand::Credit(CreditInvoice {
            invoice,
            credit_note: format!("cn_{n}"),
            amount: Some(usd(*minor)),
            lines: Vec::new(),
            to: CreditTo::Balance,
        })),
        Act::Use(units) => AccountCommand::Debit(DebitCredits {
            debit: format!("d{n}").into(),
            unit: UnitCode::default(),
            units: credits(*units),
            feature: None,
            quantity: None,
            reference: None,
        }),
        Act::Wait => AccountCommand::WriteDue,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_of_a_subscription_s_lines_stays_deferred_after_their_service(
        acts in prop::collection::vec((act(), 0..50_i64), 1..14),
    ) {
        let mut world = World::new();
        let mut at = day(0);
        world.run(start(one(priced(10))), at).unwrap();
        for (n, (act, hours)) in acts.into_iter().enumerate() {
            at += Duration::hours(hours * 7);
            let command = command(&world, n, &act);
            let _ = world.run(command, at);
        }
        let cancel = SubscriptionCommand::Cancel { subscription: sub(), when: When::Now };
        let _ = world.run(subscription(cancel), at);
        let _ = world.run(AccountCommand::WriteDue, at + Duration::days(400));
        let deferred: Vec<_> = world.account.deferred_lines().into_iter().filter(|line| line.deferred != 0).collect();
        prop_assert_eq!(deferred, vec![]);
        prop_assert_eq!(money(&world, L::DeferredSubscription), 0);
    }
}
