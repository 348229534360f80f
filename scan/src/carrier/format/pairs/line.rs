//! Where a name stands: in a comment, in a program, within something that is open.

/// What is known of the line before a place.
#[derive(Default)]
pub(super) struct Line {
    pub start: usize,
    seen: usize,
    /// It is a comment from its beginning or from some place on.
    pub comment: bool,
    /// A line of a program.
    pub code: bool,
    /// Something is open that ends a value: `{a: b, c: d}`.
    pub inline: bool,
}

impl Line {
    /// Moves on to a place. Every byte is looked at once.
    pub fn advance(&mut self, text: &str, at: usize) {
        let bytes = text.as_bytes();
        if let Some(end) = memchr::memrchr(b'\n', &bytes[self.seen.min(at)..at]) {
            self.start = self.seen.min(at) + end + 1;
            self.seen = self.start;
            let line = text.get(self.start..at).unwrap_or_default();
            *self = Self {
                comment: begins_comment(line),
                code: begins_code(line),
                inline: false,
                ..*self
            };
        } else if self.seen == 0 {
            let line = text.get(..at).unwrap_or_default();
            self.comment = begins_comment(line);
            self.code = begins_code(line);
        }
        let from = self.seen.min(at);
        let mut last = from.checked_sub(1).map_or(b'\n', |before| bytes[before]);
        let mut open = false;
        for byte in &bytes[from..at] {
            self.comment |= *byte == b'#' && matches!(last, b' ' | b'\t');
            self.inline |= matches!(byte, b'{' | b'(' | b'<');
            open |= *byte == b'=';
            self.code |= *byte == b'(' && open;
            last = *byte;
        }
        self.seen = self.seen.max(at);
    }
}

/// How lines begin that are comments.
const COMMENTS: &[&str] = &["#", "//", ";", "--", "/*", "* ", "<!--", "!", "REM ", "%"];

fn begins_comment(line: &str) -> bool {
    let start = line.trim_start();
    // A flag is none: `--password=x`.
    start.trim_end() != "--" && COMMENTS.iter().any(|mark| start.starts_with(mark))
}

/// Files whose values without quotes are names of other things.
#[rustfmt::skip]
const CODE: &[&str] = &[
    ".py", ".js", ".ts", ".mjs", ".cjs", ".lua", ".rb", ".go", ".java", ".groovy", ".php", ".pl", ".rego", ".cel",
    ".sql", ".ps1", ".rs", ".c", ".cs", ".jsx", ".tsx", ".star", ".jsonnet", ".libsonnet", ".sh", ".bash", ".hcl",
    ".tf", ".txt", ".tpl",
];

/// Whether a file is a program.
pub(super) fn is_code(file: &str, text: &str) -> bool {
    text.starts_with("#!") || CODE.iter().any(|end| file.ends_with(end))
}

/// What a line of a program begins with.
fn begins_code(line: &str) -> bool {
    const WORDS: &[&str] = &[
        "if", "for", "def", "function", "local", "var", "let", "const", "return", "import", "from", "func", "elif",
        "while", "case", "fn", "print",
    ];
    let first = line
        .trim_start()
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    WORDS.contains(&first)
}
