//! Messages that are not what they seem: each is refused, and by its own name.

#[path = "support/cms_kit.rs"]
mod cms_kit;

use std::sync::Arc;

use cms_kit::{Identity, changed, desk, file, find, no_trust, openssl, openssl_verify, run, verify, verify_detached};
use der::asn1::{Any, ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use shared_shield::format::Format;
use shared_shield::format::cms::CMS;
use shared_shield::{CmsOptions, Content, DigestAlgorithm, ErrorKind, FindingKind, Report, Suite, Verdict, policy};

const DOCUMENT: &[u8] = b"order 1234";

const DATA: &str = "1.2.840.113549.1.7.1";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";

/// Tag, length and value.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = der::Length::try_from(value.len()).unwrap().to_der().unwrap();
    [&[tag][..], &length, &value].concat()
}

fn oid(dotted: &str) -> Vec<u8> {
    ObjectIdentifier::new_unwrap(dotted).to_der().unwrap()
}

fn attribute(kind: &str, values: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &[&oid(kind), &tlv(0x31, values)])
}

fn octet_string(octets: &[u8]) -> Vec<u8> {
    OctetString::new(octets).unwrap().to_der().unwrap()
}

/// A message put together by hand; each part may be bent.
struct Bent<'i> {
    identity: &'i Identity,
    content_type: &'static str,
    content: Vec<u8>,
    /// The signed attributes; `None` for none.
    attributes: Option<Vec<Vec<u8>>>,
    /// Attributes are sorted before they are signed.
    sorted: bool,
    certificates: Vec<u8>,
    unsigned: Vec<u8>,
    /// In place of the signature algorithm of the key.
    algorithm: Option<Vec<u8>>,
}

impl<'i> Bent<'i> {
    /// A right message, to begin with.
    fn new(identity: &'i Identity) -> Self {
        let digest = DigestAlgorithm::Sha256.of(DOCUMENT).unwrap();
        let attributes =
            vec![attribute(CONTENT_TYPE, &[&oid(DATA)]), attribute(MESSAGE_DIGEST, &[&octet_string(digest.octets())])];
        Bent {
            identity,
            content_type: DATA,
            content: DOCUMENT.to_vec(),
            attributes: Some(attributes),
            sorted: true,
            certificates: identity.certificate.der().to_vec(),
            unsigned: Vec::new(),
            algorithm: None,
        }
    }

    fn attributes(mut self, attributes: Vec<Vec<u8>>) -> Self {
        self.attributes = Some(attributes);
        self
    }

    fn set(&self) -> Vec<u8> {
        let mut attributes = self.attributes.clone().unwrap();
        if self.sorted {
            attributes.sort();
        }
        attributes.concat()
    }

    fn message(&self) -> Vec<u8> {
        let signed = self.attributes.as_ref().map(|_| tlv(0xA0, &[&self.set()])).unwrap_or_default();
        let to_be_signed = if signed.is_empty() { self.content.clone() } else { tlv(0x31, &[&self.set()]) };
        let digest = DigestAlgorithm::Sha256.of(&to_be_signed).unwrap();
        let signature = self.identity.sign_digest(digest.octets()).to_wire().unwrap();
        self.with_signature(&signed, &signature)
    }

    fn with_signature(&self, signed: &[u8], signature: &[u8]) -> Vec<u8> {
        let inner = x509_cert::Certificate::from_der(self.identity.certificate.der()).unwrap();
        let tbs = inner.tbs_certificate();
        let sid = tlv(0x30, &[&tbs.issuer().to_der().unwrap(), &tbs.serial_number().to_der().unwrap()]);
        let sha256 = tlv(0x30, &[&oid("2.16.840.1.101.3.4.2.1")]);
        let algorithm = match (&self.algorithm, self.identity.suite) {
            (Some(other), _) => other.clone(),
            (None, Suite::RsaSha256) => tlv(0x30, &[&oid("1.2.840.113549.1.1.1"), &Any::null().to_der().unwrap()]),
            (None, _) => tlv(0x30, &[&oid("1.2.840.10045.4.3.2")]),
        };
        let unsigned = if self.unsigned.is_empty() { Vec::new() } else { tlv(0xA1, &[&self.unsigned]) };
        let signer = tlv(0x30, &[&[2, 1, 1], &sid, &sha256, signed, &algorithm, &octet_string(signature), &unsigned]);
        let encapsulated = tlv(0x30, &[&oid(self.content_type), &tlv(0xA0, &[&octet_string(&self.content)])]);
        let certificates = if self.certificates.is_empty() { Vec::new() } else { tlv(0xA0, &[&self.certificates]) };
        let data =
            tlv(0x30, &[&[2, 1, 1], &tlv(0x31, &[&sha256]), &encapsulated, &certificates, &tlv(0x31, &[&signer])]);
        tlv(0x30, &[&oid("1.2.840.113549.1.7.2"), &tlv(0xA0, &[&data])])
    }
}

