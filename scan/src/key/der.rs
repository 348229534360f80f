//! Private keys and key stores in binary: DER (X.690), as far as it takes to tell a private key from anything else.

/// What a text or bytes hold, if it is a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Whoever reads it has the key.
    Plain,
    /// It takes a passphrase too.
    Encrypted,
}

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// PKCS#5, whose schemes encrypt PKCS#8 keys: 1.2.840.113549.1.5 (RFC 8018 appendix C).
const PKCS5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05];
/// The older schemes of PKCS#12: 1.2.840.113549.1.12.1 (RFC 7292 appendix C).
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];
/// What is in a PKCS#12 file: PKCS#7 data or signed data, 1.2.840.113549.1.7 (RFC 7292 section 4).
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
/// The bags of PKCS#12, without their last arc: 1 is a key, 2 an encrypted key, 3 a certificate (RFC 7292 section 4.2).
const PKCS12_BAG: &[u8] = &[0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];

/// Reads one element after another.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag and the content of the next element. Its length must be definite, and within what is there.
    pub fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (
                    digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)),
                    rest,
                )
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next element, which must have that tag.
    pub fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }
}

/// Whether bytes are a private key: PKCS#8 (RFC 5958), encrypted PKCS#8, PKCS#1 (RFC 8017 appendix A.1.2), SEC 1
/// (RFC 5915), or the form that OpenSSL gives a DSA key.
pub(super) fn private_key(bytes: &[u8]) -> Option<Form> {
    let mut outer = Reader::new(bytes);
    let mut key = Reader::new(outer.take(SEQUENCE)?);
    match key.next()? {
        (INTEGER, [version @ (0 | 1)]) => plain(*version, key).then_some(Form::Plain),
        (SEQUENCE, algorithm) => {
            let scheme = Reader::new(algorithm).take(OID)?;
            let known = scheme.starts_with(PKCS5) || scheme.starts_with(PKCS12_PBE);
            let body = key.take(OCTETS)?;
            (known && !body.is_empty() && key.is_empty()).then_some(Form::Encrypted)
        }
        _ => None,
    }
}

/// What follows the version of a private key.
fn plain(version: u8, mut key: Reader<'_>) -> bool {
    match key.next() {
        // PKCS#8: the algorithm, then the key.
        Some((SEQUENCE, algorithm)) => {
            Reader::new(algorithm).take(OID).is_some_and(|oid| oid.len() > 2)
                && key.take(OCTETS).is_some_and(|body| body.len() >= 16)
        }
        // SEC 1: the private number; curves of 160 to 521 bits.
        Some((OCTETS, number)) => version == 1 && (20..=66).contains(&number.len()),
        // PKCS#1 has eight numbers, DSA five. The first of them is the modulus.
        Some((INTEGER, modulus)) => {
            let mut more = 0;
            while key.take(INTEGER).is_some_and(|number| !number.is_empty()) {
                more += 1;
            }
            modulus.len() >= 64 && (more == 7 || more == 4)
        }
        _ => false,
    }
}

/// Whether bytes are a PKCS#12 file that holds a private key. One with certificates only is a trust store, and public.
///
/// The bags of keys stand in the clear, whatever encrypts the keys. Files whose outer elements have no definite length
/// (some are written so) are known by their first bytes.
pub(super) fn is_key_store_pkcs12(bytes: &[u8]) -> bool {
    (is_pfx(bytes) || is_indefinite_pfx(bytes)) && has_key_bag(bytes)
}

fn is_pfx(bytes: &[u8]) -> bool {
    let mut pfx = Reader::new(match Reader::new(bytes).take(SEQUENCE) {
        Some(content) => content,
        None => return false,
    });
    pfx.take(INTEGER) == Some(&[3])
        && pfx
            .take(SEQUENCE)
            .and_then(|content| Reader::new(content).take(OID))
            .is_some_and(|oid| oid.starts_with(PKCS7))
}

fn is_indefinite_pfx(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(&[SEQUENCE, 0x80, INTEGER, 1, 3, SEQUENCE]) else {
        return false;
    };
    // The length of the inner element takes up to five bytes, then comes the identifier with its own length.
    rest.get(..16.min(rest.len()))
        .is_some_and(|start| start.windows(PKCS7.len()).any(|window| window == PKCS7))
}

fn has_key_bag(bytes: &[u8]) -> bool {
    bytes
        .windows(PKCS12_BAG.len() + 1)
        .any(|window| window.starts_with(PKCS12_BAG) && matches!(window.last(), Some(1 | 2)))
}

/// Whether bytes are a Java key store (JKS or JCEKS) with a private or a secret key. One with certificates only is a
/// trust store, and public.
///
/// The format is that of `sun.security.provider.JavaKeyStore`: a magic, a version, a count, then entries.
pub(super) fn is_key_store_java(bytes: &[u8]) -> bool {
    let rest = bytes
        .strip_prefix(&[0xfe, 0xed, 0xfe, 0xed])
        .or_else(|| bytes.strip_prefix(&[0xce, 0xce, 0xce, 0xce]));
    rest.and_then(java_entries).unwrap_or(false)
}

fn java_entries(bytes: &[u8]) -> Option<bool> {
    let (version, mut rest) = u32_of(bytes)?;
    let count;
    (count, rest) = u32_of(rest)?;
    if !matches!(version, 1 | 2) {
        return None;
    }
    for _ in 0..count {
        let kind;
        (kind, rest) = u32_of(rest)?;
        match kind {
            1 | 3 => return Some(true),
            2 => {}
            _ => return None,
        }
        // A certificate: its alias, the time, its type, its bytes.
        rest = skip_name(rest)?.get(8..)?;
        if version == 2 {
            rest = skip_name(rest)?;
        }
        let length;
        (length, rest) = u32_of(rest)?;
        rest = rest.get(usize::try_from(length).ok()?..)?;
    }
    Some(false)
}

/// A big-endian number of four bytes, and what follows.
pub(super) fn u32_of(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

fn skip_name(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.get(usize::from(u16::from_be_bytes(*length))..)
}
