//! What a name asks for: `DB_PASSWORD` a password, `passwordFile` a path, `topologyKey` nothing.

use super::words::{MOST, Words};

/// What kind of secret a name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Password,
    Token,
    ApiKey,
    Secret,
    ClientSecret,
    Signing,
    /// An `Authorization` header: the scheme stands before the credential.
    Authorization,
    /// A user and a password with a colon between them.
    BasicAuth,
    /// A hash of a password.
    Hash,
}

/// How much the name alone says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    /// Any literal is a secret, also `mysql`: `password`, `CLIENT_SECRET`.
    Certain,
    /// A literal is a secret unless it could be the name of an object: `apiKey`, `S3_SECRET`.
    Probable,
    /// The same, but names are so common there that they are nothing to speak of: `secretKey: db-password`, `token`.
    Nameable,
    /// Only what looks random is a secret: `secret` and `credentials` mostly hold the name of a Secret or a file.
    Ambiguous,
}

/// What a name asks for, and how clearly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub kind: Kind,
    pub strength: Strength,
}

const fn asked(kind: Kind, strength: Strength) -> Asked {
    Asked { kind, strength }
}

/// The first two letters of each part that a name must have to ask for a secret.
const STARTS: [&[u8; 2]; 11] = [
    b"pa", b"pw", b"ps", b"se", b"sa", b"to", b"ke", b"cr", b"co", b"au", b"be",
];

/// For the first of them, the second ones as bits. Letters of both cases have the same five low bits.
static PAIRS: [u32; 32] = {
    let mut table = [0; 32];
    let mut at = 0;
    while at < STARTS.len() {
        table[(STARTS[at][0] & 31) as usize] |= 1 << (STARTS[at][1] & 31);
        at += 1;
    }
    table
};

/// Whether a name may ask for a secret at all: one pass, nothing kept. The judgement is [`judge`]'s.
pub(super) fn may_name_secret(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.windows(2).enumerate().any(|(at, pair)| {
        PAIRS[usize::from(pair[0] & 31)] & (1 << (pair[1] & 31)) != 0 && begins_with_stem(&bytes[at..])
    })
}

fn begins_with_stem(bytes: &[u8]) -> bool {
    let letter = |at: usize| bytes.get(at).map_or(0, |byte| byte | 0x20);
    let rest = |rest: &[u8]| {
        bytes
            .get(3..3 + rest.len())
            .is_some_and(|there| there.eq_ignore_ascii_case(rest))
    };
    match [letter(0), letter(1), letter(2)] {
        [b'p', b'w', _] => true,
        [b'p', b'a', b's'] => rest(b"s"),
        [b's', b'e', b'c'] => rest(b"ret"),
        [b't', b'o', b'k'] => rest(b"en"),
        [b'c', b'r', b'e'] => rest(b"d"),
        [b'a', b'u', b't'] => rest(b"h"),
        [b'c', b'o', b'o'] => rest(b"kie"),
        [b's', b'a', b'l'] => rest(b"t"),
        [b'b', b'e', b'a'] => rest(b"rer"),
        [b'k', b'e', b'y'] | [b'p', b's', b'k'] | [b'p', b'a', b't'] => true,
        _ => false,
    }
}

/// Words that say that the name is about what to do, not the secret: `ALLOW_EMPTY_PASSWORD`.
#[rustfmt::skip]
const VERBS: &[&str] = &[
    "allow", "allowed", "enable", "enabled", "disable", "disabled", "require", "requires", "required", "use", "uses",
    "has", "is", "generate", "automount", "existing", "min", "max", "num", "skip", "ignore", "mask", "redact",
    "inject", "checksum",
];

/// The same, where they come first: `CHANGE_PASSWORD`, but `PRICE_CHANGE_PASSWORD` belongs to a service.
#[rustfmt::skip]
const LEADING_VERBS: &[&str] = &[
    "change", "reset", "forgot", "forgotten", "no", "show", "hide", "update", "validate", "expire", "rotate",
    "support", "supports", "prompt", "ask", "remember", "without", "confirm",
];

