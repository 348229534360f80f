//! Tokens of platforms: secret stores, orchestration, networks, continuous integration.

use super::alphabet::{BASE62, BASE64, BASE64URL, DIGIT, HEX, LOWER_DIGIT, UPPER_DIGIT};
use super::payload;
use super::shape::Part::{Is, Padding, Run};
use super::shape::{Part, shape};
use super::table::{rules, shapes};
use super::verdict::{Candidate, Verdict};

rules! {
    BUILDKITE_TOKEN = "buildkite-token", "a Buildkite token", ExternalSecret;
    CIRCLECI_TOKEN = "circleci-token", "a CircleCI token", ExternalSecret;
    CLOUDFLARE_TUNNEL_TOKEN = "cloudflare-tunnel-token", "the token of a Cloudflare tunnel", ExternalSecret;
    DENO_TOKEN = "deno-token", "a Deno Deploy token", ExternalSecret;
    DOPPLER_TOKEN = "doppler-token", "a Doppler token", ExternalSecret;
    FLY_TOKEN = "fly-token", "a Fly.io access token", ExternalSecret;
    HARNESS_TOKEN = "harness-token", "a Harness token", ExternalSecret;
    INFRACOST_KEY = "infracost-key", "an Infracost API key", ExternalSecret;
    ONE_PASSWORD_KEY = "1password-secret-key", "a 1Password secret key", ExternalSecret;
    ONE_PASSWORD_TOKEN = "1password-token", "the token of a 1Password service account", ExternalSecret;
    OPENSHIFT_TOKEN = "openshift-token", "an OpenShift access token", ProjectedToken;
    PASERK_KEY = "paserk-key", "a secret PASETO key", ExternalSecret;
    PASETO_TOKEN = "paseto-token", "a PASETO token", TokenClient;
    PORTAINER_TOKEN = "portainer-token", "a Portainer access token", ExternalSecret;
    PREFECT_KEY = "prefect-key", "a Prefect API key", ExternalSecret;
    PULUMI_TOKEN = "pulumi-token", "a Pulumi access token", ExternalSecret;
    RANCHER_TOKEN = "rancher-token", "a Rancher API token", ProjectedToken;
    SWARM_TOKEN = "swarm-join-token", "a Docker Swarm join token", ExternalSecret;
    TAILSCALE_KEY = "tailscale-key", "a Tailscale key", ExternalSecret;
    TERRAFORM_TOKEN = "terraform-token", "an HCP Terraform token", ExternalSecret;
    VAULT_TOKEN = "vault-token", "a Vault token", ProjectedToken;
    VERCEL_TOKEN = "vercel-token", "a Vercel token", ExternalSecret;
}

