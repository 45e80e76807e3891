//! WHOIS servers: a line in, a text out, each as good or as bad as a test wants it.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a server does with a query.
#[derive(Clone, Debug)]
pub enum Says {
    Text(Vec<u8>),
    /// The same, after a while.
    Late(Duration, Vec<u8>),
    /// A byte every 100 ms, over and over.
    Drip(Vec<u8>),
    /// As fast as it is taken, over and over.
    Endless(Vec<u8>),
    /// Closes without a word.
    Nothing,
    Silence,
}

#[derive(Clone)]
pub struct Whois(Arc<Inner>);

struct Inner {
    port: u16,
    says: Mutex<(BTreeMap<String, Says>, Says)>,
    asked: Mutex<Vec<String>>,
    connections: Mutex<usize>,
}

impl Whois {
    /// Says the same to everybody.
    pub async fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("TCP");
        let whois = Self(Arc::new(Inner {
            port: listener.local_addr().expect("address").port(),
            says: Mutex::new((BTreeMap::new(), says)),
            asked: Mutex::default(),
            connections: Mutex::default(),
        }));
        let server = whois.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                *server.0.connections.lock().unwrap() += 1;
                tokio::spawn(server.clone().serve(socket));
            }
        });
        whois
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn says(&self, says: Says) {
        self.0.says.lock().unwrap().1 = says;
    }

    /// What it says to this line only.
    pub fn says_to(&self, line: &str, says: Says) {
        self.0.says.lock().unwrap().0.insert(line.to_owned(), says);
    }

    /// The lines it was asked, without their ends.
    pub fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.0.connections.lock().unwrap()
    }

    async fn serve(self, socket: TcpStream) {
        let mut socket = BufReader::new(socket);
        let mut line = String::new();
        if socket.read_line(&mut line).await.is_err() {
            return;
        }
        let line = line
            .strip_suffix("\r\n")
            .map_or_else(|| format!("{line:?}"), str::to_owned);
        self.0.asked.lock().unwrap().push(line.clone());
        let says = {
            let says = self.0.says.lock().unwrap();
            says.0.get(&line).unwrap_or(&says.1).clone()
        };
        match says {
            Says::Nothing => {}
            Says::Silence => tokio::time::sleep(Duration::from_mins(1)).await,
            Says::Text(text) => {
                let _ = socket.write_all(&text).await;
            }
            Says::Late(pause, text) => {
                tokio::time::sleep(pause).await;
                let _ = socket.write_all(&text).await;
            }
            Says::Drip(text) => {
                for byte in text.iter().cycle() {
                    if socket.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            Says::Endless(text) => while socket.write_all(&text).await.is_ok() {},
        }
        let _ = socket.shutdown().await;
    }
}
