//! Config files, as ConfigMaps hold them.

use std::time::Duration;

use rstest::rstest;

use super::{BASE62, denied, random};
use crate::carrier::{manifest, read};
use crate::tree::Node;

/// What would be denied in a text, by a walk like the scanner's: names, and values under `name` and `value`.
fn secrets(text: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for document in read(text, Some(name))
        .map(|parsed| parsed.documents)
        .unwrap_or_default()
    {
        walk(&document, None, &mut found);
    }
    found
}

fn walk(node: &Node<'_>, name: Option<&str>, found: &mut Vec<String>) {
    match node {
        Node::String(text) => {
            if name.is_some_and(|name| denied(name, text)) {
                found.push(text.to_string());
            }
        }
        Node::Number(number) => {
            if let crate::tree::Number::Integer(number) = number
                && name.is_some_and(|name| denied(name, &number.to_string()))
            {
                found.push(number.to_string());
            }
        }
        Node::Array(items) => items.iter().for_each(|item| walk(item, name, found)),
        Node::Object(members) => {
            let pair = node
                .get("name")
                .and_then(Node::as_str)
                .filter(|_| node.get("value").is_some());
            for (key, value) in members {
                let name = pair.filter(|_| key == "value").unwrap_or(key);
                walk(value, Some(name), found);
            }
        }
        Node::Null | Node::Bool(_) => {}
    }
}

fn format(text: &str, name: &str) -> Option<&'static str> {
    read(text, Some(name)).map(|parsed| parsed.format)
}

