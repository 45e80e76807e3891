//! A writer of MaxMind DB files (format 2.0), for tests: nothing of third parties is in the repository.
use serde_json::{Value, json};
use std::net::IpAddr;

/// A file in the making.
pub struct Mmdb {
    version: u16,
    kind: String,
    built: u64,
    nodes: Vec<[Record; 2]>,
    data: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(usize),
    Data(usize),
}

impl Mmdb {
    /// `version` is 4 or 6: a file of version 4 knows nothing of IPv6; one of version 6 has IPv4 below `::/96`.
    pub fn new(version: u16, kind: &str) -> Self {
        Self {
            version,
            kind: kind.to_owned(),
            built: 1_795_000_000,
            nodes: vec![[Record::Empty; 2]],
            data: Vec::new(),
        }
    }

    #[allow(dead_code)] // not by all who include this file
    pub fn built(mut self, epoch: u64) -> Self {
        self.built = epoch;
        self
    }

    /// What stands for a network. Of two that overlap the smaller one comes later.
    pub fn with(mut self, network: &str, record: &Value) -> Self {
        let offset = self.data.len();
        encode(record, &mut self.data);
        let (address, length) = network.split_once('/').expect("address/length");
        let (address, length): (IpAddr, usize) =
            (address.parse().expect("ip"), length.parse().expect("length"));
        let bits: Vec<bool> = match (address, self.version) {
            (IpAddr::V4(v4), 4) => bits(&v4.octets(), length),
            (IpAddr::V4(v4), _) => {
                let mut octets = [0; 16];
                octets[12..].copy_from_slice(&v4.octets());
                bits(&octets, 96 + length)
            }
            (IpAddr::V6(v6), 6) => bits(&v6.octets(), length),
            _ => panic!("{network} does not fit into version {}", self.version),
        };
        let (last, path) = bits.split_last().expect("no network of everything");
        let mut node = 0;
        for bit in path {
            let side = usize::from(*bit);
            node = match self.nodes[node][side] {
                Record::Node(next) => next,
                before => {
                    self.nodes.push([before; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][side] = Record::Node(next);
                    next
                }
            };
        }
        self.nodes[node][usize::from(*last)] = Record::Data(offset);
        self
    }

    /// The whole file.
    pub fn bytes(&self) -> Vec<u8> {
        let count = self.nodes.len();
        let mut out = Vec::new();
        for record in self.nodes.iter().flatten() {
            let value = match record {
                Record::Empty => count,
                Record::Node(node) => *node,
                Record::Data(offset) => count + 16 + offset,
            };
            out.extend(&u32::try_from(value).expect("small").to_be_bytes());
        }
        out.extend([0; 16]);
        out.extend(&self.data);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        let about = json!({"binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": self.built,
            "database_type": self.kind, "description": {"en": "for tests"}, "ip_version": self.version, "languages": ["en"],
            "node_count": count, "record_size": 32});
        encode(&about, &mut out);
        out
    }
}

fn bits(octets: &[u8], length: usize) -> Vec<bool> {
    let bit = |n: usize| octets[n / 8] >> (7 - n % 8) & 1 == 1;
    (0..length).map(bit).collect()
}

/// A value as the data section has it.
fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            control(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        Value::Number(n) if n.is_f64() => {
            control(3, 8, out);
            out.extend(n.as_f64().expect("double").to_be_bytes());
        }
        Value::Number(n) => {
            unsigned(6, n.as_u64().expect("unsigned"), out);
        }
        Value::Object(map) => {
            control(7, map.len(), out);
            for (key, value) in map {
                encode(&Value::String(key.clone()), out);
                // Readers want these of the metadata in their own sizes.
                match key.as_str() {
                    "build_epoch" => unsigned(9, value.as_u64().expect("epoch"), out),
                    "ip_version" | "record_size" => unsigned(5, value.as_u64().expect("size"), out),
                    _ if key.starts_with("binary_format") => {
                        unsigned(5, value.as_u64().expect("version"), out)
                    }
                    _ => encode(value, out),
                }
            }
        }
        Value::Array(items) => {
            control(11, items.len(), out);
            items.iter().for_each(|item| encode(item, out));
        }
        Value::Bool(b) => control(14, usize::from(*b), out),
        Value::Null => panic!("the format has no null"),
    }
}

fn unsigned(kind: u8, n: u64, out: &mut Vec<u8>) {
    let bytes = n.to_be_bytes();
    let used = &bytes[usize::try_from(n.leading_zeros() / 8).expect("small")..];
    control(kind, used.len(), out);
    out.extend(used);
}

/// Kind and size; kinds above 7 are in the next byte.
fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let (short, more): (u8, Vec<u8>) = match size {
        0..29 => (size as u8, vec![]),
        29..285 => (29, vec![(size - 29) as u8]),
        _ => (
            30,
            u16::try_from(size - 285).expect("short").to_be_bytes().to_vec(),
        ),
    };
    if kind > 7 {
        out.extend([short, kind - 7]);
    } else {
        out.push(kind << 5 | short);
    }
    out.extend(more);
}

/// As MaxMind's and DB-IP's city files have it.
pub fn nested(code: &str, country: &str, city: &str, at: (f64, f64)) -> Value {
    json!({"country": {"iso_code": code, "names": {"de": "x", "en": country}, "geoname_id": 1},
        "city": {"names": {"en": city}}, "subdivisions": [{"iso_code": "X", "names": {"en": format!("{city} region")}}],
        "location": {"latitude": at.0, "longitude": at.1, "time_zone": "Europe/Paris"}})
}

/// As ip-location-db's city files have it.
pub fn flat(code: &str, city: &str, at: (f64, f64)) -> Value {
    json!({"country_code": code, "city": city, "state1": format!("{city} state"), "state2": "", "postcode": "",
        "latitude": at.0, "longitude": at.1, "timezone": ""})
}

/// As every AS file has it.
pub fn system(number: u32, name: &str) -> Value {
    json!({"autonomous_system_number": number, "autonomous_system_organization": name})
}
