//! What a login challenge must not be: the beginning of something that a signature of this key could be abused for.
//!
//! The text of `manual::threats` says why each is here, and what no guard can tell.

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::format::double::{Named, STRING_179, header, sequence_of_oid};

/// What `challenge` begins as, where that is more than a random.
pub(super) fn begins_as(challenge: &[u8]) -> Option<Named> {
    let text = after_blanks(challenge);
    text_form(text).or_else(|| der_form(challenge)).or_else(|| ssh_form(challenge))
}

/// What follows white space, byte order marks (of UTF-8 and UTF-16) and the NUL that UTF-16BE puts before a character:
/// sloppy readers pass over all of them.
fn after_blanks(mut octets: &[u8]) -> &[u8] {
    loop {
        octets = match octets {
            [0xEF, 0xBB, 0xBF, rest @ ..] | [0xFF, 0xFE, rest @ ..] | [0xFE, 0xFF, rest @ ..] => rest,
            [0 | b'\t'..=b'\r' | b' ', rest @ ..] => rest,
            _ => return octets,
        };
    }
}

fn text_form(text: &[u8]) -> Option<Named> {
    // NULs between letters are UTF-16.
    let narrow: Vec<u8> = text.iter().copied().filter(|o| *o != 0).collect();
    let begins = |prefix: &str| narrow.get(..prefix.len()).is_some_and(|p| p.eq_ignore_ascii_case(prefix.as_bytes()));
    if begins("<") {
        // An XML document, and before all SignedInfo of a customs message (manual::customs §1.3).
        return Some(("XML, such as a SignedInfo", "XML，例如 SignedInfo"));
    }
    if begins("\"sessionID\"") || begins("\"payExchangeInfo") {
        return Some(STRING_179);
    }
    // White space may stand between the first two signs of JSON (RFC 8259 §2).
    let tight: Vec<u8> = narrow.iter().copied().filter(|o| !o.is_ascii_whitespace()).take(2).collect();
    if matches!(tight.as_slice(), b"{\"" | b"[{" | b"[\"") {
        return Some(("JSON", "JSON"));
    }
    if begins("TLS 1.3, ") {
        // RFC 8446 §4.4.3: 64 spaces, then this. A signature over it logs in to a server by TLS.
        return Some(("the handshake of TLS 1.3", "TLS 1.3 握手"));
    }
    if begins("SSHSIG") {
        return Some(("an SSH signature", "SSH 签名"));
    }
    // RFC 7515 §5.1: base64url of {"… is eyJ or eyI; then a dot and the payload.
    if (begins("eyJ") || begins("eyI") || begins("eyA") || is_object_in_base64(&narrow)) && narrow.contains(&b'.') {
        return Some(("a JSON web token", "JSON Web 令牌"));
    }
    if begins("-----BEGIN ") {
        return Some(("PEM", "PEM"));
    }
    None
}

/// Whether the text before the first dot is a JSON object in base64url, whatever white space stands in it.
fn is_object_in_base64(text: &[u8]) -> bool {
    let first = text.split(|o| *o == b'.').next().unwrap_or_default();
    // The beginning is enough, so what is left of a last group is not looked at.
    let groups: Vec<u8> = first.chunks_exact(4).flatten().copied().collect();
    let decoded = std::str::from_utf8(&groups).ok().and_then(|groups| Base64UrlUnpadded::decode_vec(groups).ok());
    decoded.is_some_and(|octets| after_blanks(&octets).first() == Some(&b'{'))
}

/// SET (0x31) and SEQUENCE (0x30).
///
/// Both tags are digits in ASCII, and one random in 128 begins with one of them, so the tag alone proves nothing. A signature can be
/// abused only for a value that is whole, and such a value's length field accounts for exactly what follows. What has the inner
/// structure of attributes or of an algorithm identifier is refused even where its length does not.
fn der_form(octets: &[u8]) -> Option<Named> {
    let set = match octets.first() {
        Some(0x31) => true,
        Some(0x30) => false,
        _ => return None,
    };
    let (length, content) = header(octets)?;
    // The indefinite form (X.690 §8.1.3.6) ends with two zero octets.
    let whole = length.map_or_else(|| content.ends_with(&[0, 0]), |l| l == content.len());
    match set {
        true if whole || sequence_of_oid(content) => {
            Some(("a DER SET OF attributes, as CMS signs it", "CMS 所签的 DER 属性集合（SET OF）"))
        }
        false if sequence_of_oid(content) => Some(("a DigestInfo", "DigestInfo")),
        // TBSCertificate, CertificationRequestInfo, a timestamp request, an OCSP response, SignedData: all of them.
        false if whole => Some(("a DER SEQUENCE, such as a certificate request", "DER SEQUENCE，例如证书申请")),
        _ => None,
    }
}

