//! Tokens of code forges and package registries.

use super::alphabet::{Alphabet, BASE62, BASE64, BASE64URL, DIGIT, HEX, LOWER, LOWER_DIGIT};
use super::checksum;
use super::cloud::letters_and_digits;
use super::payload;
use super::shape::Part::{Is, Padding, Run};
use super::shape::{Part, Shape, shape};
use super::table::{rules, shapes};
use super::verdict::{Candidate, Verdict};

rules! {
    BITBUCKET_TOKEN = "bitbucket-token", "a Bitbucket app password", ExternalSecret;
    CLOJARS_TOKEN = "clojars-token", "a Clojars deploy token", ExternalSecret;
    CRATES_TOKEN = "crates-io-token", "a crates.io token", ExternalSecret;
    DOCKER_HUB_TOKEN = "docker-hub-token", "a Docker Hub access token", ExternalSecret;
    GITHUB_APP_TOKEN = "github-app-token", "a token of a GitHub App", ExternalSecret;
    GITHUB_FINE_GRAINED_TOKEN = "github-fine-grained-token", "a fine-grained GitHub access token", ExternalSecret;
    GITHUB_OAUTH_TOKEN = "github-oauth-token", "a GitHub OAuth token", ExternalSecret;
    GITHUB_TOKEN = "github-token", "a GitHub personal access token", ExternalSecret;
    GITLAB_TOKEN = "gitlab-token", "a GitLab token", ExternalSecret;
    JFROG_KEY = "jfrog-api-key", "a JFrog API key", ExternalSecret;
    JFROG_REFERENCE_TOKEN = "jfrog-reference-token", "a JFrog reference token", ExternalSecret;
    NPM_TOKEN = "npm-token", "an npm access token", ExternalSecret;
    NUGET_KEY = "nuget-api-key", "a NuGet API key", ExternalSecret;
    PYPI_TOKEN = "pypi-token", "a PyPI token", ExternalSecret;
    RUBYGEMS_KEY = "rubygems-api-key", "a RubyGems API key", ExternalSecret;
    SONAR_TOKEN = "sonar-token", "a SonarQube token", ExternalSecret;
    SOURCEGRAPH_TOKEN = "sourcegraph-token", "a Sourcegraph access token", ExternalSecret;
}

shapes! {
    "ghp_" => shape(GITHUB_TOKEN, &[Run(BASE62, 36, 36)]).check(crc);
    "gho_" => shape(GITHUB_OAUTH_TOKEN, &[Run(BASE62, 36, 36)]).check(crc);
    "ghu_" => shape(GITHUB_APP_TOKEN, &[Run(BASE62, 36, 36)]).check(crc);
    // The newer form is a JSON Web Token that ends after an hour.
    "ghs_" => shape(GITHUB_APP_TOKEN, STATELESS).check(payload::claims),
        shape(GITHUB_APP_TOKEN, &[Run(BASE62, 36, 36)]).check(crc);
    "ghr_" => shape(GITHUB_APP_TOKEN, &[Run(BASE62, 36, 36)]).check(crc);
    "github_pat_" =>
        shape(GITHUB_FINE_GRAINED_TOKEN, &[Run(BASE62, 22, 22), Is("_"), Run(BASE62, 59, 59)]).check(fine_grained);
    "npm_" => shape(NPM_TOKEN, &[Run(BASE62, 36, 36)]).check(crc);

    "glpat-" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 20, 20)]), routable(GITLAB_ROUTABLE), routable(GITLAB_VERSIONED);
    "gldt-" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 20, 20)]), routable(GITLAB_ROUTABLE), routable(GITLAB_VERSIONED);
    "glft-" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 20, 20)]), routable(GITLAB_ROUTABLE), routable(GITLAB_VERSIONED);
    "glsoat-" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 20, 20)]), routable(GITLAB_ROUTABLE), routable(GITLAB_VERSIONED);
    "glffct-" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 20, 20)]), routable(GITLAB_ROUTABLE), routable(GITLAB_VERSIONED);
    "glrt-" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 20, 20)]),
        shape(GITLAB_TOKEN, &[Is("t"), Run(DIGIT, 1, 1), Is("_"), Run(BASE64URL, 20, 20)]),
        routable(GITLAB_ROUTABLE), routable(GITLAB_VERSIONED);
    "glcbt-" => shape(GITLAB_TOKEN, &[Run(BASE62, 1, 5), Is("_"), Run(BASE64URL, 20, 20)]),
        routable(GITLAB_ROUTABLE), routable(GITLAB_VERSIONED);
    "glptt-" => shape(GITLAB_TOKEN, &[Run(HEX, 40, 40)]);
    "glagent-" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 50, 50)]), routable(GITLAB_ROUTABLE), routable(GITLAB_VERSIONED);
    "gloas-" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 64, 64)]);
    "glimt-" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 25, 25)]);
    "GR1348941" => shape(GITLAB_TOKEN, &[Run(BASE64URL, 20, 20)]);

    "ATBB" => shape(BITBUCKET_TOKEN, &[Run(BASE62, 32, 32)]);
    // Base64 of what every token of PyPI begins with: version 2, and the location "pypi.org".
    "pypi-AgEIcHlwaS5vcmc" => shape(PYPI_TOKEN, &[Run(BASE64URL, 85, 1000)]).check(payload::pypi);
    // Of its test server.
    "pypi-AgENdGVzdC5weXBpLm9yZw" => shape(PYPI_TOKEN, &[Run(BASE64URL, 85, 1000)]).for_tests();
    "rubygems_" => shape(RUBYGEMS_KEY, &[Run(HEX, 48, 48)]);
    "cio" => shape(CRATES_TOKEN, &[Run(BASE62, 32, 32)]).check(letters_and_digits);
    "oy2" => shape(NUGET_KEY, NUGET);
    "CLOJARS_" => shape(CLOJARS_TOKEN, &[Run(LOWER_DIGIT, 60, 60)]);
    "dckr_pat_" => shape(DOCKER_HUB_TOKEN, &[Run(BASE64URL, 27, 27)]);
    "dckr_oat_" => shape(DOCKER_HUB_TOKEN, &[Run(BASE64URL, 32, 32)]);
    "AKCp" => shape(JFROG_KEY, &[Run(BASE62, 68, 70)]);
    // Base64 of "reftkn:".
    "cmVmdGtuOj" => shape(JFROG_REFERENCE_TOKEN, &[Run(BASE64, 50, 118), Padding]).check(payload::jfrog_reference);
    "squ_" => shape(SONAR_TOKEN, &[Run(HEX, 40, 40)]);
    "sqp_" => shape(SONAR_TOKEN, &[Run(HEX, 40, 40)]);
    "sqa_" => shape(SONAR_TOKEN, &[Run(HEX, 40, 40)]);
    "sgp_" => shape(SOURCEGRAPH_TOKEN, &[Run(HEX, 40, 40)]),
        shape(SOURCEGRAPH_TOKEN, &[Run(HEX, 16, 16), Is("_"), Run(HEX, 40, 40)]);
    "sgp_local_" => shape(SOURCEGRAPH_TOKEN, &[Run(HEX, 40, 40)]);
}