#[rstest]
#[case(
    "application.properties",
    "properties",
    "spring.datasource.username=app\nspring.datasource.password=hunter2\n"
)]
#[case("application.properties", "properties", "db.url = jdbc:x\ndb.password = hunter2\n")]
#[case("application.properties", "properties", "db.password: hunter2\n")]
#[case(".env", "env", "DEBUG=1\nDB_PASSWORD=hunter2\n")]
#[case("app.env", "env", "export DB_PASSWORD=\"hunter2\"\n")]
#[case(
    "grafana.ini",
    "ini",
    "[security]\n;admin_password = admin\nadmin_user = admin\nadmin_password = hunter2\n"
)]
#[case("my.cnf", "ini", "[client]\nuser=root\npassword=hunter2\n")]
#[case("redis.conf", "conf", "bind 0.0.0.0\nrequirepass hunter2\nappendonly yes\n")]
#[case("redis.conf", "conf", "# requirepass foobared\nmasterauth \"hunter2\"\n")]
#[case("config.yaml", "yaml", "db:\n  user: app\n  password: hunter2\n")]
#[case("config", "yaml", "# comment\nauth:\n  adminPassword: 'hunter2'\n")]
#[case("values.yml", "yaml", "env:\n- name: DB_PASSWORD\n  value: hunter2\n")]
#[case(
    "alertmanager.yml",
    "yaml",
    "global:\n  smtp_auth_username: a\n  smtp_auth_password: hunter2\n"
)]
#[case(
    "prometheus.yml",
    "yaml",
    "scrape_configs:\n- job_name: x\n  basic_auth: {username: a, password: hunter2}\n"
)]
#[case("config.json", "json", "{\"db\": {\"password\": \"hunter2\"}}")]
#[case("log.json", "json", "{\"password\": \"hunter2\"}\n{\"a\": 1}\n")]
#[case("config.toml", "toml", "[db]\nuser = \"app\"\npassword = \"hunter2\"\n")]
#[case("config.toml", "toml", "db = { user = \"app\", password = \"hunter2\" }\n")]
#[case(
    "settings.xml",
    "xml",
    "<settings><servers><server><id>x</id><username>a</username><password>hunter2</password></server></servers></settings>"
)]
#[case(
    "core-site.xml",
    "xml",
    "<?xml version=\"1.0\"?>\n<configuration><property><name>db.password</name><value>hunter2</value></property></configuration>"
)]
#[case(
    "tomcat-users.xml",
    "xml",
    "<tomcat-users><user username=\"a\" password=\"hunter2\" roles=\"manager\"/></tomcat-users>"
)]
#[case("vault.hcl", "hcl", "storage \"postgresql\" {\n  password = \"hunter2\"\n}\n")]
#[case("main.tf", "hcl", "resource \"x\" \"y\" {\n  master_password = \"hunter2\"\n}\n")]
#[case(
    "wp-config.php",
    "php",
    "<?php\ndefine('DB_USER', 'wp');\ndefine( 'DB_PASSWORD', 'hunter2' );\n"
)]
#[case("config.php", "php", "<?php\n$cfg['password'] = 'hunter2';\n")]
#[case(
    "logstash.conf",
    "conf",
    "output {\n  elasticsearch {\n    user => \"elastic\"\n    password => \"hunter2\"\n  }\n}\n"
)]
#[case(
    "logstash.conf",
    "conf",
    "output { elasticsearch { user => \"elastic\" password => \"hunter2\" } }\n"
)]
#[case(
    "fluent.conf",
    "conf",
    "<match **>\n  @type elasticsearch\n  user elastic\n  password hunter2\n</match>\n"
)]
#[case("fluent-bit.conf", "conf", "[OUTPUT]\n    Name es\n    HTTP_Passwd hunter2\n")]
#[case(".pgpass", "pgpass", "db:5432:app:app:hunter2\n")]
#[case(
    "credentials",
    "ini",
    "[default]\naws_access_key_id = x\naws_secret_access_key = hunter2x99\n"
)]
#[case("rclone.conf", "conf", "[remote]\ntype = sftp\npass = hunter2\n")]
#[case(".pypirc", "ini", "[pypi]\nusername = a\npassword = hunter2\n")]
#[case("config.yaml", "yaml", "db:\n  host: {{ .Values.host }}\n  password: hunter2\n")]
#[case("config.json", "json", "{\"host\": {{ .host | toJson }}, \"password\": \"hunter2\"}")]
#[case(
    "init.js",
    "properties",
    "db.createUser({user: \"app\", pwd: \"hunter2\", roles: []})\n"
)]
#[case("settings.py", "properties", "DATABASES = {'default': {'PASSWORD': 'hunter2'}}\n")]
#[case("odbc.ini", "ini", "[dsn]\nServer = db\nPWD = hunter2\n")]
#[case("users.ldif", "yaml", "dn: cn=admin\nuserPassword: hunter2\n")]
#[case("start", "properties", "exec mysqld &\nmysql -uroot -phunter2 -e 'select 1'\n")]
#[case("config", "properties", "user=app,password=hunter2\n")]
fn a_password_in_a_file_is_found(#[case] name: &str, #[case] kind: &str, #[case] text: &str) {
    assert_eq!(format(text, name), Some(kind));
    let found = secrets(text, name);
    assert_eq!(found.len(), 1, "{found:?} in {:?}", read(text, Some(name)));
    assert!(found[0].starts_with("hunter2"), "{found:?}");
}

