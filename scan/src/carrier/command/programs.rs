//! What some programs take as a password without saying so: `mysql -pX`, `curl -u a:b`, `htpasswd -b`.

use super::Sink;
use super::lexer::Word;

/// Programs, and the flag whose value is a password, as a word of its own.
const SEPARATE: &[(&[&str], &[&str])] = &[
    (
        &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "mongostat",
        ],
        &["-p"],
    ),
    (&["redis-cli"], &["-a"]),
    (&["sshpass"], &["-p"]),
    (
        &[
            "ldapsearch",
            "ldapadd",
            "ldapmodify",
            "ldapdelete",
            "ldapwhoami",
            "ldappasswd",
            "ldapcompare",
        ],
        &["-w", "-s"],
    ),
    (&["sqlcmd", "isql", "bcp", "tsql"], &["-P"]),
    (&["cqlsh", "ipmitool"], &["-p", "-P"]),
    (&["zip", "unzip"], &["-P"]),
    (&["plink", "pscp"], &["-pw"]),
    (&["openssl"], &["-k", "-K"]),
];

/// Programs whose `-p` is a password only where one logs in: it is a port or a parameter elsewhere.
#[rustfmt::skip]
const LOGINS: &[&str] = &[
    "docker", "podman", "nerdctl", "buildah", "skopeo", "crane", "oras", "helm", "regctl", "az", "oc", "argocd",
];

/// Programs that take the password in the same word as the flag: a word after it would be something else.
const ATTACHED: &[(&[&str], &str)] = &[
    (
        &[
            "mysql",
            "mysqladmin",
            "mysqldump",
            "mysqlcheck",
            "mysqlimport",
            "mysqlshow",
            "mysqlsh",
            "mysqlslap",
            "mysqlbinlog",
            "mariadb",
            "mariadb-admin",
            "mariadb-dump",
            "mariadb-check",
            "mariadb-backup",
            "xtrabackup",
            "mariabackup",
            "innobackupex",
        ],
        "-p",
    ),
    (&["sshpass"], "-p"),
    (&["7z", "7za", "7zr"], "-p"),
    (&["sqlcmd"], "-P"),
    (&["ldapsearch", "ldapadd", "ldapmodify"], "-w"),
    (&["mongo", "mongosh", "mongodump", "mongorestore"], "-p"),
];

/// Flags whose value is `user:password`.
#[rustfmt::skip]
const USERS: &[&str] = &[
    "-u", "--user", "-U", "--proxy-user", "--basic-auth", "--auth", "-a", "--credentials", "--creds", "--src-creds",
    "--dest-creds",
];
const USER_PROGRAMS: &[&str] = &["curl", "http", "https", "httpie", "xh", "skopeo", "hey", "smbclient"];

/// Looks for what is particular to a program. It may stand behind another: `timeout 5 mysql …`, `kubectl exec db -- mysql …`.
pub(super) fn command(sink: &mut Sink, words: &[Word<'_>], piped: &[Word<'_>]) {
    let (mut program, mut from) = ("", 0);
    let login = words.iter().any(|word| word.text == "login");
    for (at, word) in words.iter().enumerate() {
        let text = word.text.as_ref();
        let next = words.get(at + 1);
        let base = text.rsplit('/').next().unwrap_or_default();
        if is_program(base) && (base == text || text.contains("bin/")) {
            (program, from) = (base, at);
        }
        let takes = takes(SEPARATE, program, text) || (login && text == "-p" && LOGINS.contains(&program));
        if let Some(value) = next.filter(|value| takes && !value.text.starts_with('-')) {
            sink.pair("password", &value.text, value.index);
        }
        for (programs, flag) in ATTACHED {
            if let Some(value) = text.strip_prefix(flag).filter(|_| programs.contains(&program)) {
                sink.pair("password", value.strip_prefix('=').unwrap_or(value), word.index);
            }
        }
        if USER_PROGRAMS.contains(&program) {
            user(sink, text, word.index, next);
        }
        if let Some(value) = text.strip_prefix("pass:") {
            sink.pair("password", value, word.index);
        }
    }
    positions(sink, program, &words[from..]);
    read_from(sink, program, words, piped);
}

/// Programs that are known for the places of their arguments.
#[rustfmt::skip]
const PLACED: &[&str] = &[
    "rabbitmqctl", "htpasswd", "mc", "aws", "vault", "pip", "npm", "yarn", "git", "chpasswd", "sudo",
];

