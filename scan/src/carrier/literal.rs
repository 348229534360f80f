//! What a value is: a literal, something that stands for one, or nothing secret at all.

use crate::walk::random;

/// What a value is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// It may be a secret, if its name asks for one.
    Literal,
    /// It is to be replaced by one: `CHANGEME`, `<password>`.
    Placeholder,
    /// It says where one is, or is one that is encrypted: `$(DB_PASSWORD)`, `vault:secret/db`, `ENC[AES256_GCM,…]`.
    Reference,
    /// It cannot be one: empty, `true`, `/etc/tls/key.pem`, a URL without a password.
    Harmless,
}

/// What a value is. It is trimmed already.
pub(super) fn judge(text: &str) -> Value {
    if is_nothing(text) || is_masked(text) {
        Value::Harmless
    } else if is_reference(text) || is_encrypted(text) {
        Value::Reference
    } else if is_place(text) || is_structure(text) || is_pattern(text) {
        Value::Harmless
    } else if is_placeholder(text) {
        Value::Placeholder
    } else {
        Value::Literal
    }
}

/// Words that say that there is none, under any name.
const NOTHING: &[&str] = &[
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "none",
    "null",
    "nil",
    "undefined",
    "n/a",
    "na",
    "unset",
    "empty",
    "~",
    "enabled",
    "disabled",
];

fn is_nothing(text: &str) -> bool {
    text.len() < 2 || is_one_of(text, NOTHING)
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    text.len() <= 24 && words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// `******`, `------`.
fn is_masked(text: &str) -> bool {
    let first = text.as_bytes()[0];
    text.starts_with('•')
        // `**SOPS**`
        || (text.starts_with("**") && text.ends_with("**"))
        || !first.is_ascii_alphanumeric() && text.bytes().all(|byte| byte == first)
}

/// What begins a reference to a store of secrets.
const STORES: &[&str] = &[
    "vault:",
    "urn:",
    "ref+",
    "op://",
    "arn:aws:",
    "arn:aws-",
    "akvs:",
    "urn:k8s:secret:",
    "akv:",
    "secretref:",
    "secretRef:",
    "env:",
    "env.",
    "file:",
    "awssm:",
    "awsssm:",
    "ssm:",
    "sm://",
    "gcp:secretmanager",
    "secret://",
    "secrets://",
    "keyvault:",
    "keyring:",
    "k8s:",
    "kubernetes://",
    "infisical://",
    "doppler://",
    "bitwarden://",
    "azurekeyvault",
    "gcpsecretmanager",
    "awssecretsmanager",
    "secretsmanager:",
    "/run/secrets/",
    "/var/run/",
    "!env",
    "!secret",
    "!vault",
    "!reference",
    "!Ref",
    "!Sub",
    "!GetAtt",
    "@Microsoft.KeyVault(",
    "resolve:",
    "valueFrom:",
    "from_secret:",
    "projected:",
    "configmap:",
    "configMap:",
    "inputs.",
    "outputs.",
    "var.",
    "local.",
    "data.",
    "module.",
    "process.env.",
    "os.environ",
    "lookup(",
    "secretKeyRef:",
    "pass:env:",
    "cmd:",
    "exec:",
];

fn is_reference(text: &str) -> bool {
    STORES.iter().any(|store| text.starts_with(store))
        || (text.starts_with("projects/") && text.contains("/secrets/"))
        || has_template(text)
        || is_variable(text)
}

/// Parts that are filled in later: `${VAR}`, `$(VAR)`, `{{ tpl }}`, `<% %>`, `#{VAR}#`, `[[ key ]]`, `%(var)s`.
fn has_template(text: &str) -> bool {
    // What a program fills in by its own format.
    if matches!(text, "%s" | "%v" | "%q" | "%d" | "{}" | "\\1" | "\\2") {
        return true;
    }
    let bytes = text.as_bytes();
    if !bytes
        .iter()
        .any(|byte| matches!(byte, b'$' | b'{' | b'<' | b'#' | b'[' | b'`' | b'%' | b'('))
    {
        return false;
    }
    let pair = |open: &str, close: &str| {
        text.find(open)
            .is_some_and(|at| text[at + open.len()..].contains(close))
    };
    pair("${", "}")
        || pair("$(", ")")
        || pair("{{", "}}")
        || pair("<%", "%>")
        || pair("#{", "}")
        || pair("%{", "}")
        || pair("%(", ")s")
        || pair("{%", "%}")
        // Grafana's `$__file{…}`, and what Argo CD's Vault plugin fills in.
        || pair("$__", "}")
        || text.starts_with("<path:")
        || (text.starts_with("[[") && text.ends_with("]]"))
        || (text.starts_with("((") && text.ends_with("))"))
        || (text.starts_with('`') && text.ends_with('`'))
        // A replacement of Envoy's or of a logger: `%DYNAMIC_METADATA(…)%`.
        || pair("%REQ(", ")%")
        || pair("$[", "]")
}

/// All of it is a variable: `$VAR`, `%VAR%`, `@VAR@`, `__VAR__`, `{VAR}`.
fn is_variable(text: &str) -> bool {
    let names = |inner: &str| {
        !inner.is_empty()
            && !inner.as_bytes()[0].is_ascii_digit()
            && inner
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':'))
    };
    let within = |open: &str, close: &str| {
        text.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(names)
    };
    let parameter = |inner: &str| matches!(inner.as_bytes(), [b'0'..=b'9' | b'@' | b'*' | b'#']);
    text.strip_prefix("$$")
        .or(text.strip_prefix('$'))
        .is_some_and(|inner| names(inner) || parameter(inner))
        || within("%", "%")
        || within("@", "@")
        || within("__", "__")
        || within("{", "}")
        || within(":", ":")
        || within("@@", "@@")
}