/// Words after the secret's own that do not change what the name asks for: `ADMIN_PASSWORD_DEFAULT`, `tokenValue`.
#[rustfmt::skip]
const TAILS: &[&str] = &[
    "value", "plain", "plaintext", "clear", "cleartext", "raw", "literal", "default", "b64", "base64", "encoded",
    "prod", "production", "dev", "development", "test", "testing", "stage", "staging", "qa", "old", "new", "current",
    "previous", "primary", "secondary", "override", "again", "confirmation", "only", "v1", "v2",
];

/// What a name asks for, if it asks for a secret. The last words decide: `passwordSecretName` asks for a name.
pub(super) fn judge(name: &str) -> Option<Asked> {
    let words = Words::of(name);
    let mut buffer = [""; MOST];
    let mut list = words.list(&mut buffer);
    while list.len() > 1 && TAILS.contains(&list[list.len() - 1]) {
        list = &list[..list.len() - 1];
    }
    let (end, before) = list.split_last()?;
    // `X-Amz-Credential` of a presigned URL is the key's id and its scope.
    if matches!(before.last(), Some(&("amz" | "goog"))) && matches!(*end, "credential" | "credentials") {
        return None;
    }
    if before.iter().any(|word| VERBS.contains(word)) || before.first().is_some_and(|word| LEADING_VERBS.contains(word))
    {
        return None;
    }
    judge_last(
        end.trim_end_matches(|digit: char| digit.is_ascii_digit()),
        before,
        words.shouts,
    )
}

fn judge_last(last: &str, before: &[&str], shouts: bool) -> Option<Asked> {
    let previous = before.last().copied().unwrap_or_default();
    if is_password(last, previous, shouts) {
        return Some(asked(Kind::Password, Strength::Certain));
    }
    match last {
        "secret" => Some(secret(previous, before, shouts)),
        "token" => token(previous, before, shouts),
        "key" => key(previous, before, shouts),
        "secrets" | "tokens" | "keys" | "credential" | "credentials" | "cred" | "creds" => plural(last, previous),
        "auth" | "basicauth" | "userpass" | "htpasswd" => Some(auth(last, previous, shouts)),
        "authorization" if matches!(previous, "" | "proxy" | "x" | "header" | "headers") => {
            Some(asked(Kind::Authorization, Strength::Nameable))
        }
        "bearer" | "pat" => Some(asked(Kind::Token, Strength::Ambiguous)),
        "cookie" if previous == "erlang" => Some(asked(Kind::Secret, Strength::Certain)),
        "base" if before.ends_with(&["secret", "key"]) => Some(asked(Kind::Signing, Strength::Certain)),
        "salt" => Some(asked(Kind::Signing, Strength::Ambiguous)),
        "psk" => Some(asked(Kind::Secret, Strength::Probable)),
        "hash" | "hashed" | "md" | "sha" | "bcrypt" | "digest" | "encrypted" if is_password(previous, "", shouts) => {
            Some(asked(Kind::Hash, Strength::Ambiguous))
        }
        _ => joined(last, shouts),
    }
}

/// One word without a seam: `authtoken`, `clientsecret`, `secretkey`.
fn joined(last: &str, shouts: bool) -> Option<Asked> {
    if let Some(stem) = last.strip_suffix("token") {
        return token(stem, &[stem], shouts);
    }
    if let Some(stem) = last.strip_suffix("secret") {
        return Some(secret(stem, &[stem], shouts));
    }
    let stem = last.strip_suffix("key").filter(|stem| KEY_WORDS.contains(stem))?;
    key(stem, &[stem], shouts)
}

/// Words that end like `pass` and are none.
const NO_PASS: &[&str] = &[
    "bypass",
    "compass",
    "encompass",
    "trespass",
    "surpass",
    "underpass",
    "overpass",
    "passpass",
];

/// What forwards a request in a web server's configuration: `proxy_pass http://backend`.
#[rustfmt::skip]
const FORWARDS: &[&str] = &[
    "proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached", "first", "second", "single", "multi",
];

