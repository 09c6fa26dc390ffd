//! Messages that are not what they seem: each is refused, and by its own name.

#[path = "support/cms_bent.rs"]
mod cms_bent;
#[path = "support/cms_kit.rs"]
mod cms_kit;

use cms_bent::{
    Bent, CONTENT_TYPE, DATA, DOCUMENT, MESSAGE_DIGEST, SIGNING_CERTIFICATE_V2, TST_INFO, accepted, attribute,
    octet_string, oid, refused, tlv,
};
use std::sync::Arc;

use cms_kit::{changed, desk, find, no_trust, openssl, openssl_verify, run, verify};
use shared_shield::format::{Format, raw::RAW};
use shared_shield::{CmsOptions, Content, DigestAlgorithm, ErrorKind, FindingKind, Verdict, VerifyContext, policy};

#[test]
fn a_message_put_together_by_hand_is_right_before_it_is_bent() {
    for identity in [&desk().p256, &desk().rsa] {
        let message = Bent::new(identity).message();
        accepted(&message);
        openssl_verify(&message, None, &[]).unwrap();
    }
}

#[test]
fn signed_attributes_presented_as_a_document_are_refused() {
    let identity = &desk().p256;
    let honest = identity.prepare(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    let set = honest.tbs.message.as_deref().unwrap().to_vec();
    let signature = identity.sign_digest(honest.tbs.digest.octets());
    let mut bent = Bent::new(identity);
    (bent.content, bent.attributes) = (set.clone(), None);
    let report = verify(&bent.with_signature(&[], &signature.to_wire().unwrap())).unwrap();
    assert!(report.has(FindingKind::SignatureRight), "the attack is real: the signature fits");
    refused(&report, FindingKind::ContentIsAttributes);

    // Nor is such a document signed without attributes.
    for options in [CmsOptions::attached(), CmsOptions::detached()] {
        let refused = identity.prepare(options.without_attributes(), &Content::bytes(set.as_slice())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::DocumentAmbiguous, "{refused}");
    }
    // With attributes it is a document like any other, and so is what only begins like a SET of attributes.
    let longer = [set.as_slice(), b"\n"].concat();
    accepted(&identity.sign(CmsOptions::attached().without_attributes(), &Content::bytes(longer)).unwrap());
    identity.sign(CmsOptions::attached(), &Content::bytes(set)).unwrap();
    let text = b"10,00 for apples and 12,00 for pears, that is all.";
    assert_eq!(text.len(), usize::from(b'0') + 2, "a length that fits the digit as a DER length");
    let message = identity.sign(CmsOptions::attached().without_attributes(), &Content::bytes(text)).unwrap();
    accepted(&message);
}

#[test]
fn what_another_format_signs_is_signed_neither_raw_nor_without_attributes() {
    let identity = &desk().p256;
    let info = |prefix: &str| {
        format!("<{prefix}SignedInfo xmlns{}=\"http://www.w3.org/2000/09/xmldsig#\"></{prefix}SignedInfo>", {
            let name = prefix.trim_end_matches(':');
            if name.is_empty() { String::new() } else { format!(":{name}") }
        })
    };
    let attribute = attribute(CONTENT_TYPE, &[&oid(DATA)]);
    // A length that is longer than it has to be is no DER, but verifiers that do not insist on DER read the same attributes.
    let loose = [&[0x30, 0x81][..], &attribute[1..]].concat();
    let documents: [(&str, Vec<u8>); 8] = [
        ("signed attributes", tlv(0x31, &[&attribute])),
        ("signed attributes", tlv(0x31, &[&loose])),
        ("signed attributes", [&[0x31, 0x81][..], &tlv(0x31, &[&attribute])[1..]].concat()),
        ("signed attributes", [&[0x31, 0x80][..], &attribute, &[0, 0]].concat()),
        ("SignedInfo", info("").into_bytes()),
        ("SignedInfo", info("ds:").into_bytes()),
        ("SignedInfo", info(&format!("{}:", "名p".repeat(4000))).into_bytes()),
        ("announcement 179", b"\"sessionID\":\"1\"||\"payExchangeInfoHead\":\"{}\"".to_vec()),
    ];
    let context = VerifyContext { certificate: Some(Arc::clone(&identity.certificate)), ..no_trust() };
    for (what, document) in documents {
        let (content, shown) = (Content::bytes(document.as_slice()), String::from_utf8_lossy(&document));
        for options in [CmsOptions::attached(), CmsOptions::detached()] {
            let error = identity.prepare(options.without_attributes(), &content).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DocumentAmbiguous, "{error}");
            assert!(error.to_string().contains(what), "{error}: {shown:.40}");
        }
        let error = RAW.prepare(&content, &identity.certificate, &identity.context()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DocumentAmbiguous, "{error}");
        assert!(error.to_string().contains(what), "{error}: {shown:.40}");

        // Made by somebody else it is right for openssl and refused here.
        let signature =
            identity.sign_digest(DigestAlgorithm::Sha256.of(&document).unwrap().octets()).to_wire().unwrap();
        let mut bent = Bent::new(identity);
        (bent.content, bent.attributes) = (document.clone(), None);
        let message = bent.with_signature(&[], &signature);
        openssl_verify(&message, None, &[]).unwrap();
        refused(&verify(&message).unwrap(), FindingKind::ContentIsAttributes);
        refused(&RAW.verify(&content, Some(&signature), &context).unwrap(), FindingKind::ContentIsAttributes);
        // With attributes it is a document like any other.
        accepted(&identity.sign(CmsOptions::attached(), &content).unwrap());
    }
    for plain in
        ["<SignedInfos>", "<order><SignedInfo/></order>", "<x", "sessionID", "<1000000 pieces, and no more than that"]
    {
        accepted(&identity.sign(CmsOptions::attached().without_attributes(), &Content::bytes(plain)).unwrap());
        RAW.prepare(&Content::bytes(plain), &identity.certificate, &identity.context()).unwrap();
    }
}

