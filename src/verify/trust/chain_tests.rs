//! Which chain is found, and which reason is told where there is none.

use super::*;
use crate::policy;

/// Authorities of one name, made `later` than others.
fn namesakes(count: usize, later: Duration) -> Vec<Arc<Certificate>> {
    (0..count).map(|_| read(TestCa::new(EPORT_NAME, now() + later).unwrap().der())).collect()
}

#[test]
fn an_issuer_is_looked_for_among_so_many_of_its_name_and_no_further() {
    let right = ca();
    let day = Duration::from_secs(24 * 3600);
    // A signer that does not say which key of its issuer signed: each is a signature to verify.
    let signer = issue(&right, &Shape { authority_key_id: Some(Vec::new()), ..customs() });
    let others = namesakes(policy::CHAIN_TRIES, day);
    let ask = |signer: &Arc<Certificate>, others: &[Arc<Certificate>], place: usize| {
        let mut all = others.to_vec();
        all.insert(place, read(right.der()));
        found(signer, &context(Trust::Anchors(all)))
    };
    let most = policy::CHAIN_TRIES;
    for place in [0, 1, most / 2, most - 1] {
        let (trusted, _, text) = ask(&signer, &others[1..], place);
        assert!(trusted, "{place}: {text}");
        // Newer ones are tried before it, wherever it stands.
        let (trusted, _, text) = ask(&signer, &others, place);
        assert!(!trusted && text.contains("too many issuers"), "{place}: {text}");
        let (trusted, _, text) = ask(&issue(&right, &customs()), &others, place);
        assert!(trusted, "another key identifier costs no try: {text}");
    }
    // What cannot have issued it crowds nobody out.
    let early = namesakes(most, 5_000 * day);
    assert!(ask(&signer, &early, most).0);
}

/// Every order of a few.
fn orders<T: Clone>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (place, first) in of.iter().enumerate() {
        let rest = [&of[..place], &of[place + 1..]].concat();
        all.extend(orders(&rest).into_iter().map(|rest| [vec![first.clone()], rest].concat()));
    }
    all
}

/// A root, an authority between that it has certified several times, and signers of that.
struct Between {
    root: TestCa,
    middle: TestCa,
    spki: Vec<u8>,
}

const MIDDLE: &str = "CN=Middle (SYNTHETIC)";

impl Between {
    fn new() -> Self {
        let middle = TestCa::new(MIDDLE, now()).unwrap();
        let spki = read(middle.der()).spki().unwrap();
        Between { root: ca(), middle, spki }
    }

    fn authority(number: u8) -> Shape {
        Shape { ca: true, usage: Usage::Authority, ..Shape::plain(MIDDLE, vec![number], now()) }
    }

    fn certify(&self, shape: &Shape) -> Arc<Certificate> {
        read(&self.root.issue(shape, &self.spki).unwrap())
    }

    fn signer(&self, key_id: bool) -> Arc<Certificate> {
        let authority_key_id = (!key_id).then(Vec::new);
        issue(&self.middle, &Shape { authority_key_id, ..customs() })
    }

