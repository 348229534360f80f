//! Command lines, as containers and scripts have them.

use std::time::Duration;

use rstest::rstest;

use super::denied;
use crate::carrier::{Pair, arguments, script};

fn secrets(pairs: Vec<Pair<'_>>) -> Vec<(String, usize)> {
    pairs
        .into_iter()
        .filter(|pair| denied(&pair.name, &pair.value))
        .map(|pair| (pair.value.into_owned(), pair.index))
        .collect()
}

/// Items, and where the value `hunter2` is.
#[rstest]
#[case(&["--password=hunter2"], &[0])]
#[case(&["--password", "hunter2"], &[1])]
#[case(&["server", "--db-password", "hunter2", "--verbose"], &[2])]
#[case(&["--client-secret=hunter2", "--upstream=x"], &[0])]
#[case(&["-password=hunter2"], &[0])]
#[case(&["-Dspring.datasource.password=hunter2"], &[0])]
#[case(&["java", "-Djavax.net.ssl.keyStorePassword=hunter2", "-jar", "a.jar"], &[1])]
#[case(&["mysql", "-uroot", "-phunter2"], &[2])]
#[case(&["/usr/bin/mysqladmin", "ping", "-phunter2"], &[2])]
#[case(&["mysqladmin", "ping", "--password=hunter2"], &[2])]
#[case(&["redis-cli", "-a", "hunter2", "ping"], &[2])]
#[case(&["redis-server", "--requirepass", "hunter2"], &[2])]
#[case(&["mongosh", "-u", "root", "-p", "hunter2"], &[4])]
#[case(&["sshpass", "-p", "hunter2", "ssh", "a@b"], &[2])]
#[case(&["sshpass", "-phunter2", "ssh", "a@b"], &[1])]
#[case(&["docker", "login", "-u", "a", "-p", "hunter2"], &[5])]
#[case(&["curl", "-u", "admin:hunter2", "http://x"], &[2])]
#[case(&["curl", "--user=admin:hunter2", "http://x"], &[1])]
#[case(&["curl", "-uadmin:hunter2"], &[1])]
#[case(&["wget", "--password=hunter2", "http://x"], &[1])]
#[case(&["wget", "--http-password", "hunter2"], &[2])]
#[case(&["openssl", "rsa", "-passin", "pass:hunter2"], &[3])]
#[case(&["keytool", "-storepass", "hunter2", "-keypass", "hunter2"], &[2, 4])]
#[case(&["ldapsearch", "-x", "-D", "cn=admin", "-w", "hunter2"], &[5])]
#[case(&["rabbitmqctl", "add_user", "app", "hunter2"], &[3])]
#[case(&["htpasswd", "-bc", "/etc/htpasswd", "app", "hunter2"], &[4])]
#[case(&["htpasswd", "-nb", "app", "hunter2"], &[3])]
#[case(&["kubectl", "create", "secret", "generic", "x", "--from-literal=password=hunter2"], &[5])]
#[case(&["kubectl", "create", "secret", "generic", "x", "--from-literal", "password=hunter2"], &[6])]
#[case(&["helm", "install", "x", "--set", "auth.password=hunter2,image.tag=1"], &[4])]
#[case(&["helm", "install", "x", "--set=auth.password=hunter2"], &[3])]
#[case(&["docker", "run", "-e", "DB_PASSWORD=hunter2", "x"], &[3])]
#[case(&["env", "PGPASSWORD=hunter2", "psql", "-h", "db"], &[1])]
#[case(&["sh", "-c", "PGPASSWORD=hunter2 psql -h db"], &[2])]
#[case(&["/bin/bash", "-ec", "export DB_PASSWORD=hunter2\nexec app"], &[2])]
#[case(&["bash", "-c", "bash -c 'mysql -uroot -phunter2 -e \"select 1\"'"], &[2])]
#[case(&["-c", "until mysqladmin ping -phunter2; do sleep 1; done"], &[1])]
#[case(&["timeout", "5", "mysql", "-phunter2"], &[3])]
#[case(&["kubectl", "exec", "db", "--", "mysql", "-phunter2"], &[5])]
#[case(&["--user=app --password=hunter2"], &[0])]
#[case(&["sh", "-c", "echo hunter2 | docker login -u a --password-stdin"], &[2])]
#[case(&["mc", "alias", "set", "m", "http://minio", "minioadmin", "minio1234"], &[6])]
#[case(&["aws", "configure", "set", "aws_secret_access_key", "hunter2x99"], &[4])]
fn a_password_among_arguments_is_found(#[case] items: &[&str], #[case] at: &[usize]) {
    let found: Vec<usize> = secrets(arguments(items)).into_iter().map(|(_, index)| index).collect();
    assert_eq!(found, at, "{:?}", arguments(items));
}

