//! Keys of clouds.

use super::alphabet::{BASE32, BASE62, BASE64, BASE64URL, DIGIT, HEX, UPPER_DIGIT};
use super::payload;
use super::shape::Part::{Is, Padding, Run};
use super::shape::shape;
use super::table::{rules, shapes};
use super::verdict::{Candidate, Verdict};

rules! {
    ALIBABA_KEY_ID = "alibaba-access-key-id", "an Alibaba Cloud access key id", ExternalSecret;
    AWS_BEDROCK_KEY = "aws-bedrock-key", "an Amazon Bedrock API key", ProjectedToken;
    AWS_KEY_ID = "aws-access-key-id", "an AWS access key id", ProjectedToken;
    AWS_REGISTRY_TOKEN = "aws-registry-token", "a login token of an Amazon container registry", ExternalSecret;
    AWS_SECRET_KEY = "aws-secret-key", "the secret half of an AWS access key", ProjectedToken;
    AWS_TEMPORARY_KEY_ID = "aws-temporary-key-id", "the id of a temporary AWS access key", ProjectedToken;
    CLOUDFLARE_ORIGIN_KEY = "cloudflare-origin-ca-key", "a Cloudflare Origin CA key", ExternalSecret;
    CLOUDFLARE_TOKEN = "cloudflare-token", "a Cloudflare API token", ExternalSecret;
    DIGITALOCEAN_TOKEN = "digitalocean-token", "a DigitalOcean token", ExternalSecret;
    EXOSCALE_KEY = "exoscale-key", "an Exoscale API key", ExternalSecret;
    GOOGLE_ACCESS_TOKEN = "google-access-token", "a Google OAuth access token", ProjectedToken;
    GOOGLE_API_KEY = "google-api-key", "a Google API key", ExternalSecret;
    GOOGLE_CLIENT_SECRET = "google-client-secret", "a Google OAuth client secret", ExternalSecret;
    GOOGLE_HMAC_KEY_ID = "google-hmac-key-id", "the id of an HMAC key of Google Cloud Storage", ProjectedToken;
    GOOGLE_REFRESH_TOKEN = "google-refresh-token", "a Google OAuth refresh token", ProjectedToken;
    HEROKU_KEY = "heroku-api-key", "a Heroku API key", ExternalSecret;
    SCALEWAY_KEY_ID = "scaleway-access-key-id", "a Scaleway access key id", ExternalSecret;
    UPCLOUD_TOKEN = "upcloud-token", "an UpCloud API token", ExternalSecret;
    YANDEX_KEY = "yandex-key", "a Yandex Cloud key", ExternalSecret;
}

