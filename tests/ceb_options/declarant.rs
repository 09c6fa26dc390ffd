//! Who declares: the company that a message names and the one of the certificate.

use shared_shield::format::ceb::{MESSAGES, Message, SignatureRule};
use shared_shield::{CebOptions, ErrorKind, Note, Recovery};

use crate::ceb_kit::{Signer, customs, replace, sample};
use crate::test_ca::Holder;
use crate::{P256, eport, prepared, refusal};

const CODE: &str = "<ceb:agentCode>91000000MA0SYN001X</ceb:agentCode>";
const NAME: &str = "<ceb:agentName>合成样例贸易有限公司</ceb:agentName>";

fn notes(signer: &Signer, document: &[u8]) -> Vec<Note> {
    let mut notes = prepared(signer, CebOptions::default(), document, &customs(true)).unwrap().1;
    notes.retain(|note| !matches!(note, Note::Sha1 | Note::TestProfile));
    notes
}

/// One order of a message with these fields.
fn message(number: u16, fields: &str) -> Vec<u8> {
    format!(
        "<ceb:CEB{number}Message xmlns:ceb=\"http://www.chinaport.gov.cn/ceb\" guid=\"G\" version=\"1.0\"><ceb:Order>{fields}\
         </ceb:Order></ceb:CEB{number}Message>"
    )
    .into_bytes()
}

#[test]
fn the_table_has_the_messages_of_the_specification_with_their_rules() {
    let numbers = |rule| -> Vec<u16> { MESSAGES.iter().filter(|m| m.signature == rule).map(|m| m.number).collect() };
    // manual::customs §1.2.
    assert_eq!(numbers(SignatureRule::Mandatory), [509, 603, 605, 607, 621, 623, 625, 701, 711]);
    assert_eq!(numbers(SignatureRule::Optional), [213, 215, 303, 311, 403, 411, 505, 507, 511, 513]);
    assert!(MESSAGES.windows(2).all(|pair| pair[0].number < pair[1].number), "by number, each once");
    for message in MESSAGES.iter().filter(|m| m.signature != SignatureRule::Never) {
        let receipt = Message::by_number(message.number + 1).unwrap();
        assert_eq!(receipt.signature, SignatureRule::Never, "{receipt:?}");
        assert!(!message.title.is_empty() && !message.title_zh.is_empty());
    }
    assert_eq!(Message::by_number(621).unwrap().declarant.unwrap().answer, Some("-621015"));
    assert_eq!(Message::by_number(625).unwrap().declarant.unwrap().answer, Some("-625013"));
}

#[test]
fn a_receipt_of_customs_is_not_signed_and_an_unknown_message_says_so() {
    let signer = eport(P256, &Holder::default());
    for number in [312, 622, 900] {
        let error = refusal(&signer, CebOptions::default(), &message(number, ""));
        assert_eq!((error.kind(), error.recovery()), (ErrorKind::MessageNeverSigned, Recovery::FixDocument), "{error}");
        assert!(error.to_string().contains(&format!("CEB{number}")), "{error}");
    }
    assert_eq!(notes(&signer, &message(999, "")), [Note::MessageUnknown]);
    assert_eq!(notes(&signer, &message(311, "<ceb:appStatus>1</ceb:appStatus>")), [Note::Draft]);
    assert_eq!(notes(&signer, &message(311, "<ceb:appStatus> 2\n</ceb:appStatus>")), []);
}

#[test]
fn a_declarant_that_is_not_the_certificates_company_is_refused_with_the_code_of_customs() {
    let signer = eport(P256, &Holder::default());
    let d = sample("CEB621.xml");
    assert_eq!(notes(&signer, &d), []);
    let line = d.split(|o| *o == b'\n').position(|l| l.windows(9).any(|w| w == b"agentCode")).unwrap() + 1;
    for (from, to) in [
        (CODE, "<ceb:agentCode>91000000MA0SYN002X</ceb:agentCode>"),
        (NAME, "<ceb:agentName>合成样例报关有限公司</ceb:agentName>"),
        // Both codes are right, one after the other: which of them would customs read?
        (CODE, &CODE.repeat(2)),
        // Another company's, as it is printed and in full width.
        (CODE, "<ceb:agentCode>MA0SYN00-2</ceb:agentCode>"),
        (CODE, "<ceb:agentCode>９１００００００MA0SYN002X</ceb:agentCode>"),
        // A comment is no part of what is signed.
        (NAME, "<ceb:agentName>合成样例<!-- 贸易 -->有限公司</ceb:agentName>"),
    ] {
        let error = refusal(&signer, CebOptions::default(), &replace(&d, from, to));
        assert_eq!((error.kind(), error.recovery()), (ErrorKind::DeclarantMismatch, Recovery::FixDocument), "{to}");
        let text = error.to_string();
        for word in ["-621015", "MA0SYN001", "合成样例贸易有限公司", &format!("line {line}")] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains("SYNTHETIC"), "neither the holder nor an identity number: {text}");
        let (_, notes) = prepared(
            &signer,
            CebOptions::default().even_for_another_declarant(),
            &replace(&d, from, to),
            &customs(true),
        )
        .unwrap();
        assert!(notes.contains(&Note::DeclarantOther), "{notes:?}");
    }
}

