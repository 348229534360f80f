//! The kinds of key that are known by a name.

use super::super::alphabet::{
    ANY_HEX, Alphabet, BASE62, BASE64, BASE64URL, DIGIT, HEX, LETTER, LOWER, LOWER_DIGIT, UPPER, UPPER_DIGIT,
};
use super::super::shape::Part::{self, Is, Padding, Run};
use super::super::table::rules;
use super::super::verdict::{Candidate, Verdict};
use super::super::{azure, data, observe, payload, platform};
use super::{Named, named};

rules! {
    AIRTABLE_TOKEN = "airtable-token", "an Airtable personal access token", ExternalSecret;
    AKEYLESS_KEY = "akeyless-key", "an Akeyless access key", ExternalSecret;
    ALIBABA_SECRET = "alibaba-secret-key", "the secret half of an Alibaba Cloud access key", ExternalSecret;
    CONSUL_TOKEN = "consul-token", "a Consul ACL token", ExternalSecret;
    CLOUDFLARE_KEY = "cloudflare-key", "a Cloudflare API token or key", ExternalSecret;
    CODECOV_TOKEN = "codecov-token", "a Codecov token", ExternalSecret;
    DATADOG_KEY = "datadog-key", "a Datadog key", ExternalSecret;
    DISCORD_TOKEN = "discord-token", "the token of a Discord bot", ExternalSecret;
    DRONE_TOKEN = "drone-token", "a Drone CI token", ExternalSecret;
    ELASTIC_API_KEY = "elastic-api-key", "an Elasticsearch API key", ExternalSecret;
    GITEA_TOKEN = "gitea-token", "a Gitea access token", ExternalSecret;
    HARBOR_SECRET = "harbor-robot-secret", "the secret of a Harbor robot account", ExternalSecret;
    HETZNER_TOKEN = "hetzner-token", "a Hetzner Cloud API token", ExternalSecret;
    IBM_KEY = "ibm-cloud-key", "an IBM Cloud API key", ExternalSecret;
    INFISICAL_TOKEN = "infisical-token", "an Infisical token", ExternalSecret;
    INFLUXDB_TOKEN = "influxdb-token", "an InfluxDB token", ExternalSecret;
    JENKINS_TOKEN = "jenkins-token", "a Jenkins API token", ExternalSecret;
    LINODE_TOKEN = "linode-token", "a Linode API token", ExternalSecret;
    MAILGUN_KEY = "mailgun-key", "a Mailgun key", ExternalSecret;
    NGROK_TOKEN = "ngrok-token", "an ngrok token", ExternalSecret;
    NOMAD_TOKEN = "nomad-token", "a Nomad ACL token", ExternalSecret;
    OVH_KEY = "ovh-key", "an OVHcloud API secret", ExternalSecret;
    REDIS_CLOUD_KEY = "redis-cloud-key", "a Redis Cloud API key", ExternalSecret;
    SCALEWAY_SECRET = "scaleway-secret-key", "a Scaleway secret key", ExternalSecret;
    SNOWFLAKE_TOKEN = "snowflake-token", "a Snowflake programmatic access token", ExternalSecret;
    SNYK_TOKEN = "snyk-token", "a Snyk API token", ExternalSecret;
    SPLUNK_TOKEN = "splunk-hec-token", "a token of Splunk's HTTP event collector", ExternalSecret;
    TELEPORT_TOKEN = "teleport-token", "a Teleport join token", ExternalSecret;
    TWILIO_KEY = "twilio-key", "a Twilio secret", ExternalSecret;
    TWINGATE_TOKEN = "twingate-token", "a Twingate API token", ExternalSecret;
    VAULT_UNSEAL_KEY = "vault-unseal-key", "a share of Vault's unseal key", ExternalSecret;
    VULTR_KEY = "vultr-key", "a Vultr API key", ExternalSecret;
}

const HEX_32: &[Part] = &[Run(HEX, 32, 32)];
const UUID: &[Part] = &[
    Run(ANY_HEX, 8, 8),
    Is("-"),
    Run(ANY_HEX, 4, 4),
    Is("-"),
    Run(ANY_HEX, 4, 4),
    Is("-"),
    Run(ANY_HEX, 4, 4),
    Is("-"),
    Run(ANY_HEX, 12, 12),
];

