//! Callers who write, and remember what they were told.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tallybook_tests::client::{Answer, Client};
use tallybook_tests::wait::{self, PATIENCE};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::scene::{ACCOUNTS, account_id};

const CALLERS: usize = 12;

/// Between two commands of a caller: bounds what has to be compared in the end, not what is in flight.
const BREATH: Duration = Duration::from_millis(10);

/// Before the same command is sent again.
const PAUSE: Duration = Duration::from_millis(50);

/// A command, and the acknowledgement if one came.
pub(super) struct Sent {
    pub(super) path: String,
    pub(super) key: String,
    pub(super) body: Value,
    /// What it moves: account and millionths of a credit.
    pub(super) moves: Vec<(usize, i64)>,
    pub(super) acknowledged: Option<Acknowledgement>,
}

/// What a caller was told for good.
pub(super) struct Acknowledgement {
    pub(super) body: Bytes,
    pub(super) position: i64,
}

impl Sent {
    /// One caller's n-th command: grants, debits and transfers of many sizes.
    fn new(caller: usize, number: usize) -> Self {
        let account = (caller + number) % ACCOUNTS;
        let units = i64::try_from(1_000_001 + (caller * 7919 + number * 104_729) % 3_000_000).expect("small");
        let credits = format!("{}.{:06}", units / 1_000_000, units % 1_000_000);
        let key = format!("caller {caller} number {number}");
        let other = (account + 1 + number % (ACCOUNTS - 1)) % ACCOUNTS;
        let (kind, body, moves) = match number % 4 {
            0 => (
                "grants",
                json!({"credits": credits, "source": "paid"}),
                vec![(account, units)],
            ),
            1 => (
                "transfers",
                json!({"to": account_id(other), "credits": credits}),
                vec![(account, -units), (other, units)],
            ),
            _ => (
                "debits",
                json!({"credits": credits, "reference": key}),
                vec![(account, -units)],
            ),
        };
        Self {
            path: format!("/accounts/{}/{kind}", account_id(account)),
            key,
            body,
            moves,
            acknowledged: None,
        }
    }

    pub(super) async fn send(&self, client: &Client) -> Option<Answer> {
        client.try_post(&self.path, &self.key, &self.body).await.ok()
    }
}

/// The acknowledgement, if the answer is one; none if it asks for a retry.
///
/// # Panics
/// When it is neither: no fault is a reason for another answer.
pub(super) fn acknowledgement(answer: Answer) -> Option<Acknowledgement> {
    // Two accounts moved on while a transfer between them was put together, again and again.
    let is_outdated = answer.status == 409 && answer.code() == "transfer_outdated";
    if is_outdated || [503, 504].contains(&answer.status) {
        return None;
    }
    let position = answer
        .header("tallybook-position")
        .and_then(|position| position.parse().ok());
    let answer = answer.expect(201);
    Some(Acknowledgement {
        body: answer.body,
        position: position.expect("an acknowledgement says where it stands"),
    })
}

struct Shared {
    engines: Mutex<[Client; 2]>,
    acknowledged: [AtomicUsize; 2],
    ending: AtomicBool,
}

/// A load that runs.
pub(super) struct Load {
    shared: Arc<Shared>,
    callers: Vec<JoinHandle<Vec<Sent>>>,
}

impl Load {
    pub(super) fn begin(engines: [Client; 2]) -> Self {
        let shared = Arc::new(Shared {
            engines: Mutex::new(engines),
            acknowledged: Default::default(),
            ending: AtomicBool::new(false),
        });
        let callers = (0..CALLERS)
            .map(|caller| tokio::spawn(Arc::clone(&shared).call(caller)))
            .collect();
        Self { shared, callers }
    }

    /// An engine has another address.
    pub(super) fn address(&self, engine: usize, client: Client) {
        self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner)[engine] = client;
    }

    /// Wait until this engine acknowledged so many more.
    pub(super) async fn proceeds(&self, engine: usize, more: usize) {
        let acknowledged = &self.shared.acknowledged[engine];
        let goal = acknowledged.load(Ordering::Relaxed) + more;
        wait::until("more acknowledgements", PATIENCE, async || {
            assert!(
                !self.callers.iter().any(JoinHandle::is_finished),
                "a caller gave up"
            );
            (acknowledged.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    /// Wait until both did.
    pub(super) async fn goes_on(&self, more: usize) {
        tokio::join!(self.proceeds(0, more), self.proceeds(1, more));
    }

    /// Let every caller finish what it is at.
    pub(super) async fn end(self) -> Vec<Sent> {
        self.shared.ending.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        for caller in self.callers {
            sent.extend(caller.await.expect("a caller ends"));
        }
        sent
    }
}

impl Shared {
    /// Send one command after the other. What gets no answer is sent again, to either engine, or left alone.
    async fn call(self: Arc<Self>, caller: usize) -> Vec<Sent> {
        let mut all = Vec::new();
        while !self.ending.load(Ordering::Relaxed) {
            let number = all.len();
            let mut sent = Sent::new(caller, number);
            for attempt in 0..=number % 3 {
                let engine = (caller + number + attempt) % 2;
                let client = self.engines.lock().unwrap_or_else(PoisonError::into_inner)[engine].clone();
                sent.acknowledged = sent.send(&client).await.and_then(acknowledgement);
                if sent.acknowledged.is_some() {
                    self.acknowledged[engine].fetch_add(1, Ordering::Relaxed);
                    break;
                }
                sleep(PAUSE).await;
            }
            all.push(sent);
            sleep(BREATH).await;
        }
        all
    }
}
