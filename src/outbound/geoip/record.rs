//! One record of a file, in whichever of the schemas that are about: `MaxMind`'s and DB-IP's nested one
//! (`country.iso_code`, `location.latitude`), ip-location-db's flat one (`country_code`, `state1`), and `IPinfo`'s
//! (`country`, `asn`). Whatever has another type than expected is not there.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::kernel::geo::Place;

/// Longest text that is kept, in characters.
const LONGEST: usize = 255;

/// A record as it stands in the file.
#[derive(Default)]
pub struct Record<'a> {
    country: Named<'a>,
    country_code: Leaf<'a>,
    country_name: Leaf<'a>,
    city: Named<'a>,
    subdivisions: First<'a>,
    state1: Leaf<'a>,
    region: Named<'a>,
    region_name: Leaf<'a>,
    location: Location<'a>,
    latitude: Leaf<'a>,
    longitude: Leaf<'a>,
    timezone: Leaf<'a>,
    time_zone: Leaf<'a>,
    autonomous_system_number: Leaf<'a>,
    autonomous_system_organization: Leaf<'a>,
    asn: Leaf<'a>,
    as_name: Leaf<'a>,
    isp: Leaf<'a>,
    organization: Leaf<'a>,
}

impl Record<'_> {
    /// What it says.
    #[must_use]
    pub fn place(&self) -> Place {
        // `country` is a map, a code or a name.
        let plain = self.country.text.as_text();
        let code = self
            .country
            .iso_code
            .as_text()
            .or(self.country_code.as_text())
            .or(plain);
        let name = self.country.names.as_text().or(self.country_name.as_text());
        let name = name.or(plain.filter(|text| text.len() > 2));
        let region = self.subdivisions.0.best();
        let region = region
            .or(self.state1.as_text())
            .or(self.region_name.as_text())
            .or(self.region.best());
        let zone = self.location.time_zone.as_text().or(self.timezone.as_text());
        let zone = zone.or(self.time_zone.as_text());
        let number = self.autonomous_system_number.as_number_of_a_system();
        let owner = self
            .autonomous_system_organization
            .as_text()
            .or(self.as_name.as_text());
        Place {
            country_code: code
                .filter(|c| c.len() == 2 && c.bytes().all(|b| b.is_ascii_alphabetic()))
                .map(str::to_ascii_uppercase),
            country_name: kept(name),
            city: kept(self.city.best()),
            region: kept(region),
            latitude: degrees(&self.location.latitude, &self.latitude, 90.0),
            longitude: degrees(&self.location.longitude, &self.longitude, 180.0),
            timezone: kept(zone),
            isp: kept(self.isp.as_text()),
            org: kept(self.organization.as_text()),
            as_number: number.or(self.asn.as_number_of_a_system()),
            as_name: kept(owner),
        }
    }
}

/// Without NUL, which Postgres does not store, and not longer than what is worth showing.
fn kept(text: Option<&str>) -> Option<String> {
    let text: String = text?
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    (!text.is_empty()).then_some(text)
}

fn degrees(nested: &Leaf<'_>, flat: &Leaf<'_>, limit: f64) -> Option<f64> {
    let degrees = nested.as_degrees().or(flat.as_degrees())?;
    (degrees != 0.0 && degrees.abs() <= limit).then_some(degrees)
}

/// A text or a number; nothing where something else stands.
#[derive(Clone, Copy, Default)]
struct Leaf<'a> {
    text: Option<&'a str>,
    number: Option<f64>,
}

impl<'a> Leaf<'a> {
    fn as_text(&self) -> Option<&'a str> {
        self.text.filter(|text| !text.is_empty())
    }

    fn as_degrees(&self) -> Option<f64> {
        self.number.or_else(|| self.text?.trim().parse().ok())
    }

    /// `3215`, `"3215"` or `"AS3215"`.
    fn as_number_of_a_system(&self) -> Option<u32> {
        let number = match (self.number, self.text) {
            // What is no whole number of 32 bits becomes another text, which does not parse.
            (Some(number), _) => number.to_string().parse().ok(),
            (None, Some(text)) => text
                .trim()
                .trim_start_matches("AS")
                .trim_start_matches("as")
                .parse()
                .ok(),
            (None, None) => None,
        };
        number.filter(|n| *n != 0)
    }
}

/// `{iso_code, names: {en}}`, or a plain text.
#[derive(Default)]
struct Named<'a> {
    text: Leaf<'a>,
    iso_code: Leaf<'a>,
    names: Leaf<'a>,
}

