//! Our verdicts beside those of xmlsec1 and OpenSSL, on generated messages and on messages that a program has damaged.

use std::sync::Arc;
use std::time::SystemTime;

use base64ct::{Base64, Encoding};
use shared_shield::format::Format;
use shared_shield::format::ceb::CEB;
use shared_shield::{Content, Profile, RawSignature, Sm2Id, Suite, Trust, Verdict, VerifyContext};

use crate::ceb_kit::{Folder, Signer, customs, have, replace, run_well, say, skip};
use crate::libxml2::{ask_libxml2, python};

const XSI: &str = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
/// Messages that are damaged, and how often in all.
const DAMAGED: usize = 200;

/// Every way of writing a message that customs takes, in every combination: byte order mark, CRLF, comments, `xsi`, one line or indented, the name
/// of the encoding, and which message it is.
fn messages() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for bits in 0..64_u32 {
        let is = |bit: u32| bits & (1 << bit) != 0;
        let (mark, crlf, comments, xsi, one_line, small) = (is(0), is(1), is(2), is(3), is(4), is(5));
        let (new, tab) = if one_line { ("", "") } else { ("\n", "\t") };
        let comment = if comments { "<!-- 合成 -->" } else { "" };
        let xsi = if xsi { XSI } else { "" };
        let number = if small { 311 } else { 621 };
        let encoding = if small { "utf-8" } else { "UTF-8" };
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"{encoding}\"?>{new}{comment}<ceb:CEB{number}Message guid=\"G-{bits}\" version=\"1.0\" \
             xmlns:ceb=\"http://www.chinaport.gov.cn/ceb\"{xsi}>{new}{tab}<ceb:Order>{comment}{new}{tab}{tab}<ceb:note a='1 &lt; 2'>合成\
             样例 &amp; {bits}</ceb:note>{new}{tab}{tab}<ceb:empty/>{new}{tab}</ceb:Order>{new}</ceb:CEB{number}Message>{new}"
        );
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let octets = if mark { [b"\xEF\xBB\xBF", text.as_bytes()].concat() } else { text.into_bytes() };
        let name =
            format!("mark {mark}, crlf {crlf}, comments {comments}, xsi {}, one line {one_line}", !xsi.is_empty());
        all.push((name, octets));
    }
    all
}

/// Valid, with the signer's certificate as the one that is trusted: as xmlsec1 is asked.
fn ours(signer: &Signer, document: &[u8]) -> bool {
    let context = VerifyContext {
        trust: Trust::Pinned(vec![signer.certificate.fingerprint()]),
        role: None,
        profile: Arc::new(Profile::builtin()),
        at: SystemTime::now(),
        certificate: None,
        sm2_id: Sm2Id::default(),
    };
    CEB.verify(&Content::bytes(document), None, &context).is_ok_and(|report| report.verdict() == Verdict::Valid)
}

/// A small generator: the same damage in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(end).unwrap()).unwrap()
    }
}

/// Damages a document in one place; what and where, the dice say.
fn damaged(document: &[u8], dice: &mut Dice) -> (&'static str, Vec<u8>) {
    let mut octets = document.to_vec();
    let at = dice.below(octets.len());
    let far = dice.below(octets.len());
    let (from, to) = (at.min(far), at.max(far));
    let what = match dice.below(9) {
        0 => {
            octets[at] ^= 1 << dice.below(8);
            "a bit"
        }
        1 => {
            octets.remove(at);
            "an octet lost"
        }
        2 => {
            octets.insert(at, octets[at]);
            "an octet twice"
        }
        3 => {
            octets.swap(at, far);
            "two octets exchanged"
        }
        4 => {
            octets.insert(at, b" \t\n\r0Aa<&"[dice.below(9)]);
            "an octet more"
        }
        5 => {
            octets.truncate(at);
            "cut off"
        }
        6 => {
            octets.drain(from..to.min(from + 40));
            "a piece lost"
        }
        7 => {
            let piece = octets[from..to.min(from + 40)].to_vec();
            octets.splice(from..from, piece);
            "a piece twice"
        }
        _ => {
            octets[at] = octets[at].wrapping_add(1);
            "the next octet"
        }
    };
    (what, octets)
}

