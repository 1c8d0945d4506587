//! The books of `tallybook demo` itself: both of its runs, in order and disturbed.

use tallybook_tests::accounting::{Program, balances_of};
use tallybook_tests::binary;

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_books_are_accepted_with_the_trial_balance_s_sums() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a path in UTF-8");
    binary::run(["demo", "--books", path]).await.succeeded();
    for run in ["in-order", "disturbed"] {
        let file = |kind: &str| folder.path().join(format!("{run}.{kind}"));
        let report = std::fs::read_to_string(file("trial-balance.json")).expect("written");
        let ours = balances_of(&serde_json::from_str(&report).expect("JSON"));
        assert!(ours.len() > 10, "{run}: {ours:?}");
        for program in Program::ALL {
            let export = file(program.format());
            if let Err(error) = program.accepts(&export).await {
                panic!("{program:?} does not accept the books of the demo, {run}:\n{error}");
            }
            assert_eq!(program.balances(&export).await, ours, "{program:?} {run}");
        }
    }
}
