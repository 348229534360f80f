//! What `countersign scan` reads, what it prints, and how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a panic is how a test fails"
)]

mod support;

use serde_json::{Value, json};
use support::{CLEAN, Folder, deployment, password};

#[test]
fn nothing_to_deny_ends_well() {
    let folder = Folder::new();
    folder.file("service.yaml", CLEAN);
    let run = folder.run(&["scan", "service.yaml"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(run.out, "1 file read, 0 findings: 0 to deny, 0 to warn of\n");
}

#[test]
fn a_finding_is_an_object_with_these_members() {
    let folder = Folder::new();
    folder.file("deploy.yaml", deployment(&password(1)));
    let (code, findings) = folder.findings(&["deploy.yaml"]);
    assert_eq!((code, findings.len()), (1, 1), "{findings:?}");
    let pointer = "/spec/template/spec/containers/0/env/0/value";
    let finding = &findings[0];
    for (member, expected) in [
        ("file", json!("deploy.yaml")),
        ("document", json!(0)),
        ("line", json!(12)),
        ("column", json!(42)),
        ("pointer", json!(pointer)),
        ("path", json!([])),
        ("tier", json!("named")),
        ("action", json!("deny")),
        (
            "object",
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "payments"}),
        ),
    ] {
        assert_eq!(finding[member], expected, "{member}");
    }
    assert!(finding["message"].as_str().unwrap().starts_with(pointer));
    assert!(!finding["remedy"].as_str().unwrap().is_empty());
    assert_eq!(finding["fingerprint"], Value::Null, "there is no key");
}

#[test]
fn people_get_place_rule_and_remedy() {
    let folder = Folder::new();
    folder.file("deploy.yaml", deployment(&password(1)));
    let run = folder.run(&["scan", "deploy.yaml"]);
    let (_, findings) = folder.findings(&["deploy.yaml"]);
    let lines: Vec<&str> = run.out.lines().collect();
    let rule = findings[0]["rule"].as_str().unwrap();
    let first = format!("deploy.yaml:12:42  deny  {rule} (named)  /spec/template/spec/containers/0/env/0/value");
    assert_eq!(lines[0], first);
    assert!(lines[1].starts_with("    Deployment shop/payments: "), "{}", lines[1]);
    assert_eq!(lines[2].trim(), findings[0]["remedy"].as_str().unwrap());
    assert_eq!(
        lines.last().unwrap(),
        &"1 file read, 1 finding: 1 to deny, 0 to warn of"
    );
    assert!(!run.out.contains('\u{1b}'), "no colour but on a terminal");
}

