//! Hashes of client secrets.

/// How much memory the hash may take, in KiB. The least is what OWASP's cheat sheet on storing passwords asks for; the most
/// keeps one request from taking the memory of all.
const MEMORY: (u32, u32) = (19 * 1024, 256 * 1024);
/// How many rounds it may take.
const ROUNDS: (u32, u32) = (1, 10);
/// How many lanes it may take.
const LANES: (u32, u32) = (1, 8);
/// How many characters salt and hash have at least, in base64: 8 and 32 bytes.
const LENGTHS: (usize, usize) = (11, 43);

/// Whether a text is a hash by argon2id, as a PHC string, that is neither weak nor a burden. The text is never repeated.
pub(super) fn hash(text: &str) -> Result<(), String> {
    let wrong = || {
        "is not a hash by argon2id as a PHC string, `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`; never write the secret itself"
            .to_owned()
    };
    let parts: Vec<&str> = text.split('$').collect();
    let ["", "argon2id", "v=19", parameters, salt, hash] = parts.as_slice() else {
        return Err(wrong());
    };
    let base64 = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    };
    if !base64(salt) || !base64(hash) {
        return Err(wrong());
    }
    let numbers: Vec<&str> = parameters.split(',').collect();
    let [memory, rounds, lanes] = numbers.as_slice() else {
        return Err(wrong());
    };
    for (text, name, (least, most)) in [(memory, "m=", MEMORY), (rounds, "t=", ROUNDS), (lanes, "p=", LANES)] {
        let number: u32 = text
            .strip_prefix(name)
            .and_then(|number| number.parse().ok())
            .ok_or_else(wrong)?;
        if !(least..=most).contains(&number) {
            return Err(format!(
                "has {name}{number}, which must be from {least} to {most}; hash the secret anew"
            ));
        }
    }
    let (shortest_salt, shortest_hash) = LENGTHS;
    if salt.len() < shortest_salt || hash.len() < shortest_hash {
        return Err("has a salt of less than 8 bytes or a hash of less than 32; hash the secret anew".to_owned());
    }
    Ok(())
}
