//! Cells of CSV (RFC 4180) that no spreadsheet mistakes for formulas.

/// What begins a formula, full-width forms included.
const RISKY: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Adds a text. One that a spreadsheet would run begins with an apostrophe instead (OWASP, CSV injection); so does what
/// would follow a semicolon or a tab, where these part the cells.
pub fn cell(line: &mut String, text: &str) {
    let quoted = text.contains([',', ';', '\t', '"', '\r', '\n']) || text.starts_with(RISKY);
    if quoted {
        line.push('"');
    }
    let mut begins = true;
    for c in text.chars() {
        if begins && RISKY.contains(&c) {
            line.push('\'');
        }
        if c == '"' {
            line.push('"');
        }
        line.push(c);
        begins = matches!(c, ';' | '\t' | '\r' | '\n');
    }
    if quoted {
        line.push('"');
    }
}
