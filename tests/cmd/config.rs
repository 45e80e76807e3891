//! A configuration with a mistake in it: refused before anything starts, by name, without showing what may be a secret.
use crate::support::garrison::Cli;
use crate::support::postgres::server_url;
use crate::support::{Scratch, unique};

struct Mistake {
    file: &'static str,
    variable: Option<(&'static str, &'static str)>,
    /// What must be named.
    names: &'static [&'static str],
}

const fn in_file(file: &'static str, names: &'static [&'static str]) -> Mistake {
    Mistake {
        file,
        variable: None,
        names,
    }
}

const fn in_variable(name: &'static str, value: &'static str, names: &'static [&'static str]) -> Mistake {
    Mistake {
        file: "",
        variable: Some((name, value)),
        names,
    }
}

const MISTAKES: &[Mistake] = &[
    in_file("server:\n  lissten: s3cr3t\n", &["server.lissten", "line 2"]),
    in_file("sever:\n  listen: s3cr3t\n", &["sever"]),
    in_file("server:\n  listen: s3cr3t\n", &["server.listen", "line 2"]),
    in_file(
        "server:\n  listen: 127.0.0.1:1\n  listen: 127.0.0.1:2\n",
        &["line 3", "twice"],
    ),
    in_file(
        "capi:\n  forward_enabled: s3cr3t\n",
        &["capi.forward_enabled", "line 2"],
    ),
    in_file(
        "capi:\n  url: ${NO_SUCH_VARIABLE}\n",
        &["capi.url", "NO_SUCH_VARIABLE"],
    ),
    in_file("database:\n  pool_size: 0\n", &["database.pool_size"]),
    in_file("secret_key: s3cr3t\n", &["secret_key", "32 bytes"]),
    in_file("server: [s3cr3t\n", &["line"]),
    in_variable("GARRISON_LISTN", "s3cr3t", &["GARRISON_LISTN"]),
    in_variable("GARRISON_LISTEN", "s3cr3t", &["server.listen", "GARRISON_LISTEN"]),
    in_variable(
        "GARRISON_CAPI_URL",
        "ftp://s3cr3t/",
        &["capi.url", "GARRISON_CAPI_URL"],
    ),
    in_variable(
        "GARRISON_CAPI_TIMEOUT",
        "s3cr3t",
        &["capi.timeout", "GARRISON_CAPI_TIMEOUT"],
    ),
    in_variable(
        "GARRISON_DATABASE_URL",
        "mysql://u:s3cr3t@h/d",
        &["database.url", "GARRISON_DATABASE_URL"],
    ),
    in_variable(
        "GARRISON_SECRET_KEY",
        "s3cr3t",
        &["secret_key", "GARRISON_SECRET_KEY"],
    ),
    in_variable(
        "GARRISON_SECRET_KEY_FILE",
        "/nowhere/at/all",
        &["GARRISON_SECRET_KEY_FILE", "/nowhere/at/all"],
    ),
    in_variable(
        "GARRISON_CONFIG",
        "/nowhere/at/all.yaml",
        &["/nowhere/at/all.yaml"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_refused_by_name() {
    let dir = Scratch::new("config");
    let data = dir.join("data");
    for mistake in MISTAKES {
        let mut cli = Cli::new(&server_url(), &data);
        cli.set("GARRISON_LISTEN", "127.0.0.1:0");
        if !mistake.file.is_empty() {
            // variables win over the file, and would hide its mistake
            cli.env.remove("GARRISON_LISTEN");
            cli.env.remove("GARRISON_DATABASE_URL");
            let file = dir.join(&unique("garrison.yaml"));
            std::fs::write(&file, mistake.file).unwrap();
            cli.set("GARRISON_CONFIG", file.display().to_string());
        }
        if let Some((name, value)) = mistake.variable {
            cli.set(name, value);
        }
        for args in [&["serve"][..], &["tenant", "list"]] {
            let said = cli.run(args).await.expect_refused();
            for name in mistake.names {
                assert!(
                    said.stderr.contains(name),
                    "`{name}` is not named in: {}",
                    said.stderr
                );
            }
            assert!(
                !said.stderr.contains("s3cr3t"),
                "shows a value, any of which may be a secret: {}",
                said.stderr
            );
        }
    }
    assert!(!data.exists(), "refused before anything was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_is_named_without_its_password() {
    let dir = Scratch::new("config");
    let port = crate::support::free_port();
    let cli = Cli::new(
        &format!("postgres://garrison:s3cr3t@127.0.0.1:{port}/garrison"),
        &dir.join("data"),
    );
    for args in [&["serve"][..], &["tenant", "list"]] {
        let said = cli.run(args).await.expect_refused().stderr;
        assert!(said.contains("database"), "{said}");
        assert!(!said.contains("s3cr3t"), "shows the password: {said}");
    }
}
