//! Messages made to exhaust whoever reads them, and how each is refused.

use std::io::Write;

use shared_shield::format::xmldsig::MAX_OCTETS;
use shared_shield::{Content, ErrorKind};

use crate::ceb_kit;

/// What it is, the document, and how it is refused.
pub(crate) type Attack = (&'static str, Content, ErrorKind);

const CEB_NAMESPACE: &str = "xmlns:ceb='http://www.chinaport.gov.cn/ceb'";

/// A message around something.
fn root(inside: &str) -> String {
    format!("<ceb:CEB621Message {CEB_NAMESPACE}>{inside}</ceb:CEB621Message>")
}

/// 100 MB of each, and as much as is read at all.
pub(crate) fn large_attacks(folder: &ceb_kit::Folder) -> Vec<Attack> {
    use ErrorKind::{DocumentTooDeep, DocumentTooLarge};
    let large = |name: &str, begin: &str, piece: &str, octets: usize| {
        let path = folder.0.join(name);
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        let pieces = octets / piece.len();
        file.write_all(begin.as_bytes()).unwrap();
        (0..pieces).for_each(|_| file.write_all(piece.as_bytes()).unwrap());
        file.flush().unwrap();
        Content::file(path)
    };
    let (huge, full) = (100_000_000, MAX_OCTETS - 200);
    let open = format!("<ceb:CEB621Message {CEB_NAMESPACE}");
    vec![
        ("100 MB of nesting", large("nesting", &format!("{open}>"), "<a>", huge), DocumentTooLarge),
        ("100 MB of attributes", large("attributes", &open, " a='b'", huge), DocumentTooLarge),
        ("100 MB of one attribute", large("attribute", &format!("{open} a='"), "xxxxxxxx", huge), DocumentTooLarge),
        ("100 MB of namespaces", large("namespaces", &open, " xmlns:a='urn:a'", huge), DocumentTooLarge),
        ("100 MB of comments", large("comments", &format!("{open}>"), "<!-- -->", huge), DocumentTooLarge),
        ("8 MiB of nesting", large("nesting-8", &format!("{open}>"), "<a>", full), DocumentTooDeep),
        ("8 MiB of attributes", large("attributes-8", &open, " a='b'", full), DocumentTooLarge),
        (
            "8 MiB of attributes that differ",
            Content::bytes(format!("{open}{}/>", different(full / 14))),
            DocumentTooLarge,
        ),
        ("8 MiB of references", Content::bytes(root(&"&#x41;".repeat(full / 6))), DocumentTooLarge),
    ]
}

/// Entities, declarations, identifiers.
pub(crate) fn small_attacks() -> Vec<Attack> {
    use ErrorKind::{DocumentAmbiguous, DocumentDtd, DocumentMalformed};
    let laughs: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    vec![
        (
            "an expansion of entities",
            Content::bytes(format!("<!DOCTYPE a [<!ENTITY l0 'ha'>{laughs}]>{}", root("&l9;"))),
            DocumentDtd,
        ),
        (
            "a quadratic expansion",
            Content::bytes(format!(
                "<!DOCTYPE a [<!ENTITY a '{}'>]>{}",
                "x".repeat(50_000),
                root(&"&a;".repeat(50_000))
            )),
            DocumentDtd,
        ),
        (
            "an external entity",
            Content::bytes(format!("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>{}", root("&x;"))),
            DocumentDtd,
        ),
        (
            "an external entity on the network",
            Content::bytes(format!("<!DOCTYPE a [<!ENTITY x SYSTEM 'http://127.0.0.1:1/x'>]>{}", root("&x;"))),
            DocumentDtd,
        ),
        (
            "a parameter entity",
            Content::bytes(format!("<!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///dev/zero'> %x;]>{}", root(""))),
            DocumentDtd,
        ),
        ("an external DTD", Content::bytes(format!("<!DOCTYPE a SYSTEM 'file:///dev/zero'>{}", root(""))), DocumentDtd),
        (
            "default attributes",
            Content::bytes(format!("<!DOCTYPE a [<!ATTLIST a b CDATA 'c'>]>{}", root(""))),
            DocumentDtd,
        ),
        ("an entity that nobody declared", Content::bytes(root("&evil;")), DocumentMalformed),
        ("an identifier twice", Content::bytes(root("<a Id='x'/><b Id='x'/>")), DocumentAmbiguous),
        ("an xml:id twice", Content::bytes(root("<a xml:id='x'/><b xml:id='x'/>")), DocumentAmbiguous),
        ("an identifier in two spellings", Content::bytes(root("<a ID='x'/><b id='x'/>")), DocumentAmbiguous),
    ]
}

fn different(count: usize) -> String {
    (0..count).map(|i| format!(" a{i:07}='bb'")).collect()
}
