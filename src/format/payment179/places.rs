//! Where things stand in a document of announcement 179, in the octets that the caller gave.

use super::read::Fault;
use super::write;
use crate::verify::Place;

/// A document as it was given, and its text.
pub(super) struct Places<'d> {
    given: &'d [u8],
    text: &'d str,
    /// The text is what stands percent-encoded in the body of a POST.
    form: bool,
}

impl<'d> Places<'d> {
    pub(super) fn new(given: &'d [u8], text: &'d str) -> Self {
        Places { given, text, form: given.starts_with(write::FORM_FIELD.as_bytes()) }
    }

    /// The place of an octet of the text.
    pub(super) fn of_octet(&self, offset: usize) -> Place {
        Place::of(self.given, if self.form { self.encoded(offset) } else { offset })
    }

    /// Where octet `offset` of the text stands in the percent-encoded body.
    fn encoded(&self, offset: usize) -> usize {
        let mut at = write::FORM_FIELD.len();
        for _ in 0..offset {
            at = at.saturating_add(if self.given.get(at) == Some(&b'%') { 3 } else { 1 });
        }
        at
    }

    /// Where a field's name stands for the first time: as JSON has it, or with the escaped quotes of JSON in a string. What a value says
    /// is no name: a quote in it has one backslash more, and no colon follows where a value is a name as a whole.
    pub(super) fn of_field(&self, name: &str) -> Option<Place> {
        let named = |quote: &str| {
            let wanted = format!("\"{name}{quote}");
            let is_name = |at: usize| {
                let before = self.text.get(..at).unwrap_or_default();
                let after = self.text.get(at.saturating_add(wanted.len())..).unwrap_or_default();
                let escapes = before.len().saturating_sub(before.trim_end_matches('\\').len());
                escapes == quote.len().saturating_sub(1) && after.trim_start().starts_with(':')
            };
            self.text.match_indices(&wanted).map(|(at, _)| at).find(|at| is_name(*at))
        };
        named("\"").or_else(|| named("\\\"")).map(|at| self.of_octet(at))
    }

    /// Where a fault is: at its octet, at the field that its path names last, or where the reader stopped.
    pub(super) fn of_fault(&self, fault: &Fault) -> Option<Place> {
        if let Some(octet) = fault.octet {
            return Some(self.of_octet(octet));
        }
        let path = fault.detail.split(':').next().unwrap_or_default();
        let name = path.rsplit('.').next().unwrap_or_default().split('[').next().unwrap_or_default();
        let field = (!name.is_empty()).then(|| self.of_field(name)).flatten();
        let line = || {
            let (line, column) = fault.at?;
            let start = match line.checked_sub(2) {
                None => 0,
                Some(before) => self.text.match_indices('\n').nth(before)?.0.saturating_add(1),
            };
            Some(self.of_octet(start.saturating_add(column.saturating_sub(1))))
        };
        field.or_else(line)
    }

    /// Where the field stands here in whose name or value octet `offset` of a signing string lies.
    pub(super) fn of_field_around(&self, string: &str, offset: usize) -> Option<Place> {
        let mut end = offset.min(string.len());
        while !string.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let (before, behind) = string.split_at_checked(end)?;
        // In a name: the next quote is followed by a colon.
        if let Some((rest, _)) = behind.split_once('"').filter(|(_, after)| after.starts_with(':')) {
            return self.of_field(&format!("{}{rest}", before.rsplit('"').next()?));
        }
        let (named, _) = before.rsplit_once("\":").or_else(|| before.rsplit_once("\\\":"))?;
        let name = named.trim_end_matches('\\').rsplit('"').next()?;
        self.of_field(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_octets_that_were_given() {
        let json = "{\n \"guid\": \"A\",\n \"totalAmount\": \"中\"}";
        let places = Places::new(json.as_bytes(), json);
        assert_eq!(places.of_field("totalAmount"), Some(Place { offset: 17, line: 3 }));
        assert_eq!(places.of_field("note"), None);
        // The first three are values, the last is in a string of JSON.
        let traps = [
            r#"{"note":"guid","about":"the \"guid\": B","guid" : "A"}"#,
            r#"{"info":"[{\"note\":\"guid\",\"about\":\"\\\"guid\\\":\",\"guid\":\"A\"}]"}"#,
        ];
        for (text, name) in traps.iter().zip([r#""guid" : "A""#, r#""guid\":\"A"#]) {
            let place = Places::new(text.as_bytes(), text).of_field("guid").unwrap();
            assert!(text[place.offset..].starts_with(name), "{}", &text[place.offset..]);
        }
        let body = write::form(json);
        let places = Places::new(body.as_bytes(), json);
        let Place { offset, line } = places.of_field("totalAmount").unwrap();
        assert!(body[offset..].starts_with("%22totalAmount%22") && line == 1, "{offset}");
    }
}