/// A value that only a key elsewhere opens.
fn is_encrypted(text: &str) -> bool {
    const SEALS: &[&str] = &[
        "ENC[",
        "ENC(",
        "$ANSIBLE_VAULT",
        "{cipher}",
        "{AES}",
        "vault:v",
        "AQICAH",
        "-----BEGIN AGE ENCRYPTED",
        "-----BEGIN PGP MESSAGE",
        "age-encryption.org/",
        "!vault |",
        "{encrypted}",
        "kms:",
        "sops:",
        "k8s:enc:",
    ];
    SEALS.iter().any(|seal| text.starts_with(seal)) || (text.len() >= 300 && text.starts_with("Ag"))
}

/// Where something is: a path, a URL without a password, a file's name.
fn is_place(text: &str) -> bool {
    is_path(text) || is_plain_url(text) || is_file_name(text)
}

fn is_path(text: &str) -> bool {
    let rest = ["/", "./", "../", "~/"]
        .iter()
        .find_map(|start| text.strip_prefix(start));
    if let Some(rest) = rest {
        // Base64 may begin with a slash too. 40 characters of it without a dot or a dash are no path.
        let base64 =
            text.len() >= 40 && looks_random(rest) && !rest.bytes().any(|byte| matches!(byte, b'.' | b'-' | b'_'));
        return !base64
            && rest.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'/' | b'.' | b'_' | b'-' | b' ' | b':' | b',' | b'*' | b'+')
            });
    }
    let bytes = text.as_bytes();
    bytes.len() > 3 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && bytes[2] == b'\\'
}

fn is_plain_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.starts_with("unix:");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !scheme.is_empty()
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b':'))
        && !authority.contains('@')
}

/// Ends of files in which secrets are kept.
const FILES: &[&str] = &[
    ".key",
    ".pem",
    ".crt",
    ".cer",
    ".json",
    ".yaml",
    ".yml",
    ".txt",
    ".conf",
    ".properties",
    ".jks",
    ".p12",
    ".pfx",
    ".pub",
    ".env",
    ".toml",
    ".xml",
    ".ini",
    ".cfg",
    ".keystore",
    ".gpg",
    ".asc",
    ".token",
    ".secret",
    ".password",
    ".passwd",
    ".keytab",
    ".kubeconfig",
    ".sh",
    ".js",
    ".py",
    ".go",
    ".html",
];

