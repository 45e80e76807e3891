//! What files know of a signal's source, put into it.

use std::net::IpAddr;

use super::parse::Signal;
use crate::kernel::geo::{self, Place};

/// The address of the source that is looked up.
#[must_use]
pub fn address(signal: &Signal) -> Option<IpAddr> {
    geo::address(signal.ip.as_deref(), Some(&signal.value))
}

/// Where a file and the engine both say where the source is, the file counts; what the file does not know is as the
/// engine said. The system's number and name are the engine's where it gave them.
pub fn enrich(signal: &mut Signal, place: Place) {
    let (number, name) = place.owner(signal.as_number.as_deref(), signal.as_name.as_deref());
    signal.as_number = number.or_else(|| signal.as_number.take());
    signal.as_name = name.or_else(|| signal.as_name.take());
    let geo = &mut signal.geo;
    geo.country_code = place.country_code.or_else(|| geo.country_code.take());
    geo.latitude = place.latitude.or(geo.latitude);
    geo.longitude = place.longitude.or(geo.longitude);
    geo.country_name = place.country_name;
    geo.city = place.city;
    geo.region = place.region;
    geo.timezone = place.timezone;
    geo.isp = place.isp;
    geo.org = place.org;
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn enriched(source: &str, place: Place) -> Signal {
        let text = format!(r#"{{"scenario":"a/b","source":{source}}}"#);
        let (mut signal, _) = parse(&text).unwrap();
        enrich(&mut signal, place);
        signal
    }

    #[test]
    fn the_file_counts_for_the_place_and_the_engine_for_the_system() {
        let said = r#"{"scope":"Ip","value":"192.0.2.7","cn":"de","latitude":1.5,"longitude":2.5,"as_number":"64500","as_name":"Said"}"#;
        let text = |t: &str| Some(t.to_owned());
        let known = Place {
            country_code: text("FR"),
            country_name: text("France"),
            latitude: Some(48.0),
            as_number: Some(3215),
            as_name: text("Orange"),
            isp: text("Isp"),
            ..Place::default()
        };
        let signal = enriched(said, known.clone());
        assert_eq!(signal.geo.country_code, text("FR"));
        assert_eq!(signal.cn, text("de"), "what was said stays");
        assert_eq!(
            (signal.geo.latitude, signal.geo.longitude),
            (Some(48.0), Some(2.5))
        );
        assert_eq!((signal.as_number, signal.as_name), (text("64500"), text("Said")));
        assert_eq!(
            (signal.geo.country_name, signal.geo.isp),
            (text("France"), text("Isp"))
        );
        let signal = enriched(
            r#"{"scope":"Ip","value":"192.0.2.7","as_number":"","as_name":""}"#,
            known,
        );
        assert_eq!((signal.as_number, signal.as_name), (text("3215"), text("Orange")));
        let signal = enriched(said, Place::default());
        assert_eq!(signal.geo.country_code, text("DE"), "as the engine said");
        assert_eq!(signal.as_number, text("64500"));
    }

    #[test]
    fn the_address_of_a_source() {
        for (source, expected) in [
            (r#"{"scope":"Ip","value":"192.0.2.7"}"#, Some("192.0.2.7")),
            (r#"{"scope":"Range","value":"192.0.2.9/24"}"#, Some("192.0.2.0")),
            (
                r#"{"scope":"Range","value":"192.0.2.0/24","ip":"192.0.2.9"}"#,
                Some("192.0.2.9"),
            ),
            (r#"{"scope":"Country","value":"FR","ip":"FR"}"#, None),
            (r#"{"scope":"AS","value":"3215"}"#, None),
        ] {
            let signal = enriched(source, Place::default());
            assert_eq!(address(&signal), expected.map(|a| a.parse().unwrap()), "{source}");
        }
    }
}