const STATELESS: &[Part] = &[
    Run(BASE64URL, 20, 400),
    Is("."),
    Run(BASE64URL, 20, 2000),
    Is("."),
    Run(BASE64URL, 20, 1000),
];

/// GitLab's routable tokens (`lib/authn/token_field/generator/routable_token.rb`): random bytes and where to route in
/// base64, its length in two digits of base 36, and the CRC-32 of all that in seven.
const GITLAB_ROUTABLE: &[Part] = &[Run(BASE64URL, 27, 300), Is("."), Run(LOWER_DIGIT, 9, 9)];
/// The same with a version between them.
const GITLAB_VERSIONED: &[Part] = &[
    Run(BASE64URL, 27, 300),
    Is("."),
    Run(LOWER_DIGIT, 2, 2),
    Is("."),
    Run(LOWER_DIGIT, 9, 9),
];

/// The bits that base 32 leaves no choice in.
const NUGET: &[Part] = &[
    Run(LOWER_A_TO_P, 1, 1),
    Run(BASE32_LOWER, 15, 15),
    Run(Alphabet::of("aq"), 1, 1),
    Run(BASE32_LOWER, 11, 11),
    Run(Alphabet::of("eu"), 1, 1),
    Run(Alphabet::of("bdfhjlnprtvxz357"), 1, 1),
    Run(LOWER_A_TO_P, 1, 1),
    Run(BASE32_LOWER, 11, 11),
    Run(Alphabet::of("aeimquy4"), 1, 1),
];
const LOWER_A_TO_P: Alphabet = Alphabet::of("abcdefghijklmnop");
const BASE32_LOWER: Alphabet = LOWER.and("234567");

const fn routable(parts: &'static [Part]) -> Shape {
    shape(GITLAB_TOKEN, parts).check(|candidate| {
        let fits = candidate.token.len().checked_sub(7).is_some_and(|end| {
            let (data, crc) = candidate.token.split_at(end);
            u32::from_str_radix(crc, 36) == Ok(crc32fast::hash(data.as_bytes()))
        });
        Verdict::by_checksum(fits)
    })
}

/// 30 characters and the CRC-32 of them in six digits of base 62.
fn crc(candidate: &Candidate<'_>) -> Verdict {
    let (data, crc) = candidate.body.split_at(30);
    Verdict::by_checksum(checksum::crc32_base62(data).as_slice() == crc.as_bytes())
}

/// GitHub has not said that these end with a checksum, so one that does not fit says nothing.
fn fine_grained(candidate: &Candidate<'_>) -> Verdict {
    let (data, crc) = candidate.body.split_at(candidate.body.len() - 6);
    Verdict::for_checksum(checksum::crc32_base62(data).as_slice() == crc.as_bytes())
}
