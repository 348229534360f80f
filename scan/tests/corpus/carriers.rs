//! Where a credential can stand: each function puts a name and a text into an object, as a user would.

use std::io::Write;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// An object, and the field of it that holds the text.
pub struct Carried {
    pub carrier: &'static str,
    pub object: Value,
    pub pointer: String,
    /// It stands in a line with others, without quotes that end it.
    pub in_a_line: bool,
}

/// The name of what has none.
const PLAIN_NAME: &str = "setting";

/// Every carrier that can hold the text.
pub fn all(name: Option<&str>, text: &str) -> Vec<Carried> {
    let name = name.unwrap_or(PLAIN_NAME);
    let mut all = vec![
        env(name, text),
        config_map("entry of a ConfigMap", name, text),
        secret(name, text),
        string_data(name, text),
        annotation(name, text),
        custom_resource(name, text),
        header(name, text),
        parameter(name, text),
        config_map("yaml file", "config.yaml", &yaml(name, text)),
        config_map("json file", "config.json", &json!({"app": {name: text}}).to_string()),
        argo_values(name, text),
        last_applied(name, text),
        helm_release(name, text),
        compressed(name, text),
    ];
    if is_one_word(text) {
        let lines = [
            flag(name, text),
            flag_and_value(name, text),
            config_map(
                "properties file",
                "app.properties",
                &format!("a.b=c\nserver.{name}={text}\n"),
            ),
            config_map("env file", ".env", &format!("A=b\n{name}={text}\n")),
            config_map("ini file", "app.ini", &format!("[main]\nsize = 5\n{name} = {text}\n")),
            config_map(
                "toml file",
                "app.toml",
                &format!("[main]\nsize = 5\n{name} = \"{text}\"\n"),
            ),
            config_map(
                "hcl file",
                "main.hcl",
                &format!("server \"a\" {{\n  size = 5\n  {name} = \"{text}\"\n}}\n"),
            ),
            config_map(
                "xml file",
                "app.xml",
                &format!(
                    "<config>\n  <size>5</size>\n  <{name}>{}</{name}>\n</config>\n",
                    xml(text)
                ),
            ),
            config_map(
                "shell script",
                "start.sh",
                &format!("#!/bin/sh\nset -e\nexport {name}='{text}'\nexec app\n"),
            ),
        ];
        all.extend(lines.map(|carried| Carried {
            in_a_line: true,
            ..carried
        }));
    }
    all
}

/// Whether a text can stand in a line beside others without being quoted.
fn is_one_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b'$' | b'`'))
}

fn carried(carrier: &'static str, pointer: &str, object: Value) -> Carried {
    let pointer = pointer.to_owned();
    Carried {
        carrier,
        object,
        pointer,
        in_a_line: false,
    }
}

fn pod(container: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [container]}})
}

pub fn env(name: &str, text: &str) -> Carried {
    let object = pod(
        &json!({"name": "app", "image": "app:1", "env": [{"name": "LEVEL", "value": "info"}, {"name": name, "value": text}]}),
    );
    carried("environment variable", "/spec/containers/0/env/1/value", object)
}

fn flag(name: &str, text: &str) -> Carried {
    let flag = format!("--{}={text}", name.to_lowercase().replace('_', "-"));
    let object = pod(&json!({"name": "app", "args": ["serve", flag]}));
    carried("flag with its value", "/spec/containers/0/args/1", object)
}

fn flag_and_value(name: &str, text: &str) -> Carried {
    let flag = format!("--{}", name.to_lowercase().replace('_', "-"));
    let object = pod(&json!({"name": "app", "command": ["app", "serve"], "args": [flag, text, "--verbose"]}));
    carried("flag before its value", "/spec/containers/0/args/1", object)
}

fn config_map(carrier: &'static str, key: &str, text: &str) -> Carried {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {key: text}});
    carried(carrier, &format!("/data/{}", escaped(key)), object)
}

fn secret(name: &str, text: &str) -> Carried {
    let data = json!({name: BASE64_STANDARD.encode(text)});
    let object =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "type": "Opaque", "data": data});
    carried("data of a Secret", &format!("/data/{}", escaped(name)), object)
}

pub fn string_data(name: &str, text: &str) -> Carried {
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {name: text}});
    carried(
        "stringData of a Secret",
        &format!("/stringData/{}", escaped(name)),
        object,
    )
}

fn annotation(name: &str, text: &str) -> Carried {
    let key = format!("example.com/{name}");
    let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "annotations": {&key: text}}});
    carried(
        "annotation",
        &format!("/metadata/annotations/{}", escaped(&key)),
        object,
    )
}

fn custom_resource(name: &str, text: &str) -> Carried {
    let object = json!({"apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": "a"}, "spec": {"connection": {name: text}}});
    carried(
        "custom resource",
        &format!("/spec/connection/{}", escaped(name)),
        object,
    )
}

fn header(name: &str, text: &str) -> Carried {
    let object = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "a"}, "spec": {
        "rules": [{"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": name, "value": text}]}}]}]}});
    carried(
        "header",
        "/spec/rules/0/filters/0/requestHeaderModifier/set/0/value",
        object,
    )
}

fn parameter(name: &str, text: &str) -> Carried {
    let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"}, "spec": {
        "source": {"chart": "app", "helm": {"parameters": [{"name": format!("app.{name}"), "value": text}]}}}});
    carried("parameter of a chart", "/spec/source/helm/parameters/0/value", object)
}

/// A JSON string is a YAML string too.
fn yaml(name: &str, text: &str) -> String {
    format!("server:\n  port: 8080\n  {name}: {}\n", json!(text))
}

fn argo_values(name: &str, text: &str) -> Carried {
    let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"}, "spec": {
        "source": {"chart": "app", "helm": {"values": yaml(name, text)}}}});
    carried("values of a chart", "/spec/source/helm/values", object)
}

fn last_applied(name: &str, text: &str) -> Carried {
    let applied = env(name, text).object.to_string();
    let key = "kubectl.kubernetes.io/last-applied-configuration";
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "annotations": {key: applied}}, "spec": {}});
    carried(
        "what was applied last",
        &format!("/metadata/annotations/{}", escaped(key)),
        object,
    )
}

fn helm_release(name: &str, text: &str) -> Carried {
    let manifest = format!("---\n# Source: app/templates/pod.yaml\n{}\n", env(name, text).object);
    let release = json!({"name": "app", "version": 1, "config": {}, "chart": {"metadata": {"name": "app"}}, "manifest": manifest});
    let stored = BASE64_STANDARD.encode(BASE64_STANDARD.encode(gzip(release.to_string().as_bytes())));
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sh.helm.release.v1.app.v1", "labels": {"owner": "helm"}},
        "type": "helm.sh/release.v1", "data": {"release": stored}});
    carried("release of Helm", "/data/release", object)
}

fn compressed(name: &str, text: &str) -> Carried {
    let data = json!({"config.yaml.gz": BASE64_STANDARD.encode(gzip(yaml(name, text).as_bytes()))});
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "binaryData": data});
    carried("compressed file", "/binaryData/config.yaml.gz", object)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// RFC 6901 section 3.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
