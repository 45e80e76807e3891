//! A name server that says what it is told to, over UDP and TCP, in DNS's own bytes.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What it says of an address.
#[derive(Clone, Debug)]
pub enum Says {
    /// These names.
    Names(Vec<String>),
    /// The same, when asked by TCP; by UDP that there is more than fits.
    Truncated(Vec<String>),
    /// First answers to other questions and with other numbers, then the truth.
    LiesFirst(Vec<String>),
    /// Only with another number.
    OtherId,
    /// Only to another question.
    OtherQuestion,
    /// This response code, and nothing else.
    Code(u8),
    /// Bytes that are no message.
    Garbage,
    Silence,
}

#[derive(Clone)]
pub struct Dns(Arc<Inner>);

struct Inner {
    port: u16,
    says: Mutex<BTreeMap<String, Says>>,
    asked: Mutex<Vec<String>>,
}

impl Dns {
    pub async fn start() -> Self {
        // One port for both; another program may have the second half of it.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.expect("UDP");
            let port = udp.local_addr().expect("address").port();
            if let Ok(tcp) = TcpListener::bind(("127.0.0.1", port)).await {
                break (udp, tcp);
            }
        };
        let dns = Self(Arc::new(Inner {
            port: udp.local_addr().expect("address").port(),
            says: Mutex::default(),
            asked: Mutex::default(),
        }));
        tokio::spawn(dns.clone().serve_udp(udp));
        tokio::spawn(dns.clone().serve_tcp(tcp));
        dns
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0.port)
    }

    pub fn says(&self, ip: &str, what: Says) {
        self.0.says.lock().unwrap().insert(reverse_name(ip), what);
    }

    /// `udp` or `tcp` and the name, in the order of questions.
    pub fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }

    /// How often it was asked about an address.
    pub fn count(&self, ip: &str) -> usize {
        let name = reverse_name(ip);
        self.asked().iter().filter(|line| line.ends_with(&name)).count()
    }

    fn about(&self, way: &str, message: &[u8]) -> Says {
        let name = question_name(message);
        self.0.asked.lock().unwrap().push(format!("{way} {name}"));
        let says = self.0.says.lock().unwrap().get(&name).cloned();
        says.unwrap_or(Says::Code(3))
    }

    async fn serve_udp(self, socket: UdpSocket) {
        let mut buffer = [0; 2048];
        while let Ok((n, peer)) = socket.recv_from(&mut buffer).await {
            let message = &buffer[..n];
            let answers = match self.about("udp", message) {
                Says::Names(names) => vec![answer(message, 0, false, &names)],
                Says::Truncated(_) => vec![answer(message, 0, true, &[])],
                Says::LiesFirst(names) => vec![
                    other_id(answer(message, 0, false, &["liar.example".to_owned()])),
                    answer(&other_question(message), 0, false, &["liar.example".to_owned()]),
                    answer(message, 0, false, &names),
                ],
                Says::OtherId => vec![other_id(answer(message, 0, false, &["liar.example".to_owned()]))],
                Says::OtherQuestion => {
                    vec![answer(
                        &other_question(message),
                        0,
                        false,
                        &["liar.example".to_owned()],
                    )]
                }
                Says::Code(code) => vec![answer(message, code, false, &[])],
                Says::Garbage => vec![b"\xff\xff<html>".to_vec(), message[..2].to_vec()],
                Says::Silence => vec![],
            };
            for bytes in answers {
                let _ = socket.send_to(&bytes, peer).await;
            }
        }
    }

    async fn serve_tcp(self, listener: TcpListener) {
        while let Ok((mut socket, _)) = listener.accept().await {
            let dns = self.clone();
            tokio::spawn(async move {
                while let Ok(length) = socket.read_u16().await {
                    let mut message = vec![0; length.into()];
                    if socket.read_exact(&mut message).await.is_err() {
                        return;
                    }
                    let bytes = match dns.about("tcp", &message) {
                        Says::Names(names) | Says::Truncated(names) | Says::LiesFirst(names) => {
                            answer(&message, 0, false, &names)
                        }
                        Says::OtherId => other_id(answer(&message, 0, false, &["liar.example".to_owned()])),
                        Says::OtherQuestion => {
                            answer(&other_question(&message), 0, false, &["liar.example".to_owned()])
                        }
                        Says::Code(code) => answer(&message, code, false, &[]),
                        Says::Garbage => b"\xff\xff<html>".to_vec(),
                        Says::Silence => {
                            tokio::time::sleep(Duration::from_mins(1)).await;
                            return;
                        }
                    };
                    let length = u16::try_from(bytes.len()).expect("short enough for TCP");
                    let _ = socket.write_u16(length).await;
                    let _ = socket.write_all(&bytes).await;
                }
            });
        }
    }
}

/// `7.114.0.203.in-addr.arpa`.
pub fn reverse_name(ip: &str) -> String {
    match ip.parse().expect("an address") {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let digits = format!("{:032x}", ip.to_bits());
            let reversed: Vec<String> = digits.chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa", reversed.join("."))
        }
    }
}

/// Where the question ends: behind its name, type and class.
fn question_end(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += usize::from(message[at]) + 1;
    }
    at + 5
}

fn question_name(message: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut at = 12;
    while message[at] != 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).to_lowercase());
        at = end;
    }
    labels.join(".")
}

fn answer(question: &[u8], code: u8, truncated: bool, names: &[String]) -> Vec<u8> {
    let mut bytes = question[..2].to_vec();
    bytes.extend([0x81 | if truncated { 2 } else { 0 }, 0x80 | code, 0, 1]);
    bytes.extend(u16::try_from(names.len()).expect("few").to_be_bytes());
    bytes.extend([0, 0, 0, 0]);
    bytes.extend(&question[12..question_end(question)]);
    for name in names {
        let mut data = Vec::new();
        for label in name.split('.') {
            data.push(u8::try_from(label.len()).expect("a short label"));
            data.extend(label.bytes());
        }
        data.push(0);
        // The name in question, PTR, IN, five minutes.
        bytes.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 1, 44]);
        bytes.extend(u16::try_from(data.len()).expect("a short name").to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

fn other_id(mut message: Vec<u8>) -> Vec<u8> {
    message[0] ^= 0x55;
    message
}

/// The same question about another name of the same length.
fn other_question(message: &[u8]) -> Vec<u8> {
    let mut other = message.to_vec();
    other[13] = if other[13] == b'9' { b'8' } else { b'9' };
    other
}
