use std::time::Duration;

use super::*;
use crate::cert::test_ca::{Holder, Shape, TestCa, any_key, raw_extension};
use crate::credential::{Credential, Listed, list, resolve};
use crate::door::DoorId;
use crate::error::Recovery;
use crate::token::{CertRef, KeyRef, KeyShown, PinRef, Slot, Wants};

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A place that the one PIN of most tests opens.
pub(super) fn route(label: &str) -> Route {
    let slot = Slot {
        key: KeyRef(vec![1]),
        certificate: CertRef(vec![1]),
        pin: PinRef(vec![1]),
        shown: KeyShown::Untold,
        wants: Wants::Once,
        suites: Vec::new(),
        label: label.to_owned(),
    };
    Route { door: DoorId(format!("door of {label}")), slot, scope: Scope(1) }
}

/// Two authorities and the profile that knows them.
pub(super) struct Desk {
    eport: TestCa,
    bank: TestCa,
    pub(super) profile: Profile,
}

impl Desk {
    pub(super) fn new(more: &str) -> Desk {
        let (eport, bank) = (TestCa::eport(now()).unwrap(), TestCa::bank(now()).unwrap());
        let id = |ca: &TestCa| crate::cert::hex(ca.key_id());
        let text = format!(
            "schema = 1\ntest = true\n[[customs.issuer]]\nauthority_key_id = \"{}\"\nrequire_eport_fields = true\n\
             [[bank.issuer]]\norganisation = \"Synthetic Test Bank\"\nauthority_key_id = \"{}\"\n{more}",
            id(&eport),
            id(&bank)
        );
        Desk { eport, bank, profile: Profile::parse(&text).unwrap() }
    }

    pub(super) fn customs(&self, shape: &Shape, label: &str) -> Found {
        Desk::found(self.eport.issue(shape, &any_key()).unwrap(), label)
    }

    pub(super) fn bank(&self, shape: &Shape, label: &str) -> Found {
        Desk::found(self.bank.issue(shape, &any_key()).unwrap(), label)
    }

    pub(super) fn found(der: Vec<u8>, label: &str) -> Found {
        Found {
            certificate: Arc::new(Certificate::from_der(&der).unwrap()),
            routes: vec![route(label)],
            misplaced: Vec::new(),
            unsure: Vec::new(),
        }
    }

    pub(super) fn ask(&self, role: Role, found: &[Found]) -> crate::error::Result<Credential> {
        self.select(role, found, &Selector::default())
    }

    pub(super) fn select(&self, role: Role, found: &[Found], selector: &Selector) -> crate::error::Result<Credential> {
        resolve(role, found, &self.profile, selector, now(), false)
    }

    pub(super) fn list(&self, found: &[Found]) -> Vec<Listed> {
        list(found, &self.profile, now())
    }
}

pub(super) fn holder() -> Holder {
    Holder { person: "PERSON-MARKER".to_owned(), ..Holder::default() }
}

pub(super) fn customs(number: u8) -> Shape {
    Shape::customs(&holder(), number, now())
}

pub(super) fn begun(days: u32, mut shape: Shape) -> Shape {
    shape.not_before = now() - DAY * days;
    shape
}

fn code(text: &str) -> Selector {
    Selector { entity_code: Some(text.to_owned()), ..Selector::default() }
}

#[test]
fn each_role_finds_its_own_certificate() {
    let desk = Desk::new("");
    let found = [desk.customs(&customs(1), "a"), desk.bank(&Shape::bank(&holder(), 1, now()), "b")];
    for (role, one) in Role::ALL.into_iter().zip(&found) {
        let credential = desk.ask(role, &found).unwrap();
        assert_eq!((credential.role, &credential.certificate), (role, &one.certificate));
    }
    assert!(desk.list(&found).iter().all(|l| l.standing == Standing::Serves), "{:?}", desk.list(&found));
}

