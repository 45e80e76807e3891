//! The key of an alert: deterministic, so that a batch that comes again finds its rows, and led by time, so that one
//! index is dedupe, partition and page order at once.

use std::collections::HashMap;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use uuid::Uuid;

use super::parse::Signal;

/// A start further ahead than this is a wrong clock; its alert is filed below all times, so that no partition is
/// missing, and keeps the time it claims in its own column.
const AHEAD: i64 = 24 * 3600 * 1000;

/// Counts equal signals within one batch that carry no uuid: they are different alerts, and the same ones when the
/// batch comes again.
#[derive(Debug, Default)]
pub struct Occurrences(HashMap<[u8; 10], u32>);

/// 48 bits of milliseconds of the start, then 74 bits of a keyed hash of the uuid (within the tenant) or of the
/// content (within the machine), in the form of a version 8 UUID (RFC 9562, 5.8).
pub fn alert_key(
    tenant_key: &hmac::Key,
    machine: i64,
    signal: &Signal,
    now: Timestamp,
    seen: &mut Occurrences,
) -> Uuid {
    let start = signal.start_at.map_or(0, Timestamp::as_millisecond);
    let time = if (0..=now.as_millisecond() + AHEAD).contains(&start) {
        start
    } else {
        0
    };
    let hash = match signal.uuid.as_deref().filter(|u| is_identity(u)) {
        Some(uuid) => hash(tenant_key, &[b"uuid", uuid.to_ascii_lowercase().as_bytes()]),
        None => {
            let content = content(tenant_key, machine, signal);
            let n = seen.0.entry(content).or_default();
            *n += 1;
            hash(tenant_key, &[b"content", &content, &(*n - 1).to_be_bytes()])
        }
    };
    let mut bytes = [0u8; 16];
    bytes[..6].copy_from_slice(&time.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&hash);
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    Uuid::from_bytes(bytes)
}

/// Whether a text identifies an alert: some senders put zeros there.
fn is_identity(uuid: &str) -> bool {
    uuid.bytes().any(|b| b != b'0' && b != b'-')
        && uuid.bytes().any(|b| !b.eq_ignore_ascii_case(&b'f') && b != b'-')
}

fn content(tenant_key: &hmac::Key, machine: i64, signal: &Signal) -> [u8; 10] {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let texts = [
        text(&signal.agent),
        signal.scenario.clone(),
        text(&signal.scenario_hash),
        text(&signal.scenario_version),
        signal.scope.clone(),
        signal.value.clone(),
        text(&signal.start_text),
        text(&signal.stop_text),
        text(&signal.created_text),
        text(&signal.message),
    ];
    let machine = machine.to_be_bytes();
    let mut parts: Vec<&[u8]> = vec![&machine];
    parts.extend(texts.iter().map(String::as_bytes));
    hash(tenant_key, &parts)
}

fn hash(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 10] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 10];
    out.copy_from_slice(&context.sign().as_ref()[..10]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: u8, machine: i64, signal: &Signal, seen: &mut Occurrences) -> Uuid {
        let tenant = hmac::Key::new(hmac::HMAC_SHA256, &[tenant; 32]);
        alert_key(
            &tenant,
            machine,
            signal,
            "2026-11-21T20:00:00Z".parse().unwrap(),
            seen,
        )
    }

    fn signal(uuid: Option<&str>, start: &str) -> Signal {
        Signal {
            uuid: uuid.map(str::to_owned),
            scenario: "a/b".to_owned(),
            start_text: Some(start.to_owned()),
            start_at: start.parse().ok(),
            ..Signal::default()
        }
    }

    #[test]
    fn what_is_the_same_alert() {
        let a = signal(
            Some("D6701502-57ee-4142-9a64-6546343e4ab4"),
            "2026-11-21T19:30:10Z",
        );
        let mut again = signal(
            Some("d6701502-57EE-4142-9a64-6546343e4ab4"),
            "2026-11-21T19:30:10Z",
        );
        again.message = Some("altered".to_owned());
        assert_eq!(
            key(1, 1, &a, &mut Occurrences::default()),
            key(1, 2, &again, &mut Occurrences::default()),
            "a uuid is one alert of a tenant"
        );
        assert_ne!(
            key(1, 1, &a, &mut Occurrences::default()),
            key(2, 1, &a, &mut Occurrences::default()),
            "and another one of another tenant"
        );
        let plain = signal(None, "2026-11-21T19:30:10Z");
        assert_eq!(
            key(1, 1, &plain, &mut Occurrences::default()),
            key(1, 1, &plain, &mut Occurrences::default())
        );
        assert_ne!(
            key(1, 1, &plain, &mut Occurrences::default()),
            key(1, 2, &plain, &mut Occurrences::default()),
            "content counts within a machine"
        );
        let nil = signal(
            Some("00000000-0000-0000-0000-000000000000"),
            "2026-11-21T19:30:10Z",
        );
        assert_eq!(
            key(1, 1, &nil, &mut Occurrences::default()),
            key(1, 1, &plain, &mut Occurrences::default()),
            "a nil uuid is none"
        );
        let mut batch = Occurrences::default();
        let twice = (key(1, 1, &plain, &mut batch), key(1, 1, &plain, &mut batch));
        let mut resent = Occurrences::default();
        assert_ne!(twice.0, twice.1, "two equal ones in a batch are two");
        assert_eq!(
            twice,
            (key(1, 1, &plain, &mut resent), key(1, 1, &plain, &mut resent)),
            "and the same two again"
        );
    }

    #[test]
    fn time_leads_unless_the_clock_is_wrong() {
        let lead = |start: &str| {
            let k = key(1, 1, &signal(None, start), &mut Occurrences::default());
            assert_eq!(k.get_version_num(), 8);
            i64::from_str_radix(&k.simple().to_string()[..12], 16).unwrap()
        };
        assert_eq!(lead("2026-11-21T19:30:10.123Z"), 1_795_289_410_123);
        assert_eq!(lead("1970-01-01T00:00:01Z"), 1000);
        assert_eq!(
            lead("2026-11-22T19:59:59Z"),
            1_795_377_599_000,
            "a day ahead is still believed"
        );
        for wrong in [
            "2026-11-22T20:00:01Z",
            "9999-12-31T00:00:00Z",
            "1969-12-31T00:00:00Z",
            "never",
        ] {
            assert_eq!(lead(wrong), 0, "{wrong}");
        }
    }
}