/// Files with the names of secrets and no secret in them.
#[rstest]
#[case(
    "application.properties",
    "spring.datasource.password=${DB_PASSWORD}\nspring.config.import=file:/etc/x\n"
)]
#[case(
    "application.properties",
    "db.password=\ndb.password.file=/run/secrets/db\ndb.token.ttl=3600\n"
)]
#[case("application.yaml", "spring:\n  datasource:\n    password: ${DB_PASSWORD:}\n")]
#[case(
    "grafana.ini",
    "[security]\n;admin_password = admin\n# secret_key = SW2YcwTIb9zpO\nadmin_password = $__file{/etc/secrets/pw}\n"
)]
#[case("redis.conf", "# requirepass foobared\nprotected-mode no\n")]
#[case(
    "config.yaml",
    "auth:\n  existingSecret: my-secret\n  secretKeys:\n    adminPasswordKey: admin-password\n    userPasswordKey: password\n"
)]
#[case(
    "config.yaml",
    "env:\n- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {name: db, key: password}\n"
)]
#[case("config.yaml", "password: \"\"\ntoken: null\nsecret: {}\n")]
#[case(
    "values.yaml",
    "# -- The password of the database. Default: mysql\n# password: mysql\npassword:\n"
)]
#[case(
    "nginx.conf",
    "server {\n  location / {\n    proxy_pass http://backend;\n    auth_basic_user_file /etc/nginx/.htpasswd;\n    proxy_set_header Authorization $http_authorization;\n    proxy_hide_header X-Auth-Token;\n  }\n}\n"
)]
#[case(
    "nginx.conf",
    "auth_request /auth;\nssl_certificate_key /etc/tls/tls.key;\nproxy_pass_header Server;\nproxy_cache_key $scheme$host;\n"
)]
#[case(
    "envoy.yaml",
    "tls_certificate_sds_secret_configs:\n- name: default\n  sds_config: {path_config_source: {path: /etc/sds.yaml}}\n"
)]
#[case(
    "Corefile",
    ".:53 {\n    errors\n    kubernetes cluster.local {\n      pods insecure\n    }\n}\n"
)]
#[case(
    "config.toml",
    "[auth]\ntoken_file = \"/var/run/token\"\ntoken_ttl = \"1h\"\nsecret_name = \"x\"\n"
)]
#[case(
    "settings.xml",
    "<settings><server><username>${env.USER}</username><password>${env.PASSWORD}</password></server></settings>"
)]
#[case(
    "script.py",
    "password = os.environ['PASSWORD']\ntoken = get_token(user)\nconnect(password=password, token=args.token)\n"
)]
#[case(
    "app.js",
    "const password = process.env.PASSWORD;\nconst token = req.headers['x-token'];\nif (password === undefined) { throw 1 }\n"
)]
#[case(
    "filter.lua",
    "local token = request_handle:headers():get(\"authorization\")\nif token == nil then return end\n"
)]
#[case(
    "policy.rego",
    "package x\ntoken := input.token\nsecret_name = input.request.object.metadata.name\n"
)]
#[case(
    "main.tf",
    "resource \"x\" \"y\" {\n  password = var.password\n  token = data.vault_generic_secret.x.data[\"token\"]\n}\n"
)]
#[case("logstash.conf", "output { elasticsearch { password => \"${ES_PASSWORD}\" } }\n")]
#[case(
    "fluent.conf",
    "<match **>\n  password \"#{ENV['ES_PASSWORD']}\"\n  ssl_verify false\n</match>\n<filter>\n  key_name log\n  remove_keys password\n</filter>\n"
)]
#[case("wp-config.php", "<?php\ndefine('DB_PASSWORD', getenv('DB_PASSWORD'));\n")]
#[case("README.md", "password: hunter2\n")]
#[case(
    "run",
    "PGPASSWORD=$POSTGRES_PASSWORD psql -h db -c 'select 1'\nexport TOKEN=`cat /run/token`\n"
)]
#[case("start", "mysql -uroot -p\"$MYSQL_ROOT_PASSWORD\" -e 'select 1'\n")]
#[case(".pgpass", "# host:port:db:user:password\ndb:5432:app:app:${PASSWORD}\n")]
#[case(
    "messages.properties",
    "login.password=Password\nlogin.password.hint=Enter your password\nlogin.forgot=Forgot your password?\n"
)]
#[case(
    "rules.yaml",
    "groups:\n- name: x\n  rules:\n  - alert: TokenExpired\n    expr: token_expiry_seconds < 0\n    annotations: {summary: The token of the user is expired}\n"
)]
#[case(
    "schema.json",
    "{\"properties\": {\"password\": {\"type\": \"string\", \"format\": \"password\"}}, \"required\": [\"password\"]}"
)]
#[case(
    "oidc.yaml",
    "oidc:\n  clientID: x\n  clientSecret: $oidc.clientSecret\n  redirectURI: https://x/callback\n"
)]
#[case("log.conf", "pattern = password=(.*)\nreplace = password=***\n")]
#[case("sealed.yaml", "spec:\n  template:\n    metadata: {name: x}\n")]
#[case(
    "ansible.yaml",
    "- name: Set the password\n  user: {name: x, password: \"{{ vault_password }}\", update_password: on_create}\n"
)]
#[case("keys.yaml", "key: a\nkeys:\n- a\ntopologyKey: kubernetes.io/hostname\n")]
#[case(
    "notes.txt",
    "Get the password: kubectl get secret x -o jsonpath={.data.password} | base64 -d\n"
)]
#[case("opts", "JAVA_OPTS=-Djavax.net.ssl.trustStorePassword=${TRUST_PASSWORD} -Xmx1g\n")]
fn a_file_without_a_literal_is_left_alone(#[case] name: &str, #[case] text: &str) {
    assert_eq!(
        secrets(text, name),
        Vec::<String>::new(),
        "{:?}",
        read(text, Some(name))
    );
}

