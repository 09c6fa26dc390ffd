//! Certificates that OpenSSL made with SM2 keys, and certificates that were signed here.

use std::sync::Arc;

use der::{Decode, Encode};
use shared_shield::{Certificate, RawSignature, Suite, ToBeSigned, Trust, VerifyContext};

use crate::desk::{DISTID, changed, new_key, oid, read_certificate, sign, sm2, tlv, well};
use crate::kit::{Scratch, judging, openssl, path_text};

const EXTENSIONS: &str = "\
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
keyUsage = critical,digitalSignature,nonRepudiation
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

/// A root, an intermediate and an end certificate by OpenSSL.
struct Chain {
    scratch: Scratch,
    root: Arc<Certificate>,
    middle: Arc<Certificate>,
    end: Arc<Certificate>,
}

impl Chain {
    fn new(distid: &str) -> Self {
        let scratch = Scratch::new();
        scratch.file("x.cnf", format!("[req]\ndistinguished_name = none\n[none]\n{EXTENSIONS}").as_bytes());
        let chain = |name: &str| scratch.path(name);
        let (config, root_key) = (chain("x.cnf"), new_key(&scratch, "root.key"));
        let root = chain("root.pem");
        let common = ["req", "-x509", "-sm3", "-sigopt", distid, "-days", "3650", "-config", &config, "-extensions"];
        let own = ["ca", "-key", &root_key, "-subj", "/CN=Root (SYNTHETIC)", "-out", &root];
        well(&[&common[..], &own].concat());
        let issue = |name: &str, by: &str, kind: &str| {
            let (key, request) = (new_key(&scratch, &format!("{name}.key")), chain(&format!("{name}.csr")));
            let subject = format!("/CN={name} (SYNTHETIC)");
            let asking = ["req", "-new", "-sm3", "-sigopt", distid, "-key", &key, "-subj", &subject, "-out", &request];
            well(&[&asking[..], &["-config", &config]].concat());
            let (by_pem, by_key) = (chain(&format!("{by}.pem")), chain(&format!("{by}.key")));
            let (out, serial) = (chain(&format!("{name}.pem")), format!("0x03000000000000{:02x}", name.len()));
            let issuing =
                ["x509", "-req", "-sm3", "-sigopt", distid, "-vfyopt", distid, "-days", "3650", "-in", &request];
            let from = ["-CA", &by_pem, "-CAkey", &by_key, "-set_serial", &serial, "-extfile", &config];
            well(&[&issuing[..], &from, &["-extensions", kind, "-out", &out]].concat());
            read_certificate(&out)
        };
        let middle = issue("middle", "root", "ca");
        let end = issue("end", "middle", "leaf");
        Chain { root: read_certificate(&root), middle, end, scratch }
    }
}

#[test]
fn a_chain_by_openssl_verifies_here_and_is_no_longer_than_its_signatures() {
    let Chain { root, middle, end, scratch } = Chain::new(DISTID);
    assert_eq!(end.check_issued_by(&middle), Ok(()));
    assert_eq!(middle.check_issued_by(&root), Ok(()));
    assert_eq!(root.check_issued_by(&root), Ok(()));
    assert!(end.check_issued_by(&root).is_err());
    // OpenSSL's word on the one step that its option reaches.
    let (ca, leaf) = (scratch.path("middle.pem"), scratch.path("end.pem"));
    let check = ["verify", "-partial_chain", "-vfyopt", DISTID, "-CAfile", &ca];
    well(&[&check[..], &[&leaf]].concat());
    // One octet changed in what is signed, or in the signature.
    let mut read = 0;
    for place in (0..end.der().len()).step_by(7) {
        if let Ok(other) = Certificate::from_der(&changed(end.der(), place)) {
            read += 1;
            assert!(other.check_issued_by(&middle).is_err(), "octet {place}");
        }
    }
    assert!(read > 20, "{read}");
    // The signer's issuer is an intermediate that is trusted.
    let trusted = |anchors: Vec<Arc<Certificate>>| {
        let context = VerifyContext { trust: Trust::Anchors(anchors), ..judging(&end) };
        let mut report = shared_shield::Report::new("test");
        report.judge_certificate(&end, &context);
        report.findings.iter().map(|f| f.kind).collect::<Vec<_>>()
    };
    assert_eq!(trusted(vec![middle.clone()]), []);
    assert_eq!(trusted(vec![root]), [shared_shield::FindingKind::CertificateUntrusted]);
}