/// Refused, and by this name.
#[track_caller]
fn refused(report: &Report, by: FindingKind) {
    assert!(report.has(by), "{by:?} is missing: {:?}", report.findings);
    assert_eq!(report.verdict(), Verdict::Invalid, "{:?}", report.findings);
}

#[track_caller]
fn accepted(message: &[u8]) -> Report {
    let report = verify(message).unwrap();
    assert_eq!(report.verdict(), Verdict::SignatureOnly, "{:?}", report.findings);
    report
}

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
fn octets_after_the_message_are_refused() {
    let message = desk().p256.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    refused(&verify(&[message.as_slice(), b"\n"].concat()).unwrap(), FindingKind::TrailingOctets);
    let document = file(DOCUMENT);
    let streamed = desk().p256.openssl_sign(&document, &["-nodetach", "-stream", "-outform", "DER"]);
    accepted(&streamed);
    refused(&verify(&[streamed.as_slice(), b"x"].concat()).unwrap(), FindingKind::TrailingOctets);
}

#[test]
fn a_message_cut_short_anywhere_is_told_as_such() {
    let identity = &desk().p256;
    let message = identity.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    for end in 2..message.len() {
        let refused = verify(&message[..end]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::MessageTruncated, "at {end}: {refused}");
    }
    let streamed = identity.openssl_sign(&file(DOCUMENT), &["-nodetach", "-stream", "-outform", "DER"]);
    for end in 2..streamed.len() {
        let refused = verify(&streamed[..end]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::MessageTruncated, "streamed, at {end}: {refused}");
    }
    let pem = identity.sign(CmsOptions::attached().pem(), &Content::bytes(DOCUMENT)).unwrap();
    for end in 0..pem.len() - 1 {
        let kind = verify(&pem[..end]).unwrap_err().kind();
        let inside = ("-----BEGIN ".len()..find(&pem, b"-----END ")).contains(&end);
        let right = kind == ErrorKind::MessageTruncated || (!inside && kind == ErrorKind::SignatureMalformed);
        assert!(right, "PEM, at {end}: {kind:?}");
    }
    accepted(&pem[..pem.len() - 1]);
}

#[test]
fn other_types_of_cms_are_named() {
    let folder = &desk().folder;
    let document = file(DOCUMENT);
    let key = "00112233445566778899aabbccddeeff";
    let made = |options: &[&str]| {
        run(openssl(folder).arg("cms").args(options).args(["-binary", "-outform", "DER", "-in"]).arg(&document))
    };
    for (message, name) in [
        (
            run(openssl(folder)
                .args(["cms", "-encrypt", "-binary", "-outform", "DER", "-in"])
                .arg(&document)
                .arg("rsa.pem")),
            "EnvelopedData",
        ),
        (made(&["-digest_create", "-md", "sha256"]), "DigestedData"),
        (made(&["-EncryptedData_encrypt", "-aes128", "-secretkey", key]), "EncryptedData"),
        (made(&["-data_create"]), "Data"),
    ] {
        let refused = verify(&message).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::MessageType, "{refused}");
        assert!(refused.to_string().contains(name), "{refused}");
        assert_eq!(verify_detached(DOCUMENT, &message).unwrap_err().kind(), ErrorKind::MessageType);
    }
}

