//! The recorded stream that the demo shows.

use tallybook_tests::accounting::Program;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::deliveries::bodies;
use tallybook_tests::server::Server;
use tallybook_tests::webhook::{Feed, open_endpoint, settled_state};

use super::is_confirmed;
use crate::replaying::WORLD;

#[tokio::test(flavor = "multi_thread")]
async fn the_books_of_world_7_are_accepted_with_the_trial_balance_s_sums() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    open_endpoint(&client).await;
    Feed::new(bodies(WORLD), vec![client.clone()]).deliver().await;
    settled_state(&database).await;
    let tenant: String = sqlx::query_scalar("select tenant from tenants")
        .fetch_one(database.pool())
        .await
        .expect("there is one tenant");
    let folder = tempfile::tempdir().expect("a folder");
    for program in Program::ALL {
        let file = folder.path().join(program.format());
        is_confirmed(program, &database, &tenant, &[], &file).await;
        let period = ["--from", "2027-06-01", "--to", "2027-12-31"];
        is_confirmed(program, &database, &tenant, &period, &file).await;
    }
}
