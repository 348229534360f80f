//! Key files that are not DER: OpenSSH, PuTTY, OpenPGP, minisign, Java.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;

use super::asn1::{self, random};

/// PEM with lines of 64 characters (RFC 7468).
pub(super) fn pem(label: &str, body: &[u8]) -> String {
    armored(label, "", body)
}

/// The same, with headers (RFC 1421).
pub(super) fn armored(label: &str, headers: &str, body: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{headers}{}-----END {label}-----\n",
        lines(body)
    )
}

fn lines(body: &[u8]) -> String {
    let text = STANDARD.encode(body);
    let lines = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line) + "\n");
    lines.collect()
}

fn string(content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len()).unwrap_or_default().to_be_bytes(), content].concat()
}

/// The body of OpenSSH's format.
pub(super) fn openssh(rng: &mut StdRng, cipher: &str) -> Vec<u8> {
    let public = [string(b"ssh-ed25519"), string(&random(rng, 32))].concat();
    let check = random(rng, 4);
    let private = match cipher {
        "none" => [
            &check[..],
            &check,
            &public,
            &string(&random(rng, 64)),
            &string(b"a comment"),
        ]
        .concat(),
        _ => random(rng, 160),
    };
    [
        crate::key::ssh::MAGIC,
        &string(cipher.as_bytes()),
        &string(if cipher == "none" { b"none" } else { b"bcrypt" }),
        &string(b""),
        &1u32.to_be_bytes(),
        &string(&public),
        &string(&private),
    ]
    .concat()
}

/// A key file of PuTTY.
pub(super) fn putty(rng: &mut StdRng, cipher: &str) -> String {
    let derivation = match cipher {
        "none" => "",
        _ => "Key-Derivation: Argon2id\nArgon2-Memory: 8192\nArgon2-Passes: 13\nArgon2-Parallelism: 1\n",
    };
    let public = lines(&random(rng, 51));
    let private = lines(&random(rng, 96));
    let mac = super::tokens::hex(rng, 32);
    format!(
        "{}3: ssh-ed25519\nEncryption: {cipher}\nComment: a key\nPublic-Lines: 2\n{public}{derivation}Private-Lines: \
         2\n{private}Private-MAC: {mac}\n",
        crate::key::ssh::PUTTY
    )
}

/// A key in the format of ssh.com.
pub(super) fn ssh2(rng: &mut StdRng, cipher: &str) -> String {
    let body = [
        &[0x3f, 0x6f, 0xf9, 0xeb, 0, 0, 1, 0][..],
        &string(b"dl-modp{sign{dsa-nist-sha1},dh{plain}}"),
        &string(cipher.as_bytes()),
        &string(&random(rng, 120)),
    ]
    .concat();
    let (begin, end) = (crate::key::ssh::SSH2, "---- END SSH2 ENCRYPTED PRIVATE KEY ----");
    format!(
        "{begin}\nComment: \"a long comment, \\\nwhich goes on\"\n{}{end}\n",
        lines(&body)
    )
}

/// A secret key of OpenPGP, version 4. `usage` says how it is protected; 0 is not at all.
pub(super) fn pgp(rng: &mut StdRng, rsa: bool, usage: u8) -> Vec<u8> {
    let number = |rng: &mut StdRng, bytes: usize| {
        let bits = u16::try_from(bytes * 8 - 1).unwrap_or_default();
        let mut content = random(rng, bytes);
        content[0] = content[0] & 0x3f | 0x40;
        [&bits.to_be_bytes()[..], &content].concat()
    };
    let public = if rsa {
        [vec![1], number(rng, 256), number(rng, 3)].concat()
    } else {
        let curve = [9, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
        [vec![22], curve.to_vec(), number(rng, 33)].concat()
    };
    let secret = [vec![usage], number(rng, 32), random(rng, 2)].concat();
    let body = [vec![4], random(rng, 4), public, secret].concat();
    let length = u16::try_from(body.len()).unwrap_or_default();
    [&[0x95][..], &length.to_be_bytes(), &body].concat()
}

/// OpenPGP's armor: a header, an empty line, a checksum at the end.
pub(super) fn pgp_armor(label: &str, body: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\nVersion: GnuPG v2\n\n{}=aB3d\n-----END {label}-----\n",
        lines(body)
    )
}

/// A key of minisign or signify: its first bytes, and how many there are.
pub(super) fn signing(rng: &mut StdRng, comment: &str, start: &[u8], length: usize) -> String {
    let body = [start, &random(rng, length - start.len())].concat();
    format!("untrusted comment: {comment}\n{}\n", STANDARD.encode(body))
}

/// The encrypted key of cosign.
pub(super) fn cosign(rng: &mut StdRng) -> String {
    let text = STANDARD.encode(random(rng, 120));
    let body = serde_json::json!({"kdf": {"name": "scrypt"}, "cipher": {"name": "nacl/secretbox"}, "ciphertext": text});
    pem("ENCRYPTED SIGSTORE PRIVATE KEY", body.to_string().as_bytes())
}

/// A Java key store with entries of these kinds: 1 is a key, 2 a certificate, 3 a secret key.
pub(super) fn java(rng: &mut StdRng, magic: u32, kinds: &[u8]) -> Vec<u8> {
    let short = |text: &str| {
        [
            &u16::try_from(text.len()).unwrap_or_default().to_be_bytes(),
            text.as_bytes(),
        ]
        .concat()
    };
    let mut out = [magic, 2, u32::try_from(kinds.len()).unwrap_or_default()]
        .map(u32::to_be_bytes)
        .concat();
    for kind in kinds {
        out.extend([0, 0, 0, *kind]);
        out.extend(short("an alias"));
        out.extend(random(rng, 8));
        let certificate = |rng: &mut StdRng| [short("X.509"), string(&asn1::public_key(rng))].concat();
        if *kind != 2 {
            out.extend(string(&random(rng, 400)));
            out.extend(1u32.to_be_bytes());
        }
        out.extend(certificate(rng));
    }
    out.extend(random(rng, 20));
    out
}