#[test]
fn several_signers_are_refused() {
    let desk = desk();
    let document = file(DOCUMENT);
    let second =
        |identity: &Identity| [identity.pem.clone(), identity.key.clone()].map(|p| p.to_string_lossy().into_owned());
    let [certificate, key] = second(&desk.rsa);
    let two = ["-outform", "DER", "-nodetach", "-signer", &certificate, "-inkey", &key];
    let message = desk.p256.openssl_sign(&document, &two);
    openssl_verify(&message, None, &[]).unwrap();
    refused(&verify(&message).unwrap(), FindingKind::SeveralSigners);

    let one = desk.p256.openssl_sign(&document, &["-outform", "DER", "-nodetach"]);
    let none =
        run(openssl(&desk.folder).args(["crl2pkcs7", "-nocrl", "-outform", "DER", "-certfile"]).arg(&desk.p256.pem));
    accepted(&one);
    refused(&verify_detached(DOCUMENT, &none).unwrap(), FindingKind::NoSignature);
}

#[test]
fn unknown_algorithms_are_named() {
    let document = file(DOCUMENT);
    for identity in [&desk().p256, &desk().rsa] {
        for (md, number) in [("sha512", "2.16.840.1.101.3.4.2.3"), ("sha1", "1.3.14.3.2.26")] {
            let message = identity.openssl_sign(&document, &["-outform", "DER", "-nodetach", "-md", md]);
            let report = verify(&message).unwrap();
            refused(&report, FindingKind::IdentifierUnknown);
            assert!(report.findings.iter().any(|f| f.to_string().contains(number)), "{:?}", report.findings);
        }
    }
    let pss = ["-outform", "DER", "-nodetach", "-keyopt", "rsa_padding_mode:pss"];
    let report = verify(&desk().rsa.openssl_sign(&document, &pss)).unwrap();
    refused(&report, FindingKind::IdentifierUnknown);
    let judge =
        |identity, algorithm| verify(&Bent { algorithm: Some(algorithm), ..Bent::new(identity) }.message()).unwrap();
    let null = Any::null().to_der().unwrap();
    let sha256_with_rsa = || tlv(0x30, &[&oid("1.2.840.113549.1.1.11"), &null]);
    assert_eq!(judge(&desk().rsa, sha256_with_rsa()).verdict(), Verdict::SignatureOnly);
    refused(&judge(&desk().p256, sha256_with_rsa()), FindingKind::KeyMismatch);
    refused(&judge(&desk().rsa, tlv(0x30, &[&oid("1.2.840.10045.4.3.2")])), FindingKind::KeyMismatch);
    refused(&judge(&desk().p256, tlv(0x30, &[&oid("1.2.156.10197.1.501")])), FindingKind::IdentifierUnknown);
    let odd = tlv(0x30, &[&oid("1.2.840.113549.1.1.1"), &[2, 1, 1]]);
    refused(&judge(&desk().rsa, odd), FindingKind::IdentifierUnknown);
}

#[test]
fn a_message_without_a_certificate_needs_one_from_the_caller() {
    let identity = &desk().p256;
    let message = identity.openssl_sign(&file(DOCUMENT), &["-outform", "DER", "-nodetach", "-nocerts"]);
    refused(&verify(&message).unwrap(), FindingKind::CertificateMissing);
    let judge = |certificate| {
        let mut context = no_trust();
        context.certificate = Some(certificate);
        CMS.verify(&Content::bytes(message.as_slice()), None, &context).unwrap()
    };
    assert_eq!(judge(Arc::clone(&identity.certificate)).verdict(), Verdict::SignatureOnly);
    refused(&judge(Arc::clone(&desk().rsa.certificate)), FindingKind::CertificateMissing);
}