#[test]
fn headers_of_a_command_are_pairs() {
    let pairs = arguments(&["curl", "-H", "X-Api-Key: 0a1b2c3d", "--header=Authorization: Bearer x"]);
    let pairs: Vec<_> = pairs
        .iter()
        .map(|pair| (pair.name.as_ref(), pair.value.as_ref(), pair.index))
        .collect();
    assert_eq!(pairs, [("X-Api-Key", "0a1b2c3d", 2), ("Authorization", "Bearer x", 3)]);
}

#[rstest]
#[case(&["--password=$(DB_PASSWORD)"])]
#[case(&["--password", "$(DB_PASSWORD)"])]
#[case(&["--password=$DB_PASSWORD"])]
#[case(&["--password-file=/etc/pw"])]
#[case(&["--password", "--verbose"])]
#[case(&["--password-stdin", "foo"])]
#[case(&["--token-auth-file=/etc/tokens"])]
#[case(&["--client-secret-file", "/etc/secret"])]
#[case(&["--service-account-private-key-file=/etc/sa.key"])]
#[case(&["--tls-secret=ingress/my-tls"])]
#[case(&["--default-ssl-certificate=ingress/my-tls"])]
#[case(&["--secret-name", "my-secret"])]
#[case(&["--token-ttl", "1h"])]
#[case(&["--enable-token=true"])]
#[case(&["--allow-empty-password", "yes"])]
#[case(&["mysql", "-uroot", "-p$MYSQL_ROOT_PASSWORD"])]
#[case(&["mysql", "-u", "root", "-p", "app"])]
#[case(&["mysql", "-h", "db", "-P", "3306"])]
#[case(&["docker", "run", "-p", "8080:80", "nginx"])]
#[case(&["podman", "run", "-u", "1000:1000", "x"])]
#[case(&["curl", "-u", "$USER:$PASS", "http://x"])]
#[case(&["curl", "-u", "admin:", "http://x"])]
#[case(&["curl", "-H", "Authorization: Bearer $(cat /var/run/secrets/token)", "http://x"])]
#[case(&["sh", "-c", "redis-cli -a $REDIS_PASSWORD ping"])]
#[case(&["sh", "-c", "redis-cli -a \"${REDIS_PASSWORD}\" ping"])]
#[case(&["sh", "-c", "export PASSWORD=$(cat /run/secrets/pw); exec app"])]
#[case(&["sh", "-c", "export PASSWORD=`cat /run/secrets/pw`; exec app"])]
#[case(&["sh", "-c", "# --password=hunter2\nexec app"])]
#[case(&["sh", "-c", "mysqladmin ping -u root -p\"$(cat $MYSQL_ROOT_PASSWORD_FILE)\""])]
#[case(&["sshpass", "-e", "ssh", "a@b"])]
#[case(&["openssl", "rsa", "-passin", "file:/etc/pass"])]
#[case(&["openssl", "rsa", "-passin", "env:PASS"])]
#[case(&["kubectl", "create", "secret", "generic", "x", "--from-file=password=/tmp/pw"])]
#[case(&["kubectl", "get", "secret", "my-secret", "-o", "yaml"])]
#[case(&["helm", "install", "x", "--set", "auth.existingSecret=my-secret"])]
#[case(&["python", "-c", "import os; print(os.environ['PASSWORD'])"])]
#[case(&["psql", "-p", "5432", "-U", "postgres"])]
#[case(&["ssh", "-p", "2222", "host"])]
#[case(&["mkdir", "-p", "/data/password"])]
#[case(&["mongosh", "--eval", "db.adminCommand('ping')"])]
#[case(&["vault", "login", "-method=kubernetes", "role=app"])]
#[case(&["git", "config", "credential.helper", "store"])]
#[case(&["rabbitmqctl", "add_user", "app", "$(PASSWORD)"])]
#[case(&["sudo", "-S", "true"])]
#[case(&["--key=/etc/tls.key", "--cert", "/etc/tls.crt"])]
#[case(&["--auth-mode", "token"])]
#[case(&["--v=5", "--leader-elect"])]
fn arguments_without_a_literal_are_left_alone(#[case] items: &[&str]) {
    assert_eq!(secrets(arguments(items)), []);
}

