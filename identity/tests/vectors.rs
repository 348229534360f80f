//! What others published to test readers of JWS: Wycheproof's vectors, and the examples of the RFCs.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use std::collections::BTreeMap;

use countersign_identity::jws::{Jws, JwsError};
use countersign_identity::{Algorithm, KeySet};
use serde_json::{Value, json};

const SIGNATURES: &str = include_str!("vectors/wycheproof/json_web_signature_test.json");
const KEYS: &str = include_str!("vectors/wycheproof/json_web_key_test.json");

/// Whether a JWS is accepted with the keys of a JWK Set, and why not.
fn check(jws: &str, keys: &Value) -> Result<Algorithm, String> {
    let keys = KeySet::parse(&keys.to_string()).map_err(|error| error.to_string())?;
    verify(jws, &keys).map_err(|error| error.to_string())
}

fn verify(jws: &str, keys: &KeySet) -> Result<Algorithm, JwsError> {
    Jws::parse(jws)?.check_signature(keys.keys(), &Algorithm::ALL)
}

struct Vector {
    id: i64,
    group: String,
    valid: bool,
    jws: String,
    keys: Value,
}

fn vectors(file: &str) -> Vec<Vector> {
    let file: Value = serde_json::from_str(file).unwrap();
    let mut vectors = Vec::new();
    for group in file["testGroups"].as_array().unwrap() {
        let key = group.get("public").unwrap_or(&group["private"]);
        let keys = if key.get("keys").is_some() {
            key.clone()
        } else {
            json!({ "keys": [key] })
        };
        for test in group["tests"].as_array().unwrap() {
            vectors.push(Vector {
                id: test["tcId"].as_i64().unwrap(),
                group: group["comment"].as_str().unwrap().to_owned(),
                valid: test["result"] == "valid",
                jws: test["jws"]
                    .as_str()
                    .map_or_else(|| test["jws"].to_string(), str::to_owned),
                keys: keys.clone(),
            });
        }
    }
    assert_eq!(
        vectors.len(),
        usize::try_from(file["numberOfTests"].as_u64().unwrap()).unwrap()
    );
    vectors
}

/// Runs a file: what must be refused is, and what is valid is accepted but for what is named here, by its reason.
fn run(file: &str, unsupported: &[(&str, &[i64])]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    let mut refused: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for vector in vectors(file) {
        let result = check(&vector.jws, &vector.keys);
        let outcome = match (vector.valid, &result) {
            (false, Err(_)) => "invalid, refused",
            (true, Ok(_)) => "valid, accepted",
            (true, Err(why)) => {
                refused.entry(why.clone()).or_default().push(vector.id);
                "valid, not supported"
            }
            (false, Ok(_)) => "invalid, accepted",
        };
        assert_ne!(outcome, "invalid, accepted", "{} {}", vector.group, vector.id);
        *counts.entry(outcome).or_default() += 1;
    }
    let expected: BTreeMap<String, Vec<i64>> = unsupported
        .iter()
        .map(|(why, ids)| ((*why).to_owned(), ids.to_vec()))
        .collect();
    assert_eq!(refused, expected);
    counts
}

const SHARED_SECRET: &str =
    "key 0 holds private key material: publish the public part only, and replace the key, since it was disclosed";
const NO_P521: &str = "no usable key: it needs an RSA key of at least 2048 bits, an EC key on P-256 or P-384, or an Ed25519 key: key 0 is of a type that is not supported";

/// RFC 8725 sections 2.1 to 2.5 and 3.1 to 3.4, by Wycheproof's `json_web_signature_test.json`.
#[test]
fn wycheproofs_signatures() {
    let counts = run(
        SIGNATURES,
        &[
            // HMAC is for whoever shares a secret, and nobody does here.
            (SHARED_SECRET, &[1, 348, 352, 357, 358, 359, 372, 373, 376, 377]),
            // ES512, of which the vectors say that it is called ES521.
            (NO_P521, &[347, 351]),
            // Signed with PS384 by a key whose JWK says that it is for PS256 alone.
            ("no key fits its `kid` and `alg`", &[346, 350]),
        ],
    );
    assert_eq!(
        counts,
        BTreeMap::from([
            ("invalid, refused", 355),
            ("valid, accepted", 32),
            ("valid, not supported", 14)
        ])
    );
}

/// RFC 8725 sections 3.1, 3.4 and 3.5, by Wycheproof's `json_web_key_test.json`.
#[test]
fn wycheproofs_keys() {
    let counts = run(KEYS, &[(SHARED_SECRET, &[2, 13, 14, 15])]);
    assert_eq!(
        counts,
        BTreeMap::from([
            ("invalid, refused", 21),
            ("valid, accepted", 1),
            ("valid, not supported", 4)
        ])
    );
}

