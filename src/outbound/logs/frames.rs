//! What Grafana answers: frames of columns. Of its two layouts the older one has a frame a stream, whose labels stand at
//! the field of lines; the current one has all lines in one frame with a column of labels.

use std::collections::HashMap;

use serde::Deserialize;

use super::cell::{Cell, Column, Columns};
use super::{Labels, Line, Lines, LogsError, MOST_LINES};

const GARBAGE: LogsError = LogsError::Garbage("Grafana");
/// From here on a number is nanoseconds: as milliseconds it would be the year 5138.
const MILLIS_END: i64 = 100_000_000_000_000;

#[derive(Deserialize)]
struct Answer {
    results: HashMap<String, Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    status: Option<u16>,
    error: Option<String>,
    #[serde(default)]
    frames: Option<Vec<Frame>>,
}

#[derive(Deserialize)]
struct Frame {
    schema: Schema,
    #[serde(default)]
    data: Data,
}

#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    #[serde(default)]
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    labels: Option<Cell>,
}

#[derive(Deserialize, Default)]
struct Data {
    #[serde(default)]
    values: Columns,
    /// What milliseconds leave out of the times, column by column.
    #[serde(default)]
    nanos: Columns,
}

/// Reads an answer with at most so many lines.
pub(super) fn read(body: &[u8], most: usize) -> Result<Lines, LogsError> {
    let mut answer: Answer = serde_json::from_slice(body).map_err(|_| GARBAGE)?;
    let outcome = answer.results.remove("A").ok_or(GARBAGE)?;
    if let Some(status) = outcome.status.filter(|status| *status != 200) {
        return Err(match status {
            400 | 422 => LogsError::BadQuery(status),
            _ => LogsError::Status(status),
        });
    }
    if outcome.error.is_some() {
        return Err(LogsError::BadQuery(200));
    }
    let mut found = Lines::default();
    for frame in outcome.frames.unwrap_or_default() {
        frame_lines(frame, &mut found)?;
        if found.lines.len() > most.min(MOST_LINES) {
            return Err(LogsError::TooMany);
        }
    }
    Ok(found)
}

fn frame_lines(frame: Frame, found: &mut Lines) -> Result<(), LogsError> {
    let fields = &frame.schema.fields;
    if fields.is_empty() {
        // An empty answer has a frame without fields.
        return Ok(());
    }
    let named = |names: &[&str]| {
        fields
            .iter()
            .position(|field| names.iter().any(|name| field.name.eq_ignore_ascii_case(name)))
    };
    let of_kind = |kind: &str| fields.iter().position(|field| field.kind == kind);
    let exact = named(&["tsNs"]);
    let (Some(time), Some(line)) = (
        of_kind("time"),
        named(&["Line", "body"]).or_else(|| of_kind("string")),
    ) else {
        return Err(if of_kind("number").is_some() {
            LogsError::NotLines
        } else {
            GARBAGE
        });
    };
    let shared = match &fields[line].labels {
        Some(Cell::Labels(labels)) => labels.clone().into(),
        _ => Labels::from([]),
    };
    let of_line = named(&["labels"]).filter(|n| *n != line && *n != time);
    let mut columns = frame.data.values.0;
    let mut take = |n: Option<usize>| match n.and_then(|n| columns.get_mut(n)) {
        Some(Column(cells)) => std::mem::take(cells),
        None => Vec::new(),
    };
    let (lines, times) = (take(Some(line)), take(Some(time)));
    let (exact, mut labels) = (take(exact), take(of_line));
    let nanos = frame.data.nanos.0.into_iter().nth(time).unwrap_or_default().0;
    labels.resize(lines.len(), Cell::Other);
    for ((n, line), labels) in lines.into_iter().enumerate().zip(labels) {
        let ns = match exact.get(n) {
            Some(Cell::Text(text)) => text.parse().ok(),
            _ => instant(times.get(n), nanos.get(n)),
        };
        let labels = match labels {
            Cell::Labels(labels) => labels.into(),
            _ => shared.clone(),
        };
        match (ns, line) {
            (Some(ns), Cell::Text(text)) => found.lines.push(Line { ns, text, labels }),
            _ => found.broken += 1,
        }
    }
    Ok(())
}