#[test]
fn a_certificate_that_was_signed_under_another_identifier_is_not_believed() {
    let Chain { middle, end, .. } = Chain::new("distid:ALICE123@YAHOO.COM");
    assert_eq!(end.check_issued_by(&middle), Err(("its signature is not the issuer's", "其签名不是签发者所作")));
}

/// The vector's certificate, signed here by its own key over TBSCertificate with these parameters of SM2-with-SM3.
fn signed_here(parameters: &[u8]) -> Vec<u8> {
    let algorithm = tlv(0x30, &[&oid("1.2.156.10197.1.501"), parameters]);
    let tbs = x509_cert::Certificate::from_der(sm2().der()).unwrap().tbs_certificate().to_der().unwrap();
    let old = tlv(0x30, &[&oid("1.2.156.10197.1.501")]);
    let place = tbs.windows(old.len()).position(|w| w == old).unwrap();
    let body = &tbs[4..]; // SEQUENCE with two octets of length
    assert_eq!(tbs[1], 0x82);
    let tbs = tlv(0x30, &[&body[..place - 4], &algorithm, &body[place - 4 + old.len()..]]);
    let prepared = ToBeSigned::over(Suite::Sm2Sm3, sm2().key().unwrap(), &tbs).unwrap();
    let signature = sign(&prepared).to_wire().unwrap();
    tlv(0x30, &[&tbs, &algorithm, &tlv(0x03, &[&[0], &signature])])
}

#[test]
fn certificates_with_and_without_null_parameters_are_read_here_and_ours_verify_in_openssl() {
    let scratch = Scratch::new();
    for (parameters, name) in [(&[][..], "absent"), (&[0x05, 0x00], "NULL")] {
        let der = signed_here(parameters);
        let certificate = Certificate::from_der(&der).unwrap();
        assert_eq!(certificate.check_issued_by(&certificate), Ok(()), "{name}");
        assert_eq!(certificate.number(), "0300000000000001");
        // -check_ss_sig has no use: the option does not reach an anchor. So the vector's certificate is the anchor, whose key it is.
        let file = scratch.file("ours.der", &der);
        let judge = |file: &str| {
            let anchor = path_text("synthetic_sm2_cert.pem");
            let arguments = ["verify", "-vfyopt", DISTID, "-partial_chain", "-CAfile", &anchor, file];
            openssl(&arguments, b"").status.success()
        };
        // An anchor with the same name and number is found before the signature is looked at: the subject is bent, so that it is another.
        let bent = renamed(&der);
        let right = scratch.file("right.der", &bent);
        assert!(judge(&right), "{name}");
        let wrong = scratch.file("wrong.der", &changed(&bent, bent.len() - 1));
        assert!(!judge(&wrong), "{name}");
        assert!(Certificate::from_der(&std::fs::read(file).unwrap()).is_ok());
    }
}

/// The same with another subject, signed here anew.
fn renamed(der: &[u8]) -> Vec<u8> {
    let inner = x509_cert::Certificate::from_der(der).unwrap();
    let algorithm = inner.signature_algorithm().to_der().unwrap();
    let mut tbs = inner.tbs_certificate().to_der().unwrap();
    let place = tbs.windows(13).rposition(|w| w == b"Test Operator").unwrap();
    tbs[place] = b'B';
    let prepared = ToBeSigned::over(Suite::Sm2Sm3, sm2().key().unwrap(), &tbs).unwrap();
    let signature: RawSignature = sign(&prepared);
    tlv(0x30, &[&tbs, &algorithm, &tlv(0x03, &[&[0], &signature.to_wire().unwrap()])])
}
