-- One schema for SQLite and PostgreSQL. SQLite takes any name for a type: BYTEA holds blobs there, BIGINT integers.
-- A line that begins with "-- sqlite:" is for SQLite alone. Times are whole seconds since 1970; digests are SHA-256.
-- What ends has an index on its end, so that sweeping never reads a whole table.

-- What may be used once: assertions, DPoP proofs.
CREATE TABLE used_values (
    kind BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (kind, digest)
)
-- sqlite: WITHOUT ROWID
;
CREATE INDEX used_values_ends_at ON used_values (ends_at);

-- What waits to be taken: pushed authorization requests, sign-ins under way.
CREATE TABLE pending (
    kind BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    value TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (kind, digest)
);
CREATE INDEX pending_ends_at ON pending (ends_at);

-- Authorization codes. They are remembered past their end, so that a replay is known for what it is.
CREATE TABLE codes (
    digest BYTEA NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    forget_at BIGINT NOT NULL,
    redeemed_at BIGINT,
    replayed_at BIGINT,
    family BYTEA
);
CREATE INDEX codes_forget_at ON codes (forget_at);

-- What was issued from one sign-in. No column changes when a refresh token is rotated, so that the indices stay as they are.
CREATE TABLE families (
    id BYTEA NOT NULL PRIMARY KEY,
    issuer TEXT NOT NULL,
    client TEXT NOT NULL,
    subject TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    absolute_end BIGINT NOT NULL,
    forget_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX families_subject ON families (issuer, subject);
CREATE INDEX families_client ON families (issuer, client);
CREATE INDEX families_forget_at ON families (forget_at);

-- Refresh tokens, each until its own idle end: used ones are known as used until then. There is no foreign key, because its
-- cascade would need one more index on the largest table: no token ends after its family is forgotten, and one without a
-- family is unknown.
CREATE TABLE refresh_tokens (
    digest BYTEA NOT NULL PRIMARY KEY,
    family BYTEA NOT NULL,
    ends_at BIGINT NOT NULL,
    used_at BIGINT,
    used_key TEXT,
    successor BYTEA
)
-- sqlite: WITHOUT ROWID
;
CREATE INDEX refresh_tokens_ends_at ON refresh_tokens (ends_at);

-- Opaque access tokens.
CREATE TABLE access_tokens (
    digest BYTEA NOT NULL PRIMARY KEY,
    claims TEXT NOT NULL,
    family BYTEA,
    ends_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX access_tokens_ends_at ON access_tokens (ends_at);

-- What is revoked before its end. The sequence comes from a row of `counters` that stays locked until the entry can be seen.
CREATE TABLE revocations (
    issuer TEXT NOT NULL,
    kind BIGINT NOT NULL,
    value TEXT NOT NULL,
    issued_before BIGINT,
    revoked_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (issuer, kind, value)
);
CREATE UNIQUE INDEX revocations_sequence ON revocations (issuer, sequence);
CREATE INDEX revocations_ends_at ON revocations (ends_at);

CREATE TABLE counters (
    issuer TEXT NOT NULL,
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (issuer, name)
);

CREATE TABLE clients (
    issuer TEXT NOT NULL,
    client TEXT NOT NULL,
    last_used BIGINT NOT NULL,
    PRIMARY KEY (issuer, client)
);
