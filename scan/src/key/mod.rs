//! Private keys, certificates and tokens that can be parsed: PEM, DER, JWK, JWT, OpenSSH, age and others.
//!
//! What is parsed, or has a checksum that fits, is proven. What has a header and a body that cannot be read is worth a
//! warning; what is encrypted with a passphrase too. Talk about keys, and what is public, is nothing.

mod armor;
mod bare;
mod certificate;
mod der;
mod jwk;
mod jwt;
mod pem;
mod pgp;
mod seed;
mod sign;
mod signed_url;
mod ssh;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use der::Form;

use crate::finding::{Mitigation, Tier};
use crate::hit::{Anchor, Hit, Input};
use crate::rule::{Remedy, Rule};
use crate::tree::Node;

static PKCS12: Rule = Rule {
    id: "pkcs12",
    title: "a PKCS#12 file with a private key",
    remedy: Remedy::ServiceIdentity,
};
static JAVA: Rule = Rule {
    id: "java-keystore",
    title: "a Java key store with a key",
    remedy: Remedy::ServiceIdentity,
};

/// Every rule of this module.
pub(crate) const RULES: &[&Rule] = &[
    &pem::PRIVATE_KEY,
    &PKCS12,
    &JAVA,
    &certificate::LONG_LIVED,
    &jwk::PRIVATE,
    &jwk::SYMMETRIC,
    &jwk::GOOGLE,
    &jwt::SERVICE_ACCOUNT,
    &jwt::ARGO_CD,
    &jwt::ENDLESS,
    &jwt::LONG_LIVED,
    &jwt::EXPIRED,
    &jwt::UNSIGNED,
    &jwt::ENCRYPTED,
    &signed_url::AZURE,
    &signed_url::PRESIGNED,
    &seed::AGE,
    &seed::NATS,
    &seed::TOTP,
    &seed::WIREGUARD,
    &seed::UNSEAL,
    &seed::OPENVPN,
];

/// What to search texts for.
pub(crate) const ANCHORS: &[Anchor] = &ALL;

const GROUPS: [&[Anchor]; 5] = [
    &SINGLE,
    &pem::ENCODED,
    &bare::ANCHORS,
    &jwt::ANCHORS,
    &signed_url::ANCHORS,
];

const SINGLE: [Anchor; 8] = [
    Anchor {
        literal: pem::BEGIN,
        find: pem::find,
    },
    Anchor {
        literal: ssh::PUTTY,
        find: ssh::find_putty,
    },
    Anchor {
        literal: ssh::SSH2,
        find: ssh::find_ssh2,
    },
    Anchor {
        literal: sign::COMMENT,
        find: sign::find,
    },
    Anchor {
        literal: seed::AGE_PREFIX,
        find: seed::find_age,
    },
    Anchor {
        literal: seed::AGE_PQ_PREFIX,
        find: seed::find_age,
    },
    Anchor {
        literal: seed::OTPAUTH,
        find: seed::find_otpauth,
    },
    Anchor {
        literal: seed::OTPAUTH_EXPORT,
        find: seed::find_otpauth_export,
    },
];

const COUNT: usize = {
    let mut count = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

const ALL: [Anchor; COUNT] = {
    let mut all = [SINGLE[0]; COUNT];
    let (mut group, mut next) = (0, 0);
    while group < GROUPS.len() {
        let mut at = 0;
        while at < GROUPS[group].len() {
            all[next] = GROUPS[group][at];
            at += 1;
            next += 1;
        }
        group += 1;
    }
    all
};

/// A private or symmetric key in bytes that were decoded and are no text: DER, PKCS#12, Java key stores, OpenSSH's and
/// OpenPGP's binary forms; or a certificate that lives too long. The span is all of them.
///
/// A key store counts although a password opens it: who runs the workload has to put that beside it, and it is short.
pub(crate) fn in_bytes(bytes: &[u8], input: &Input<'_>) -> Option<Hit> {
    let span = 0..bytes.len();
    let form = der::private_key(bytes)
        .or_else(|| ssh::openssh(bytes))
        .or_else(|| pgp::secret_key(bytes));
    match form {
        Some(Form::Plain) => return Some(Hit::new(&pem::PRIVATE_KEY, Tier::Proven, span)),
        Some(Form::Encrypted) => {
            return Some(Hit::new(&pem::PRIVATE_KEY, Tier::Proven, span).mitigated(Mitigation::Encrypted));
        }
        None => {}
    }
    if der::is_key_store_pkcs12(bytes) {
        Some(Hit::new(&PKCS12, Tier::Proven, span))
    } else if der::is_key_store_java(bytes) {
        Some(Hit::new(&JAVA, Tier::Proven, span))
    } else if certificate::is_of_interest(input.name) {
        certificate::judge(bytes, input, span)
    } else {
        None
    }
}

/// A credential that only the whole object shows, and the path to the value that makes it one: a JWK with private
/// members, a service-account key of Google Cloud.
pub(crate) fn in_object<'n>(object: &'n Node<'_>, input: &Input<'_>) -> Option<(&'static str, &'n str, Hit)> {
    jwk::in_object(object, input)
}

/// A key that only the name beside it tells: WireGuard's `PrivateKey`, the unseal keys of Vault.
pub(crate) fn named(input: &Input<'_>) -> Option<Hit> {
    seed::named(input)
}

/// Whether a text is a JSON Web Token, whatever it lives.
pub(crate) fn is_token(text: &str) -> bool {
    jwt::is_token(text)
}

/// A value without what depends on where it stands: the breaks, indents and escapes of PEM, the escapes of a URL. So the
/// same key has the same fingerprint in a file and in a string of JSON.
pub(crate) fn canonical(value: &[u8]) -> Cow<'_, [u8]> {
    if [pem::BEGIN, pem::ENCODED[0].literal]
        .iter()
        .any(|start| value.starts_with(start.as_bytes()))
    {
        Cow::Owned(armor::without_breaks(value))
    } else {
        signed_url::unescaped(value).map_or(Cow::Borrowed(value), Cow::Owned)
    }
}

/// A key that is a text as a whole, with nothing in it to search for: a seed of NATS. Cheap: it is asked of every string
/// of that length.
pub(crate) fn whole(input: &Input<'_>) -> Option<Hit> {
    seed::nats(input)
}