#[test]
fn attributes_that_stand_twice_or_have_two_values_are_refused() {
    let identity = &desk().p256;
    let right = Bent::new(identity).attributes.unwrap();
    let digest = |octets: &[u8]| octet_string(DigestAlgorithm::Sha256.of(octets).unwrap().octets());
    let (own, other) = (digest(DOCUMENT), digest(b"order 9999"));
    let twice = |extra: Vec<u8>| [right.clone(), vec![extra]].concat();
    let mut both = [own.as_slice(), &other];
    both.sort();
    for attributes in [
        twice(attribute(MESSAGE_DIGEST, &[&other])),
        twice(attribute(MESSAGE_DIGEST, &[&own])),
        twice(attribute(CONTENT_TYPE, &[&oid(DATA)])),
        twice(attribute(CONTENT_TYPE, &[&oid(TST_INFO)])),
        [twice(attribute("1.2.3.4", &[&own])), vec![attribute("1.2.3.4", &[&other])]].concat(),
        vec![right[0].clone(), attribute(MESSAGE_DIGEST, &both)],
        vec![right[0].clone(), attribute(MESSAGE_DIGEST, &[])],
    ] {
        let report = verify(&Bent::new(identity).attributes(attributes).message()).unwrap();
        refused(&report, FindingKind::AttributeRepeated);
    }
    accepted(&Bent::new(identity).attributes(twice(attribute("1.2.3.4", &both))).message());
}

