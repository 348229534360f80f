//! One command: its variables, its flags with their values, and scripts among its arguments.

use super::lexer::Word;
use super::{Sink, programs};
use crate::carrier::may_name_secret;

/// What another command may stand behind.
#[rustfmt::skip]
const WRAPPERS: &[&str] = &[
    "sudo", "exec", "nohup", "time", "env", "command", "xargs", "export", "declare", "typeset", "readonly", "local",
    "then", "do", "else", "if", "while", "until", "!", "{", "set", "setenv", "eval", "tini", "dumb-init", "gosu",
    "su-exec", "elif", "RUN",
];

#[rustfmt::skip]
const SHELLS: &[&str] = &[
    "sh", "bash", "ash", "dash", "zsh", "ksh", "busybox", "su", "nsenter", "chroot",
];

/// Takes a command apart. `piped` is the command whose output it reads. In a list, an item may be a command line itself.
pub(super) fn command(sink: &mut Sink, words: &[Word<'_>], piped: &[Word<'_>], listed: bool) {
    let mut start = 0;
    while let Some(word) = words.get(start) {
        if let Some((name, value)) = assignment(&word.text) {
            sink.named(name, value, word.index);
        } else if !WRAPPERS.contains(&word.text.as_ref()) {
            break;
        }
        start += 1;
    }
    let rest = &words[start..];
    let program = rest.first().map_or("", |word| base_name(&word.text));
    let mut at = 0;
    while at < rest.len() {
        at += argument(sink, program, rest, at, listed);
    }
    programs::command(sink, rest, piped);
}

fn base_name(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// `NAME=value`
fn assignment(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    is_name(name).then_some((name, value))
}

fn is_name(name: &str) -> bool {
    name.as_bytes()
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'[' | b']'))
}

/// Flags that take a header.
const HEADERS: &[&str] = &["-H", "--header", "--headers", "--add-header", "--proxy-header"];

/// Looks at one argument, and says how many it took.
fn argument(sink: &mut Sink, program: &str, words: &[Word<'_>], at: usize, listed: bool) -> usize {
    let word = &words[at];
    let text = word.text.as_ref();
    let next = words.get(at + 1);
    if let Some(script) = next.filter(|script| is_script(program, text, &script.text)) {
        sink.script(&script.text, script.index, listed.then_some(script.index));
        return 2;
    }
    if listed && is_command_line(text) {
        sink.script(text, 0, Some(word.index));
        return 1;
    }
    if !text.starts_with('-') {
        if let Some((name, value)) = assignment(text) {
            sink.named(name, value, word.index);
        }
        return 1;
    }
    if let Some((flag, value)) = text.split_once('=') {
        flag_value(sink, flag, value, word.index);
        return 1;
    }
    match next {
        // What it did not take may be an argument by itself: `--verbose PASSWORD=x`.
        Some(value) if !value.text.starts_with('-') && flag_value(sink, text, &value.text, value.index) => 2,
        _ => 1,
    }
}

/// `sh -c`, `bash -lc`; where the command is not known, what follows must look like a script.
fn is_script(program: &str, flag: &str, text: &str) -> bool {
    let flag = flag.strip_prefix('-').is_some_and(|letters| {
        letters.len() <= 5 && letters.ends_with('c') && letters.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    flag && (SHELLS.contains(&program) || (text.contains([' ', '\n']) && !program.starts_with("python")))
}

/// A whole command line in one item: `--user=a --password=b`, `mysql -uroot -px`.
fn is_command_line(text: &str) -> bool {
    text.contains('\n') || (text.contains(" -") && !text.starts_with(['{', '[', '<']))
}

/// A flag and its value, and whether it took it. Some values hold pairs themselves: `--set a.password=x,b=y`.
fn flag_value(sink: &mut Sink, flag: &str, value: &str, index: usize) -> bool {
    if HEADERS.contains(&flag) {
        if let Some((name, value)) = value.split_once([':', '=']) {
            sink.pair(name.trim(), value.trim(), index);
        }
        return true;
    }
    // Java's properties: `-Dkey=value`.
    let name = flag.strip_prefix("-D").unwrap_or(flag);
    if !name.ends_with("-literal") && may_name_secret(name) {
        sink.pair(name, value, index);
        return true;
    }
    if value.starts_with('{') && value.contains(':') {
        sink.pair(name, value, index);
        return true;
    }
    let before = sink.pairs.len();
    for part in value.split(',') {
        if let Some((name, value)) = assignment(part.trim()) {
            sink.named(name, value, index);
        }
    }
    sink.pairs.len() > before
}
