//! What we sign, xmlsec1 accepts, and refuses with one octet changed; what xmlsec1 signs, we accept.
#![cfg(all(feature = "xml", feature = "rsa"))]

#[path = "support/c14n_gen.rs"]
mod c14n_gen;
#[path = "support/ceb_kit.rs"]
mod ceb_kit;

use std::time::SystemTime;

use ceb_kit::{Signer, customs, have, replace, report, run_well, sample, say};
use shared_shield::{FindingKind, Suite, Verdict};

const SAMPLES: [&str; 2] = ["CEB621.xml", "CEB311.xml"];

fn signers() -> [(Signer, bool, Suite); 3] {
    [
        (Signer::rsa("2048"), false, Suite::RsaSha1),
        (Signer::rsa("1024"), false, Suite::RsaSha1),
        (Signer::p256(), true, Suite::P256Sha256),
    ]
}

/// Takes the Signature element out again.
fn without_signature(signed: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(signed.to_vec()).unwrap();
    let (before, rest) = text.split_once("<ds:Signature xmlns:ds=").unwrap();
    let (_, after) = rest.split_once("</ds:Signature>").unwrap();
    [before, after].concat().into_bytes()
}

#[test]
fn the_sample_declarations_are_accepted_by_xmlsec1_and_refused_with_one_octet_changed() {
    if !have("samples against xmlsec1", &["openssl", "xmlsec1"]) {
        return;
    }
    for (signer, test, suite) in signers() {
        for name in SAMPLES {
            let document = sample(name);
            let signed = signer.sign(&document, &customs(test)).unwrap();
            assert_eq!(without_signature(&signed), document, "{name}: octets outside the signature");
            assert!(signer.xmlsec_accepts(&signed, None), "{name} {suite}");
            let ours = report(&signed, SystemTime::now());
            assert_eq!(ours.verdict(), Verdict::SignatureOnly, "{name} {suite}: {:?}", ours.findings);
            assert_eq!(ours.suite, Some(suite));
            assert_eq!(ours.has(FindingKind::TestIdentifiers), test);
            // One octet each in the body, in DigestValue and in SignatureValue.
            let text = String::from_utf8(signed.clone()).unwrap();
            for place in ["合成买家", "<ds:DigestValue>", "<ds:SignatureValue>"] {
                let mut changed = signed.clone();
                let at = text.find(place).unwrap() + place.len() + if place.starts_with('<') { 3 } else { 2 };
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                assert!(!signer.xmlsec_accepts(&changed, None), "{name} {suite} {place}");
                let verdict = report_or_invalid(&changed);
                assert_eq!(verdict, Verdict::Invalid, "{name} {suite} {place}");
            }
        }
    }
}

fn report_or_invalid(document: &[u8]) -> Verdict {
    use shared_shield::format::Format;
    let content = shared_shield::Content::bytes(document);
    shared_shield::format::ceb::CEB
        .verify(&content, None, &ceb_kit::context(SystemTime::now()))
        .map_or(Verdict::Invalid, |r| r.verdict())
}

/// Documents whose end tag, namespaces or line ends could mislead a signer that searches text.
fn odd_documents() -> Vec<String> {
    let ceb = "http://www.chinaport.gov.cn/ceb";
    let end = "</ceb:CEB311Message>";
    let body = format!("<ceb:CEB311Message guid='G-1' xmlns:ceb='{ceb}'>\n\t<ceb:note>合成</ceb:note>\n");
    vec![
        format!("{body}{end}<!-- {end} -->"),
        format!("{body}{end}\n<?after {end}?>\n"),
        format!("<!-- {end} --><?before {end}?>\n{body}<!-- {end} --></ceb:CEB311Message\n\t>\n"),
        format!("{body}<![CDATA[{end}]]>{end}"),
        format!("\u{FEFF}<?xml version='1.0' encoding='utf-8'?>\r\n{}", body.replace('\n', "\r\n")) + end,
        format!("{}{end}", body.replace('\n', "\r")),
        format!("<CEB621Message xmlns='{ceb}'></CEB621Message>"),
        format!("<CEB621Message xmlns='{ceb}' xmlns:ds='urn:other' ds:a='1'><ds:b/></CEB621Message>"),
        format!("<c:CEB621Message xmlns:c='{ceb}' xmlns:ds='http://www.w3.org/2000/09/xmldsig#'>x</c:CEB621Message>"),
        format!("<c:CEB621Message xmlns:c='{ceb}' xml:lang='zh' xml:space='preserve'> </c:CEB621Message>"),
        format!("<c:CEB621Message xmlns:c='{ceb}' b='\t1\r\n2\n3' a=\"&#9;&quot;'\">&#13;\r\n&#xD;</c:CEB621Message>"),
    ]
}