#[test]
fn an_object_of_kubernetes_comes_back_as_one() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\n";
    let parsed = read(text, Some("pod.yaml")).unwrap();
    assert_eq!(parsed.format, "yaml");
    assert_eq!(parsed.documents.len(), 2);
    assert_eq!(parsed.documents[1].get("kind").and_then(Node::as_str), Some("Secret"));
    assert_eq!(manifest(text).map(|documents| documents.len()), Some(2));
}

#[test]
fn a_section_stands_before_the_name() {
    let parsed = read(
        "[auth.google]\nclient_id = x\nclient_secret = hunter2\n",
        Some("grafana.ini"),
    )
    .unwrap();
    assert_eq!(parsed.documents[0].members()[0].0, "auth.google.client_secret");
}

#[test]
fn long_values_are_reason_enough_to_parse() {
    let text = format!("a:\n  b: {}\n", random(1, BASE62, 60));
    assert_eq!(format(&text, "x.yaml"), Some("yaml"));
    assert_eq!(
        format(
            "a:\n  b: plain\n  image: registry/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef\n",
            "x.yaml"
        ),
        None
    );
}

#[test]
fn a_document_that_grows_is_refused() {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        text.extend([
            "a",
            &level.to_string(),
            ": &a",
            &level.to_string(),
            " [",
            &vec![below; 10].join(","),
            "]\n",
        ]);
    }
    text += "password: hunter2\n";
    let took = super::timed(|| assert_eq!(secrets(&text, "bomb.yaml"), ["hunter2"]));
    assert!(took < Duration::from_mins(1), "{took:?}");
}

#[rstest]
#[case("password: x\n")]
#[case("password=")]
#[case("token token ")]
#[case("[")]
#[case("{\"password\":")]
#[case("<password>")]
#[case("- ")]
#[case("a: &a ")]
#[case("\"password\": \"")]
#[case("keykeykey")]
#[case("secret=\\\"")]
#[case("[x]\npassword = y\n")]
#[case("a{password=x,")]
#[case("é: ")]
fn a_large_file_is_read_in_linear_time(#[case] unit: &str) {
    for name in ["a.yaml", "a.json", "a.toml", "a.xml", "a.conf", "a.py"] {
        let text = unit.repeat(60_000 / unit.len());
        let took = super::timed(|| read(&text, Some(name)).map(|parsed| parsed.documents.len()));
        assert!(took < Duration::from_mins(1), "{name} with {unit:?} took {took:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(parts in proptest::collection::vec("[a-z=:$(){}<>'\"\\\\\n \\[\\],#é-]{0,6}|password|token: |<a b=\"|\\PC{0,4}", 0..24), file in "[a-z]{1,3}\\.(yaml|json|toml|xml|conf|py|php|pgpass|properties)") {
        let text = parts.concat();
        if let Some(parsed) = read(&text, Some(&file)) {
            proptest::prop_assert!(!parsed.documents.is_empty());
        }
        manifest(&text);
    }
}