#[test]
fn a_script_is_read_line_by_line() {
    let text = "#!/bin/sh\nset -ex\n# PASSWORD=no\nexport DB_PASSWORD='hunter2'\nTOKEN=$(curl -u app:mysql http://x)\n\
                if [ -z \"$PASSWORD\" ]; then PASSWORD=\"sst\"; fi\ncat <<EOF > /etc/app.conf\n[db]\npassword = minio123\nuser=$USER\nEOF\n\
                mysql -uroot \\\n  -padmin -e 'select 1'\necho root:toor | chpasswd\n";
    let found = secrets(script(text));
    let expected = [
        ("hunter2", 3),
        ("mysql", 4),
        ("sst", 5),
        ("minio123", 8),
        ("admin", 12),
        ("toor", 13),
    ];
    let expected: Vec<(String, usize)> = expected
        .iter()
        .map(|(value, line)| ((*value).to_owned(), *line))
        .collect();
    assert_eq!(found, expected);
}

#[rstest]
#[case("PASSWORD=${PASSWORD:-}\nTOKEN=\"$1\"\nexport SECRET=$(vault read -field=x secret/y)")]
#[case("if [ \"$password\" = \"\" ]; then echo 'password is empty'; exit 1; fi")]
#[case("PASSWORD=\nTOKEN=''\nread -s PASSWORD")]
#[case("cat <<'EOF'\npassword: {{ .Values.password }}\nEOF")]
#[case("curl -s -H \"Authorization: Bearer ${TOKEN}\" https://api")]
#[case("echo \"don't use --password on the command line\"")]
#[case("kubectl create secret generic x --from-literal=password=\"$PASSWORD\"")]
#[case("PASSWORD_FILE=/run/secrets/pw\nSECRET_NAME=my-secret")]
#[case("token=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)")]
#[case("for key in a b c; do echo $key; done")]
#[case("sed -i \"s/password=.*/password=$PW/\" /etc/app.conf")]
#[case("mysql -u root -p\"${MYSQL_ROOT_PASSWORD}\" < /init.sql")]
fn scripts_without_a_literal_are_left_alone(#[case] text: &str) {
    assert_eq!(secrets(script(text)), []);
}

#[rstest]
#[case("$(")]
#[case("`")]
#[case("\"")]
#[case("'")]
#[case("${")]
#[case("<<A\n")]
#[case("\\")]
#[case("a=$(b \"$(c ")]
#[case("sh -c '")]
#[case("-p ")]
#[case("--password=x ")]
#[case("| ")]
#[case("\"$(\"")]
#[case("éñ\"$(")]
fn what_never_ends_is_read_in_linear_time(#[case] unit: &str) {
    let text = unit.repeat(100_000 / unit.len());
    let took = super::timed(|| script(&text).len());
    assert!(took < Duration::from_mins(1), "{took:?}");
    let items: Vec<&str> = vec![unit; 5_000];
    let took = super::timed(|| arguments(&items).len());
    assert!(took < Duration::from_mins(1), "{took:?}");
}

proptest::proptest! {
    #[test]
    fn no_script_makes_the_lexer_panic(parts in proptest::collection::vec("[a-z=:$(){}<>|&;'\"`\\\\\n #é-]{0,6}|<<E\n|sh -c |--password |mysql -p|curl -u a:b|\\PC{0,4}", 0..24)) {
        let text = parts.concat();
        let lines = text.matches('\n').count();
        for pair in script(&text) {
            proptest::prop_assert!(pair.index <= lines);
            proptest::prop_assert!(!pair.value.is_empty());
        }
        let items: Vec<&str> = parts.iter().map(String::as_str).collect();
        for pair in arguments(&items) {
            proptest::prop_assert!(pair.index < items.len());
        }
    }
}