shapes! {
    "hvs." => shape(VAULT_TOKEN, &[Run(BASE64URL, 90, 120)]), shape(VAULT_TOKEN, &[Run(BASE62, 24, 24)]);
    "hvb." => shape(VAULT_TOKEN, &[Run(BASE64URL, 138, 400)]);
    "hvr." => shape(VAULT_TOKEN, &[Run(BASE64URL, 90, 300)]), shape(VAULT_TOKEN, &[Run(BASE62, 24, 24)]);
    ".atlasv1." => shape(TERRAFORM_TOKEN, &[Run(BASE64URL.and("="), 60, 70)]).before(BASE62, 14, 14);

    "sha256~" => shape(OPENSHIFT_TOKEN, &[Run(BASE64URL, 43, 43)]);
    "token-" => shape(RANCHER_TOKEN, &[Run(LOWER_DIGIT, 5, 5), Is(":"), Run(LOWER_DIGIT, 54, 54)]);
    "kubeconfig-u" => shape(RANCHER_TOKEN, &[Run(LOWER_DIGIT.and("-"), 6, 24), Is(":"), Run(LOWER_DIGIT, 54, 54)]);
    "ptr_" => shape(PORTAINER_TOKEN, &[Run(BASE64, 43, 43), Is("=")]);
    "SWMTKN-1-" => shape(SWARM_TOKEN, &[Run(LOWER_DIGIT, 50, 50), Is("-"), Run(LOWER_DIGIT, 25, 25)]);

    "tskey-" =>
        shape(TAILSCALE_KEY, &[Run(LOWER_DIGIT, 3, 8), Is("-"), Run(BASE62, 10, 30), Is("-"), Run(BASE62, 20, 60)]),
        shape(TAILSCALE_KEY, &[Run(BASE62, 10, 20), Is("-"), Run(BASE62, 20, 60)]);
    // Base64 of `{"a":"`.
    "eyJhIjoi" => shape(CLOUDFLARE_TUNNEL_TOKEN, &[Run(BASE64, 120, 400), Padding]).check(payload::cloudflare_tunnel);

    "CCIPAT_" => shape(CIRCLECI_TOKEN, &[Run(BASE62, 22, 22), Is("_"), Run(HEX, 40, 40)]);
    "CCIPRJ_" => shape(CIRCLECI_TOKEN, &[Run(BASE62, 22, 22), Is("_"), Run(HEX, 40, 40)]);
    "bkua_" => shape(BUILDKITE_TOKEN, &[Run(HEX, 40, 40)]);
    "bkct_" => shape(BUILDKITE_TOKEN, &[Run(BASE62, 40, 60)]);
    "pul-" => shape(PULUMI_TOKEN, &[Run(HEX, 40, 40)]);
    "dp.pt." => shape(DOPPLER_TOKEN, &[Run(BASE62, 40, 44)]);
    "dp.ct." => shape(DOPPLER_TOKEN, &[Run(BASE62, 40, 44)]);
    "dp.sa." => shape(DOPPLER_TOKEN, &[Run(BASE62, 40, 44)]);
    "dp.scim." => shape(DOPPLER_TOKEN, &[Run(BASE62, 40, 44)]);
    "dp.audit." => shape(DOPPLER_TOKEN, &[Run(BASE62, 40, 44)]);
    "dp.st." => shape(DOPPLER_TOKEN, &[Run(BASE64URL, 2, 35), Is("."), Run(BASE62, 40, 44)]),
        shape(DOPPLER_TOKEN, &[Run(BASE62, 40, 44)]);
    "ops_eyJ" => shape(ONE_PASSWORD_TOKEN, &[Run(BASE64, 250, 4000), Padding]).check(one_password);
    "A3-" => shape(ONE_PASSWORD_KEY, SECRET_KEY), shape(ONE_PASSWORD_KEY, OLDER_SECRET_KEY);
    "pat." => shape(HARNESS_TOKEN, HARNESS);
    "sat." => shape(HARNESS_TOKEN, HARNESS);
    "ico-" => shape(INFRACOST_KEY, &[Run(BASE62, 32, 32)]);
    "pnu_" => shape(PREFECT_KEY, &[Run(BASE62, 36, 36)]);
    "pnb_" => shape(PREFECT_KEY, &[Run(BASE62, 36, 36)]);
    "ddp_" => shape(DENO_TOKEN, &[Run(BASE62, 36, 36)]);
    "FlyV1 fm" =>
        shape(FLY_TOKEN, &[Run(DIGIT, 1, 1), Run(LOWER_DIGIT, 0, 1), Is("_"), Run(BASE64, 100, 3000), Padding]);
    "vcp_" => shape(VERCEL_TOKEN, &[Run(BASE62, 56, 56)]);
    "vci_" => shape(VERCEL_TOKEN, &[Run(BASE62, 56, 56)]);
    "vca_" => shape(VERCEL_TOKEN, &[Run(BASE62, 56, 56)]);
    "vcr_" => shape(VERCEL_TOKEN, &[Run(BASE62, 56, 56)]);
    "vck_" => shape(VERCEL_TOKEN, &[Run(BASE62, 56, 56)]);

    // Keys of PASETO (paserk specification): of 32 bytes, 48 bytes, 64 bytes.
    "k1.local." => shape(PASERK_KEY, &[Run(BASE64URL, 43, 43)]);
    "k2.local." => shape(PASERK_KEY, &[Run(BASE64URL, 43, 43)]);
    "k3.local." => shape(PASERK_KEY, &[Run(BASE64URL, 43, 43)]);
    "k4.local." => shape(PASERK_KEY, &[Run(BASE64URL, 43, 43)]);
    "k1.secret." => shape(PASERK_KEY, &[Run(BASE64URL, 1500, 1700)]);
    "k2.secret." => shape(PASERK_KEY, &[Run(BASE64URL, 86, 86)]);
    "k3.secret." => shape(PASERK_KEY, &[Run(BASE64URL, 64, 64)]);
    "k4.secret." => shape(PASERK_KEY, &[Run(BASE64URL, 86, 86)]);
    "v1.public." => shape(PASETO_TOKEN, &[Run(BASE64URL, 343, 8000)]).check(payload::paseto);
    "v2.public." => shape(PASETO_TOKEN, &[Run(BASE64URL, 88, 8000)]).check(payload::paseto);
    "v3.public." => shape(PASETO_TOKEN, &[Run(BASE64URL, 130, 8000)]).check(payload::paseto);
    "v4.public." => shape(PASETO_TOKEN, &[Run(BASE64URL, 88, 8000)]).check(payload::paseto);
    "v1.local." => shape(PASETO_TOKEN, &[Run(BASE64URL, 109, 8000)]);
    "v2.local." => shape(PASETO_TOKEN, &[Run(BASE64URL, 56, 8000)]);
    "v3.local." => shape(PASETO_TOKEN, &[Run(BASE64URL, 110, 8000)]);
    "v4.local." => shape(PASETO_TOKEN, &[Run(BASE64URL, 88, 8000)]);
}

const SECRET_KEY: &[Part] = &[
    Run(UPPER_DIGIT, 6, 6),
    Is("-"),
    Run(UPPER_DIGIT, 6, 6),
    Is("-"),
    Run(UPPER_DIGIT, 5, 5),
    Is("-"),
    Run(UPPER_DIGIT, 5, 5),
    Is("-"),
    Run(UPPER_DIGIT, 5, 5),
    Is("-"),
    Run(UPPER_DIGIT, 5, 5),
];
const OLDER_SECRET_KEY: &[Part] = &[
    Run(UPPER_DIGIT, 6, 6),
    Is("-"),
    Run(UPPER_DIGIT, 11, 11),
    Is("-"),
    Run(UPPER_DIGIT, 5, 5),
    Is("-"),
    Run(UPPER_DIGIT, 5, 5),
    Is("-"),
    Run(UPPER_DIGIT, 5, 5),
];
const HARNESS: &[Part] = &[
    Run(BASE64URL, 22, 22),
    Is("."),
    Run(HEX, 24, 24),
    Is("."),
    Run(BASE62, 20, 20),
];

/// Its JSON begins within the literal.
fn one_password(candidate: &Candidate<'_>) -> Verdict {
    payload::one_password(&Candidate {
        body: candidate.token.trim_start_matches("ops_"),
        ..*candidate
    })
}