fn is_file_name(text: &str) -> bool {
    FILES.iter().any(|end| text.len() > end.len() && text.ends_with(end))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-'))
}

/// A list or an object: what is in it is read, it is no value itself.
fn is_structure(text: &str) -> bool {
    matches!(
        (text.as_bytes()[0], text.as_bytes()[text.len() - 1]),
        (b'{', b'}') | (b'[', b']')
    )
}

/// A regular expression.
fn is_pattern(text: &str) -> bool {
    [".*", ".+", "\\S", "\\w", "\\d", "(?", "[^", "[a-z", "[A-Z", "[0-9"]
        .iter()
        .any(|part| text.contains(part))
}

/// Parts that no secret has, in lower case.
const UNFILLED: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "change me",
    "change.me",
    "changethis",
    "change-this",
    "change_this",
    "replaceme",
    "replace-me",
    "replace_me",
    "replace_",
    "replace-",
    "replace with",
    "insert_",
    "insert-",
    "insert your",
    "your-",
    "your_",
    "your ",
    "yourpassword",
    "yoursecret",
    "yourtoken",
    "yourapikey",
    "todo",
    "fixme",
    "example",
    "dummy",
    "placeholder",
    "to be set",
    "to-be-set",
    "tobeset",
    "to be filled",
    "redacted",
    "set-me",
    "setme",
    "set_me",
    "fill-me",
    "fill_me",
    "fillme",
    "fill in",
    "enter-",
    "enter your",
    "put-your",
    "put_your",
    "xxxx",
    "not-a-real",
    "not_a_real",
    "notreal",
    "fake-",
    "fake_",
    "fakepassword",
    "faketoken",
    "fakesecret",
    "goes-here",
    "goes_here",
    "goes here",
    "-here",
    "_here",
    "override-me",
    "overrideme",
    "sample-",
    "sample_",
    "mock-",
    "mock_",
    "must-be",
    "must_be",
    "tbd",
    "<",
    "…",
    "...",
];

fn is_placeholder(text: &str) -> bool {
    if text.len() > 120 {
        return false;
    }
    let mut lower = [0; 120];
    let lower = &mut lower[..text.len()];
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    let Ok(lower) = std::str::from_utf8(lower) else {
        return false;
    };
    UNFILLED.iter().any(|part| match *part {
        "<" => lower.starts_with('<') && lower.ends_with('>'),
        "tbd" => lower == "tbd",
        "todo" => lower.starts_with("todo") || lower.contains("_todo") || lower.contains("-todo"),
        part => lower.contains(part),
    }) && !looks_random_apart(text)
}

/// A placeholder's word within a long random text is chance, or an example that was filled in.
fn looks_random_apart(text: &str) -> bool {
    let filled = |part: &str| {
        let lower = part.to_ascii_lowercase();
        !lower.contains("example") && lower.matches('x').count() * 3 < lower.len()
    };
    text.split(['-', '_', '.', '/'])
        .any(|part| part.len() >= 24 && looks_random(part) && filled(part))
}

/// Words that are settings, where the name only may ask for a secret.
const SETTINGS: &[&str] = &[
    "required",
    "optional",
    "default",
    "auto",
    "automatic",
    "always",
    "never",
    "bearer",
    "basic",
    "digest",
    "token",
    "jwt",
    "oidc",
    "oauth",
    "oauth2",
    "saml",
    "ldap",
    "file",
    "string",
    "object",
    "array",
    "boolean",
    "integer",
    "password",
    "passwd",
    "secret",
    "secrets",
    "key",
    "apikey",
    "api-key",
    "api_key",
    "header",
    "query",
    "cookie",
    "body",
    "env",
    "any",
    "all",
    "allow",
    "deny",
    "opaque",
    "plain",
    "plaintext",
    "text",
    "literal",
    "raw",
    "json",
    "yaml",
    "hmac",
    "rsa",
    "aes",
    "internal",
    "external",
    "vault",
    "kubernetes",
    "k8s",
    "aws",
    "gcp",
    "azure",
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "authorization",
    "access_token",
    "id_token",
    "refresh_token",
    "username",
    "user",
    "name",
    "value",
    "data",
    "tls",
    "random",
    "generated",
    "generate",
    "serviceaccount",
    "service-account",
    "service_account",
];