    /// The one text that is told whatever the order, of a signer that is not trusted.
    #[track_caller]
    fn told(&self, signer: &Arc<Certificate>, between: &[Arc<Certificate>]) -> String {
        let (right, other) = (read(self.root.der()), read(ca().der()));
        let mut texts = Vec::new();
        for roots in orders(&[right, other]) {
            for between in orders(between) {
                let store = Store::new(roots.clone()).between(between);
                let (trusted, _, text) = found(signer, &context(Trust::Store(Arc::new(store))));
                assert!(!trusted, "{text}");
                texts.push(text);
            }
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:#?}");
        texts.remove(0)
    }
}

#[test]
fn of_several_issuers_the_nearest_ones_reason_is_told_in_whatever_order_they_are_given() {
    let pki = Between::new();
    let expired = pki.certify(&Between::authority(7).expired(now()));
    let without_right = pki.certify(&Shape { usage: Usage::Sign, ..Between::authority(8) });
    // An older key of the same authority, and a namesake that is none.
    let old = issue(&pki.root, &Between::authority(5));
    let none = issue(&pki.root, &Shape { ca: false, usage: Usage::Sign, ..Between::authority(6) });
    let over = "not valid at the time";
    for (key_id, refused) in [(true, "another key identifier"), (false, "its signature is not the issuer's")] {
        let signer = pki.signer(key_id);
        let text = pki.told(&signer, &[old.clone(), expired.clone(), none.clone()]);
        assert!(text.contains(over) && text.contains("(certificate 0300000000000101, its issuer 07)"), "{text}");
        let text = pki.told(&signer, &[without_right.clone(), old.clone(), expired.clone()]);
        assert!(text.contains(over), "{text}");
        let text = pki.told(&signer, &[without_right.clone(), old.clone(), none.clone()]);
        assert!(text.contains("does not allow certificates") && text.contains("its issuer 08"), "{text}");
        // Of one that did not sign it is not said what it may.
        let text = pki.told(&signer, &[old.clone(), none.clone()]);
        assert!(text.contains(refused) && text.contains("(certificate 0300000000000101)"), "{text}");
    }
}

#[test]
fn a_reason_says_of_which_certificate_of_a_chain_it_is() {
    let pki = Between::new();
    let middle =
        pki.certify(&Shape { not_after: now() + Duration::from_secs(20_000 * 24 * 3600), ..Between::authority(7) });
    let long = Shape { not_after: now() + Duration::from_secs(20_000 * 24 * 3600), ..customs() };
    let signer = issue(&pki.middle, &long);
    let store = |roots: &[&TestCa]| {
        Store::new(roots.iter().map(|root| read(root.der())).collect()).between(vec![Arc::clone(&middle)])
    };
    let mut late = context(Trust::Store(Arc::new(store(&[&pki.root]))));
    assert!(found(&signer, &late).0);
    late.at = now() + Duration::from_secs(4_001 * 24 * 3600);
    let (_, kinds, text) = found(&signer, &late);
    assert_eq!(kinds, [FindingKind::CertificateUntrusted]);
    assert!(text.contains("(certificate 07, its issuer 01)") && text.contains("not valid at the time"), "{text}");
    let (_, _, text) = found(&signer, &context(Trust::Store(Arc::new(store(&[])))));
    assert!(text.contains("(certificate 07)") && text.contains("its issuer is none of those given"), "{text}");
    // A root that is given, and not as one that is trusted.
    let known = store(&[]).between(vec![read(pki.root.der())]);
    let (_, _, text) = found(&signer, &context(Trust::Store(Arc::new(known))));
    assert!(text.contains("(certificate 01)") && text.contains("issued by itself"), "{text}");
}

#[test]
fn authorities_that_issued_each_other_make_no_chain_and_that_is_said() {
    let [a, b] = ["CN=A (SYNTHETIC)", "CN=B (SYNTHETIC)"].map(|name| TestCa::new(name, now()).unwrap());
    let by = |issuer: &TestCa, of: &TestCa, name: &str, number| {
        let shape = Shape { ca: true, usage: Usage::Authority, ..Shape::plain(name, vec![number], now()) };
        read(&issuer.issue(&shape, &read(of.der()).spki().unwrap()).unwrap())
    };
    let between = [by(&b, &a, "CN=A (SYNTHETIC)", 2), by(&a, &b, "CN=B (SYNTHETIC)", 3)];
    for between in orders(&between) {
        let store = Store::new(vec![read(ca().der())]).between(between);
        let (trusted, _, text) = found(&issue(&a, &customs()), &context(Trust::Store(Arc::new(store))));
        assert!(!trusted && text.contains("(certificate 03)") && text.contains("stands below it already"), "{text}");
    }
}
