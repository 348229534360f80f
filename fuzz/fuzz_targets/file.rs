//! Config files: each format's reader.
#![no_main]

use countersign_fuzz::{NOW, SCANNER, check, choice, config_map, scan};
use libfuzzer_sys::fuzz_target;

const NAMES: &[&str] = &[
    "config.yaml",
    "config.json",
    "application.properties",
    "php.ini",
    "config.toml",
    "settings.xml",
    "main.hcl",
    ".env",
    ".netrc",
    ".npmrc",
    ".pypirc",
    "pip.conf",
    ".git-credentials",
    ".pgpass",
    "my.cnf",
    "redis.conf",
    "wp-config.php",
    "grafana.ini",
    "start.sh",
    "credentials",
    "nginx.conf",
    "rclone.conf",
    "kubeconfig",
    "envoy.lua",
    ".dockerconfigjson",
    "wg0.conf",
    "server.xml",
    "config",
];

fuzz_target!(|data: &[u8]| {
    let Some((chosen, rest)) = choice(data) else {
        return;
    };
    let (name, Ok(text)) = (NAMES[chosen % NAMES.len()], str::from_utf8(rest)) else {
        return;
    };
    check(&SCANNER.scan_text(text, Some(name), NOW), None);
    scan(&config_map(name, text));
});
