//! Which RSA keys are too weak to be believed.

/// The smallest modulus that is used, in bits (RFC 7518 section 3.3).
pub(crate) const MIN_BITS: usize = 2048;
/// The largest, in bits: verification gets slower by the square of it, and the library reads no larger one.
const MAX_BITS: usize = 8192;
/// The odd primes by which keys of one maker's chips are known (CVE-2017-15361, ROCA).
const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// That a public key, by its modulus and its exponent as big-endian bytes, is not known to be weak.
pub(crate) fn check(modulus: &[u8], exponent: &[u8]) -> Result<(), &'static str> {
    let modulus = without_leading_zeros(modulus);
    if modulus.len() * 8 < MIN_BITS {
        return Err("is shorter than 2048 bits");
    }
    if modulus.len() * 8 > MAX_BITS {
        return Err("is longer than 8192 bits");
    }
    if modulus.last().is_none_or(|last| last % 2 == 0) {
        return Err("has an even modulus");
    }
    // With 1, everything is its own signature.
    let exponent = without_leading_zeros(exponent);
    match exponent {
        [] | [1] => return Err("has an exponent below 3"),
        [.., last] if last % 2 == 0 => return Err("has an even exponent"),
        _ if exponent.len() > 4 => return Err("has an exponent of more than 32 bits"),
        _ => {}
    }
    if is_roca(modulus) {
        return Err("was made by a chip whose keys can be factored (CVE-2017-15361)");
    }
    Ok(())
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]
}

/// Whether a modulus is, by each of the primes, a power of 65537, which both factors of such keys are (Nemec and others, "The
/// Return of Coppersmith's Attack", section 2.3). Of other keys, about one in a hundred million is.
fn is_roca(modulus: &[u8]) -> bool {
    ROCA_PRIMES.iter().all(|&prime| {
        let rest = modulus
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let powers = std::iter::successors(Some(1), |power| {
            Some(power * (65537 % prime) % prime).filter(|next| *next != 1)
        });
        powers.take(167).any(|power| power == rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulus(bytes: usize, last: u8) -> Vec<u8> {
        let mut modulus = vec![0xb5; bytes];
        modulus[bytes - 1] = last;
        modulus
    }

    #[test]
    fn weak_keys_are_known() {
        let good = modulus(256, 0x01);
        assert_eq!(check(&good, &[1, 0, 1]), Ok(()));
        assert_eq!(check(&[&[0], good.as_slice()].concat(), &[0, 3]), Ok(()));
        for (modulus, exponent) in [
            (modulus(255, 1), &[1, 0, 1][..]),
            (modulus(1025, 1), &[1, 0, 1]),
            (modulus(256, 2), &[1, 0, 1]),
            (good.clone(), &[]),
            (good.clone(), &[0]),
            (good.clone(), &[0, 1]),
            (good.clone(), &[1, 0, 0]),
            (good.clone(), &[1, 0, 0, 0, 1]),
            (vec![], &[3]),
        ] {
            assert!(
                check(&modulus, exponent).is_err(),
                "{} bytes, {exponent:?}",
                modulus.len()
            );
        }
    }

    /// A power of 65537 of more than 2048 bits, which no honest key is.
    #[test]
    fn keys_of_the_chip_are_known() {
        let mut power = vec![1_u8];
        for _ in 0..128 {
            // Times 65537: itself, and itself shifted by two bytes.
            let shifted = [power.as_slice(), &[0, 0]].concat();
            let mut sum = vec![0; shifted.len() + 1];
            let mut carry = 0;
            for at in 0..sum.len() {
                let digit = |of: &[u8]| of.len().checked_sub(at + 1).map_or(0, |place| u16::from(of[place]));
                let total = digit(&shifted) + digit(&power) + carry;
                let place = sum.len() - at - 1;
                sum[place] = u8::try_from(total % 256).unwrap();
                carry = total / 256;
            }
            power = without_leading_zeros(&sum).to_vec();
        }
        assert!(power.len() * 8 >= MIN_BITS && is_roca(&power));
        assert!(check(&power, &[1, 0, 1]).unwrap_err().contains("CVE-2017-15361"));
        let last = power.len() - 1;
        power[last] ^= 2;
        assert_eq!(check(&power, &[1, 0, 1]), Ok(()));
    }
}
