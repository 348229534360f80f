//! The claims of a token, as the Workload API tells them.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::{Map, Value as Json};

/// JSON as a message (protobuf's `struct.proto`).
pub fn structure(members: &Map<String, Json>) -> Struct {
    let fields = members.iter().map(|(name, json)| (name.clone(), value(json)));
    Struct {
        fields: fields.collect(),
    }
}

fn value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(is) => Kind::BoolValue(*is),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Array(items) => Kind::ListValue(ListValue {
            values: items.iter().map(value).collect(),
        }),
        Json::Object(members) => Kind::StructValue(structure(members)),
    };
    Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_value_is_told() {
        let claims = json!({"a": [1, null], "b": {"c": true}, "d": "e"});
        let told = structure(claims.as_object().unwrap());
        let text = |text: &str| Value {
            kind: Some(Kind::StringValue(text.to_owned())),
        };
        assert_eq!(told.fields["d"], text("e"));
        let list = ListValue {
            values: vec![
                Value {
                    kind: Some(Kind::NumberValue(1.0)),
                },
                Value {
                    kind: Some(Kind::NullValue(0)),
                },
            ],
        };
        assert_eq!(told.fields["a"].kind, Some(Kind::ListValue(list)));
        let inner = Struct {
            fields: [(
                "c".to_owned(),
                Value {
                    kind: Some(Kind::BoolValue(true)),
                },
            )]
            .into(),
        };
        assert_eq!(told.fields["b"].kind, Some(Kind::StructValue(inner)));
    }
}
