//! Somebody else's Postgres: TLS with one's own authority, several hosts.
use crate::support::cluster::Cluster;
use crate::support::garrison::{Cli, Server};
use crate::support::postgres::{Database, connect};
use crate::support::{Scratch, free_port, wait};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An authority and a certificate of 127.0.0.1 that it signed.
const CONFIG: &str = "[req]\ndistinguished_name=name\nprompt=no\n[name]\nCN=Garrison test authority\n\
    [authority]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
    [server]\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n";

fn openssl(dir: &Path, args: &str) {
    let out = Command::new("openssl")
        .args(args.split(' '))
        .current_dir(dir)
        .output()
        .unwrap_or_else(|e| panic!("the program openssl is needed (dev/deps.sh test): {e}"));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "openssl {args}: {said}");
}

/// `ca.pem`, `server.pem` and `server.key` in `dir`.
fn certificates(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("openssl.cnf"), CONFIG).unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config openssl.cnf";
    openssl(
        dir,
        &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -extensions authority"),
    );
    openssl(
        dir,
        &format!("req -new {key} -keyout server.key -out server.csr -subj /CN=127.0.0.1"),
    );
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 \
         -extfile openssl.cnf -extensions server",
    );
}

struct Secured {
    cluster: Cluster,
    db: Database,
    dir: Scratch,
}

