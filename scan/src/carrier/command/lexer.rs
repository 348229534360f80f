//! Words of a shell's language, as far as arguments are concerned: quotes, escapes, operators, here-documents, comments.
//!
//! One pass. What is expanded (`$VAR`, `$(…)`) stays as it is written, so that it can be told from a literal.

use std::borrow::Cow;
use std::collections::VecDeque;

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// Without quotes and escapes.
    pub text: Cow<'a, str>,
    /// The line on which it begins, from 0; or which item of a list it is.
    pub index: usize,
}

/// What a script consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(Word<'a>),
    /// The command ends: `;`, `&&`, a new line.
    End,
    /// The command ends, and the next one reads what it writes.
    Pipe,
    /// The text of a here-document, and the line on which it begins.
    Document(&'a str, usize),
}

/// Reads a script.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// The ends of here-documents whose text is still to come, and whether tabs before them count.
    awaited: VecDeque<(String, bool)>,
    in_documents: bool,
    /// Commands within words, `$(…)` and backticks, with their lines.
    pub inner: Vec<(&'a str, usize)>,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str, line: usize) -> Self {
        Self {
            text,
            at: 0,
            line,
            awaited: VecDeque::new(),
            in_documents: false,
            inner: Vec::new(),
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or_default()
    }

    fn done(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Moves on and counts lines.
    fn skip_to(&mut self, end: usize) -> &'a str {
        let end = end.min(self.text.len());
        let part = self.text.get(self.at..end).unwrap_or_default();
        self.line += part.bytes().filter(|byte| *byte == b'\n').count();
        self.at = end;
        part
    }

    /// Moves past a byte that ends what began here, or to the end; gives what is before it.
    fn skip_past(&mut self, end: u8) -> &'a str {
        let rest = &self.text.as_bytes()[self.at..];
        let length = memchr::memchr(end, rest).unwrap_or(rest.len());
        let part = self.skip_to(self.at + length);
        self.skip_to(self.at + 1);
        part
    }

    /// Moves past the bracket that closes the one before; gives what is between. Quotes in it count.
    fn skip_balanced(&mut self, open: u8, close: u8) -> &'a str {
        let bytes = self.text.as_bytes();
        let (mut depth, mut quote, mut end) = (1_usize, 0, self.at);
        while end < bytes.len() {
            let byte = bytes[end];
            if byte == b'\\' && quote != b'\'' {
                end += 1;
            } else if quote != 0 {
                if byte == quote {
                    quote = 0;
                }
            } else if byte == b'\'' || byte == b'"' {
                quote = byte;
            } else if byte == open {
                depth += 1;
            } else if byte == close {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            end += 1;
        }
        let part = self.skip_to(end);
        self.skip_to(self.at + 1);
        part
    }

    /// The text up to a here-document's end.
    fn document(&mut self, end: &str, tabs: bool) -> Token<'a> {
        let (start, line) = (self.at, self.line);
        while !self.done() {
            let from = self.at;
            let text = self.skip_past(b'\n');
            let text = text.strip_suffix('\r').unwrap_or(text);
            if (if tabs { text.trim_start_matches('\t') } else { text }) == end {
                return Token::Document(&self.text[start..from], line);
            }
        }
        Token::Document(&self.text[start..], line)
    }

    /// `<` and `>`, with what they lead to. The word after them is no argument.
    fn redirection(&mut self) {
        let document = self.peek(0) == b'<' && self.peek(1) == b'<' && self.peek(2) != b'<';
        while matches!(self.peek(0), b'<' | b'>' | b'&' | b'|') {
            self.at += 1;
        }
        let tabs = document && self.peek(0) == b'-';
        if tabs {
            self.at += 1;
        }
        while matches!(self.peek(0), b' ' | b'\t') {
            self.at += 1;
        }
        if matches!(self.peek(0), b'\n' | b'\r' | 0) {
            return;
        }
        let word = self.word();
        if document && !word.text.is_empty() {
            self.awaited.push_back((word.text.into_owned(), tabs));
        }
    }

    fn word(&mut self) -> Word<'a> {
        let index = self.line;
        let mut text: Cow<'a, str> = Cow::Borrowed("");
        while !self.done() {
            let part = match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => break,
                b'\'' => {
                    self.at += 1;
                    self.skip_past(b'\'')
                }
                b'"' => {
                    self.at += 1;
                    self.double_quoted(&mut text);
                    continue;
                }
                b'\\' => {
                    self.at += 1;
                    let escaped = self.text[self.at.min(self.text.len())..]
                        .chars()
                        .next()
                        .map_or(0, char::len_utf8);
                    match self.skip_to(self.at + escaped) {
                        "\n" => "",
                        escaped => escaped,
                    }
                }
                b'$' | b'`' => self.expansion(),
                _ => self.plain(),
            };
            push(&mut text, part);
        }
        Word { text, index }
    }

    /// The beginning of a word up to what means something in it.
    fn plain(&mut self) -> &'a str {
        let rest = &self.text.as_bytes()[self.at..];
        let ends = |byte: &u8| b" \t\n\r;&|()<>'\"\\$`".contains(byte);
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.skip_to(self.at + length.max(1))
    }

    /// `$VAR`, `${VAR}`, `$(command)`, backticks: as it is written.
    fn expansion(&mut self) -> &'a str {
        let (start, line) = (self.at, self.line);
        let backtick = self.peek(0) == b'`';
        self.at += 1;
        if backtick {
            let inner = self.skip_past(b'`');
            self.inner.push((inner, line));
        } else if self.peek(0) == b'(' {
            self.at += 1;
            let inner = self.skip_balanced(b'(', b')');
            self.inner.push((inner, line));
        } else if self.peek(0) == b'{' {
            self.at += 1;
            self.skip_balanced(b'{', b'}');
        }
        &self.text[start..self.at]
    }

    fn double_quoted(&mut self, text: &mut Cow<'a, str>) {
        while !self.done() {
            match self.peek(0) {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' if matches!(self.peek(1), b'"' | b'\\' | b'`') => {
                    self.at += 1;
                    let escaped = self.skip_to(self.at + 1);
                    push(text, escaped);
                }
                b'\\' if self.peek(1) == b'\n' => {
                    self.skip_to(self.at + 2);
                }
                b'$' | b'`' => {
                    let part = self.expansion();
                    push(text, part);
                }
                _ => {
                    let rest = &self.text.as_bytes()[self.at..];
                    let more = rest[1..].iter().position(|byte| b"\"\\$`".contains(byte));
                    let part = self.skip_to(self.at + 1 + more.unwrap_or(rest.len() - 1));
                    push(text, part);
                }
            }
        }
    }
}

fn push<'a>(text: &mut Cow<'a, str>, part: &'a str) {
    if text.is_empty() {
        *text = Cow::Borrowed(part);
    } else if !part.is_empty() {
        text.to_mut().push_str(part);
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.in_documents {
            if let Some((end, tabs)) = self.awaited.pop_front() {
                return Some(self.document(&end, tabs));
            }
            self.in_documents = false;
        }
        while !self.done() {
            match self.peek(0) {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.peek(1) == b'\n' => {
                    self.skip_to(self.at + 2);
                }
                b'\n' => {
                    self.skip_to(self.at + 1);
                    self.in_documents = !self.awaited.is_empty();
                    return Some(Token::End);
                }
                b'#' => {
                    let rest = &self.text.as_bytes()[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                b'|' if self.peek(1) != b'|' => {
                    self.at += 1;
                    return Some(Token::Pipe);
                }
                b'&' if self.peek(1) == b'>' => {
                    self.at += 1;
                    self.redirection();
                }
                b';' | b'&' | b'|' | b'(' | b')' => {
                    self.at += 1;
                    return Some(Token::End);
                }
                b'<' | b'>' => self.redirection(),
                _ => return Some(Token::Word(self.word())),
            }
        }
        None
    }
}