#[test]
fn after_a_renewal_the_newer_certificate_serves_and_the_older_is_superseded() {
    let desk = Desk::new("");
    let (old, new) = (desk.customs(&begun(700, customs(1)), "old"), desk.customs(&begun(7, customs(2)), "new"));
    for found in [[old.clone(), new.clone()], [new.clone(), old.clone()]] {
        assert_eq!(desk.ask(Role::Customs, &found).unwrap().certificate, new.certificate);
        let listed = desk.list(&found).into_iter().find(|l| l.certificate == old.certificate).unwrap();
        assert_eq!((listed.role, listed.standing), (Some(Role::Customs), Standing::Superseded), "{}", listed.reason);
    }
    let wanted = Selector { fingerprint: Some(old.certificate.fingerprint()), ..Selector::default() };
    assert_eq!(desk.select(Role::Customs, &[old.clone(), new], &wanted).unwrap().certificate, old.certificate);
}

#[test]
fn certificates_of_two_companies_or_cards_are_listed_and_one_is_chosen_by_name() {
    let desk = Desk::new("");
    let other_company = Holder { company_code: "MA0SYN002".to_owned(), ..holder() };
    let other_card = Holder { card_number: "8800000000024".to_owned(), ..holder() };
    for other in [other_company, other_card] {
        let found = [desk.customs(&begun(700, customs(1)), "a"), desk.customs(&Shape::customs(&other, 2, now()), "b")];
        let error = desk.ask(Role::Customs, &found).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SeveralCredentials, "{error}");
        assert_eq!(error.looked_at().len(), 2);
        assert!(
            error.to_string().contains(&other.company_code) && error.to_string().contains(&other.card_number),
            "{error}"
        );
        assert!(desk.list(&found).iter().all(|l| l.standing == Standing::Several));
        let wanted = Selector {
            entity_code: Some(other.company_code.to_lowercase()),
            card_number: Some(format!("03-{}", other.card_number)),
            fingerprint: None,
        };
        assert_eq!(desk.select(Role::Customs, &found, &wanted).unwrap().certificate, found[1].certificate);
    }
}

#[test]
fn several_people_of_one_company_are_not_taken_for_one() {
    let desk = Desk::new("");
    let colleague = Holder { person: "OTHER-PERSON".to_owned(), ..holder() };
    let found = [desk.customs(&begun(700, customs(1)), "a"), desk.customs(&Shape::customs(&colleague, 2, now()), "b")];
    assert_eq!(desk.ask(Role::Customs, &found).unwrap_err().kind(), ErrorKind::SeveralCredentials);
    let nobody = |number, days| {
        let mut shape = begun(days, customs(number));
        shape.subject = String::new();
        desk.customs(&shape, "nobody")
    };
    let error = desk.ask(Role::Customs, &[nobody(1, 700), nobody(2, 7)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SeveralCredentials, "no name is not the same name");
}

#[test]
fn a_label_breaks_a_tie_and_never_gives_a_role() {
    let desk = Desk::new("[customs]\nlabel = \"declare\"\n[bank]\nlabel = \"declare\"\n");
    let other = Holder { company_code: "MA0SYN002".to_owned(), ..holder() };
    let other = desk.customs(&Shape::customs(&other, 2, now()), "declare");
    let found = [desk.customs(&customs(1), "spare"), other.clone()];
    assert_eq!(desk.ask(Role::Customs, &found).unwrap().certificate, other.certificate);
    assert_eq!(desk.ask(Role::Bank, &found).unwrap_err().kind(), ErrorKind::NoCredential);
    let twice = [desk.customs(&customs(1), "declare"), other];
    assert_eq!(desk.ask(Role::Customs, &twice).unwrap_err().kind(), ErrorKind::SeveralCredentials);
}

#[test]
fn the_encryption_certificate_is_recognised_and_never_signs() {
    let desk = Desk::new("");
    let encryption = desk.customs(&customs(2).for_encryption(), "e");
    let found = [encryption.clone(), desk.customs(&customs(1), "s")];
    assert_eq!(desk.ask(Role::Customs, &found).unwrap().certificate, found[1].certificate);
    let listed = desk.list(&found);
    assert_eq!((listed[0].role, listed[0].standing), (Some(Role::Customs), Standing::Encryption));
    let wanted = Selector { fingerprint: Some(encryption.certificate.fingerprint()), ..Selector::default() };
    let error = desk.select(Role::Customs, &[encryption], &wanted).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCredential, "not even when it is asked for by name");
    assert!(error.to_string().contains("it is for encryption"), "{error}");
}

