use super::super::testing::{config_maps, deployments, finding, name, seen};
use super::*;

/// A book in which the ConfigMaps were read: `shop/a` has a finding since 100, `shop/clean` has none.
fn book() -> Book {
    let mut book = Book::default();
    let kind = config_maps();
    book.open(&kind);
    assert!(!book.is_complete());
    book.take(Told::Listing(kind.id()), 100);
    let news = book.take(seen(&kind, &name("shop", "a"), vec![finding("/data/a", 1)]), 100);
    assert_eq!(news.unwrap().findings, [finding("/data/a", 1)]);
    assert_eq!(book.take(seen(&kind, &name("shop", "clean"), Vec::new()), 100), None);
    book.take(Told::Listed(kind.id()), 100);
    assert!(book.is_complete());
    assert_eq!(book.take_changed(), ["shop".to_owned()].into());
    book
}

fn found(book: &Book, namespace: &str) -> Vec<(String, String, i64)> {
    let objects = book.objects(namespace);
    objects
        .flat_map(|(_, name, entry)| {
            let known = entry.findings.iter();
            known.map(|known| (name.name.clone(), known.finding.location.pointer.clone(), known.since))
        })
        .collect()
}

fn expected(lines: &[(&str, &str, i64)]) -> Vec<(String, String, i64)> {
    lines
        .iter()
        .map(|(object, pointer, since)| ((*object).to_owned(), (*pointer).to_owned(), *since))
        .collect()
}

#[test]
fn what_stays_is_no_news_and_changes_nothing() {
    let mut book = book();
    let again = seen(&config_maps(), &name("shop", "a"), vec![finding("/data/a", 1)]);
    assert_eq!(book.take(again, 200), None);
    assert!(book.take_changed().is_empty());
    assert_eq!(found(&book, "shop"), expected(&[("a", "/data/a", 100)]));
}

#[test]
fn of_a_changed_object_only_the_new_finding_is_news() {
    let mut book = book();
    let both = vec![finding("/data/a", 1), finding("/data/b", 2)];
    let news = book.take(seen(&config_maps(), &name("shop", "a"), both), 200).unwrap();
    assert_eq!(news.findings, [finding("/data/b", 2)]);
    assert_eq!(
        found(&book, "shop"),
        expected(&[("a", "/data/a", 100), ("a", "/data/b", 200)])
    );
}

#[test]
fn another_value_in_the_same_field_is_news() {
    let mut book = book();
    let rotated = seen(&config_maps(), &name("shop", "a"), vec![finding("/data/a", 9)]);
    assert!(book.take(rotated, 200).is_some());
    assert_eq!(found(&book, "shop"), expected(&[("a", "/data/a", 200)]));
}

#[test]
fn what_is_mended_or_deleted_disappears() {
    for told in [
        seen(&config_maps(), &name("shop", "a"), Vec::new()),
        Told::Gone(config_maps().id(), name("shop", "a")),
    ] {
        let mut book = book();
        assert_eq!(book.take(told, 200), None);
        assert!(found(&book, "shop").is_empty());
        assert_eq!(book.take_changed(), ["shop".to_owned()].into());
    }
}

#[test]
fn what_is_not_in_a_new_list_is_gone_when_that_ends() {
    let mut book = book();
    let kind = config_maps();
    book.take(Told::Listing(kind.id()), 200);
    book.take(seen(&kind, &name("bank", "b"), vec![finding("/data/b", 2)]), 200);
    assert_eq!(found(&book, "shop").len(), 1, "the list is not complete");
    book.take(Told::Listed(kind.id()), 200);
    assert!(found(&book, "shop").is_empty());
    assert_eq!(found(&book, "bank"), expected(&[("b", "/data/b", 200)]));
    assert_eq!(book.take_changed(), ["bank".to_owned(), "shop".to_owned()].into());
}

#[test]
fn a_kind_that_cannot_be_read_keeps_what_is_known_of_it() {
    let mut book = book();
    book.take(Told::Listing(config_maps().id()), 200);
    book.take(Told::Unreadable(config_maps().id()), 200);
    assert_eq!(found(&book, "shop").len(), 1);
    book.open(&deployments());
    assert!(!book.is_complete());
    book.take(Told::Unreadable(deployments().id()), 200);
    assert!(book.is_complete(), "one kind must not hold up all others");
}

#[test]
fn a_kind_that_is_no_longer_served_is_forgotten() {
    let mut book = book();
    book.close(&config_maps().id());
    assert!(found(&book, "shop").is_empty());
    assert_eq!(book.take_changed(), ["shop".to_owned()].into());
    assert_eq!(
        book.take(
            seen(&config_maps(), &name("shop", "a"), vec![finding("/data/a", 1)]),
            200
        ),
        None
    );
}

#[test]
fn what_an_earlier_audit_reported_is_no_news() {
    let kind = config_maps();
    let mark = Mark::new(&kind, &name("shop", "a"), &finding("/data/a", 1));
    let mut book = Book::new([(mark, 50)].into());
    book.open(&kind);
    let news = book.take(
        seen(
            &kind,
            &name("shop", "a"),
            vec![finding("/data/a", 1), finding("/data/b", 2)],
        ),
        200,
    );
    assert_eq!(news.unwrap().findings, [finding("/data/b", 2)]);
    assert_eq!(
        found(&book, "shop"),
        expected(&[("a", "/data/a", 50), ("a", "/data/b", 200)])
    );
}

#[test]
fn namespaces_are_told_apart() {
    let mut book = book();
    for namespace in ["sho", "shop-2", ""] {
        let other = seen(&config_maps(), &name(namespace, "x"), vec![finding("/data/x", 3)]);
        book.take(other, 200);
    }
    assert_eq!(found(&book, "shop"), expected(&[("a", "/data/a", 100)]));
    assert_eq!(found(&book, ""), expected(&[("x", "/data/x", 200)]));
}