#[test]
fn missing_and_wrong_attributes_are_each_named() {
    let identity = &desk().p256;
    let right = Bent::new(identity).attributes.unwrap();
    let judge = |attributes: Vec<Vec<u8>>| verify(&Bent::new(identity).attributes(attributes).message()).unwrap();
    refused(&judge(vec![right[0].clone()]), FindingKind::AttributeMissing);
    refused(&judge(vec![right[1].clone()]), FindingKind::AttributeMissing);
    refused(&judge(vec![]), FindingKind::CmsStructure);
    let typed = vec![attribute(CONTENT_TYPE, &[&oid(TST_INFO)]), right[1].clone()];
    refused(&judge(typed), FindingKind::ContentTypeWrong);
    let other = octet_string(DigestAlgorithm::Sha256.of(b"order 9999").unwrap().octets());
    let report = judge(vec![right[0].clone(), attribute(MESSAGE_DIGEST, &[&other])]);
    refused(&report, FindingKind::DigestWrong);
    assert!(report.has(FindingKind::SignatureRight), "{:?}", report.findings);
    let text = vec![right[0].clone(), attribute(MESSAGE_DIGEST, &[&tlv(0x0C, &[b"text"])])];
    refused(&judge(text), FindingKind::CmsStructure);
    refused(&judge(vec![right[0].clone(), right[1].clone(), vec![2, 1, 1]]), FindingKind::CmsStructure);
}

