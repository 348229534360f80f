//! Values that say where a secret is, or that only a key elsewhere opens.

/// What begins a reference to a store of secrets.
#[rustfmt::skip]
const STORES: &[&str] = &[
    "vault:", "urn:", "ref+", "op://", "arn:aws:", "arn:aws-", "akvs:", "akv:", "secretref:", "secretRef:", "env:",
    "env.", "file:", "awssm:", "awsssm:", "ssm:", "sm://", "gcp:secretmanager", "secret://", "secrets://",
    "keyvault:", "keyring:", "k8s:", "kubernetes://", "infisical://", "doppler://", "bitwarden://", "azurekeyvault",
    "gcpsecretmanager", "awssecretsmanager", "secretsmanager:", "/run/secrets/", "/var/run/", "!env", "!secret",
    "!vault", "!reference", "!Ref", "!Sub", "!GetAtt", "@Microsoft.KeyVault(", "resolve:", "valueFrom:",
    "from_secret:", "projected:", "configmap:", "configMap:", "inputs.", "outputs.", "var.", "local.", "data.",
    "module.", "process.env.", "os.environ", "lookup(", "secretKeyRef:", "pass:env:", "cmd:", "exec:",
];

/// Whether a text begins with one of several. Most are out by their first byte.
fn begins_with_any(text: &str, starts: &[&str]) -> bool {
    let first = text.as_bytes().first();
    starts
        .iter()
        .any(|start| start.as_bytes().first() == first && text.starts_with(start))
}

pub(super) fn is_reference(text: &str) -> bool {
    begins_with_any(text, STORES)
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
    let find = |from: usize, part: &str| memchr::memmem::find(&bytes[from..], part.as_bytes());
    let pair = |open: &str, close: &str| find(0, open).is_some_and(|at| find(at + open.len(), close).is_some());
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
pub(super) fn is_encrypted(text: &str) -> bool {
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
    begins_with_any(text, SEALS) || (text.len() >= 300 && text.starts_with("Ag"))
}
