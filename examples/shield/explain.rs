//! `explain`: a report for a person who wants to know why.

use std::path::Path;

use shared_shield::{Finding, FindingKind, Language, Report, Severity};

use crate::screen::{Screen, clean};
use crate::verify::start;

/// As much of a line as is shown of a document, in characters.
const EXCERPT: usize = 60;
/// How far into a document its lines are shown.
const LOOK: usize = 8 * 1024 * 1024;

/// Whether a finding belongs to a group.
type Is = fn(&Finding) -> bool;

/// Prints every finding: the causes first, then what fails because of them, what is odd, and what is right.
pub(crate) fn print(file: &Path, report: &Report, screen: &Screen) {
    let groups: [(&str, &str, Is); 4] = [
        ("Why", "原因", |f| is_cause(f)),
        ("What fails", "不符之处", |f| f.kind.is_symptom()),
        ("To know", "注意", |f| f.severity() == Severity::Warning),
        ("What is right, and what else there is", "相符之处及其他", |f| {
            f.severity() == Severity::Info && !is_cause(f)
        }),
    ];
    // Line and octet are those of a text; in a binary message a line says nothing.
    let text = matches!(report.format, "ceb" | "payment179").then(|| start(file, LOOK).unwrap_or_default());
    for (english, chinese, is_in) in groups {
        let findings: Vec<&Finding> = report.findings.iter().filter(|f| is_in(f)).collect();
        if findings.is_empty() {
            continue;
        }
        screen.line(format!("  {}", screen.lang.pick(format!("{english}:"), format!("{chinese}："))));
        for finding in findings {
            one(finding, text.as_deref(), screen);
        }
    }
}

/// A cause, or that none is known.
fn is_cause(finding: &Finding) -> bool {
    let kind = finding.kind;
    (finding.severity() == Severity::Wrong && !kind.is_symptom()) || kind == FindingKind::NoKnownReason
}

fn one(finding: &Finding, text: Option<&[u8]>, screen: &Screen) {
    let language = screen.lang.language();
    let pick = |english: &'static str, chinese: &'static str| screen.lang.pick(english, chinese);
    let line = |text: &str| screen.line(format!("      {}", clean(text)));
    let detail = finding.detail.as_ref().map(|d| match language {
        Language::Chinese => format!("（{}）", d.of(language)),
        _ => format!(" ({})", d.of(language)),
    });
    let kind = finding.kind;
    screen.line(format!(
        "    {}",
        clean(&format!("{} {}{}", kind.code(), kind.text_in(language), detail.unwrap_or_default()))
    ));
    if let (Some(expected), Some(found)) = (&finding.expected, &finding.found) {
        line(&format!("{} {}", pick("expected:", "应为："), expected.of(language)));
        line(&format!("{} {}", pick("found:   ", "实为："), found.of(language)));
    }
    if let Some(place) = finding.place {
        let at = screen.lang.pick(
            format!("line {}, octet {}", place.line, place.offset),
            format!("第 {} 行，字节偏移 {}", place.line, place.offset),
        );
        let shown = text.map(|text| excerpt(text, place.offset)).filter(|shown| !shown.is_empty());
        let shown = shown.map(|shown| format!(": {shown}")).unwrap_or_default();
        line(&format!("{} {at}{shown}", pick("where:   ", "位置：")));
    }
    let advice = kind.advice_in(language);
    if !advice.is_empty() {
        line(&format!("{} {advice}", pick("do:      ", "处理：")));
    }
}

/// What stands at an octet, up to the end of its line.
fn excerpt(text: &[u8], offset: usize) -> String {
    let rest = text.get(offset..).unwrap_or_default();
    let line = rest.split(|o| *o == b'\n').find(|l| !l.is_empty()).unwrap_or_default();
    let shown: String = String::from_utf8_lossy(line).trim_end().chars().take(EXCERPT).collect();
    if line.len() > shown.len() { format!("{shown}…") } else { shown }
}
