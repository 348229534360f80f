//! Credentials in command lines: flags, variables, headers, and what some commands take as a password.

mod flags;
mod lexer;
mod programs;

use std::borrow::Cow;

use lexer::{Lexer, Token, Word};

use super::{Pair, format};

/// How deep a script may stand in another: `sh -c "bash -c '…'"`.
const DEEPEST: usize = 4;

/// Collects the pairs that may be of interest.
#[derive(Default)]
pub(super) struct Sink {
    pub pairs: Vec<Pair<'static>>,
    depth: usize,
}

impl Sink {
    fn pair(&mut self, name: &str, value: &str, index: usize) {
        if !value.is_empty() {
            self.pairs.push(Pair {
                name: Cow::Owned(name.to_owned()),
                value: Cow::Owned(value.to_owned()),
                index,
            });
        }
    }

    /// A pair, if its name may ask for a secret.
    fn named(&mut self, name: &str, value: &str, index: usize) {
        if super::may_name_secret(name) {
            self.pair(name, value, index);
        }
    }

    /// A script. If `item` is given, all of it is that item of a list.
    fn script(&mut self, text: &str, line: usize, item: Option<usize>) {
        if self.depth == DEEPEST {
            return;
        }
        self.depth += 1;
        let from = self.pairs.len();
        self.commands(text, line);
        if let Some(item) = item {
            self.pairs[from..].iter_mut().for_each(|pair| pair.index = item);
        }
        self.depth -= 1;
    }

    fn commands(&mut self, text: &str, line: usize) {
        let mut lexer = Lexer::new(text, line);
        let (mut words, mut piped): (Vec<Word<'_>>, Vec<Word<'_>>) = (Vec::new(), Vec::new());
        loop {
            let token = lexer.next();
            match token {
                Some(Token::Word(word)) => {
                    words.push(word);
                    continue;
                }
                Some(Token::Document(text, line)) => self.document(text, line),
                Some(Token::End | Token::Pipe) | None => {
                    flags::command(self, &words, &piped, false);
                    piped = if token == Some(Token::Pipe) {
                        std::mem::take(&mut words)
                    } else {
                        Vec::new()
                    };
                    words.clear();
                }
            }
            for (inner, line) in std::mem::take(&mut lexer.inner) {
                self.script(inner, line, None);
            }
            if token.is_none() {
                return;
            }
        }
    }

    /// A here-document: a config file that is written, or what another program is told.
    fn document(&mut self, text: &str, line: usize) {
        for (name, value, at) in format::pairs(text) {
            self.named(&name, &value, line + at);
        }
        self.script(text, line, None);
    }
}

/// The pairs of a list of arguments.
pub(super) fn arguments<'a>(items: &[&'a str]) -> Vec<Pair<'a>> {
    let words: Vec<Word<'_>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| Word {
            text: Cow::Borrowed(item),
            index,
        })
        .collect();
    let mut sink = Sink::default();
    flags::command(&mut sink, &words, &[], true);
    sink.pairs
}

/// The pairs of a shell script.
pub(super) fn script(text: &str) -> Vec<Pair<'static>> {
    let mut sink = Sink::default();
    sink.script(text, 0, None);
    sink.pairs
}
