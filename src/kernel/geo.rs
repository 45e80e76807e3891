//! Where an address is and whose it is.

use std::net::IpAddr;

use super::net::{parse_address, parse_block};

/// What is known of an address. Texts are short, hold no NUL, and are never empty; coordinates are finite, within their
/// range and not 0, which files write for what they do not know.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// ISO 3166 alpha-2 code.
    pub country_code: Option<String>,
    /// English name of the country.
    pub country_name: Option<String>,
    /// City.
    pub city: Option<String>,
    /// First-level subdivision.
    pub region: Option<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// IANA time zone.
    pub timezone: Option<String>,
    /// Internet provider.
    pub isp: Option<String>,
    /// Organisation.
    pub org: Option<String>,
    /// Number of the autonomous system.
    pub as_number: Option<u32>,
    /// Who runs it.
    pub as_name: Option<String>,
}

impl Place {
    /// Whether it says where the address is.
    #[must_use]
    pub fn is_somewhere(&self) -> bool {
        let texts = [
            &self.country_code,
            &self.country_name,
            &self.city,
            &self.region,
            &self.timezone,
        ];
        texts.iter().any(|text| text.is_some()) || self.latitude.is_some() || self.longitude.is_some()
    }

    /// Whether it says whose the address is.
    #[must_use]
    pub fn is_somebodys(&self) -> bool {
        self.as_number.is_some() || self.as_name.is_some() || self.isp.is_some() || self.org.is_some()
    }

    /// Adds what another file says of the same address. Two files may disagree on where it is: then the first counts
    /// alone. A name of a system is of use with its own number only.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        let agree = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        if agree(&self.country_code, &other.country_code) {
            // A pair of coordinates comes from one file.
            if self.latitude.is_none() && self.longitude.is_none() {
                (self.latitude, self.longitude) = (other.latitude, other.longitude);
            }
            // So does a city with its region.
            if self.city.is_none() && self.region.is_none() {
                (self.city, self.region) = (other.city, other.region);
            }
            self.country_code = self.country_code.or(other.country_code);
            self.country_name = self.country_name.or(other.country_name);
            self.timezone = self.timezone.or(other.timezone);
        }
        if self.as_number.is_none() && self.as_name.is_none() {
            (self.as_number, self.as_name) = (other.as_number, other.as_name);
        }
        self.isp = self.isp.or(other.isp);
        self.org = self.org.or(other.org);
        self
    }

    /// Number and name of the system beside what an engine said, which counts: a missing number comes with the file's
    /// name, a missing name only if the number is the same.
    #[must_use]
    pub fn owner(&self, number: Option<&str>, name: Option<&str>) -> (Option<String>, Option<String>) {
        let told = |text: Option<&str>| text.filter(|t| !t.is_empty() && *t != "0").map(str::to_owned);
        let (number, name) = (told(number), told(name));
        let ours = self.as_number.map(|n| n.to_string());
        match (number, name) {
            (None, None) => (ours, self.as_name.clone()),
            (None, Some(name)) => (ours, Some(name)),
            (Some(number), None) => {
                let same = number.trim_start_matches("AS") == ours.as_deref().unwrap_or_default();
                (Some(number), same.then(|| self.as_name.clone()).flatten())
            }
            both => both,
        }
    }
}

/// The address of a source that is looked up: `source.ip`, else `source.value`, of a network its first.
#[must_use]
pub fn address(ip: Option<&str>, value: Option<&str>) -> Option<IpAddr> {
    let first = || value.and_then(parse_block).map(|block| block.lo());
    ip.and_then(parse_address).or_else(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    #[test]
    fn which_address_is_looked_up() {
        for (ip, value, expected) in [
            ("192.0.2.7", "198.51.100.0/24", "192.0.2.7"),
            ("", "198.51.100.9/24", "198.51.100.0"),
            ("FR", "2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.7", "", "192.0.2.7"),
            ("198.51.100.0/24", "198.51.100.0/24", "198.51.100.0"),
            ("", "12345", ""),
            ("", "FR", ""),
        ] {
            let found = address(Some(ip), Some(value)).map(|a| a.to_string());
            assert_eq!(found, some(expected), "{ip} {value}");
        }
        assert_eq!(address(None, None), None);
    }

    #[test]
    fn the_engine_knows_its_system_better() {
        let file = Place {
            as_number: Some(3215),
            as_name: some("Orange"),
            ..Place::default()
        };
        for (number, name, expected) in [
            ("", "", ("3215", "Orange")),
            ("0", "", ("3215", "Orange")),
            ("", "Mine", ("3215", "Mine")),
            ("3215", "", ("3215", "Orange")),
            ("AS3215", "", ("AS3215", "Orange")),
            ("64500", "", ("64500", "")),
            ("64500", "Other", ("64500", "Other")),
        ] {
            let found = file.owner(Some(number), Some(name));
            assert_eq!(found, (some(expected.0), some(expected.1)), "{number} {name}");
        }
        assert_eq!(Place::default().owner(Some("64500"), None), (some("64500"), None));
    }

    #[test]
    fn files_add_to_one_another_where_they_agree() {
        let at = |code: &str, city: &str, latitude: f64| Place {
            country_code: some(code),
            city: some(city),
            latitude: Some(latitude),
            ..Place::default()
        };
        let number = Place {
            as_number: Some(1),
            ..Place::default()
        };
        let country = Place {
            country_code: some("FR"),
            country_name: some("France"),
            ..Place::default()
        };
        let both = at("FR", "Paris", 48.0).or(country.clone()).or(number.clone());
        assert_eq!(both.country_name, some("France"));
        assert_eq!((both.city, both.latitude), (some("Paris"), Some(48.0)));
        assert_eq!(both.as_number, Some(1));
        let other = country.clone().or(at("DE", "Berlin", 52.0));
        assert_eq!(other, country, "they disagree: the first counts");
        assert_eq!(number.or(at("DE", "Berlin", 52.0)).city, some("Berlin"));
    }
}
