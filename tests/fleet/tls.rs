//! Servers behind TLS that nobody should speak to (reliability.md S9).
use super::mock::{Mock, Mood};
use crate::support::world::World;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tls")
        .join(name)
}

fn config(certificate: &str, asks_for_one: bool) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = if asks_for_one {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(file("ca.pem")).expect("CA");
        roots.add(ca).expect("CA");
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        builder.with_client_cert_verifier(verifier.build().expect("verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_file(file(certificate)).expect("certificate")];
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("key");
    builder.with_single_cert(chain, key).expect("pair")
}

/// TLS in front of a server; its port.
async fn shield(mock: &Mock, config: rustls::ServerConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    let (acceptor, behind) = (TlsAcceptor::from(Arc::new(config)), mock.address());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let mut shielded = acceptor.accept(socket).await.ok()?;
                let mut plain = TcpStream::connect(behind).await.ok()?;
                copy_bidirectional(&mut shielded, &mut plain).await.ok()
            });
        }
    });
    port
}

/// Speaks TLS 1.0 only: answers a ClientHello with a ServerHello of 1999.
async fn ancient() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut hello = [0; 4096];
            let _ = socket.read(&mut hello).await;
            // Record (22, 3.1, 42 bytes), ServerHello (2, 38 bytes), 3.1, 32 random bytes, no session, RSA with AES, no
            // compression.
            let mut answer = vec![22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
            answer.extend([7; 32]);
            answer.extend([0, 0, 0x2f, 0]);
            let _ = socket.write_all(&answer).await;
            let _ = socket.read(&mut hello).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_certificate_that_is_good_for_the_name_is_spoken_to() {
    let ca = file("ca.pem").display().to_string();
    let world = World::with(1, &[("SSL_CERT_FILE", &ca)]).await;
    let api = world.api();
    let (good, bad) = (
        Mock::start(Mood::Writes(200)).await,
        Mock::start(Mood::Writes(200)).await,
    );
    let shut = |certificate: &str| shield(&bad, config(certificate, false));
    let servers = [
        (
            "good",
            "127.0.0.1",
            shield(&good, config("good.pem", false)).await,
        ),
        (
            "good-name",
            "localhost",
            shield(&good, config("good.pem", false)).await,
        ),
        ("expired", "127.0.0.1", shut("expired.pem").await),
        ("elsewhere", "127.0.0.1", shut("elsewhere.pem").await),
        ("no-such-name", "localhost", shut("elsewhere.pem").await),
        ("self-signed", "127.0.0.1", shut("self-signed.pem").await),
        (
            "asks-for-ours",
            "127.0.0.1",
            shield(&bad, config("good.pem", true)).await,
        ),
        ("tls-1-0", "127.0.0.1", ancient().await),
    ];
    for (name, host, port) in servers {
        let body = json!({"name": name, "url": format!("https://{host}:{port}/"), "apiKey": "k"});
        let made = api.post("/api/lapi-servers", &body).await.expect(201).json();
        let reached = name.starts_with("good");
        assert_eq!(made["check"]["reachable"], reached, "{name}: {made}");
        if !reached {
            assert_eq!(made["check"]["error"], "the server cannot be reached", "{name}");
        }
    }
    assert!(good.count("GET /health") > 0);
    assert_eq!(bad.count(""), 0, "something went out");
    // Nor by the name alone: without the operator's CA nobody is good.
    let other = World::start().await;
    let port = shield(&good, config("good.pem", false)).await;
    let body = json!({"name": "a", "url": format!("https://127.0.0.1:{port}/"), "apiKey": "k"});
    let made: Value = other
        .api()
        .post("/api/lapi-servers", &body)
        .await
        .expect(201)
        .json();
    assert_eq!(made["check"]["reachable"], false, "{made}");
}
