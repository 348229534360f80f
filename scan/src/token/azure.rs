//! Keys of Azure. Most carry a signature of four characters near their end, and behind it a Marvin-32 checksum whose
//! seed tells the kind of key (github.com/microsoft/security-utilities, `IdentifiableMetadata`).

use super::alphabet::{Alphabet, BASE62, BASE64, BASE64URL, UPPER};
use super::checksum;
use super::payload;
use super::shape::Part::{Is, Padding, Run};
use super::shape::{Part, shape};
use super::table::{rules, shapes};
use super::verdict::{Candidate, Verdict};

rules! {
    ANNOTATED_KEY = "azure-annotated-key", "an annotated security key of an Azure service", ProjectedToken;
    API_MANAGEMENT_KEY = "azure-api-management-key", "an Azure API Management key", ProjectedToken;
    BATCH_KEY = "azure-batch-key", "an Azure Batch account key", ProjectedToken;
    COSMOS_KEY = "azure-cosmos-key", "an Azure Cosmos DB key", ProjectedToken;
    DEVOPS_TOKEN = "azure-devops-token", "an Azure DevOps personal access token", ExternalSecret;
    ENTRA_SECRET = "entra-client-secret", "a client secret of an Entra ID application", ProjectedToken;
    EVENT_GRID_KEY = "azure-event-grid-key", "an Azure Event Grid key", ProjectedToken;
    FUNCTIONS_KEY = "azure-functions-key", "an Azure Functions key", ProjectedToken;
    IOT_KEY = "azure-iot-key", "an Azure IoT key", ExternalSecret;
    MACHINE_LEARNING_KEY = "azure-machine-learning-key", "an Azure Machine Learning key", ProjectedToken;
    MESSAGING_KEY = "azure-messaging-key", "an access key of Azure Service Bus, Event Hubs or Relay", ProjectedToken;
    REDIS_KEY = "azure-redis-key", "an Azure Cache for Redis key", ProjectedToken;
    REGISTRY_KEY = "azure-registry-key", "an Azure Container Registry password", ExternalSecret;
    SEARCH_KEY = "azure-search-key", "an Azure AI Search key", ProjectedToken;
    SQL_PASSWORD = "azure-sql-password", "an Azure SQL password", ProjectedToken;
    STORAGE_KEY = "azure-storage-key", "an Azure Storage account key", ProjectedToken;
}

shapes! {
    "+ASt" => shape(STORAGE_KEY, LONG).before(BASE64, 76, 76).check(|key| marked(key, &[DEFAULT]));
    "ACDb" => shape(COSMOS_KEY, LONG).before(BASE64, 76, 76).check(|key| marked(key, COSMOS));
    "+ABa" => shape(BATCH_KEY, LONG).before(BASE64, 76, 76).check(|key| marked(key, &[seed(*b"AbAcct00")]));
    "+AMC" => shape(MACHINE_LEARNING_KEY, LONG).before(BASE64, 76, 76).check(|key| marked(key, CLASSIC));
    "/AM7" => shape(MACHINE_LEARNING_KEY, LONG).before(BASE64, 76, 76).check(|key| marked(key, CLASSIC));
    "APIM" => shape(API_MANAGEMENT_KEY, LONG).before(BASE64, 76, 76).check(|key| marked(key, API_MANAGEMENT));
    "+ASb" => shape(MESSAGING_KEY, SHORT).before(BASE64, 33, 33).check(|key| marked(key, MESSAGING));
    "+AEh" => shape(MESSAGING_KEY, SHORT).before(BASE64, 33, 33).check(|key| marked(key, MESSAGING));
    "+ARm" => shape(MESSAGING_KEY, SHORT).before(BASE64, 33, 33).check(|key| marked(key, MESSAGING));
    "AIoT" => shape(IOT_KEY, SHORT).before(BASE64, 33, 33).check(|key| marked(key, IOT));
    "AzCa" => shape(REDIS_KEY, SHORT).before(BASE64, 33, 33).check(redis);
    "AZEG" => shape(EVENT_GRID_KEY, SHORT).before(BASE64, 33, 33).check(|key| marked(key, &[DEFAULT]));
    "AzSe" => shape(SEARCH_KEY, MIDDLE).before(BASE62, 42, 42).check(|key| marked(key, SEARCH));
    "+ACR" => shape(REGISTRY_KEY, MIDDLE).before(BASE64, 42, 42).check(|key| marked(key, &[seed(*b"ACRDflt0")]));
    "AzFu" => shape(FUNCTIONS_KEY, FUNCTION).before(BASE64URL, 44, 44).check(|key| marked(key, FUNCTIONS));
    "+SQL" => shape(SQL_PASSWORD, &[Run(BASE64, 6, 6), Padding]).before(BASE64, 20, 76)
        .check(|key| marked(key, &[seed(*b"UsrPwd00")]));

    "8Q~" => shape(ENTRA_SECRET, &[Run(ENTRA, 31, 34)]).before(ENTRA, 3, 3).check(entra);
    "7Q~" => shape(ENTRA_SECRET, &[Run(ENTRA, 31, 34)]).before(ENTRA, 3, 3);
    "JQQJ9" => shape(ANNOTATED_KEY, ANNOTATED).before(BASE62, 52, 52).check(annotated);
}

