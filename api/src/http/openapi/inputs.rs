//! What a handler takes in, read off the types of its arguments: parameters, headers, body, who may ask.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::operation::Taken;
use crate::AppState;
use crate::http::caller::{Authorized, RequiredRole};
use crate::http::idempotency::IDEMPOTENCY_KEY;
use crate::http::now::Now;
use crate::http::position::{Logged, MIN_POSITION, Projected};
use crate::http::request::{Body, OptionalBody, Parameters, PathIds, RawBody};
use crate::http::write::{EXPECT_VERSION, Write};

/// An argument of a handler.
pub(crate) trait Input {
    /// Note what it takes in.
    fn take_in(taken: &mut Taken, schemas: &mut SchemaGenerator);
}

/// All arguments of a handler, as axum's `Handler` numbers them: how the last one is taken, then each.
pub(crate) trait Inputs {
    /// Note what they take in.
    fn take_in(taken: &mut Taken, schemas: &mut SchemaGenerator);
}

macro_rules! arguments {
    ($($argument:ident),*) => {
        impl<Via, $($argument: Input),*> Inputs for (Via, $($argument,)*) {
            fn take_in(taken: &mut Taken, schemas: &mut SchemaGenerator) {
                $($argument::take_in(taken, schemas);)*
            }
        }
    };
}

arguments!(A);
arguments!(A, B);
arguments!(A, B, C);
arguments!(A, B, C, D);
arguments!(A, B, C, D, E);
arguments!(A, B, C, D, E, F);
arguments!(A, B, C, D, E, F, G);

impl Inputs for ((),) {
    fn take_in(_: &mut Taken, _: &mut SchemaGenerator) {}
}

macro_rules! nothing_of_the_caller {
    ($($input:ty),+) => {$(
        impl Input for $input {
            fn take_in(_: &mut Taken, _: &mut SchemaGenerator) {}
        }
    )+};
}

// What is in the path is described with the path.
nothing_of_the_caller!(State<AppState>, Now, PathIds);

fn header(name: &HeaderName, is_required: bool, description: &str, schema: &Value) -> Value {
    json!({"name": name.as_str(), "in": "header", "required": is_required, "description": description, "schema": schema})
}

impl<R: RequiredRole> Input for Authorized<R> {
    fn take_in(taken: &mut Taken, _: &mut SchemaGenerator) {
        taken.role = Some(R::ROLE);
    }
}

impl<R: RequiredRole> Input for Write<R> {
    fn take_in(taken: &mut Taken, _: &mut SchemaGenerator) {
        taken.role = Some(R::ROLE);
        taken.writes = true;
        taken.parameters.push(header(
            &IDEMPOTENCY_KEY,
            true,
            "Chosen by the caller, the same on a retry.",
            &json!({"type": "string", "minLength": 1, "maxLength": 255}),
        ));
        taken.parameters.push(header(
            &EXPECT_VERSION,
            false,
            "The version the stream must have, else 409 version_conflict.",
            &json!({"type": "integer", "minimum": 0}),
        ));
    }
}

fn min_position(taken: &mut Taken) {
    taken.parameters.push(header(
        &MIN_POSITION,
        false,
        "Wait until this position can be read, else 504 not_yet.",
        &json!({"type": "integer", "minimum": 0}),
    ));
}

impl Input for Logged {
    fn take_in(taken: &mut Taken, _: &mut SchemaGenerator) {
        min_position(taken);
    }
}

impl Input for Projected {
    fn take_in(taken: &mut Taken, _: &mut SchemaGenerator) {
        min_position(taken);
    }
}

fn body<T: JsonSchema>(is_required: bool, schemas: &mut SchemaGenerator) -> Value {
    let schema = schemas.subschema_for::<T>();
    json!({"required": is_required, "content": {"application/json": {"schema": schema}}})
}

impl<T: JsonSchema> Input for Body<T> {
    fn take_in(taken: &mut Taken, schemas: &mut SchemaGenerator) {
        taken.body = Some(body::<T>(true, schemas));
    }
}

impl<T: JsonSchema> Input for OptionalBody<T> {
    fn take_in(taken: &mut Taken, schemas: &mut SchemaGenerator) {
        taken.body = Some(body::<T>(false, schemas));
    }
}

/// What is signed is described by who signs it.
impl Input for RawBody {
    fn take_in(taken: &mut Taken, _: &mut SchemaGenerator) {
        taken.body = Some(json!({"required": true, "content": {"application/json": {"schema": {}}}}));
    }
}

/// Only a signed body's handler looks at headers by itself.
impl Input for HeaderMap {
    fn take_in(taken: &mut Taken, _: &mut SchemaGenerator) {
        taken.parameters.push(header(
            &HeaderName::from_static("stripe-signature"),
            true,
            "Stripe's signature of the body.",
            &json!({"type": "string"}),
        ));
    }
}

impl<T: JsonSchema> Input for Parameters<T> {
    fn take_in(taken: &mut Taken, schemas: &mut SchemaGenerator) {
        let schema = T::json_schema(schemas).to_value();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        for (name, schema) in properties {
            let is_required = required.iter().any(|required| required == name);
            taken
                .parameters
                .push(json!({"name": name, "in": "query", "required": is_required, "schema": schema}));
        }
    }
}
