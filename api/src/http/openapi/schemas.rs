//! Schemas of the wire's own forms, which are read and written by hand: what `super::super::wire` says, as JSON Schema.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::http::page::Limit;
use crate::http::wire::{
    CallerId, Count, Credits, Day, Features, Instant, MoneyBody, Patched, PercentText, Quantity,
    SignedCredits, Text, Unit,
};

macro_rules! schemas {
    ($($type:ty as $name:literal: {$($schema:tt)+}),+ $(,)?) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({$($schema)+})
            }
        }
    )+};
}

schemas! {
    Credits as "Credits": {
        "type": "string", "pattern": r"^\d+(\.\d{1,6})?$",
        "description": "A positive quantity of credits: a decimal with at most six places.", "examples": ["12.5"]
    },
    Quantity as "Quantity": {
        "type": "string", "pattern": r"^\d+(\.\d{1,6})?$",
        "description": "A quantity of credits, zero or more.", "examples": ["0", "12.5"]
    },
    SignedCredits as "SignedCredits": {
        "type": "string", "pattern": r"^-?\d+(\.\d{1,6})?$",
        "description": "A quantity of credits, given if positive, taken if negative; never zero."
    },
    Count as "Count": {
        "type": ["integer", "string"], "minimum": 1, "pattern": r"^\d+(\.\d{1,6})?$",
        "description": "How much of a feature: a positive whole number, or a decimal text."
    },
    Features as "Features": {
        "type": "array", "items": {"type": "string"}, "uniqueItems": true, "maxItems": 32,
        "description": "The features a lot is reserved for; none for a lot that any use may draw."
    },
    MoneyBody as "Money": {
        "type": "object", "additionalProperties": false, "required": ["currency"],
        "properties": {
            "amount": {"type": "integer", "format": "int64", "description": "As Stripe's users know it."},
            "amount_decimal": {
                "type": "string", "description": "In answers alone, for what is finer than the integer can say."
            },
            "currency": {"type": "string", "pattern": "^[a-z]{3}$"}
        },
        "oneOf": [{"required": ["amount"]}, {"required": ["amount_decimal"]}],
        "examples": [{"amount": 1234, "currency": "usd"}]
    },
    PercentText as "Percent": {
        "type": "string", "pattern": r"^\d+(\.\d+)?$", "description": "A percentage as decimal text.", "examples": ["12.5"]
    },
    Instant as "Instant": {
        "type": "string", "format": "date-time", "description": "RFC 3339; in answers UTC.",
        "examples": ["2026-01-31T12:00:00Z"]
    },
    Day as "Day": {
        "type": "string", "description": "A day, or an instant: its day in the tenant's time zone.",
        "examples": ["2026-01-31", "2026-01-31T12:00:00Z"]
    },
    Text as "Text": {
        "type": "string", "minLength": 1, "maxLength": 255, "description": "Text of the caller's own, without control characters."
    },
    CallerId as "CallerId": {
        "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$", "description": "An id that a caller chooses."
    },
    Unit as "Unit": {
        "type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,23}$", "description": "A kind of credit.", "default": "CREDIT"
    },
    Limit as "Limit": {
        "type": "integer", "minimum": 1, "maximum": 200, "default": 50, "description": "How many things a page may show."
    },
}

/// A value, or null to clear it.
impl<T: JsonSchema> JsonSchema for Patched<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}
