//! Writes DER (X.690): keys and certificates whose numbers are random. They have the form of real ones, and no owner.

use jiff::Timestamp;
use rand::RngExt as _;
use rand::rngs::StdRng;

/// One element.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(u8::try_from(short).unwrap_or_default()),
        long => {
            let digits: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            out.extend(digits);
        }
    }
    out.extend(content);
    out
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(0x04, content)
}

/// A bit string of whole bytes.
pub(super) fn bits(content: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], content].concat())
}

pub(super) fn small(number: u8) -> Vec<u8> {
    element(0x02, &[number])
}

pub(super) fn identifier(bytes: &[u8]) -> Vec<u8> {
    element(0x06, bytes)
}

/// A positive number of so many bytes.
pub(super) fn number(rng: &mut StdRng, bytes: usize) -> Vec<u8> {
    let mut content = random(rng, bytes);
    content[0] = content[0] & 0x3f | 0x40;
    element(0x02, &content)
}

/// So many random bytes.
pub(super) fn random(rng: &mut StdRng, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| rng.random()).collect()
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];

/// PKCS#1.
pub(super) fn rsa(rng: &mut StdRng, bits: usize) -> Vec<u8> {
    let half = bits / 16;
    let lengths = [bits / 8, 3, bits / 8, half, half, half, half, half];
    let numbers: Vec<_> = lengths.into_iter().map(|bytes| number(rng, bytes)).collect();
    sequence(&[vec![small(0)], numbers].concat())
}

/// What OpenSSL writes for DSA.
pub(super) fn dsa(rng: &mut StdRng) -> Vec<u8> {
    let numbers: Vec<_> = [256, 32, 256, 256, 32]
        .into_iter()
        .map(|bytes| number(rng, bytes))
        .collect();
    sequence(&[vec![small(0)], numbers].concat())
}

/// SEC 1, on a curve whose numbers have so many bytes.
pub(super) fn ec(rng: &mut StdRng, bytes: usize) -> Vec<u8> {
    let point = [vec![4], random(rng, 2 * bytes)].concat();
    let private = octets(&random(rng, bytes));
    sequence(&[small(1), private, element(0xa1, &self::bits(&point))])
}

/// PKCS#8 of a key of RSA.
pub(super) fn pkcs8_rsa(rng: &mut StdRng, bits: usize) -> Vec<u8> {
    let key = rsa(rng, bits);
    sequence(&[small(0), sequence(&[identifier(RSA), element(5, &[])]), octets(&key)])
}

/// PKCS#8 of a key on P-256.
pub(super) fn pkcs8_ec(rng: &mut StdRng) -> Vec<u8> {
    let key = ec(rng, 32);
    sequence(&[small(0), sequence(&[identifier(EC), identifier(P256)]), octets(&key)])
}

/// PKCS#8 of a key of Ed25519 (RFC 8410).
pub(super) fn pkcs8_ed25519(rng: &mut StdRng) -> Vec<u8> {
    let key = octets(&random(rng, 32));
    sequence(&[small(0), sequence(&[identifier(ED25519)]), octets(&key)])
}

/// PKCS#8 encrypted with a passphrase.
pub(super) fn pkcs8_encrypted(rng: &mut StdRng) -> Vec<u8> {
    let parameters = sequence(&[octets(&random(rng, 16)), small(10)]);
    sequence(&[sequence(&[identifier(PBES2), parameters]), octets(&random(rng, 144))])
}

/// A public key, as certificates have it.
pub(super) fn public_key(rng: &mut StdRng) -> Vec<u8> {
    sequence(&[sequence(&[identifier(ED25519)]), bits(&random(rng, 32))])
}

/// A PKCS#12 file with one bag: 1 is a key, 2 an encrypted key, 3 a certificate.
pub(super) fn pkcs12(rng: &mut StdRng, kind: u8) -> Vec<u8> {
    let content = match kind {
        1 => pkcs8_ed25519(rng),
        2 => pkcs8_encrypted(rng),
        _ => sequence(&[octets(&random(rng, 300))]),
    };
    let bag = sequence(&[identifier(&[BAG, &[kind]].concat()), element(0xa0, &content)]);
    let safe = |content: &[u8]| sequence(&[identifier(DATA), element(0xa0, &octets(content))]);
    let safes = sequence(&[safe(&sequence(&[bag]))]);
    let mac = sequence(&[octets(&random(rng, 32)), octets(&random(rng, 8)), small(1)]);
    sequence(&[small(3), safe(&safes), mac])
}

/// A certificate: who issued it to whom, from when to when, and whether it says that it is an authority.
pub(super) struct Certificate<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    pub from: i64,
    pub to: i64,
    pub authority: Option<bool>,
}

impl Certificate<'_> {
    /// Its DER, with a random key and a random signature.
    pub fn der(&self, rng: &mut StdRng) -> Vec<u8> {
        let algorithm = sequence(&[identifier(ED25519)]);
        let validity = sequence(&[time(self.from), time(self.to)]);
        let mut parts = vec![
            element(0xa0, &small(2)),
            number(rng, 8),
            algorithm.clone(),
            name(self.issuer),
            validity,
            name(self.subject),
            public_key(rng),
        ];
        if let Some(authority) = self.authority {
            let flag = if authority { element(1, &[0xff]) } else { Vec::new() };
            let constraints = octets(&sequence(&[flag]));
            let extension = sequence(&[identifier(&[0x55, 0x1d, 0x13]), element(1, &[0xff]), constraints]);
            parts.push(element(0xa3, &sequence(&[extension])));
        }
        sequence(&[sequence(&parts), algorithm, bits(&random(rng, 64))])
    }
}

fn name(common: &str) -> Vec<u8> {
    let attribute = sequence(&[identifier(&[0x55, 0x04, 0x03]), element(0x0c, common.as_bytes())]);
    sequence(&[element(0x31, &attribute)])
}

/// A time of two digits of a year up to 2049, and of four after (RFC 5280 section 4.1.2.5).
fn time(seconds: i64) -> Vec<u8> {
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    let long = time.strftime("%Y%m%d%H%M%SZ").to_string();
    if long.as_str() < "2050" {
        element(0x17, &long.as_bytes()[2..])
    } else {
        element(0x18, long.as_bytes())
    }
}