fn is_program(name: &str) -> bool {
    PLACED.contains(&name)
        || LOGINS.contains(&name)
        || USER_PROGRAMS.contains(&name)
        || SEPARATE.iter().any(|(programs, _)| programs.contains(&name))
        || ATTACHED.iter().any(|(programs, _)| programs.contains(&name))
}

fn takes(table: &[(&[&str], &[&str])], program: &str, flag: &str) -> bool {
    table
        .iter()
        .any(|(programs, flags)| programs.contains(&program) && flags.contains(&flag))
}

/// `-u user:password`, `-uuser:password`, `--user=user:password`; samba has a percent sign between.
fn user(sink: &mut Sink, text: &str, index: usize, next: Option<&Word<'_>>) {
    let (value, index) = if USERS.contains(&text) {
        let Some(next) = next else { return };
        (next.text.as_ref(), next.index)
    } else if let Some((_, value)) = text.split_once('=').filter(|(flag, _)| USERS.contains(flag)) {
        (value, index)
    } else if let Some(value) = text.strip_prefix("-u").filter(|value| value.contains(':')) {
        (value, index)
    } else {
        return;
    };
    if let Some((_, password)) = value
        .split_once([':', '%'])
        .filter(|(_, password)| !password.starts_with('/'))
    {
        sink.pair("password", password, index);
    }
}

/// Programs whose password has a place: `rabbitmqctl add_user u p`, `htpasswd -b file u p`, `mc alias set n url a s`.
fn positions(sink: &mut Sink, program: &str, words: &[Word<'_>]) {
    let plain: Vec<&Word<'_>> = words
        .iter()
        .skip(1)
        .filter(|word| !word.text.starts_with('-'))
        .collect();
    let text = |at: usize| plain.get(at).map_or("", |word| word.text.as_ref());
    let place = match program {
        "rabbitmqctl" if matches!(text(0), "add_user" | "change_password" | "authenticate_user") => 2,
        "htpasswd" => {
            let flags = |letter: char| {
                let mut words = words.iter().skip(1).filter(|word| word.text.starts_with('-'));
                words.any(|word| !word.text.starts_with("--") && word.text.contains(letter))
            };
            if !flags('b') {
                return;
            }
            if flags('n') { 1 } else { 2 }
        }
        "mc" if matches!((text(0), text(1)), ("alias", "set")) => 5,
        "mc" if matches!((text(0), text(1), text(2)), ("config", "host", "add")) => 6,
        "mc" if matches!((text(0), text(1), text(2)), ("admin", "user", "add")) => 5,
        "aws" if matches!((text(0), text(1)), ("configure", "set")) => 3,
        "vault" if text(0) == "login" => 1,
        "redis-cli" if text(0).eq_ignore_ascii_case("auth") => 1,
        "pip" | "npm" | "yarn" | "git" if text(0) == "config" => plain.len().saturating_sub(1),
        _ => return,
    };
    let Some(value) = plain.get(place) else { return };
    match program {
        "aws" => sink.named(text(2), &value.text, value.index),
        "pip" | "npm" | "yarn" | "git" => {
            let name = if place > 0 { text(place - 1) } else { "" };
            sink.named(name, &value.text, value.index);
        }
        "vault" if value.text.contains('=') => {}
        "vault" => sink.pair("token", &value.text, value.index),
        "mc" if text(0) != "admin" => sink.pair("secretKey", &value.text, value.index),
        _ => sink.pair("password", &value.text, value.index),
    }
}

/// `echo root:x | chpasswd`, `echo x | docker login --password-stdin`
fn read_from(sink: &mut Sink, program: &str, words: &[Word<'_>], piped: &[Word<'_>]) {
    let writes = piped
        .first()
        .is_some_and(|word| matches!(word.text.as_ref(), "echo" | "printf"));
    let Some(value) = piped.last().filter(|_| writes && piped.len() > 1) else {
        return;
    };
    if program == "chpasswd" {
        if let Some((_, password)) = value.text.split_once(':') {
            sink.pair("password", password, value.index);
        }
    } else if words.iter().any(|word| {
        matches!(
            word.text.as_ref(),
            "--password-stdin" | "--stdin" | "--pass-stdin" | "--with-token"
        )
    }) || (program == "sudo" && words.iter().any(|word| word.text == "-S"))
    {
        sink.pair("password", &value.text, value.index);
    }
}