#[test]
fn a_signature_made_for_another_certificate_is_refused() {
    let identity = &desk().p256;
    let right = Bent::new(identity).attributes.unwrap();
    let naming = |certificate: &[u8]| {
        let hash = DigestAlgorithm::Sha256.of(certificate).unwrap();
        let id = tlv(0x30, &[&octet_string(hash.octets())]);
        attribute(SIGNING_CERTIFICATE_V2, &[&tlv(0x30, &[&tlv(0x30, &[&id])])])
    };
    let with = |extra: Vec<u8>| {
        verify(&Bent::new(identity).attributes([right.clone(), vec![extra]].concat()).message()).unwrap()
    };
    let own = with(naming(identity.certificate.der()));
    assert_eq!(own.verdict(), Verdict::SignatureOnly, "{:?}", own.findings);
    assert!(!own.has(FindingKind::SigningCertificateAbsent));
    refused(&with(naming(desk().rsa.certificate.der())), FindingKind::SigningCertificateOther);
    refused(&with(attribute(SIGNING_CERTIFICATE_V2, &[&tlv(0x30, &[&tlv(0x30, &[])])])), FindingKind::CmsStructure);
    refused(&with(attribute(SIGNING_CERTIFICATE_V2, &[&[5, 0]])), FindingKind::CmsStructure);

    // The same key in two certificates, as after a renewal: the one that was signed for is the one that counts.
    let folder = &desk().folder;
    run(openssl(folder)
        .args(["x509", "-req", "-in", "p256.csr", "-CA", "CA.pem", "-CAkey", "CA.key", "-days", "9"])
        .args(["-out", "renewed.pem", "-extfile", "p256.cnf", "-extensions", "leaf", "-set_serial", "0x1234"]));
    let renewed = std::fs::read_to_string(folder.join("renewed.pem")).unwrap();
    let renewed = der::Document::from_pem(&renewed).unwrap().1;
    let message = identity.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    let mut bent = Bent::new(identity);
    bent.certificates = renewed.as_bytes().to_vec();
    let honest = identity.prepare(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    let set = honest.tbs.message.as_deref().unwrap();
    let signature = identity.sign_digest(honest.tbs.digest.octets()).to_wire().unwrap();
    let signed = [&[0xA0], &set[1..]].concat();
    let report = verify(&bent.with_signature(&signed, &signature)).unwrap();
    assert!(report.has(FindingKind::SignatureRight));
    refused(&report, FindingKind::SigningCertificateOther);
    accepted(&message);
}

#[test]
fn attributes_out_of_order_are_refused_even_if_signed_so() {
    let mut bent = Bent::new(&desk().p256);
    bent.sorted = false;
    bent.attributes.as_mut().unwrap().sort_by(|a, b| b.cmp(a));
    refused(&verify(&bent.message()).unwrap(), FindingKind::CmsStructure);
}

#[test]
fn unsigned_attributes_change_nothing() {
    let mut bent = Bent::new(&desk().p256);
    let other = octet_string(DigestAlgorithm::Sha256.of(b"order 9999").unwrap().octets());
    bent.unsigned = attribute(MESSAGE_DIGEST, &[&other]);
    assert!(accepted(&bent.message()).has(FindingKind::UnsignedAttributes));
}

#[test]
fn what_is_signed_must_be_plain_data() {
    let mut bent = Bent::new(&desk().p256);
    bent.content_type = TST_INFO;
    let typed = attribute(CONTENT_TYPE, &[&oid(TST_INFO)]);
    bent.attributes.as_mut().unwrap()[0] = typed;
    let report = verify(&bent.message()).unwrap();
    refused(&report, FindingKind::ContentTypeOther);
    assert!(report.to_owned().findings.iter().any(|f| f.to_string().contains("TSTInfo")));
}

#[test]
fn thousands_of_certificates_and_claims_of_huge_lengths_end_early() {
    let mut bent = Bent::new(&desk().p256);
    let own = bent.certificates.clone();
    bent.certificates = [desk().rsa.certificate.der(), desk().bmp.certificate.der(), &own].concat();
    accepted(&bent.message());
    for count in [policy::CMS_CERTIFICATES_MAX + 1, 5_000] {
        bent.certificates = own.repeat(count);
        let refused = verify(&bent.message()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::DocumentTooLarge, "{count}: {refused}");
    }
    bent.certificates = own;
    bent.unsigned = attribute("1.2.3.4", &[&octet_string(&vec![0; policy::CMS_REST_MAX])]);
    assert_eq!(verify(&bent.message()).unwrap_err().kind(), ErrorKind::DocumentTooLarge);

    let mut large = Bent::new(&desk().p256);
    let filler = octet_string(&vec![0; policy::CMS_ATTRIBUTES_MAX]);
    large.attributes.as_mut().unwrap().push(attribute("1.2.3.4", &[&filler]));
    refused(&verify(&large.message()).unwrap(), FindingKind::CmsStructure);

    let message = Bent::new(&desk().p256).message();
    for length in [&[0x84, 0xFF, 0xFF, 0xFF, 0xFF][..], &[0x84, 0x7F, 0xFF, 0xFF, 0xFF], &[0x83, 0xFF, 0xFF, 0xFF]] {
        // In place of the length of the whole, and of each length of two octets on the way to the content.
        let claimed = [&[0x30], length, &message[4..]].concat();
        let refused = verify(&claimed).unwrap_err();
        let kinds = [ErrorKind::MessageTruncated, ErrorKind::SignatureMalformed, ErrorKind::DocumentTooLarge];
        assert!(kinds.contains(&refused.kind()), "{refused}");
        let inner = find(&message, &[0xA0, 0x82]) + 1;
        let claimed = [&message[..inner], length, &message[inner + 3..]].concat();
        assert!(kinds.contains(&verify(&claimed).unwrap_err().kind()));
    }
    let endless: Vec<u8> = [0x30, 0x80].repeat(100_000);
    assert!(verify(&endless).is_err());
    let large = [&[0x30, 0x80][..], &vec![0; policy::CMS_BER_MAX]].concat();
    assert_eq!(verify(&large).unwrap_err().kind(), ErrorKind::DocumentTooLarge);
}

#[test]
fn no_copy_with_one_bit_changed_is_accepted_unnoticed() {
    let identity = &desk().p256;
    let message = identity.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    let mut noticed = 0;
    for place in 0..message.len() {
        for bit in 0..8 {
            let mut copy = message.clone();
            copy[place] ^= 1 << bit;
            match verify(&copy) {
                Ok(report) if report.verdict() != Verdict::Invalid => {
                    // The two version numbers are signed by nobody, and nothing depends on them.
                    assert!(report.has(FindingKind::VersionOther), "octet {place} bit {bit}: {:?}", report.findings);
                    noticed += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!(noticed, 14, "seven bits of two version numbers; the eighth makes them negative");
}

#[test]
fn a_damaged_certificate_inside_is_named() {
    let mut bent = Bent::new(&desk().p256);
    let spki = find(&bent.certificates, &oid("1.2.840.10045.2.1"));
    bent.certificates = changed(&bent.certificates, spki + 12);
    let report = verify(&bent.message()).unwrap();
    refused(&report, FindingKind::CertificateUnreadable);
}
