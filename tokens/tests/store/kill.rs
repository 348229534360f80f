//! The process ends in the middle of its work, without a word: what it answered stays true.
//!
//! A thousand families are rotated at once in a process of its own, which says each new token that it was answered. It is
//! killed, again and again. After each time the clients do what clients do: they present the last token that they got.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_tokens::store::{Family, FamilyId, Options, Store, Use};
use futures::future::join_all;
use rstest::rstest;

use crate::common::postgres::Server;
use crate::rig::{Database, Kind, NOW, digest, family, rotate, usage};

const FAMILIES: u32 = 1000;
const OPTIONS: Options = Options {
    connections: 8,
    patience: Duration::from_mins(1),
    ca: None,
};
/// How the process that is killed is told its store, and which test it is.
const URL: &str = "STORE_THAT_IS_KILLED";
const TEST: &str = "kill::the_process_that_is_killed";

/// The number of the last token that each family was answered.
type Answered = BTreeMap<u32, u64>;

fn named(number: u32) -> Family {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    Family {
        id: FamilyId(id),
        absolute_end: NOW + 1_000_000,
        ..family(0)
    }
}

fn token(family: u32, number: u64) -> String {
    format!("{family}-{number}")
}

fn with(family: u32, number: u64) -> Use {
    usage(&token(family, number), &token(family, number + 1))
}

async fn begin(store: &Store) -> Answered {
    let families = (0..FAMILIES).map(|number| async move {
        let first = digest(&token(number, 0));
        store.begin_family(named(number), Some(first)).await.unwrap();
        (number, 0)
    });
    join_all(families).await.into_iter().collect()
}

/// Rotates until the store fails or whoever is told of a token that was answered has enough.
async fn rotate_on(store: Store, family: u32, mut number: u64, enough: impl Fn(u32, u64) -> bool) {
    while let Ok(rotation) = store.rotate(with(family, number)).await {
        assert!(
            matches!(crate::rig::name(&rotation), "rotated"),
            "{family}-{number}: {rotation:?}"
        );
        number += 1;
        if enough(family, number) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is a part of the tests below, which run it in a process of its own"]
async fn the_process_that_is_killed() {
    let store = Store::open(&env::var(URL).unwrap(), &OPTIONS).await.unwrap();
    let mut tasks = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (family, number) = line.split_once(' ').unwrap();
        let (family, number) = (family.parse().unwrap(), number.parse().unwrap());
        tasks.push(rotate_on(store.clone(), family, number, |family, number| {
            writeln!(std::io::stdout(), "answered {family} {number}").unwrap();
            false
        }));
    }
    join_all(tasks.into_iter().map(tokio::spawn)).await;
}

fn start(url: &str, answered: &Answered) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", TEST, "--nocapture"])
        .env(URL, url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for (family, number) in answered {
        writeln!(input, "{family} {number}").unwrap();
    }
    child
}

/// Reads what the process says, kills it when it said enough, and reads what it still had said.
fn kill_after(mut child: Child, enough: usize, answered: &mut Answered) -> usize {
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut said = 0;
    for line in output.lines().map_while(Result::ok) {
        // The last line may be half a line.
        let mut words = line.split(' ').skip_while(|word| *word != "answered").skip(1);
        let (Some(family), Some(number)) = (words.next(), words.next()) else {
            continue;
        };
        answered.insert(family.parse().unwrap(), number.parse().unwrap());
        said += 1;
        if said == enough {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    said
}

/// What each family has now: one token that lives, and it is the last that was answered, or the one after that, whose answer
/// was lost.
async fn check(store: &Store, answered: &Answered) {
    let checks = answered.iter().map(|(family, number)| async move {
        let mut live = Vec::new();
        for candidate in 0..=number + 2 {
            let found = store
                .family_of(digest(&token(*family, candidate)), NOW + 10)
                .await
                .unwrap();
            live.extend(found.is_some_and(|(_, live)| live).then_some(candidate));
        }
        let good = live == [*number] || live == [number + 1];
        assert!(good, "family {family} was answered {number}, and {live:?} live");
    });
    join_all(checks).await;
}

/// Each client presents what it has, and goes on with what it is given.
async fn go_on(store: &Store, answered: &mut Answered) {
    let uses = answered.iter_mut().map(|(family, number)| async move {
        let next = token(*family, *number + 2);
        let answer = rotate(store, usage(&token(*family, *number), &next)).await;
        assert!(matches!(answer, "rotated" | "repeated"), "{family}-{number}: {answer}");
        *number += 2;
        answer == "repeated"
    });
    join_all(uses).await;
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_no_token_that_it_answered(#[case] kind: Kind) {
    let database = Database::new(kind);
    let store = Store::open(&database.url, &OPTIONS).await.unwrap();
    let mut answered = begin(&store).await;
    drop(store);
    for enough in [1, 400, 1000, 1700, 2500] {
        let child = start(&database.url, &answered);
        let said = kill_after(child, enough, &mut answered);
        assert!(said >= enough, "it ended by itself after {said}");
        let store = Store::open(&database.url, &OPTIONS).await.unwrap();
        check(&store, &answered).await;
        go_on(&store, &mut answered).await;
    }
}

/// The same when it is the server of the database that is killed, on which two replicas work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_token_that_was_answered() {
    let server = Server::start();
    let url = server.database("killed");
    let open = || async { Store::open(&url, &OPTIONS).await.unwrap() };
    let mut answered = begin(&open().await).await;
    for _ in 0..3 {
        let replicas = [open().await, open().await];
        let said = Arc::new(Mutex::new(answered.clone()));
        let over = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for (family, number) in &answered {
            let (said, over) = (Arc::clone(&said), Arc::clone(&over));
            let store = replicas[usize::from(family % 2 == 0)].clone();
            tasks.push(tokio::spawn(rotate_on(
                store,
                *family,
                *number,
                move |family, number| {
                    said.lock().unwrap().insert(family, number);
                    over.load(Ordering::SeqCst)
                },
            )));
        }
        let enough = answered.values().sum::<u64>() + 1500;
        while said.lock().unwrap().values().sum::<u64>() < enough {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::task::block_in_place(|| server.crash());
        // Those that found the server again went on.
        over.store(true, Ordering::SeqCst);
        for task in join_all(tasks).await {
            task.unwrap();
        }
        answered.clone_from(&said.lock().unwrap());
        let store = open().await;
        check(&store, &answered).await;
        go_on(&store, &mut answered).await;
    }
}
