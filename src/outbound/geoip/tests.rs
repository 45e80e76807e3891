//! Files of every kind, good and bad.

#[path = "../../../tests/support/mmdb.rs"]
#[allow(missing_docs, clippy::pedantic)]
mod mmdb;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use mmdb::{Mmdb, flat, nested, system};
use serde_json::json;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("garrison-geoip-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(self.0.join(".new"), bytes).unwrap();
        std::fs::rename(self.0.join(".new"), &path).unwrap();
        path
    }

    fn all(&self) -> Geoip {
        let geoip = Geoip::new(Where::Folder(self.0.clone()));
        geoip.look();
        geoip
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn told(geoip: &Geoip, address: &str) -> String {
    let Some(place) = geoip.files().place(address.parse().unwrap()) else {
        return "-".to_owned();
    };
    let texts = [place.country_code, place.city, place.region, place.as_name];
    let texts: Vec<_> = texts.into_iter().map(Option::unwrap_or_default).collect();
    format!("{} {:?}", texts.join(","), place.latitude)
}

#[test]
fn every_schema_and_version_together() {
    let folder = Folder::new();
    let cities = Mmdb::new(6, "GeoLite2-City")
        .with("203.0.112.0/20", &nested("FR", "France", "Paris", (48.9, 2.4)))
        .with(
            "2606:4700::/32",
            &nested("US", "United States", "Reno", (39.5, -119.8)),
        );
    let four = Mmdb::new(4, "city ipv4").with("45.0.0.0/8", &flat("BR", "Recife", (-8.0, -34.9)));
    let systems = Mmdb::new(6, "ASN")
        .with("203.0.112.0/24", &system(64500, "Example"))
        .with("45.1.0.0/16", &system(64501, "Other"));
    folder.put("a.mmdb", &cities.bytes());
    folder.put("b.mmdb", &four.bytes());
    folder.put("c.mmdb", &systems.bytes());
    folder.put("d.txt", b"not looked at");
    let geoip = folder.all();
    for (address, expected) in [
        ("203.0.112.9", "FR,Paris,Paris region,Example Some(48.9)"),
        ("::ffff:203.0.112.9", "FR,Paris,Paris region,Example Some(48.9)"),
        ("203.0.115.9", "FR,Paris,Paris region, Some(48.9)"),
        ("45.1.2.3", "BR,Recife,Recife state,Other Some(-8.0)"),
        ("45.2.2.3", "BR,Recife,Recife state, Some(-8.0)"),
        ("2606:4700::1", "US,Reno,Reno region, Some(39.5)"),
        ("2a00::1", "-"),
        ("8.8.8.8", "-"),
    ] {
        assert_eq!(told(&geoip, address), expected, "{address}");
    }
    assert_eq!(
        geoip.files().kinds(),
        Kinds {
            places: true,
            owners: true
        }
    );
}

#[test]
fn an_address_of_nobodys_is_not_looked_up() {
    let folder = Folder::new();
    let all = Mmdb::new(6, "City")
        .with("0.0.0.0/1", &flat("FR", "Paris", (48.9, 2.4)))
        .with("128.0.0.0/1", &flat("FR", "Paris", (48.9, 2.4)))
        .with("fc00::/6", &flat("FR", "Paris", (48.9, 2.4)));
    folder.put("a.mmdb", &all.bytes());
    let geoip = folder.all();
    assert_ne!(told(&geoip, "8.8.8.8"), "-");
    for address in [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ] {
        assert_eq!(told(&geoip, address), "-", "{address}");
    }
}

#[test]
fn a_bad_file_keeps_the_one_before() {
    let folder = Folder::new();
    let file = |city: &str| {
        Mmdb::new(4, "City")
            .with("45.0.0.0/8", &flat("BR", city, (-8.0, -34.9)))
            .bytes()
    };
    let geoip = folder.all();
    assert_eq!(told(&geoip, "45.0.0.1"), "-", "nothing there yet");
    let path = folder.put("city.mmdb", &file("Recife"));
    geoip.look();
    assert!(told(&geoip, "45.0.0.1").contains("Recife"));
    let used = geoip.files();
    geoip.look();
    assert!(Arc::ptr_eq(&used, &geoip.files()), "nothing new, nothing done");
    let good = file("Natal");
    let useless = Mmdb::new(4, "x")
        .with("45.0.0.0/8", &json!({"is_vpn": true}))
        .bytes();
    for bad in [
        &b""[..],
        b"x",
        &[0; 4096],
        &good[..good.len() - 9],
        &good[40..],
        &useless,
    ] {
        folder.put("city.mmdb", bad);
        geoip.look();
        assert!(told(&geoip, "45.0.0.1").contains("Recife"), "{} bytes", bad.len());
    }
    std::fs::File::create(&path).unwrap().set_len(2 << 30).unwrap();
    geoip.look();
    assert!(told(&geoip, "45.0.0.1").contains("Recife"), "too large");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    geoip.look();
    assert!(told(&geoip, "45.0.0.1").contains("Recife"), "a folder");
    std::fs::remove_dir(&path).unwrap();
    geoip.look();
    assert!(told(&geoip, "45.0.0.1").contains("Recife"), "gone for a moment");
    folder.put("city.mmdb", &good);
    geoip.look();
    assert!(told(&geoip, "45.0.0.1").contains("Natal"));
    std::fs::remove_file(&path).unwrap();
    geoip.look();
    geoip.look();
    assert_eq!(told(&geoip, "45.0.0.1"), "-", "gone for good");
}

#[test]
fn named_files_are_asked_in_their_order() {
    let folder = Folder::new();
    let file = |code: &str| {
        Mmdb::new(4, "City")
            .with("45.0.0.0/8", &flat(code, code, (1.0, 1.0)))
            .bytes()
    };
    let (a, b) = (
        folder.put("a.mmdb", &file("AA")),
        folder.put("b.mmdb", &file("BB")),
    );
    for (order, expected) in [([&a, &b], "AA"), ([&b, &a], "BB")] {
        let paths = order.into_iter().cloned();
        let paths = paths.chain([folder.0.join("none.mmdb")]).collect();
        let geoip = Geoip::new(Where::Files(paths));
        geoip.look();
        assert!(told(&geoip, "45.0.0.1").starts_with(expected));
    }
}

/// Whatever stands in a file: it is refused, or it answers; it never panics and never takes long.
#[test]
fn damaged_files_do_no_harm() {
    let good = Mmdb::new(6, "GeoLite2-City")
        .with("203.0.112.0/20", &nested("FR", "France", "Paris", (48.9, 2.4)))
        .with("2606:4700::/32", &flat("US", "Reno", (39.5, -119.8)))
        .with("45.0.0.0/8", &system(64500, "Example"))
        .bytes();
    let begun = std::time::Instant::now();
    let tries = |bytes: Vec<u8>| {
        if let Ok(file) = File::read(bytes) {
            for address in ["203.0.112.9", "45.0.0.1", "2606:4700::1", "::", "255.255.255.255"] {
                let place = file.place(address.parse().unwrap()).unwrap_or_default();
                assert!(!place.city.unwrap_or_default().contains('\0'));
                assert!(place.latitude.is_none_or(|l| l.abs() <= 90.0));
            }
        }
    };
    for end in (0..good.len()).step_by(7) {
        tries(good[..end].to_vec());
    }
    let mut seed = 42_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap()
    };
    for _ in 0..300 {
        let mut bad = good.clone();
        for _ in 0..=random() % 4 {
            let at = random() % bad.len();
            bad[at] = u8::try_from(random() % 256).unwrap();
        }
        tries(bad);
    }
    assert!(begun.elapsed().as_secs() < 60);
}

/// Every node has the next one on both sides: as many ways through it as there are addresses.
#[test]
fn a_tree_without_an_end_is_left() {
    let file = Mmdb::new(6, "City").with("2606:4700::/128", &flat("US", "Reno", (39.5, -119.8)));
    let mut bytes = file.bytes();
    for node in 0..128_usize {
        let next = if node == 127 { 128 } else { node + 1 };
        for side in 0..2 {
            let at = node * 8 + side * 4;
            bytes[at..at + 4].copy_from_slice(&u32::try_from(next).unwrap().to_be_bytes());
        }
    }
    let begun = std::time::Instant::now();
    assert!(File::read(bytes).is_err());
    assert!(begun.elapsed().as_secs() < 5);
}

#[test]
fn months_go_backwards_over_the_year() {
    let paths = Edition::Asn.paths(Provider::DbIp, "2027-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(
        paths,
        ["dbip-asn-lite-2027-01.mmdb.gz", "dbip-asn-lite-2026-12.mmdb.gz"]
    );
}
