//! Strings: what stands in them, what they hold when they are decoded or read, and what their name makes of them.

use super::decode::{self, Inflated};
use super::engine::{Context, Engine};
use super::object;
use super::place::Place;
use super::{random, rules};
use crate::finding::Tier;
use crate::hit::{Hit, Input};
use crate::tree::Node;
use crate::{carrier, key, token};

/// The shortest text that is worth decoding or reading.
const SHORTEST: usize = 16;
/// The shortest text that is taken for base64 where nothing says that it is.
const SHORTEST_BASE64: usize = 20;
/// The longest text that its name alone can make a credential.
const LONGEST_NAMED: usize = 4096;

impl Engine<'_> {
    /// A string, and the name that it has.
    pub fn text(&mut self, place: &Place<'_>, name: Option<&str>, text: &str, context: Context) {
        if text.is_empty() {
            return;
        }
        let mark = self.mark();
        let hits = self.scanner.matcher.hits(&self.input(text, name));
        if text.len() >= SHORTEST {
            self.inside(place, name, text, context);
        }
        let lines = hits.len().min(1) * text.len();
        let many = text.as_bytes()[..lines].contains(&b'\n');
        for hit in &hits {
            if many {
                let line = 1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..hit.span.start]).count();
                self.report(&place.line(line), text, hit, context, mark);
            } else {
                self.report(place, text, hit, context, mark);
            }
        }
        if hits.is_empty() && !self.found_since(mark) {
            self.alone(place, name, text, context);
        }
        if text.len() == token::AWS_SECRET_LENGTH
            && let Some(hit) = token::aws_secret(&self.input(text, name))
        {
            self.report_half(place, text, &hit, context);
        }
    }

    /// A text in which nothing stands out: what the whole of it is, what its name makes of it, and whether it looks random.
    pub fn alone(&mut self, place: &Place<'_>, name: Option<&str>, text: &str, context: Context) {
        let input = self.input(text, name);
        let hit = key::whole(&input).or_else(|| named(&input, context)).or_else(|| {
            let random = context.values && random::looks_random(text);
            random.then(|| Hit::new(&rules::RANDOM_VALUE, Tier::Statistical, 0..text.len()))
        });
        if let Some(hit) = hit {
            let mark = self.mark();
            self.report(place, text, &hit, context, mark);
        }
    }

    /// What comes out when a text is decoded or read.
    fn inside(&mut self, place: &Place<'_>, name: Option<&str>, text: &str, context: Context) {
        if self.json(place, text, context) {
            return;
        }
        if text.len() >= SHORTEST_BASE64
            && let Some(bytes) = decode::base64(text)
        {
            // What is text is judged by its name as it stands; what is not has only its name to tell whose it is.
            let name = name.filter(|_| decode::as_text(&bytes).is_none());
            self.bytes(&place.read("base64"), name, &bytes, context.after_decoding());
            return;
        }
        if text.contains('%')
            && let Some(plain) = decode::percent(text)
            && self.spend(plain.as_bytes(), place, context)
        {
            self.text(&place.read("percent"), name, &plain, context.after_decoding());
        }
        if is_script(name, text) {
            let shell = place.read("shell");
            for pair in carrier::script(text) {
                let line = shell.line(pair.index + 1);
                self.text(&line, Some(&pair.name), &pair.value, context.after_reading());
            }
        } else if may_be_file(name, text)
            && let Some(parsed) = carrier::read(text, name)
            && self.spend(text.as_bytes(), place, context)
        {
            let file = place.read(parsed.format);
            match parsed.documents.as_slice() {
                [document] => self.document(&file, document, context.after_reading()),
                several => self.documents(&file, several, context.after_reading()),
            }
        }
    }

    /// JSON in a string, perhaps escaped once more.
    fn json(&mut self, place: &Place<'_>, text: &str, context: Context) -> bool {
        if !matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[')) {
            return false;
        }
        let unescaped = decode::escaped_json(text);
        let plain = unescaped.as_deref().unwrap_or(text);
        let Ok(node) = serde_json::from_str::<Node<'_>>(plain) else {
            return false;
        };
        if self.spend(plain.as_bytes(), place, context) {
            self.document(&place.read("json"), &node, context.after_reading());
        }
        true
    }

    /// Bytes that were decoded.
    pub fn bytes(&mut self, place: &Place<'_>, name: Option<&str>, bytes: &[u8], context: Context) {
        if decode::is_gzip(bytes) {
            match decode::gzip(bytes, decode::STREAM_CAP.min(self.left())) {
                Inflated::Bytes(plain) => self.bytes(&place.read("gzip"), name, &plain, context.after_decoding()),
                Inflated::TooLarge => self.give_up(bytes, place, context),
                Inflated::Broken => {}
            }
        } else if let Some(text) = decode::as_text(bytes) {
            if self.spend(bytes, place, context) {
                self.text(place, name, text, context);
            }
        } else if let Some(hit) = key::in_bytes(bytes, &self.input("", name)) {
            self.report_bytes(place, bytes, &hit, context);
        }
    }
}

/// What its name makes of a text.
fn named(input: &Input<'_>, context: Context) -> Option<Hit> {
    let name = input
        .name
        .filter(|_| context.names && input.text.len() <= LONGEST_NAMED)?;
    if !carrier::may_name_secret(name) || ends_in_time(input.text) {
        return None;
    }
    join_token(input)
        .or_else(|| token::named(input))
        .or_else(|| key::named(input))
        .or_else(|| carrier::named(input))
}

/// Whether a text is a token that tells its own end: nothing was found in it, so it lives short enough.
pub(super) fn ends_in_time(text: &str) -> bool {
    let token = text.strip_prefix("Bearer ").unwrap_or(text);
    key::is_token(token)
        // What container registries of clouds give out: base64 of {"payload":…,"expiration":…}.
        || token.starts_with("eyJwYXlsb2Fk")
}

/// `kubeadm join --token abcdef.0123456789abcdef`: six and sixteen of a small alphabet, under a name that asks for a token.
fn join_token(input: &Input<'_>) -> Option<Hit> {
    let (id, secret) = input.text.split_once('.')?;
    let part = |text: &str, length| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let name = input.name?;
    let asked = name.len() >= 5 && name.to_ascii_lowercase().contains("token");
    (asked && part(id, 6) && part(secret, 16)).then(|| Hit::new(&rules::JOIN_TOKEN, Tier::Shaped, 0..input.text.len()))
}

/// How the names of scripts end, and that of the annotation in which kubectl keeps a command line.
const SCRIPTS: &[&str] = &[".sh", ".bash", "kubernetes.io/change-cause"];

fn is_script(name: Option<&str>, text: &str) -> bool {
    text.starts_with("#!") || name.is_some_and(|name| SCRIPTS.iter().any(|end| name.ends_with(end)))
}

/// Whether a text can be a file of a format: it has lines, or a name that says so.
fn may_be_file(name: Option<&str>, text: &str) -> bool {
    let starts = text.starts_with(['<', '{', '[']);
    let named = || name.is_some_and(object::is_file_name);
    name != Some("description") && (starts || named() || text.contains('\n'))
}