#[test]
fn every_order_of_a_message_is_compared_and_the_answer_is_that_of_the_message() {
    let signer = eport(P256, &Holder::default());
    let other = "<ceb:agentName>合成样例报关有限公司</ceb:agentName>";
    let two = |last: &str| message(625, &format!("<ceb:a>{CODE}{NAME}</ceb:a><ceb:a>{CODE}{last}</ceb:a>"));
    assert_eq!(notes(&signer, &two(NAME)), []);
    let error = refusal(&signer, CebOptions::default(), &two(other)).to_string();
    assert!(error.contains("-625013") && error.contains("合成样例报关有限公司"), "{error}");
    for number in [603, 605, 607, 623, 701, 213] {
        let error = refusal(&signer, CebOptions::default(), &message(number, other)).to_string();
        assert!(error.contains("with which code customs would answer is not known"), "{error}");
    }
    // What a person is shown is short, and nothing of it steers a terminal.
    let hostile = format!("<ceb:agentName>{}\u{202e}</ceb:agentName>", "公".repeat(500));
    let error = refusal(&signer, CebOptions::default(), &message(621, &hostile)).to_string();
    assert!(error.chars().count() < 600 && !error.contains('\u{202e}'), "{error}");
}

#[test]
fn what_cannot_be_compared_or_is_not_known_to_matter_is_a_note() {
    let signer = eport(P256, &Holder::default());
    let customs_code = "<ceb:agentCode>1105910159</ceb:agentCode>";
    let code = |code: &str| format!("<ceb:agentCode>{code}</ceb:agentCode>{NAME}");
    for (document, expected) in [
        (message(621, &format!("{customs_code}{NAME}")), vec![]),
        (message(621, customs_code), vec![Note::DeclarantUnchecked]),
        (message(621, ""), vec![Note::DeclarantUnchecked]),
        (message(621, "<ceb:agentName> 合成样例贸易 有限公司 </ceb:agentName>"), vec![Note::DeclarantSpelling]),
        (message(621, "<ceb:agentName>合成样例贸易有限公司 </ceb:agentName>"), vec![Note::DeclarantSpelling]),
        (
            message(621, &format!("<ceb:agentCode>\n91000000MA0SYN001X</ceb:agentCode>{NAME}")),
            vec![Note::DeclarantSpelling],
        ),
        // Codes that no company has, and one that a reader may find in another element, whatever the name says.
        (message(621, &code("91000000MA0SYN002")), vec![Note::DeclarantUnchecked]),
        (message(621, &code("MA0 SYN001")), vec![Note::DeclarantUnchecked]),
        (message(621, &code("<ceb:z>91000000MA0SYN002X</ceb:z>")), vec![Note::DeclarantUnchecked]),
        (message(621, &format!("{}<ceb:agentName><ceb:z/></ceb:agentName>", CODE)), vec![Note::DeclarantUnchecked]),
        (
            message(621, &format!("<ceb:agentCode>11059</ceb:agentCode>{}", code("10159"))),
            vec![Note::DeclarantUnchecked],
        ),
        // The right one in other letters.
        (message(621, &code("MA0SYN00-1")), vec![Note::DeclarantSpelling]),
        (message(621, &code("９１００００００MA0SYN001X")), vec![Note::DeclarantSpelling]),
        // A carrier, which the schema names as sender.
        (message(511, "<ceb:logisticsName>合成样例物流有限公司</ceb:logisticsName>"), vec![Note::DeclarantOther]),
        (message(511, "<ceb:logisticsName>合成样例贸易有限公司</ceb:logisticsName>"), vec![]),
        (message(711, "<ceb:operatorCode>91000000MA0SYN002X</ceb:operatorCode>"), vec![Note::DeclarantOther]),
        // An order may be sent by one of several companies.
        (message(311, "<ceb:ebcName>合成样例进出口有限公司</ceb:ebcName>"), vec![]),
    ] {
        assert_eq!(notes(&signer, &document), expected, "{}", String::from_utf8_lossy(&document));
    }
    let nobody = Signer::p256();
    assert_eq!(notes(&nobody, &sample("CEB621.xml")), [Note::DeclarantUnchecked]);
}
