//! Keys of services that observe.

use super::alphabet::{ANY_HEX, BASE32, BASE62, BASE64, BASE64URL, HEX, LOWER_DIGIT, UPPER_DIGIT};
use super::payload;
use super::shape::Part::{Is, Padding, Run};
use super::shape::{Part, shape};
use super::table::{rules, shapes};
use super::verdict::{Candidate, Verdict};

rules! {
    DYNATRACE_TOKEN = "dynatrace-token", "a Dynatrace API token", ExternalSecret;
    ELASTIC_KEY = "elastic-cloud-key", "an Elastic Cloud API key", ExternalSecret;
    GRAFANA_CLOUD_TOKEN = "grafana-cloud-token", "a Grafana Cloud access token", ExternalSecret;
    GRAFANA_TOKEN = "grafana-token", "a Grafana service-account token", ExternalSecret;
    HONEYCOMB_KEY = "honeycomb-key", "a Honeycomb API key", ExternalSecret;
    NEW_RELIC_KEY = "new-relic-key", "a New Relic key", ExternalSecret;
    POSTHOG_KEY = "posthog-key", "a PostHog personal API key", ExternalSecret;
}

shapes! {
    "glsa_" => shape(GRAFANA_TOKEN, &[Run(BASE62, 32, 32), Is("_"), Run(ANY_HEX, 8, 8)]).check(grafana);
    "glc_" => shape(GRAFANA_CLOUD_TOKEN, &[Run(BASE64, 60, 500), Padding]).check(payload::grafana_cloud);
    "NRAK-" => shape(NEW_RELIC_KEY, &[Run(UPPER_DIGIT, 27, 27)]);
    "NRII-" => shape(NEW_RELIC_KEY, &[Run(BASE64URL, 32, 32)]);
    "NRIQ-" => shape(NEW_RELIC_KEY, &[Run(BASE64URL, 32, 32)]);
    "NRRA-" => shape(NEW_RELIC_KEY, &[Run(HEX, 42, 42)]);
    "dt0c01." => shape(DYNATRACE_TOKEN, DYNATRACE);
    "dt0s01." => shape(DYNATRACE_TOKEN, DYNATRACE);
    "dt0s02." => shape(DYNATRACE_TOKEN, &[Run(BASE32.and("0189"), 8, 8), Is("."), Run(BASE32.and("0189"), 64, 64)]);
    "dt0s16." => shape(DYNATRACE_TOKEN, DYNATRACE);
    "hcaik_" => shape(HONEYCOMB_KEY, &[Run(LOWER_DIGIT, 58, 58)]);
    "hcbik_" => shape(HONEYCOMB_KEY, &[Run(LOWER_DIGIT, 58, 58)]);
    "hcamk_" => shape(HONEYCOMB_KEY, &[Run(LOWER_DIGIT, 58, 58)]);
    "essu_" => shape(ELASTIC_KEY, &[Run(BASE64URL, 60, 200), Padding]);
    "phx_" => shape(POSTHOG_KEY, &[Run(BASE62, 43, 48)]);
}

const DYNATRACE: &[Part] = &[Run(UPPER_DIGIT, 24, 24), Is("."), Run(UPPER_DIGIT, 64, 64)];

/// It ends with the CRC-32 of all before, as hexadecimal digits of its bytes from the lowest.
fn grafana(candidate: &Candidate<'_>) -> Verdict {
    let fits = candidate.token.rsplit_once('_').is_some_and(|(data, crc)| {
        let kept = u32::from_str_radix(crc, 16).map(u32::swap_bytes);
        kept == Ok(crc32fast::hash(data.as_bytes()))
    });
    Verdict::by_checksum(fits)
}