fn is_password(last: &str, previous: &str, shouts: bool) -> bool {
    match last {
        "pass" => shouts || !FORWARDS.contains(&previous),
        "word" | "phrase" | "wd" | "code" => previous == "pass",
        "pw" | "masterauth" | "passphrase" | "passcode" | "passwort" => true,
        "passwords" => true,
        "oldpwd" | "htpasswd" => false,
        _ => {
            last.ends_with("password")
                || last.ends_with("passwd")
                || last.ends_with("passphrase")
                || last.ends_with("pwd")
                || last == "bindpw"
                || last == "rootpw"
                || (last.ends_with("pass") && !NO_PASS.contains(&last))
        }
    }
}

/// What comes before `secret` where it is a value and no object.
const CLIENTS: &[&str] = &[
    "client",
    "consumer",
    "app",
    "application",
    "oauth",
    "oauth2",
    "oidc",
    "sso",
];
#[rustfmt::skip]
const SIGNERS: &[&str] = &[
    "cookie", "session", "jwt", "signing", "sign", "hmac", "csrf", "encryption", "crypto", "state", "hash", "token",
    "nextauth", "flask", "rails", "webhook", "hook", "cookies", "sessions", "signature",
];
#[rustfmt::skip]
const SHARED: &[&str] = &[
    "api", "auth", "shared", "access", "admin", "root", "user", "master", "service", "db", "database", "bot", "rpc",
    "mfa", "totp", "chap", "radius", "turn", "internal", "server",
];
/// What comes before `secret` where it is an object's name.
#[rustfmt::skip]
const OBJECTS: &[&str] = &[
    "tls", "pull", "cert", "certificate", "certificates", "ca", "existing", "external", "registry", "ssl",
    "credentials", "credential", "password", "config", "kubernetes", "k8s", "kube", "image", "key", "keys", "creds",
    "cacert", "keystore", "truststore", "ssh", "kubeconfig", "license", "imagepull", "target", "source",
];

fn secret(previous: &str, before: &[&str], shouts: bool) -> Asked {
    let token_secret = previous == "token"
        && !before
            .iter()
            .any(|word| matches!(*word, "access" | "oauth" | "jwt" | "api"));
    let by_case = if shouts { Strength::Probable } else { Strength::Nameable };
    if OBJECTS.contains(&previous) || token_secret || (previous.is_empty() && !shouts) {
        asked(Kind::Secret, Strength::Ambiguous)
    } else if CLIENTS.contains(&previous) {
        asked(Kind::ClientSecret, Strength::Certain)
    } else if matches!(previous, "webhook" | "hook") {
        asked(Kind::Signing, by_case)
    } else if SIGNERS.contains(&previous) {
        asked(Kind::Signing, Strength::Certain)
    } else if SHARED.contains(&previous) && (shouts || matches!(previous, "api" | "shared" | "access")) {
        asked(Kind::Secret, Strength::Certain)
    } else {
        asked(Kind::Secret, by_case)
    }
}

/// Tokens that are places in a list or words of a language.
#[rustfmt::skip]
const NO_TOKENS: &[&str] = &[
    "next", "page", "continue", "continuation", "cancellation", "sync", "idempotency", "bos", "eos", "pad", "unk",
    "sep", "cls", "mask", "special", "stop", "design", "per", "max", "min", "num", "lock", "resume", "skip",
    "request", "begin", "end", "delta", "watermark", "image", "prompt", "completion",
];

fn token(previous: &str, before: &[&str], shouts: bool) -> Option<Asked> {
    // `--initial-cluster-token` of etcd is a name.
    if NO_TOKENS.contains(&previous) || before.ends_with(&["initial", "cluster"]) {
        return None;
    }
    let strength = if before.is_empty() {
        if shouts { Strength::Probable } else { Strength::Nameable }
    } else if shouts {
        Strength::Certain
    } else {
        Strength::Probable
    };
    Some(asked(Kind::Token, strength))
}

