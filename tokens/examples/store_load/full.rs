//! What use leaves in a database: a day's, and that of months.

use countersign_runtime::clock;

use crate::postgres::Server;
use crate::{ISSUER, NOW};

/// How much is in a database.
pub struct Content {
    /// Families, each with a live refresh token.
    pub tokens: u32,
    pub revocations: u32,
}

impl Content {
    /// Little, and enough to be planned for in the same way: a table of a page or two is read whole.
    pub const SMALL: Self = Self {
        tokens: 10_000,
        revocations: 1_000,
    };

    /// Puts it there, as if it had come one by one, and leaves nothing of that for the server to do.
    pub fn put(&self, server: &Server, database: &str) {
        let begin = clock::instant();
        // What is thrown away if it fails needs no protection meanwhile.
        for sql in [
            "ALTER SYSTEM SET full_page_writes = off",
            "ALTER SYSTEM SET max_wal_size = '8GB'",
            "SELECT pg_reload_conf()",
        ] {
            server.sql(database, sql);
        }
        for sql in self.statements() {
            server.sql(database, &sql);
        }
        for sql in [
            "ALTER SYSTEM RESET ALL",
            "SELECT pg_reload_conf()",
            "VACUUM ANALYZE",
            "CHECKPOINT",
        ] {
            server.sql(database, sql);
        }
        let size = format!("SELECT pg_size_pretty(pg_database_size('{database}'))");
        let size = server.sql(database, &size);
        println!(
            "{database}: {} refresh tokens and {} revocations take {size}; they were put there in {:.0?}",
            self.tokens,
            self.revocations,
            begin.elapsed()
        );
    }

    fn statements(&self) -> [String; 4] {
        let (tokens, revocations) = (self.tokens, self.revocations);
        let id = "substring(sha256(('family ' || n)::bytea) for 16)";
        [
            format!(
                "INSERT INTO families (id, issuer, client, subject, data, created_at, absolute_end, forget_at) \
                 SELECT {id}, '{ISSUER}', 'shop/' || n % 100, 'user ' || n, '{{\"scope\":\"orders:read\"}}', {NOW}, \
                 {NOW} + 1000000, {NOW} + 1086400 FROM generate_series(1, {tokens}) n"
            ),
            format!(
                "INSERT INTO refresh_tokens (digest, family, ends_at) SELECT sha256(('token ' || n)::bytea), {id}, \
                 {NOW} + 1000 + n % 100000 FROM generate_series(1, {tokens}) n"
            ),
            format!(
                "INSERT INTO revocations (issuer, kind, value, revoked_at, ends_at, sequence) \
                 SELECT '{ISSUER}', 1, 'jti ' || n, {NOW}, {NOW} + 1000 + n % 3600, n \
                 FROM generate_series(1, {revocations}) n"
            ),
            format!("INSERT INTO counters (issuer, name, value) VALUES ('{ISSUER}', 'revocations', {revocations})"),
        ]
    }
}