#[test]
fn several_inputs_are_reported_in_order() {
    let folder = Folder::new();
    for index in 0..40 {
        folder.file(&format!("dir/{index:02}.yaml"), deployment(&password(index)));
    }
    let (code, findings) = folder.findings(&["dir"]);
    let files: Vec<_> = findings
        .iter()
        .map(|finding| finding["file"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (0..40).map(|index| format!("dir/{index:02}.yaml")).collect();
    assert_eq!((code, files), (1, expected));
}

#[test]
fn standard_input_is_read() {
    let folder = Folder::new();
    let rendered = format!("---\n{CLEAN}---\n{}", deployment(&password(2)));
    let run = folder.run_with(&["scan", "-o", "json", "-"], &rendered);
    let findings = run.findings();
    assert_eq!(run.code, 1);
    assert_eq!(
        (&findings[0]["file"], &findings[0]["document"]),
        (&json!("-"), &json!(1))
    );
}

#[test]
fn empty_standard_input_is_not_clean() {
    let run = Folder::new().run_with(&["scan", "-"], "\n");
    assert_eq!(run.code, 2);
    assert_eq!(run.err, "error: -: standard input is empty\n");
}

#[test]
fn what_is_rendered_has_to_be_yaml() {
    let folder = Folder::new();
    let broken = "a: {{ b }}\n c: d\n";
    assert_eq!(folder.run_with(&["scan", "-"], broken).code, 2);
    assert_eq!(
        folder
            .file("template.yaml", broken)
            .run(&["scan", "template.yaml"])
            .code,
        0
    );
}

#[test]
fn what_is_read_is_reported_when_something_else_cannot_be() {
    let folder = Folder::new();
    folder.file("deploy.yaml", deployment(&password(3)));
    let run = folder.run(&["scan", "-o", "json", "gone.yaml", "deploy.yaml"]);
    assert_eq!((run.code, run.findings().len()), (2, 1));
    assert!(run.err.starts_with("error: gone.yaml: "), "{}", run.err);
}

#[test]
fn a_named_file_has_to_be_what_it_says() {
    let folder = Folder::new();
    folder
        .file("broken.yaml", "a: b\n c: [d\n")
        .file("broken.json", "{\"a\": 1,\n\"b\": [");
    let run = folder.run(&["scan", "broken.yaml"]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (2, "error: broken.yaml:2:3: it is not YAML; it was read as text\n")
    );
    let run = folder.run(&["scan", "broken.json"]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (2, "error: broken.json:2:6: it is not JSON; it was read as text\n")
    );
}

#[test]
fn in_a_directory_a_broken_file_is_read_as_text() {
    let folder = Folder::new();
    let secret = password(4);
    folder
        .file(
            "chart/broken.yaml",
            format!("a: b\n c: [d\n---\n{}", deployment(&secret)),
        )
        .file("chart/clean.yaml", CLEAN);
    let run = folder.run(&["scan", "-o", "json", "chart"]);
    let findings = run.findings();
    assert_eq!(run.code, 1);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(
        (&findings[0]["document"], &findings[0]["line"]),
        (&json!(1), &json!(15))
    );
    assert_eq!(
        run.err,
        "note: chart/broken.yaml:2:3: it is not YAML; it was read as text\n"
    );
}

#[test]
fn a_template_is_read_without_its_values() {
    let folder = Folder::new();
    let template = "{{- if .Values.enabled }}\n".to_owned()
        + &deployment(&password(5)).replace("name: payments,", "name: {{ .Release.Name }},")
        + "{{- end }}\n";
    folder.file("chart/templates/deploy.yaml", &template);
    let run = folder.run(&["scan", "-o", "json", "chart"]);
    let findings = run.findings();
    assert_eq!((run.code, findings.len()), (1, 1), "{run:?}");
    assert_eq!(
        (&findings[0]["line"], &findings[0]["object"]["kind"]),
        (&json!(13), &json!("Deployment"))
    );
    assert!(run.err.contains("1 template was read"), "{}", run.err);
    // Named, as a hook before a commit does, it is as good.
    assert_eq!(folder.findings(&["chart/templates/deploy.yaml"]), (1, findings));
}

#[test]
fn a_template_that_fills_in_its_secret_is_clean() {
    let folder = Folder::new();
    folder.file(
        "chart/templates/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ include \"x.name\" . }}\ndata:\n  \
         password: {{ .Values.password | b64enc | quote }}\n  token: \"{{ .Values.token }}\"\n",
    );
    let (code, findings) = folder.findings(&["chart"]);
    assert_eq!((code, findings), (0, Vec::new()));
}

#[test]
fn other_files_are_read_when_they_are_asked_for() {
    let folder = Folder::new();
    folder.file("app/.env", format!("USER=app\nDB_PASSWORD={}\n", password(6)));
    assert_eq!(folder.findings(&["app"]).0, 0);
    for arguments in [&["app/.env"][..], &["--include", "*.env", "app"]] {
        let (code, findings) = folder.findings(arguments);
        assert_eq!((code, findings.len()), (1, 1), "{arguments:?}");
        assert_eq!(findings[0]["line"], 2);
    }
}

#[test]
fn what_is_excluded_is_not_read() {
    let folder = Folder::new();
    folder
        .file("testdata/deploy.yaml", deployment(&password(7)))
        .file(".git/deploy.yaml", deployment(&password(7)))
        .file(".github/deploy.yaml", deployment(&password(7)))
        .file("ignored/deploy.yaml", deployment(&password(7)))
        .file(".gitignore", "ignored\n");
    let files = |arguments: &[&str]| {
        let findings = folder.findings(arguments).1;
        findings
            .iter()
            .map(|finding| finding["file"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (hidden, ignored, tests) = (".github/deploy.yaml", "ignored/deploy.yaml", "testdata/deploy.yaml");
    assert_eq!(files(&["."]), [hidden, ignored, tests]);
    assert_eq!(files(&["--exclude", "testdata", "."]), [hidden, ignored]);
    folder.file(".git/HEAD", "ref: refs/heads/main\n");
    assert_eq!(files(&["--gitignore", "."]), [hidden, tests]);
}

#[test]
fn items_of_a_list_are_objects_of_their_own() {
    let folder = Folder::new();
    let secret = password(8);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"containers": [{"name": "a", "env": [{"name": "DB_PASSWORD", "value": secret}]}]},
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod"}, pod]});
    folder.file("list.json", serde_json::to_string_pretty(&list).unwrap());
    let (code, findings) = folder.findings(&["list.json"]);
    assert_eq!(code, 1);
    assert_eq!(findings[0]["pointer"], "/items/1/spec/containers/0/env/0/value");
    assert_eq!(findings[0]["object"]["name"], "a");
    let line = serde_json::to_string_pretty(&list)
        .unwrap()
        .lines()
        .position(|line| line.contains(&secret))
        .unwrap();
    assert_eq!(findings[0]["line"], line + 1);
}

#[test]
fn settings_change_what_is_denied() {
    let folder = Folder::new();
    folder
        .file("deploy.yaml", deployment(&password(9)))
        .file(
            "warn.yaml",
            "actions: [{namespaces: [shop], action: warn}]\nexempt: []\n",
        )
        .file("audit.yaml", "actions: [{tiers: [named], action: audit}]\n")
        .file("wrong.yaml", "actions: [{rule: x, action: warn}]\n");
    let run = folder.run(&["scan", "-o", "json", "--config", "warn.yaml", "deploy.yaml"]);
    assert_eq!((run.code, &run.findings()[0]["action"]), (0, &json!("warn")));
    assert_eq!(run.err, "note: warn.yaml: exempt counts in a cluster only\n");
    let warned = ["scan", "--fail-on", "warn", "--config", "warn.yaml", "deploy.yaml"];
    assert_eq!(folder.run(&warned).code, 1);
    let run = folder.run(&["scan", "-o", "json", "--config", "audit.yaml", "deploy.yaml"]);
    assert_eq!((run.code, run.findings().len()), (0, 0));
    let run = folder.run(&["scan", "--config", "wrong.yaml", "deploy.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("actions"), "{}", run.err);
}

#[test]
fn fingerprints_are_printed_with_a_key_only() {
    let folder = Folder::new();
    folder
        .file("deploy.yaml", deployment(&password(10)))
        .file("key", password(11) + &password(12))
        .file("short", password(11));
    let fingerprint = |arguments: &[&str]| folder.findings(arguments).1[0]["fingerprint"].clone();
    let with_key = fingerprint(&["--fingerprint-key-file", "key", "deploy.yaml"]);
    assert_eq!(with_key.as_str().unwrap().len(), 32);
    assert_eq!(fingerprint(&["--fingerprint-key-file", "key", "deploy.yaml"]), with_key);
    assert_eq!(fingerprint(&["deploy.yaml"]), Value::Null);
    assert_eq!(
        folder
            .run(&["scan", "--fingerprint-key-file", "short", "deploy.yaml"])
            .code,
        2
    );
}

#[test]
fn bad_usage_is_told_apart() {
    let folder = Folder::new();
    for arguments in [
        &["scan"][..],
        &["scan", "--no-such-flag", "."],
        &["scan", "-A", "."],
        &["no-such-command"],
    ] {
        assert_eq!(folder.run(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn as_a_plugin_it_calls_itself_so() {
    let folder = Folder::new();
    let plugin = folder.path().join("kubectl-countersign");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_countersign"), &plugin).unwrap();
    let output = std::process::Command::new(plugin)
        .args(["scan", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("Usage: kubectl countersign scan "), "{help}");
}

#[test]
fn values_within_values_are_no_way_out() {
    let nested = |text: &str| {
        let text = serde_json::to_string(text).unwrap();
        format!("{}{text}{}", "{\"a\":[".repeat(60), "]}".repeat(60))
    };
    let text = (0..4).fold("x".repeat(20), |text, _| nested(&text));
    let folder = Folder::new();
    folder.file("deep.json", text);
    assert!(matches!(folder.run(&["scan", "deep.json"]).code, 0 | 1));
}

#[test]
fn every_rule_is_listed() {
    let run = Folder::new().run(&["rules", "-o", "json"]);
    let rules: Vec<Value> = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, rules.len()), (0, countersign_scan::rules().len()));
    assert!(
        rules
            .iter()
            .all(|rule| rule["id"].is_string() && rule["title"].is_string() && rule["remedy"].is_string())
    );
}
