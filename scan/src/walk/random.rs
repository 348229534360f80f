//! Whether a text looks random: how rare its neighbouring characters are beside each other in words and names.

/// Pairs of letters that are common in English and in the names of programs.
const COMMON: &str = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi \
ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so rs un \
lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp \
fe bl ab gh ty op wo sa ay ex ke fr oo av ag if ap gr od bo sp rd do uc bu ei ov by rm ep tt oc fa ef cu rn sc gi da yo cr \
cl du ga qu ue ff ba ey ls va um pp ua up lu go ht ru ug ds lt pi rc rr eg au ck ew mu br bi pt ak pu ui rg ib tl ny ki rk \
ys ob mm fu ph og ms ye ud mb ip ub oi rl gu dr hr cc tw ft wn nu af hu nn eo vo rv nf xp gn sm fl iz ok nl my gl aw ju oa \
eq sy sl ps jo lf nv je nk kn gs dy hy ze ks xt bs ik dd pc md vp db kb cs az vm ui js fs ml tp tc ud xy ws sq";

/// Keys that are public by design begin so.
const PUBLIC: &str = "pk_";
/// How much of a text must be rare pairs. In random text of letters and digits about 60 % are.
const RARE_PERCENT: usize = 45;

/// For each letter, the letters that commonly follow it, as bits.
static FOLLOWERS: [u32; 26] = {
    let bytes = COMMON.as_bytes();
    let mut table = [0; 26];
    let mut at = 0;
    while at + 1 < bytes.len() {
        if bytes[at].is_ascii_lowercase() && bytes[at + 1].is_ascii_lowercase() {
            table[(bytes[at] - b'a') as usize] |= 1 << (bytes[at + 1] - b'a');
        }
        at += 1;
    }
    table
};

/// Whether a text looks like key material: long enough, of mixed characters, and with few pairs that words have.
pub(crate) fn looks_random(text: &str) -> bool {
    let bytes = text.as_bytes();
    if text.starts_with(PUBLIC) || !(20..=256).contains(&bytes.len()) || !bytes.iter().all(|byte| is_key_byte(*byte)) {
        return false;
    }
    let has = |test: fn(&u8) -> bool| bytes.iter().any(test);
    let classes = [
        has(u8::is_ascii_lowercase),
        has(u8::is_ascii_uppercase),
        has(u8::is_ascii_digit),
    ];
    let hexadecimal = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    if classes.iter().filter(|has| **has).count() < 2 || hexadecimal {
        return false;
    }
    let rare = bytes.windows(2).filter(|pair| is_rare(pair[0], pair[1])).count();
    rare * 100 > bytes.len() * RARE_PERCENT
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'.' | b'~')
}

fn is_rare(first: u8, second: u8) -> bool {
    let (lower, next) = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
    match (lower.is_ascii_lowercase(), next.is_ascii_lowercase()) {
        (true, true) => {
            let common = FOLLOWERS[usize::from(lower - b'a')] & (1 << (next - b'a')) != 0;
            !common
        }
        (true, false) => next.is_ascii_digit(),
        (false, true) => lower.is_ascii_digit(),
        (false, false) => false,
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn names_and_digests_do_not_look_random() {
        for text in [
            "istio-ingressgateway-service-account",
            "registry.k8s.io/kube-state-metrics/kube-state-metrics",
            "requiredDuringSchedulingIgnoredDuringExecution",
            "networking.gke.io/managed-certificates",
            "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00",
            "2026-11-24T11:52:52.000000Z-and-more",
            "com.example.internal.ConfigurationManager2",
        ] {
            assert!(!looks_random(text), "{text}");
        }
    }

    #[test]
    fn nearly_all_random_keys_do() {
        let mut rng = StdRng::seed_from_u64(7);
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let random = (0..1000)
            .filter(|_| {
                let key: String = (0..32).map(|_| char::from(alphabet[rng.random_range(0..62)])).collect();
                looks_random(&key)
            })
            .count();
        assert!(random > 950, "{random} of 1000");
    }
}
