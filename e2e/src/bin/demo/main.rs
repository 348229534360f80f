//! The demo, on a cluster whose certificates Countersign signs: applies the examples, sends real requests, and prints what came of each; then it puts
//! manifests to the API server, with credentials in them and without.
#![allow(clippy::print_stdout, reason = "what the demo prints is its result")]

mod cases;
mod judge;
mod manifests;
mod mounted;
mod shop;
mod tokens;

use std::process::ExitCode;

use anyhow::Result;
use e2e::Testbed;

use judge::Judge;
use shop::Shop;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let testbed = Testbed::from_env().await?;
    let shop = Shop::open(&testbed).await?;
    println!(
        "\n{}",
        shop.kubectl(&["get", "apiauthpolicies", "--all-namespaces"]).await?
    );
    let judge = Judge::read(&testbed).await?;
    println!(
        "{:<16} {:<38} {:<40} {:<9} {:<6} DECIDED BY",
        "FROM", "REQUEST", "CREDENTIAL", "EXPECTED", "GOT"
    );
    let mut wrong = 0;
    let cases = cases::all();
    for case in &cases {
        let got = shop.ask(case).await?;
        let decision = judge.decide(case, &shop);
        let as_expected = case.admitted == (got == "200") && decision.admitted == case.admitted;
        wrong += usize::from(!as_expected);
        println!(
            "{:<16} {:<38} {:<40} {:<9} {:<6} {}{}",
            case.caller.name(),
            format!("{} {}{}", case.method, case.host_name(), case.path),
            case.credential(),
            if case.admitted { "admitted" } else { "refused" },
            got,
            decision.by,
            if as_expected { "" } else { "   <== NOT AS EXPECTED" }
        );
    }
    wrong += mounted::show(&shop).await?;
    mounted::identities(&shop).await?;
    wrong += tokens::show(&shop).await?;
    wrong += manifests::show()?;
    println!(
        "\n{} requests and 2 manifests, {wrong} not as expected",
        cases.len() + 2 + tokens::SHOWN
    );
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
