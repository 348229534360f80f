//! A store that is full: what months of use leave in it.

use countersign_runtime::clock;

use crate::requests::{CLIENT, ORDERS};
use crate::rig::store::postgres::Server;

/// How much is in it.
pub struct Many {
    /// Families, each with a live refresh token.
    pub families: u64,
    /// Revocations of single tokens.
    pub revocations: u64,
    /// Whose they are.
    pub issuer: String,
}

impl Many {
    /// Puts it there, as PostgreSQL does it fastest. The families that the server makes have names of positive numbers.
    pub fn put(&self, server: &Server, database: &str) {
        let now = clock::now().as_second();
        let (issuer, families, revocations) = (&self.issuer, self.families, self.revocations);
        server.sql(
            database,
            &format!(
                r#"INSERT INTO families (id, issuer, client, subject, data, created_at, absolute_end, forget_at)
                SELECT substr(sha256(int8send(-n)), 1, 16), '{issuer}', '{CLIENT}', 'user:' || n,
                  '{{"audience":"{ORDERS}","scopes":["orders.read"],"authTime":{now},"subject":"user:' || n || '","key":null}}',
                  {now} - n % 86400, {now} + 86400 + n % 2592000, {now} + 172800 + n % 2592000
                FROM generate_series(1::bigint, {families}) n"#
            ),
        );
        server.sql(
            database,
            &format!(
                "INSERT INTO refresh_tokens (digest, family, ends_at)
                SELECT sha256(int8send(n)), substr(sha256(int8send(-n)), 1, 16), {now} + 3600 + n % 86400
                FROM generate_series(1::bigint, {families}) n"
            ),
        );
        server.sql(
            database,
            &format!(
                "INSERT INTO revocations (issuer, kind, value, revoked_at, ends_at, sequence)
                SELECT '{issuer}', 1, encode(substr(sha256(int8send(n)), 1, 16), 'base64'), {now}, {now} + 600 + n % 3600, n
                FROM generate_series(1::bigint, {revocations}) n"
            ),
        );
        server.sql(database, "ANALYZE");
        server.sql(database, "CHECKPOINT");
    }
}
