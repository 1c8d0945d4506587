//! The books, checked by two programs that share nothing with us: what `tallybook export` writes is accepted by hledger
//! and beancount at their strictest, their balances are the trial balance's, and no damage to a posting escapes them.

mod demo;
mod histories;
mod reports;
mod world;

use std::path::Path;

use tallybook_tests::accounting::{Program, trial_balance};
use tallybook_tests::database::TestDatabase;

/// Export a tenant's books for a program and let it check them: accepted, and every balance as the trial balance has it.
async fn is_confirmed(
    program: Program,
    database: &TestDatabase,
    tenant: &str,
    options: &[&str],
    file: &Path,
) {
    program.export(database, tenant, options, file).await;
    if let Err(error) = program.accepts(file).await {
        panic!("{program:?} does not accept the export of {tenant} {options:?}:\n{error}");
    }
    let ours = trial_balance(database, tenant, options).await;
    assert!(!ours.is_empty(), "{tenant} has no books");
    assert_eq!(
        program.balances(file).await,
        ours,
        "{program:?} {tenant} {options:?}"
    );
}
