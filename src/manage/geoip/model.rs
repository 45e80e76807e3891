use uuid::Uuid;

use crate::kernel::geo::Place;

/// An alert as far as it says where its source is. `known` is what its columns hold, without the system.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    pub key: Uuid,
    pub ip: Option<String>,
    pub value: Option<String>,
    /// The country that the engine said.
    pub cn: Option<String>,
    pub as_number: Option<String>,
    pub as_name: Option<String>,
    pub known: Place,
}

impl Row {
    /// Whether a file told where it is: engines say only country and coordinates.
    fn was_looked_up(&self) -> bool {
        let known = &self.known;
        let texts = [&known.country_name, &known.city, &known.region, &known.timezone];
        texts.iter().any(|text| text.is_some())
    }

    /// What the row becomes by what a file says now; none where nothing changes. What is known stays unless everything
    /// is to be made anew; the system's number and name stay in any case, because the engine may have said them.
    #[must_use]
    pub fn anew(&self, place: &Place, everything: bool) -> Option<Self> {
        let mut new = self.clone();
        let (number, name) = place.owner(self.as_number.as_deref(), self.as_name.as_deref());
        new.as_number = number.or(new.as_number);
        new.as_name = name.or(new.as_name);
        if place.is_somewhere() && (everything || !self.was_looked_up()) {
            let said = self.cn.as_deref().filter(|c| c.len() == 2);
            let said = said.filter(|c| c.bytes().all(|b| b.is_ascii_alphabetic()));
            let code = place
                .country_code
                .clone()
                .or_else(|| said.map(str::to_ascii_uppercase));
            // Coordinates that the file lacks are the engine's, unless they are an earlier file's of another country.
            let there = !self.was_looked_up() || code == self.known.country_code;
            let (latitude, longitude) = if there {
                (self.known.latitude, self.known.longitude)
            } else {
                (None, None)
            };
            new.known = Place {
                country_code: code,
                latitude: place.latitude.or(latitude),
                longitude: place.longitude.or(longitude),
                isp: self.known.isp.clone(),
                org: self.known.org.clone(),
                as_number: None,
                as_name: None,
                ..place.clone()
            };
        }
        for (column, told) in [(&mut new.known.isp, &place.isp), (&mut new.known.org, &place.org)] {
            if told.is_some() && (everything || column.is_none()) {
                column.clone_from(told);
            }
        }
        (new != *self).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(t: &str) -> Option<String> {
        (!t.is_empty()).then(|| t.to_owned())
    }

    fn paris() -> Place {
        Place {
            country_code: text("FR"),
            country_name: text("France"),
            city: text("Paris"),
            latitude: Some(48.9),
            longitude: Some(2.4),
            isp: text("Isp"),
            as_number: Some(3215),
            as_name: text("Orange"),
            ..Place::default()
        }
    }

    fn stored(place: Place) -> Row {
        Row {
            known: Place {
                as_number: None,
                as_name: None,
                ..place
            },
            as_number: text("3215"),
            as_name: text("Orange"),
            ..Row::default()
        }
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        let bare = Row::default();
        assert_eq!(bare.anew(&Place::default(), true), None);
        assert_eq!(bare.anew(&paris(), false), Some(stored(paris())));
        assert_eq!(stored(paris()).anew(&paris(), true), None, "nothing new");
        let said = Row {
            cn: text("de"),
            as_number: text("64500"),
            known: Place {
                country_code: text("DE"),
                latitude: Some(1.5),
                ..Place::default()
            },
            ..Row::default()
        };
        let new = said.anew(&paris(), false).unwrap();
        assert_eq!((new.as_number, new.as_name), (text("64500"), None));
        assert_eq!(
            new.known.country_code,
            text("FR"),
            "the file counts, as at the insert"
        );
        let nowhere = Place {
            city: text("Ulm"),
            ..Place::default()
        };
        let new = said.anew(&nowhere, false).unwrap().known;
        assert_eq!((new.country_code, new.latitude), (text("DE"), Some(1.5)));
    }

    #[test]
    fn what_is_known_is_made_anew_only_on_request() {
        let moved = Place {
            country_code: text("BE"),
            country_name: text("Belgium"),
            as_number: Some(1),
            as_name: text("Other"),
            ..Place::default()
        };
        let row = stored(paris());
        assert_eq!(row.anew(&moved, false), None);
        let new = row.anew(&moved, true).unwrap();
        assert_eq!(new.known.country_code, text("BE"));
        assert_eq!(
            (new.known.city, new.known.latitude),
            (None, None),
            "not half of each"
        );
        assert_eq!(new.known.isp, text("Isp"));
        assert_eq!(new.as_number, text("3215"), "may be the engine's");
    }
}