/// RFC 4252 §7: session identifier as a string (its length in four octets), then SSH_MSG_USERAUTH_REQUEST (50).
fn ssh_form(octets: &[u8]) -> Option<Named> {
    let [0, 0, 0, length, rest @ ..] = octets else { return None };
    let next = rest.get(usize::from(*length)..)?;
    matches!(next, [50, 0, 0, 0, ..]).then_some(("a login by SSH", "SSH 登录"))
}

#[cfg(test)]
mod tests {
    use super::begins_as;

    #[test]
    fn a_document_is_refused_also_behind_white_space_and_byte_order_marks() {
        let xml = b"<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">";
        let string = b"\"sessionID\":\"1\"||";
        let wide: Vec<u8> = "<ds:SignedInfo".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let little: Vec<u8> = "\"sessionID\"".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for before in [&b""[..], b" ", b"\r\n\t", b"\xEF\xBB\xBF", b"\xEF\xBB\xBF \n", b"\xFE\xFF", b"\xFF\xFE", b"\0"]
        {
            for document in [&xml[..], string, &wide, &little] {
                let challenge = [before, document].concat();
                assert!(begins_as(&challenge).is_some(), "{challenge:x?}");
            }
        }
    }

    #[test]
    fn what_other_protocols_sign_is_refused_by_its_name() {
        let tls = [&[b' '; 64][..], b"TLS 1.3, client CertificateVerify\0", &[7; 32]].concat();
        let ssh = [&[0, 0, 0, 32][..], &[9; 32], &[50, 0, 0, 0, 4], b"root"].concat();
        let cases: [(&[u8], &str); 15] = [
            (&tls, "TLS"),
            (&ssh, "SSH"),
            (b"SSHSIG\0\0\0\x04file", "SSH"),
            (b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0", "web token"),
            (b"-----BEGIN CERTIFICATE REQUEST-----", "PEM"),
            // {LF"alg":"ES256"}, {TAB"alg":…, {CR LF"alg":… and a space before {: a header may hold white space.
            (b"ewoiYWxnIjoiRVMyNTYifQ.e30", "web token"),
            (b"ewkiYWxnIjoiRVMyNTYifQ.e30", "web token"),
            (b"ew0KImFsZyI6IkVTMjU2In0.e30", "web token"),
            (b"IHsiYWxnIjoiRVMyNTYifQ.e30", "web token"),
            (b" {\"amount\":5}", "JSON"),
            (b"{ \"amount\":5}", "JSON"),
            (b"{\r\n  \"amount\":5}", "JSON"),
            (b"[\n{\"amount\":5}]", "JSON"),
            // Version 0, empty name: how a request for a certificate begins (RFC 2986 §4.1).
            (b"\x30\x07\x02\x01\x00\x30\x00\xA0\x00", "SEQUENCE"),
            (b"\x30\x80\x02\x01\x00\x00\x00", "SEQUENCE"),
        ];
        for (challenge, name) in cases {
            let found = begins_as(challenge);
            assert!(found.is_some_and(|f| f.0.contains(name)), "{challenge:x?}: {found:?}");
        }
    }

    #[test]
    fn attributes_are_refused_in_every_ber_form_of_their_length() {
        let attribute =
            b"\x30\x18\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03\x31\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
        let headers: [&[u8]; 6] = [
            b"\x31\x1a",
            b"\x31\x81\x1a",
            b"\x31\x84\x00\x00\x00\x1a",
            b"\x31\x80",
            // A length that is a lie, and one that no memory holds.
            b"\x31\x7f",
            b"\x31\x89\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ];
        for header in headers {
            let challenge = [header, attribute].concat();
            assert!(begins_as(&challenge).is_some_and(|f| f.0.contains("SET OF")), "{header:x?}");
        }
        assert!(begins_as(b"\x31\x10aaaaaaaaaaaaaaaa").is_some(), "a whole SET of anything");
        let digest_info =
            [b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20".as_slice(), &[1; 32]];
        assert!(begins_as(&digest_info.concat()).is_some_and(|f| f.0.contains("DigestInfo")));
    }

    #[test]
    fn digits_and_randoms_that_only_share_a_first_octet_are_signed() {
        for fine in [
            "1",
            "12345678",
            "0123456789012345",
            "1048576",
            "30313233343536373839",
            "eyJh",
            "SSH",
            "TLS",
            "YWJj.ZGVm",
            "1.5",
            "{}",
            "[1]",
        ] {
            assert_eq!(begins_as(fine.as_bytes()), None, "{fine}");
        }
        for fine in [
            &[0x31, 0x20, 0x01][..],
            &[0x30, 0x9c, 0x44],
            &[0x31],
            &[0x30],
            &[0, 0, 0, 1, 2, 3],
            b"\"quoted\"",
            &[0; 32],
        ] {
            assert_eq!(begins_as(fine), None, "{fine:x?}");
        }
    }
}
