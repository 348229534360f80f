//! A Pod outside the mesh that serves mutual TLS with what the kubelet mounted, and who has which certificate until when.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Request, wait_for};

use crate::shop::Shop;

const URL: &str = "https://ledger.ledger.svc/entries";

/// Asks with a certificate and without one, prints what came of it, and counts what is not as expected.
pub(crate) async fn show(shop: &Shop) -> Result<usize> {
    let with = asked(shop).await?;
    let without = unauthenticated(shop).await?;
    let mut wrong = 0;
    for (who, got, expected) in [
        ("auditor, by the certificate that the kubelet mounted", with, "200"),
        ("the node, without any credential", without, "reset"),
    ] {
        let right = got == expected;
        wrong += usize::from(!right);
        let mark = if right { "" } else { "   <== NOT AS EXPECTED" };
        println!("{who:<54} GET {URL} {got}{mark}");
    }
    Ok(wrong)
}

/// Prints who is who, and until when.
pub(crate) async fn identities(shop: &Shop) -> Result<()> {
    let get = ["get", "serviceidentities", "--all-namespaces"];
    // The last certificates stand in the status some seconds after they were given.
    let told = wait_for(
        "every identity to have a certificate",
        Duration::from_secs(30),
        || async {
            let live = ["-o", "jsonpath={range .items[*]}{.status.live}{\"\\n\"}{end}"];
            let live = shop.kubectl(&[&get, &live[..]].concat()).await?;
            ensure!(live.lines().all(|line| !line.is_empty()), "some have none");
            shop.kubectl(&get).await
        },
    )
    .await?;
    println!("\n{told}");
    let authority = shop.kubectl(&["get", "certificateauthorities"]).await?;
    println!("{authority}");
    Ok(())
}

async fn asked(shop: &Shop) -> Result<String> {
    let exec = ["--namespace", "ledger", "exec", "deployment/auditor", "--"];
    let ask = ["/echo", "client", URL];
    Ok(shop.kubectl(&[&exec, &ask[..]].concat()).await?.trim().to_owned())
}

async fn unauthenticated(shop: &Shop) -> Result<String> {
    let get = ["--namespace", "ledger", "get", "pods", "-l", "app=ledger"];
    let get = [&get[..], &["-o", "jsonpath={.items[0].status.podIP}"]].concat();
    let ip: IpAddr = shop.kubectl(&get).await?.trim().parse()?;
    let request = Request::get("/entries");
    Ok(request.send_plain(SocketAddr::new(ip, 8443)).await.to_string())
}
