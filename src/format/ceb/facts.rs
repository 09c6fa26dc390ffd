//! What a customs message says that its certificate can contradict: when it was made, and which company declares (manual::customs §1.8, §6.2).

use std::time::{Duration, SystemTime};

use uppsala::{Document, NodeId, NodeKind};

use super::NAMESPACE;
use crate::cert::{Certificate, EportText, plain};
use crate::format::xmldsig::Checked;
use crate::verify::{Finding, FindingKind, Report, VerifyContext};

/// As much of a company's name as a finding shows, in characters.
const SHOWN: usize = 64;
/// Messages whose declaring unit (申报单位) is the company of the certificate, as customs compares it.
const DECLARED_BY_AGENT: [&str; 8] = ["213", "603", "605", "607", "621", "623", "625", "701"];

/// Adds what the message and its certificate contradict each other about.
pub(super) fn judge(checked: &Checked<'_>, tree: &Document<'_>, report: &mut Report, context: &VerifyContext) {
    let Some(certificate) = report.signer.clone() else { return };
    made_at(checked, tree, &certificate, report, context);
    declarant(checked, tree, &certificate, report);
}

/// `appTime` of the orders: yyyyMMddHHmmss, the time of China.
fn made_at(
    checked: &Checked<'_>,
    tree: &Document<'_>,
    certificate: &Certificate,
    report: &mut Report,
    context: &VerifyContext,
) {
    for node in named(tree, "appTime") {
        if let Some(time) = time(text(tree, node).trim()) {
            report.made_at(certificate, time, context, checked.place(tree, node));
        }
    }
}

fn time(text: &str) -> Option<SystemTime> {
    if text.len() != 14 || !text.bytes().all(|o| o.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
    let year = text.get(..4)?.parse().ok()?;
    let local = der::DateTime::new(year, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?).ok()?;
    local.to_system_time().checked_sub(Duration::from_secs(8 * 3600))
}

/// Whether a company as the message has it is another than the certificate's.
type Differ = fn(&str, &str) -> bool;

/// Every declaring unit of the message against the certificate's company; the first that is another is told.
fn declarant(checked: &Checked<'_>, tree: &Document<'_>, certificate: &Certificate, report: &mut Report) {
    let root = tree.document_element().and_then(|id| tree.element(id));
    let name = root.map(|e| e.name.local_name.to_string()).unwrap_or_default();
    if !DECLARED_BY_AGENT.iter().any(|number| name == format!("CEB{number}Message")) {
        return;
    }
    let Some(fields) = certificate.eport() else { return };
    let compared: [(&str, Option<&EportText>, Differ); 2] = [
        ("agentCode", fields.entity_code.as_ref(), codes_differ),
        ("agentName", fields.entity_name.as_ref(), names_differ),
    ];
    for (local, own, differ) in compared {
        let Some(own) = own.map(|t| t.text.trim()) else { continue };
        let other = named(tree, local).into_iter().find(|node| differ(text(tree, *node).trim(), own));
        if let Some(node) = other {
            let finding = Finding::new(FindingKind::DeclarantOther)
                .detail(local)
                .compared(plain(own, SHOWN), plain(text(tree, node).trim(), SHOWN));
            report.add(finding.maybe_at(checked.place(tree, node)));
            return;
        }
    }
}

/// The certificate has the organisation code of 9 characters, which stands at positions 9 to 17 of a social credit code of 18. A customs
/// registration code of 10 digits has nothing in common with it.
fn codes_differ(said: &str, own: &str) -> bool {
    let organisation: String = match said.chars().count() {
        18 if own.chars().count() == 9 => said.chars().skip(8).take(9).collect(),
        length if length == own.chars().count() || length > 18 => said.to_owned(),
        _ => return false,
    };
    !organisation.eq_ignore_ascii_case(own)
}

/// Names that differ in the width of letters and brackets alone are not told apart: nobody knows whether customs minds.
fn names_differ(said: &str, own: &str) -> bool {
    let narrow = |text: &str| -> String {
        let ascii = |c: char| match c {
            '\u{FF01}'..='\u{FF5E}' => u32::from(c).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(c),
            other => other,
        };
        text.chars().filter(|c| !c.is_whitespace()).map(|c| ascii(c).to_ascii_lowercase()).collect()
    };
    !said.is_empty() && narrow(said) != narrow(own)
}

fn named(tree: &Document<'_>, local: &str) -> Vec<NodeId> {
    let is = |id: &NodeId| tree.element(*id).is_some_and(|e| e.matches_name_ns(NAMESPACE, local));
    tree.descendants(tree.root()).into_iter().filter(is).collect()
}

/// The text of an element as it is signed: comments are no part of it (Canonical XML 1.0, clause 2.1).
fn text(tree: &Document<'_>, node: NodeId) -> String {
    let piece = |id: NodeId| match tree.node_kind(id) {
        Some(NodeKind::Text(text) | NodeKind::CData(text)) => Some(text.to_string()),
        _ => None,
    };
    tree.children(node).into_iter().filter_map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companies_are_compared_where_they_can_be() {
        for (said, own, differ) in [
            ("91110000MA0SYN001X", "MA0SYN001", false),
            ("91110000MA0SYN002X", "MA0SYN001", true),
            ("MA0SYN002", "MA0SYN001", true),
            ("1105910159", "MA0SYN001", false),
            ("", "MA0SYN001", false),
            ("91110000MA0SYN001X91110000MA0SYN001X", "MA0SYN001", true),
        ] {
            assert_eq!(codes_differ(said, own), differ, "{said}");
        }
        assert!(
            !names_differ("合成(样例) 公司", "合成（样例）公司") && names_differ("合成样例公司", "合成（样例）公司")
        );
    }

    #[test]
    fn times_are_those_of_china() {
        let at = |text| time(text).map(|t| t.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(at("20270101080000"), Some(1_798_761_600));
        for bad in ["2027010108000", "20271301000000", "2027-01-01 0000", "中中中中zz"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}
