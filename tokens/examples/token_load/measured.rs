//! What is measured, one kind after the other.

use anyhow::{Context as _, Result};

use crate::Arguments;
use crate::client::Load;
use crate::hydra::{Hydra, Place};
use crate::process::{Server, busy, memory};
use crate::requests::{self, Kind, Partner};
use crate::table::{Line, Table};

/// What it takes to measure.
pub struct Measured<'a> {
    pub load: Load,
    pub partner: Partner,
    pub arguments: &'a Arguments,
    /// How many refresh tokens were made.
    pub families: usize,
}

/// Requests, and who is to answer them.
struct Round<'a> {
    name: &'static str,
    load: &'a Load,
    process: u32,
    requests: Vec<Vec<u8>>,
    /// What a right answer holds.
    answer: &'static str,
}

impl Measured<'_> {
    /// Everything that is asked for, and the first of it by Hydra too, at once: so that both have the same machine.
    pub async fn all(&mut self, server: &mut Server, hydra: Option<&Place<'_>>) -> Result<Table> {
        let mut table = Table::default();
        for kind in Kind::ALL.into_iter().filter(|kind| self.arguments.wants(*kind)) {
            table.add(self.one(server, kind).await.with_context(|| kind.name())?);
            if let Some(place) = hydra.filter(|_| kind == Kind::Credentials) {
                let hydra = Hydra::start(place, &self.partner).await.context("Hydra")?;
                table.add_hydra(self.hydra(server, &hydra).await.context("Hydra")?, &hydra.version);
            }
        }
        Ok(table)
    }

    async fn one(&mut self, server: &mut Server, kind: Kind) -> Result<Line> {
        let number = self.warming() + self.arguments.number * kind.times();
        let issuer = server.ready.issuer.clone();
        let about = match kind {
            Kind::Refresh => {
                let first = self.families;
                self.families += number;
                server.families(first, number)?
            }
            Kind::IntrospectJwt => self.tokens(&issuer, requests::ORDERS).await?,
            Kind::IntrospectOpaque => self.tokens(&issuer, requests::STOCK).await?,
            _ => Vec::new(),
        };
        let round = Round {
            name: kind.name(),
            load: &self.load,
            process: server.id(),
            requests: self.partner.prepared(kind, &issuer, number, &about),
            answer: kind.answer(),
        };
        self.measure(server, round).await
    }

    /// `Kind::Credentials`, answered by Hydra. Our server has nothing to do then but to tell how fast its processor is.
    async fn hydra(&self, server: &mut Server, hydra: &Hydra) -> Result<Line> {
        let number = self.warming() + self.arguments.number;
        let round = Round {
            name: "the same, by Hydra",
            load: &hydra.load,
            process: hydra.id(),
            requests: (0..number).map(|_| hydra.credentials(&self.partner)).collect(),
            answer: Kind::Credentials.answer(),
        };
        self.measure(server, round).await
    }

    /// How many requests go before those that are measured.
    fn warming(&self) -> usize {
        self.arguments.number / 10
    }

    async fn measure(&self, server: &mut Server, round: Round<'_>) -> Result<Line> {
        let (first, then) = round.requests.split_at(self.warming());
        let mut connections = round.load.connect(self.arguments.at_once).await?;
        round.load.send(&mut connections, first, round.answer).await?;
        let before = server.raw()?;
        let already = busy(round.process)?;
        let sent = round.load.send(&mut connections, then, round.answer).await?;
        let busy = busy(round.process)?.saturating_sub(already);
        let after = server.raw()?;
        Ok(Line {
            name: round.name,
            sent,
            busy,
            raw: before.mean(&after),
            memory: memory(round.process)?,
        })
    }

    /// Tokens to be asked about.
    async fn tokens(&mut self, issuer: &str, audience: &str) -> Result<Vec<String>> {
        const TOKENS: usize = 100;
        let mut connections = self.load.connect(1).await?;
        let mut tokens = Vec::new();
        for _ in 0..TOKENS {
            let request = self.partner.credentials(issuer, audience);
            tokens.push(connections[0].token(&request).await?);
        }
        Ok(tokens)
    }
}
