//! What users wrote.

use serde_json::{Value, json};

/// An issuer with four APIs, one of each tier; further manifests come after it.
pub const ISSUER: &str = r#"
apiVersion: countersign.dev/v1alpha1
kind: TokenIssuer
metadata: {name: shop}
spec:
  managed:
    issuer: ${ISSUER}
    audiences:
    - {audience: "https://catalog.example", sensitivity: Public, scopes: [items.read]}
    - {audience: "https://stock.example", sensitivity: Internal, scopes: [stock.read, stock.write], tokenFormat: Opaque}
    - {audience: "https://orders.example", sensitivity: Sensitive, scopes: [orders.read, orders.write]}
    - {audience: "https://payments.example", sensitivity: Critical, scopes: [pay]}
"#;

/// A `TokenClient` of the issuer in the namespace `shop`.
pub fn token_client(name: &str, spec: &Value) -> String {
    let mut spec = spec.clone();
    spec["issuer"] = "shop".into();
    let object = json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenClient",
        "metadata": {"name": name, "namespace": "shop"}, "spec": spec,
    });
    format!("\n---\n{object}")
}
