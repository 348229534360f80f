//! Tokens whose checksum fits.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use data_encoding::BASE32_NOPAD;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::finding::Tier;

use super::super::alphabet::{BASE62, HEX};
use super::super::checksum;
use super::super::shape::{Part, Shape};
use super::carry::{carrying, stateless};
use super::{draw, filled, unsealed};

/// A text of the form that has its checksum or can be parsed, where the form asks for that.
pub(super) fn sealed(rng: &mut StdRng, literal: &str, shape: &Shape) -> (Tier, String) {
    let proof = match literal {
        "ghs_" if shape.parts.len() > 1 => Some(stateless(rng)),
        "ghp_" | "gho_" | "ghu_" | "ghs_" | "ghr_" | "npm_" => {
            let data = filled(rng, |rng| draw(rng, BASE62, 30));
            let crc = checksum::crc32_base62(&data);
            Some(format!("{literal}{data}{}", String::from_utf8_lossy(&crc)))
        }
        _ if literal.starts_with("gl") && shape.parts.iter().any(|part| matches!(part, Part::Is("."))) => {
            Some(routable(rng, literal, shape.parts.len() > 3))
        }
        "glsa_" => {
            let data = format!("{literal}{}", filled(rng, |rng| draw(rng, BASE62, 32)));
            Some(format!("{data}_{:08x}", crc32fast::hash(data.as_bytes()).swap_bytes()))
        }
        "8Q~" => {
            let data = filled(rng, |rng| {
                format!("{}{literal}{}", draw(rng, BASE62, 3), draw(rng, BASE62, 31))
            });
            let end = checksum::entra(&data);
            Some(format!("{data}{}", String::from_utf8_lossy(&end[..3])))
        }
        "JQQJ9" => Some(annotated(rng)),
        _ => seed(literal)
            .map(|seed| marked(rng, literal, shape, seed))
            .or_else(|| carrying(rng, literal)),
    };
    match proof {
        Some(text) => (Tier::Proven, text),
        None => (Tier::Shaped, unsealed(rng, literal, shape)),
    }
}

/// One of the seeds of a signature of Azure.
fn seed(literal: &str) -> Option<u64> {
    let kind = match literal {
        "+ASt" | "AZEG" => b"Default0",
        "ACDb" => b"MastRO00",
        "+ABa" => b"AbAcct00",
        "+AMC" | "/AM7" => b"Classic0",
        "APIM" => b"Tenant00",
        "+ASb" | "+AEh" | "+ARm" => b"Send0000",
        "AIoT" => b"Device00",
        "AzCa" => b"Access00",
        "AzSe" => b"Query000",
        "+ACR" => b"ACRDflt0",
        "AzFu" => b"Master00",
        "+SQL" => b"UsrPwd00",
        _ => return None,
    };
    Some(u64::from_be_bytes(*kind))
}

fn marked(rng: &mut StdRng, signature: &str, shape: &Shape, seed: u64) -> String {
    let (alphabet, length) = match shape.before {
        Some((_, 20, _)) => (BASE62, 33),
        Some((_, length, _)) => (BASE62, length),
        None => (BASE62, 0),
    };
    let url_safe = signature == "AzFu";
    let engine = if url_safe { URL_SAFE } else { STANDARD };
    loop {
        let text = format!("{}{signature}AAAAAA", filled(rng, |rng| draw(rng, alphabet, length)));
        let decoder = if url_safe { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
        let mut key = decoder.decode(text).unwrap_or_default();
        let data = key.len().saturating_sub(4);
        let checksum = checksum::marvin32(&key[..data], seed);
        key[data..].copy_from_slice(&checksum.to_le_bytes());
        let text = engine.encode(key);
        // Search keys have letters and digits only.
        if signature != "AzSe" || !text.contains(['+', '/']) {
            return text;
        }
    }
}

fn annotated(rng: &mut StdRng) -> String {
    loop {
        let text = format!("{}JQQJ99AB{}", draw(rng, BASE62, 52), draw(rng, BASE62, 20));
        let checksum = checksum::marvin32(
            &STANDARD.decode(&text).unwrap_or_default(),
            u64::from_be_bytes(*b"Default0"),
        );
        let text = text + &STANDARD.encode(&checksum.to_le_bytes()[..3]);
        if !text.contains(['+', '/']) {
            return text;
        }
    }
}

fn routable(rng: &mut StdRng, prefix: &str, versioned: bool) -> String {
    let random = draw(rng, BASE62, 16);
    let data = URL_SAFE_NO_PAD.encode(format!("c:1\no:2s\nu:{}{random}\u{10}", draw(rng, HEX, 4)));
    let version = if versioned { ".01" } else { "" };
    let data = format!("{prefix}{data}{version}.{}", base36(data.len(), 2));
    let crc = usize::try_from(crc32fast::hash(data.as_bytes())).unwrap_or_default();
    data + &base36(crc, 7)
}

fn base36(mut number: usize, width: u32) -> String {
    let mut digits = Vec::new();
    for _ in 0..width {
        digits.push(char::from_digit(u32::try_from(number % 36).unwrap_or_default(), 36).unwrap_or_default());
        number /= 36;
    }
    digits.iter().rev().collect()
}

/// A token of Azure `DevOps`.
pub(super) fn devops(rng: &mut StdRng) -> String {
    let mut bytes: [u8; 32] = rng.random();
    let (crc, _) = checksum::devops(&bytes);
    let kept = (crc ^ checksum::DEVOPS_SEEDS[0]).to_le_bytes();
    for (at, byte) in checksum::DEVOPS_CHECKSUM.into_iter().zip(kept) {
        bytes[at] = byte;
    }
    BASE32_NOPAD.encode(&bytes).to_lowercase()
}