#[test]
#[cfg(feature = "rsa")]
fn an_authority_and_a_self_signed_test_certificate_do_not_sign_unless_a_test_profile_says_so() {
    let pem = std::fs::read("tests/vectors/synthetic_rsa_cert.pem").unwrap();
    let vector = Found {
        certificate: Arc::new(Certificate::from_pem(&pem).unwrap()),
        routes: vec![route("v")],
        misplaced: Vec::new(),
        unsure: Vec::new(),
    };
    let rule = "[[customs.issuer]]\nunit = \"Synthetic Trading Co\"\n";
    let error = Desk::new(rule).ask(Role::Customs, std::slice::from_ref(&vector)).unwrap_err();
    assert!(error.to_string().contains("an authority"), "{error}");
    assert!(
        !error.to_string().contains("Test Operator"),
        "a self-issued certificate names its holder as issuer: {error}"
    );
    let allowed = Desk::new(&format!("{rule}allow_ca = true\n"));
    assert_eq!(allowed.ask(Role::Customs, std::slice::from_ref(&vector)).unwrap().certificate, vector.certificate);
    let desk = Desk::new("");
    let mut shape = customs(3);
    shape.usage = crate::cert::test_ca::Usage::Authority;
    let error = desk.ask(Role::Customs, &[desk.customs(&shape, "ca")]).unwrap_err();
    assert!(error.to_string().contains("key usage does not allow signatures"), "{error}");
}

#[test]
fn a_certificate_that_is_critically_for_servers_signs_nothing_that_a_verifier_would_refuse() {
    let desk = Desk::new("");
    // Extended key usage: serverAuth alone (1.3.6.1.5.5.7.3.1).
    let server = b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
    let with = |critical| {
        let mut shape = customs(1);
        shape.extensions.push(raw_extension("2.5.29.37", critical, server));
        desk.customs(&shape, "server")
    };
    let (kept, free) = (with(true), with(false));
    let error = desk.ask(Role::Customs, std::slice::from_ref(&kept)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCredential, "{error}");
    assert!(error.to_string().contains("its critical extended key usage is for no documents"), "{error}");
    assert_eq!(desk.list(std::slice::from_ref(&kept))[0].standing, Standing::NotForSigning);
    let other = desk.customs(&begun(700, customs(2)), "older");
    assert_eq!(desk.ask(Role::Customs, &[kept, other.clone()]).unwrap().certificate, other.certificate);
    assert_eq!(desk.ask(Role::Customs, std::slice::from_ref(&free)).unwrap().certificate, free.certificate);
}

#[test]
fn an_expired_certificate_is_refused_with_its_date_unless_asked_for() {
    let desk = Desk::new("");
    let expired = desk.customs(&customs(1).expired(now()), "x");
    let found = [
        expired.clone(),
        desk.customs(&customs(2).for_encryption(), "e"),
        desk.bank(&Shape::bank(&holder(), 1, now()), "b"),
    ];
    let error = desk.ask(Role::Customs, &found).unwrap_err();
    assert_eq!(
        (error.kind(), error.recovery()),
        (ErrorKind::CertificateExpired, Recovery::RenewCertificate),
        "{error}"
    );
    assert!(error.to_string().contains("since 2027-01-05"), "{error}");
    assert_eq!(error.looked_at().len(), 3);
    let asked = resolve(Role::Customs, &found, &desk.profile, &Selector::default(), now(), true).unwrap();
    assert_eq!(asked.certificate, expired.certificate);
    assert_eq!(desk.list(&found)[0].standing, Standing::OutsideValidity);
}

#[test]
fn a_certificate_before_its_first_day_is_refused_and_does_not_replace_the_valid_one() {
    let desk = Desk::new("");
    let early = desk.customs(&customs(1).not_yet_valid(now()), "early");
    let error = desk.ask(Role::Customs, std::slice::from_ref(&early)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CertificateNotYetValid);
    assert!(error.to_string().contains("from 2027-01-25"), "{error}");
    let found = [early, desk.customs(&customs(2), "valid")];
    assert_eq!(desk.ask(Role::Customs, &found).unwrap().certificate, found[1].certificate);
    let asked = resolve(Role::Customs, &found, &desk.profile, &Selector::default(), now(), true).unwrap();
    assert_eq!(asked.certificate, found[1].certificate, "asked for or not: the valid one goes first");
}

