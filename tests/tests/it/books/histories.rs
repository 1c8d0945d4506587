//! Random histories: 1,000 of them in 10 exports.

use std::collections::BTreeMap;

use chrono::Duration;
use futures::{StreamExt, stream};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tallybook_domain::account::{Account, AccountCommand};
use tallybook_domain::identity::StreamId;
use tallybook_domain::strategies::{Play, Step, Turn, history};
use tallybook_journal::{CommandKey, Envelope, ExecuteError, Journal, Unit};
use tallybook_tests::accounting::{Damage, Program};
use tallybook_tests::binary;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::scale::scaled;
use tokio::sync::OnceCell;

use super::is_confirmed;

/// A tenant a file, each with its time zone: a day of the books is the tenant's.
pub(super) const FILES: [(&str, &str); 10] = [
    ("books-0", "UTC"),
    ("books-1", "Europe/Berlin"),
    ("books-2", "America/New_York"),
    ("books-3", "Asia/Kolkata"),
    ("books-4", "Pacific/Kiritimati"),
    ("books-5", "Pacific/Pago_Pago"),
    ("books-6", "Australia/Lord_Howe"),
    ("books-7", "America/St_Johns"),
    ("books-8", "Africa/Cairo"),
    ("books-9", "Asia/Tokyo"),
];

const HISTORIES: usize = 100;

/// The steps of one history.
fn drawn(seed: [u8; 32]) -> Vec<Step> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    history(12..30)
        .new_tree(&mut runner)
        .expect("a history is drawn")
        .current()
}

/// Let it happen to two accounts, and the three months after it. The journal has to come to the verdicts of the rules in
/// memory.
async fn play(journal: &Journal, tenant: &str, account: &str, steps: &[Step]) {
    let mut play = Play::open(account, &format!("{account}.other"));
    assert!(execute(journal, tenant, 0, play.opening()).await);
    for (number, step) in (1..).zip(steps) {
        let turn = play.next(step);
        let expected = play.judge(&turn).is_ok();
        assert_eq!(
            execute(journal, tenant, number, turn).await,
            expected,
            "{tenant}/{account} step {number}: {step:?}"
        );
    }
    let later = play.at() + Duration::days(90);
    for party in play.parties() {
        let turn = Turn {
            at: later,
            commands: vec![(party.id().clone(), AccountCommand::WriteDue)],
        };
        execute(journal, tenant, usize::MAX, turn).await;
    }
}

/// Whether the journal accepts a turn: all of its commands, as one unit.
async fn execute(journal: &Journal, tenant: &str, number: usize, turn: Turn) -> bool {
    let mut unit = Unit::new(Envelope {
        key: CommandKey::new(format!("step-{number}")),
        hash: [0; 32],
        expected_version: None,
        at: turn.at,
        metadata: BTreeMap::new(),
    });
    for (account, command) in turn.commands {
        let _ = unit.add::<Account>(&StreamId::account(&tenant.into(), &account), command);
    }
    match journal.execute_unit(unit).await {
        Ok(_) => true,
        Err(ExecuteError::Refused(_)) => false,
        Err(error) => panic!("{tenant} step {number}: {error}"),
    }
}

/// The seed of everything below, printed: a failure is run again with `TALLYBOOK_TEST_SEED`.
fn seed() -> u64 {
    let seed = std::env::var("TALLYBOOK_TEST_SEED").ok().map_or_else(
        || rand::rng().random(),
        |text| text.parse().expect("a seed is a whole number"),
    );
    println!("TALLYBOOK_TEST_SEED={seed}");
    seed
}

/// A database with all the histories.
pub(super) async fn histories() -> &'static (TestDatabase, u64) {
    static HISTORIES_OF_ALL: OnceCell<(TestDatabase, u64)> = OnceCell::const_new();
    HISTORIES_OF_ALL
        .get_or_init(|| async {
            let (database, seed) = (TestDatabase::create().await, seed());
            for (tenant, zone) in FILES {
                let arguments = [
                    "tenants", "create", "--mode", "test", "--name", tenant, "--id", tenant,
                ];
                let arguments = arguments.iter().copied().chain(["--time-zone", zone]);
                let url = database.url();
                binary::run(arguments.chain(["--database-url", &url]))
                    .await
                    .succeeded();
            }
            let journal = database.journal().await;
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let all = (0..FILES.len() * HISTORIES).map(|number| {
                let (tenant, _) = FILES[number / HISTORIES];
                let steps = drawn(rng.random());
                let journal = journal.clone();
                async move { play(&journal, tenant, &format!("acct_{number}"), &steps).await }
            });
            stream::iter(all)
                .buffer_unordered(64)
                .for_each(async |()| {})
                .await;
            journal.close().await;
            (database, seed)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_histories_in_ten_files_are_accepted_with_the_trial_balance_s_sums() {
    let (database, _) = histories().await;
    let folder = tempfile::tempdir().expect("a folder");
    for program in Program::ALL {
        for (tenant, _) in FILES {
            is_confirmed(program, database, tenant, &[], &folder.path().join(tenant)).await;
        }
    }
    let verified = binary::run(["verify", "--database-url", &database.url()]).await;
    assert_eq!(verified.code, Some(0), "the fold agrees, too: {verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_s_file_begins_with_the_balances_before_it() {
    let (database, _) = histories().await;
    let folder = tempfile::tempdir().expect("a folder");
    for program in Program::ALL {
        for period in [
            ["--from", "2026-02-03", "--to", "2026-02-10"],
            ["--from", "2026-02-11", "--to", "2026-12-31"],
        ] {
            let (tenant, _) = FILES[2];
            is_confirmed(program, database, tenant, &period, &folder.path().join(tenant)).await;
        }
    }
}

/// How many postings of a file are damaged, each in the next way; times `TALLYBOOK_TEST_SCALE`.
const MUTANTS: usize = 1;

#[tokio::test(flavor = "multi_thread")]
async fn no_posting_is_dropped_or_changed_without_being_caught() {
    let (database, seed) = histories().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = ChaCha8Rng::seed_from_u64(*seed);
    let mut mutants = Vec::new();
    for program in Program::ALL {
        for (tenant, _) in FILES {
            let file = folder.path().join(format!("{tenant}.{}", program.format()));
            program.export(database, tenant, &[], &file).await;
            let text = std::fs::read_to_string(&file).expect("the export");
            for _ in 0..scaled(MUTANTS) {
                let number = mutants.len();
                let (mutant, told) = program.mutant(&text, Damage::ALL[number % 3], &mut rng);
                let file = folder
                    .path()
                    .join(format!("mutant.{number}.{}", program.format()));
                std::fs::write(&file, mutant).expect("written");
                mutants.push((program, file, told));
            }
        }
    }
    let survivors: Vec<String> = stream::iter(mutants)
        .map(async |(program, file, told)| program.accepts(&file).await.is_ok().then_some(told))
        .buffer_unordered(2)
        .filter_map(async |survivor| survivor)
        .collect()
        .await;
    assert_eq!(survivors, Vec::<String>::new());
}