#[test]
fn documents_that_would_fool_a_text_search_are_signed_where_the_parser_says() {
    if !have("odd documents against xmlsec1", &["openssl", "xmlsec1"]) {
        return;
    }
    let signer = Signer::rsa("2048");
    let mut rng = c14n_gen::Rng::new(621);
    let random = (0..60).map(|_| {
        let (before, after) = (c14n_gen::element(&mut rng), c14n_gen::element(&mut rng));
        format!("<q:CEB621Message xmlns:q='http://www.chinaport.gov.cn/ceb'>{before}\n{after}</q:CEB621Message>")
    });
    let (mut signed, mut refused) = (0, 0);
    for document in odd_documents().into_iter().chain(random) {
        let result = match signer.sign(document.as_bytes(), &customs(false)) {
            Ok(result) => result,
            // The generator may give one identifier twice, or one attribute under two prefixes.
            Err(error) if error.what().is_some_and(|what| what.contains("twice")) => {
                refused += 1;
                continue;
            }
            Err(error) => panic!("{error}: {document:?}"),
        };
        signed += 1;
        assert_eq!(without_signature(&result), document.as_bytes(), "{document:?}");
        assert!(signer.xmlsec_accepts(&result, None), "{document:?}");
        assert_eq!(report(&result, SystemTime::now()).verdict(), Verdict::SignatureOnly, "{document:?}");
    }
    say(&format!("{signed} signed and accepted, {refused} refused"));
    assert!(signed > 50);
}

/// A sample with an empty signature that xmlsec1 fills in.
fn template(method: &str, digest: &str) -> Vec<u8> {
    let signature = format!(
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\n  <ds:SignedInfo>\n    \
         <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"/>\n    \
         <ds:SignatureMethod Algorithm=\"{method}\"/>\n    <ds:Reference URI=\"\">\n      <ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/></ds:Transforms>\n      \
         <ds:DigestMethod Algorithm=\"{digest}\"/>\n      <ds:DigestValue/>\n    </ds:Reference>\n  </ds:SignedInfo>\n  \
         <ds:SignatureValue/>\n  <ds:KeyInfo><ds:KeyName>0abc0001</ds:KeyName><ds:X509Data><ds:X509Certificate/>\
         </ds:X509Data></ds:KeyInfo>\n</ds:Signature>\n"
    );
    replace(&sample("CEB621.xml"), "</ceb:CEB621Message>", &(signature + "</ceb:CEB621Message>"))
}

#[test]
fn documents_that_xmlsec1_signed_are_accepted() {
    if !have("signed by xmlsec1", &["openssl", "xmlsec1"]) {
        return;
    }
    let more = "http://www.w3.org/2001/04/xmldsig-more#";
    let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    let old = "http://www.w3.org/2000/09/xmldsig#";
    for (signer, method, digest) in [
        (Signer::rsa("2048"), format!("{old}rsa-sha1"), format!("{old}sha1")),
        (Signer::rsa("2048"), format!("{more}rsa-sha256"), sha256.to_owned()),
        (Signer::p256(), format!("{more}ecdsa-sha256"), sha256.to_owned()),
    ] {
        let input = signer.folder.write("template.xml", &template(&method, &digest));
        let output = signer.folder.0.join("signed.xml");
        let key = format!("{},{}", signer.key.display(), signer.pem.display());
        run_well(
            "xmlsec1",
            &["--sign", "--privkey-pem:0abc0001", &key, "--output", output.to_str().unwrap(), input.to_str().unwrap()],
        );
        let signed = std::fs::read(&output).unwrap();
        let ours = report(&signed, SystemTime::now());
        assert_eq!(ours.verdict(), Verdict::SignatureOnly, "{method}: {:?}", ours.findings);
        assert!(!ours.has(FindingKind::KeyNameOther), "{method}: {:?}", ours.findings);
        let changed = report(&replace(&signed, "绿茶", "红茶"), SystemTime::now());
        assert!(changed.has(FindingKind::DigestWrong) && changed.verdict() == Verdict::Invalid, "{method}");
    }
}