impl<'a> Named<'a> {
    fn best(&self) -> Option<&'a str> {
        self.names.as_text().or(self.text.as_text())
    }
}

/// The first of a list.
#[derive(Default)]
struct First<'a>(Named<'a>);

/// `{latitude, longitude, time_zone}`.
#[derive(Default)]
struct Location<'a> {
    latitude: Leaf<'a>,
    longitude: Leaf<'a>,
    time_zone: Leaf<'a>,
}

/// Names by language; the English one.
#[derive(Default)]
struct Names<'a>(Leaf<'a>);

/// What is read of a value, each kind of value in its own way. Nothing goes deeper than the types do.
trait Loose<'de>: Default {
    fn leaf(_: Leaf<'de>) -> Self {
        Self::default()
    }

    /// Reads the value of this key.
    fn entry<A: MapAccess<'de>>(&mut self, _key: &str, map: &mut A) -> Result<(), A::Error> {
        map.next_value::<IgnoredAny>().map(drop)
    }

    /// Reads the first item.
    fn first<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<(), A::Error> {
        list.next_element::<IgnoredAny>().map(drop)
    }
}

impl<'de> Loose<'de> for Leaf<'de> {
    fn leaf(leaf: Leaf<'de>) -> Self {
        leaf
    }
}

impl<'de> Loose<'de> for Names<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "en" {
            self.0 = map.next_value()?;
            return Ok(());
        }
        map.next_value::<IgnoredAny>().map(drop)
    }
}

impl<'de> Loose<'de> for Named<'de> {
    fn leaf(text: Leaf<'de>) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "iso_code" => self.iso_code = map.next_value()?,
            "names" => self.names = map.next_value::<Names<'de>>()?.0,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de> Loose<'de> for Location<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "latitude" => self.latitude = map.next_value()?,
            "longitude" => self.longitude = map.next_value()?,
            "time_zone" => self.time_zone = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'de> Loose<'de> for First<'de> {
    fn first<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<(), A::Error> {
        self.0 = list.next_element()?.unwrap_or_default();
        Ok(())
    }
}

impl<'de> Loose<'de> for Record<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "country" => self.country = map.next_value()?,
            "country_code" => self.country_code = map.next_value()?,
            "country_name" => self.country_name = map.next_value()?,
            "city" => self.city = map.next_value()?,
            "subdivisions" => self.subdivisions = map.next_value()?,
            "state1" => self.state1 = map.next_value()?,
            "region" => self.region = map.next_value()?,
            "region_name" => self.region_name = map.next_value()?,
            "location" => self.location = map.next_value()?,
            "latitude" => self.latitude = map.next_value()?,
            "longitude" => self.longitude = map.next_value()?,
            "timezone" => self.timezone = map.next_value()?,
            "time_zone" => self.time_zone = map.next_value()?,
            "autonomous_system_number" => self.autonomous_system_number = map.next_value()?,
            "autonomous_system_organization" => self.autonomous_system_organization = map.next_value()?,
            "asn" => self.asn = map.next_value()?,
            "as_name" => self.as_name = map.next_value()?,
            "isp" => self.isp = map.next_value()?,
            "organization" => self.organization = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

struct Kind<T>(PhantomData<T>);

impl<'de, T: Loose<'de>> Visitor<'de> for Kind<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::leaf(Leaf {
            text: Some(text),
            number: None,
        }))
    }

    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::leaf(Leaf {
            text: None,
            number: Some(number),
        }))
    }

    fn visit_f32<E: Error>(self, number: f32) -> Result<T, E> {
        self.visit_f64(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        // Larger ones are no number of a system and no degrees.
        u32::try_from(number).map_or_else(|_| Ok(T::default()), |n| self.visit_f64(n.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        i32::try_from(number).map_or_else(|_| Ok(T::default()), |n| self.visit_f64(n.into()))
    }

    fn visit_u128<E>(self, _: u128) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut value = T::default();
        while let Some(key) = map.next_key::<&'de str>()? {
            value.entry(key, &mut map)?;
        }
        Ok(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let mut value = T::default();
        value.first(&mut list)?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(value)
    }
}

macro_rules! loose {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name<'de> {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Kind(PhantomData))
            }
        }
    )*};
}
loose!(Leaf, Names, Named, Location, First, Record);

#[cfg(test)]
mod tests;