shapes! {
    "AKIA" => shape(AWS_KEY_ID, &[Run(BASE32, 16, 16)]).check(aws_key_id);
    "ABIA" => shape(AWS_KEY_ID, &[Run(BASE32, 16, 16)]).check(aws_key_id);
    "ACCA" => shape(AWS_KEY_ID, &[Run(BASE32, 16, 16)]).check(aws_key_id);
    "ASIA" => shape(AWS_TEMPORARY_KEY_ID, &[Run(BASE32, 16, 16)]).check(aws_key_id);
    // "ABSK", and then base64 of "BedrockAPIKey-".
    "ABSKQmVkcm9ja0FQSUtleS" => shape(AWS_BEDROCK_KEY, &[Run(BASE64, 90, 250), Padding]).check(bedrock);
    // And then base64 of "bedrock.amazonaws.com".
    "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t" =>
        shape(AWS_BEDROCK_KEY, &[Run(BASE64, 100, 4000), Padding]).check(payload::bedrock_short);
    // Base64 of `{"payload":"`.
    "eyJwYXlsb2FkIjoi" =>
        shape(AWS_REGISTRY_TOKEN, &[Run(BASE64, 100, 8000), Padding]).check(payload::amazon_registry);

    "AIza" => shape(GOOGLE_API_KEY, &[Run(BASE64URL, 35, 35)]);
    "AQ.Ab8RN6" => shape(GOOGLE_API_KEY, &[Run(BASE64URL, 44, 44)]);
    "GOCSPX-" => shape(GOOGLE_CLIENT_SECRET, &[Run(BASE64URL, 28, 28)]);
    "1//0" => shape(GOOGLE_REFRESH_TOKEN, &[Run(BASE64URL, 60, 200)]);
    "GOOG1E" => shape(GOOGLE_HMAC_KEY_ID, &[Run(UPPER_DIGIT, 55, 55)]);
    "ya29." => shape(GOOGLE_ACCESS_TOKEN, &[Run(BASE64URL, 60, 2000)]).check(google_access_token);

    "cfk_" => shape(CLOUDFLARE_TOKEN, &[Run(BASE62, 40, 40), Run(HEX, 8, 8)]);
    "cfut_" => shape(CLOUDFLARE_TOKEN, &[Run(BASE62, 40, 40), Run(HEX, 8, 8)]);
    "cfat_" => shape(CLOUDFLARE_TOKEN, &[Run(BASE62, 40, 40), Run(HEX, 8, 8)]);
    "v1.0-" => shape(CLOUDFLARE_ORIGIN_KEY, &[Run(HEX, 24, 24), Is("-"), Run(HEX, 146, 146)]);

    "dop_v1_" => shape(DIGITALOCEAN_TOKEN, &[Run(HEX, 64, 64)]);
    "doo_v1_" => shape(DIGITALOCEAN_TOKEN, &[Run(HEX, 64, 64)]);
    "dor_v1_" => shape(DIGITALOCEAN_TOKEN, &[Run(HEX, 64, 64)]);
    // Ids had 16, 20 and 24 characters over the years.
    "LTAI" => shape(ALIBABA_KEY_ID, &[Run(BASE62, 20, 20)]).check(letters_and_digits),
        shape(ALIBABA_KEY_ID, &[Run(BASE62, 16, 16)]).check(letters_and_digits),
        shape(ALIBABA_KEY_ID, &[Run(BASE62, 12, 12)]).check(letters_and_digits);
    "SCW" => shape(SCALEWAY_KEY_ID, &[Run(UPPER_DIGIT, 17, 17)]).check(letters_and_digits);
    "EXO" => shape(EXOSCALE_KEY, &[Run(BASE62, 24, 30)]).check(letters_and_digits);
    "ucat_" => shape(UPCLOUD_TOKEN, &[Run(BASE62, 24, 32)]);
    "HRKU-AA" => shape(HEROKU_KEY, &[Run(BASE64URL, 58, 58)]);
    "AQVN" => shape(YANDEX_KEY, &[Run(BASE64URL, 35, 38)]);
    "YCAJE" => shape(YANDEX_KEY, &[Run(BASE64URL, 20, 20)]);
}

/// AWS prints ids that end so in its documentation.
fn aws_key_id(candidate: &Candidate<'_>) -> Verdict {
    if candidate.body.ends_with("EXAMPLE") {
        Verdict::Test
    } else {
        Verdict::Shaped
    }
}

fn bedrock(candidate: &Candidate<'_>) -> Verdict {
    let key = payload::base64(&candidate.token["ABSK".len()..]);
    Verdict::by_checksum(key.is_some_and(|key| key.starts_with(b"BedrockAPIKey-")))
}

/// It is given out for an hour, by a metadata server or for a key.
fn google_access_token(candidate: &Candidate<'_>) -> Verdict {
    if candidate.input.limits.token < 3600 {
        Verdict::Shaped
    } else {
        Verdict::No
    }
}

/// A prefix that can begin a word counts only where what follows is no word.
pub(super) fn letters_and_digits(candidate: &Candidate<'_>) -> Verdict {
    let digits = DIGIT.count(candidate.body);
    if digits > 1 && digits < candidate.body.len() {
        Verdict::Shaped
    } else {
        Verdict::No
    }
}

/// The secret half of an AWS key: 40 characters of base64 which change their kind as random ones do. It is neither a
/// path nor a digest.
pub(super) fn aws_secret(input: &crate::hit::Input<'_>) -> Option<crate::hit::Hit> {
    let text = input.text.trim();
    let bytes = text.as_bytes();
    if bytes.len() != 40 || BASE64.run(bytes, 0, 40) != 40 {
        return None;
    }
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let has = |wanted| bytes.iter().any(|byte| kind(*byte) == wanted);
    // Between letters and digits a random one has 22 changes, give or take 3; a path of words far fewer.
    let changes = bytes.windows(2).map(|pair| (kind(pair[0]), kind(pair[1])));
    let changes = changes
        .filter(|(one, other)| one != other && *one != 3 && *other != 3)
        .count();
    if !(has(0) && has(1) && has(2)) || changes < 11 {
        return None;
    }
    let start = input.text.len() - input.text.trim_start().len();
    let candidate = Candidate {
        token: text,
        body: text,
        input,
    };
    let verdict = if text.ends_with("EXAMPLEKEY") {
        Verdict::Test
    } else {
        Verdict::Shaped
    };
    verdict.hit(AWS_SECRET_KEY, start..start + text.len(), &candidate)
}
