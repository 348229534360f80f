//! What stands between `-----BEGIN …-----` and `-----END …-----` (RFC 7468).

use super::der::{self, Form};
use super::{armor, certificate, pgp, seed, sign, ssh};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Anchor, Hit, Input};
use crate::rule::{Remedy::ServiceIdentity, Rule};

pub(super) static PRIVATE_KEY: Rule = Rule {
    id: "private-key",
    title: "a private key",
    remedy: ServiceIdentity,
};

pub(super) const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
/// The longest label that is read: `ENCRYPTED COSIGN PRIVATE KEY` has 28.
const LONGEST_LABEL: usize = 48;
/// With less of base64 than this, what follows a header is not a key with a mistake in it, but talk about keys.
const SHORTEST_BODY: usize = 64;

/// What a label promises.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Der,
    OpenSsh,
    Pgp,
    Cosign,
    Nkey,
    OpenVpn,
    Certificate,
}

impl Kind {
    fn of(label: &str) -> Option<Self> {
        match label {
            "OPENSSH PRIVATE KEY" => Some(Self::OpenSsh),
            "ENCRYPTED COSIGN PRIVATE KEY" | "ENCRYPTED SIGSTORE PRIVATE KEY" => Some(Self::Cosign),
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => Some(Self::Certificate),
            "PGP PRIVATE KEY BLOCK" | "PGP SECRET KEY BLOCK" => Some(Self::Pgp),
            _ if label.ends_with("PRIVATE KEY") => Some(Self::Der),
            _ if label.ends_with("NKEY SEED") => Some(Self::Nkey),
            _ if label.starts_with("OpenVPN ") && label.contains("key") => Some(Self::OpenVpn),
            _ => None,
        }
    }
}

/// A block of PEM: where it is, and what is between its lines.
struct Block<'a> {
    label: &'a str,
    region: &'a str,
    closed: bool,
    end: usize,
}

impl<'a> Block<'a> {
    /// Reads the block whose `-----BEGIN ` is at `at`. Without its last line it goes as far as base64 does.
    fn at(text: &'a str, at: usize) -> Option<Self> {
        let head = text.get(at..)?.strip_prefix(BEGIN)?;
        let in_label = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b' ';
        let length = head.bytes().take(LONGEST_LABEL).take_while(in_label).count();
        let (label, rest) = head.split_at_checked(length)?;
        let body = rest.strip_prefix(DASHES)?;
        let start = text.len() - body.len();
        let until = body.find(DASHES).unwrap_or(body.len());
        // NATS has six dashes where others have five.
        if let Some(last) = body[until..].trim_start_matches('-').strip_prefix("END ") {
            let line = last
                .as_bytes()
                .iter()
                .take(LONGEST_LABEL)
                .take_while(|byte| in_label(byte))
                .count();
            let dashes = last[line..]
                .bytes()
                .take(DASHES.len() + 1)
                .take_while(|byte| *byte == b'-')
                .count();
            return Some(Self {
                label,
                region: &body[..until],
                closed: true,
                end: text.len() - last.len() + line + dashes,
            });
        }
        let (_, length) = armor::run(&body[..until]);
        Some(Self {
            label,
            region: &body[..length],
            closed: false,
            end: start + length,
        })
    }

    /// The base64 of the block, without headers (RFC 1421), checksum, quotes and comment signs; `None` if there is
    /// anything else.
    fn body(&self) -> Option<String> {
        let mut body = String::with_capacity(self.region.len());
        for (_, line) in armor::lines(self.region) {
            if line.contains(": ") {
                continue;
            }
            for word in line.split_ascii_whitespace() {
                let word = word.trim_matches(['"', '\'', ',', ';', '\\', '#', '|', '>']);
                // A lone plus joins strings.
                // The checksum of OpenPGP's armor follows an equals sign.
                if word != "+" && word != "//" && !word.starts_with('=') {
                    body.push_str(word);
                }
            }
        }
        body.bytes()
            .all(|byte| armor::is_base64(byte) || byte == b'=')
            .then_some(body)
    }
}

/// A private key or a certificate at its header.
pub(super) fn find(input: &Input<'_>, at: usize) -> Option<Hit> {
    let block = Block::at(input.text, at)?;
    let kind = Kind::of(block.label)?;
    let span = at..block.end;
    match kind {
        Kind::Certificate => {
            if !certificate::is_of_interest(input.name) {
                return None;
            }
            let der = armor::base64(&block.body()?)?;
            certificate::judge(&der, input, span)
        }
        Kind::Nkey => seed::nats_in_armor(block.region, at + BEGIN.len() + block.label.len() + DASHES.len()),
        Kind::OpenVpn => seed::openvpn(block.region, span),
        Kind::Der | Kind::OpenSsh | Kind::Pgp | Kind::Cosign => match form(kind, &block) {
            Some(Form::Plain) => Some(Hit::new(&PRIVATE_KEY, Tier::Proven, span)),
            Some(Form::Encrypted) => Some(Hit::new(&PRIVATE_KEY, Tier::Proven, span).mitigated(Mitigation::Encrypted)),
            None => doubtful(&block).map(|why| Hit::new(&PRIVATE_KEY, Tier::Shaped, span).mitigated(why)),
        },
    }
}

