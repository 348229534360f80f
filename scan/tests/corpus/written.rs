//! Writes what the other tests make, one object a file, so that other programs can be run on the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{carriers, negatives_at, positives_at, rng, structure};

/// How many texts of a rule are written, each in a carrier of its own.
const MOST: usize = 10;

#[test]
#[ignore = "writes files: run by scripts/compare-scanners"]
fn write_objects() {
    let folder = std::env::var("COUNTERSIGN_OBJECTS").unwrap();
    let now = std::env::var("COUNTERSIGN_NOW").unwrap().parse().unwrap();
    let texts = positives_at(1, now)
        .into_iter()
        .map(|(id, _, text, name)| (id, text, name));
    let objects = structure::positives(&mut rng(1), now);
    write(&Path::new(&folder).join("bad"), texts, objects);
    write(
        &Path::new(&folder).join("good"),
        negatives_at(1, now),
        structure::negatives(&mut rng(1), now),
    );
}

fn write(
    folder: &Path,
    texts: impl IntoIterator<Item = (&'static str, String, Option<&'static str>)>,
    objects: Vec<(&'static str, Value)>,
) {
    fs::create_dir_all(folder).unwrap();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, (id, text, name)) in texts.into_iter().enumerate() {
        let count = seen.entry(id).or_default();
        *count += 1;
        if *count > MOST {
            continue;
        }
        let mut carried = carriers::all(name, &text);
        let chosen = carried.swap_remove(number % carried.len());
        let file = format!("{}-{count}.json", id.replace(' ', "-"));
        fs::write(folder.join(file), chosen.object.to_string()).unwrap();
    }
    for (number, (id, object)) in objects.into_iter().enumerate() {
        fs::write(folder.join(format!("{id}-structure-{number}.json")), object.to_string()).unwrap();
    }
}