#[test]
fn the_bank_certificate_is_found_by_the_unit_code_of_the_customs_one_beside_it() {
    let desk = Desk::new("");
    let bank = desk.bank(&Shape::bank(&holder(), 1, now()), "b");
    let found = [desk.customs(&customs(1), "c"), bank.clone()];
    assert_eq!(desk.select(Role::Bank, &found, &code("MA0SYN001")).unwrap().certificate, bank.certificate);
    let error = desk.select(Role::Bank, &found, &code("MA0SYN002")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCredential, "the bank certificate of another company's shield");
    assert!(error.to_string().contains("no customs certificate beside it"), "{error}");
    assert!(desk.select(Role::Bank, &[bank], &code("MA0SYN001")).is_err());
    assert!(
        desk.select(Role::Customs, &found, &code("MA0SYN002")).unwrap_err().to_string().contains("another unit code")
    );
}

#[test]
fn one_certificate_behind_two_doors_is_one_with_two_routes() {
    let desk = Desk::new("");
    let first = desk.customs(&customs(1), "first");
    let second = Found {
        certificate: Arc::clone(&first.certificate),
        routes: vec![route("second")],
        misplaced: Vec::new(),
        unsure: Vec::new(),
    };
    let credential = desk.ask(Role::Customs, &[first, second]).unwrap();
    assert_eq!(credential.routes.iter().map(|r| r.slot.label.as_str()).collect::<Vec<_>>(), ["first", "second"]);
}

#[test]
fn a_newer_certificate_without_its_key_does_not_displace_the_one_that_works() {
    let desk = Desk::new("");
    let mut planted = desk.customs(&customs(2), "planted");
    planted.routes.clear();
    let works = desk.customs(&begun(700, customs(1)), "works");
    let found = [planted.clone(), works.clone()];
    assert_eq!(desk.ask(Role::Customs, &found).unwrap().certificate, works.certificate);
    assert_eq!(desk.list(&found)[0].standing, Standing::KeyMissing);
    assert_eq!(desk.ask(Role::Customs, &[planted]).unwrap_err().kind(), ErrorKind::KeyMissing);
}

#[test]
fn an_empty_shield_and_a_foreign_certificate_say_what_was_looked_at() {
    let desk = Desk::new("");
    let empty = desk.ask(Role::Bank, &[]).unwrap_err();
    assert_eq!((empty.kind(), empty.looked_at().len()), (ErrorKind::NoCredential, 0));
    let stranger = TestCa::new("O=Somebody Else", now()).unwrap().issue(&customs(9), &any_key()).unwrap();
    let error =
        desk.ask(Role::Customs, &[Desk::found(stranger, "customs"), desk.bank(&Shape::bank(&holder(), 1, now()), "b")]);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoCredential);
    assert!(error.looked_at()[0].reason.contains("issuer"), "{error}");
    assert!(error.looked_at()[1].reason.contains("bank certificate"), "{error}");
}

#[test]
fn no_reason_and_no_error_names_the_holder() {
    let desk = Desk::new("");
    let other = Holder { company_code: "MA0SYN002".to_owned(), ..holder() };
    let shapes = [
        customs(1),
        begun(300, customs(2)),
        Shape::customs(&other, 3, now()),
        customs(4).expired(now()),
        customs(5).not_yet_valid(now()),
        customs(6).for_encryption(),
    ];
    let found: Vec<Found> = shapes.iter().map(|s| desk.customs(s, "x")).collect();
    let mut texts: Vec<String> = desk.list(&found).iter().map(|l| format!("{l:?}")).collect();
    for subset in 0..64_u32 {
        let part: Vec<Found> =
            found.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1).map(|(_, f)| f.clone()).collect();
        for role in Role::ALL {
            match desk.ask(role, &part) {
                Ok(credential) => texts.push(format!("{credential:?}")),
                Err(error) => texts.push(format!("{error} {error:?} {}", error.message_zh())),
            }
        }
    }
    assert_eq!(texts.len(), 6 + 128);
    for text in texts {
        assert!(!text.contains("PERSON-MARKER") && !text.contains("NOT-AN-ID"), "{text}");
    }
}
