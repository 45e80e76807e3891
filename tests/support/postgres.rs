//! A database for each test: one migrated template a run, cloned.
use super::{Scratch, env, garrison::Cli, unique};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// The throw-away cluster's superuser URL, as `dev/with-postgres.sh` exports it.
pub fn server_url() -> String {
    env("GARRISON_TEST_DATABASE_URL")
        .expect("GARRISON_TEST_DATABASE_URL is not set: run `dev/with-postgres.sh cargo test`")
}

/// The same server, another database.
pub fn with_database(url: &str, name: &str) -> String {
    let (main, query) = url.split_once('?').map_or((url, None), |(m, q)| (m, Some(q)));
    let (server, _) = main.rsplit_once('/').expect("a URL with a database");
    query.map_or_else(|| format!("{server}/{name}"), |q| format!("{server}/{name}?{q}"))
}

pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}

pub struct Database {
    pub name: String,
    pub url: String,
    server: String,
}

impl Database {
    /// A clone of the migrated template.
    pub async fn migrated() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(make_template).await;
        Self::create(&server_url(), Some(template)).await
    }

    /// An empty database on the shared cluster.
    pub async fn empty() -> Self {
        Self::create(&server_url(), None).await
    }

    pub async fn create(server: &str, template: Option<&str>) -> Self {
        let name = unique("gt");
        let client = connect(server).await.expect("the test cluster answers");
        let from = template.map_or(String::new(), |t| format!(" TEMPLATE {t}"));
        client
            .batch_execute(&format!("CREATE DATABASE {name}{from}"))
            .await
            .expect("CREATE DATABASE");
        Self {
            url: with_database(server, &name),
            name,
            server: server.into(),
        }
    }

    /// A superuser's connection to this database.
    pub async fn client(&self) -> Client {
        connect(&self.url).await.expect("connect to the test's database")
    }

    /// Ends every other connection to this database, as a restart of the server would.
    pub async fn terminate_backends(&self) -> i64 {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = $1 AND pid <> pg_backend_pid()";
        let client = connect(&self.server).await.expect("connect");
        client
            .query_one(sql, &[&self.name])
            .await
            .expect("terminate")
            .get(0)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let _ = std::thread::spawn(move || {
            let rt = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(rt) = rt else { return };
            rt.block_on(async {
                let Ok(client) = connect(&server).await else {
                    return;
                };
                let _ = client
                    .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                    .await;
            });
        })
        .join();
    }
}

async fn make_template() -> String {
    let name = unique("gt_template");
    let server = server_url();
    let client = connect(&server).await.expect("the test cluster answers");
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .expect("CREATE DATABASE");
    let dir = Scratch::new("template");
    let cli = Cli::new(&with_database(&server, &name), &dir.0);
    cli.run(&["migrate"]).await.expect_ok();
    // A pooler keeps its connection, and nobody may be connected to what is copied.
    let rest = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    client.query(rest, &[&name]).await.expect(rest);
    name
}