#[test]
fn xmlsec1_and_we_agree_on_every_form_of_a_message_and_on_damaged_ones() {
    if !have("agreement with xmlsec1", &["openssl", "xmlsec1"]) {
        return;
    }
    let signers = [(Signer::rsa("2048"), false), (Signer::p256(), true)];
    let mut signed = Vec::new();
    for (index, (name, message)) in messages().into_iter().enumerate() {
        let (signer, test) = &signers[index % 2];
        let document = signer.sign(&message, &customs(*test)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(signer.xmlsec_accepts(&document, None), "xmlsec1 refuses: {name}");
        assert!(ours(signer, &document), "we refuse: {name}");
        signed.push((signer, document));
    }
    let mut dice = Dice(621);
    let (mut both, mut differ) = ([0, 0], Vec::new());
    for _ in 0..DAMAGED {
        let (signer, document) = &signed[dice.below(signed.len())];
        let (what, changed) = damaged(document, &mut dice);
        let (theirs, ours) = (signer.xmlsec_accepts(&changed, None), ours(signer, &changed));
        both[usize::from(theirs)] += 1;
        if theirs != ours {
            let first = changed.iter().zip(document).position(|(a, b)| a != b).unwrap_or(document.len());
            let around =
                String::from_utf8_lossy(&changed[first.saturating_sub(30)..changed.len().min(first + 30)]).into_owned();
            differ.push(format!("{what} at {first}: xmlsec1 {theirs}, we {ours}: {around:?}"));
        }
    }
    say(&format!(
        "{} messages and {DAMAGED} damaged ones: xmlsec1 refuses {} of them, accepts {}",
        signed.len(),
        both[0],
        both[1]
    ));
    assert!(signed.len() >= 40 && both[0] > DAMAGED / 2, "{both:?}");
    assert!(differ.is_empty(), "{} differ\n{}", differ.len(), differ.join("\n"));
}

/// The text of an element of the Signature.
fn inside<'d>(document: &'d str, local: &str) -> &'d str {
    let (_, rest) = document.split_once(&format!("<ds:{local}>")).unwrap();
    rest.split_once('<').unwrap().0
}

/// Each with the value of the next one: the digest is right, and OpenSSL alone is what refuses.
fn forged(signed: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let values: Vec<&str> = signed.iter().map(|d| inside(std::str::from_utf8(d).unwrap(), "SignatureValue")).collect();
    let others = values.iter().cycle().skip(1);
    signed.iter().zip(&values).zip(others).map(|((document, own), other)| replace(document, own, other)).collect()
}

/// The three steps of the vectors' index: the digest of what libxml2 makes of the document, SignedInfo as libxml2 makes it, and OpenSSL's word on the
/// value over it.
#[test]
fn openssl_agrees_with_us_on_sm2_messages_of_every_form() {
    if !have("agreement with OpenSSL on SM2", &["openssl"]) {
        return;
    }
    let Some(python) = python() else {
        return skip("agreement with OpenSSL on SM2", "no Python with lxml (Debian: python3-lxml)");
    };
    let signer = Signer::vectors("sm2");
    let signed: Vec<Vec<u8>> =
        messages().into_iter().take(48).map(|(_, message)| signer.sign(&message, &customs(false)).unwrap()).collect();
    let changed: Vec<Vec<u8>> = signed.iter().map(|document| replace(document, "样例", "样本")).collect();
    let folder = Folder::new();
    let public = run_well("openssl", &["pkey", "-in", signer.key.to_str().unwrap(), "-pubout"]).stdout;
    let public = folder.write("public.pem", &public);
    let steps = |document: &[u8], without: &[u8], signed_info: &[u8]| {
        let text = String::from_utf8(document.to_vec()).unwrap();
        let input = folder.write("input", without);
        let digest = run_well("openssl", &["dgst", "-sm3", "-binary", input.to_str().unwrap()]).stdout;
        let digest_is_right = Base64::encode_string(&digest) == inside(&text, "DigestValue");
        let raw =
            RawSignature::new(Suite::Sm2Sm3, Base64::decode_vec(inside(&text, "SignatureValue")).unwrap()).unwrap();
        let signature = folder.write("signature", &raw.to_wire().unwrap());
        let message = folder.write("message", signed_info);
        let arguments = [
            "dgst",
            "-sm3",
            "-verify",
            public.to_str().unwrap(),
            "-signature",
            signature.to_str().unwrap(),
            "-sigopt",
            "distid:1234567812345678",
            message.to_str().unwrap(),
        ];
        digest_is_right && crate::ceb_kit::run("openssl", &arguments).status.success()
    };
    let all: Vec<Vec<u8>> = signed.iter().chain(&changed).cloned().chain(forged(&signed)).collect();
    let mut agreed = [0, 0];
    for (index, (document, [_, without, signed_info])) in all.iter().zip(ask_libxml2(python, &all)).enumerate() {
        let theirs = steps(document, &without.unwrap(), &signed_info.unwrap());
        let context = VerifyContext {
            trust: Trust::Pinned(vec![signer.certificate.fingerprint()]),
            role: None,
            profile: Arc::new(Profile::builtin()),
            at: crate::ceb_kit::vectors_time(),
            certificate: None,
            sm2_id: Sm2Id::default(),
        };
        let report = CEB.verify(&Content::bytes(document.clone()), None, &context).unwrap();
        assert_eq!(report.verdict() == Verdict::Valid, theirs, "{index}: {:?}", report.findings);
        assert_eq!(theirs, index < signed.len(), "{index}");
        agreed[usize::from(theirs)] += 1;
    }
    say(&format!(
        "{} SM2 messages right, {} changed or forged ones wrong, for OpenSSL and for us",
        agreed[1], agreed[0]
    ));
    assert!(agreed[1] >= 40 && agreed[0] == 2 * agreed[1], "{agreed:?}");
}
