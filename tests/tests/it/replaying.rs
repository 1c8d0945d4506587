//! `tallybook replay`: any order, number and timing of the deliveries ends in the same books, and they are the right ones.

use bytes::Bytes;
use serde_json::{Value, json};
use tallybook_tests::binary::{self, Finished};
use tallybook_tests::deliveries::{bodies, data};
use tallybook_tests::scale::scaled;
use tokio::sync::OnceCell;
use tokio::sync::oneshot::error::TryRecvError;

pub(crate) const WORLD: &str = "world-7.ndjson";

async fn replay(file: &std::path::Path, options: &[&str]) -> Finished {
    let mut arguments = vec!["replay", "--json"];
    arguments.extend(options);
    arguments.push(file.to_str().expect("a path in UTF-8"));
    binary::run(arguments).await
}

/// What `replay` of the recorded stream in its own order says: the state every other telling has to end in.
pub(crate) async fn world() -> &'static Value {
    static REPORT: OnceCell<Value> = OnceCell::const_new();
    REPORT
        .get_or_init(|| async {
            let expected = data("world-7.expected.json");
            let expected = expected.to_str().expect("a path in UTF-8");
            replay(&data(WORLD), &["--expect", expected])
                .await
                .succeeded()
                .json()
        })
        .await
}

