//! Templates: what is not YAML until Helm or Jinja has filled it in, and can be read as YAML all the same.

/// Words that begin an action which stands for no value.
const CONTROL: [&str; 13] = [
    "if", "else", "elif", "elseif", "end", "endif", "range", "with", "for", "endfor", "define", "block", "set",
];

/// The text with every `{{ … }}`, `{% … %}` and `{# … #}` hidden: one that gives a value behind a reference of the same
/// length, `$(____)`, all others behind blanks. Every other character stays where it is. Nothing if there is none.
pub fn mask(text: &str) -> Option<String> {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((start, length)) = next_action(rest) {
        let (before, from) = rest.split_at(start);
        let (action, after) = from.split_at(length);
        masked.push_str(before);
        let line = masked.rsplit('\n').next().unwrap_or_default();
        let alone = line.trim().is_empty() && stands_alone(after);
        hide(action, alone || is_control(action), &mut masked);
        rest = after;
    }
    if masked.is_empty() {
        return None;
    }
    masked.push_str(rest);
    Some(masked)
}

/// Where the next action begins, and how long it is.
fn next_action(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(start) = text[from..].find('{').map(|at| from + at) {
        let end = match text.as_bytes().get(start + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                from = start + 1;
                continue;
            }
        };
        let length = text[start + 2..].find(end)? + 4;
        return Some((start, length));
    }
    None
}

/// Whether nothing but further actions follows in the line.
fn stands_alone(after: &str) -> bool {
    let mut rest = after.split('\n').next().unwrap_or_default().trim_start();
    while let Some((0, length)) = next_action(rest) {
        rest = rest[length..].trim_start();
    }
    rest.is_empty()
}

fn is_control(action: &str) -> bool {
    let inner = action[2..].trim_start_matches(['-', '~', ' ', '\t', '\n']);
    let word = inner
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    !action.starts_with("{{") || inner.starts_with("/*") || CONTROL.contains(&word)
}

/// Pushes as many bytes as the action has, and a line break for each of its own.
fn hide(action: &str, blank: bool, masked: &mut String) {
    for (index, line) in action.split('\n').enumerate() {
        if index > 0 {
            masked.push('\n');
        }
        if blank || index > 0 || line.len() < 4 {
            masked.extend(std::iter::repeat_n(' ', line.len()));
        } else {
            masked.push_str("$(");
            masked.extend(std::iter::repeat_n('_', line.len() - 3));
            masked.push(')');
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a: b", None)]
    #[case("a: {b: c}", None)]
    #[case("a: {{ .Values.a }}", Some("a: $(____________)"))]
    #[case("a: \"{{ .a }}:{{.b}}\"", Some("a: \"$(_____):$(___)\""))]
    #[case("{{- if .a }}\nb: c\n{{- end }}", Some("            \nb: c\n          "))]
    #[case("a: b{{ if .c }}d{{ end }}", Some("a: b           d         "))]
    #[case("a:\n  {{- toYaml .b | nindent 2 }}\n", Some("a:\n                              \n"))]
    #[case("{{ .a }} {{ .b }}", Some("                 "))]
    #[case("{{/* a\nb */}}\nc: d", Some("      \n      \nc: d"))]
    #[case(
        "{% for a in b %}\n- {{ a }}\n{% endfor %}",
        Some("                \n- $(____)\n            ")
    )]
    #[case("a: {{ .ü }}", Some("a: $(______)"))]
    #[case("a: {{ .b", None)]
    fn templates_keep_their_shape(#[case] text: &str, #[case] masked: Option<&str>) {
        assert_eq!(mask(text).as_deref(), masked);
        assert_eq!(masked.map_or(text.len(), str::len), text.len());
    }
}