/// A time in milliseconds, with what they leave out.
fn instant(time: Option<&Cell>, rest: Option<&Cell>) -> Option<i64> {
    let number = match time? {
        Cell::Whole(number) => *number,
        Cell::Text(text) => {
            return text
                .parse()
                .ok()
                .map(jiff::Timestamp::as_nanosecond)?
                .try_into()
                .ok();
        }
        _ => return None,
    };
    if number >= MILLIS_END {
        return Some(number);
    }
    let rest = match rest {
        Some(Cell::Whole(rest)) if (0..1_000_000).contains(rest) => *rest,
        _ => 0,
    };
    number.checked_mul(1_000_000)?.checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(frames: &str) -> String {
        format!(r#"{{"results":{{"A":{{"status":200,"frames":{frames}}}}}}}"#)
    }

    type Row = (i64, String, Vec<(String, String)>);

    fn told(body: &str) -> Result<Vec<Row>, String> {
        let lines = read(body.as_bytes(), 3).map_err(|e| e.to_string())?;
        let row = |l: &Line| (l.ns, l.text.clone(), l.labels.to_vec());
        Ok(lines.lines.iter().map(row).collect())
    }

    fn label(value: &str) -> Vec<(String, String)> {
        vec![("app".to_owned(), value.to_owned())]
    }

    #[test]
    fn every_layout_gives_the_same_lines() {
        let expected = [
            (1_700_077_283_237_000_001, "one".to_owned(), label("x")),
            (1_700_077_283_238_000_000, "two".to_owned(), label("y")),
        ];
        let current = r#"[{"schema":{"refId":"A","meta":{"typeVersion":[0,0],"custom":{"frameType":"LabeledTimeValues"}},"fields":[
            {"name":"labels","type":"other","typeInfo":{"frame":"json.RawMessage"}},
            {"name":"Time","type":"time","typeInfo":{"frame":"time.Time"}},
            {"name":"Line","type":"string","typeInfo":{"frame":"string"}},
            {"name":"tsNs","type":"string","typeInfo":{"frame":"string"}},
            {"name":"id","type":"string","typeInfo":{"frame":"string"}}]},
            "data":{"values":[[{"app":"x"},{"app":"y"}],[1700077283237,1700077283238],["one","two"],
              ["1700077283237000001","1700077283238000000"],["a_1","b_1"]]}}]"#;
        let data_plane = r#"[{"schema":{"meta":{"type":"log-lines","typeVersion":[0,0]},"fields":[
            {"name":"labels","type":"other"},{"name":"timestamp","type":"time"},{"name":"body","type":"string"},
            {"name":"severity","type":"string"},{"name":"id","type":"string"}]},
            "data":{"values":[[{"app":"x"},{"app":"y"}],[1700077283237,1700077283238],["one","two"],["",""],["a","b"]],
              "nanos":[null,[1,0],null,null,null]}}]"#;
        let older = r#"[
            {"schema":{"fields":[{"name":"ts","type":"time"},{"name":"line","type":"string","labels":{"app":"x"}},
              {"name":"id","type":"string"},{"name":"tsNs","type":"string"}]},
             "data":{"values":[[1700077283237],["one"],["a"],["1700077283237000001"]]}},
            {"schema":{"fields":[{"name":"Time","type":"time"},{"name":"Value","type":"string","labels":{"app":"y"}}]},
             "data":{"values":[[1700077283238000000],["two"]]}}]"#;
        for frames in [current, data_plane, older] {
            assert_eq!(told(&answer(frames)).unwrap(), expected, "{frames}");
        }
        for empty in [
            "[]",
            "null",
            r#"[{"schema":{"refId":"A","fields":[]},"data":{"values":[]}}]"#,
        ] {
            assert!(told(&answer(empty)).unwrap().is_empty(), "{empty}");
        }
    }

    #[test]
    fn what_is_none_is_refused_or_counted() {
        let frame = |values: &str| {
            answer(&format!(
                r#"[{{"schema":{{"fields":[{{"name":"Time","type":"time"}},{{"name":"Line","type":"string"}}]}},"data":{{"values":{values}}}}}]"#
            ))
        };
        let many = |n: usize| format!("[{}]", vec!["1"; n].join(","));
        let wide = format!("[{}]", vec!["[]"; 65].join(","));
        let numbers = r#"[{"schema":{"fields":[{"name":"Time","type":"time"},{"name":"Value","type":"number"}]},"data":{"values":[[1],[2]]}}]"#;
        for (body, word) in [
            ("", "as Grafana"),
            (r#"{"results":{}}"#, "as Grafana"),
            (r#"{"message":"not found"}"#, "as Grafana"),
            (
                r#"{"results":{"A":{"status":400,"error":"parse error at line 1"}}}"#,
                "refuses the query (400)",
            ),
            (r#"{"results":{"A":{"status":502,"error":"x"}}}"#, "status 502"),
            (r#"{"results":{"A":{"error":"x"}}}"#, "refuses the query"),
            (&answer(numbers), "numbers"),
            (&answer(r#"[{"schema":{"fields":[{"name":"x"}]}}]"#), "as Grafana"),
            (&frame(&format!("[{}]", many(MOST_LINES + 2))), "as Grafana"),
            (&frame(&wide), "as Grafana"),
            (&frame(r#"[[1,2,3,4],["a","a","a","a"]]"#), "more lines"),
        ] {
            let error = told(body).unwrap_err();
            assert!(error.contains(word), "{body:.80}: {error}");
        }
        for (values, good, broken) in [
            (r#"[[1,null,"x",1.5],["a","a","a","a"]]"#, 1, 3),
            (r#"[[1,2],["a",5]]"#, 1, 1),
            (r#"[[],["a","b"]]"#, 0, 2),
            ("[[1,2],[]]", 0, 0),
            ("[]", 0, 0),
            (r#"[[1],[[[[{"a":[]}]]]]]"#, 0, 1),
        ] {
            let lines = read(frame(values).as_bytes(), 3).unwrap();
            assert_eq!((lines.lines.len(), lines.broken), (good, broken), "{values}");
        }
    }
}
