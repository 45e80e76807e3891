use super::*;

fn place(json: &str) -> Place {
    let record: Record<'_> = serde_json::from_str(json).unwrap();
    record.place()
}

fn told(json: &str) -> String {
    let p = place(json);
    let text = |t: &Option<String>| t.clone().unwrap_or_else(|| "-".to_owned());
    let number = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let (code, name) = (text(&p.country_code), text(&p.country_name));
    let (city, region, zone) = (text(&p.city), text(&p.region), text(&p.timezone));
    let (lat, lon) = (number(p.latitude), number(p.longitude));
    let system = p.as_number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    format!(
        "{code} {name} {city} {region} {lat} {lon} {zone} {system} {}",
        text(&p.as_name)
    )
}

#[test]
fn schemas() {
    for (json, expected) in [
        (
            r#"{"country":{"iso_code":"FR","names":{"de":"Frankreich","en":"France"},"geoname_id":1},"city":{"names":{"en":"Paris"}},
               "subdivisions":[{"iso_code":"IDF","names":{"en":"Ile-de-France"}},{"names":{"en":"Paris"}}],
               "location":{"latitude":48.85,"longitude":2.35,"time_zone":"Europe/Paris","accuracy_radius":5}}"#,
            "FR France Paris Ile-de-France 48.85 2.35 Europe/Paris - -",
        ),
        (
            r#"{"country_code":"fr","city":"Paris","state1":"IDF","state2":"","postcode":"75000","latitude":48.5,"longitude":2.5,"timezone":""}"#,
            "FR - Paris IDF 48.5 2.5 - - -",
        ),
        (
            r#"{"country":"US","region":"Oregon","asn":"AS15169","as_name":"Google","latitude":"45.6"}"#,
            "US - - Oregon 45.6 - - 15169 Google",
        ),
        (
            r#"{"country":"Australia","country_code":"AU"}"#,
            "AU Australia - - - - - - -",
        ),
        (
            r#"{"autonomous_system_number":64500,"autonomous_system_organization":"Example"}"#,
            "- - - - - - - 64500 Example",
        ),
        // What is not what it should be is not there.
        (
            r#"{"country":{"iso_code":"FRA","names":"France"},"city":7,"subdivisions":{},"location":[1,2],"latitude":91,"longitude":0.0}"#,
            "- - - - - - - - -",
        ),
        (
            r#"{"country":[{"iso_code":"FR"}],"country_code":{"a":[[]]},"city":true,"asn":"x","autonomous_system_number":1.5,"latitude":{}}"#,
            "- - - - - - - - -",
        ),
        (
            r#"{"autonomous_system_number":4294967296,"asn":-5,"city":null}"#,
            "- - - - - - - - -",
        ),
        ("{}", "- - - - - - - - -"),
    ] {
        // JSON has null, and these files do not.
        let json = json.replace("null", "0");
        assert_eq!(told(&json), expected, "{json}");
    }
}

#[test]
fn texts_can_be_stored() {
    let city = "x".repeat(300);
    let found = place(&format!(r#"{{"city":"{city}","state1":"  "}}"#));
    assert_eq!(found.city.map(|c| c.len()), Some(255));
    assert_eq!(found.region, None);
    assert_eq!(kept(Some("a\0b\n")), Some("ab".to_owned()));
    assert_eq!(kept(Some("\0")), None);
}
