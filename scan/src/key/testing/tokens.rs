//! Tokens, web keys, signed URLs and short keys.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use jiff::Timestamp;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::asn1::random;

/// Random bytes in base64url.
pub(super) fn url_safe(rng: &mut StdRng, bytes: usize) -> String {
    URL_SAFE_NO_PAD.encode(random(rng, bytes))
}

/// Random bytes in hexadecimal digits.
pub(super) fn hex(rng: &mut StdRng, bytes: usize) -> String {
    HEXLOWER.encode(&random(rng, bytes))
}

/// Random bytes in base64, without what an address must escape.
pub(super) fn base64(rng: &mut StdRng, bytes: usize) -> String {
    STANDARD.encode(random(rng, bytes))
}

/// How many bytes the signatures of an algorithm have.
fn signature_length(algorithm: &str) -> usize {
    match algorithm {
        "none" => 0,
        "HS256" => 32,
        "ES256" | "EdDSA" | "ed25519-nkey" => 64,
        "ES384" => 96,
        _ => 256,
    }
}

/// A token; its header is written as the style says: 0 compact, 1 in lines with two spaces, 2 with a tab, 3 with the type
/// first, 4 with a space after the brace.
pub(super) fn jwt(rng: &mut StdRng, algorithm: &str, style: usize, claims: &Value) -> String {
    let header = match style {
        1 => format!("{{\n  \"alg\": \"{algorithm}\",\n  \"typ\": \"JWT\"\n}}"),
        2 => format!("{{\n\t\"alg\": \"{algorithm}\"\n}}"),
        3 => json!({"typ": "JWT", "alg": algorithm, "kid": url_safe(rng, 9)}).to_string(),
        4 => format!("{{ \"typ\": \"JWT\", \"alg\": \"{algorithm}\" }}"),
        _ => json!({"alg": algorithm, "kid": url_safe(rng, 6)}).to_string(),
    };
    with_header(rng, &header, signature_length(algorithm), claims)
}

