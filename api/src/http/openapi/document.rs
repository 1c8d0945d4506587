//! The whole document, from the operations.

use std::collections::BTreeMap;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::operation::Operation;
use crate::http::codes::CODES;

const SCHEMAS: &str = "/components/schemas";

/// Added to the name of an answer's schema where a request's of the same name differs.
const SHOWN: &str = "Shown";

/// The document of these operations.
pub(super) fn of(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    });
    let mut requests = settings.clone().for_deserialize().into_generator();
    let mut shown = settings.for_serialize().into_generator();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        let described = operation.describe(&mut requests, &mut shown);
        paths
            .entry(operation.path())
            .or_default()
            .insert(operation.method(), described);
    }
    let mut paths = json!(paths);
    let schemas = schemas(requests, shown, &mut paths);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tallybook",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "An event-sourced ledger and billing engine. Money is an integer as Stripe's users know it, credits are \
                decimal text, times are RFC 3339. Every write needs an Idempotency-Key; a retry of what was accepted gets the \
                first answer. What goes wrong is `application/problem+json` with a stable `code`.",
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Problem": {
                "description": "What went wrong, with a stable code and what the caller can act on.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
            "securitySchemes": {"key": {
                "type": "http", "scheme": "bearer", "description": "An API key: `tb_test_..` or `tb_live_..`.",
            }},
        },
    })
}

/// The schemas of requests and of answers under one roof: one name where they are the same, two where what may be left out
/// differs.
fn schemas(
    mut requests: SchemaGenerator,
    mut shown: SchemaGenerator,
    paths: &mut Value,
) -> Map<String, Value> {
    let mut all = requests.take_definitions(true);
    let mut of_answers = shown.take_definitions(true);
    let mut renamed = BTreeMap::new();
    // A schema differs too if one it refers to does.
    loop {
        let differs = |(name, schema): (&String, &Value)| {
            let is_new = !renamed.contains_key(&reference(name));
            let other = all.get(name).is_some_and(|other| other != schema);
            (other && is_new).then(|| name.clone())
        };
        let Some(name) = of_answers.iter().find_map(differs) else {
            break;
        };
        renamed.insert(reference(&name), reference(&format!("{name}{SHOWN}")));
        for schema in of_answers.values_mut() {
            refer(schema, &renamed);
        }
    }
    for path in paths.as_object_mut().into_iter().flat_map(Map::values_mut) {
        for operation in path.as_object_mut().into_iter().flat_map(Map::values_mut) {
            refer(&mut operation["responses"], &renamed);
        }
    }
    for (name, schema) in of_answers {
        let name = match renamed.get(&reference(&name)) {
            Some(_) => format!("{name}{SHOWN}"),
            None => name,
        };
        all.insert(name, schema);
    }
    all.insert("Problem".to_owned(), problem());
    all
}

fn reference(name: &str) -> String {
    format!("#{SCHEMAS}/{name}")
}

/// Let references go where they are renamed to.
fn refer(schema: &mut Value, renamed: &BTreeMap<String, String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(other) = renamed.get(target)
            {
                target.clone_from(other);
            }
            members.values_mut().for_each(|member| refer(member, renamed));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, renamed)),
        _ => {}
    }
}

fn problem() -> Value {
    let codes: Vec<&str> = CODES.iter().map(|(_, code)| *code).collect();
    let mut by_status: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (statuses, code) in CODES {
        for status in *statuses {
            by_status.entry(status.to_string()).or_default().push(code);
        }
    }
    json!({
        "type": "object",
        "description": "RFC 9457. Beside these members, what the caller can act on: `field`, `required`, `available`, `shortfall`, \
            `current_version`, `sold_at`, ..",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "A sentence about this occurrence."},
            "code": {"enum": codes, "description": "Stable. `x-codes-by-status` says which comes with which status."},
            "request_id": {"type": "string"},
        },
        "x-codes-by-status": by_status,
    })
}
