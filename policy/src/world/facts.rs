//! What policies look at of the objects around them. Whoever reads objects from an API server reads them here.

use std::collections::BTreeMap;

use countersign_crds::MINIMUM_SENSITIVITY_LABEL;
use serde_json::Value;

/// What a policy needs to know of its Namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// The value of the label `countersign.dev/minimum-sensitivity`, as written.
    pub minimum_sensitivity: Option<String>,
    /// Whether the label `istio.io/dataplane-mode` is `ambient`.
    pub ambient: bool,
    /// The waypoint that its labels ask for.
    pub waypoint: Option<WaypointLabel>,
}

impl NamespaceFacts {
    /// Reads a Namespace's labels.
    pub fn read(labels: &BTreeMap<String, String>) -> Self {
        Self {
            minimum_sensitivity: labels.get(MINIMUM_SENSITIVITY_LABEL).cloned(),
            ambient: labels
                .get("istio.io/dataplane-mode")
                .is_some_and(|mode| mode == "ambient"),
            waypoint: WaypointLabel::read(labels),
        }
    }
}

/// What labels say of a waypoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaypointLabel {
    /// The value of `istio.io/use-waypoint`. The name `none` asks for no waypoint.
    pub name: String,
    /// The value of `istio.io/use-waypoint-namespace`, where the waypoint is in another namespace.
    pub namespace: Option<String>,
}

impl WaypointLabel {
    /// Reads an object's labels. `None` if they do not speak of a waypoint.
    pub fn read(labels: &BTreeMap<String, String>) -> Option<Self> {
        let name = labels.get("istio.io/use-waypoint")?.clone();
        Some(Self {
            name,
            namespace: labels.get("istio.io/use-waypoint-namespace").cloned(),
        })
    }
}

/// What a policy needs to know of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFacts {
    /// The labels of the Pods behind it. Empty for a Service without a selector.
    pub selector: BTreeMap<String, String>,
    /// The waypoint that its labels ask for, which overrides the Namespace's.
    pub waypoint: Option<WaypointLabel>,
}

impl ServiceFacts {
    /// Reads a Service.
    pub fn read(labels: &BTreeMap<String, String>, spec: &Value) -> Self {
        let selector = spec["selector"].as_object().into_iter().flatten();
        Self {
            selector: selector
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
            waypoint: WaypointLabel::read(labels),
        }
    }
}

/// What a policy needs to know of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayFacts {
    /// The name of its GatewayClass.
    pub class: String,
}

impl GatewayFacts {
    /// Reads a Gateway.
    pub fn read(spec: &Value) -> Self {
        Self {
            class: spec["gatewayClassName"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// What a policy needs to know of an `HTTPRoute`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRouteFacts {
    /// The names of the Gateways of its own namespace that it is attached to (`parentRefs`).
    pub gateways: Vec<String>,
    /// Its hostnames. Empty for all that the Gateways serve.
    pub hostnames: Vec<String>,
}

impl HttpRouteFacts {
    /// Reads an `HTTPRoute` of a namespace.
    pub fn read(namespace: &str, spec: &Value) -> Self {
        let is = |parent: &Value, field: &str, value: &str| parent[field].as_str().unwrap_or(value) == value;
        let parents = spec["parentRefs"].as_array().into_iter().flatten().filter(|parent| {
            is(parent, "group", "gateway.networking.k8s.io")
                && is(parent, "kind", "Gateway")
                && is(parent, "namespace", namespace)
        });
        let hostnames = spec["hostnames"].as_array().into_iter().flatten();
        Self {
            gateways: parents
                .filter_map(|parent| Some(parent["name"].as_str()?.to_owned()))
                .collect(),
            hostnames: hostnames.filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
        }
    }
}

/// What a policy needs to know of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether Istio's sidecar was injected (annotation `sidecar.istio.io/status`), or ztunnel takes its traffic
    /// (annotation `ambient.istio.io/redirection: enabled`).
    pub in_mesh: bool,
}

impl PodFacts {
    /// Reads a Pod's labels and annotations.
    pub fn read(labels: BTreeMap<String, String>, annotations: &BTreeMap<String, String>) -> Self {
        let is = |key: &str, value: &str| annotations.get(key).is_some_and(|is| is == value);
        // Istio's own ports, which its injector excludes by itself, are no service's.
        let excluded = annotations
            .get("traffic.sidecar.istio.io/excludeInboundPorts")
            .into_iter()
            .flat_map(|ports| ports.split(','))
            .map(str::trim)
            .any(|port| !matches!(port, "" | "15020" | "15021" | "15090"));
        let included = annotations.get("traffic.sidecar.istio.io/includeInboundPorts");
        let bypassed =
            excluded || included.is_some_and(|ports| ports != "*") || is("sidecar.istio.io/interceptionMode", "NONE");
        Self {
            labels,
            // A sidecar that some connections do not go through guards nothing for sure.
            in_mesh: annotations.contains_key("sidecar.istio.io/status") && !bypassed
                || is("ambient.istio.io/redirection", "enabled")
                    && !is("ambient.istio.io/bypass-inbound-capture", "true"),
        }
    }

    /// Whether it is the proxy of a gateway, by the labels that Istio gives those.
    pub fn is_gateway(&self) -> bool {
        let classic = |value: &String| matches!(value.as_str(), "ingressgateway" | "egressgateway");
        self.labels.contains_key("gateway.networking.k8s.io/gateway-name")
            || self.labels.get("istio").is_some_and(classic)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(&[], false)]
    #[case::sidecar(&[("sidecar.istio.io/status", "{}")], true)]
    #[case::as_the_injector_leaves_it(&[
        ("sidecar.istio.io/status", "{}"),
        ("sidecar.istio.io/interceptionMode", "REDIRECT"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "*"),
        ("traffic.sidecar.istio.io/excludeInboundPorts", "15020"),
    ], true)]
    #[case::a_port_excluded(&[
        ("sidecar.istio.io/status", "{}"),
        ("traffic.sidecar.istio.io/excludeInboundPorts", "15020, 8080"),
    ], false)]
    #[case::nothing_excluded(&[
        ("sidecar.istio.io/status", "{}"),
        ("traffic.sidecar.istio.io/excludeInboundPorts", ""),
    ], true)]
    #[case::some_ports_included(&[
        ("sidecar.istio.io/status", "{}"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "80"),
    ], false)]
    #[case::no_port_included(&[
        ("sidecar.istio.io/status", "{}"),
        ("traffic.sidecar.istio.io/includeInboundPorts", ""),
    ], false)]
    #[case::no_interception(&[
        ("sidecar.istio.io/status", "{}"),
        ("sidecar.istio.io/interceptionMode", "NONE"),
    ], false)]
    #[case::ambient(&[("ambient.istio.io/redirection", "enabled")], true)]
    #[case::ambient_bypassed(&[
        ("ambient.istio.io/redirection", "enabled"),
        ("ambient.istio.io/bypass-inbound-capture", "true"),
    ], false)]
    fn a_pod_is_in_the_mesh_if_all_connections_go_through_it(
        #[case] annotations: &[(&str, &str)],
        #[case] in_mesh: bool,
    ) {
        let annotations = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let pod = PodFacts::read(BTreeMap::new(), &annotations.collect());
        assert_eq!(pod.in_mesh, in_mesh);
    }
}