/// What is wrong is what was made wrong: without a key that could be used, each vector would be refused.
#[test]
fn wycheproofs_vectors_are_refused_for_their_own_faults() {
    let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
    for vector in vectors(SIGNATURES).into_iter().filter(|vector| !vector.valid) {
        let usable = KeySet::parse(&vector.keys.to_string());
        match vector.group.as_str() {
            "hs256" | "base64" => assert!(usable.is_err(), "{}", vector.id),
            "rsa_encryption" | "ec_key_for_encryption" => {
                assert!(usable.unwrap_err().to_string().contains("is not for"), "{}", vector.id);
            }
            _ => {
                let fault = match verify(&vector.jws, &usable.unwrap()).unwrap_err() {
                    JwsError::Form => "form",
                    JwsError::Header => "header",
                    JwsError::Algorithm => "algorithm",
                    JwsError::NoKey => "key",
                    JwsError::Signature => "signature",
                    other => panic!("{}: {other}", vector.id),
                };
                *faults.entry(fault).or_default() += 1;
            }
        }
    }
    assert_eq!(
        faults,
        BTreeMap::from([
            ("form", 10),
            ("header", 4),
            ("algorithm", 5),
            ("key", 7),
            ("signature", 295)
        ])
    );
    let why = |id: i64| {
        let vector = vectors(KEYS).into_iter().find(|vector| vector.id == id).unwrap();
        check(&vector.jws, &vector.keys).unwrap_err()
    };
    for (id, reason) in [
        (6, "is not for signatures"),
        (7, "CVE-2017-15361"),
        (8, "shorter than 2048 bits"),
        (9, "exponent below 3"),
        (19, "`alg` that does not fit"),
        (20, "`alg` that does not fit"),
        (21, "is not for signatures"),
        (22, "is not a point of its curve"),
        (23, "`alg` that does not fit"),
        (24, "lacks a member"),
    ] {
        assert!(why(id).contains(reason), "{id}: {}", why(id));
    }
}

/// The group `base64` is signed with HMAC. How its texts are taken apart says more than that they are refused for it. Two that
/// are called valid (372, 373) have a `?` in them, which RFC 7515 section 2 does not have. Two that are called invalid (367,
/// 370) are the text of a valid one (357).
#[test]
fn wycheproofs_base64_is_read_strictly() {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for vector in vectors(SIGNATURES)
        .into_iter()
        .filter(|vector| vector.group == "base64")
    {
        match Jws::parse(&vector.jws) {
            Ok(_) => taken.push(vector.id),
            Err(error) => {
                assert_eq!(error, JwsError::Form, "{}", vector.id);
                refused.push(vector.id);
            }
        }
    }
    assert_eq!(taken, [357, 358, 359, 367, 370, 376, 377]);
    assert_eq!(refused.len(), 14);
}

const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// RFC 7515 appendix A.1: HS256, which is refused by name, and its key, which is not taken.
#[test]
fn rfc_7515_a_1() {
    let jws = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let key = json!({
        "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    });
    assert_eq!(check(&jws, &json!({ "keys": [key] })), Err(SHARED_SECRET.to_owned()));
    let others = KeySet::parse(&json!({ "keys": [rfc_7515_a_3_key()] }).to_string()).unwrap();
    assert_eq!(verify(&jws, &others), Err(JwsError::Algorithm));
}

/// RFC 7515 appendix A.2: RS256.
#[test]
fn rfc_7515_a_2() {
    let key = json!({
        "kty": "RSA",
        "n": concat!(
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2l",
            "ZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEM",
            "a2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2P",
            "AcDTW9gb54h4FRWyuXpoQ",
        ),
        "e": "AQAB",
    });
    let signature = concat!(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7",
        "t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi1",
        "2jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGl",
        "UPQGe77Rw",
    );
    let jws = format!("eyJhbGciOiJSUzI1NiJ9.{JOE}.{signature}");
    assert_eq!(check(&jws, &json!({ "keys": [key] })), Ok(Algorithm::Rs256));
    let claims = Jws::parse(&jws).unwrap().claims().unwrap();
    assert_eq!(claims["iss"], "joe");
}

fn rfc_7515_a_3_key() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

/// RFC 7515 appendix A.3: ES256.
#[test]
fn rfc_7515_a_3() {
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let keys = json!({ "keys": [rfc_7515_a_3_key()] });
    assert_eq!(
        check(&format!("eyJhbGciOiJFUzI1NiJ9.{JOE}.{signature}"), &keys),
        Ok(Algorithm::Es256)
    );
    let other = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1A";
    assert!(check(&format!("eyJhbGciOiJFUzI1NiJ9.{JOE}.{other}"), &keys).is_err());
}

/// RFC 7515 appendix A.4: ES512, which is not supported: neither its key nor its name.
#[test]
fn rfc_7515_a_4() {
    let jws = concat!(
        "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34X",
        "O0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
    );
    let key = json!({
        "kty": "EC", "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
    });
    assert_eq!(check(jws, &json!({ "keys": [key] })), Err(NO_P521.to_owned()));
    assert_eq!(
        check(jws, &json!({ "keys": [rfc_7515_a_3_key()] })),
        Err(JwsError::Algorithm.to_string())
    );
}

/// RFC 7515 appendix A.5: a JWS that is not secured.
#[test]
fn rfc_7515_a_5() {
    let jws = format!("eyJhbGciOiJub25lIn0.{JOE}.");
    assert_eq!(
        check(&jws, &json!({ "keys": [rfc_7515_a_3_key()] })),
        Err(JwsError::Algorithm.to_string())
    );
}

/// RFC 7520 section 4.2, whose key says nothing of an algorithm (section 3.3), other than Wycheproof's copy of it.
#[test]
fn rfc_7520_4_2() {
    let mut vector = vectors(SIGNATURES).into_iter().find(|vector| vector.id == 346).unwrap();
    vector.keys["keys"][0].as_object_mut().unwrap().remove("alg");
    assert_eq!(check(&vector.jws, &vector.keys), Ok(Algorithm::Ps384));
}

/// RFC 8037 appendices A.4 and A.5: Ed25519, by its old name.
#[test]
fn rfc_8037_a_4() {
    let jws = concat!(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    assert_eq!(check(jws, &json!({ "keys": [key] })), Ok(Algorithm::EdDsa));
    assert_eq!(Jws::parse(jws).unwrap().payload(), b"Example of Ed25519 signing");
    assert_eq!(Jws::parse(jws).unwrap().claims(), Err(JwsError::Claims));
}