#[test]
fn a_document_missing_or_given_twice_is_told_as_such() {
    let identity = &desk().p256;
    let detached = identity.sign(CmsOptions::detached(), &Content::bytes(DOCUMENT)).unwrap();
    refused(&verify(&detached).unwrap(), FindingKind::DocumentAbsent);
    let attached = identity.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    refused(&verify_detached(DOCUMENT, &attached).unwrap(), FindingKind::DocumentTwice);
    refused(&verify_detached(b"other", &attached).unwrap(), FindingKind::DocumentTwice);
    let content = shared_shield::format::cms::content(&Content::bytes(detached), &mut Vec::new());
    assert_eq!(content.unwrap_err().kind(), ErrorKind::Argument);
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
fn what_is_no_message_at_all_is_told_as_such() {
    let certificate = std::fs::read(&desk().p256.pem).unwrap();
    let empty: &[u8] = &[];
    for octets in
        [empty, b"\x30", b"0", b"%PDF-1.7", b"<xml/>", &certificate, desk().p256.certificate.der(), &[0x30, 0x80]]
    {
        let refused = verify(octets).unwrap_err();
        let kinds = [ErrorKind::MessageTruncated, ErrorKind::SignatureMalformed];
        assert!(kinds.contains(&refused.kind()), "{octets:02x?}: {refused}");
    }
    let digest = Content::Digest(Arc::new(DigestAlgorithm::Sha256.of(b"x").unwrap()));
    assert_eq!(CMS.verify(&digest, None, &no_trust()).unwrap_err().kind(), ErrorKind::Argument);
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
fn random_damage_never_panics() {
    let identity = &desk().rsa;
    let document = file(DOCUMENT);
    let messages = [
        identity.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap(),
        identity.sign(CmsOptions::attached().pem(), &Content::bytes(DOCUMENT)).unwrap(),
        identity.openssl_sign(&document, &["-nodetach", "-stream", "-outform", "DER"]),
    ];
    // A fixed generator (xorshift64*), so that a failure can be seen again.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % below
    };
    for _ in 0..4_000 {
        let mut copy = messages[next(messages.len())].clone();
        for _ in 0..=next(4) {
            let place = next(copy.len());
            match next(4) {
                0 => copy[place] = u8::try_from(next(256)).unwrap(),
                1 => copy.truncate(place + 1),
                2 => copy.insert(place, [0x00, 0x30, 0x80, 0xA0, 0xFF][next(5)]),
                _ => drop(copy.drain(place..copy.len().min(place + 1 + next(16)))),
            }
            if copy.is_empty() {
                copy.push(0x30);
            }
        }
        let _ = verify(&copy);
        let _ = verify_detached(DOCUMENT, &copy);
    }
}

#[test]
fn keys_that_cannot_sign_cms_are_refused_before_anything_is_asked() {
    let vector = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
        Arc::new(shared_shield::Certificate::from_pem(&std::fs::read(path).unwrap()).unwrap())
    };
    let prepare = |certificate: &Arc<shared_shield::Certificate>, suites: Vec<Suite>| {
        let context = shared_shield::format::SignContext { suites, ..desk().p256.context() };
        CMS.prepare(&Content::bytes(DOCUMENT), certificate, &context).unwrap_err()
    };
    let sm2 = prepare(&vector("synthetic_sm2_cert.pem"), vec![Suite::Sm2Sm3]);
    assert_eq!(sm2.kind(), ErrorKind::Unsupported, "{sm2}");
    assert!(sm2.to_string().contains("sm2-sm3 in CMS"), "{sm2}");
    let rsa = vector("synthetic_rsa_cert.pem");
    assert_eq!(prepare(&rsa, vec![Suite::RsaSha1]).kind(), ErrorKind::KeyUnsuited);
    assert_eq!(prepare(&desk().p256.certificate, vec![]).kind(), ErrorKind::KeyUnsuited);
    let folder = &desk().folder;
    run(openssl(folder)
        .args(["req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", "old.key", "-out", "old.pem"])
        .args(["-config", "rsa.cnf", "-utf8", "-extensions", "leaf"]));
    let old = Arc::new(shared_shield::Certificate::from_pem(&std::fs::read(folder.join("old.pem")).unwrap()).unwrap());
    assert_eq!(prepare(&old, vec![Suite::RsaSha1, Suite::RsaSha256]).kind(), ErrorKind::KeyUnsuited);
}

#[test]
fn a_damaged_certificate_inside_is_named() {
    let mut bent = Bent::new(&desk().p256);
    let spki = find(&bent.certificates, &oid("1.2.840.10045.2.1"));
    bent.certificates = changed(&bent.certificates, spki + 12);
    let report = verify(&bent.message()).unwrap();
    refused(&report, FindingKind::CertificateUnreadable);
}