/// Whether a value is a word of a setting, a number, a time or a size: a secret only under a password's name.
pub(super) fn is_setting(text: &str) -> bool {
    is_one_of(text, SETTINGS) || is_quantity(text)
}

/// `3600`, `-1`, `10m`, `1h30m`, `512Mi`, `0.5`, `50%`.
fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    if text.len() > 20 || !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let mut units = 0;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'.' | b',' | b':' => units = 0,
            b'n' | b'u' | b's' | b'm' | b'h' | b'd' | b'w' | b'y' | b'k' | b'K' | b'M' | b'G' | b'T' | b'P' | b'i'
            | b'B' | b'%'
                if units < 2 =>
            {
                units += 1;
            }
            _ => return false,
        }
    }
    true
}

/// Whether a value could be the name of an object or of a key in one: words with dashes, dots or underscores.
pub(super) fn is_wordy(text: &str) -> bool {
    let mut parts = 0;
    let wordy = text.split(['-', '.', '_', '/']).all(|part| {
        parts += 1;
        let letters = part.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let digits = part.len() - letters.len();
        letters.bytes().all(|byte| byte.is_ascii_alphabetic()) && digits <= if letters.is_empty() { 6 } else { 2 }
    });
    wordy && (parts > 1 || !text.as_bytes()[0].is_ascii_digit())
}

/// Whether a value is a name by DNS (RFC 1123): what an object may be called.
pub(super) fn is_object_name(text: &str) -> bool {
    text.len() <= 253
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'/'))
}

/// Whether a value is a sentence.
pub(super) fn is_prose(text: &str) -> bool {
    const TELLING: &[&str] = &[
        "the", "a", "an", "of", "for", "to", "your", "is", "are", "in", "and", "or", "with", "this", "that", "from",
        "will", "must", "not", "please", "enter", "by", "be", "it", "if", "use", "used", "password", "token", "secret",
        "key", "der", "die", "das", "le", "la", "de",
    ];
    let (mut count, mut telling) = (0, 0);
    for word in text.split_ascii_whitespace() {
        count += 1;
        let word = word.trim_matches(|mark: char| mark.is_ascii_punctuation());
        telling += usize::from(is_one_of(word, TELLING));
    }
    count > 8 || (count > 1 && telling > 0)
}

/// Whether a text looks random: a UUID, or a long run of letters and digits that keeps changing between them.
///
/// A run of one class (capitals, small letters, digits) is 1.6 characters long on average in random base62, 2.1 in
/// hexadecimal, 2.5 in base36 and 3.3 in base32. In `camelCaseWords` it is near 3, and in words with dashes longer.
pub(super) fn looks_random(text: &str) -> bool {
    is_uuid(text)
        || (random::looks_random(text) && !is_object_name(text))
        || text
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/')))
            .any(is_random_run)
}

fn is_random_run(part: &str) -> bool {
    if part.len() < 12 {
        return false;
    }
    let (mut counts, mut runs, mut last) = ([0_usize; 3], 0, 3);
    for byte in part.bytes() {
        let class = match byte {
            b'A'..=b'Z' => 0,
            b'a'..=b'z' => 1,
            b'0'..=b'9' => 2,
            _ => {
                last = 3;
                continue;
            }
        };
        counts[class] += 1;
        runs += usize::from(class != last);
        last = class;
    }
    let [upper, lower, digits] = counts;
    let all = upper + lower + digits;
    // Tenths of the mean length of a run.
    let mean = all * 10 / runs.max(1);
    if upper > 0 && lower > 0 {
        (digits >= 2 && mean <= 27) || (part.len() >= 16 && mean <= 21) || (part.len() >= 20 && mean <= 25)
    } else if upper + lower > 0 {
        digits >= 3 && ((part.len() >= 16 && mean <= 42) || (part.len() >= 20 && mean <= 60))
    } else {
        false
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
