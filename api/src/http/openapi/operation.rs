//! One operation: a method on a path, what it takes in and what it answers.

use axum::http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::http::idempotency::IDEMPOTENT_REPLAYED;
use crate::http::write::POSITION;
use crate::tenants::Role;

const JSON: &str = "application/json";

/// Asks for a schema when there is somebody to make it.
type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What an operation answers when all is well.
pub(crate) struct Answers {
    status: u16,
    summary: &'static str,
    /// By media type.
    content: Vec<(&'static str, Shape)>,
}

/// 200 with a body.
pub(crate) fn answers<T: JsonSchema>(summary: &'static str) -> Answers {
    Answers {
        status: 200,
        summary,
        content: vec![(JSON, SchemaGenerator::subschema_for::<T>)],
    }
}

/// 201 with what was made.
pub(crate) fn creates<T: JsonSchema>(summary: &'static str) -> Answers {
    Answers {
        status: 201,
        ..answers::<T>(summary)
    }
}

/// 200 with a text.
pub(crate) fn answers_text(media_type: &'static str, summary: &'static str) -> Answers {
    Answers {
        status: 200,
        summary,
        content: Vec::new(),
    }
    .or_text(media_type)
}

impl Answers {
    /// Or a text, if it is asked for.
    #[must_use]
    pub(crate) fn or_text(mut self, media_type: &'static str) -> Self {
        self.content
            .push((media_type, SchemaGenerator::subschema_for::<String>));
        self
    }
}

/// What a handler takes in.
#[derive(Default)]
pub(crate) struct Taken {
    /// The least role that may ask; none for everyone.
    pub(super) role: Option<Role>,
    /// Whether it is a write under an idempotency key.
    pub(super) writes: bool,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
}

/// An operation.
pub(crate) struct Operation {
    method: Method,
    path: String,
    answers: Answers,
    inputs: fn(&mut Taken, &mut SchemaGenerator),
}

impl Operation {
    pub(super) fn new(
        method: Method,
        path: &str,
        answers: Answers,
        inputs: fn(&mut Taken, &mut SchemaGenerator),
    ) -> Self {
        Self {
            method,
            path: path.to_owned(),
            answers,
            inputs,
        }
    }

    /// The same below a path.
    pub(super) fn below(mut self, path: &str) -> Self {
        self.path.insert_str(0, path);
        self
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn method(&self) -> String {
        self.method.as_str().to_ascii_lowercase()
    }

    /// As the document has it; the schemas of requests and of answers are kept apart, because what may be left out differs.
    pub(super) fn describe(&self, requests: &mut SchemaGenerator, shown: &mut SchemaGenerator) -> Value {
        let mut taken = Taken::default();
        (self.inputs)(&mut taken, requests);
        let mut parameters = self.path_parameters();
        parameters.append(&mut taken.parameters);
        let status = self.answers.status.to_string();
        let mut operation = json!({
            "operationId": self.id(),
            "tags": [self.tag()],
            "summary": self.answers.summary,
            "parameters": parameters,
            "responses": {
                status: self.response(taken.writes, shown),
                "default": {"$ref": "#/components/responses/Problem"},
            },
        });
        match taken.role {
            Some(role) => {
                operation["description"] = format!("Needs a key with role `{role}` or a greater one.").into();
            }
            None => operation["security"] = json!([]),
        }
        if let Some(body) = taken.body {
            operation["requestBody"] = body;
        }
        operation
    }

    fn response(&self, writes: bool, shown: &mut SchemaGenerator) -> Value {
        let mut headers = json!({
            "X-Request-Id": {"description": "The request's name.", "schema": {"type": "string"}},
        });
        if writes {
            headers[POSITION.as_str()] = json!({
                "description": "Where the write stands in the log, if it is in the log.", "schema": {"type": "integer"},
            });
            headers[IDEMPOTENT_REPLAYED.as_str()] = json!({
                "description": "`true` where this is the answer to an earlier request.", "schema": {"const": "true"},
            });
        }
        let content = self.answers.content.iter();
        let content: Map<String, Value> = content
            .map(|(media_type, schema)| ((*media_type).to_owned(), json!({"schema": schema(shown)})))
            .collect();
        json!({"description": self.answers.summary, "headers": headers, "content": content})
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.path
            .split('/')
            .filter(|segment| !segment.is_empty() && *segment != "v1")
    }

    fn path_parameters(&self) -> Vec<Value> {
        self.segments()
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| {
                json!({"name": name, "in": "path", "required": true,
                       "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,255}$"}})
            })
            .collect()
    }

    fn id(&self) -> String {
        let words = self
            .segments()
            .map(|segment| segment.replace(['{', '}', '.'], "").replace('-', "_"));
        std::iter::once(self.method())
            .chain(words)
            .collect::<Vec<_>>()
            .join("_")
    }

    /// The resource: of an account's own, what comes after the account.
    fn tag(&self) -> &str {
        let mut names = self.segments().filter(|segment| !segment.starts_with('{'));
        match (names.next(), names.next()) {
            (Some("accounts"), Some(own)) => own,
            (Some(first), _) => first,
            (None, _) => "service",
        }
    }
}
