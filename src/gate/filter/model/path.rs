//! Dot paths into a signal, split once when the rule is read.

use serde_json::Value;

use super::Geo;
use super::value::Field;

/// Longest path, in bytes.
const MAX_PATH: usize = 256;
/// Most segments of a path.
const MAX_SEGMENTS: usize = 32;

/// A field's path: `source.ip`, `decisions.0.origin`, `decisions.length`.
///
/// A numeric segment indexes an array; `length` counts the items of an array or the UTF-16 units of a string. A step
/// through null, a primitive or a wrong segment gives "missing". No segment is special in an object. The path `.` is the
/// root itself, which lets the inner condition of `any` and `all` look at elements that are strings.
#[derive(Clone, Debug)]
pub struct Path {
    text: Box<str>,
    segments: Box<[Segment]>,
    geo: Option<GeoField>,
}

#[derive(Clone, Debug)]
struct Segment {
    name: Box<str>,
    index: Option<usize>,
}

/// The enriched columns a rule may name beside the fields of the signal.
#[derive(Clone, Copy, Debug)]
enum GeoField {
    CountryCode,
    CountryName,
    City,
    Region,
    Latitude,
    Longitude,
    Timezone,
    Isp,
    Org,
}

impl Path {
    /// Splits a path; `None` if it is longer than 256 bytes or 32 segments.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let count = text.split('.').count();
        if text.len() > MAX_PATH || count > MAX_SEGMENTS {
            return None;
        }
        let segments = if text == "." {
            Box::default()
        } else {
            text.split('.').map(Segment::new).collect()
        };
        Some(Self {
            text: text.into(),
            segments,
            geo: GeoField::named(text),
        })
    }

    /// The path as the rule's author wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The field of the signal; a geo field from beside it when the signal has no such key.
    #[must_use]
    pub fn find<'a>(&self, root: &'a Value, geo: &'a Geo) -> Field<'a> {
        let mut current = root;
        for (i, segment) in self.segments.iter().enumerate() {
            let next = match current {
                Value::Object(members) => members.get(&*segment.name),
                Value::Array(items) => segment.index.and_then(|index| items.get(index)),
                _ => None,
            };
            match next {
                Some(next) => current = next,
                None if i + 1 == self.segments.len() => return self.last(current, segment, geo),
                None => return Field::Missing,
            }
        }
        Field::from(current)
    }

    /// What the last segment can still mean when it names no member.
    fn last<'a>(&self, current: &Value, segment: &Segment, geo: &'a Geo) -> Field<'a> {
        match current {
            Value::Array(items) if &*segment.name == "length" => length(items.len()),
            Value::String(text) if &*segment.name == "length" => length(text.encode_utf16().count()),
            _ => self.geo.map_or(Field::Missing, |field| field.of(geo)),
        }
    }
}

fn length<'a>(n: usize) -> Field<'a> {
    // No signal holds 2^32 items; should one, the rule sees the largest number.
    Field::Number(f64::from(u32::try_from(n).unwrap_or(u32::MAX)))
}

impl Segment {
    fn new(name: &str) -> Self {
        // "01" and "+1" are names, not indexes, in JavaScript too.
        let index = name
            .parse::<usize>()
            .ok()
            .filter(|index| index.to_string() == name);
        Self {
            name: name.into(),
            index,
        }
    }
}

impl GeoField {
    fn named(path: &str) -> Option<Self> {
        Some(match path {
            "geoCountryCode" => Self::CountryCode,
            "geoCountryName" => Self::CountryName,
            "geoCity" => Self::City,
            "geoRegion" => Self::Region,
            "geoLatitude" => Self::Latitude,
            "geoLongitude" => Self::Longitude,
            "geoTimezone" => Self::Timezone,
            "geoIsp" => Self::Isp,
            "geoOrg" => Self::Org,
            _ => return None,
        })
    }

    fn of(self, geo: &Geo) -> Field<'_> {
        let text = match self {
            Self::Latitude => return geo.latitude.map_or(Field::Missing, Field::Number),
            Self::Longitude => return geo.longitude.map_or(Field::Missing, Field::Number),
            Self::CountryCode => &geo.country_code,
            Self::CountryName => &geo.country_name,
            Self::City => &geo.city,
            Self::Region => &geo.region,
            Self::Timezone => &geo.timezone,
            Self::Isp => &geo.isp,
            Self::Org => &geo.org,
        };
        text.as_deref().map_or(Field::Missing, Field::Text)
    }
}