pub(in super::super) const NAMED: &[Named] = &[
    named(
        AIRTABLE_TOKEN,
        &["airtable"],
        &[Is("pat"), Run(BASE62, 14, 14), Is("."), Run(HEX, 64, 64)],
    ),
    named(AKEYLESS_KEY, &["akeyless", "key"], &[Run(BASE64, 43, 43), Is("=")]),
    named(ALIBABA_SECRET, &["alibaba", "secret"], &[Run(BASE62, 30, 30)]),
    named(ALIBABA_SECRET, &["alicloud", "secret"], &[Run(BASE62, 30, 30)]),
    named(ALIBABA_SECRET, &["aliyun", "secret"], &[Run(BASE62, 30, 30)]),
    named(CLOUDFLARE_KEY, &["cloudflare", "token"], &[Run(BASE64URL, 40, 40)]),
    named(CLOUDFLARE_KEY, &["cloudflare", "secret"], &[Run(BASE64URL, 40, 40)]),
    named(CLOUDFLARE_KEY, &["cloudflare", "key"], &[Run(HEX, 37, 45)]),
    named(CLOUDFLARE_KEY, &["cfapitoken"], &[Run(BASE64URL, 40, 40)]),
    named(CLOUDFLARE_KEY, &["cfapikey"], &[Run(HEX, 37, 45)]),
    named(CLOUDFLARE_KEY, &["cftoken"], &[Run(BASE64URL, 40, 40)]),
    named(CODECOV_TOKEN, &["codecov", "token"], UUID),
    named(data::CONFLUENT_KEY, &["confluent", "secret"], &[Run(BASE64, 64, 64)]),
    named(data::CONFLUENT_KEY, &["ccloud", "secret"], &[Run(BASE64, 64, 64)]),
    named(CONSUL_TOKEN, &["consul", "token"], UUID),
    named(NOMAD_TOKEN, &["nomad", "token"], UUID),
    named(DATADOG_KEY, &["datadog", "key"], HEX_32),
    named(DATADOG_KEY, &["datadog", "key"], &[Run(LOWER_DIGIT, 40, 40)]),
    named(DATADOG_KEY, &["ddapikey"], HEX_32),
    named(DATADOG_KEY, &["ddappkey"], &[Run(LOWER_DIGIT, 40, 40)]),
    named(DATADOG_KEY, &["ddapplicationkey"], &[Run(LOWER_DIGIT, 40, 40)]),
    named(azure::DEVOPS_TOKEN, &["azp"], DEVOPS).by(devops),
    named(azure::DEVOPS_TOKEN, &["devops"], DEVOPS).by(devops),
    named(azure::DEVOPS_TOKEN, &["vsts"], DEVOPS).by(devops),
    named(azure::DEVOPS_TOKEN, &["vssnuget"], DEVOPS).by(devops),
    named(azure::DEVOPS_TOKEN, &["systemaccesstoken"], DEVOPS).by(devops),
    named(azure::DEVOPS_TOKEN, &["pat"], DEVOPS).by(devops_alone),
    named(azure::DEVOPS_TOKEN, &["token"], DEVOPS).by(devops_alone),
    named(azure::DEVOPS_TOKEN, &["password"], DEVOPS).by(devops_alone),
    named(
        DISCORD_TOKEN,
        &["discord"],
        &[
            Run(BASE64URL, 23, 28),
            Is("."),
            Run(BASE64URL, 6, 7),
            Is("."),
            Run(BASE64URL, 27, 40),
        ],
    ),
    named(DISCORD_TOKEN, &["discord", "secret"], &[Run(BASE64URL, 32, 32)]),
    named(DRONE_TOKEN, &["drone", "token"], &[Run(BASE62, 32, 32)]),
    named(DRONE_TOKEN, &["drone", "secret"], &[Run(BASE62, 32, 64)]),
    named(ELASTIC_API_KEY, &["elastic", "key"], &[Run(BASE64, 50, 80), Padding]).by(elastic),
    named(ELASTIC_API_KEY, &["esapikey"], &[Run(BASE64, 50, 80), Padding]).by(elastic),
    named(GITEA_TOKEN, &["gitea", "token"], &[Run(HEX, 40, 40)]),
    named(GITEA_TOKEN, &["forgejo", "token"], &[Run(HEX, 40, 40)]),
    named(HARBOR_SECRET, &["harbor"], &[Run(BASE62, 32, 32)]).by(mixed),
    named(HETZNER_TOKEN, &["hetzner"], &[Run(BASE62, 64, 64)]).by(mixed),
    named(HETZNER_TOKEN, &["hcloud"], &[Run(BASE62, 64, 64)]).by(mixed),
    named(observe::HONEYCOMB_KEY, &["honeycomb", "key"], HEX_32),
    named(observe::HONEYCOMB_KEY, &["honeycombteam"], HEX_32),
    named(observe::HONEYCOMB_KEY, &["honeycomb", "key"], &[Run(BASE62, 22, 22)]).by(mixed),
    named(observe::HONEYCOMB_KEY, &["honeycombteam"], &[Run(BASE62, 22, 22)]).by(mixed),
    named(IBM_KEY, &["ibm", "key"], &[Run(BASE64URL, 44, 44)]),
    named(IBM_KEY, &["iamapikey"], &[Run(BASE64URL, 44, 44)]),
    named(
        INFISICAL_TOKEN,
        &["infisical"],
        &[
            Is("st."),
            Run(HEX.and("-"), 24, 36),
            Is("."),
            Run(HEX, 32, 32),
            Is("."),
            Run(HEX, 32, 32),
        ],
    ),
    named(INFISICAL_TOKEN, &["infisical", "secret"], &[Run(HEX, 64, 64)]),
    named(INFLUXDB_TOKEN, &["influx"], &[Run(BASE64URL, 86, 86), Is("==")]),
    named(JENKINS_TOKEN, &["jenkins", "token"], &[Run(HEX, 32, 34)]),
    named(LINODE_TOKEN, &["linode", "token"], &[Run(HEX, 64, 64)]),
    named(MAILGUN_KEY, &["mailgun"], &[Is("key-"), Run(HEX, 32, 32)]),
    named(
        MAILGUN_KEY,
        &["mailgun"],
        &[Run(HEX, 32, 32), Is("-"), Run(HEX, 8, 8), Is("-"), Run(HEX, 8, 8)],
    ),
    named(MAILGUN_KEY, &["mailgun", "key"], HEX_32),
    named(data::MONGODB_ATLAS_KEY, &["atlas", "privatekey"], UUID),
    named(data::MONGODB_ATLAS_KEY, &["atlas", "apikey"], UUID),
    named(
        observe::NEW_RELIC_KEY,
        &["newrelic"],
        &[Run(ANY_HEX, 36, 36), Is("NRAL")],
    ),
    named(observe::NEW_RELIC_KEY, &["newrelic", "key"], &[Run(ANY_HEX, 40, 40)]),
    named(
        observe::NEW_RELIC_KEY,
        &["nrlicensekey"],
        &[Run(ANY_HEX, 36, 36), Is("NRAL")],
    ),
    named(
        NGROK_TOKEN,
        &["ngrok"],
        &[Run(BASE62, 22, 30), Is("_"), Run(BASE62, 20, 26)],
    ),
    named(OVH_KEY, &["ovh", "secret"], &[Run(BASE62, 32, 32)]),
    named(OVH_KEY, &["ovh", "consumerkey"], &[Run(BASE62, 32, 32)]),
    named(
        REDIS_CLOUD_KEY,
        &["rediscloud"],
        &[Run(LETTER, 1, 1), Run(LOWER_DIGIT, 45, 60)],
    ),
    named(
        REDIS_CLOUD_KEY,
        &["redislabs"],
        &[Run(LETTER, 1, 1), Run(LOWER_DIGIT, 45, 60)],
    ),
    named(SCALEWAY_SECRET, &["scaleway", "secret"], UUID),
    named(SCALEWAY_SECRET, &["scaleway", "token"], UUID),
    named(SCALEWAY_SECRET, &["scwsecret"], UUID),
    named(SNOWFLAKE_TOKEN, &["snowflake"], &[Run(BASE64URL.and("."), 120, 600)]),
    named(SNYK_TOKEN, &["snyk", "token"], UUID),
    named(SPLUNK_TOKEN, &["splunk", "token"], UUID),
    named(SPLUNK_TOKEN, &["hectoken"], UUID),
    named(TELEPORT_TOKEN, &["teleport", "token"], HEX_32),
    named(TWILIO_KEY, &["twilio"], HEX_32),
    named(TWILIO_KEY, &["twilio"], &[Is("SK"), Run(HEX, 32, 32)]),
    named(TWINGATE_TOKEN, &["twingate"], &[Run(BASE64URL, 80, 120)]),
    named(
        platform::VAULT_TOKEN,
        &["vault", "token"],
        &[Is("s."), Run(BASE62, 24, 24)],
    ),
    // A share of a key of 32 bytes has 33.
    named(VAULT_UNSEAL_KEY, &["unseal"], &[Run(BASE64, 44, 44)]).by(mixed),
    named(VAULT_UNSEAL_KEY, &["unseal"], &[Run(HEX, 66, 66)]),
    named(VULTR_KEY, &["vultr"], &[Run(UPPER_DIGIT, 36, 36)]),
];

const DEVOPS: &[Part] = &[Run(LOWER.and("234567"), 52, 52)];

fn devops(candidate: &Candidate<'_>) -> Verdict {
    Verdict::by_checksum(azure::devops(candidate.token))
}

/// Under a name that does not say whose token it is, only the checksum does.
fn devops_alone(candidate: &Candidate<'_>) -> Verdict {
    if azure::devops(candidate.token) {
        Verdict::Proven
    } else {
        Verdict::No
    }
}

/// Base64 of an id of 20 characters and a key of 22.
fn elastic(candidate: &Candidate<'_>) -> Verdict {
    let fits = payload::base64(candidate.token).is_some_and(|bytes| {
        bytes.len() == 43
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                20 => *byte == b':',
                _ => BASE64URL.has(*byte),
            })
    });
    if fits { Verdict::Proven } else { Verdict::No }
}

/// No digest, no name: it has letters of both cases, and digits.
fn mixed(candidate: &Candidate<'_>) -> Verdict {
    let has = |alphabet: Alphabet| alphabet.count(candidate.token) > 0;
    if has(LOWER) && has(UPPER) && has(DIGIT) {
        Verdict::Shaped
    } else {
        Verdict::No
    }
}