/// Lines written to a file of their own.
fn file_of(lines: &[Bytes]) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new()
        .suffix(".ndjson")
        .tempfile()
        .expect("a file");
    std::fs::write(file.path(), lines.join(&b"\n"[..])).expect("written");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_of_world_7_ends_as_its_simulator_says() {
    let report = world().await;
    assert_eq!(
        (&report["ok"], &report["differences"]),
        (&json!(true), &json!([]))
    );
    let run = &report["runs"][0];
    assert_eq!(run["deliveries"]["received"], 809);
    let inbox = &run["deliveries"]["inbox"];
    assert_eq!(
        (&inbox["settled"], &inbox["parked"], &inbox["failed"]),
        (&json!(809), &json!(0), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_of_world_7_show_the_sums_its_oracle_shows() {
    let totals = &world().await["runs"][0]["totals"];
    let credits = &totals["credits"];
    for (name, sum) in [
        ("granted", "13350"),
        ("clawed_back", "4800"),
        ("available", "8550"),
        ("frozen", "0"),
        ("debt", "0"),
        ("expired", "0"),
        ("consumed", "0"),
    ] {
        assert_eq!(credits[name], sum, "{name}");
    }
    let balance = |account: &str| {
        let rows = totals["trial_balance"].as_array().expect("rows");
        rows.iter()
            .find(|row| row["account"] == account)
            .map(|row| row["balance"].as_i64().expect("an integer"))
    };
    assert_eq!(balance("1110"), Some(274_968), "stripe-balance, USD cents");
    assert_eq!(balance("2135"), None, "unapplied cash");
    assert_eq!(
        totals["accounts_with_unapplied_cash"],
        json!([]),
        "of every single account"
    );
    assert_eq!(totals["balanced"], true);
    // 21 refunds and disputes: what they took back and what they left, in units, is what 1110 says in money.
    let (wallet, issued, revoked) = (balance("U100"), balance("U900.paid"), balance("U930"));
    assert_eq!(
        (wallet, issued, revoked),
        (Some(8_550_000_000), Some(-13_350_000_000), Some(4_800_000_000))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_expected_is_named_by_object_and_field() {
    let text = std::fs::read_to_string(data("world-7.expected.json")).expect("the oracle");
    let mut expected: Value = serde_json::from_str(&text).expect("JSON");
    let objects = expected["objects"].as_object_mut().expect("objects");
    let mut tampered = Vec::new();
    for (kind, field, wrong) in [
        ("charge", "amount_refunded", json!(1)),
        ("subscription", "status", json!("trialing")),
        ("refund", "amount", json!(77)),
    ] {
        let (id, object) = objects
            .iter_mut()
            .find(|(_, object)| object["object"] == kind && object[field] != wrong)
            .unwrap_or_else(|| panic!("a {kind}"));
        object[field] = wrong;
        tampered.push((id.clone(), field));
    }
    let file = file_of(&[Bytes::from(expected.to_string())]);
    let path = file.path().to_str().expect("a path in UTF-8").to_owned();
    let finished = replay(&data(WORLD), &["--expect", &path]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let report = finished.json();
    let differences: Vec<&str> = report["differences"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(differences.len(), tampered.len(), "{differences:?}");
    for (id, field) in tampered {
        assert!(
            differences
                .iter()
                .any(|difference| difference.contains(&id) && difference.contains(field)),
            "{id} {field}: {differences:?}"
        );
    }
    assert_eq!(report["ok"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_deliveries_the_few_that_show_what_is_wrong_are_named() {
    let text = std::fs::read_to_string(data("world-7.expected.json")).expect("the oracle");
    let oracle: Value = serde_json::from_str(&text).expect("JSON");
    let objects = oracle["objects"].as_object().expect("objects");
    let (charge, mut wrong) = objects
        .iter()
        .find(|(_, object)| object["object"] == "charge" && object["amount_refunded"].as_i64() > Some(1))
        .map(|(id, object)| (id, object.clone()))
        .expect("a refunded charge");
    wrong["amount_refunded"] = json!(1);
    let customer = wrong["customer"].as_str().expect("its customer").to_owned();
    let of_customer: Vec<Bytes> = bodies(WORLD)
        .into_iter()
        .filter(|body| String::from_utf8_lossy(body).contains(&customer))
        .collect();
    assert!((5..100).contains(&of_customer.len()), "{}", of_customer.len());
    let expected = file_of(&[Bytes::from(json!({"objects": {charge: wrong}}).to_string())]);
    let expected = expected.path().to_str().expect("a path in UTF-8");
    let finished = replay(file_of(&of_customer).path(), &["--expect", expected]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let report = finished.json();
    let smallest = report["smallest"].as_array().expect("a list");
    assert_eq!(smallest.len(), 1, "{report}");
    assert!(is_about(smallest[0].as_str().expect("an id"), charge), "{report}");
}

/// Whether an event of world-7 is about an object.
fn is_about(event: &str, object: &str) -> bool {
    bodies(WORLD).iter().any(|body| {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        body["id"] == event && body["data"]["object"]["id"] == object
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn reversed_and_late_it_ends_as_in_order() {
    let first = &world().await["runs"][0];
    for options in [&["--reverse"][..], &["--jitter", "100", "--seed", "3"]] {
        let report = replay(&data(WORLD), options).await.succeeded().json();
        let run = &report["runs"][0];
        assert_eq!(run["hash"], first["hash"], "{options:?}");
        assert!(
            run["deliveries"]["late"].as_u64() > Some(100),
            "{options:?} {run}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_are_one_stream_and_a_dropped_event_is_missed() {
    let recorded = bodies(WORLD);
    let (first, second) = recorded.split_at(300);
    let (first, second) = (file_of(first), file_of(second));
    let second = second.path().to_str().expect("a path in UTF-8");
    let report = replay(first.path(), &[second]).await.succeeded().json();
    let whole = &world().await["runs"][0];
    assert_eq!(report["runs"][0]["deliveries"]["received"], 809);
    assert_eq!(report["runs"][0]["hash"], whole["hash"]);

    let refund = "evt_1x1KLcCz7hWRKLEpi6nFpxZq";
    let without = replay(&data(WORLD), &["--drop", refund]).await.succeeded().json();
    assert_eq!(without["runs"][0]["deliveries"]["received"], 808);
    assert_ne!(without["runs"][0]["hash"], whole["hash"]);
    let nobody = replay(&data(WORLD), &["--drop", "evt_nobody"]).await;
    assert_eq!(nobody.code, Some(2), "{nobody:?}");
    assert!(nobody.stderr.contains("evt_nobody"), "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_would_not_be_heeded_are_refused() {
    let into = ["--into", "http://127.0.0.1:9/", "--secret", "whsec_x"];
    for (options, unheeded) in [
        (&["--shuffle", "1", "--reverse"][..], "--reverse"),
        (&["--shuffle", "1", "--jitter", "5"], "--jitter"),
        (&["--rate", "5"], "--into"),
        (&["--expect", "x.json"], "--expect"),
        (&["--runs", "3"], "--runs"),
    ] {
        let mut options = options.to_vec();
        if ["--expect", "--runs"].contains(&unheeded) {
            options.extend(into);
        }
        let finished = replay(&data(WORLD), &options).await;
        assert_eq!(finished.code, Some(2), "{options:?} {finished:?}");
        assert!(finished.stderr.contains(unheeded), "{options:?} {finished:?}");
    }
}

/// 1,500 deliveries of 64 kB: were bodies held, they alone would take 96 MB.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_stay_in_their_file() {
    let filling = "x".repeat(64_000);
    let event = json!({"id": "evt_large", "object": "event", "type": "x.y", "created": 5, "filling": filling,
        "data": {"object": {"id": "x_1", "object": "x"}}});
    let body = Bytes::from(event.to_string());
    let file = file_of(&vec![body; 1_500]);
    let arguments = [
        "replay",
        "--json",
        "--shuffle",
        "1",
        file.path().to_str().expect("a path"),
    ];
    let mut command = binary::command(arguments);
    let child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let status = format!("/proc/{}/status", child.id().expect("it runs"));
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let watching = tokio::spawn(async move {
        let mut peak_kib = 0;
        while stopped.try_recv() == Err(TryRecvError::Empty) {
            let text = tokio::fs::read_to_string(&status).await.unwrap_or_default();
            peak_kib = peak_kib.max(peak_memory_kib(&text).unwrap_or(0));
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        peak_kib
    });
    let output = child.wait_with_output().await.expect("it ends");
    drop(stop);
    let peak_kib = watching.await.expect("watched");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let deliveries = &report["runs"][0]["deliveries"];
    assert_eq!(
        (&deliveries["received"], &deliveries["duplicates"]),
        (&json!(1_500), &json!(1_499))
    );
    assert!((1..80_000).contains(&peak_kib), "{peak_kib} KiB");
}

/// The most memory a process ever had, as its status tells.
fn peak_memory_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// 20 runs at `TALLYBOOK_TEST_SCALE=7`.
#[tokio::test(flavor = "multi_thread")]
async fn shuffled_duplicated_and_twinned_it_ends_in_one_hash() {
    let runs = scaled(3);
    let finished = replay(
        &data(WORLD),
        &[
            "--runs",
            &runs.to_string(),
            "--shuffle",
            "1",
            "--duplicate",
            "0.2",
            "--twins",
            "0.05",
        ],
    )
    .await
    .succeeded();
    let report = finished.json();
    let in_order = &world().await["runs"][0];
    let disturbed = report["runs"].as_array().expect("runs");
    assert_eq!(disturbed.len(), runs);
    for run in disturbed {
        assert_eq!(run["hash"], in_order["hash"]);
        let deliveries = &run["deliveries"];
        let count = |name: &str| deliveries[name].as_i64().expect("a number");
        assert!(
            count("received") > 809 && count("duplicates") > 80 && count("late") > 400,
            "{deliveries}"
        );
        let stored = deliveries["inbox"]["stored"].as_i64().expect("a number");
        assert!(stored > 809, "twins are stored under their own ids: {deliveries}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_shapes_of_localstripe_are_read_in_any_order() {
    let file = data("localstripe.ndjson");
    let in_order = replay(&file, &[]).await.succeeded().json();
    let run = &in_order["runs"][0];
    let inbox = &run["deliveries"]["inbox"];
    assert_eq!(
        (&run["deliveries"]["received"], &run["deliveries"]["refused"]),
        (&json!(53), &json!(0))
    );
    assert_eq!(inbox["failed"], 0);
    assert!(run["totals"]["accounts"].as_u64() > Some(0), "{run}");
    assert_eq!(run["totals"]["balanced"], true);
    let disturbed = replay(&file, &["--runs", "3", "--shuffle", "5", "--duplicate", "0.3"])
        .await
        .succeeded()
        .json();
    for again in disturbed["runs"].as_array().expect("runs") {
        assert_eq!(again["hash"], run["hash"]);
    }
}

/// Bodies that name no event, as some emulators send them: which of two is newer, and whether two are one, can't be told.
fn without_ids(bodies: &[Bytes]) -> Vec<Bytes> {
    bodies
        .iter()
        .map(|body| {
            let mut event: Value = serde_json::from_slice(body).expect("JSON");
            let members = event.as_object_mut().expect("an object");
            members.retain(|name, _| ["type", "data"].contains(&name.as_str()));
            Bytes::from(event.to_string())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_without_ids_are_refused_line_by_line_and_change_nothing() {
    let recorded = bodies(WORLD);
    let nameless = without_ids(&recorded[40..73]);
    let file = file_of(&nameless);
    let finished = replay(file.path(), &[]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let report = finished.json();
    let refused = report["refused_lines"].as_array().expect("lines");
    assert_eq!(refused.len(), nameless.len());
    for (index, line) in refused.iter().enumerate() {
        assert_eq!(line["line"], index + 1);
        assert!(
            line["code"].is_string()
                && line["reason"]
                    .as_str()
                    .is_some_and(|reason| reason.contains("id")),
            "{line}"
        );
    }
    assert_eq!(report["runs"][0]["totals"]["accounts"], 0);
    assert_eq!(report["runs"][0]["deliveries"]["received"], 0);

    // Between the lines of a good stream they are refused, too, and it ends as without them.
    let mixed: Vec<Bytes> = recorded
        .iter()
        .enumerate()
        .flat_map(|(index, body)| {
            nameless
                .get(index / 20)
                .filter(|_| index % 20 == 0)
                .into_iter()
                .chain([body])
        })
        .cloned()
        .collect();
    let added = mixed.len() - recorded.len();
    assert!(added > 30);
    let file = file_of(&mixed);
    let report = replay(file.path(), &[]).await.json();
    assert_eq!(report["refused_lines"].as_array().map(Vec::len), Some(added));
    assert_eq!(report["runs"][0]["hash"], world().await["runs"][0]["hash"]);
}
