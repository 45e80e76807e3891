//! What Loki answers: streams of labels with their lines.

use serde::Deserialize;

use super::cell::Cell;
use super::{Labels, Line, Lines, LogsError, MOST_LINES};

#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    #[serde(default)]
    result: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    // Of a metric it is called otherwise.
    stream: Option<Cell>,
    #[serde(default)]
    values: Vec<Entry>,
}

/// Time and line; what follows (structured metadata, from Loki 3 on) is among the labels already.
struct Entry(Cell, Cell);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> serde::de::Visitor<'de> for Pair {
            type Value = Entry;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time and a line")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Entry, A::Error> {
                let time = items.next_element()?.unwrap_or(Cell::Other);
                let line = items.next_element()?.unwrap_or(Cell::Other);
                while items.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(Entry(time, line))
            }
        }
        d.deserialize_seq(Pair)
    }
}

/// Reads an answer with at most so many lines.
pub(super) fn read(body: &[u8], most: usize) -> Result<Lines, LogsError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| LogsError::Garbage("Loki"))?;
    if answer.status != "success" {
        return Err(LogsError::Garbage("Loki"));
    }
    if answer.data.kind != "streams" {
        return Err(LogsError::NotLines);
    }
    let mut found = Lines::default();
    for stream in answer.data.result {
        let labels: Labels = match stream.stream {
            Some(Cell::Labels(labels)) => labels.into(),
            _ => Labels::from([]),
        };
        for Entry(time, line) in stream.values {
            let ns = match time {
                Cell::Text(text) => text.parse().ok(),
                Cell::Whole(ns) => Some(ns),
                _ => None,
            };
            match (ns, line) {
                (Some(ns), Cell::Text(text)) => found.lines.push(Line {
                    ns,
                    text,
                    labels: labels.clone(),
                }),
                _ => found.broken += 1,
            }
        }
        if found.lines.len() > most.min(MOST_LINES) {
            return Err(LogsError::TooMany);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Result<Vec<(i64, String, usize)>, String> {
        let lines = read(body.as_bytes(), 3).map_err(|e| e.to_string())?;
        let row = |l: &Line| (l.ns, l.text.clone(), l.labels.len());
        Ok(lines.lines.iter().map(row).collect())
    }

    #[test]
    fn streams_are_read() {
        let body = r#"{"status":"success","data":{"resultType":"streams","result":[
            {"stream":{"app":"sso","level":"info"},"values":[["1700077283237000001","a"],["1700077283237000000","b"]]},
            {"stream":{},"values":[["5","c",{"structuredMetadata":{"x":"y"},"parsed":{"z":[1]}}]]}],
            "stats":{"summary":{"bytesProcessedPerSecond":1.5}}}}"#;
        let expected = [
            (1_700_077_283_237_000_001, "a".to_owned(), 2),
            (1_700_077_283_237_000_000, "b".to_owned(), 2),
            (5, "c".to_owned(), 0),
        ];
        assert_eq!(told(body).unwrap(), expected);
        let none = r#"{"status":"success","data":{"resultType":"streams","result":[],"stats":{}}}"#;
        assert!(told(none).unwrap().is_empty());
    }

    #[test]
    fn what_is_none_is_refused_or_counted() {
        let deep = format!(
            r#"{{"status":"success","data":{{"resultType":"streams","result":[{{"stream":{}}}]}}}}"#,
            "[".repeat(100_000)
        );
        let stream = |values: &str| {
            format!(
                r#"{{"status":"success","data":{{"resultType":"streams","result":[{{"stream":{{}},"values":{values}}}]}}}}"#
            )
        };
        for (body, word) in [
            ("", "as Loki"),
            ("null", "as Loki"),
            ("<html>", "as Loki"),
            (r#"{"status":"success"}"#, "as Loki"),
            (
                r#"{"status":"error","data":{"resultType":"streams","result":[]}}"#,
                "as Loki",
            ),
            (
                r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1700077283,"5"]]}]}}"#,
                "numbers",
            ),
            (
                r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
                "numbers",
            ),
            (&deep, "as Loki"),
            (
                &stream(r#"[["1","a"],["2","a"],["3","a"],["4","a"]]"#),
                "more lines",
            ),
        ] {
            let error = told(body).unwrap_err();
            assert!(error.contains(word), "{body:.80}: {error}");
        }
        let odd = stream(r#"[["x","a"],[null,"a"],["1",{}],[],["1.5","a"],["9","good"]]"#);
        let lines = read(odd.as_bytes(), 3).unwrap();
        assert_eq!((lines.lines.len(), lines.broken), (1, 5));
    }
}
