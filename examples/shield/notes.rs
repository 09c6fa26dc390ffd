//! What is to be said of a batch's documents although they were signed: each remark once, with the documents that it is about.

use std::collections::BTreeMap;

use shared_shield::Note;
use shared_shield::batch::{Item, Outcome, Report};

use crate::screen::{Lang, clean};

/// How many documents a line names; the others are counted.
const NAMED: usize = 3;

/// The documents that a remark is about: the names of the first ones, and how many there are.
#[derive(Default)]
struct About {
    names: Vec<String>,
    count: usize,
}

/// A line for each remark. One that is about documents names them; the others are about the key, the certificate or the shield, so about all.
pub(crate) fn lines(items: &[Item], report: &Report, lang: Lang) -> Vec<String> {
    let mut found: BTreeMap<String, About> = BTreeMap::new();
    for (item, outcome) in items.iter().zip(&report.outcomes) {
        let Outcome::Signed { receipt, .. } = outcome else { continue };
        for note in &receipt.notes {
            let about = found.entry(lang.pick(note.text(), note.text_zh())).or_default();
            if !is_of_document(note) {
                continue;
            }
            about.count += 1;
            if about.names.len() < NAMED {
                about.names.push(clean(&item.input.display().to_string()));
            }
        }
    }
    found.into_iter().map(|(text, about)| line(&text, &about, lang)).collect()
}

fn line(text: &str, about: &About, lang: Lang) -> String {
    let more = about.count - about.names.len();
    let names = match (about.count, more) {
        (0, _) => String::new(),
        (_, 0) => lang.pick(format!(" ({})", about.names.join(", ")), format!("（{}）", about.names.join("、"))),
        _ => lang.pick(
            format!(" ({} and {more} more)", about.names.join(", ")),
            format!("（{} 等 {} 份）", about.names.join("、"), about.count),
        ),
    };
    lang.pick(format!("note: {text}{names}"), format!("注意：{text}{names}"))
}

/// Whether a remark is about what stands in a document: which one, a person has to know.
fn is_of_document(note: &Note) -> bool {
    matches!(
        note,
        Note::DeclarantOther
            | Note::DeclarantUnchecked
            | Note::DeclarantSpelling
            | Note::MessageUnknown
            | Note::Draft
            | Note::SignatureReplaced
    )
}
