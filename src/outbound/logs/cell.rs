//! One cell of an answer: what is needed of it, however deep or odd what stands there is.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::MOST_LINES;

/// Most labels of a line.
const MOST_LABELS: usize = 100;
/// Most fields of a frame.
const MOST_FIELDS: usize = 64;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Whole(i64),
    Labels(Vec<(String, String)>),
    /// Null, a list, a truth value, a fraction.
    Other,
}

struct Cells;

impl<'de> Visitor<'de> for Cells {
    type Value = Cell;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Cell, E> {
        Ok(Cell::Text(text))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Cell, E> {
        Ok(i64::try_from(number).map_or(Cell::Other, Cell::Whole))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Cell, E> {
        Ok(Cell::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Cell, E> {
        Ok(Cell::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Cell, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Cell, A::Error> {
        let mut labels = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            // A label is a text; what is deeper is read over.
            if labels.len() == MOST_LABELS {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            if let Flat(Some(text)) = entries.next_value::<Flat>()? {
                labels.push((name, text));
            }
        }
        Ok(Cell::Labels(labels))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Cells)
    }
}

/// A text, or whatever else without its content.
struct Flat(Option<String>);

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Flat;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Flat, E> {
                Ok(Flat(Some(text.to_owned())))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Flat, E> {
                Ok(Flat(Some(number.to_string())))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Flat, E> {
                Ok(Flat(Some(number.to_string())))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Flat, E> {
                Ok(Flat(None))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Flat, E> {
                Ok(Flat(Some(value.to_string())))
            }
            fn visit_unit<E: Error>(self) -> Result<Flat, E> {
                Ok(Flat(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Flat, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Flat(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Flat, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Flat(None))
            }
        }
        d.deserialize_any(Texts)
    }
}

/// Cells in a row, so many and no more; null is none.
#[derive(Debug, Default)]
pub(super) struct Column(pub Vec<Cell>);

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let cells = limited::<Cell, D>(d, MOST_LINES + 1)?;
        Ok(Self(cells))
    }
}

/// The columns of a frame.
#[derive(Debug, Default)]
pub(super) struct Columns(pub Vec<Column>);

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self(limited::<Column, D>(d, MOST_FIELDS)?))
    }
}

fn limited<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D, most: usize) -> Result<Vec<T>, D::Error> {
    struct Items<T>(usize, std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list or null")
        }
        fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = items.next_element()? {
                if all.len() == self.0 {
                    return Err(Error::custom("more than are taken"));
                }
                all.push(item);
            }
            Ok(all)
        }
    }
    d.deserialize_any(Items(most, std::marker::PhantomData))
}