impl Secured {
    async fn start() -> Self {
        let cluster = Cluster::start().await;
        let db = cluster.database().await;
        let dir = Scratch::new("tls");
        certificates(&dir.join("right"));
        certificates(&dir.join("wrong"));
        let client = connect(&cluster.url).await.expect("connect");
        let data = client.query_one("SHOW data_directory", &[]).await.unwrap();
        let data = PathBuf::from(data.get::<_, String>(0));
        let owner = std::fs::metadata(&data).unwrap();
        for name in ["server.pem", "server.key"] {
            let file = data.join(name);
            std::fs::copy(dir.join("right").join(name), &file).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        for set in [
            "ssl_cert_file = 'server.pem'",
            "ssl_key_file = 'server.key'",
            "ssl = on",
        ] {
            client
                .batch_execute(&format!("ALTER SYSTEM SET {set}"))
                .await
                .unwrap();
        }
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        wait::until_true("ssl is on", wait::secs(10), || async {
            let client = connect(&cluster.url).await.unwrap();
            client.query_one("SHOW ssl", &[]).await.unwrap().get::<_, &str>(0) == "on"
        })
        .await;
        Self { cluster, db, dir }
    }

    fn cli(&self, query: &str, ca: Option<&str>) -> Cli {
        let mut cli = Cli::new(&format!("{}?{query}", self.db.url), &self.dir.join("data"));
        cli.set("GARRISON_LISTEN", "127.0.0.1:0");
        if let Some(ca) = ca {
            let file = self.dir.join(ca).join("ca.pem");
            cli.set("GARRISON_DATABASE_CA_FILE", file.display().to_string());
        }
        cli
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_with_the_right_authority_works_and_with_another_is_refused() {
    let secured = Secured::start().await;
    let cli = secured.cli("sslmode=require", Some("right"));
    let mut server = Server::spawn(&cli, &["serve"]).await;
    server.api(None).get("/readyz").await.expect(200);
    let client = secured.db.client().await;
    let rows = client
        .query(
            "SELECT s.ssl, coalesce(s.version, '') FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
             WHERE a.datname = current_database() AND a.application_name = 'garrison'",
            &[],
        )
        .await
        .unwrap();
    assert!(!rows.is_empty(), "the service's connections are seen");
    for row in rows {
        assert!(row.get::<_, bool>(0), "a connection in the clear");
        assert!(row.get::<_, &str>(1).starts_with("TLSv1."));
    }
    server.terminate();
    assert_eq!(server.ended(wait::secs(25)).await, Some(0));

    let wrong = secured.cli("sslmode=require", Some("wrong"));
    let start = std::time::Instant::now();
    let said = wrong.run(&["serve"]).await.expect_refused().stderr;
    assert!(start.elapsed() < wait::secs(20), "refused at once");
    assert!(said.contains("certificate"), "says what is wrong: {said}");
    let none = secured.cli("sslmode=require", None);
    let said = none.run(&["serve"]).await.expect_refused().stderr;
    assert!(
        said.contains("certificate"),
        "the system's authorities do not know it: {said}"
    );
    let absent = secured.cli("sslmode=require", Some("absent"));
    let said = absent.run(&["serve"]).await.expect_refused().stderr;
    assert!(
        said.contains("database.ca_file") && said.contains("absent"),
        "{said}"
    );
}

/// libpq's `prefer`, which is the default: encrypted where that is possible, and nobody's certificate is asked for.
/// Debian's Postgres has TLS switched on with a certificate of its own making.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sslmode_a_certificate_of_ones_own_making_does_not_matter() {
    let secured = Secured::start().await;
    for query in ["", "sslmode=prefer", "sslmode=disable"] {
        let cli = secured.cli(query, None);
        let mut server = Server::spawn(&cli, &["serve"]).await;
        server.api(None).get("/readyz").await.expect(200);
        server.terminate();
        assert_eq!(server.ended(wait::secs(25)).await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_file_without_a_certificate_is_named() {
    let db = Database::empty().await;
    let dir = Scratch::new("tls");
    let file = dir.join("empty.pem");
    std::fs::write(&file, "no certificate\n").unwrap();
    let mut cli = Cli::new(&format!("{}?sslmode=require", db.url), &dir.join("data"));
    cli.set("GARRISON_DATABASE_CA_FILE", file.display().to_string());
    let said = cli.run(&["serve"]).await.expect_refused().stderr;
    assert!(
        said.contains("database.ca_file") && said.contains("empty.pem"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let db = Database::empty().await;
    let dir = Scratch::new("tls");
    let cli = Cli::new(&format!("{}?sslmode=require", db.url), &dir.join("data"));
    let said = cli.run(&["serve"]).await.expect_refused().stderr;
    assert!(said.contains("TLS"), "{said}");
}

/// `user@a,b/name`: the first that is there and writes.
fn several(ports: [&str; 2], database: &str) -> String {
    let [a, b] = ports;
    format!("postgres://postgres@127.0.0.1:{a},127.0.0.1:{b}/{database}")
}

fn port(url: &str) -> &str {
    let (_, rest) = url.rsplit_once(':').unwrap();
    rest.split('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_hosts_the_one_that_lives_and_writes_is_used() {
    let (reading, writing) = tokio::join!(Cluster::start(), Cluster::start());
    let client = connect(&reading.url).await.unwrap();
    client
        .batch_execute("ALTER SYSTEM SET default_transaction_read_only = on")
        .await
        .unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    wait::until_true("it only reads", wait::secs(10), || async {
        let client = connect(&reading.url).await.unwrap();
        let row = client.query_one("SHOW transaction_read_only", &[]).await;
        row.unwrap().get::<_, &str>(0) == "on"
    })
    .await;
    let dead = free_port().to_string();
    for (n, first) in [dead.as_str(), port(&reading.url)].into_iter().enumerate() {
        let dir = Scratch::new("hosts");
        let mut cli = Cli::new(
            &several([first, port(&writing.url)], "postgres"),
            &dir.join("data"),
        );
        cli.set("GARRISON_LISTEN", "127.0.0.1:0");
        let mut server = Server::spawn(&cli, &["serve"]).await;
        server.api(None).get("/readyz").await.expect(200);
        let name = format!("acme{n}");
        cli.run(&["tenant", "add", &name]).await.expect_ok();
        let client = connect(&writing.url).await.unwrap();
        let made = client
            .query("SELECT 1 FROM tenant WHERE name = $1", &[&name])
            .await
            .unwrap();
        assert_eq!(made.len(), 1, "written where writing is allowed");
        if n == 1 {
            // it comes back by itself when the one that writes was away
            writing.crash().await;
            wait::until_true("ready again", wait::secs(30), || async {
                server.api(None).get("/readyz").await.status == 200
            })
            .await;
        }
        server.terminate();
        assert_eq!(server.ended(wait::secs(25)).await, Some(0));
    }
}