/// What makes a `key` a secret.
#[rustfmt::skip]
const KEY_WORDS: &[&str] = &[
    "api", "access", "secret", "private", "signing", "encryption", "master", "account", "shared", "auth", "app",
    "application", "subscription", "crypto", "crypt", "cipher", "hmac", "session", "jwt", "admin", "deploy",
    "license", "licence", "storage", "unseal", "aes", "function", "functions", "preshared", "secretaccess", "service",
    "cookie", "nonce", "fernet", "webhook",
];

/// Whose secret key is one of a pair, and signs requests: `MINIO_SECRET_KEY`. Others' signs sessions: `DJANGO_SECRET_KEY`.
#[rustfmt::skip]
const BUCKETS: &[&str] = &[
    "aws", "s3", "minio", "storage", "bucket", "oss", "cos", "access", "r2", "spaces", "ceph", "b2", "scw",
    "scaleway",
];

fn key(previous: &str, before: &[&str], shouts: bool) -> Option<Asked> {
    use Strength::{Ambiguous, Certain, Nameable, Probable};
    // The pair of them: `publicApiKey`, `public_access_key`.
    if before
        .iter()
        .any(|word| matches!(*word, "public" | "pub" | "publishable" | "site" | "kms"))
    {
        return None;
    }
    let by_case = if shouts { Certain } else { Probable };
    Some(match previous {
        "api" | "subscription" | "functions" => asked(Kind::ApiKey, by_case),
        "app" | "application" if shouts || before.len() > 1 => asked(Kind::ApiKey, Probable),
        // It may be the name of a key within a Secret: `existingSecretKey`, `secretKey: db-password`.
        "secret" if before.iter().any(|word| BUCKETS.contains(word)) => asked(Kind::Secret, by_case),
        "secret" if shouts => asked(Kind::Signing, Certain),
        "secret" => asked(Kind::Secret, Nameable),
        "secretaccess" => asked(Kind::Secret, Certain),
        "access" if before.ends_with(&["secret", "access"]) => asked(Kind::Secret, Certain),
        "access" | "license" | "licence" | "storage" | "function" | "service" | "deploy" | "admin" | "nonce"
        | "app" | "application" => asked(Kind::ApiKey, Ambiguous),
        "signing" | "session" | "jwt" | "cookie" | "hmac" => asked(Kind::Signing, by_case),
        "encryption" | "crypto" | "crypt" | "cipher" | "fernet" | "aes" | "master" | "account" | "shared"
        | "preshared" | "unseal" | "auth" | "webhook" => asked(Kind::Secret, by_case),
        "private" => asked(Kind::Secret, Ambiguous),
        "password" | "token" => asked(Kind::Secret, Ambiguous),
        "base" | "primary" | "partition" | "cache" | "host" | "topology" | "object" | "routing" | "sort" | "group"
        | "lookup" | "instrumentation" | "verification" | "verify" | "map" | "row" | "write" | "hash" | "index"
        | "query" => return None,
        // `SENDGRID_KEY`, `OPENAI_KEY`.
        _ if shouts && !before.is_empty() => asked(Kind::ApiKey, Ambiguous),
        _ => return None,
    })
}

fn plural(last: &str, previous: &str) -> Option<Asked> {
    let kind = match last {
        "tokens" if !NO_TOKENS.contains(&previous) => Kind::Token,
        "keys"
            if matches!(
                previous,
                "api" | "master" | "encryption" | "signing" | "unseal" | "auth"
            ) =>
        {
            Kind::ApiKey
        }
        "secrets" => Kind::Secret,
        "credential" | "credentials" | "cred" | "creds" => Kind::BasicAuth,
        _ => return None,
    };
    Some(asked(kind, Strength::Ambiguous))
}

fn auth(last: &str, previous: &str, shouts: bool) -> Asked {
    match (last, previous) {
        ("auth", "redis" | "valkey" | "keydb") if shouts => asked(Kind::Password, Strength::Certain),
        ("auth", "basic" | "neo4j" | "http" | "user" | "registry") | ("basicauth" | "userpass", _) => {
            asked(Kind::BasicAuth, Strength::Certain)
        }
        _ => asked(Kind::BasicAuth, Strength::Ambiguous),
    }
}
