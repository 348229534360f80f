//! Keys of databases and data platforms.

use super::alphabet::{BASE62, BASE64, BASE64URL, DIGIT, HEX, LOWER_DIGIT};
use super::shape::Part::{Is, Run};
use super::shape::shape;
use super::table::{rules, shapes};
use super::verdict::{Candidate, Verdict};

rules! {
    CLICKHOUSE_KEY = "clickhouse-key", "a ClickHouse Cloud API key", ExternalSecret;
    COCKROACH_KEY = "cockroachdb-key", "a CockroachDB Cloud API key", ExternalSecret;
    CONFLUENT_KEY = "confluent-key", "a Confluent Cloud API secret", ExternalSecret;
    DATABRICKS_TOKEN = "databricks-token", "a Databricks access token", ExternalSecret;
    MONGODB_ATLAS_KEY = "mongodb-atlas-key", "a MongoDB Atlas key", ExternalSecret;
    NEON_KEY = "neon-key", "a Neon API key", ExternalSecret;
    PLANETSCALE_TOKEN = "planetscale-token", "a PlanetScale password or token", ExternalSecret;
    SUPABASE_KEY = "supabase-key", "a Supabase secret key", ExternalSecret;
}

shapes! {
    "dapi" => shape(DATABRICKS_TOKEN, &[Run(HEX, 32, 32), Is("-"), Run(DIGIT, 1, 1)]),
        shape(DATABRICKS_TOKEN, &[Run(HEX, 32, 32)]);
    "dose" => shape(DATABRICKS_TOKEN, &[Run(HEX, 32, 32)]);
    "mdb_sa_sk_" => shape(MONGODB_ATLAS_KEY, &[Run(BASE64URL, 40, 40)]);
    "4b1d" => shape(CLICKHOUSE_KEY, &[Run(BASE62, 38, 38)]).check(no_digest);
    "pscale_pw_" => shape(PLANETSCALE_TOKEN, &[Run(BASE64URL.and("=."), 32, 64)]);
    "pscale_tkn_" => shape(PLANETSCALE_TOKEN, &[Run(BASE64URL.and("=."), 32, 64)]);
    "pscale_oauth_" => shape(PLANETSCALE_TOKEN, &[Run(BASE64URL.and("=."), 32, 64)]);
    "sbp_" => shape(SUPABASE_KEY, &[Run(LOWER_DIGIT, 40, 40)]);
    "sb_secret_" => shape(SUPABASE_KEY, &[Run(BASE64URL, 31, 31)]);
    "napi_" => shape(NEON_KEY, &[Run(LOWER_DIGIT, 60, 70)]);
    "cflt" => shape(CONFLUENT_KEY, &[Run(BASE64, 60, 60)]);
    "CCDB1_" => shape(COCKROACH_KEY, &[Run(BASE62, 22, 22), Is("_"), Run(BASE62, 40, 40)]);
}

/// It begins as a digest in hexadecimal can.
fn no_digest(candidate: &Candidate<'_>) -> Verdict {
    if HEX.count(candidate.body) == candidate.body.len() {
        Verdict::No
    } else {
        Verdict::Shaped
    }
}
