//! A real PostgreSQL server of the test's own: in a folder of its own, on a Unix socket, with its writes on the disk. One that is
//! asked to listens on the network too, with TLS.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs, thread};

/// Whoever the server runs as, when the tests run as root: it refuses that.
const NOBODY: u32 = 65534;

/// How much of its data a server keeps in memory, unless it is asked for more.
const BUFFERS: &str = "64MB";

/// Runs the server, again whenever it ends, until there is nobody at the other end of its standard input. So neither a server
/// nor its folder outlives the test, however that ends.
const KEEPER: &str = r#"
(while :; do "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses="$3" -c ssl="$4" -c fsync="$6" -c max_connections=200 \
  -c shared_buffers="$5" </dev/null >>"$2/log" 2>&1; sleep 0.1; done) &
loop=$!
cat >/dev/null
kill -KILL "$loop"
kill -QUIT "$(head -n 1 "$2/data/postmaster.pid")"
while kill -0 "$(head -n 1 "$2/data/postmaster.pid" 2>/dev/null)" 2>/dev/null; do sleep 0.02; done
rm -rf "$2"
"#;

/// A server, which ends when this is dropped, or when the process ends.
pub struct Server {
    place: PathBuf,
    programs: PathBuf,
    keeper: Child,
}

impl Server {
    /// The server that the tests of this process share. Nobody crashes it, so that it need not wait for the disk.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::begin(None, BUFFERS, "off"))
    }

    pub fn start() -> Self {
        Self::begin(None, BUFFERS, "on")
    }

    /// Starts one that answers at this address too, to those who speak TLS, with this certificate and key in PEM.
    pub fn start_with(listens: Option<(&str, &str, &str)>) -> Self {
        Self::begin(listens, BUFFERS, "on")
    }

    /// Starts one that keeps so much of its data in memory (`shared_buffers`).
    pub fn start_with_memory(buffers: &str) -> Self {
        Self::begin(None, buffers, "on")
    }

    fn begin(listens: Option<(&str, &str, &str)>, buffers: &str, fsync: &str) -> Self {
        let programs = programs();
        let place = tempfile::Builder::new()
            .prefix("pg-")
            .tempdir_in("/tmp")
            .unwrap()
            .keep();
        if root() {
            chown(&place, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = unprivileged(&programs.join("initdb"))
            .args([
                "--username=countersign",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .args(["--no-sync", "--pgdata"])
            .arg(place.join("data"))
            .output();
        succeeded("initdb", made.unwrap());
        let (address, ssl) = listens.map_or(("", "off"), |(address, ..)| (address, "on"));
        if let Some((_, certificate, key)) = listens {
            let put = |name: &str, text: &str| owned(&place.join("data").join(name), text);
            put("server.crt", certificate);
            put("server.key", key);
            put("pg_hba.conf", "local all all trust\nhostssl all all 0.0.0.0/0 trust\n");
        }
        let keeper = unprivileged(Path::new("/bin/sh"))
            .args(["-c", KEEPER, "keeper"])
            .args([&programs, &place])
            .args([address, ssl, buffers, fsync])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            place,
            programs,
            keeper,
        };
        server.wait();
        server
    }

    /// The URL of a new, empty database.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\""));
        let place = self.place.display();
        format!("postgres://countersign@localhost/{name}?host={place}")
    }

    /// Runs SQL with PostgreSQL's own client, and gives what it prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        succeeded("psql", self.psql(database, sql))
    }

    /// Kills the server without a word to it. It starts again on what is on the disk.
    pub fn crash(&self) {
        let pid = fs::read_to_string(self.place.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        let killed = Command::new("kill").args(["-KILL", pid]).output();
        succeeded("kill", killed.unwrap());
        self.wait();
    }

    fn psql(&self, database: &str, sql: &str) -> Output {
        Command::new(self.programs.join("psql"))
            .args([
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set=ON_ERROR_STOP=1",
            ])
            .args([
                "--username=countersign",
                "--dbname",
                database,
                "--command",
                sql,
                "--host",
            ])
            .arg(&self.place)
            .output()
            .unwrap()
    }

    fn wait(&self) {
        for _ in 0..1200 {
            if self.psql("postgres", "SELECT 1").status.success() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(self.place.join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start: {log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn succeeded(what: &str, output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a file that nobody but the server reads.
fn owned(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    if root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn unprivileged(program: &Path) -> Command {
    if !root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
    command.arg("--clear-groups").arg(program);
    command
}

/// Where PostgreSQL's programs are. `scripts/peers` installs them where there are none.
fn programs() -> PathBuf {
    installed().unwrap_or_else(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/peers");
        let brought = Command::new(script).arg("store").stderr(Stdio::inherit()).output();
        succeeded("scripts/peers", brought.unwrap());
        installed().expect("PostgreSQL is installed, but not where Debian's package has it, nor on the path")
    })
}

fn installed() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    let all = |folder: &PathBuf| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|name| folder.join(name).exists())
    };
    folders.into_iter().find(all)
}