/// A token with a header of any kind.
pub(super) fn with_header(rng: &mut StdRng, header: &str, signature: usize, claims: &Value) -> String {
    let signature = url_safe(rng, signature);
    format!(
        "{}.{}.{signature}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

/// An encrypted token.
pub(super) fn jwe(rng: &mut StdRng, header: &Value) -> String {
    let key = if header["alg"] == "dir" {
        String::new()
    } else {
        url_safe(rng, 256)
    };
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    format!(
        "{header}.{key}.{}.{}.{}",
        url_safe(rng, 12),
        url_safe(rng, 140),
        url_safe(rng, 16)
    )
}

/// A web key of that type, with its private part or without.
pub(super) fn jwk(rng: &mut StdRng, kind: &str, curve: &str, private: bool) -> Value {
    let bytes = match curve {
        "P-384" => 48,
        "P-521" => 66,
        "Ed448" => 57,
        _ => 32,
    };
    let mut key = json!({"kty": kind, "kid": url_safe(rng, 8), "use": "sig"});
    if kind == "RSA" {
        key["n"] = url_safe(rng, 256).into();
        key["e"] = "AQAB".into();
    } else {
        key["crv"] = curve.into();
        key["x"] = url_safe(rng, bytes).into();
    }
    if private {
        key["d"] = url_safe(rng, if kind == "RSA" { 256 } else { bytes }).into();
    }
    key
}

/// A shared access signature: when it begins and ends, if it says so.
pub(super) fn sas(rng: &mut StdRng, begin: Option<i64>, end: Option<i64>) -> String {
    let time = |seconds: i64| rfc3339(seconds).replace(':', "%3A");
    let begin = begin.map(|begin| format!("&st={}", time(begin))).unwrap_or_default();
    let end = end.map(|end| format!("&se={}", time(end))).unwrap_or_default();
    let signature = base64(rng, 32)
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    format!("sv=2024-11-04&ss=b&srt=sco&sp=rl{begin}{end}&spr=https&sig={signature}")
}

/// A time in the form of RFC 3339.
pub(super) fn rfc3339(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MIN).to_string()
}

/// A presigned URL of `X-Amz-…` or `X-Goog-…`: from when, for how long.
pub(super) fn presigned(rng: &mut StdRng, prefix: &str, from: i64, seconds: i64) -> String {
    let date = Timestamp::from_second(from)
        .unwrap_or(Timestamp::MIN)
        .strftime("%Y%m%dT%H%M%SZ");
    let signature = hex(rng, 32);
    format!(
        "https://storage.example.net/a/b.tgz?{prefix}Algorithm=A4-HMAC-SHA256&{prefix}Credential=someone%2F20260101\
         &{prefix}Date={date}&{prefix}Expires={seconds}&{prefix}SignedHeaders=host&{prefix}Signature={signature}"
    )
}

/// A seed of a NATS key, by the letter of what it is for.
pub(super) fn nkey(rng: &mut StdRng, kind: u8) -> String {
    let role = (kind - b'A') << 3;
    let mut bytes = vec![18 << 3 | role >> 5, role << 3];
    bytes.extend(random(rng, 32));
    // CRC-16/XMODEM, by long division.
    let mut sum: u32 = 0;
    for byte in &bytes {
        sum ^= u32::from(*byte) << 8;
        for _ in 0..8 {
            sum = if sum & 0x8000 == 0 {
                sum << 1
            } else {
                sum << 1 ^ 0x1_1021
            };
        }
    }
    bytes.extend([sum.to_le_bytes()[0], sum.to_le_bytes()[1]]);
    BASE32_NOPAD.encode(&bytes)
}

/// A secret key of age, by its human-readable part.
pub(super) fn age(rng: &mut StdRng, human: &str) -> String {
    const ALPHABET: &[u8; 32] = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    // 32 bytes are 51 digits of five bits, and one of one bit.
    let mut data: Vec<u8> = (0..51).map(|_| rng.random_range(0..32)).collect();
    data.push(rng.random_range(0..2) << 4);
    let lower = human.to_ascii_lowercase();
    let mut all: Vec<u8> = lower.bytes().map(|byte| byte >> 5).collect();
    all.push(0);
    all.extend(lower.bytes().map(|byte| byte & 31));
    all.extend(&data);
    all.extend([0; 6]);
    let sum = remainder(&all) ^ 1;
    data.extend((0..6).map(|at| u8::try_from(sum >> (25 - 5 * at) & 31).unwrap_or_default()));
    let letters: String = data
        .iter()
        .map(|digit| char::from(ALPHABET[usize::from(*digit)]))
        .collect();
    format!("{human}1{letters}")
}

/// The remainder of a code over the field of 32 elements (BIP 173, "Checksum").
fn remainder(digits: &[u8]) -> u32 {
    const STEPS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let mut sum: u32 = 1;
    for digit in digits {
        let top = sum >> 25;
        sum = (sum & 0x01ff_ffff) << 5 ^ u32::from(*digit);
        for (bit, step) in STEPS.iter().enumerate() {
            if top >> bit & 1 == 1 {
                sum ^= step;
            }
        }
    }
    sum
}

/// A secret of one-time passwords.
pub(super) fn base32(rng: &mut StdRng, bytes: usize) -> String {
    BASE32_NOPAD.encode(&random(rng, bytes))
}

/// What `wg genkey` makes.
pub(super) fn wireguard(rng: &mut StdRng) -> String {
    let mut key = random(rng, 32);
    key[0] &= 0xf8;
    key[31] = key[31] & 0x7f | 0x40;
    STANDARD.encode(key)
}

/// A share of Vault's key.
pub(super) fn share(rng: &mut StdRng) -> String {
    STANDARD_NO_PAD.encode(random(rng, 33))
}

/// A static key of OpenVPN.
pub(super) fn openvpn(rng: &mut StdRng) -> String {
    let lines: String = (0..16).map(|_| hex(rng, 16) + "\n").collect();
    let label = "OpenVPN Static key V1";
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
