//! The OpenAPI document: a document by the standard, of every route there is, and true of every answer the tests get.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};
use tallybook_api::http::openapi;
use tallybook_api::tenants::Role;

use crate::client::{Answer, send_once};
use crate::server::Server;

/// The standard's own schema: <https://spec.openapis.org/oas/3.1/schema/2022-10-07>.
const STANDARD: &str = include_str!("../data/openapi-3.1.schema.json");

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(openapi::document()).expect("the document is JSON"));

/// Schemas by where they stand in the document.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

fn validator(place: &str) -> Arc<Validator> {
    let mut known = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let made = || {
        let schema = DOCUMENT
            .pointer(place)
            .unwrap_or_else(|| panic!("the document has no {place}"));
        let whole = json!({"allOf": [schema], "components": DOCUMENT["components"]});
        Arc::new(jsonschema::validator_for(&whole).unwrap_or_else(|error| panic!("{place}: {error}")))
    };
    known.entry(place.to_owned()).or_insert_with(made).clone()
}

fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// The documented path that a request's path is one of; where several are, the one with the fewest parameters.
fn template(path: &str) -> Option<&'static str> {
    let paths = DOCUMENT["paths"].as_object().expect("paths").keys();
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &&String| {
        let own: Vec<&str> = template.split('/').collect();
        own.len() == parts.len()
            && own
                .iter()
                .zip(&parts)
                .all(|(own, part)| own.starts_with('{') || own == part)
    };
    paths
        .filter(fits)
        .min_by_key(|template| template.matches('{').count())
        .map(String::as_str)
}

/// An answer is as the document says: one of its statuses, in the shape it has.
#[track_caller]
pub(crate) fn assert_conforms(method: &Method, path: &str, answer: &Answer) {
    let media_type = answer.header("content-type").unwrap_or_default();
    let place = match media_type {
        "application/problem+json" => "/components/schemas/Problem".to_owned(),
        "application/json" => {
            let template = template(path).unwrap_or_else(|| panic!("{path} is not in the document"));
            let operation = format!("/paths/{}/{}", escaped(template), method.as_str().to_lowercase());
            let status = answer.status.as_u16();
            format!("{operation}/responses/{status}/content/application~1json/schema")
        }
        _ => return,
    };
    let body = answer.json();
    let errors: Vec<String> = validator(&place)
        .iter_errors(&body)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{method} {path}: {errors:?}\n{body}");
}

#[test]
fn it_is_a_document_by_the_standard_and_its_schemas_are_schemas() {
    let standard: Value = serde_json::from_str(STANDARD).expect("JSON");
    let standard = jsonschema::validator_for(&standard).expect("the standard's schema is one");
    let errors: Vec<String> = standard
        .iter_errors(&DOCUMENT)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let schemas = DOCUMENT["components"]["schemas"].as_object().expect("schemas");
    assert!(schemas.len() > 50, "{}", schemas.len());
    for name in schemas.keys() {
        validator(&format!("/components/schemas/{name}"));
    }
    let ids: Vec<&str> = operations()
        .map(|(_, _, operation)| operation["operationId"].as_str().expect("an id"))
        .collect();
    let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "an operation's id is its own");
}

fn operations() -> impl Iterator<Item = (&'static str, Method, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods.iter().map(move |(method, operation)| {
            let method = method.to_uppercase().parse().expect("a method");
            (path.as_str(), method, operation)
        })
    })
}

/// What the document has is served. Nothing else can be: a route is added by describing it.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_served_and_asks_for_the_key_and_role_it_says() {
    let server = Server::start().await;
    let reader = server.tenant("t", Role::Read).await;
    let mut needs_key = 0;
    for (path, method, operation) in operations() {
        let path = path.replace(['{', '}'], "");
        let request = reader.request(method.clone(), &path);
        let open = operation["security"] == json!([]);
        let stranger =
            reqwest::Client::new().request(method.clone(), request.build().expect("a request").url().clone());
        let code = |answer: &Answer| {
            let problem = answer.header("content-type") == Some("application/problem+json");
            problem.then(|| answer.json()["code"].as_str().unwrap_or_default().to_owned())
        };
        let refused = code(&send_once(stranger).await);
        assert_ne!(refused.as_deref(), Some("method_not_allowed"), "{method} {path}");
        assert_ne!(refused.as_deref(), Some("not_found"), "{method} {path}");
        assert_eq!(
            refused.as_deref() == Some("unauthenticated"),
            !open,
            "{method} {path}"
        );
        if open {
            continue;
        }
        needs_key += 1;
        let with_key = code(&send_once(reader.request(method.clone(), &path)).await);
        let reading = operation["description"]
            .as_str()
            .is_some_and(|text| text.contains("`read`"));
        assert_eq!(
            with_key.as_deref() == Some("forbidden"),
            !reading,
            "{method} {path}: {with_key:?}"
        );
    }
    assert!(needs_key > 70, "{needs_key}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_holds_the_whole_document_and_asks_nobody_else() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Read).await;
    let shown = client.get("/openapi.json").await.accepted(200);
    assert_eq!(shown, *DOCUMENT);
    let page = client.get("/docs").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let text = page.text();
    let (_, rest) = text
        .split_once("<script id=\"document\" type=\"application/json\">")
        .expect("a place");
    let (held, _) = rest.split_once("</script>").expect("its end");
    assert_eq!(serde_json::from_str::<Value>(held).expect("JSON"), *DOCUMENT);
    assert!(!text.contains("https://") && !text.contains("src=") && !text.contains("fetch("));
}
