//! A diagnosis without any card, service or module: what does not answer is a finding, and what is found stays private.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::error::Recovery;
use crate::link::{Atr, Link, Presence, Readers};

/// A service that is in one state.
struct Fixed(Result<Vec<ReaderState>>);

impl Readers for Fixed {
    fn list(&self, _: &Wait) -> Result<Vec<ReaderState>> {
        self.0.clone()
    }

    fn changed(&self, _: &[ReaderState], _: &Wait) -> Result<Vec<ReaderState>> {
        self.0.clone()
    }

    fn connect(&self, _: &str, _: &Wait) -> Result<Arc<dyn Link>> {
        Err(Error::new(ErrorKind::ReaderBusy, "SCardConnect").detail("held by the other program"))
    }
}

fn state(reader: &str, presence: Presence) -> ReaderState {
    ReaderState { reader: reader.to_owned(), presence, exclusive: false, events: 0 }
}

fn diagnose(service: Result<Vec<ReaderState>>) -> Diagnosis {
    Scanner::new().readers(Arc::new(Fixed(service))).diagnose(&Wait::at_most(Duration::from_secs(5))).unwrap()
}

fn kinds(diagnosis: &Diagnosis) -> Vec<(Severity, ErrorKind)> {
    diagnosis.findings.iter().map(|f| (f.severity, f.error().unwrap().kind())).collect()
}

#[test]
fn each_state_of_the_service_is_one_finding_with_its_own_recovery() {
    use ErrorKind as K;
    let cases = [
        (K::ServiceStopped, Recovery::StartPcscd),
        (K::ServiceRefused, Recovery::AskAdministrator),
        (K::ServiceFull, Recovery::CloseOtherProgram),
        (K::ServiceMissing, Recovery::InstallDriver),
    ];
    for (kind, recovery) in cases {
        let diagnosis = diagnose(Err(Error::new(kind, "SCardEstablishContext")));
        assert_eq!(kinds(&diagnosis), [(Severity::Wrong, kind)]);
        assert_eq!(diagnosis.worst().unwrap().recovery(), recovery);
        assert!(diagnosis.services[0].readers.is_err());
    }
    assert_eq!(kinds(&diagnose(Ok(Vec::new()))), [(Severity::Wrong, K::NoReader)]);
}

#[test]
fn empty_readers_and_cards_that_cannot_be_used_are_told_apart() {
    let empty = diagnose(Ok(vec![state("A", Presence::Empty), state("B", Presence::Empty)]));
    assert_eq!(kinds(&empty), [(Severity::Wrong, ErrorKind::NoShield)]);
    assert!(empty.worst().unwrap().text().contains("every reader is empty"));
    let mute = diagnose(Ok(vec![state("A", Presence::Mute)]));
    assert_eq!(kinds(&mute), [(Severity::Wrong, ErrorKind::CardMute)]);
    assert!(mute.worst().unwrap().text().contains("reader \"A\""));
    let held = diagnose(Ok(vec![state("A", Presence::Card(Atr::new(&[0x3B, 0])))]));
    assert_eq!(kinds(&held), [(Severity::Wrong, ErrorKind::ReaderBusy)]);
    assert_eq!(held.cards.len(), 1);
}

#[test]
fn without_anything_to_look_at_that_is_the_finding() {
    let diagnosis = Scanner::new().diagnose(&Wait::default()).unwrap();
    assert_eq!(kinds(&diagnosis), [(Severity::Wrong, ErrorKind::NoShield)]);
    assert!(diagnosis.bundle().starts_with("shared-shield doctor, bundle 1\n"));
}

#[test]
fn a_cancelled_diagnosis_is_none() {
    let wait = Wait::default();
    wait.cancel.cancel();
    let refused = Scanner::new().readers(Arc::new(Fixed(Ok(Vec::new())))).diagnose(&wait).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Cancelled);
}

#[test]
fn the_bundle_has_no_details_of_errors_and_no_serial_number_of_a_reader() {
    let reader = "Maker Key (00123456789) 00 00";
    let text = diagnose(Ok(vec![state(reader, Presence::Card(Atr::new(&[0x3B, 0x8F])))])).bundle();
    assert!(text.contains("Maker Key (***) 00 00: a card, ATR 3B 8F"), "{text}");
    assert!(text.contains("SH-1025 ReaderBusy, SCardConnect"), "{text}");
    assert!(!text.contains("00123456789") && !text.contains("other program\""), "{text}");
    assert!(!text.contains("held by the other program"), "{text}");
}

#[test]
fn every_finding_speaks_both_languages_and_ends_with_a_code() {
    use crate::error::Error;
    let soon = |days, within| FindingKind::ExpiresSoon { role: Role::Bank, days, within };
    let kinds = [
        FindingKind::Failed(Error::new(ErrorKind::PinLocked, "test").role(Role::Customs)),
        soon(5, 7),
        soon(20, 30),
        soon(80, 90),
        FindingKind::RoleMissing(Role::Bank),
        FindingKind::OnePin,
        FindingKind::TestProfile,
        FindingKind::FactoryPin(Role::Bank),
        FindingKind::Simulator,
    ];
    let mut said = std::collections::BTreeSet::new();
    for kind in kinds {
        let finding = Finding::of(Severity::Info, kind);
        assert!(finding.text().contains(&finding.code()), "{}", finding.text());
        assert!(finding.text_zh().contains(&finding.code()), "{}", finding.text_zh());
        assert!(said.insert(finding.text()) && said.insert(finding.text_zh()));
    }
}