/// What a block holds, if it holds what its label says.
fn form(kind: Kind, block: &Block<'_>) -> Option<Form> {
    let body = armor::base64(&block.body()?)?;
    match kind {
        Kind::OpenSsh => ssh::openssh(&body),
        Kind::Pgp => pgp::secret_key(&body),
        Kind::Cosign => sign::cosign(&body),
        // The body of an encrypted key of this older kind (RFC 1421) is nothing but the encrypted bytes.
        _ if block.region.contains("4,ENCRYPTED") && block.region.contains("DEK-Info") => {
            (body.len() >= 32 && body.len().is_multiple_of(8)).then_some(Form::Encrypted)
        }
        _ => der::private_key(&body).or_else(|| ssh::openssh(&body)),
    }
}

/// Why a block whose body is no key is worth a warning, if it is.
fn doubtful(block: &Block<'_>) -> Option<Mitigation> {
    if armor::is_template(block.region) || block.region.trim().is_empty() {
        return None;
    }
    let longest = block
        .region
        .split(|c: char| !c.is_ascii() || !armor::is_base64(c as u8));
    let longest = longest.map(str::len).max().unwrap_or(0);
    let base64 = block.region.bytes().filter(|byte| armor::is_base64(*byte)).count();
    if longest >= SHORTEST_BODY / 2 && base64 >= SHORTEST_BODY && !armor::is_repetition(block.region) {
        Some(Mitigation::Unproven)
    } else if block.closed && armor::is_placeholder(block.region) {
        Some(Mitigation::Placeholder)
    } else {
        None
    }
}

/// The starts of base64 of PEM, at each of the three alignments, and how many characters before them the group of four
/// begins that they are in.
pub(super) const ENCODED: [Anchor; 3] = [
    Anchor {
        literal: "LS0tLS1CRUdJTi",
        find: |input, at| find_encoded(input, at, 0),
    },
    Anchor {
        literal: "0tLS0tQkVHSU4g",
        find: |input, at| find_encoded(input, at, 2),
    },
    Anchor {
        literal: "tLS0tLUJFR0lOI",
        find: |input, at| find_encoded(input, at, 3),
    },
];

/// A private key or a certificate in base64 that stands in a longer text. A text that is base64 as a whole is decoded by
/// the walk, which finds the key; whether a certificate counts depends on the name, which is here.
fn find_encoded(input: &Input<'_>, at: usize, before: usize) -> Option<Hit> {
    let start = at.checked_sub(before)?;
    let decoded = decode_block(input.text.get(start..)?)?;
    let inner = Input {
        text: &decoded,
        ..*input
    };
    let hit = find(&inner, decoded.find(BEGIN)?)?;
    if *hit.rule == PRIVATE_KEY && armor::is_whole(input.text) {
        return None;
    }
    let end = start + armor::length_of(&input.text[start..], hit.span.end);
    Some(Hit {
        span: start..end,
        ..hit
    })
}

/// Decodes base64 up to the end of the first block of PEM in it, and not much further.
fn decode_block(text: &str) -> Option<String> {
    const STEP: usize = 256;
    let mut reader = armor::Decoder::new(text);
    let mut decoded = Vec::new();
    let mut from = 0;
    let mut seen = 0;
    // The header is in the first step, or there is none.
    if !reader.read(STEP, &mut decoded) || !is_interesting(&decoded) {
        return None;
    }
    loop {
        // The dashes of the header are two, and those of the last line two more.
        while let Some(at) = decoded.get(from..).and_then(find_dashes) {
            seen += 1;
            from += at + DASHES.len();
        }
        from = from.max(decoded.len().saturating_sub(DASHES.len() - 1));
        if seen >= 4 || !reader.read(STEP, &mut decoded) {
            break;
        }
    }
    // PEM is ASCII. What is not keeps its length, so that places can be counted back.
    let ascii = |byte: u8| if byte.is_ascii() { char::from(byte) } else { '?' };
    Some(decoded.into_iter().map(ascii).collect())
}

fn find_dashes(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(DASHES.len())
        .position(|window| window == DASHES.as_bytes())
}

/// Whether decoded bytes start with a header of something that is looked for.
fn is_interesting(decoded: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&decoded[..decoded.len().min(LONGEST_LABEL * 2)]);
    head.find(BEGIN)
        .and_then(|at| Block::at(&head, at))
        .is_some_and(|block| Kind::of(block.label).is_some())
}