/// The rest of a key of 64 bytes, behind its signature.
const LONG: &[Part] = &[Run(BASE64, 6, 6), Is("==")];
/// Of one of 32 bytes.
const SHORT: &[Part] = &[Run(BASE64, 6, 6), Is("=")];
/// Of one of 39 bytes.
const MIDDLE: &[Part] = &[Run(BASE64, 6, 6)];
/// Of one of 40 bytes, for URLs.
const FUNCTION: &[Part] = &[Run(BASE64URL, 6, 6), Is("==")];
/// Version, year, month, what platform and service keep there, the service's signature, checksum.
const ANNOTATED: &[Part] = &[
    Run(UPPER.and("9"), 1, 1),
    Run(BASE62, 1, 1),
    Run(UPPER, 1, 1),
    Run(BASE62, 24, 26),
    Padding,
];

/// Unreserved characters of URLs.
const ENTRA: Alphabet = BASE64URL.and("~.");

/// A seed spells the kind of key.
const fn seed(kind: [u8; 8]) -> u64 {
    u64::from_be_bytes(kind)
}

const DEFAULT: u64 = seed(*b"Default0");
const CLASSIC: &[u64] = &[seed(*b"Classic0")];
const COSMOS: &[u64] = &[
    seed(*b"MastRW00"),
    seed(*b"MastRO00"),
    seed(*b"SystRW00"),
    seed(*b"SystRO00"),
    seed(*b"SysAll00"),
    seed(*b"Resour00"),
    seed(*b"Encryp00"),
];
const API_MANAGEMENT: &[u64] = &[
    seed(*b"Tenant00"),
    seed(*b"IoTHub00"),
    seed(*b"Gatewy00"),
    seed(*b"GitKey00"),
];
const MESSAGING: &[u64] = &[
    seed(*b"Send0000"),
    seed(*b"Manage00"),
    seed(*b"Listen00"),
    seed(*b"System00"),
    seed(*b"Unknown0"),
];
const IOT: &[u64] = &[seed(*b"IoTHub00"), seed(*b"Device00"), seed(*b"DpsKey00")];
const SEARCH: &[u64] = &[seed(*b"Query000"), seed(*b"PAdmin00")];
const FUNCTIONS: &[u64] = &[seed(*b"Functi00"), seed(*b"Master00"), seed(*b"System00")];

/// A key that ends with the checksum of what stands before it.
fn marked(candidate: &Candidate<'_>, seeds: &[u64]) -> Verdict {
    let fits = |key: Vec<u8>| seeds.iter().any(|seed| checksum::marvin_ends(&key, *seed));
    Verdict::by_checksum(payload::base64(candidate.token).is_some_and(fits))
}

/// Some of these had `+` and `/` replaced after the checksum was made, so that it does not fit any more.
fn redis(candidate: &Candidate<'_>) -> Verdict {
    Verdict::for_checksum(marked(candidate, &[seed(*b"Access00")]) == Verdict::Proven)
}

/// The newer form ends with the first half of its checksum.
fn entra(candidate: &Candidate<'_>) -> Verdict {
    match candidate.token.split_at_checked(37) {
        Some((data, end)) if end.len() == 3 => Verdict::by_checksum(checksum::entra(data).starts_with(end.as_bytes())),
        _ => Verdict::Shaped,
    }
}

/// The checksum of a key that a service made (`9`) is over 60 bytes, and cut to the length of the key. That of a
/// derived key is of another kind.
fn annotated(candidate: &Candidate<'_>) -> Verdict {
    let token = candidate.token.as_bytes();
    if !matches!(token.len(), 84 | 88) || !matches!(token.get(57), Some(b'9' | b'D' | b'H')) {
        return Verdict::No;
    }
    if token[57] != b'9' {
        return Verdict::Shaped;
    }
    let fits = |key: Vec<u8>| {
        key.split_at_checked(60)
            .is_some_and(|(data, end)| checksum::marvin32(data, DEFAULT).to_le_bytes().starts_with(end))
    };
    Verdict::by_checksum(payload::base64(candidate.token).is_some_and(fits))
}

/// A token of Azure DevOps has no prefix, but a checksum among its bytes: 52 characters of base 32.
pub(super) fn devops(text: &str) -> bool {
    checksum::devops_bytes(text).is_some_and(|bytes| {
        let (crc, kept) = checksum::devops(&bytes);
        checksum::DEVOPS_SEEDS.iter().any(|seed| crc ^ seed == kept)
    })
}
