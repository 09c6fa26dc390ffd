//! What a customs message says that its certificate can contradict: when it was made, and which company declares (manual::customs §1.8, §6.2).

use std::time::{Duration, SystemTime};

use uppsala::{Document, NodeId};

use super::NAMESPACE;
use super::declarant::{self, Compared, text};
use super::messages::Message;
use crate::cert::{Certificate, EportFields, EportText, plain};
use crate::format::xmldsig::Checked;
use crate::verify::{Finding, FindingKind, Report, VerifyContext};

/// As much of a company's name as a finding shows, in characters.
const SHOWN: usize = 64;

/// Adds what the message and its certificate contradict each other about.
pub(super) fn judge(checked: &Checked<'_>, tree: &Document<'_>, report: &mut Report, context: &VerifyContext) {
    let Some(certificate) = report.signer.clone() else { return };
    made_at(checked, tree, &certificate, report, context);
    declaring_unit(checked, tree, &certificate, report);
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
            report.made_at(certificate, time, context, || checked.place(tree, node));
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

/// Every declaring unit of the message against the certificate's company; the first that is another is told.
fn declaring_unit(checked: &Checked<'_>, tree: &Document<'_>, certificate: &Certificate, report: &mut Report) {
    let number = super::message(tree).ok().map(|(_, number)| number);
    let names =
        number.and_then(Message::by_number).and_then(|message| message.declarant).filter(|names| names.declares);
    let Some(names) = names else { return };
    let Some(fields) = certificate.eport() else { return };
    type Field = fn(&EportFields) -> Option<&EportText>;
    type Compare = fn(&str, &str) -> Compared;
    let compared: [(&str, Field, Compare); 2] = [
        (names.code, |f| f.entity_code.as_ref(), declarant::codes),
        (names.name, |f| f.entity_name.as_ref(), declarant::names),
    ];
    for (local, field, compare) in compared {
        let Some(own) = field(fields).map(|t| t.text.trim()) else { continue };
        let other =
            named(tree, local).into_iter().find(|node| compare(text(tree, *node).trim(), own) == Compared::Other);
        if let Some(node) = other {
            let finding = Finding::new(FindingKind::DeclarantOther)
                .detail(local)
                .compared(plain(own, SHOWN), plain(text(tree, node).trim(), SHOWN));
            report.add(finding.maybe_at(checked.place(tree, node)));
            return;
        }
    }
}

fn named(tree: &Document<'_>, local: &str) -> Vec<NodeId> {
    let is = |id: &NodeId| tree.element(*id).is_some_and(|e| e.matches_name_ns(NAMESPACE, local));
    tree.descendants(tree.root()).into_iter().filter(is).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_china() {
        let at = |text| time(text).map(|t| t.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(at("20270101080000"), Some(1_798_761_600));
        for bad in ["2027010108000", "20271301000000", "2027-01-01 0000", "中中中中zz"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}
