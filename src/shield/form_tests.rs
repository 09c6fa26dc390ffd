//! A PIN is asked for and sent only where it is known in which form the device takes it.

use std::sync::Arc;

use super::Shield;
use super::fake::{self, Habits};
use crate::credential::Selector;
use crate::error::{ErrorKind, Result};
use crate::note::Note;
use crate::profile::Profile;
use crate::prompt::{Declined, PinEntry, PinQuestion};
use crate::receipt::Receipt;
use crate::request::{Request, Unlock};
use crate::role::Role;
use crate::source::Content;
use crate::token::PinForm;
use crate::tries::{Consent, PinStatus};
use crate::wait::{Wait, lock};

const PROFILE: &str = "schema = 1\ntest = true\n[[customs.issuer]]\nunit = \"Synthetic Trading Co\"\nallow_ca = true\n";

fn shield(form: PinForm, status: PinStatus) -> (Arc<Habits>, Shield) {
    let habits = Arc::<Habits>::default();
    (*lock(&habits.form), *lock(&habits.status)) = (form, status);
    let (shield, _) = fake::shield_under(&habits, Profile::parse(PROFILE).unwrap());
    (habits, shield)
}

/// Signs once; and how often somebody was asked for a PIN.
fn sign(shield: &Shield, consent: Consent) -> (Result<Receipt>, u32) {
    let mut asked = 0;
    let mut prompt = |question: &PinQuestion<'_>| {
        asked += 1;
        question.pin(fake::PIN).map(PinEntry::Typed).map_err(|_| Declined)
    };
    let request = Request::raw(Role::Customs, Content::bytes(*b"document")).consent(consent);
    let signed = shield.sign(request, &mut prompt, &Wait::default(), &mut Vec::new());
    (signed, asked)
}

#[test]
fn a_device_whose_dialect_nobody_names_gets_no_pin_and_nobody_is_asked_for_one() {
    let (habits, shield) = shield(PinForm::Unknown, PinStatus::Known(5));
    // No consent to a risky try is a word about the form.
    for consent in [Consent::None, Consent::AfterRefusal, Consent::LastTry] {
        let (signed, asked) = sign(&shield, consent);
        let error = signed.unwrap_err();
        assert_eq!((error.kind(), asked), (ErrorKind::DialectMissing, 0));
        assert_eq!((error.concerns(), error.tries_left()), (Some(Role::Customs), Some(PinStatus::Known(5))));
    }
    let mut prompt = |_: &PinQuestion<'_>| -> Result<PinEntry, Declined> { panic!("nobody is asked") };
    let unlocked = shield.unlock(Unlock::of(Role::Customs), &mut prompt, &Wait::default());
    assert_eq!(unlocked.unwrap_err().kind(), ErrorKind::DialectMissing);
    assert_eq!(Habits::seen(&habits.verifies), 0);
    // What takes no PIN works.
    let state = shield.pin_state(Role::Customs, &Selector::default(), &Wait::default()).unwrap();
    assert_eq!((state.status, state.form), (PinStatus::Known(5), PinForm::Unknown));
    assert_eq!(shield.certificates().len(), 1);
}

#[test]
fn a_dialect_that_the_device_never_took_needs_a_word_and_three_tries() {
    for (allowed, status, expected) in [
        (false, PinStatus::Known(5), ErrorKind::DialectUnproven),
        (true, PinStatus::Known(2), ErrorKind::DialectUnproven),
        (true, PinStatus::AtLeast(2), ErrorKind::DialectUnproven),
        // Where the device tells no tries, nobody knows that there are three.
        (true, PinStatus::Unknown { refused: false }, ErrorKind::DialectUnproven),
        (true, PinStatus::Known(1), ErrorKind::LastTry),
        (true, PinStatus::Locked, ErrorKind::PinLocked),
    ] {
        let (habits, shield) = shield(PinForm::Unproven { allowed }, status);
        let (signed, asked) = sign(&shield, Consent::None);
        assert_eq!((signed.unwrap_err().kind(), asked), (expected, 0), "{allowed} {status}");
        assert_eq!(Habits::seen(&habits.verifies), 0);
    }
    // The last try is not spent on it either, whatever a person consents to.
    let (_, last) = shield(PinForm::Unproven { allowed: true }, PinStatus::Known(1));
    assert_eq!(sign(&last, Consent::LastTry).0.unwrap_err().kind(), ErrorKind::DialectUnproven);
    for status in [PinStatus::Known(3), PinStatus::Known(5)] {
        let (habits, shield) = shield(PinForm::Unproven { allowed: true }, status);
        let (signed, asked) = sign(&shield, Consent::None);
        signed.unwrap();
        assert_eq!((asked, Habits::seen(&habits.verifies)), (1, 1));
    }
}

#[test]
fn a_way_that_takes_the_pin_serves_in_place_of_one_whose_form_is_not_known() {
    for form in [PinForm::Unknown, PinForm::Unproven { allowed: false }] {
        let both = [Arc::<Habits>::default(), Arc::<Habits>::default()];
        *lock(&both[0].form) = form;
        let (shield, _) = fake::shield_with(&both, Profile::parse(PROFILE).unwrap());
        let receipt = sign(&shield, Consent::None).0.unwrap();
        assert_eq!(receipt.door.unwrap().to_string(), "fake1");
        assert_eq!((Habits::seen(&both[0].verifies), Habits::seen(&both[1].verifies)), (0, 1));
        // Where the other way does not answer, the first one says why nothing is sent.
        *lock(&both[1].form) = PinForm::Unknown;
        let refused = sign(&shield, Consent::None);
        assert!(matches!(refused.0.unwrap_err().kind(), ErrorKind::DialectMissing | ErrorKind::DialectUnproven));
        assert_eq!(refused.1, 0);
    }
}

#[test]
fn a_receipt_says_that_a_simulator_made_the_signature() {
    let (habits, plain) = shield(PinForm::Sure, PinStatus::Known(5));
    assert!(!sign(&plain, Consent::None).0.unwrap().notes.contains(&Note::Simulator));
    *lock(&habits.manufacturer) = "simulator".to_owned();
    let (simulated, _) = fake::shield_under(&habits, Profile::parse(PROFILE).unwrap());
    let receipt = sign(&simulated, Consent::None).0.unwrap();
    let note = receipt.notes.iter().find(|n| **n == Note::Simulator).unwrap();
    assert!(note.text().contains("simulator") && note.text_zh().contains("simulator"));
}
